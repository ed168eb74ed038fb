"""The job of one raw: in the order received, parse, enrich, ingest; what is not understood is quarantined."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from channels import registry
from channels.contract import Context, Enrich, Inbound, Malformed, RawInbound
from core.accounts.models import ChannelAccount
from core.accounts.service import context_of
from core.blobs import blobs
from core.db import Statement, advisory_lock, pipelined, transaction
from core.failpoints import failpoint
from core.intake.ingest import Files, ingest, store_attachments
from core.intake.models import Outcome, Raw, RawState
from core.intake.parsing import parse
from core.jobs.models import Job, Lane
from core.jobs.queue import enqueue
from core.jobs.registry import Again, Run, job

log = logging.getLogger(__name__)

_ROOM = 5.0
"""Seconds between two looks whether the attachment store takes files again."""
_TRIES = 3
"""Attempts that a raw has before it is quarantined."""


@dataclass(frozen=True, slots=True)
class Loaded:
    raw_id: UUID
    account: ChannelAccount
    account_id: UUID
    channel: str
    order_key: str
    context: Context
    inbound: RawInbound


@job("intake.process", lane=Lane.INTAKE)
async def process(run: Run, *, raw_id: str) -> None:
    loaded = await load(run, UUID(raw_id))
    if loaded is None:
        return
    try:
        events = await parse(loaded.channel, loaded.context, loaded.inbound, suspicious=run.attempt > 1)
        events = await _enriched(loaded, events)
    except Malformed as error:
        async with run.transaction(finish=True) as session:
            await conclude(session, loaded.raw_id, Outcome(RawState.QUARANTINED, error.code), error=str(error))
        return
    await failpoint("intake.parsed")
    try:
        files = await store_attachments(events)
    except OSError as error:
        # A full disk says nothing about the message: it waits until there is room.
        raise Again(_ROOM, f"attachments cannot be stored: {type(error).__name__}", free=True) from error
    await settle(run, loaded, events, files)
    await failpoint("intake.ingested")


async def settle(run: Run, loaded: Loaded, events: Sequence[Inbound], files: Files) -> None:
    """The end of the job: the raw becomes what it becomes, in one transaction."""
    async with run.transaction(finish=True) as session:
        await advisory_lock(session, loaded.account_id, loaded.order_key)
        outcome, left = await ingest(session, loaded.account, loaded.raw_id, events, files, run.correlation_id)
        await pipelined(session, [*left, conclusion(loaded.raw_id, outcome)])


async def load(run: Run, raw_id: UUID) -> Loaded | None:
    """What the job works on, or None when it is done already. Raises Again while an earlier one is under way."""
    if run.attempt > 1 and await _given_up(run, raw_id):
        return None
    async with transaction() as session:
        before = sa.orm.aliased(Raw)
        earlier = sa.exists().where(
            before.account_id == Raw.account_id,
            before.order_key == Raw.order_key,
            before.seq < Raw.seq,
            before.state == RawState.RECEIVED,
        )
        found = (
            await session.execute(
                sa.select(Raw, ChannelAccount, earlier)
                .join(ChannelAccount, ChannelAccount.id == Raw.account_id)
                .where(Raw.id == raw_id, Raw.state == RawState.RECEIVED)
            )
        ).one_or_none()
        if found is None:
            return None
        raw, account, behind = found
        if behind:
            raise Again(0.05, "an earlier message of the conversation is under way", free=True)
        context = context_of(account)
    body = raw.body if raw.blob_key is None else await blobs().get(raw.blob_key)
    inbound = RawInbound(
        external_id=raw.external_id,
        body=body or b"",
        content_type=raw.content_type,
        headers=raw.headers,
        transport=raw.transport,
        order_key=raw.order_key,
        received_at=raw.created_at,
    )
    return Loaded(raw.id, account, account.id, account.channel, raw.order_key, context, inbound)


async def _given_up(run: Run, raw_id: UUID) -> bool:
    """Counts a failed attempt, in a transaction of its own so that a raw which kills its worker is counted too."""
    async with transaction() as session:
        raw = await session.get(Raw, raw_id, with_for_update=True)
        if raw is None or raw.state is not RawState.RECEIVED:
            return True
        raw.attempts += 1
        if raw.attempts < _TRIES:
            return False
        last = await session.scalar(sa.select(Job.error).where(Job.id == run.id))
        await conclude(session, raw_id, Outcome(RawState.QUARANTINED, "processing_failed"), error=last)
        return True


async def _enriched(loaded: Loaded, events: Sequence[Inbound]) -> Sequence[Inbound]:
    """With facts from the network where the adapter adds any. Their absence never holds a message up."""
    adapter = registry.build(loaded.channel, loaded.context)
    try:
        if isinstance(adapter, Enrich):
            return await adapter.enrich(events, loaded.inbound)
    except Exception as error:  # degrade the facts, never the message
        log.warning("raw %s: facts could not be added (%s)", loaded.raw_id, type(error).__name__)
    finally:
        await adapter.aclose()
    return events


_CONCLUDE = """
    UPDATE raws SET state = %(state)s, reason = %(reason)s, error = %(error)s, ticket_id = %(ticket_id)s,
                    processed_at = now()
    WHERE id = %(id)s
"""


def conclusion(raw_id: UUID, outcome: Outcome, *, error: str | None = None) -> Statement:
    """What became of a raw."""
    return _CONCLUDE, {
        "id": raw_id,
        "state": outcome.state.value,
        "reason": outcome.reason,
        "error": error,
        "ticket_id": outcome.ticket_id,
    }


async def conclude(session: AsyncSession, raw_id: UUID, outcome: Outcome, *, error: str | None = None) -> None:
    """Writes what became of a raw."""
    await pipelined(session, [conclusion(raw_id, outcome, error=error)])


async def replay(session: AsyncSession, raw_id: UUID) -> bool:
    """Puts a quarantined or filtered raw through once more; False where there is nothing to replay."""
    done = await session.execute(
        sa.update(Raw)
        .where(Raw.id == raw_id, Raw.state.in_([RawState.QUARANTINED, RawState.FILTERED]))
        .values(state=RawState.RECEIVED, attempts=0, reason=None, error=None)
        .returning(Raw.account_id)
    )
    account_id = done.scalar_one_or_none()
    if account_id is None:
        return False
    await enqueue(
        session,
        "intake.process",
        {"raw_id": str(raw_id)},
        lane=Lane.INTAKE,
        fair_key=str(account_id),
        correlation_id=raw_id,
        max_attempts=12,
    )
    return True
