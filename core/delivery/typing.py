"""Showing the customer that an answer is being made, where the channel can."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from channels import registry
from channels.contract import Address, Context, Typing
from core.accounts.models import ChannelAccount
from core.accounts.service import context_of
from core.contacts.models import Identity
from core.tickets.models import Route

log = logging.getLogger(__name__)

_EVERY = 4.0
"""Seconds after which most providers forget that somebody types."""


@dataclass(frozen=True, slots=True)
class Way:
    """Where the sign goes."""

    channel: str
    context: Context
    to: Address
    route: Mapping[str, Any]


async def way_of(session: AsyncSession, account: ChannelAccount, route: Route) -> Way:
    identity = await session.get_one(Identity, route.identity_id)
    to = Address(kind=identity.kind, value=identity.value, name=identity.name, trust=identity.trust)
    return Way(account.channel, context_of(account), to, dict(route.data))


@contextmanager
def typing_to(way: Way | None) -> Iterator[None]:
    """Shows that somebody types for as long as the block takes. Its failure is nobody's concern."""
    if way is None:
        yield
        return
    task = asyncio.create_task(_show(way), name="typing")
    try:
        yield
    finally:
        task.cancel()


async def _show(way: Way) -> None:
    adapter = registry.build(way.channel, way.context)
    try:
        while isinstance(adapter, Typing):
            await adapter.typing(way.to, way.route)
            await asyncio.sleep(_EVERY)
    except Exception as error:
        log.info("%s: typing could not be shown (%s)", way.channel, type(error).__name__)
    finally:
        await adapter.aclose()
