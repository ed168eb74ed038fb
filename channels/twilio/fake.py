"""A Twilio on loopback: the REST API of one account, and webhooks signed as Twilio signs them.

Everything it is told stands in an append-only ledger, so it is the same provider after a restart. What the messages
resource does is in `messages`, what the calls resource does in `calls`; both hang their routes into the one server.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

import aiohttp
from aiohttp import web
from pydantic import SecretStr

from channels.twilio.ledger import Ledger
from channels.twilio.webhooks import Answer, Caller, Form

API = "/2010-04-01"
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Trouble(StrEnum):
    """What the provider does wrong until told otherwise. The first seven are `channels.lab.Misbehaviour`, by value."""

    NONE = "none"
    SLOW = "slow"
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    REPLY_LOST = "reply_lost"
    DUPLICATE = "duplicate"
    OUT_OF_ORDER = "out_of_order"
    REFUSED = "refused"
    UNKNOWN_RECIPIENT = "unknown_recipient"
    BAD_CREDENTIALS = "bad_credentials"


REFUSALS: Mapping[str, Mapping[Trouble, tuple[int, str]]] = MappingProxyType(
    {
        "Messages": MappingProxyType(
            {
                Trouble.REFUSED: (21617, "The concatenated message body exceeds the 1600 character limit."),
                Trouble.UNKNOWN_RECIPIENT: (21211, "The 'To' number is not a valid phone number."),
            }
        ),
        "Calls": MappingProxyType(
            {
                Trouble.REFUSED: (12100, "Document parse failure"),
                Trouble.UNKNOWN_RECIPIENT: (21220, "Call is not in-progress. Cannot redirect."),
            }
        ),
    }
)
"""Twilio's error code and sentence by resource."""


