"""Connecting an account at the provider's own page (OAuth 2.0: RFC 6749 §4.1, RFC 7636, RFC 9700).

What the browser carries is a random state and nothing else. What belongs to it (account, who began, the PKCE verifier)
waits sealed in Redis for ten minutes and is taken out once, by whoever comes first: should Redis lose it, the admin
begins again. Tokens go straight from the provider into the account's sealed settings.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import redis.asyncio as aioredis
from redis.exceptions import RedisError

from channels.contract import AuthFailed, Authorise, ChannelError, Rejected
from core.accounts import service
from core.accounts.models import AccountState
from core.db import transaction
from core.delivery.send import unpark
from core.errors import Conflict, Invalid, Unavailable
from core.people.accounts import audit
from core.secrets import SealBroken, seal, unseal
from core.settings import settings

LIFETIME = 600
"""Seconds that an admin has at the provider's page."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How it went: `error` is a stable code, None where the account is connected now."""

    account_id: UUID | None
    error: str | None = None


def redirect_uri() -> str:
    """What has to be registered with the provider."""
    return f"{settings().base_url}/api/v1/oauth/callback"


async def begin(account_id: UUID, who: str) -> str:
    """The address of the provider's page. Raises NotFound, Conflict where the account has no such page, Unavailable."""
    async with transaction() as session:
        account = await service.get(session, account_id)
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(64)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    async with service.adapter_of(account) as adapter:
        if not isinstance(adapter, Authorise):
            raise Conflict("channel_not_authorisable", "this channel is not connected at its provider's page")
        try:
            url = adapter.authorisation(redirect_uri(), state, challenge)
        except Rejected as error:
            raise Conflict("channel_not_authorisable", str(error)) from None
    kept = json.dumps({"account": str(account_id), "who": who, "verifier": verifier}).encode()
    async with _redis() as client:
        await client.set(_name(state), seal(kept, _name(state)), ex=LIFETIME)
    return url


async def finish(state: str, code: str | None, who: str) -> Ended:
    """What the browser brought back. `code` is None where the provider sent an error instead.

    Raises Invalid for a state that nobody here has given out, that is too old, used, or somebody else's.
    """
    async with _redis() as client:
        sealed: bytes | None = await client.getdel(_name(state))  # type: ignore[assignment]
    try:
        kept = json.loads(unseal(sealed or b"", _name(state)))
    except (SealBroken, ValueError):
        kept = {}
    if kept.get("who") != who:
        raise Invalid("oauth_state_invalid", "this sign-in was not begun here, is too old, or was used already")
    account_id = UUID(kept["account"])
    if not code:
        return Ended(account_id, "oauth_denied")
    async with transaction() as session:
        account = await service.get(session, account_id)
    try:
        async with service.adapter_of(account) as adapter:
            if not isinstance(adapter, Authorise):
                raise Rejected("the account was changed meanwhile", code="oauth_not_set_up")
            given = await adapter.authorised(code, redirect_uri(), kept["verifier"])
    except ChannelError as error:
        return Ended(account_id, error.code)
    await service.keep(account_id, given)
    return await _tried(account_id, who)


async def _tried(account_id: UUID, who: str) -> Ended:
    """Whether the tokens open the account: somebody may have signed in at the provider as somebody else."""
    async with transaction() as session:
        account = await service.get(session, account_id)
    state, trouble = AccountState.CONNECTED, None
    try:
        async with service.adapter_of(account) as adapter:
            await adapter.check()
    except ChannelError as error:
        state = AccountState.RECONNECT if isinstance(error, AuthFailed) else AccountState.TRANSIENT
        trouble = error
    async with transaction() as session:
        await service.set_state(session, account_id, state, str(trouble) if trouble else None)
        if state is not AccountState.RECONNECT:
            await unpark(session, account_id)
        audit(session, who, "channel.authorised", f"channel:{account_id}", state=state.value)
    return Ended(account_id, trouble.code if trouble else None)


def _name(state: str) -> str:
    """Of a hash: who reads Redis still has no state to present."""
    return f"{settings().redis_namespace}:authorisation:{hashlib.sha256(state.encode()).hexdigest()}"


@asynccontextmanager
async def _redis() -> AsyncIterator[aioredis.Redis]:
    """Raises Unavailable."""
    secret = settings().redis_url
    assert secret is not None
    client = aioredis.Redis.from_url(secret.get_secret_value(), socket_connect_timeout=2, socket_timeout=5)
    try:
        yield client
    except (RedisError, OSError):
        raise Unavailable("authorisation_away", "sign-ins cannot be begun just now; try again in a moment") from None
    finally:
        await client.aclose()
