"""What flows through: raws in, deliveries out, jobs that died."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from app.http.access import ReadOperation, ReadTickets, WriteOperation, WriteTickets
from app.http.shapes import Cursor, DeliveryOut, In, Limit, Out, Page
from core import keyset
from core.db import transaction
from core.delivery.models import Delivery, DeliveryState
from core.delivery.send import settle
from core.errors import Conflict, Forbidden, NotFound
from core.intake.models import Raw, RawState
from core.intake.process import replay
from core.jobs.models import Job, JobState, Lane
from core.jobs.queue import ring_after_commit
from core.people.access import visible_tickets
from core.tickets.events import locked
from core.tickets.models import Ticket

router = APIRouter(tags=["operation"])


class RawOut(Out):
    id: UUID
    seq: int
    account_id: UUID
    external_id: str
    size: int
    content_type: str
    state: RawState
    reason: str | None
    error: str | None
    ticket_id: UUID | None
    created_at: datetime
    processed_at: datetime | None


class RawPage(Page[RawOut]):
    counts: dict[RawState, int] = Field(default_factory=dict)
    """How many raws are in each state."""


class JobOut(Out):
    id: UUID
    lane: Lane
    name: str
    args: dict[str, Any]
    state: JobState
    attempts: int
    error: str | None
    due_at: datetime
    created_at: datetime


class Settlement(In):
    send_again: bool
    """True: send it once more. False: take it as sent."""


class Done(BaseModel):
    ok: bool = True


@router.get("/deliveries")
async def list_deliveries(
    principal: ReadTickets,
    state: Annotated[list[DeliveryState] | None, Query()] = None,
    ticket: UUID | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[DeliveryOut]:
    """What went out and what became of it, the newest first."""
    if not principal.inside:
        raise Forbidden("inside_only", "this is for people who work here")
    statement = sa.select(Delivery).join(Ticket, Ticket.id == Delivery.ticket_id).where(visible_tickets(principal))
    if state:
        statement = statement.where(Delivery.state.in_(state))
    if ticket:
        statement = statement.where(Delivery.ticket_id == ticket)
    statement = keyset.after(statement, [(Delivery.seq, int)], cursor).limit(limit + 1)
    async with transaction() as session:
        rows = list(await session.scalars(statement))
    following = keyset.encode([rows[limit - 1].seq]) if len(rows) > limit else None
    return Page(items=[DeliveryOut.model_validate(row) for row in rows[:limit]], next=following)


@router.post("/deliveries/{delivery_id}/settle")
async def settle_delivery(delivery_id: UUID, body: Settlement, principal: WriteTickets) -> DeliveryOut:
    """Decides about a delivery in doubt that the channel can neither repeat nor look up."""
    if not principal.inside:
        raise Forbidden("inside_only", "this is for people who work here")
    async with transaction() as session:
        delivery = await session.scalar(
            sa.select(Delivery)
            .join(Ticket, Ticket.id == Delivery.ticket_id)
            .where(Delivery.id == delivery_id, visible_tickets(principal))
        )
        if delivery is None:
            raise NotFound("delivery_not_found", "there is no such delivery")
        ticket = await locked(session, delivery.ticket_id)
        await session.refresh(delivery, with_for_update=True)
        if delivery.state is not DeliveryState.HELD:
            raise Conflict("delivery_not_held", "only a delivery in doubt can be settled")
        await settle(session, delivery, ticket, send_again=body.send_again, user_id=principal.id)
        return DeliveryOut.model_validate(delivery)


@router.get("/raws")
async def list_raws(
    _principal: ReadOperation,
    state: Annotated[list[RawState] | None, Query()] = None,
    account: UUID | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> RawPage:
    """Everything received and what became of it, the newest first."""
    statement = sa.select(Raw).options(sa.orm.defer(Raw.body))
    if state:
        statement = statement.where(Raw.state.in_(state))
    if account:
        statement = statement.where(Raw.account_id == account)
    statement = keyset.after(statement, [(Raw.seq, int)], cursor).limit(limit + 1)
    async with transaction() as session:
        rows = list(await session.scalars(statement))
        counts = dict.fromkeys(RawState, 0)
        for known, count in await session.execute(sa.select(Raw.state, sa.func.count()).group_by(Raw.state)):
            counts[known] = count
    following = keyset.encode([rows[limit - 1].seq]) if len(rows) > limit else None
    return RawPage(items=[RawOut.model_validate(row) for row in rows[:limit]], next=following, counts=counts)


@router.post("/raws/{raw_id}/replay")
async def replay_raw(raw_id: UUID, _principal: WriteOperation) -> Done:
    """Puts a quarantined or filtered raw through once more."""
    async with transaction() as session:
        if not await replay(session, raw_id):
            raise NotFound("raw_not_found", "there is no such raw to replay")
    return Done()


@router.get("/jobs")
async def list_jobs(
    _principal: ReadOperation,
    state: JobState = JobState.DEAD,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[JobOut]:
    """Jobs that died, or those that wait."""
    statement = keyset.after(sa.select(Job).where(Job.state == state), [(Job.id, UUID)], cursor).limit(limit + 1)
    async with transaction() as session:
        rows = list(await session.scalars(statement))
    following = keyset.encode([rows[limit - 1].id]) if len(rows) > limit else None
    return Page(items=[JobOut.model_validate(row) for row in rows[:limit]], next=following)


@router.post("/jobs/{job_id}/replay")
async def replay_job(job_id: UUID, _principal: WriteOperation) -> Done:
    """Gives a dead job its attempts back."""
    async with transaction() as session:
        lane = await session.scalar(
            sa.update(Job)
            .where(Job.id == job_id, Job.state == JobState.DEAD)
            .values(state=JobState.READY, attempts=0, due_at=sa.func.now(), error=None)
            .returning(Job.lane)
        )
        if lane is None:
            raise NotFound("job_not_found", "there is no such dead job")
        ring_after_commit(session, lane)
    return Done()
