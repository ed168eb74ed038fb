"""Prism between an SDK and a fake provider: both sides judged by the provider's own specification."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

HERE = Path(__file__).parent
_BINARY = HERE / "node_modules" / "@stoplight" / "prism-cli" / "dist" / "index.js"
_READY = b"Prism is listening"


class PrismFailed(RuntimeError):
    """It did not start; the text holds what it said."""


@asynccontextmanager
async def prism(specification: Path, upstream: str) -> AsyncIterator[str]:
    """The base address of a proxy to `upstream` that answers violations, of the request or of the answer, as errors.

    A request that breaks the specification gets a 4xx with `type` ending in `UNPROCESSABLE_ENTITY` or the like, and never
    reaches the upstream; an answer that breaks it gets a 500 whose `type` ends in `VIOLATIONS`.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        *["node", str(_BINARY), "proxy", "--errors", "-h", "127.0.0.1", "-p", str(port), str(specification), upstream],
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "NO_COLOR": "1"},
        process_group=0,
    )
    assert process.stdout is not None
    said = b""
    drain: asyncio.Task[None] | None = None
    try:
        async with asyncio.timeout(60):
            while _READY not in said:
                piece = await process.stdout.readline()
                if not piece:
                    raise PrismFailed(said.decode(errors="replace")[-2000:])
                said += piece
        drain = asyncio.create_task(_drain(process.stdout))
        yield f"http://127.0.0.1:{port}"
    finally:
        if drain is not None:
            drain.cancel()
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def _drain(stream: asyncio.StreamReader) -> None:
    while await stream.read(65536):
        pass
