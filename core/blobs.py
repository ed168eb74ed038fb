"""Object storage behind one port: whole, durable objects under random names.

`put` returns only when the bytes are on disk: temporary file, fsync, rename, fsync of the folder.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from pathlib import Path
from typing import Protocol

from core.settings import settings


class Blobs(Protocol):
    async def put(self, content: bytes) -> str:
        """Stores `content` durably; returns its key."""
        ...

    async def get(self, key: str) -> bytes:
        """Raises FileNotFoundError."""
        ...

    async def delete(self, key: str) -> None: ...


class LocalBlobs:
    """Objects as files in two levels of folders."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, key: str) -> Path:
        if len(key) != 40 or not set(key) <= set("0123456789abcdef"):
            raise FileNotFoundError(key)
        return self.root / key[:2] / key[2:]

    async def put(self, content: bytes) -> str:
        return await asyncio.to_thread(self._put, content)

    def _put(self, content: bytes) -> str:
        key = secrets.token_hex(20)
        path = self.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        try:
            with part.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            part.rename(path)
        except OSError:
            # On a full disk the half-written file is the last thing anybody needs.
            part.unlink(missing_ok=True)
            raise
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return key

    async def get(self, key: str) -> bytes:
        return await asyncio.to_thread(self.path(key).read_bytes)

    async def delete(self, key: str) -> None:
        await asyncio.to_thread(self.path(key).unlink, missing_ok=True)


def blobs() -> Blobs:
    """The object storage of this installation."""
    return LocalBlobs(settings().data / "objects")
