"""The timeline: every change of a ticket is an event, written in the transaction that it explains."""

from __future__ import annotations

from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from core.db import after_commit
from core.errors import NotFound
from core.jobs.ring import announce
from core.tickets.models import Author, Ticket, TicketEvent


class Kind(StrEnum):
    """What can happen to a ticket. Stable: clients and webhooks depend on it."""

    CREATED = "ticket.created"
    CHANGED = "ticket.changed"
    REOPENED = "ticket.reopened"
    LINKED = "ticket.linked"
    HANDOFF = "ticket.handoff"
    MESSAGE = "message.received"
    REPLY = "message.replied"
    NOTE = "message.noted"
    DRAFT = "message.drafted"
    EDITED = "message.edited"
    DELETED = "message.deleted"
    REACTION = "message.reaction"
    DELIVERY = "delivery.changed"
    PEER = "peer.changed"
    ACTION = "peer.action"
    AI = "ai.decided"
    FILE = "file.changed"
    """A file came, could not be had, or was listened to."""
    CALL = "call.changed"


async def locked(session: AsyncSession, ticket_id: UUID) -> Ticket:
    """The ticket, locked until the transaction ends. Every writer of a ticket comes through here. Raises NotFound."""
    ticket = await session.scalar(
        sa.select(Ticket).where(Ticket.id == ticket_id).with_for_update().execution_options(populate_existing=True)
    )
    if ticket is None:
        raise NotFound("ticket_not_found", "there is no such ticket")
    return ticket


def record(
    session: AsyncSession,
    ticket: Ticket,
    kind: Kind,
    *,
    actor: Author = Author.SYSTEM,
    actor_id: UUID | None = None,
    message_id: UUID | None = None,
    **data: Any,
) -> TicketEvent:
    """Adds an event to the timeline of a locked ticket; live clients hear of it after the commit."""
    ticket.event_seq += 1
    ticket.version += 1
    ticket.updated_at = sa.func.now()
    event = TicketEvent(
        ticket_id=ticket.id,
        seq=ticket.event_seq,
        kind=kind.value,
        actor=actor,
        actor_id=actor_id,
        message_id=message_id,
        data=data,
    )
    session.add(event)
    after_commit(session, "announce", announce)
    return event
