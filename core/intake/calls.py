"""Calls: a ticket from the first ring, so that whatever happens on the line has its place."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from channels.contract import CallStarted
from core.accounts.models import ChannelAccount
from core.contacts.identities import contact_of, identify
from core.ids import new_id
from core.intake.models import Outcome, RawState
from core.tickets.events import Kind, locked, record
from core.tickets.models import Author, Direction, Message, Participant, Route, Status, Ticket


async def call_started(session: AsyncSession, account: ChannelAccount, event: CallStarted) -> Outcome:
    """Opens the call's ticket; a call that is known already stays where it is."""
    known = await session.scalar(
        sa.select(Route.ticket_id).where(
            Route.account_id == account.id, Route.conversation == event.conversation, Route.active
        )
    )
    if known is not None:
        return Outcome(RawState.FILTERED, "call_known", known)
    identity = await identify(session, event.sender)
    contact = await contact_of(session, identity)
    if contact.blocked:
        return Outcome(RawState.FILTERED, "blocked")
    ticket = await _called_before(session, account, identity.id)
    if ticket is not None:
        await _join(session, account, ticket, identity.id, event)
        record(session, ticket, Kind.CALL, actor=Author.CONTACT, actor_id=contact.id, state="started")
        return Outcome(RawState.APPENDED, "call_again", ticket.id)
    ticket = Ticket(
        id=new_id(),
        subject=contact.name or event.sender.name or event.sender.value,
        contact_id=contact.id,
        account_id=account.id,
        channel=account.channel,
        language=contact.language,
        event_seq=0,
        version=1,
    )
    session.add(ticket)
    await session.flush()
    await _join(session, account, ticket, identity.id, event)
    session.add(Participant(ticket_id=ticket.id, identity_id=identity.id, role="requester"))
    record(session, ticket, Kind.CREATED, actor=Author.CONTACT, actor_id=contact.id, channel=account.channel)
    record(session, ticket, Kind.CALL, actor=Author.CONTACT, actor_id=contact.id, state="started")
    return Outcome(RawState.TICKET, None, ticket.id)


async def _called_before(session: AsyncSession, account: ChannelAccount, identity_id: UUID) -> Ticket | None:
    """The open ticket of the same caller's last call: who calls back within a day means the same matter."""
    ticket_id = await session.scalar(
        sa.select(Ticket.id)
        .join(Route, Route.ticket_id == Ticket.id)
        .where(
            Route.account_id == account.id,
            Route.identity_id == identity_id,
            Ticket.status.in_([Status.OPEN, Status.PENDING]),
            Ticket.activity_at > sa.func.now() - timedelta(days=1),
        )
        .order_by(Ticket.activity_at.desc())
        .limit(1)
    )
    return None if ticket_id is None else await locked(session, ticket_id)


async def _join(
    session: AsyncSession, account: ChannelAccount, ticket: Ticket, identity_id: UUID, event: CallStarted
) -> None:
    session.add(
        Route(
            id=new_id(),
            ticket_id=ticket.id,
            account_id=account.id,
            identity_id=identity_id,
            conversation=event.conversation or event.external_id,
            data=dict(event.route),
        )
    )
    await session.flush()


async def call_ended(session: AsyncSession, ticket: Ticket) -> None:
    """A call in which nothing was said needs nobody: it is kept, resolved, unless the caller asked for a person."""
    said = await session.scalar(
        sa.select(Message.id).where(Message.ticket_id == ticket.id, Message.direction == Direction.IN).limit(1)
    )
    if said is None and ticket.handoff == "ai" and ticket.status is Status.OPEN:
        ticket.status = Status.RESOLVED
        ticket.resolved_at = sa.func.now()
        record(session, ticket, Kind.CHANGED, field="status", before="open", after="resolved", reason="nothing_said")
