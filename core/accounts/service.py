"""Connecting, reading and changing channel accounts; building their adapters."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from pydantic import BaseModel, JsonValue, SecretStr, ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from channels import registry
from channels.contract import Adapter, Change, ChannelSpec, Context, Ingress, Publish, Server, publish_nowhere
from core.accounts.models import AccountState, ChannelAccount
from core.db import advisory_lock, transaction
from core.errors import Conflict, Invalid, NotFound
from core.i18n import languages, text
from core.ids import new_id
from core.secrets import derive, seal, unseal
from core.settings import settings

_KEEPING_MAX = 4
"""Accounts for which one process waits on a provider with a database connection in its hands."""
_slots: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


def secret_fields(model: type[BaseModel]) -> frozenset[str]:
    """The fields of a settings model that are never shown again once given."""
    return frozenset(name for name, field in model.model_fields.items() if "SecretStr" in str(field.annotation))


def _place(account_id: UUID) -> str:
    return f"channel_accounts/{account_id}/sealed"


def spec_of(channel: str) -> ChannelSpec:
    """Raises NotFound."""
    try:
        return registry.spec(channel)
    except registry.UnknownChannel:
        raise NotFound("channel_type_unknown", f"there is no channel called {channel!r}", channel=channel) from None


def parse_settings(channel: str, values: Mapping[str, Any]) -> BaseModel:
    """Raises Invalid with one readable line per field."""
    spec_of(channel)
    try:
        return registry.settings_model(channel).model_validate(dict(values))
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, item['loc'])) or 'settings'}: {item['msg']}" for item in error.errors()]
        raise Invalid("channel_settings_invalid", "; ".join(lines), fields=lines) from None


def _split(model: BaseModel) -> tuple[dict[str, Any], dict[str, str]]:
    secret = secret_fields(type(model))
    shown = model.model_dump(mode="json", exclude=set(secret))
    hidden = {
        name: value.get_secret_value()
        for name in secret
        if isinstance(value := getattr(model, name), SecretStr) and value.get_secret_value()
    }
    return shown, hidden


def _all(model: BaseModel) -> dict[str, Any]:
    """Every value, the secrets in the clear."""
    shown, hidden = _split(model)
    return shown | hidden


def settings_of(account: ChannelAccount) -> BaseModel:
    """The account's settings with its secrets, as the channel's own model."""
    values = dict(account.settings)
    if account.sealed is not None:
        values |= json.loads(unseal(account.sealed, _place(account.id)))
    return registry.settings_model(account.channel).model_validate(values)


def _write(account: ChannelAccount, model: BaseModel, *, anew: bool = True) -> None:
    """`anew`: listeners are to start anew with these settings."""
    account.settings, hidden = _split(model)
    if anew:
        account.updated_at = sa.func.clock_timestamp()
    account.sealed = seal(json.dumps(hidden).encode(), _place(account.id)) if hidden else None
    if Ingress.SERVER in spec_of(account.channel).ingress:
        adapter = registry.adapter_class(account.channel)
        if isinstance(adapter, Server):
            account.recipient_key = adapter.recipient_key(model)


async def connect(
    session: AsyncSession, channel: str, name: str, values: Mapping[str, Any], *, public_key: str | None = None
) -> ChannelAccount:
    """A new account with valid settings; its connection is not tested here. Raises Invalid, NotFound, Conflict."""
    model = parse_settings(channel, values)
    account = ChannelAccount(id=new_id(), channel=channel, name=name, public_key=public_key)
    _write(account, model)
    await _free(session, account)
    session.add(account)
    await session.flush()
    return account


async def _free(session: AsyncSession, account: ChannelAccount) -> None:
    """Raises Conflict where another account receives under the same address."""
    if account.recipient_key is None or account.state is AccountState.DISABLED:
        return
    holder = await by_recipient(session, account.channel, account.recipient_key)
    if holder not in (None, account.id):
        raise Conflict("channel_recipient_taken", f"{account.recipient_key} is connected already")


async def change(
    session: AsyncSession, account: ChannelAccount, *, name: str | None = None, values: Mapping[str, Any] | None = None
) -> None:
    """Changes what is given; secrets that are not given stay. Raises Invalid, Conflict."""
    # What the channel itself has kept meanwhile must not be written over with what was read before.
    await session.refresh(account, with_for_update=True)
    if name is not None:
        account.name = name
    if values is not None:
        current = settings_of(account)
        model = parse_settings(account.channel, {**_all(current), **values})
        with session.no_autoflush:
            _write(account, model)
            await _free(session, account)
    await session.flush()


async def get(session: AsyncSession, account_id: UUID) -> ChannelAccount:
    """Raises NotFound."""
    account = await session.get(ChannelAccount, account_id)
    if account is None:
        raise NotFound("channel_not_found", "there is no such channel account")
    return account


async def by_recipient(session: AsyncSession, channel: str, recipient_key: str) -> UUID | None:
    found: UUID | None = await session.scalar(
        sa.select(ChannelAccount.id).where(
            ChannelAccount.channel == channel,
            ChannelAccount.recipient_key == recipient_key,
            ChannelAccount.state != AccountState.DISABLED,
        )
    )
    return found


def context_of(account: ChannelAccount, publish: Publish = publish_nowhere) -> Context:
    return Context(
        account_id=str(account.id),
        settings=settings_of(account),
        channel=account.channel,
        cursor=dict(account.cursor),
        public_url=settings().base_url,
        secret=derive(f"account/{account.id}"),
        publish=publish,
        text=text,
        languages=languages(),
        keep=partial(keep, account.id),
    )


async def keep(account_id: UUID, change: Change | Mapping[str, JsonValue]) -> BaseModel:
    """See `channels.contract.Keep`. Raises NotFound, Invalid, and what `change` raises."""
    slots = _slots.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(_KEEPING_MAX))
    async with slots, transaction() as session:
        # Not the row's own lock: a provider that answers slowly must not hold up what else is written to the account.
        await advisory_lock(session, "keep", account_id)
        account = await get(session, account_id)
        current = settings_of(account)
        values = dict(change if isinstance(change, Mapping) else await change(current))
        if not values:
            return current
        await session.refresh(account, with_for_update=True)
        model = parse_settings(account.channel, {**_all(settings_of(account)), **values})
        _write(account, model, anew=False)
        return model


@asynccontextmanager
async def adapter_of(account: ChannelAccount, publish: Publish = publish_nowhere) -> AsyncIterator[Adapter]:
    """The account's adapter, closed afterwards."""
    adapter = registry.build(account.channel, context_of(account, publish))
    try:
        yield adapter
    finally:
        await adapter.aclose()


async def set_state(session: AsyncSession, account_id: UUID, state: AccountState, error: str | None = None) -> None:
    """Health as the last contact with the provider showed it. A disabled account stays disabled."""
    await session.execute(
        sa.update(ChannelAccount)
        .where(ChannelAccount.id == account_id, ChannelAccount.state != AccountState.DISABLED)
        .values(state=state, error=error, error_at=sa.func.now() if error else None)
    )
