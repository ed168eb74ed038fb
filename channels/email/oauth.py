"""Logins by OAuth 2.0: the code flow with PKCE, access tokens and their renewal (RFC 6749, RFC 7636, RFC 9700).

The grant of an account (refresh token, newest access token, its end) is one sealed setting that all processes share:
whoever needs a new access token asks for it under the account's lock, and finds there what another has got meanwhile.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlencode, urlsplit

import aiohttp
from pydantic import JsonValue

from channels.contract import AuthFailed, Context, Rejected, Retryable
from channels.email.providers import Endpoints
from channels.email.settings import EmailSettings

T = TypeVar("T")

_SECONDS = aiohttp.ClientTimeout(total=20, sock_connect=8)
_ANSWER_MAX = 256 * 1024
_MARGIN = 120
"""Seconds before its end from which an access token is no longer used."""
_LIFETIME = 3600
"""Seconds that an access token lives where the server does not say (RFC 6749 §5.1 leaves it open)."""
_TOKEN = re.compile(r"[\x21-\x7e]{1,16384}\Z")
"""RFC 6749 appendix A.12. A control character would break out of the SASL message."""
_LATER = frozenset({"temporarily_unavailable", "server_error", "slow_down"})


@dataclass(frozen=True, slots=True)
class Grant:
    """What the owner has given us. `client` names whom it was given to: another client or server has no use for it."""

    refresh: str = field(repr=False)
    access: str = field(repr=False)
    until: float
    """Unix time from which the access token is no longer used."""
    client: str

    @classmethod
    def of(cls, settings: EmailSettings) -> Grant | None:
        """The grant in the settings; None where there is none, or it belongs to another client."""
        endpoints = settings.endpoints
        try:
            values = json.loads(settings.grant.get_secret_value() or "{}")
            found = cls(str(values["refresh"]), str(values["access"]), float(values["until"]), str(values["client"]))
        except (ValueError, KeyError, TypeError):
            return None
        return found if endpoints is not None and found.client == _client(settings, endpoints) else None

    def kept(self) -> dict[str, JsonValue]:
        """As settings to keep."""
        values = {"refresh": self.refresh, "access": self.access, "until": self.until, "client": self.client}
        return {"grant": json.dumps(values)}

    @property
    def fresh(self) -> bool:
        return bool(self.access) and time.time() < self.until


def _client(settings: EmailSettings, endpoints: Endpoints) -> str:
    return f"{settings.client_id} at {endpoints.token_url}"


def _endpoints(settings: EmailSettings) -> Endpoints:
    if settings.endpoints is None:
        raise Rejected("this account logs in with a password", code="oauth_not_set_up")
    return settings.endpoints


def authorisation(settings: EmailSettings, redirect_uri: str, state: str, challenge: str) -> str:
    """The provider's page (RFC 6749 §4.1.1, RFC 7636 §4.3). Raises Rejected for an account with a password."""
    endpoints = _endpoints(settings)
    query = {
        "response_type": "code",
        "client_id": settings.client_id,
        "redirect_uri": redirect_uri,
        "scope": " ".join(endpoints.scopes),
        "state": state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "login_hint": settings.address,
        **endpoints.parameters,
    }
    joint = "&" if urlsplit(endpoints.authorize_url).query else "?"
    return f"{endpoints.authorize_url}{joint}{urlencode(query)}"


