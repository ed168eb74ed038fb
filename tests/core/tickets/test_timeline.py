"""The timeline: gapless, in order, append-only in effect, whoever writes at once."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa

from core.db import transaction
from core.errors import Conflict, Invalid, NotFound
from core.ids import new_id
from core.people.models import Role
from core.tickets import changes
from core.tickets.events import locked
from core.tickets.models import Author, Handoff, Priority, Status, Ticket, TicketEvent
from core.tickets.replies import Reply, post_note, post_reply
from tests.factories import people, tickets
from tests.factories.accounts import account


@pytest.fixture
async def made(sky: object, db: None) -> tickets.Made:
    async with transaction() as session:
        return await tickets.ticket(session, await account(session))


async def test_twenty_writers_at_once_leave_no_gap_and_no_double(made: tickets.Made) -> None:
    async def write(number: int) -> None:
        async with transaction() as session:
            ticket = await locked(session, made.ticket.id)
            if number % 2:
                await post_note(session, ticket, author_id=None, author_name=None, text=f"note {number}")
            else:
                await post_reply(session, ticket, Reply(author=Author.SYSTEM, text=f"reply {number}"))
            if number % 5 == 0:
                raise RuntimeError("changed my mind")

    results = await asyncio.gather(*(write(number) for number in range(20)), return_exceptions=True)
    assert sum(isinstance(result, RuntimeError) for result in results) == 4
    async with transaction() as session:
        ticket = await session.get_one(Ticket, made.ticket.id)
        seqs = list(
            await session.scalars(
                sa.select(TicketEvent.seq).where(TicketEvent.ticket_id == ticket.id).order_by(TicketEvent.id)
            )
        )
    assert seqs == list(range(1, len(seqs) + 1))
    assert (len(seqs), ticket.event_seq) == (2 + 16, 2 + 16)


async def test_every_field_that_differs_is_one_event_and_nothing_else_is(made: tickets.Made) -> None:
    async with transaction() as session:
        agent = await people.user(session)
        await changes.change(
            session, made.ticket.id,
            {"subject": "A nest", "priority": Priority.HIGH, "tags": ["roof"], "assignee_id": agent.id}, actor_id=agent.id,
        )  # fmt: skip
    async with transaction() as session:
        rows = list(
            await session.scalars(
                sa.select(TicketEvent.data).where(TicketEvent.kind == "ticket.changed").order_by(TicketEvent.seq)
            )
        )
    assert [(row["field"], row["after"]) for row in rows] == [
        ("priority", "high"), ("tags", ["roof"]), ("assignee_id", str(agent.id)),
    ]  # fmt: skip


async def test_a_version_that_is_behind_is_a_conflict(made: tickets.Made) -> None:
    async with transaction() as session:
        version = (await session.get_one(Ticket, made.ticket.id)).version
        await changes.change(session, made.ticket.id, {"type": "question"}, actor_id=None, version=version)
    with pytest.raises(Conflict):
        async with transaction() as session:
            await changes.change(session, made.ticket.id, {"type": "other"}, actor_id=None, version=version)


async def test_tickets_go_to_colleagues_that_exist(made: tickets.Made) -> None:
    async with transaction() as session:
        customer = await people.user(session, Role.CUSTOMER)
        gone = await people.user(session)
        gone.active = False
    for stranger in (customer.id, gone.id, new_id()):
        with pytest.raises(NotFound):
            async with transaction() as session:
                await changes.change(session, made.ticket.id, {"assignee_id": stranger}, actor_id=None)
    with pytest.raises(NotFound):
        async with transaction() as session:
            await changes.change(session, made.ticket.id, {"team_id": new_id()}, actor_id=None)


async def test_what_has_to_be_there_cannot_be_cleared(made: tickets.Made) -> None:
    for name in ("subject", "status", "priority", "tags", "custom"):
        with pytest.raises(Invalid):
            async with transaction() as session:
                await changes.change(session, made.ticket.id, {name: None}, actor_id=None)


@pytest.mark.parametrize("status", [Status.RESOLVED, Status.CLOSED, Status.OPEN])
async def test_the_end_is_noted_by_reply_and_by_change_alike(made: tickets.Made, status: Status) -> None:
    async with transaction() as session:
        await post_reply(
            session, await locked(session, made.ticket.id), Reply(author=Author.SYSTEM, text="x", status=status)
        )
    async with transaction() as session:
        ended = (await session.get_one(Ticket, made.ticket.id)).resolved_at
        assert (ended is not None) is (status is not Status.OPEN)
        await changes.change(session, made.ticket.id, {"status": Status.PENDING}, actor_id=None)
    async with transaction() as session:
        assert (await session.get_one(Ticket, made.ticket.id)).resolved_at is None


async def test_a_reply_by_a_key_is_a_persons_without_a_name(made: tickets.Made) -> None:
    async with transaction() as session:
        await post_reply(session, await locked(session, made.ticket.id), Reply(author=Author.USER, text="Hello"))
    async with transaction() as session:
        ticket = await session.get_one(Ticket, made.ticket.id)
        assert (ticket.handoff, ticket.assignee_id) == (Handoff.HUMAN, None)


@pytest.mark.parametrize("text", ["", "   ", "\n\t"])
async def test_nothing_is_not_said(made: tickets.Made, text: str) -> None:
    async with transaction() as session:
        ticket = await locked(session, made.ticket.id)
        with pytest.raises(Invalid):
            await post_reply(session, ticket, Reply(author=Author.USER, text=text))
        with pytest.raises(Invalid):
            await post_note(session, ticket, author_id=None, author_name=None, text=text)
