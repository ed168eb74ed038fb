"""Text from outside as PostgreSQL can keep it.

A `text` or `jsonb` value holds neither NUL nor half a surrogate pair. Both come in real mail and real webhooks; a
message must not be refused, or wait for ever, because of one.
"""

from __future__ import annotations

import re
from typing import Any

_UNSTORABLE = re.compile("[\\x00\\ud800-\\udfff]")


def storable_text(text: str) -> str:
    """`text` with a replacement character (U+FFFD) wherever something cannot be stored."""
    return _UNSTORABLE.sub("\ufffd", text)


def storable(value: Any) -> Any:
    """As `storable_text`, for JSON values of any depth."""
    if isinstance(value, str):
        return storable_text(value)
    if isinstance(value, dict):
        return {storable_text(str(name)): storable(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [storable(item) for item in value]
    return value
