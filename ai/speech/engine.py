"""Asking the listening process; starts it when there is something to hear, ends it when there has been nothing for long."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4
from weakref import WeakKeyDictionary

from ai.speech.model import folder, ready
from core.settings import settings

log = logging.getLogger(__name__)

IDLE = 300.0
"""Seconds without anything to hear after which the process ends, and its memory is free again."""
_ROOT = Path(__file__).resolve().parents[2]
_LINE_MAX = 32 * 1024 * 1024

Progress = Callable[[float, float], Awaitable[None]]
"""`await progress(done, of)`, in seconds of audio."""


class Unheard(Exception):
    """It cannot be listened to, now or later; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class NotListening(Exception):
    """The listening process ended in the middle: try again."""


class Engine:
    """One listening process of one event loop."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._waiting: dict[str, asyncio.Queue[dict[str, Any]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._starting = asyncio.Lock()
        self._idle: asyncio.TimerHandle | None = None

    async def transcribe(
        self, content: bytes, candidates: Sequence[str], progress: Progress | None = None
    ) -> dict[str, Any]:
        """The transcript: `language` (BCP 47), `seconds`, `segments` with start, end and text. Raises Unheard, NotListening."""
        if not ready():
            raise Unheard("speech_unavailable")
        process = await self._running()
        assert process.stdin is not None
        name, said = uuid4().hex, asyncio.Queue[dict[str, Any]]()
        self._waiting[name] = said
        try:
            with tempfile.TemporaryDirectory(prefix="autocrm-speech-") as work:
                path = Path(work) / "audio"
                await asyncio.to_thread(path.write_bytes, content)
                request = {"id": name, "path": str(path), "candidates": list(candidates)}
                process.stdin.write(json.dumps(request).encode() + b"\n")
                with contextlib.suppress(ConnectionError):
                    await process.stdin.drain()
                while True:
                    step = await said.get()
                    if "transcript" in step:
                        return {**step["transcript"], "model": settings().speech_model}
                    if "error" in step:
                        raise Unheard(step["error"])
                    if "gone" in step:
                        raise NotListening("the listening process ended")
                    if progress is not None:
                        await progress(step["done"], step["of"])
        finally:
            self._waiting.pop(name, None)
            if not self._waiting:
                self._rest()

    async def _running(self) -> asyncio.subprocess.Process:
        async with self._starting:
            if self._idle is not None:
                self._idle.cancel()
            if self._process is not None and self._process.returncode is None:
                return self._process
            process = await asyncio.create_subprocess_exec(
                *[sys.executable, "-m", "ai.speech.listener", str(folder()), str(settings().speech_threads)],
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                cwd=_ROOT,
                limit=_LINE_MAX,
            )
            self._process = process
            task = asyncio.create_task(self._read(process), name="speech")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return process

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        with contextlib.suppress(ValueError, ConnectionError):
            async for line in process.stdout:
                step = json.loads(line)
                if (said := self._waiting.get(step.get("id", ""))) is not None:
                    said.put_nowait(step)
        await process.wait()
        if self._process is process:
            self._process = None
            for said in self._waiting.values():
                said.put_nowait({"gone": True})

    def _rest(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        self._idle = asyncio.get_running_loop().call_later(IDLE, self._end)

    def _end(self) -> None:
        process = self._process
        if process is not None and process.returncode is None and not self._waiting and process.stdin is not None:
            process.stdin.close()

    async def aclose(self) -> None:
        """Ends the process; whoever still waits is told to try again."""
        if self._idle is not None:
            self._idle.cancel()
        process = self._process
        if process is not None and process.returncode is None:
            process.kill()
            await process.wait()
        await asyncio.gather(*self._tasks, return_exceptions=True)


_engines: WeakKeyDictionary[asyncio.AbstractEventLoop, Engine] = WeakKeyDictionary()


def engine() -> Engine:
    """The engine of the running event loop."""
    return _engines.setdefault(asyncio.get_running_loop(), Engine())
