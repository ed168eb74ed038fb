"""How the fake Slack tells what happens: signed requests or socket-mode envelopes, with Slack's retries and its bad days."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import aiohttp
from aiohttp import web

from channels.lab import Misbehaviour
from channels.social.slack.fake_workspace import APP, BOT_USER, TEAM, ident

Json = dict[str, Any]
_HELD = 1.0
"""Seconds after which an event that waits to change places goes alone."""


@dataclass(frozen=True, slots=True)
class Request:
    """One event on its way by HTTP: exact bytes and headers."""

    body: bytes
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to hand an event over."""

    event_id: str
    retry: int
    accepted: bool
    how: str


def signed(secret: str, body: bytes, content_type: str, *, at: float | None = None) -> Request:
    """https://docs.slack.dev/authentication/verifying-requests-from-slack"""
    stamp = str(int(time.time() if at is None else at))
    digest = hmac.new(secret.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    return Request(
        body,
        {
            "Content-Type": content_type,
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": f"v0={digest}",
        },
    )


def wrapped(event: Json) -> Json:
    """An event in the Events API's wrapper."""
    return {
        "token": "lab-verification-token",
        "team_id": TEAM,
        "api_app_id": APP,
        "event": event,
        "type": "event_callback",
        "event_id": ident("Ev", json.dumps(event, sort_keys=True)),
        "event_time": int(time.time()),
        "authed_users": [BOT_USER],
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": TEAM,
                "user_id": BOT_USER,
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
        "is_ext_shared_channel": False,
    }


class Events:
    """Hands events over one after another; what fails is tried again beside the others, as Slack does.

    `scale` shortens Slack's times: 3 seconds for an answer; retries at once, after a minute, after five.
    """

    def __init__(self, secret: str, scale: float = 1.0) -> None:
        self._secret = secret
        self._scale = scale
        self.hook: str | None = None
        self.socket_mode = False
        self.how = Misbehaviour.NONE
        self.attempts: list[Attempt] = []
        self.sent: list[Json] = []
        """Every payload, oldest first."""
        self._queue: asyncio.Queue[tuple[Json, bool]] = asyncio.Queue()
        self._open = 0
        self._settled = asyncio.Event()
        self._settled.set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._links: list[web.WebSocketResponse] = []
        self._linked = asyncio.Event()
        self._joined = asyncio.Condition()
        self._made = 0
        self._hooked = asyncio.Event()
        self._acks: dict[str, asyncio.Future[bool]] = {}
        self.tickets: set[str] = set()

    def start(self) -> None:
        self._spawn(self._work())

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for link in list(self._links):
            with suppress(TimeoutError, ConnectionError):
                async with asyncio.timeout(0.5):
                    await link.close()

    def hooks_at(self, url: str) -> None:
        self.hook = url
        self._hooked.set()

    def emit(self, payload: Json, *, interactive: bool = False) -> None:
        """Tells the app of it as soon as it is its turn."""
        self.sent.append(payload)
        self._open += 1
        self._settled.clear()
        self._queue.put_nowait((payload, interactive))

    async def settled(self) -> None:
        """Returns when everything was accepted or given up."""
        await self._settled.wait()

    def request(self, payload: Json, *, interactive: bool = False, at: float | None = None) -> Request:
        """The request by which a payload would come."""
        if interactive:
            body = urlencode({"payload": json.dumps(payload)}).encode()
            return signed(self._secret, body, "application/x-www-form-urlencoded", at=at)
        return signed(self._secret, json.dumps(payload).encode(), "application/json", at=at)

    # ------------------------------------------------------------------ the queue

    def _spawn(self, coroutine: Any) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self) -> None:
        held: tuple[Json, bool] | None = None
        while True:
            try:
                async with asyncio.timeout(_HELD if held else None):
                    one = await self._queue.get()
            except TimeoutError:
                assert held is not None
                await self._first(*held)
                held = None
                continue
            if self.how is Misbehaviour.OUT_OF_ORDER and held is None:
                held = one
                continue
            await self._first(*one)
            if held is not None:
                await self._first(*held)
                held = None

    async def _first(self, payload: Json, interactive: bool) -> None:
        accepted = await self._attempt(payload, interactive, 0, "")
        if self.how is Misbehaviour.DUPLICATE and accepted:
            await self._attempt(payload, interactive, 1, "http_timeout")
        if accepted or (interactive and not self.socket_mode):
            self._done()  # a button's request is never repeated
        else:
            self._spawn(self._again(payload, interactive))

    async def _again(self, payload: Json, interactive: bool) -> None:
        for retry, pause in enumerate((0.0, 60.0, 300.0), start=1):
            await asyncio.sleep(pause * self._scale)
            if await self._attempt(payload, interactive, retry, "http_error"):
                break
        self._done()

    def _done(self) -> None:
        self._open -= 1
        if not self._open:
            self._settled.set()

    async def _attempt(self, payload: Json, interactive: bool, retry: int, reason: str) -> bool:
        if self.socket_mode:
            accepted = await self._by_socket(payload, interactive, retry, reason)
        else:
            accepted = await self._by_http(payload, interactive, retry, reason)
        name = str(payload.get("event_id") or payload.get("trigger_id"))
        self.attempts.append(Attempt(name, retry, accepted, "socket" if self.socket_mode else "http"))
        return accepted

    async def _by_http(self, payload: Json, interactive: bool, retry: int, reason: str) -> bool:
        await self._hooked.wait()
        assert self.hook is not None
        request = self.request(payload, interactive=interactive)
        headers = dict(request.headers)
        if retry:
            headers |= {"X-Slack-Retry-Num": str(retry), "X-Slack-Retry-Reason": reason}
        timeout = aiohttp.ClientTimeout(total=max(3.0 * self._scale, 0.2))
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(self.hook, data=request.body, headers=headers) as answer,
            ):
                return 200 <= answer.status < 300
        except (aiohttp.ClientError, TimeoutError):
            return False

    # ------------------------------------------------------------------ socket mode

    async def _by_socket(self, payload: Json, interactive: bool, retry: int, reason: str) -> bool:
        await self._linked.wait()
        envelope = str(uuid4())
        told = {
            "envelope_id": envelope,
            "type": "interactive" if interactive else "events_api",
            "payload": payload,
            "accepts_response_payload": interactive,
            "retry_attempt": retry,
            "retry_reason": reason,
        }
        self._acks[envelope] = asyncio.get_running_loop().create_future()
        try:
            await self._links[-1].send_json(told)
            async with asyncio.timeout(max(3.0 * self._scale, 0.2)):
                return await self._acks[envelope]
        except (TimeoutError, ConnectionError, IndexError, aiohttp.ClientError):
            return False
        finally:
            self._acks.pop(envelope, None)

    async def link(self, request: web.Request) -> web.WebSocketResponse:
        """One socket-mode connection: https://docs.slack.dev/apis/events-api/using-socket-mode"""
        ticket = request.query.get("ticket", "")
        if ticket not in self.tickets:
            raise web.HTTPForbidden(text="this ticket is not valid")
        self.tickets.discard(ticket)
        link = web.WebSocketResponse()
        await link.prepare(request)
        await link.send_json(
            {
                "type": "hello",
                "num_connections": len(self._links) + 1,
                "debug_info": {"host": "applink-1", "approximate_connection_time": 18060},
                "connection_info": {"app_id": APP},
            }
        )
        self._links.append(link)
        self._linked.set()
        async with self._joined:
            self._made += 1
            self._joined.notify_all()
        try:
            async for message in link:
                if message.type is aiohttp.WSMsgType.TEXT:
                    self._acked(json.loads(message.data))
        finally:
            self._links.remove(link)
            if not self._links:
                self._linked.clear()
        return link

    def _acked(self, told: Json) -> None:
        future = self._acks.get(str(told.get("envelope_id")))
        if future is not None and not future.done():
            future.set_result(True)

    async def connected(self, times: int = 1) -> None:
        """Returns when the app has connected that often."""
        async with self._joined:
            await self._joined.wait_for(lambda: self._made >= times)

    async def refresh(self, reason: str = "refresh_requested") -> None:
        """Asks every connection to leave, as Slack does every few hours."""
        for link in list(self._links):
            await link.send_json({"type": "disconnect", "reason": reason, "debug_info": {"host": "applink-1"}})

    def cut(self) -> None:
        """Every connection breaks without a word."""
        for link in list(self._links):
            transport = getattr(link, "_req", None) and link._req.transport  # type: ignore[union-attr]
            if transport is not None:
                transport.abort()
