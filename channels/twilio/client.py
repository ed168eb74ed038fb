"""The official SDK, pointed where the admin wants it, without retries of its own, and with the contract's errors."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import aiohttp
from pydantic import SecretStr
from twilio.base.exceptions import TwilioException, TwilioRestException, TwilioServiceException  # type: ignore[import-untyped]
from twilio.http import AsyncHttpClient  # type: ignore[import-untyped]
from twilio.http.response import Response  # type: ignore[import-untyped]
from twilio.rest import Client  # type: ignore[import-untyped]

from channels.contract import OutcomeUnknown, Retryable
from channels.twilio.errors import failure

API_URL = "https://api.twilio.com"
"""Where Twilio is."""

_TOTAL_S = 40.0
_TIMEOUT = aiohttp.ClientTimeout(total=_TOTAL_S, connect=10.0, sock_connect=10.0)
_BODY_MAX = 8 * 1024 * 1024

Result = TypeVar("Result")


class TwilioClient:
    """One account at Twilio. Opens a connection for each request."""

    def __init__(self, account_sid: str, auth_token: SecretStr, api_url: str = API_URL) -> None:
        self.account_sid = account_sid
        self._auth_token = auth_token
        self._http = _Http(api_url, auth_token)
        self._client: Client | None = None

    def __repr__(self) -> str:
        return f"TwilioClient({self.account_sid!r})"

    async def call(self, request: Callable[[Client], Awaitable[Result]], *, repeatable: bool = False) -> Result:
        """Runs one SDK request: `await client.call(lambda sdk: sdk.messages.create_async(to=…))`.

        `repeatable` says that doing it twice is doing it once (setting a webhook, replacing the TwiML of a call): what is
        in doubt is then Retryable too. Raises Retryable, Rejected, Undeliverable, AuthFailed, or OutcomeUnknown for a
        POST that was cut after it was sent.
        """
        if self._client is None:
            self._client = Client(
                self.account_sid, self._auth_token.get_secret_value(), http_client=self._http, environment={"-": "-"}
            )
        try:
            return await request(self._client)
        except OutcomeUnknown as error:
            if repeatable:
                raise Retryable(str(error), code=error.code) from error
            raise
        except (TwilioRestException, TwilioServiceException) as error:
            raise failure(error.method or "POST", error.status, error.code, "") from None
        except (TwilioException, ValueError, KeyError, TypeError) as error:
            # The answer came, and is not one of Twilio's: whatever it was asked to do may be done.
            raise (Retryable if repeatable or self._http.method != "POST" else OutcomeUnknown)(
                f"Twilio's answer cannot be read: {type(error).__name__}"
            ) from None

    @property
    def ahead(self) -> timedelta:
        """How far Twilio's clock is before ours, by the last answer."""
        return self._http.ahead

    async def aclose(self) -> None:
        """Nothing is kept open between requests."""


class _Http(AsyncHttpClient):  # type: ignore[misc]
    """Carries the SDK's requests to `api_url`. It keeps no log: addresses and texts stand in what is sent."""

    def __init__(self, api_url: str, auth_token: SecretStr) -> None:
        super().__init__(logging.getLogger("channels.twilio"), True, _TOTAL_S)
        parts = urlsplit(api_url)
        self._scheme, self._netloc, self._prefix = parts.scheme, parts.netloc, parts.path.rstrip("/")
        self._elsewhere = api_url.rstrip("/") != API_URL
        self._auth_token = auth_token
        self.ahead = timedelta()
        self.method = "GET"
        """Of the last request."""

    async def request(
        self,
        method: str,
        uri: str,
        params: dict[str, Any] | None = None,
        data: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> Response:
        method = self.method = method.upper()
        sent = dict(headers or {})
        if auth is not None:
            sent["Authorization"] = aiohttp.encode_basic_auth(*auth)
        try:
            async with (
                # One connection for one request: a kept one may be half closed, and a POST on it would be in doubt.
                aiohttp.ClientSession(timeout=_TIMEOUT) as session,
                session.request(
                    method,
                    self._address(uri),
                    params=_pairs(params),
                    data=aiohttp.FormData(_pairs(data))() if data else None,
                    headers=sent,
                    allow_redirects=False,
                ) as answer,
            ):
                text = (await answer.content.read(_BODY_MAX)).decode("utf-8", "replace")
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as error:
            raise Retryable(f"Twilio cannot be reached: {type(error).__name__}") from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            said = f"the connection to Twilio was cut before its answer: {type(error).__name__}"
            raise (OutcomeUnknown(said) if method == "POST" else Retryable(said)) from None
        self.ahead = _ahead(answer.headers.get("Date", "")) or self.ahead
        if answer.status >= 300:
            number, said = _said(text)
            said = said.replace(self._auth_token.get_secret_value() or "\0", "…")
            raise failure(method, answer.status, number, said, _after(answer.headers.get("Retry-After", "")))
        return Response(answer.status, text, dict(answer.headers))

    def _address(self, uri: str) -> str:
        parts = urlsplit(uri)
        if not self._elsewhere:
            return uri  # Twilio's products have hosts of their own: messaging.twilio.com
        return urlunsplit((self._scheme, self._netloc, self._prefix + parts.path, parts.query, ""))


def _pairs(values: dict[str, Any] | None) -> list[tuple[str, str]]:
    """Form fields as Twilio reads them: a list is its name repeated, a boolean is lower-case."""
    return [
        (name, str(one).lower() if isinstance(one, bool) else str(one))
        for name, value in (values or {}).items()
        if value is not None
        for one in (value if isinstance(value, (list, tuple)) else [value])
    ]


def _said(text: str) -> tuple[int | None, str]:
    """Twilio's error code and sentence in a body; None and nothing where it is not one of Twilio's."""
    try:
        body = json.loads(text)
        return int(body["code"]), str(body.get("message") or body.get("detail") or "")[:300]
    except (ValueError, KeyError, TypeError, AttributeError):
        return None, ""


def _after(value: str) -> float:
    try:
        return min(max(float(value), 0.0), 3600.0)
    except ValueError:
        return 0.0


def _ahead(date: str) -> timedelta | None:
    try:
        told = parsedate_to_datetime(date)
        return told - datetime.now(UTC).replace(microsecond=0) if told.tzinfo else None
    except ValueError:
        return None
