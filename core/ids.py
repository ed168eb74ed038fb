"""Identifiers: UUIDv7 for rows (RFC 9562, sortable by time), random tokens for what a stranger may hold."""

from __future__ import annotations

import hashlib
import secrets
from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    return uuid7()


def new_token() -> str:
    """256 random bits, URL-safe. Store only its `token_hash`."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> bytes:
    """SHA-256: enough for tokens of full entropy, and quick to look up."""
    return hashlib.sha256(token.encode()).digest()
