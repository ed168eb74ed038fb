"""Socket mode: envelopes over a connection that we open, each acknowledged only after it is stored."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse

from channels import egress
from channels.contract import AuthFailed, RawInbound, Rejected, Retryable, Sink
from channels.social.slack.api import QUIET, Api
from channels.social.slack.parse import uninstalled
from channels.social.slack.settings import SlackSettings

log = logging.getLogger(__name__)

_CONNECT = 15.0
_CLOSE = 0.8
"""Seconds for saying good-bye; a cancelled listener has two in all."""
_PING = 5.0
_FAREWELL = 5.0
"""Seconds that envelopes in hand have to be stored and acknowledged before a connection is left."""
_APART = 1.0
"""Seconds between two connections at the least: one that ends at once must not become a storm."""
_STORED = frozenset({"events_api", "interactive"})


class _Connection(SocketModeClient):
    """One connection of the official client, which is told to leave reconnecting to us.

    By itself it would reconnect with a ticket that is good only once, and try for ever with credentials that are not.
    """

    def __init__(self, app_token: str, api: Api) -> None:
        super().__init__(
            app_token=app_token,
            logger=QUIET,
            web_client=api.web(),
            auto_reconnect_enabled=False,
            ping_interval=_PING,
            on_error_listeners=[self._ended],
            on_close_listeners=[self._ended],
        )
        self.over = asyncio.Event()

    async def connect_to_new_endpoint(self, force: bool = False) -> None:
        """Slack asks to leave (`disconnect`): it refreshes connections every few hours."""
        self.over.set()

    async def _ended(self, _message: aiohttp.WSMessage) -> None:
        self.over.set()

    async def lost(self) -> None:
        """Returns when the connection is to be left or is dead, whatever was said."""
        while not self.over.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self.over.wait()
            if not await self.is_connected():
                return

    async def leave(self) -> None:
        with suppress(TimeoutError, aiohttp.ClientError, OSError):
            async with asyncio.timeout(_CLOSE):
                await self.close()  # type: ignore[no-untyped-call]
        tasks = [one for one in (self.message_processor, self.current_session_monitor, self.message_receiver) if one]
        for one in tasks:
            one.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.aiohttp_client_session.close()


class _Envelopes:
    """Stores envelopes one after another, in the order of their arrival, and acknowledges each."""

    def __init__(self, sink: Sink, named: Callable[[RawInbound], RawInbound]) -> None:
        self._sink = sink
        self._named = named
        self._turn = asyncio.Lock()
        self.waiting = 0
        self.idle = asyncio.Event()
        self.idle.set()
        self.revoked = asyncio.Event()

    async def __call__(self, client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        self.waiting += 1
        self.idle.clear()
        try:
            async with self._turn:
                await self._take(client, request)
        finally:
            self.waiting -= 1
            if not self.waiting:
                self.idle.set()

    async def _take(self, client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        raw: RawInbound | None = None
        if request.type in _STORED:
            raw = self._named(_raw(request))
            try:
                await self._sink([raw])
            except Exception as error:
                # Not stored, so not acknowledged: Slack sends it again.
                log.warning("an envelope of Slack's could not be stored: %s", type(error).__name__)
                return
        with suppress(aiohttp.ClientError, OSError, AttributeError):
            # Where the connection has gone meanwhile, it comes again and is known.
            await client.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id))
        if raw is not None and uninstalled(raw):
            self.revoked.set()


async def listen(api: Api, settings: SlackSettings, sink: Sink, named: Callable[[RawInbound], RawInbound]) -> None:
    """Runs until cancelled; a connection that Slack ends is followed by the next. Raises ChannelError."""
    envelopes = _Envelopes(sink, named)
    token = settings.app_token.get_secret_value()
    opener = Api(settings, token)
    while True:
        begun = time.monotonic()
        await _one_connection(await ticket(opener, settings), token, api, envelopes)
        await asyncio.sleep(max(0.0, _APART - (time.monotonic() - begun)))


async def ticket(opener: Api, settings: SlackSettings) -> str:
    """The address of one connection, good once. Raises ChannelError."""
    answer = await opener.call("apps.connections.open", {})
    url = str(answer.get("url", ""))
    as_http = url.replace("ws", "http", 1) if urlsplit(url).scheme in ("ws", "wss") else ""
    if not egress.allowed(as_http, (".slack.com",), (settings.api_url,)):
        raise Rejected("Slack's answer names a strange server for socket mode", code="socket_host_refused")
    return url


async def _one_connection(url: str, token: str, api: Api, envelopes: _Envelopes) -> None:
    connection = _Connection(token, api)
    connection.wss_uri = url
    connection.socket_mode_request_listeners.append(envelopes)
    watching: list[asyncio.Task[Any]] = []
    try:
        try:
            async with asyncio.timeout(_CONNECT):
                await connection.connect()  # type: ignore[no-untyped-call]
        except TimeoutError:
            raise Retryable("Slack's socket mode does not answer") from None
        watching = [asyncio.create_task(connection.lost()), asyncio.create_task(envelopes.revoked.wait())]
        await asyncio.wait(watching, return_when=asyncio.FIRST_COMPLETED)
        if envelopes.revoked.is_set():
            raise AuthFailed("the Slack app was uninstalled or its token revoked: reconnect the workspace")
        with suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL):
                await envelopes.idle.wait()
    finally:
        for one in watching:
            one.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
        await connection.leave()


def _raw(request: SocketModeRequest) -> RawInbound:
    return RawInbound(
        external_id="",
        body=json.dumps(request.payload, ensure_ascii=False).encode("utf-8", "replace"),
        content_type="application/json",
        transport={
            "by": "socket_mode",
            "envelope": request.envelope_id,
            "retry_attempt": request.retry_attempt,
            "retry_reason": request.retry_reason,
        },
    )
