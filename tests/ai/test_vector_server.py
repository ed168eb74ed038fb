"""One process has the vectors, the others ask it."""

from __future__ import annotations

import asyncio
import struct
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from ai.providers import vector_server
from ai.providers.vector_server import RemoteEmbedder, VectorServer
from ai.providers.vectors import LocalEmbedder
from core.errors import Unavailable
from core.settings import settings


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOCRM_DATA", str(tmp_path))
    settings.cache_clear()


@asynccontextmanager
async def running(server: VectorServer) -> AsyncIterator[None]:
    ready = asyncio.Event()
    task = asyncio.create_task(server.serve(ready))
    await ready.wait()
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_the_vectors_are_the_same_as_in_process(embedder: LocalEmbedder) -> None:
    texts = ["Where is my parcel?", "Wo ist mein Paket? 📦", ""]
    async with running(VectorServer(embedder)):
        client = RemoteEmbedder()
        got = await client.embed(texts)
        await client.aclose()
    assert np.allclose(got, await embedder.embed(texts), atol=1e-6)
    assert got.dtype == np.float32


async def test_many_ask_at_once(embedder: LocalEmbedder) -> None:
    async with running(VectorServer(embedder)):
        client = RemoteEmbedder()
        texts = [f"question number {n}" for n in range(50)]
        got = np.concatenate(await asyncio.gather(*(client.embed([text]) for text in texts)))
        await client.aclose()
    assert np.allclose(got, await embedder.embed(texts), atol=1e-5)


async def test_a_long_path_falls_back_to_loopback(
    embedder: LocalEmbedder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AUTOCRM_DATA", str(tmp_path / ("long" * 30)))
    settings.cache_clear()
    async with running(VectorServer(embedder)):
        assert (settings().data / "run" / "vectors.port").exists()
        client = RemoteEmbedder()
        assert (await client.embed(["x"])).shape == (1, 512)
        await client.aclose()


async def test_without_a_server_it_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        await RemoteEmbedder(patience=0.0).embed(["x"])


async def test_the_client_comes_back_after_a_restart(embedder: LocalEmbedder) -> None:
    client = RemoteEmbedder(patience=5.0)
    async with running(VectorServer(embedder)):
        await client.embed(["x"])
    async with running(VectorServer(embedder)):
        assert (await client.embed(["y"])).shape == (1, 512)
    await client.aclose()


class SlowToLoad(LocalEmbedder):
    def __init__(self, gate: threading.Event) -> None:
        super().__init__()
        self.gate = gate

    def load(self) -> None:
        self.gate.wait()
        super().load()


async def test_it_listens_before_the_model_is_there() -> None:
    gate = threading.Event()
    async with running(VectorServer(SlowToLoad(gate))):
        with pytest.raises(Unavailable):
            await RemoteEmbedder(patience=0.0).embed(["x"])
        patient = RemoteEmbedder(patience=30.0)
        asked = asyncio.create_task(patient.embed(["x"]))
        gate.set()
        assert (await asked).shape == (1, 512)
        await patient.aclose()


@pytest.mark.parametrize("junk", [b"GET / HTTP/1.1\r\n\r\n", struct.pack(">I", 2**31), struct.pack(">I", 2) + b"[]"])
async def test_nonsense_closes_the_connection_and_not_the_server(embedder: LocalEmbedder, junk: bytes) -> None:
    async with running(VectorServer(embedder)):
        path = vector_server._unix_path()
        if path is not None:
            reader, writer = await asyncio.open_unix_connection(path)
        else:
            port = int(vector_server._port_path().read_text())
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(junk)
        await writer.drain()
        assert await reader.read() == b""
        writer.close()
        client = RemoteEmbedder()
        assert (await client.embed(["x"])).shape == (1, 512)
        await client.aclose()
