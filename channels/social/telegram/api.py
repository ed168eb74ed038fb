"""The Bot API by the official client, with its failures as the contract names them."""

from __future__ import annotations

import json
import logging
import re
import ssl
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from typing import Any, TypeVar

import httpx
from telegram import Bot
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    TelegramError,
)
from telegram.request import BaseRequest, HTTPXRequest, RequestData

from channels.contract import (
    AuthFailed,
    ChannelError,
    OutcomeUnknown,
    Rejected,
    Retryable,
    Undeliverable,
)
from channels.social.telegram.settings import TelegramSettings

T = TypeVar("T")

_CONNECT = 8.0
_READ = 25.0
_MEDIA_WRITE = 50.0
_TOKEN = re.compile(r"(bot)?\d{1,16}:[A-Za-z0-9_-]{10,}")
_ASKED = re.compile(r"retry after (\d{1,6})")


class _WithoutTokens(logging.Filter):
    """The token is part of every address of the Bot API, and HTTP clients write addresses down."""

    def filter(self, record: logging.LogRecord) -> bool:
        shown = record.getMessage()
        hidden = _TOKEN.sub("bot…", shown)
        if hidden != shown:
            record.msg, record.args = hidden, ()
        return True


for _name in ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.http2"):
    logging.getLogger(_name).addFilter(_WithoutTokens())
# The client would write customers' words and the bot's token; failures are ours to tell.
logging.getLogger("telegram").setLevel(logging.CRITICAL + 1)


class Answered(TelegramError):
    """An answer for which the client has no error that says enough."""

    def __init__(self, status: int, description: str, wait: float = 0.0) -> None:
        super().__init__(description)
        self.status = status
        self.wait = wait


@cache
def _certificates() -> ssl.SSLContext:
    """Read once: an adapter lives for one message, and reading them takes longer than all the rest."""
    return httpx.create_ssl_context()


class _Request(HTTPXRequest):
    """Keeps the status and the time to wait, which the client's own errors lose."""

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: Any = BaseRequest.DEFAULT_NONE,
        write_timeout: Any = BaseRequest.DEFAULT_NONE,
        connect_timeout: Any = BaseRequest.DEFAULT_NONE,
        pool_timeout: Any = BaseRequest.DEFAULT_NONE,
    ) -> tuple[int, bytes]:
        status, payload = await super().do_request(
            url, method, request_data, read_timeout, write_timeout, connect_timeout, pool_timeout
        )
        if status in (413, 429) or status >= 500:
            told = _told(payload)
            raise Answered(status, str(told.get("description") or f"status {status}"), _wait(told))
        if not 200 <= status < 300 and not _told(payload):
            raise Answered(status, f"status {status}")
        return status, payload


class _Bot(Bot):
    """The official client, which also hands out updates and files as Telegram has sent them.

    As objects of its own they would lose what it does not know, and one that it cannot read would keep all that come
    after it from ever being confirmed.
    """

    __slots__ = ()

    async def updates(self, *, timeout: int, **given: Any) -> Any:
        return await self._post("getUpdates", {"timeout": timeout, **given}, read_timeout=timeout + 10)

    async def file_path(self, file_id: str) -> Any:
        return await self._post("getFile", {"file_id": file_id})


