"""Who answers: every transition from every state, and what customers' messages do to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

import ai.reply as ai_reply
from core.db import transaction
from core.errors import Conflict, Invalid
from core.intake.receive import receive
from core.jobs.models import Job, Lane
from core.people.models import User
from core.tickets import changes, handoff
from core.tickets.events import locked
from core.tickets.models import Author, Handoff, Message, Status, Ticket, TicketEvent
from core.tickets.replies import Reply, post_reply
from tests.core.conftest import Work
from tests.factories import people, tickets
from tests.factories.accounts import account
from tests.factories.birds import raw

AI, REVIEW, QUEUE, HUMAN = Handoff.AI, Handoff.REVIEW, Handoff.QUEUE, Handoff.HUMAN
Move = Callable[[Any, Ticket, UUID], None]

MOVES: dict[str, tuple[Move, dict[Handoff, Handoff]]] = {
    "take over": (handoff.take_over, {AI: HUMAN, REVIEW: HUMAN, QUEUE: HUMAN, HUMAN: HUMAN}),
    "give back": (handoff.give_back, {AI: AI, REVIEW: AI, QUEUE: AI, HUMAN: AI}),
    "pass on": (handoff.pass_on, {AI: QUEUE, REVIEW: QUEUE, QUEUE: QUEUE, HUMAN: QUEUE}),
    "the AI is unsure": (lambda s, t, u: handoff.queue(s, t, "unsure"), {AI: QUEUE, REVIEW: QUEUE, QUEUE: QUEUE, HUMAN: HUMAN}),
    "the AI drafts": (lambda s, t, u: handoff.review(s, t, "doubt"), {AI: REVIEW, REVIEW: REVIEW, QUEUE: QUEUE, HUMAN: HUMAN}),
    "draft accepted": (
        lambda s, t, u: handoff.reviewed(s, t, u, accepted=True), {AI: AI, REVIEW: AI, QUEUE: QUEUE, HUMAN: HUMAN}
    ),
    "draft rejected": (
        lambda s, t, u: handoff.reviewed(s, t, u, accepted=False), {AI: AI, REVIEW: QUEUE, QUEUE: QUEUE, HUMAN: HUMAN}
    ),
    "customer writes": (lambda s, t, u: handoff.customer_wrote(s, t), {AI: AI, REVIEW: AI, QUEUE: QUEUE, HUMAN: HUMAN}),
    "customer writes, nobody there": (
        lambda s, t, u: handoff.customer_wrote(s, t, person_gone=True), {AI: AI, REVIEW: AI, QUEUE: QUEUE, HUMAN: QUEUE}
    ),
}  # fmt: skip


@pytest.mark.parametrize("move", MOVES)
async def test_every_transition_from_every_state(sky: object, db: None, move: str) -> None:
    act, table = MOVES[move]
    assert set(table) == set(Handoff)
    for before, after in table.items():
        async with transaction() as session:
            made_account = await account(session)
            user, holder = await people.user(session), await people.user(session)
            assignee = holder.id if before is HUMAN else None
            made = await tickets.ticket(session, made_account, handoff=before, assignee_id=assignee)
            act(session, made.ticket, user.id)
        async with transaction() as session:
            ticket = await session.get_one(Ticket, made.ticket.id)
            moved = list(
                await session.scalars(
                    sa.select(TicketEvent.data).where(
                        TicketEvent.ticket_id == ticket.id, TicketEvent.kind == "ticket.handoff"
                    )
                )
            )
            assert ticket.handoff is after, f"{move} from {before}"
            assert [(event["before"], event["after"]) for event in moved] == (
                [(before, after)] if before != after else []
            )
            if move == "take over":
                assert ticket.assignee_id == user.id
                changed = await session.scalar(
                    sa.select(TicketEvent.data["after"].astext).where(
                        TicketEvent.ticket_id == ticket.id, TicketEvent.data["field"].astext == "assignee_id"
                    )
                )
                assert changed == str(user.id), "also where another person had it, the timeline tells"
            if move in ("give back", "pass on"):
                assert ticket.assignee_id is None


@pytest.mark.parametrize("status", [Status.CLOSED, Status.SPAM])
async def test_a_finished_ticket_is_not_given_to_the_ai(sky: object, db: None, status: Status) -> None:
    async with transaction() as session:
        made = await tickets.ticket(session, await account(session), handoff=HUMAN, status=status)
        with pytest.raises(Conflict):
            handoff.give_back(session, made.ticket, None)
        with pytest.raises(Invalid):
            await changes.hand(session, made.ticket.id, REVIEW, None)


# ------------------------------------------------------------------------------------------ the customer comes back


async def _conversation(work: Work, **values: Any) -> tuple[UUID, Ticket]:
    """A ticket that came in by a message of finch, with these columns."""
    async with transaction() as session:
        made = await account(session)
    await receive(made.id, [raw("first")])
    await work(Lane.INTAKE)
    async with transaction() as session:
        await session.execute(sa.delete(Job))
        await session.execute(sa.update(Ticket).values(**values))
        return made.id, (await session.scalars(sa.select(Ticket))).one()


async def _all() -> list[Ticket]:
    async with transaction() as session:
        return list(await session.scalars(sa.select(Ticket).order_by(Ticket.number)))


@pytest.mark.parametrize(
    ("status", "tickets_after", "status_after"),
    [
        (Status.OPEN, 1, Status.OPEN), (Status.PENDING, 1, Status.OPEN), (Status.RESOLVED, 1, Status.OPEN),
        (Status.CLOSED, 2, Status.CLOSED), (Status.SPAM, 2, Status.SPAM),
    ],
)  # fmt: skip
async def test_what_a_new_message_does_to_an_old_ticket(
    sky: object, db: None, work: Work, status: Status, tickets_after: int, status_after: Status
) -> None:
    account_id, old = await _conversation(work, status=status, resolved_at=sa.func.now())
    await receive(account_id, [raw("second")])
    await work(Lane.INTAKE)
    found = await _all()
    assert (len(found), found[0].status) == (tickets_after, status_after)
    if tickets_after == 2:
        assert (found[1].linked_to_id, found[1].status) == (old.id, Status.OPEN)
    elif status is not Status.OPEN:
        assert found[0].resolved_at is None


@pytest.mark.parametrize("kind", ["auto_reply", "bounce"])
async def test_an_automatic_message_reopens_nothing_and_is_not_answered(
    sky: object, db: None, work: Work, kind: str
) -> None:
    account_id, _ = await _conversation(work, status=Status.RESOLVED)
    await receive(account_id, [raw("second", automation=kind)])
    await work(Lane.INTAKE)
    (ticket,) = await _all()
    assert ticket.status is Status.RESOLVED
    async with transaction() as session:
        assert not await session.scalar(sa.select(sa.func.count()).select_from(Job))
        assert await session.scalar(sa.select(sa.func.count()).select_from(Message)) == 2


async def test_a_message_during_review_withdraws_the_draft_and_the_ai_looks_at_both(
    sky: object, db: None, work: Work
) -> None:
    account_id, ticket = await _conversation(work, handoff=REVIEW)
    async with transaction() as session:
        first = (await session.scalars(sa.select(Message))).one()
        made = tickets.Made(await locked(session, ticket.id), None, None, None, first)  # type: ignore[arg-type]
        draft = await tickets.draft(session, made)
    await receive(account_id, [raw("second")])
    await work(Lane.INTAKE)
    assert (await _all())[0].handoff is AI
    async with transaction() as session:
        assert (await session.get_one(Message, draft.id)).deleted_at is not None
        assert (await session.scalars(sa.select(Job.name))).all() == ["ai.reply"]
        user = await people.user(session)
    async with transaction() as session:
        with pytest.raises(Conflict, match="decided"):
            await changes.judge(session, ticket.id, draft.id, accept=True, text=None, reason=None, user_id=user.id)


@pytest.mark.parametrize("active", [True, False])
async def test_a_ticket_whose_person_has_gone_goes_to_the_queue(
    sky: object, db: None, work: Work, active: bool
) -> None:
    async with transaction() as session:
        user = await people.user(session)
    account_id, _ = await _conversation(work, handoff=HUMAN, assignee_id=user.id)
    async with transaction() as session:
        await session.execute(sa.update(User).values(active=active))
    await receive(account_id, [raw("second")])
    await work(Lane.INTAKE)
    (ticket,) = await _all()
    assert (ticket.handoff, ticket.assignee_id) == ((HUMAN, user.id) if active else (QUEUE, None))


async def test_whoever_asks_for_a_person_gets_the_queue(sky: object, db: None, work: Work) -> None:
    account_id, _ = await _conversation(work, handoff=AI)
    await receive(account_id, [raw("second", to_person=True)])
    await work(Lane.INTAKE)
    assert (await _all())[0].handoff is QUEUE
    async with transaction() as session:
        assert not await session.scalar(sa.select(sa.func.count()).select_from(Job))


# ----------------------------------------------------------------------------------------------------- verdicts


@pytest.mark.parametrize(
    ("accept", "text", "said"), [(True, None, "Yours"), (True, "Mine", "Mine"), (False, None, None)]
)
async def test_a_verdict_is_given_once(sky: object, db: None, accept: bool, text: str | None, said: str | None) -> None:
    async with transaction() as session:
        user = await people.user(session)
        made = await tickets.ticket(session, await account(session), handoff=REVIEW)
        draft = await tickets.draft(session, made, "Yours")
    verdict = {"accept": accept, "text": text, "reason": None, "user_id": user.id}
    async with transaction() as session:
        await changes.judge(session, made.ticket.id, draft.id, **verdict)  # type: ignore[arg-type]
    with pytest.raises(Conflict):
        async with transaction() as session:
            await changes.judge(session, made.ticket.id, draft.id, **verdict)  # type: ignore[arg-type]
    async with transaction() as session:
        sent = list(
            await session.scalars(sa.select(Message).where(Message.author == Author.AI, Message.draft.is_(False)))
        )
        assert [message.text for message in sent] == ([said] if said else [])
        assert (await session.get_one(Ticket, made.ticket.id)).handoff is (AI if accept else QUEUE)


# ------------------------------------------------------------------------------------------- the guards of the AI


GUARDS: dict[str, dict[str, Any]] = {
    "a person has it": {"handoff": HUMAN},
    "it waits for a person": {"handoff": QUEUE},
    "a draft waits": {"handoff": REVIEW},
    "closed": {"status": Status.CLOSED},
    "spam": {"status": Status.SPAM},
}


@pytest.mark.parametrize("why", [*GUARDS, "the customer wrote again", "answered already", "looping"])
async def test_the_ai_keeps_quiet(sky: object, db: None, work: Work, why: str) -> None:
    async with transaction() as session:
        made = await tickets.ticket(session, await account(session), **GUARDS.get(why, {}))
    async with transaction() as session:
        if why == "the customer wrote again":
            await tickets.inbound(session, await locked(session, made.ticket.id), made.route, made.contact, "and")
        if why == "answered already":
            await post_reply(
                session, await locked(session, made.ticket.id),
                Reply(author=Author.AI, text="There.", to_message_id=made.message.id),
            )  # fmt: skip
        if why == "looping":
            for _ in range(20):
                session.add(tickets.Message(
                    id=tickets.new_id(), ticket_id=made.ticket.id, direction=tickets.Direction.OUT, author=Author.AI, text="…"
                ))  # fmt: skip
        from core.jobs.queue import enqueue

        await enqueue(
            session, "ai.reply", {"ticket_id": str(made.ticket.id), "message_id": str(made.message.id)}, lane=Lane.AI
        )
    async with transaction() as session:
        before = await session.scalar(sa.select(sa.func.count()).select_from(Message))
    await work(Lane.AI)
    async with transaction() as session:
        assert await session.scalar(sa.select(sa.func.count()).select_from(Message)) == before
        ticket = await session.get_one(Ticket, made.ticket.id)
        assert ticket.handoff is (QUEUE if why == "looping" else GUARDS.get(why, {}).get("handoff", AI))


async def test_the_ai_is_asked_where_nothing_forbids_it(sky: object, db: None) -> None:
    async with transaction() as session:
        made = await tickets.ticket(session, await account(session), text="How?")
    async with transaction() as session:
        question = await ai_reply._question(session, made.ticket.id, made.message.id)
    assert question is not None
    assert question.asked.text == "How?"
