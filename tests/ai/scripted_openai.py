"""A server that speaks OpenAI's chat completions and behaves as told: well, badly, or treacherously."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse


class Mood(StrEnum):
    """How the server answers."""

    SAY = "say"
    HALF = "half"
    """The connection breaks in the middle of the answer."""
    LENGTH = "length"
    """The answer is cut at the token limit."""
    GARBAGE = "garbage"
    """Bytes that are no event stream."""
    REFUSAL = "refusal"
    EMPTY = "empty"
    BUSY = "busy"
    BROKEN = "broken"
    SILENT = "silent"
    """Nothing comes for longer than anybody waits."""


@dataclass
class Script:
    """What the server is to do, and what it was asked."""

    mood: Mood = Mood.SAY
    text: str = ""
    only_max_tokens: bool = False
    """Refuse the newer name of the token limit, as older servers do."""
    asked: list[dict[str, Any]] = field(default_factory=list)
    base_url: str = ""


def _event(delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    body = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "scripted", "choices": [choice]}
    return f"data: {json.dumps(body)}\n\n".encode()


def _application(script: Script) -> FastAPI:
    application = FastAPI()

    async def words() -> AsyncIterator[bytes]:
        yield _event({"role": "assistant", "content": ""})
        pieces = [script.text[i : i + 7] for i in range(0, len(script.text), 7)]
        for number, piece in enumerate(pieces):
            if script.mood is Mood.HALF and number >= len(pieces) / 2:
                raise ConnectionResetError
            yield _event({"content": piece})
            await asyncio.sleep(0)
        if script.mood is Mood.REFUSAL:
            yield _event({"refusal": "I cannot help with that."})
        yield _event({}, "length" if script.mood is Mood.LENGTH else "stop")
        yield b"data: [DONE]\n\n"

    @application.post("/v1/chat/completions")
    async def complete(request: Request) -> Response:
        body = await request.json()
        script.asked.append(body)
        if script.only_max_tokens and "max_completion_tokens" in body:
            error = {"message": "Unsupported parameter: max_completion_tokens", "type": "invalid_request_error"}
            return JSONResponse({"error": error}, status_code=400)
        match script.mood:
            case Mood.BUSY:
                return JSONResponse({"error": {"message": "slow down"}}, status_code=429, headers={"retry-after": "0"})
            case Mood.BROKEN:
                return JSONResponse({"error": {"message": "oh no"}}, status_code=500)
            case Mood.SILENT:
                await asyncio.sleep(30)
                return Response(status_code=204)
            case Mood.GARBAGE:
                return Response(b"data: {this is not json\n\ndata: neither\n\n", media_type="text/event-stream")
            case _:
                return StreamingResponse(words(), media_type="text/event-stream")

    return application


@contextmanager
def serve() -> Iterator[Script]:
    """The server on a free loopback port, in a thread of its own, for as long as the block runs."""
    script = Script()
    config = uvicorn.Config(_application(script), host="127.0.0.1", port=0, log_level="critical", lifespan="off")
    server = uvicorn.Server(config)
    socket = config.bind_socket()
    script.base_url = f"http://127.0.0.1:{socket.getsockname()[1]}/v1"
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]}, daemon=True)
    thread.start()
    try:
        yield script
    finally:
        server.should_exit = True
        server.force_exit = True
        thread.join(timeout=10)
        socket.close()