class Api:
    """One bot's view of the Bot API. Nothing is retried here: the core counts attempts."""

    def __init__(self, settings: TelegramSettings) -> None:
        self._settings = settings
        self._request: _Request | None = None
        self._bot: _Bot | None = None

    def _client(self) -> _Bot:
        """Made on first use: adapters are built for parsing too, which needs none."""
        if self._bot is None:
            self._request = _Request(
                connect_timeout=_CONNECT,
                read_timeout=_READ,
                write_timeout=_READ,
                pool_timeout=_CONNECT,
                media_write_timeout=_MEDIA_WRITE,
                # A connection kept open can be closed by the other side just as a message goes out on it.
                httpx_kwargs={
                    "limits": httpx.Limits(max_connections=8, max_keepalive_connections=0),
                    "verify": _certificates(),
                },
            )
            root = self._settings.api_url
            self._bot = _Bot(
                self._settings.bot_token.get_secret_value(),
                base_url=f"{root}/bot",
                base_file_url=f"{root}/file/bot",
                request=self._request,
                get_updates_request=self._request,
            )
        return self._bot

    async def call(self, ask: Callable[[_Bot], Awaitable[T]], *, sends: bool = False) -> T:
        """The answer to one request. `sends`: whether a cut leaves it open if somebody got something.

        Raises ChannelError, or ChatMigrated, which says where the chat is now; nothing was done then.
        """
        try:
            return await ask(self._client())
        except ChatMigrated:
            raise
        except TelegramError as error:
            failed = self._judged(error, sends)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            # An answer that the client cannot read: it was an answer all the same.
            failed = _cut(f"Telegram's answer was not understood: {type(error).__name__}", sends)
        # Outside the handler: the client's error would come along as the context, and it may show the address.
        raise failed

    async def aclose(self) -> None:
        request, self._request, self._bot = self._request, None, None
        if request is not None:
            await request.shutdown()

    def _judged(self, error: TelegramError, sends: bool) -> ChannelError:
        text = _TOKEN.sub("…", str(error))[:300]
        match error:
            case Answered(status=429):
                return Retryable(f"Telegram asks to wait ({text})", after=error.wait)
            case Answered(status=413):
                return Rejected("the files are too large for Telegram", code="too_large")
            case Answered(status=503):
                return Retryable("Telegram is not available at the moment (503)", after=error.wait)
            case Answered() if error.status < 500:
                return Rejected(f"the API address is no Bot API: it answers {error.status}", code="no_bot_api")
            case Answered():
                return _cut(f"Telegram failed ({error.status})", sends)
            case InvalidToken():
                return AuthFailed("Telegram refuses the bot's token: enter the one that @BotFather shows")
            case Forbidden():
                return Undeliverable(f"Telegram cannot deliver it there: {text}", code=_forbidden(text))
            case BadRequest():
                return _bad_request(text)
            case Conflict():
                return _conflict(text)
            case NetworkError():
                return _network(error, sends)
            case _:
                return _cut("Telegram's answer was not understood", sends)


def _network(error: NetworkError, sends: bool) -> ChannelError:
    cause = error.__cause__
    name = type(cause or error).__name__
    if isinstance(cause, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)):
        return Retryable(f"Telegram cannot be reached: {name}")
    return _cut(f"Telegram's answer was lost: {name}", sends)


def _forbidden(text: str) -> str:
    told = text.lower()
    if "blocked by the user" in told or "user is deactivated" in told:
        return "blocked"
    if "kicked" in told or "not a member" in told:
        return "not_in_chat"
    if "initiate conversation" in told:
        return "not_started"
    return "forbidden"


def _bad_request(text: str) -> ChannelError:
    told = text.lower()
    if "chat not found" in told or "user not found" in told or "peer_id_invalid" in told:
        return Undeliverable(f"Telegram knows no such chat: {text}", code="chat_not_found")
    if "thread not found" in told or "topic_closed" in told or "topic_deleted" in told:
        return Undeliverable(f"the topic is closed or gone: {text}", code="topic_gone")
    if "not enough rights" in told or "chat_write_forbidden" in told or "have no rights" in told:
        return Undeliverable(f"the bot may not write there: {text}", code="not_allowed")
    if "upgraded to a supergroup" in told:
        return Undeliverable(f"the group is another one now: {text}", code="chat_migrated")
    return Rejected(f"Telegram refuses it: {text}", code="bad_request")


def _conflict(text: str) -> ChannelError:
    if "webhook" in text.lower():
        return Retryable(
            "A webhook is set for this bot, so it cannot be polled. Another program has set it: let that one go, "
            "or connect a bot of its own here.",
            code="webhook_active",
        )
    return Retryable(
        "Another program is fetching this bot's updates, and Telegram gives them to one alone. Stop that program, "
        "or make a bot of its own for it.",
        code="other_poller",
    )


def _cut(text: str, sends: bool) -> ChannelError:
    return OutcomeUnknown(text) if sends else Retryable(text)


def _told(payload: bytes) -> Mapping[str, Any]:
    try:
        data = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _wait(told: Mapping[str, Any]) -> float:
    parameters = told.get("parameters")
    wait = parameters.get("retry_after") if isinstance(parameters, dict) else None
    if isinstance(wait, (int, float)) and not isinstance(wait, bool):
        return float(wait)
    found = _ASKED.search(str(told.get("description") or ""))
    return float(found[1]) if found else 0.0
