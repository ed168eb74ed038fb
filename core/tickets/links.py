"""Addresses under which a provider fetches a file of ours: nobody can guess them, and they end."""

from __future__ import annotations

import base64
import hmac
import struct
import time
from uuid import UUID

from core.secrets import derive
from core.settings import settings

_LIFE = 3 * 24 * 3600
"""Seconds: a provider may try for days, and the customer's phone may be off."""
_SIGNED = 16


def public_link(attachment_id: UUID, *, now: float | None = None) -> str:
    """The address of a file that goes out with a message."""
    ends = struct.pack(">I", int(now if now is not None else time.time()) + _LIFE)
    name = attachment_id.bytes + ends
    token = base64.urlsafe_b64encode(name + _sign(name)).decode().rstrip("=")
    return f"{settings().base_url}/files/{token}"


def linked(token: str, *, now: float | None = None) -> UUID | None:
    """The file that a token stands for; None for one that is wrong or has ended."""
    try:
        found = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except ValueError:
        return None
    if len(found) != 20 + _SIGNED:
        return None
    name, signature = found[:20], found[20:]
    (ends,) = struct.unpack(">I", name[16:])
    if not hmac.compare_digest(signature, _sign(name)) or ends < (now if now is not None else time.time()):
        return None
    return UUID(bytes=name[:16])


def _sign(name: bytes) -> bytes:
    return hmac.digest(derive("file links"), name, "sha256")[:_SIGNED]
