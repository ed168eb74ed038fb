"""Connecting, reading and changing channel accounts; building their adapters."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import BaseModel, SecretStr, ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from channels import registry
from channels.contract import Adapter, ChannelSpec, Context, Ingress, Publish, Server, publish_nowhere
from core.accounts.models import AccountState, ChannelAccount
from core.errors import Conflict, Invalid, NotFound
from core.i18n import languages, text
from core.ids import new_id
from core.secrets import derive, seal, unseal
from core.settings import settings


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


def settings_of(account: ChannelAccount) -> BaseModel:
    """The account's settings with its secrets, as the channel's own model."""
    values = dict(account.settings)
    if account.sealed is not None:
        values |= json.loads(unseal(account.sealed, _place(account.id)))
    return registry.settings_model(account.channel).model_validate(values)


def _write(account: ChannelAccount, model: BaseModel) -> None:
    account.settings, hidden = _split(model)
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
    if name is not None:
        account.name = name
    if values is not None:
        current = settings_of(account)
        secret = secret_fields(type(current))
        kept = {
            field: value.get_secret_value()
            for field in secret
            if isinstance(value := getattr(current, field), SecretStr)
        }
        model = parse_settings(account.channel, {**account.settings, **kept, **values})
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
    )


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
