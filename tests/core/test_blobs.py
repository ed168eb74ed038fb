"""Objects: whole or not there, and reachable by their key alone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from core.blobs import LocalBlobs


def _files(folder: Path, pattern: str) -> list[Path]:
    return [path for path in folder.rglob(pattern) if path.is_file()]


async def test_what_was_put_is_got_until_it_is_deleted(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path)
    contents = [b"", b"a", bytes(range(256)) * 1000]
    keys = await asyncio.gather(*(blobs.put(content) for content in contents * 4))
    assert len(set(keys)) == 12
    assert [await blobs.get(key) for key in keys[:3]] == contents
    assert not _files(tmp_path, "*.part")
    await blobs.delete(keys[0])
    await blobs.delete(keys[0])
    with pytest.raises(FileNotFoundError):
        await blobs.get(keys[0])


@pytest.mark.parametrize(
    "key", ["", "../../etc/passwd", "a" * 39, "a" * 41, "/" * 40, "..%2f" * 8, "é" * 40, "a" * 39 + "\n"]
)
async def test_a_key_that_is_none_reaches_nothing(tmp_path: Path, key: str) -> None:
    for act in (LocalBlobs(tmp_path / "objects").get, LocalBlobs(tmp_path / "objects").delete):
        with pytest.raises(FileNotFoundError):
            await act(key)


async def test_a_write_that_fails_leaves_nothing_that_looks_like_an_object(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("core.blobs.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        await LocalBlobs(tmp_path).put(b"x")
    assert _files(tmp_path, "*") == []