async def authorised(settings: EmailSettings, code: str, redirect_uri: str, verifier: str) -> dict[str, JsonValue]:
    """The code for tokens (RFC 6749 §4.1.3). Raises AuthFailed, Rejected or Retryable."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": verifier,
    }
    grant = await _asked(settings, form, refresh="")
    if not grant.refresh:
        raise Rejected(
            "the provider gave no refresh token: take this app's access away there, and connect again",
            code="oauth_no_refresh_token",
        )
    return grant.kept()


class Access:
    """The logins of one account: by password, or by an access token that is renewed when it is due."""

    def __init__(self, context: Context) -> None:
        self._keep = context.keep
        self._settings: EmailSettings = context.settings
        self._grant = Grant.of(self._settings)

    async def logged_in(self, attempt: Callable[[str | None], Awaitable[T]]) -> T:
        """What `attempt(token)` gives; with a new token once more where the first was refused. None: use the password.

        Raises what `attempt` raises; AuthFailed where no token can be had; Retryable where that is not known yet.
        """
        if self._settings.endpoints is None:
            return await attempt(None)
        token = await self.token()
        try:
            return await attempt(token)
        except AuthFailed:
            newer = await self.token(refused=token)
        return await attempt(newer)

    async def token(self, *, refused: str | None = None) -> str:
        """An access token that is not `refused` and not about to end."""
        grant = self._grant
        if grant is not None and grant.fresh and grant.access != refused:
            return grant.access

        async def renewed(settings: EmailSettings) -> Mapping[str, JsonValue]:
            held = Grant.of(settings)
            if held is None:
                raise AuthFailed("nobody has signed in at the provider yet", code="oauth_missing")
            if held.fresh and held.access != refused:
                return {}  # another process was quicker
            form = {"grant_type": "refresh_token", "refresh_token": held.refresh}
            return (await _asked(settings, form, refresh=held.refresh)).kept()

        if self._keep is not None:
            self._settings = await self._keep(renewed)
        else:
            self._settings = EmailSettings.model_validate(
                {**self._settings.model_dump(), **await renewed(self._settings)}
            )
        self._grant = Grant.of(self._settings)
        if self._grant is None:
            raise Retryable("the account's login was changed meanwhile", code="oauth_changed")
        return self._grant.access


async def _asked(settings: EmailSettings, form: Mapping[str, str], *, refresh: str) -> Grant:
    """One request to the token endpoint. `refresh` stays where the answer holds no other (RFC 6749 §6)."""
    endpoints = _endpoints(settings)
    who = {"client_id": settings.client_id}
    if secret := settings.client_secret.get_secret_value():
        who["client_secret"] = secret
    host = urlsplit(endpoints.token_url).hostname
    try:
        async with (
            aiohttp.ClientSession(timeout=_SECONDS, headers={"Accept": "application/json"}) as session,
            session.post(endpoints.token_url, data={**form, **who}, allow_redirects=False) as response,
        ):
            status, wait = response.status, response.headers.get("Retry-After", "")
            body = await _read(response)
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        raise Retryable(f"{host} cannot be reached ({type(error).__name__})", code="oauth_unreachable") from None
    if status >= 500 or status == 429:
        after = float(wait) if wait.isdigit() else 0.0
        raise Retryable(f"{host} is busy ({status})", after=min(after, 3600.0), code="oauth_busy")
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise Retryable(f"{host} gave an answer that cannot be read ({status})", code="oauth_garbage")
    if status != 200:
        raise _refusal(answer, status, str(host), refreshing=bool(refresh))
    return _grant_in(answer, _client(settings, endpoints), refresh, str(host))


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = b""
    async for piece in response.content.iter_chunked(16384):
        body += piece
        if len(body) > _ANSWER_MAX:
            raise ValueError("too long")
    return body


def _grant_in(answer: Mapping[str, JsonValue], client: str, refresh: str, host: str) -> Grant:
    """RFC 6749 §5.1. Raises Retryable for what is no proper answer; nothing of it is quoted."""
    access, given, seconds = answer.get("access_token"), answer.get("refresh_token"), answer.get("expires_in")
    proper = isinstance(access, str) and _TOKEN.match(access) and str(answer.get("token_type", "")).lower() == "bearer"
    if not proper or (given is not None and not (isinstance(given, str) and _TOKEN.match(given))):
        raise Retryable(f"{host} gave an answer that cannot be read", code="oauth_garbage")
    try:
        lifetime = max(0, min(int(str(seconds)), 86_400)) if seconds is not None else _LIFETIME
    except ValueError:
        lifetime = _LIFETIME
    until = time.time() + lifetime - min(_MARGIN, lifetime // 4)
    return Grant(str(given) if given else refresh, str(access), until, client)


def _refusal(answer: Mapping[str, JsonValue], status: int, host: str, *, refreshing: bool) -> AuthFailed | Retryable:
    """RFC 6749 §5.2. Of what the server says, only its code is passed on: descriptions may quote what was sent."""
    found = re.fullmatch(r"[a-z_]{1,40}", str(answer.get("error", "")))
    error = found[0] if found else "unknown"
    if error in _LATER:
        return Retryable(f"{host} is busy ({error})", code="oauth_busy")
    number = re.search(r"\bAADSTS\d{1,9}\b", str(answer.get("error_description", "")))
    said = f"{error}, {number[0]}" if number else error
    if error == "invalid_grant" and not refreshing:
        return AuthFailed(f"{host} does not take the code ({said}): begin again", code="oauth_code_refused")
    if error == "invalid_grant":
        return AuthFailed(f"{host} no longer lets us in ({said}): sign in there again", code="oauth_revoked")
    if error in {"invalid_client", "unauthorized_client"}:
        return AuthFailed(f"{host} does not know the client ID or its secret ({said})", code="oauth_client")
    return AuthFailed(f"{host} refused ({said}, {status})", code="oauth_refused")
