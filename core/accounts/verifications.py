"""What other services ask of an account's address, for the admins who have asked those services for it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa

from channels.contract import (
    Adapter,
    Authenticity,
    ChannelError,
    Enrich,
    MessageReceived,
    RawInbound,
    Verification,
    Verifies,
)
from core.accounts import service
from core.blobs import blobs
from core.db import transaction
from core.intake.models import Raw, RawState

AGE = timedelta(days=7)
"""How long a verification is shown: what it asks for has ended by then."""
_SHOWN_MAX = 50


@dataclass(frozen=True, slots=True)
class Asked:
    """One message of another service, newest first in a list."""

    raw_id: UUID
    received_at: datetime
    verification: Verification
    authenticity: Authenticity


async def verifications(account_id: UUID) -> list[Asked]:
    """Those of the last seven days, newest first. Raises NotFound."""
    async with transaction() as session:
        account = await service.get(session, account_id)
        raws = await session.scalars(
            sa.select(Raw)
            .where(
                Raw.account_id == account_id,
                Raw.state == RawState.QUARANTINED,
                Raw.reason == "verification",
                Raw.created_at > sa.func.now() - AGE,
            )
            .order_by(Raw.seq.desc())
            .limit(_SHOWN_MAX)
        )
        found = list(raws)
    async with service.adapter_of(account) as adapter:
        if not isinstance(adapter, Verifies):
            return []
        return [one for one in await asyncio.gather(*(_read(adapter, raw) for raw in found)) if one is not None]


async def _read(adapter: Adapter, raw: Raw) -> Asked | None:
    assert isinstance(adapter, Verifies)
    try:
        body = raw.body if raw.blob_key is None else await blobs().get(raw.blob_key)
    except OSError:
        return None
    inbound = RawInbound(
        raw.external_id, body or b"", raw.content_type,
        headers=raw.headers, transport=raw.transport, received_at=raw.created_at,
    )  # fmt: skip
    try:
        events = await asyncio.to_thread(adapter.parse, inbound)
        if isinstance(adapter, Enrich):
            events = await adapter.enrich(events, inbound)
        verification = adapter.verification(inbound, events)
    except ChannelError:
        return None
    if verification is None:
        return None
    judged = next((event.authenticity for event in events if isinstance(event, MessageReceived)), Authenticity.UNKNOWN)
    return Asked(raw.id, raw.created_at, verification, judged)
