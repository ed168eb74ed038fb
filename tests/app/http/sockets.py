"""A websocket client that speaks ASGI to the application in the same event loop."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI


class Closed(Exception):
    """The server ended the connection."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code} {reason}")
        self.code = code
        self.reason = reason


class Socket:
    """One connection. `receive` waits for a frame; `until` for one that fits, keeping all in `heard`."""

    def __init__(self) -> None:
        self.inwards: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.outwards: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.heard: list[dict[str, Any]] = []

    async def send(self, **frame: Any) -> None:
        await self.send_text(json.dumps(frame))

    async def send_text(self, text: str) -> None:
        await self.inwards.put({"type": "websocket.receive", "text": text})

    async def receive(self, seconds: float = 20) -> dict[str, Any]:
        event = await asyncio.wait_for(self.outwards.get(), seconds)
        if event["type"] == "websocket.close":
            raise Closed(event.get("code", 1000), event.get("reason") or "")
        frame: dict[str, Any] = json.loads(event["text"])
        self.heard.append(frame)
        return frame

    async def until(self, **fields: Any) -> dict[str, Any]:
        while True:
            frame = await self.receive()
            if all(frame.get(name) == value for name, value in fields.items()):
                return frame


@asynccontextmanager
async def connected(app: FastAPI, url: str, headers: dict[str, str] | None = None) -> AsyncIterator[Socket]:
    """Raises Closed where the server does not let the client in."""
    parts = urlsplit(url)
    made = Socket()
    scope = {
        "type": "websocket", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "ws",
        "path": parts.path, "raw_path": parts.path.encode(), "root_path": "", "query_string": parts.query.encode(),
        "headers": [(b"host", b"test")] + [(k.lower().encode(), v.encode()) for k, v in (headers or {}).items()],
        "client": ("127.0.0.1", 1), "server": ("test", 80), "subprotocols": [], "state": {}, "extensions": {},
    }  # fmt: skip
    await made.inwards.put({"type": "websocket.connect"})
    serving = asyncio.create_task(app(scope, made.inwards.get, made.outwards.put))
    # As a server does for an application that ended without a word, or broke down.
    serving.add_done_callback(lambda _: made.outwards.put_nowait({"type": "websocket.close", "code": 1011}))
    try:
        first = await asyncio.wait_for(made.outwards.get(), 20)
        if first["type"] != "websocket.accept":
            raise Closed(first.get("code", 1006), first.get("reason") or "")
        yield made
    finally:
        await made.inwards.put({"type": "websocket.disconnect", "code": 1001})
        await asyncio.wait({serving}, timeout=10)
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
