"""Who answers: the state machine between the AI and people.

Every transition is a function here, on a locked ticket, and leaves an event. The table is in
`docs/adr/0002-hand-off.md`.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import Conflict
from core.tickets.events import Kind, record
from core.tickets.models import Author, Handoff, Status, Ticket


def _move(
    session: AsyncSession, ticket: Ticket, to: Handoff, reason: str, actor: Author, actor_id: UUID | None = None
) -> None:
    before = ticket.handoff
    if before is to:
        return
    ticket.handoff = to
    record(
        session,
        ticket,
        Kind.HANDOFF,
        actor=actor,
        actor_id=actor_id,
        before=before.value,
        after=to.value,
        reason=reason,
    )


def _assign(session: AsyncSession, ticket: Ticket, assignee_id: UUID | None, actor_id: UUID | None) -> None:
    before = ticket.assignee_id
    if before == assignee_id:
        return
    ticket.assignee_id = assignee_id
    record(
        session, ticket, Kind.CHANGED, actor=Author.USER if actor_id else Author.SYSTEM, actor_id=actor_id,
        field="assignee_id", before=str(before) if before else None, after=str(assignee_id) if assignee_id else None,
    )  # fmt: skip


def take_over(session: AsyncSession, ticket: Ticket, user_id: UUID | None) -> None:
    """A person answers from here on, whoever did before. The human always wins.

    Without a user it was somebody behind an API key: a person has it, and nobody is assigned yet.
    """
    _assign(session, ticket, user_id, user_id)
    _move(session, ticket, Handoff.HUMAN, "taken_over", Author.USER, user_id)


def give_back(session: AsyncSession, ticket: Ticket, user_id: UUID | None) -> None:
    """The AI answers the customer's next message. Raises Conflict on a finished ticket."""
    if ticket.status in (Status.CLOSED, Status.SPAM):
        raise Conflict("ticket_finished", "a closed ticket cannot be given to the AI")
    _assign(session, ticket, None, user_id)
    _move(session, ticket, Handoff.AI, "given_back", Author.USER, user_id)


def pass_on(session: AsyncSession, ticket: Ticket, user_id: UUID | None) -> None:
    """Somebody else, please."""
    _assign(session, ticket, None, user_id)
    _move(session, ticket, Handoff.QUEUE, "passed_on", Author.USER, user_id)


def queue(session: AsyncSession, ticket: Ticket, reason: str, actor: Author = Author.AI) -> None:
    """A person is needed. A ticket that a person holds stays with that person."""
    if ticket.handoff is not Handoff.HUMAN:
        _move(session, ticket, Handoff.QUEUE, reason, actor)


def review(session: AsyncSession, ticket: Ticket, reason: str) -> None:
    """The AI has drafted; a person decides. Only from `ai`: nobody is overruled by a draft."""
    if ticket.handoff is Handoff.AI:
        _move(session, ticket, Handoff.REVIEW, reason, Author.AI)


def reviewed(session: AsyncSession, ticket: Ticket, user_id: UUID | None, *, accepted: bool) -> None:
    """The draft was sent (the AI goes on) or rejected (a person is needed)."""
    if ticket.handoff is Handoff.REVIEW:
        to = Handoff.AI if accepted else Handoff.QUEUE
        _move(session, ticket, to, "draft_accepted" if accepted else "draft_rejected", Author.USER, user_id)


def customer_wrote(session: AsyncSession, ticket: Ticket, *, person_gone: bool = False) -> None:
    """A draft answers a message that is no longer the newest: the AI looks at both.

    Whoever had the ticket has it still; a person who has gone, or nobody by name, means the queue.
    """
    if ticket.handoff is Handoff.REVIEW:
        _move(session, ticket, Handoff.AI, "customer_wrote", Author.SYSTEM)
    elif ticket.handoff is Handoff.HUMAN and (person_gone or ticket.assignee_id is None):
        _assign(session, ticket, None, None)
        _move(session, ticket, Handoff.QUEUE, "nobody_there", Author.SYSTEM)
