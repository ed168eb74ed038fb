"""A call has a ticket from its first ring; what could not be said in it is written."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from channels.contract import CONVERSATION_OVER, RawInbound, Undeliverable
from core.contacts.models import Identity
from core.db import transaction
from core.delivery.models import Delivery, DeliveryState
from core.intake.models import Raw
from core.intake.peer import peer_of
from core.intake.receive import receive
from core.jobs.models import Lane
from core.tickets.events import locked
from core.tickets.models import Author, Handoff, Message, Route, Status, Ticket, TicketEvent
from core.tickets.replies import Reply, post_reply
from tests.core.conftest import Work
from tests.factories.accounts import account
from tests.factories.birds import Sky, message, raw, song

CALLER = {"kind": "bird", "value": "finch", "name": None, "trust": "provider"}


@pytest.fixture
async def account_id(sky: object, db: None) -> UUID:
    async with transaction() as session:
        return (await account(session, "parrot")).id


def _event(kind: str, number: int, call: str = "call-1", **more: Any) -> RawInbound:
    event = {"type": kind, "external_id": f"{call}-{number}", "conversation": call, "sender": CALLER, **more}
    return RawInbound(f"{call}-{number}", song(event), order_key=call)


async def _ticket() -> Ticket:
    async with transaction() as session:
        return (await session.scalars(sa.select(Ticket))).one()


async def test_a_call_in_which_nothing_is_said_is_kept_and_resolved(account_id: UUID, work: Work) -> None:
    await receive(account_id, [_event("call_started", 1), _event("call_ended", 2, reason="completed")])
    await work(Lane.INTAKE)
    ticket = await _ticket()
    assert (ticket.subject, ticket.status, ticket.handoff) == ("finch", Status.RESOLVED, Handoff.AI)
    async with transaction() as session:
        kinds = list(await session.scalars(sa.select(TicketEvent.kind).order_by(TicketEvent.seq)))
    assert kinds == ["ticket.created", "call.changed", "peer.action", "ticket.changed"]


async def test_a_caller_who_only_asked_for_a_person_waits_for_one(account_id: UUID, work: Work) -> None:
    await receive(
        account_id,
        [
            _event("call_started", 1),
            _event("action_taken", 2, action="person"),
            _event("call_ended", 3, reason="completed"),
        ],
    )
    await work(Lane.INTAKE)
    ticket = await _ticket()
    assert (ticket.status, ticket.handoff) == (Status.OPEN, Handoff.QUEUE)


async def test_who_calls_back_within_a_day_is_on_the_same_ticket(account_id: UUID, work: Work) -> None:
    turn = message("turn-1", "Where is it?", conversation="call-1")
    await receive(account_id, [_event("call_started", 1), RawInbound("turn-1", song(turn), order_key="call-1")])
    await work(Lane.INTAKE)
    await receive(account_id, [_event("call_started", 1, "call-2")])
    await work(Lane.INTAKE)
    async with transaction() as session:
        routes = list(await session.scalars(sa.select(Route.conversation).order_by(Route.created_at)))
    assert routes == ["call-1", "call-2"]
    ticket = await _ticket()
    async with transaction() as session:
        (await locked(session, ticket.id)).handoff = Handoff.HUMAN
    async with transaction() as session:
        coming = RawInbound("x", b"", order_key="call-3")
        known = await peer_of(session, account_id, coming, [])
        caller = await peer_of(session, account_id, coming, _parsed(_event("call_started", 1, "call-3")))
        waiting = await peer_of(session, account_id, RawInbound("y", b"", order_key="call-2"), [])
    assert (known.handoff, caller.handoff, waiting.handoff) == ("ai", "human", "human")


def _parsed(raw_: RawInbound) -> Any:
    import json

    from tests.factories.birds import _events

    return _events.validate_python(json.loads(raw_.body)["events"])


async def _answered(account_id: UUID, work: Work, *, magpie: bool) -> None:
    """A call whose answer comes when it is over."""
    if magpie:
        async with transaction() as session:
            await account(session, "magpie")
    turn = message("turn-1", "Where is it?", conversation="call-1")
    await receive(account_id, [_event("call_started", 1), RawInbound("turn-1", song(turn), order_key="call-1")])
    await work(Lane.INTAKE)
    async with transaction() as session:
        ticket = await locked(session, (await session.scalars(sa.select(Ticket.id))).one())
        source = {"title": "Nests", "url": "https://fernweh.example/nests"}
        await post_reply(session, ticket, Reply(author=Author.USER, text="In the oak.", citations=[source]))
    await work(Lane.DELIVER)


async def test_an_answer_to_a_call_that_is_over_is_written_instead(account_id: UUID, sky: Sky, work: Work) -> None:
    sky.script.append(Undeliverable("hung up", code=CONVERSATION_OVER))
    await _answered(account_id, work, magpie=True)
    assert [one.text for one in sky.ledger] == ["In the oak.\nNests: https://fernweh.example/nests"]
    assert sky.ledger[0].to.value == "finch"
    async with transaction() as session:
        states = list(await session.scalars(sa.select(Delivery.state).order_by(Delivery.seq)))
        ticket = (await session.scalars(sa.select(Ticket))).one()
    assert states == [DeliveryState.FAILED, DeliveryState.SENT]
    assert ticket.handoff is Handoff.HUMAN, "nobody has to be called: it has been said"


@pytest.mark.parametrize("why", ["no_other_channel", "opted_out"])
async def test_without_another_way_a_person_is_told(account_id: UUID, sky: Sky, work: Work, why: str) -> None:
    if why == "opted_out":
        sky.on_send = _opt_out
    sky.script.append(Undeliverable("hung up", code=CONVERSATION_OVER))
    await _answered(account_id, work, magpie=why == "opted_out")
    assert sky.ledger == []
    async with transaction() as session:
        delivery = (await session.scalars(sa.select(Delivery))).one()
    assert (delivery.state, delivery.error_code) == (DeliveryState.FAILED, CONVERSATION_OVER)


async def _opt_out(_message: object) -> None:
    async with transaction() as session:
        await session.execute(sa.update(Identity).values(opted_out_at=sa.func.now()))


async def test_a_second_question_after_an_answer_was_heard_is_taken(account_id: UUID, sky: Sky, work: Work) -> None:
    """One callback tells both: that the answer was heard, and what was said next."""
    await _answered(account_id, work, magpie=False)
    async with transaction() as session:
        sent = (await session.scalars(sa.select(Delivery.external_id))).one()
    receipt = {
        "type": "receipt_received",
        "external_id": "r1",
        "conversation": "call-1",
        "kind": "delivered",
        "message_id": sent,
    }
    turn = message("turn-2", "And when?", conversation="call-1")
    await receive(account_id, [RawInbound("turn-2", song(receipt, turn), order_key="call-1")])
    await work(Lane.INTAKE)
    async with transaction() as session:
        states = set(await session.scalars(sa.select(Raw.state)))
        texts = list(await session.scalars(sa.select(Message.text).where(Message.direction == "in")))
        seqs = list(await session.scalars(sa.select(TicketEvent.seq).order_by(TicketEvent.seq)))
    assert states == {"ticket", "appended"}
    assert "And when?" in texts
    assert seqs == list(range(1, len(seqs) + 1))


async def test_links_are_written_to_the_caller_who_asks_for_them(account_id: UUID, sky: Sky, work: Work) -> None:
    await _answered(account_id, work, magpie=True)
    await receive(account_id, [_event("action_taken", 5, action="follow_up")])
    await work(Lane.INTAKE)
    await work(Lane.DELIVER)
    assert [one.text for one in sky.ledger] == ["In the oak.", "In the oak.\nNests: https://fernweh.example/nests"]
    async with transaction() as session:
        written = await session.scalar(
            sa.select(sa.func.count()).select_from(Message).where(Message.direction == "out")
        )
        left = list(await session.scalars(sa.select(Raw.state).where(Raw.state == "quarantined")))
    assert (written, left) == (2, [])


async def test_the_answer_to_a_written_follow_up_comes_back_to_the_ticket(
    account_id: UUID, sky: Sky, work: Work
) -> None:
    sky.script.append(Undeliverable("hung up", code=CONVERSATION_OVER))
    await _answered(account_id, work, magpie=True)
    async with transaction() as session:
        magpie = (await session.scalars(sa.select(Route.account_id).where(Route.conversation == "finch"))).one()
    await receive(magpie, [raw("m9", "Thanks", conversation="finch")])
    await work(Lane.INTAKE)
    await _ticket()  # still the only one