class Refusal(Exception):
    """The API's answer to a request that it does not carry out; handlers raise it."""

    def __init__(self, status: int, code: int, message: str, *, after: int | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.after = status, code, message, after

    def answer(self) -> web.Response:
        return web.json_response(
            {
                "code": self.code,
                "message": self.message,
                "more_info": f"https://www.twilio.com/docs/errors/{self.code}",
                "status": self.status,
            },
            status=self.status,
            headers={"Retry-After": str(self.after)} if self.after is not None else {},
        )


class FakeTwilio:
    """One account. `app.router` takes further routes until `start`; `api` is the path under which they go."""

    def __init__(
        self,
        folder: Path,
        *,
        account_sid: str = "AC" + "0a" * 16,
        auth_token: str = "fake-auth-token-0123456789abcdef",  # noqa: S107, it opens nothing
        numbers: tuple[str, ...] = ("+14155550100",),
        segments: Callable[[str], int] = lambda _text: 1,
        pause: float = 2.0,
    ) -> None:
        """`segments` counts the SMS of a text; `pause` is how long, in seconds, SLOW waits."""
        # These two hold a reference to this server, so they are named here and imported late.
        from channels.twilio.messages import Messages
        from channels.twilio.numbers import Numbers

        self.folder = folder
        self.account_sid = account_sid
        self.auth_token = SecretStr(auth_token)
        self.pause = pause
        self.ledger = Ledger(folder / "ledger.jsonl")
        self.trouble = Trouble.NONE
        self.app = web.Application(middlewares=[self._serve], client_max_size=4 * 1024 * 1024)
        self.api = f"{API}/Accounts/{account_sid}"
        self.numbers = Numbers(self, numbers)
        self.messages = Messages(self, segments)
        self.app.router.add_get(f"{self.api}.json", self._account)
        self._caller = Caller(self.auth_token, self.ledger)
        self._runner: web.AppRunner | None = None
        self._port: int | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._held: tuple[str, Form] | None = None

    # ------------------------------------------------------------------ its life

    async def start(self, port: int = 0) -> None:
        """Serves on 127.0.0.1; port 0 lets the system choose."""
        self._runner = web.AppRunner(self.app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stops serving and calling back. The ledger stays."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        self.ledger.close()

    @property
    def running(self) -> bool:
        return self._runner is not None

    @property
    def url(self) -> str:
        """What goes into `api_url`. Valid after `start`."""
        if self._port is None:
            raise RuntimeError("the fake provider has not been started")
        return f"http://127.0.0.1:{self._port}"

    def background(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Runs what the provider does on its own time, such as status callbacks; ends with `stop`."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def settle(self) -> None:
        """Returns when nothing is under way any more: every callback has been made. Raises what went wrong there."""
        while self._tasks:
            await asyncio.gather(*self._tasks)

    # ------------------------------------------------------------------ misbehaving

    def misbehave(self, trouble: Trouble) -> None:
        """From now on, until told otherwise. What was held back to change places is let go."""
        self.trouble = trouble
        if trouble is not Trouble.OUT_OF_ORDER and self._held is not None:
            held, self._held = self._held, None
            self.background(self.post_signed(*held))

    @web.middleware
    async def _serve(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        if not request.path.startswith((API, "/v1/")):
            return await handler(request)
        try:
            self._authenticate(request)
            if request.method == "POST" and not request.path.startswith((f"{self.api}/IncomingPhoneNumbers", "/v1/")):
                return await self._troubled(request, handler)
            return await handler(request)
        except Refusal as refusal:
            return refusal.answer()
        except web.HTTPNotFound:
            return Refusal(404, 20404, f"The requested resource {request.path} was not found").answer()

    def _authenticate(self, request: web.Request) -> None:
        expected = aiohttp.encode_basic_auth(self.account_sid, self.auth_token.get_secret_value())
        given = request.headers.get("Authorization", "")
        if self.trouble is Trouble.BAD_CREDENTIALS or not hmac.compare_digest(expected.encode(), given.encode()):
            raise Refusal(401, 20003, "Authenticate")

    async def _troubled(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        refusal = REFUSALS.get(request.path.removeprefix(self.api + "/").partition(".")[0].partition("/")[0], {})
        if self.trouble is Trouble.RATE_LIMITED:
            raise Refusal(429, 20429, "Too Many Requests", after=2)
        if self.trouble is Trouble.SERVER_ERROR:
            raise Refusal(503, 20503, "Service Unavailable")
        if self.trouble in refusal:
            raise Refusal(400, *refusal[self.trouble])
        if self.trouble is Trouble.SLOW:
            await asyncio.sleep(self.pause)
        answer = await handler(request)
        if self.trouble is Trouble.REPLY_LOST and request.transport is not None:
            request.transport.abort()
        return answer

    # ------------------------------------------------------------------ calling back

    async def post_signed(self, url: str, form: Form) -> Answer:
        """Posts a webhook with its signature and Twilio's retries: `(status, body, content_type)`, status 0 for no answer."""
        return await self._caller.post(url, form)

    async def announce(self, url: str, form: Form) -> Answer | None:
        """An event for a webhook, as the present trouble has it: twice, or after the next one (None: held back until then)."""
        if self.trouble is Trouble.DUPLICATE:
            await self.post_signed(url, form)
        if self.trouble is Trouble.OUT_OF_ORDER and self._held is None:
            self._held = (url, form)
            return None
        answer = await self.post_signed(url, form)
        if self._held is not None:
            held, self._held = self._held, None
            await self.post_signed(*held)
        return answer

    # ------------------------------------------------------------------ the account

    async def _account(self, _request: web.Request) -> web.Response:
        since = "Thu, 01 Jan 2026 00:00:00 +0000"
        return web.json_response(
            {
                "auth_token": "",
                "date_created": since,
                "date_updated": since,
                "friendly_name": "The fake account",
                "owner_account_sid": self.account_sid,
                "sid": self.account_sid,
                "status": "active",
                "subresource_uris": {
                    name.lower(): f"{self.api}/{name}.json" for name in ("Messages", "Calls", "Recordings")
                },
                "type": "Full",
                "uri": f"{self.api}.json",
            }
        )
