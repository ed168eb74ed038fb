"""Sealing secrets: AES-256-GCM, bound to the place where they are stored.

A sealed value is `version (1) | key id (4) | nonce (12) | ciphertext and tag`. The key id lets keys rotate:
old values open with the key that sealed them, new ones are sealed with the newest.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from functools import cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core.settings import settings

_VERSION = b"\x01"


class SealBroken(Exception):
    """The value was not sealed here, for this place, or with a key we have."""


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"autocrm key id" + key).digest()[:4]


def _load(folder: Path) -> list[bytes]:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / "master"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        pass
    else:
        with os.fdopen(descriptor, "w") as file:
            file.write(base64.b64encode(secrets.token_bytes(32)).decode() + "\n")
            file.flush()
            os.fsync(file.fileno())
    return [base64.b64decode(line) for line in path.read_text().split()]


@cache
def _keys(data: Path, given: str | None) -> dict[bytes, bytes]:
    """Keys by id, newest last. `AUTOCRM_MASTER_KEY` may name several, separated by spaces."""
    keys = [base64.b64decode(part) for part in given.split()] if given else _load(data / "keys")
    if any(len(key) != 32 for key in keys):
        raise ValueError("a master key is 32 bytes, written in base64")
    return {_key_id(key): key for key in keys}


def _ring() -> dict[bytes, bytes]:
    given = settings().master_key
    return _keys(settings().data, given.get_secret_value() if given else None)


def seal(value: bytes, place: str) -> bytes:
    """Seals `value` for `place` (`table/row/field`); it opens nowhere else."""
    key_id, key = list(_ring().items())[-1]
    nonce = secrets.token_bytes(12)
    return _VERSION + key_id + nonce + AESGCM(key).encrypt(nonce, value, place.encode())


def unseal(sealed: bytes, place: str) -> bytes:
    """Raises SealBroken."""
    key = _ring().get(sealed[1:5])
    if sealed[:1] != _VERSION or key is None:
        raise SealBroken(place)
    try:
        return AESGCM(key).decrypt(sealed[5:17], sealed[17:], place.encode())
    except InvalidTag:
        raise SealBroken(place) from None


def derive(purpose: str) -> bytes:
    """32 bytes for one purpose, always the same in this installation."""
    first = next(iter(_ring().values()))
    return hmac.digest(first, b"autocrm derive\0" + purpose.encode(), "sha256")
