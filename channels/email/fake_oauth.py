"""An authorization server to test against: codes with PKCE, refresh tokens that rotate, revocation, introspection.

It is strict where real servers are (RFC 6749, RFC 7636, RFC 7009, RFC 7662, RFC 9700): redirect addresses are compared
as strings, codes work once, only S256 is taken, and a refresh token that comes a second time ends its whole grant.
Its consent page agrees by itself.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self
from urllib.parse import urlencode

from aiohttp import web
from pydantic import JsonValue


class Misbehaviour(StrEnum):
    """What the server does wrong until told otherwise."""

    NONE = "none"
    BUSY = "busy"
    """503 with Retry-After at the token endpoint."""
    GARBAGE = "garbage"
    """200 with a page that is no JSON at the token endpoint."""
    HALF = "half"
    """200 with JSON that lacks the access token."""
    CUT = "cut"
    """Hangs up at the token endpoint before it answers."""
    DENY = "deny"
    """The owner clicks *no* on the consent page."""
    NO_REFRESH_TOKEN = "no_refresh_token"  # noqa: S105, a kind of misbehaviour


@dataclass(slots=True)
class _Code:
    redirect_uri: str
    challenge: str
    owner: str
    ends: float
    used: bool = False


@dataclass(slots=True)
class _Family:
    """One consent, with all the tokens that came of it."""

    owner: str
    scope: str
    refresh: str = ""
    spent: set[str] = field(default_factory=set)
    access: dict[str, float] = field(default_factory=dict)
    """Token to its end, in Unix time."""
    revoked: bool = False


class FakeAuthorizationServer:
    """`async with FakeAuthorizationServer() as server:` with one registered client and one owner."""

    def __init__(self, *, owner: str = "support@shop.test", redirect_uri: str = "", lifetime: int = 3600) -> None:
        self.client_id, self.client_secret = "shop-client", "shop-client-secret-1"
        self.owner = owner
        """Who signs in on the consent page."""
        self.redirect_uri = redirect_uri
        """The one that is registered; empty takes any."""
        self.lifetime = lifetime
        """Seconds that access tokens live."""
        self.rotates = True
        self.misbehaviour = Misbehaviour.NONE
        self.port = 0
        self.asked: list[dict[str, str]] = []
        """The forms that came to the token endpoint, oldest first."""
        self.consented: list[dict[str, str]] = []
        """The queries that came to the consent page."""
        self.gate: asyncio.Event | None = None
        """The token endpoint waits for it before it answers."""
        self.waiting = asyncio.Event()
        """Somebody waits at the gate."""
        self._codes: dict[str, _Code] = {}
        self._families: list[_Family] = []
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def authorize_url(self) -> str:
        return f"{self.url}/authorize"

    @property
    def token_url(self) -> str:
        return f"{self.url}/token"

    @property
    def introspection_url(self) -> str:
        return f"{self.url}/introspect"

    def settings(self) -> dict[str, JsonValue]:
        """The part of an account's settings that names this server."""
        return {
            "provider": "custom",
            "authorize_url": self.authorize_url,
            "exchange_url": self.token_url,
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "scopes": "mail offline_access",
        }

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.stop()

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/.well-known/openid-configuration", self._metadata)
        app.router.add_get("/authorize", self._authorize)
        app.router.add_post("/token", self._token)
        app.router.add_get("/introspect", self._introspect)
        app.router.add_post("/introspect", self._introspect)
        app.router.add_post("/revoke", self._revoke)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    # ------------------------------------------------------------------ what a test does to it

    def grant(self) -> tuple[str, str]:
        """A consent given earlier: its refresh token and an access token."""
        family = _Family(self.owner, "mail offline_access")
        self._families.append(family)
        return self._refresh_token(family), self._access_token(family)

    def revoke_all(self) -> None:
        """The owner takes our access away."""
        for family in self._families:
            family.revoked = True

    def expire_access_tokens(self) -> None:
        for family in self._families:
            family.access = dict.fromkeys(family.access, 0.0)

    def expire_codes(self) -> None:
        for code in self._codes.values():
            code.ends = 0.0

    def owner_of(self, token: str) -> str | None:
        """Who stands behind an access token that is valid now."""
        for family in self._families:
            if not family.revoked and family.access.get(token, 0.0) > time.time():
                return family.owner
        return None

    def lets_in(self, user: str, token: str) -> bool:
        """What a mail server asks."""
        return self.owner_of(token) == user

    # ------------------------------------------------------------------------------- endpoints

    async def _metadata(self, _request: web.Request) -> web.Response:
        """RFC 8414."""
        return web.json_response(
            {
                "issuer": self.url,
                "authorization_endpoint": self.authorize_url,
                "token_endpoint": self.token_url,
                "introspection_endpoint": self.introspection_url,
                "revocation_endpoint": f"{self.url}/revoke",
                "response_types_supported": ["code"],
                "grant_types_supported": ["authorization_code", "refresh_token"],
                "code_challenge_methods_supported": ["S256"],
                "token_endpoint_auth_methods_supported": ["client_secret_post"],
            }
        )

    async def _authorize(self, request: web.Request) -> web.Response:
        query = dict(request.query)
        self.consented.append(query)
        redirect = query.get("redirect_uri", "")
        if query.get("client_id") != self.client_id or not redirect or redirect != (self.redirect_uri or redirect):
            return web.Response(status=400, text="unknown client or redirect address")
        answer = {"state": query.get("state", "")}
        if self.misbehaviour is Misbehaviour.DENY:
            answer["error"] = "access_denied"
        elif (
            query.get("response_type") != "code"
            or not query.get("scope")
            or query.get("code_challenge_method") != "S256"
            or len(query.get("code_challenge", "")) != 43
        ):
            answer["error"] = "invalid_request"
        else:
            code = secrets.token_urlsafe(32)
            self._codes[code] = _Code(redirect, query["code_challenge"], self.owner, time.time() + 60)
            answer["code"] = code
        joint = "&" if "?" in redirect else "?"
        return web.Response(status=302, headers={"Location": f"{redirect}{joint}{urlencode(answer)}"})

    async def _token(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.asked.append(form)
        if self.gate is not None:
            self.waiting.set()
            await self.gate.wait()
        match self.misbehaviour:
            case Misbehaviour.BUSY:
                return web.Response(status=503, headers={"Retry-After": "7"})
            case Misbehaviour.GARBAGE:
                return web.Response(text="<html>hello</html>", content_type="text/html")
            case Misbehaviour.HALF:
                return web.json_response({"token_type": "Bearer", "refresh_token": "half"})
            case Misbehaviour.CUT:
                if request.transport is not None:
                    request.transport.abort()
                return web.Response()
        secret = form.get("client_secret", "")
        if form.get("client_id") != self.client_id or not hmac.compare_digest(secret, self.client_secret):
            return _error("invalid_client", 401)
        match form.get("grant_type"):
            case "authorization_code":
                return self._by_code(form)
            case "refresh_token":
                return self._by_refresh_token(form)
        return _error("unsupported_grant_type")

    def _by_code(self, form: dict[str, str]) -> web.Response:
        code = self._codes.get(form.get("code", ""))
        if code is None or code.used or code.ends < time.time() or form.get("redirect_uri") != code.redirect_uri:
            return _error("invalid_grant")
        code.used = True
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if not hmac.compare_digest(base64.urlsafe_b64encode(digest).rstrip(b"=").decode(), code.challenge):
            return _error("invalid_grant")
        family = _Family(code.owner, "mail offline_access")
        self._families.append(family)
        return self._tokens(family, rotate=True)

    def _by_refresh_token(self, form: dict[str, str]) -> web.Response:
        token = form.get("refresh_token", "")
        for family in self._families:
            if token in family.spent:
                family.revoked = True  # RFC 9700 §4.14.2: somebody has copied it
            if token == family.refresh and not family.revoked:
                return self._tokens(family, rotate=self.rotates)
        return _error("invalid_grant")

    def _tokens(self, family: _Family, *, rotate: bool) -> web.Response:
        answer: dict[str, object] = {
            "access_token": self._access_token(family),
            "token_type": "Bearer",
            "expires_in": self.lifetime,
            "scope": family.scope,
        }
        if rotate and self.misbehaviour is not Misbehaviour.NO_REFRESH_TOKEN:
            answer["refresh_token"] = self._refresh_token(family)
        return web.json_response(answer, headers={"Cache-Control": "no-store"})

    def _access_token(self, family: _Family) -> str:
        token = f"access-{secrets.token_urlsafe(24)}"
        family.access[token] = time.time() + self.lifetime
        return token

    def _refresh_token(self, family: _Family) -> str:
        if family.refresh:
            family.spent.add(family.refresh)
        family.refresh = f"refresh-{secrets.token_urlsafe(24)}"
        return family.refresh

    async def _introspect(self, request: web.Request) -> web.Response:
        """RFC 7662; also by GET with the token at the end of the query, as Dovecot asks."""
        token = request.query.get("token", "") or str((await request.post()).get("token", ""))
        if not token and request.headers.get("Authorization", "").startswith("Bearer "):
            token = request.headers["Authorization"].removeprefix("Bearer ")
        owner = self.owner_of(token)
        if owner is None:
            return web.json_response({"active": False})
        return web.json_response(
            {"active": True, "username": owner, "email": owner, "scope": "mail", "client_id": self.client_id}
        )

    async def _revoke(self, request: web.Request) -> web.Response:
        """RFC 7009: always 200, whatever the token."""
        token = str((await request.post()).get("token", ""))
        for family in self._families:
            if token == family.refresh or token in family.access:
                family.revoked = True
        return web.Response()


def _error(code: str, status: int = 400) -> web.Response:
    return web.json_response({"error": code}, status=status, headers={"Cache-Control": "no-store"})
