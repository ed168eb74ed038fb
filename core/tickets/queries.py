"""Reading tickets: lists by keyset, one ticket with what belongs to it. Everything through `scoped`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from core import keyset
from core.contacts.models import Contact, Identity
from core.delivery.models import Delivery
from core.errors import NotFound
from core.people.access import Principal, scoped, visible_messages
from core.people.models import User
from core.tickets.models import AttachmentRow, Handoff, Message, Status, Ticket, TicketEvent


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list of tickets is narrowed to; None is everything."""

    status: Sequence[Status] = ()
    handoff: Sequence[Handoff] = ()
    channel: str | None = None
    assignee_id: UUID | None = None
    unassigned: bool = False
    contact_id: UUID | None = None
    tag: str | None = None
    words: str | None = None


@dataclass(frozen=True, slots=True)
class TicketRow:
    """A ticket with the people that lists show."""

    ticket: Ticket
    contact: Contact
    address: str | None
    assignee: User | None


def _select() -> sa.Select[Any]:
    address = (
        sa.select(Identity.value)
        .where(Identity.contact_id == Contact.id)
        .order_by(Identity.id)
        .limit(1)
        .scalar_subquery()
    )
    return (
        sa.select(Ticket, Contact, address, User)
        .join(Contact, Contact.id == Ticket.contact_id)
        .outerjoin(User, User.id == Ticket.assignee_id)
    )


def _narrowed(statement: sa.Select[Any], principal: Principal, by: Filter) -> sa.Select[Any]:
    if by.status:
        statement = statement.where(Ticket.status.in_(by.status))
    if by.handoff:
        statement = statement.where(Ticket.handoff.in_(by.handoff))
    if by.channel:
        statement = statement.where(Ticket.channel == by.channel)
    if by.unassigned:
        statement = statement.where(Ticket.assignee_id.is_(None))
    if by.assignee_id:
        statement = statement.where(Ticket.assignee_id == by.assignee_id)
    if by.contact_id:
        statement = statement.where(Ticket.contact_id == by.contact_id)
    if by.tag:
        statement = statement.where(Ticket.tags.contains([by.tag]) if principal.inside else sa.false())
    if by.words:
        found = sa.select(Message.ticket_id).where(
            Message.search.op("@@")(sa.func.websearch_to_tsquery("simple", by.words)),
            # What cannot be read cannot be searched either: a hit would tell what a note says.
            visible_messages(principal),
            Message.deleted_at.is_(None),
        )
        conditions: list[sa.ColumnElement[bool]] = [Ticket.id.in_(found)]
        if by.words.lstrip("#").isdecimal() and len(by.words) < 18:
            conditions.append(Ticket.number == int(by.words.lstrip("#")))
        statement = statement.where(sa.or_(*conditions))
    return statement


async def list_tickets(
    session: AsyncSession, principal: Principal, by: Filter, *, cursor: str | None, limit: int
) -> tuple[list[TicketRow], str | None]:
    """A page of tickets, the most recently active first, and the cursor of the next."""
    statement = keyset.after(
        _narrowed(scoped(_select(), principal), principal, by),
        [(Ticket.activity_at, datetime.fromisoformat), (Ticket.id, UUID)],
        cursor,
    ).limit(limit + 1)
    rows = [TicketRow(*row) for row in await session.execute(statement)]
    following = None
    if len(rows) > limit:
        rows = rows[:limit]
        following = keyset.encode([rows[-1].ticket.activity_at.isoformat(), rows[-1].ticket.id])
    return rows, following


async def get_ticket(session: AsyncSession, principal: Principal, ticket_id: UUID) -> TicketRow:
    """Raises NotFound, also for one that exists but not for this principal."""
    row = (await session.execute(scoped(_select(), principal).where(Ticket.id == ticket_id))).one_or_none()
    if row is None:
        raise NotFound("ticket_not_found", "there is no such ticket")
    return TicketRow(*row)


@dataclass(frozen=True, slots=True)
class MessageRow:
    message: Message
    attachments: list[AttachmentRow]
    deliveries: list[Delivery]


async def list_messages(
    session: AsyncSession, principal: Principal, ticket_id: UUID, *, cursor: str | None, limit: int
) -> tuple[list[MessageRow], str | None]:
    """A page of a ticket's messages, oldest first. The caller has checked that the ticket is visible."""
    statement = keyset.after(
        sa.select(Message).where(Message.ticket_id == ticket_id, visible_messages(principal)),
        [(Message.created_at, datetime.fromisoformat), (Message.id, UUID)],
        cursor,
        descending=False,
    ).limit(limit + 1)
    messages = list(await session.scalars(statement))
    following = None
    if len(messages) > limit:
        messages = messages[:limit]
        following = keyset.encode([messages[-1].created_at.isoformat(), messages[-1].id])
    return await with_parts(session, messages), following


async def with_parts(session: AsyncSession, messages: Sequence[Message]) -> list[MessageRow]:
    """Messages with their attachments and deliveries, in two queries."""
    ids = [message.id for message in messages]
    attachments: dict[UUID, list[AttachmentRow]] = {}
    for file in await session.scalars(
        sa.select(AttachmentRow).where(AttachmentRow.message_id.in_(ids)).order_by(AttachmentRow.id)
    ):
        assert file.message_id is not None
        attachments.setdefault(file.message_id, []).append(file)
    deliveries: dict[UUID, list[Delivery]] = {}
    for delivery in await session.scalars(
        sa.select(Delivery).where(Delivery.message_id.in_(ids)).order_by(Delivery.part)
    ):
        deliveries.setdefault(delivery.message_id, []).append(delivery)
    return [
        MessageRow(message, attachments.get(message.id, []), deliveries.get(message.id, [])) for message in messages
    ]


async def list_events(
    session: AsyncSession, ticket_id: UUID, *, cursor: str | None, limit: int
) -> tuple[list[TicketEvent], str | None]:
    """A page of a ticket's timeline, oldest first."""
    statement = keyset.after(
        sa.select(TicketEvent).where(TicketEvent.ticket_id == ticket_id),
        [(TicketEvent.seq, int)],
        cursor,
        descending=False,
    ).limit(limit + 1)
    events = list(await session.scalars(statement))
    if len(events) <= limit:
        return events, None
    return events[:limit], keyset.encode([events[limit - 1].seq])


async def visible_attachment(session: AsyncSession, principal: Principal, attachment_id: UUID) -> AttachmentRow:
    """A file on a message that the principal sees, or an upload of its own. Raises NotFound."""
    file = await session.get(AttachmentRow, attachment_id)
    if file is not None and file.message_id is None and file.uploader_id == principal.id:
        return file
    if file is not None and file.message_id is not None:
        seen = await session.scalar(
            scoped(
                sa.select(Message.id).join(Ticket, Ticket.id == Message.ticket_id).where(Message.id == file.message_id),
                principal,
            ).where(visible_messages(principal))
        )
        if seen is not None:
            return file
    raise NotFound("attachment_not_found", "there is no such file")
