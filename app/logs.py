"""Logs: one line an event on standard error, without secrets."""

from __future__ import annotations

import logging
import re
import sys

from core.settings import settings

_SECRETS = re.compile(r"(?i)((?:postgres(?:ql)?|rediss?|smtps?|https?)(?:\+\w+)?://[^:/\s]*:)[^@\s]+@|(bearer )\S+")


class _Redacted(logging.Formatter):
    """Passwords in addresses and bearer tokens are cut out, wherever they come from."""

    def format(self, record: logging.LogRecord) -> str:
        return _SECRETS.sub(lambda found: f"{found[1]}***@" if found[1] else f"{found[2]}***", super().format(record))


def configure_logging(part: str) -> None:
    """Called once per process, with the part's name."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Redacted(f"%(asctime)s {part} %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for ours in ("app", "core", "ai", "channels"):
        logging.getLogger(ours).setLevel(settings().log_level)
