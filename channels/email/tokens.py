"""Signed addresses: `support+r<token>@shop.example` names a conversation, `support+b<token>@…` a message sent.

The token carries the name and an HMAC over it, keyed with the account's own secret, so that it can be
neither guessed nor forged, and nothing has to be stored. Base32 survives mail servers that change case.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from enum import StrEnum
from uuid import UUID

_MAC_BYTES = 10
_TOKEN = re.compile(r"\+([rb])([us])([a-z2-7]{17,})$")


class Purpose(StrEnum):
    """What a signed address names; part of what is signed, so one kind never passes for the other."""

    ROUTE = "r"
    BOUNCE = "b"


def _mac(secret: bytes, purpose: Purpose, name: bytes) -> bytes:
    return hmac.digest(secret, b"autocrm-mail-token\x00" + purpose.value.encode() + b"\x00" + name, "sha256")[
        :_MAC_BYTES
    ]


def _b32(data: bytes) -> str:
    return base64.b32encode(data).decode("ascii").rstrip("=").lower()


def _unb32(text: str) -> bytes:
    return base64.b32decode(text.upper() + "=" * (-len(text) % 8))


def signed_address(address: str, purpose: Purpose, name: str, secret: bytes) -> str | None:
    """`local+token@domain`, or None where the local part would pass 64 octets (RFC 5321 §4.5.3.1.1)."""
    try:
        kind, packed = "u", UUID(name).bytes
        if str(UUID(name)) != name:
            kind, packed = "s", name.encode()
    except ValueError:
        kind, packed = "s", name.encode()
    local, _, domain = address.rpartition("@")
    tagged = f"{local}+{purpose.value}{kind}{_b32(packed)}{_b32(_mac(secret, purpose, packed))}"
    return f"{tagged}@{domain}" if len(tagged.encode()) <= 64 else None


def read_token(address: str, purpose: Purpose, secret: bytes) -> str | None:
    """The name inside a signed address; None unless the signature holds. Constant-time comparison."""
    found = _TOKEN.search(address.rpartition("@")[0].lower())
    if not found or found[1] != purpose.value or not secret:
        return None
    body, mac = found[3][:-16], found[3][-16:]
    try:
        packed = _unb32(body)
        if not hmac.compare_digest(_unb32(mac), _mac(secret, purpose, packed)):
            return None
        return str(UUID(bytes=packed)) if found[2] == "u" else packed.decode()
    except (binascii.Error, ValueError):
        return None


def without_token(address: str) -> str:
    """The address less a token of ours; a plus tag of anybody else's stays."""
    local, at, domain = address.rpartition("@")
    found = _TOKEN.search(local.lower())
    return f"{local[: found.start()]}{at}{domain}" if found else address
