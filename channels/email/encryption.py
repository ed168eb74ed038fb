"""The certificate that the mail receiver shows, read anew when its files are renewed."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

log = logging.getLogger(__name__)


class ServerCertificate:
    """Gives the TLS context for a new connection. Raises OSError or ssl.SSLError where the first reading fails."""

    def __init__(self, chain: Path, key: Path | None) -> None:
        self._chain, self._key = chain, key or chain
        self._seen = self._stamps()
        self._context = self._read()

    def context(self) -> ssl.SSLContext:
        """Of the files as they are now; of the last good ones while they cannot be read."""
        try:
            stamps = self._stamps()
            if stamps != self._seen:
                # Chain and key are seldom replaced in one moment: what does not fit together yet is tried again.
                self._context = self._read()
                self._seen = stamps
        except (OSError, ssl.SSLError) as error:
            log.warning("the mail receiver's certificate cannot be read again: %s", type(error).__name__)
        return self._context

    def _stamps(self) -> list[tuple[int, int]]:
        return [(found.st_mtime_ns, found.st_size) for found in (one.stat() for one in (self._chain, self._key))]

    def _read(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        # With a password given, a sealed key is an error at once and not a question on somebody's terminal.
        context.load_cert_chain(self._chain, self._key, password="")
        return context
