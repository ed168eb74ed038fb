"""One process loads the sentence vectors and serves every other one on this machine.

Wire: a request is a 4-byte big-endian length and UTF-8 JSON `{"texts": [...]}`; a reply is a 4-byte length,
JSON `{"status", "rows", "dimension", "model"}`, and for status `ok` rows × dimension little-endian float32.
The server listens on a Unix socket below the data folder; where the path is too long for one, or the
system has none, on a loopback port that it writes beside it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from ai.providers.vectors import LOCAL_DIMENSION, LOCAL_LANGUAGES, LOCAL_MODEL, LocalEmbedder, Vectors
from core.errors import Unavailable
from core.settings import settings

log = logging.getLogger(__name__)

REQUEST_MAX = 8 * 1024 * 1024
BATCH_TEXTS = 64
_UNIX_PATH_MAX = 100
"""Below `sun_path` of every system (104 bytes on macOS, 108 on Linux)."""

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def _folder() -> Path:
    return settings().data / "run"


def _unix_path() -> Path | None:
    path = _folder() / "vectors.sock"
    fits = hasattr(asyncio, "start_unix_server") and len(os.fsencode(path)) <= _UNIX_PATH_MAX
    return path if fits else None


def _port_path() -> Path:
    return _folder() / "vectors.port"


def _frame(head: dict[str, Any], body: bytes = b"") -> bytes:
    encoded = json.dumps(head, ensure_ascii=False).encode()
    return struct.pack(">I", len(encoded)) + encoded + body


async def _read_head(reader: asyncio.StreamReader) -> dict[str, Any]:
    (size,) = struct.unpack(">I", await reader.readexactly(4))
    if size > REQUEST_MAX:
        raise ValueError(f"a frame of {size} bytes")
    head = json.loads(await reader.readexactly(size))
    if not isinstance(head, dict):
        raise ValueError("not an object")
    return head


@dataclass(slots=True)
class _Request:
    texts: list[str]
    done: asyncio.Future[Vectors] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class VectorServer:
    """Serves the local vectors until cancelled. Listens at once; says `loading` until the model is there."""

    def __init__(self, embedder: LocalEmbedder | None = None) -> None:
        self._embedder = embedder or LocalEmbedder()
        self._queue: asyncio.Queue[_Request] = asyncio.Queue()
        self._loaded = asyncio.Event()
        self._connections: set[asyncio.StreamWriter] = set()

    async def serve(self, ready: asyncio.Event | None = None) -> None:
        """Runs until cancelled; sets `ready` as soon as the socket listens."""
        server, made = await self._listen()
        try:
            if ready is not None:
                ready.set()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._load())
                tasks.create_task(self._work())
        finally:
            server.close()
            for writer in list(self._connections):
                writer.close()
            with contextlib.suppress(OSError):
                made.unlink()

    async def _listen(self) -> tuple[asyncio.Server, Path]:
        _folder().mkdir(parents=True, exist_ok=True, mode=0o700)
        unix = _unix_path()
        if unix is not None:
            unix.unlink(missing_ok=True)
            server = await asyncio.start_unix_server(self._serve_one, path=unix)
            unix.chmod(0o600)
            return server, unix
        server = await asyncio.start_server(self._serve_one, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        fresh = _port_path().with_suffix(".new")
        fresh.write_text(str(port))
        fresh.replace(_port_path())
        return server, _port_path()

    async def _load(self) -> None:
        await asyncio.to_thread(self._embedder.load)
        self._loaded.set()

    async def _work(self) -> None:
        """Takes whatever waits as one batch: many small requests cost little more than one."""
        await self._loaded.wait()
        while True:
            batch = [await self._queue.get()]
            while not self._queue.empty() and sum(len(request.texts) for request in batch) < BATCH_TEXTS:
                batch.append(self._queue.get_nowait())
            try:
                vectors = await self._embedder.embed([text for request in batch for text in request.texts])
            except Exception as error:
                log.exception("embedding failed")
                for request in batch:
                    if not request.done.done():
                        request.done.set_exception(Unavailable("vectors_failed", type(error).__name__))
                continue
            start = 0
            for request in batch:
                end = start + len(request.texts)
                if not request.done.done():
                    request.done.set_result(vectors[start:end])
                start = end

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        try:
            while True:
                head = await _read_head(reader)
                texts = head.get("texts")
                if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
                    raise ValueError("texts must be strings")
                if not self._loaded.is_set():
                    writer.write(_frame({"status": "loading"}))
                else:
                    writer.write(await self._answer(texts))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except ValueError as error:
            log.warning("a client of the vectors spoke nonsense: %s", error)
        finally:
            self._connections.discard(writer)
            writer.close()

    async def _answer(self, texts: list[str]) -> bytes:
        request = _Request(texts)
        self._queue.put_nowait(request)
        try:
            vectors = await request.done
        except Unavailable as error:
            return _frame({"status": "error", "code": error.code})
        head = {"status": "ok", "rows": len(texts), "dimension": vectors.shape[1], "model": self._embedder.model}
        return _frame(head, np.ascontiguousarray(vectors, dtype="<f4").tobytes())


class RemoteEmbedder:
    """The local vectors, asked of the process that has loaded them.

    Waits at most `patience` seconds for a server that is starting; after that every call fails at once for
    `rest` seconds, so that a missing server costs one wait and not one per question.
    """

    model = LOCAL_MODEL
    dimension = LOCAL_DIMENSION
    languages: frozenset[str] | None = LOCAL_LANGUAGES

    def __init__(self, *, patience: float = 3.0, rest: float = 2.0, timeout: float = 30.0) -> None:
        self._patience = patience
        self._rest = rest
        self._timeout = timeout
        self._idle: list[Streams] = []
        self._down_until = 0.0

    async def embed(self, texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.empty((0, self.dimension), dtype=np.float32)
        now = time.monotonic()
        if now < self._down_until:
            raise Unavailable("vectors_unavailable", "the vector server does not answer")
        deadline = now + self._patience
        while True:
            try:
                vectors = await asyncio.wait_for(self._ask(list(texts)), self._timeout)
            except (OSError, asyncio.IncompleteReadError, ValueError):
                vectors = None
            except TimeoutError as error:
                self._down_until = time.monotonic() + self._rest
                raise Unavailable("vectors_unavailable", "the vector server is too slow") from error
            if vectors is not None:
                return vectors
            if time.monotonic() >= deadline:
                self._down_until = time.monotonic() + self._rest
                raise Unavailable("vectors_unavailable", "the vector server does not answer")
            await asyncio.sleep(0.05)

    async def aclose(self) -> None:
        while self._idle:
            self._idle.pop()[1].close()

    async def _connect(self) -> Streams:
        while self._idle:
            reader, writer = self._idle.pop()
            if not (reader.at_eof() or writer.is_closing()):
                return reader, writer
            writer.close()
        unix = _unix_path()
        if unix is not None:
            return await asyncio.open_unix_connection(unix)
        return await asyncio.open_connection("127.0.0.1", int(_port_path().read_text()))

    async def _ask(self, texts: list[str]) -> Vectors | None:
        """None while the server is loading."""
        reader, writer = await self._connect()
        try:
            writer.write(_frame({"texts": texts}))
            await writer.drain()
            head = await _read_head(reader)
            if head.get("status") == "error":
                raise Unavailable("vectors_failed")
            if head.get("status") == "loading":
                self._idle.append((reader, writer))
                return None
            rows, dimension = int(head["rows"]), int(head["dimension"])
            if (rows, dimension, head["model"]) != (len(texts), self.dimension, self.model):
                raise Unavailable("vectors_failed", "the vector server runs another model")
            body = await reader.readexactly(rows * dimension * 4)
        except BaseException:
            writer.close()
            raise
        self._idle.append((reader, writer))
        return np.frombuffer(body, dtype="<f4").reshape(rows, dimension).astype(np.float32, copy=False)


_embedders: WeakKeyDictionary[asyncio.AbstractEventLoop, RemoteEmbedder] = WeakKeyDictionary()


def embedder() -> RemoteEmbedder:
    """The client of the running event loop."""
    return _embedders.setdefault(asyncio.get_running_loop(), RemoteEmbedder())
