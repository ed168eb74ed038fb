"""Slack's Web API by the official client, with its failures as the contract names them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from channels.contract import AuthFailed, ChannelError, OutcomeUnknown, Rejected, Retryable, Undeliverable
from channels.social.slack.settings import SlackSettings

QUIET = logging.getLogger("channels.social.slack.sdk")
"""What the client is given to log to. It would write customers' words and connection tickets; failures are ours to tell."""
QUIET.setLevel(logging.CRITICAL + 1)

_TIMEOUT = aiohttp.ClientTimeout(total=20, connect=8, sock_connect=8)
_UPLOAD_TIMEOUT = aiohttp.ClientTimeout(total=60, connect=8)
_PATIENCE = 35.0
"""Seconds that a walk through history waits for Slack's rate limit in one go."""

_CREDENTIALS = frozenset(
    {
        *("invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive", "access_denied"),
        *("not_allowed_token_type", "org_login_required", "two_factor_setup_required", "team_access_not_granted"),
        *("no_permission", "ekm_access_denied", "app_not_installed", "team_added_to_org", "user_removed_from_team"),
    }
)
_GONE = frozenset(
    {
        *("channel_not_found", "is_archived", "not_in_channel", "user_not_found", "users_not_found", "user_disabled"),
        *("user_not_visible", "cannot_dm_bot", "messages_tab_disabled", "thread_not_found", "users_list_not_supplied"),
        *("cannot_reply_to_message", "channel_type_not_supported", "method_not_supported_for_channel_type"),
        *("posting_to_channel_denied", "external_channel_migrating", "slack_connect_blocked_file_type"),
    }
)
_WAIT = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded", "service_unavailable", "request_timeout"})
_DOUBTFUL = frozenset({"fatal_error", "internal_error"})
"""Slack says of these that some of the request may have been carried out."""

_VITAL = frozenset({"auth.test", "apps.connections.open", "chat.postMessage", "conversations.open"})
"""Methods without whose scope the account is of no use."""


class Api:
    """One token's view of the Web API. Nothing is retried here: the core counts attempts."""

    def __init__(self, settings: SlackSettings, token: str | None = None) -> None:
        self._settings = settings
        self._token = settings.bot_token.get_secret_value() if token is None else token

    def web(self, session: aiohttp.ClientSession | None = None) -> AsyncWebClient:
        """The official client. With a session of our own it tells 'not connected' from 'no answer'."""
        return AsyncWebClient(
            token=self._token, base_url=self._settings.api_url, session=session, logger=QUIET, retry_handlers=[]
        )

    async def call(
        self, method: str, arguments: dict[str, Any], *, sends: bool = False, as_json: bool = False
    ) -> dict[str, Any]:
        """The answer to one request, with its headers as `_headers`. Arguments that are None are left out.

        `sends`: whether a cut leaves it open if somebody got something. `as_json`: for arguments that are no plain values.
        Nothing ever stands in the address, which servers on the way write down.

        Raises ChannelError.
        """
        given = {name: value for name, value in arguments.items() if value is not None}
        try:
            # A session per request: one kept open can be closed by the other side just as a message goes out.
            async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
                web = self.web(session)
                if as_json:
                    answer = await web.api_call(method, json=given)
                else:
                    answer = await web.api_call(method, data={name: _form(value) for name, value in given.items()})
        except SlackApiError as error:
            raise _judged(method, error, sends) from None
        except aiohttp.ClientConnectorError as error:
            raise Retryable(f"Slack cannot be reached: {type(error).__name__}") from None
        except aiohttp.ConnectionTimeoutError:
            raise Retryable("Slack cannot be reached in time") from None
        except (aiohttp.ClientError, TimeoutError, AttributeError, ValueError) as error:
            # AttributeError: the client's own, for an answer of 200 that is bare text.
            raise _cut(f"Slack's answer to {method} was lost: {type(error).__name__}", sends) from None
        data = answer.data
        return {**data, "_headers": answer.headers} if isinstance(data, dict) else {}

    async def patient(self, method: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """As `call`, for reading much: waits where Slack asks to."""
        for _attempt in range(5):
            try:
                return await self.call(method, arguments)
            except Retryable as error:
                if not 0 < error.after <= _PATIENCE:
                    raise
                await asyncio.sleep(error.after)
        raise Retryable(f"Slack keeps refusing {method} for now", after=_PATIENCE)

    async def pages(self, method: str, arguments: dict[str, Any], field: str, most: int = 100) -> AsyncIterator[Any]:
        """The items of a list, page after page, `most` pages at the longest."""
        cursor = ""
        for _page in range(most):
            answer = await self.patient(method, {**arguments, "cursor": cursor or None})
            for one in answer.get(field) or ():
                yield one
            cursor = (answer.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                return

    async def upload(self, url: str, content: bytes) -> None:
        """Hands the bytes of a file over. Nobody sees them before the upload is completed, so it may be repeated."""
        try:
            async with (
                aiohttp.ClientSession(timeout=_UPLOAD_TIMEOUT) as session,
                session.post(url, data=content, allow_redirects=False) as answer,
            ):
                if answer.status == 429 or answer.status >= 500:
                    raise Retryable(f"Slack's file server answered {answer.status}", after=_after(answer.headers))
                if answer.status != 200:
                    raise Rejected(f"Slack's file server answered {answer.status}", code="upload_refused")
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Retryable(f"a file could not be uploaded: {type(error).__name__}") from None


def _judged(method: str, error: SlackApiError, sends: bool) -> ChannelError:
    response = error.response
    status = int(getattr(response, "status_code", None) or getattr(response, "status", None) or 0)
    data = getattr(response, "data", None)
    code = str(data.get("error") or "") if isinstance(data, dict) else ""
    if status == 429 or code in _WAIT:
        return Retryable(f"Slack asks to wait ({code or status})", after=_after(getattr(response, "headers", None)))
    if status in (401, 403) or code in _CREDENTIALS:
        return AuthFailed(f"Slack refuses the credentials ({code or status}): reconnect the workspace")
    if code == "missing_scope":
        text = (
            f"the Slack app lacks the scope {data.get('needed', '')!s} for {method}" if isinstance(data, dict) else ""
        )
        # Files or history can lack their scope while everything else goes on.
        return AuthFailed(text, code=code) if method in _VITAL else Rejected(text, code=code)
    if status == 503:
        return Retryable("Slack is not available at the moment (503)", after=_after(getattr(response, "headers", None)))
    if 400 <= status < 500 and not code:
        return Rejected(f"there is no Slack at this API address ({status})", code="api_address_wrong")
    if code in _DOUBTFUL or status >= 500 or not code:
        return _cut(f"Slack failed over {method} ({code or status})", sends)
    if code in _GONE:
        return Undeliverable(f"Slack cannot deliver it there ({code})", code=code)
    return Rejected(f"Slack refuses it ({code})", code=code)


def _form(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _cut(text: str, sends: bool) -> ChannelError:
    return OutcomeUnknown(text) if sends else Retryable(text)


def _after(headers: Any) -> float:
    value = str((headers or {}).get("Retry-After") or "")
    return float(value) if value.isdecimal() else 0.0
