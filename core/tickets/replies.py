"""Answering a ticket: message, deliveries, timeline and jobs in one transaction, whoever answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from channels.contract import Capabilities
from core.accounts.models import ChannelAccount
from core.accounts.service import spec_of
from core.delivery.models import Delivery
from core.delivery.queue import enqueue_delivery
from core.delivery.render import split_text
from core.errors import Conflict, Invalid, NotFound
from core.ids import new_id
from core.tickets import handoff
from core.tickets.events import Kind, record
from core.tickets.models import (
    AttachmentRow,
    Author,
    Direction,
    Handoff,
    Message,
    Route,
    Status,
    Ticket,
)


@dataclass(frozen=True, slots=True)
class Reply:
    """What is to be said, before any channel's limits."""

    author: Author
    text: str
    author_id: UUID | None = None
    author_name: str | None = None
    html: str | None = None
    subject: str | None = None
    language: str | None = None
    citations: Sequence[dict[str, Any]] = ()
    ai: dict[str, Any] | None = None
    to_message_id: UUID | None = None
    """The message being answered; its route is the way out. None: the ticket's newest route."""
    route: Route | None = None
    """The way out, where it is another than the way the answered message came."""
    cc: Sequence[str] = ()
    bcc: Sequence[str] = ()
    attachment_ids: Sequence[UUID] = ()
    uploader_id: UUID | None = None
    """Whose uploads `attachment_ids` are; None: the author's."""
    status: Status | None = None
    """The status after the reply; None leaves it."""
    correlation_id: UUID | None = None
    data: dict[str, Any] = field(default_factory=dict)


async def newest_route(session: AsyncSession, ticket_id: UUID) -> Route | None:
    """The way by which the customer last wrote."""
    return await session.scalar(
        sa.select(Route)
        .join(Message, Message.route_id == Route.id)
        .where(Route.ticket_id == ticket_id, Message.direction == Direction.IN)
        .order_by(Message.created_at.desc(), Message.id.desc())
        .limit(1)
    ) or await session.scalar(
        sa.select(Route).where(Route.ticket_id == ticket_id).order_by(Route.created_at.desc()).limit(1)
    )


async def newest_inbound(session: AsyncSession, ticket_id: UUID) -> Message | None:
    return await session.scalar(
        sa.select(Message)
        .where(Message.ticket_id == ticket_id, Message.direction == Direction.IN)
        .order_by(Message.created_at.desc(), Message.id.desc())
        .limit(1)
    )


async def post_reply(session: AsyncSession, ticket: Ticket, reply: Reply) -> Message:
    """Says `reply` to the customer of a locked ticket. Raises Invalid, Conflict, NotFound; then nothing is written.

    A reply by a person takes the ticket over: the human always wins.
    """
    if not reply.text.strip() and not reply.attachment_ids:
        raise Invalid("reply_empty", "a reply needs a text or a file")
    answered = await _answered(session, ticket, reply)
    route = reply.route
    if route is None and answered is not None and answered.route_id is not None:
        route = await session.get(Route, answered.route_id)
    route = route or await newest_route(session, ticket.id)
    if route is None:
        raise Conflict("ticket_without_route", "there is no way to reach this customer yet")
    account = await session.get_one(ChannelAccount, route.account_id)
    capabilities = spec_of(account.channel).capabilities
    if (reply.cc or reply.bcc) and not capabilities.copies:
        raise Invalid("copies_not_supported", "this channel cannot send copies")

    await _carried(session, reply.attachment_ids, capabilities)
    message = Message(
        id=new_id(),
        ticket_id=ticket.id,
        route_id=route.id,
        direction=Direction.OUT,
        author=reply.author,
        author_id=reply.author_id,
        author_name=reply.author_name,
        subject=reply.subject,
        text=reply.text,
        html=reply.html,
        language=reply.language,
        citations=list(reply.citations),
        ai=reply.ai,
        in_reply_to_id=answered.id if answered else None,
        recipients={"cc": list(reply.cc), "bcc": list(reply.bcc)},
    )
    session.add(message)
    await session.flush()
    await bind_attachments(session, message.id, reply.attachment_ids, reply.uploader_id or reply.author_id)
    parts = split_text(reply.text, capabilities) if reply.text.strip() else []
    if reply.attachment_ids and (not parts or not capabilities.text_with_attachments):
        parts.append("")  # the files, by themselves
    for number, part in enumerate(parts):
        delivery = Delivery(
            id=new_id(),
            message_id=message.id,
            ticket_id=ticket.id,
            route_id=route.id,
            account_id=account.id,
            part=number,
            parts=len(parts),
            text=part if len(parts) > 1 else None,
        )
        session.add(delivery)
        await session.flush()
        await enqueue_delivery(session, delivery.id, account.id, correlation_id=reply.correlation_id)
    ticket.preview = reply.text.strip()[:200]
    ticket.activity_at = sa.func.now()
    if reply.author is Author.USER:
        await withdraw_drafts(session, ticket, "answered")
        if ticket.handoff is not Handoff.HUMAN:
            handoff.take_over(session, ticket, reply.author_id)
    if reply.status is not None and reply.status is not ticket.status:
        before, ticket.status = ticket.status, reply.status
        record(
            session,
            ticket,
            Kind.CHANGED,
            actor=reply.author,
            actor_id=reply.author_id,
            field="status",
            before=before.value,
            after=reply.status.value,
        )
        ticket.resolved_at = sa.func.now() if reply.status in (Status.RESOLVED, Status.CLOSED) else None
    record(
        session,
        ticket,
        Kind.REPLY,
        actor=reply.author,
        actor_id=reply.author_id,
        message_id=message.id,
        channel=account.channel,
        **reply.data,
    )
    return message


async def _carried(session: AsyncSession, attachment_ids: Sequence[UUID], capabilities: Capabilities) -> None:
    """Raises Invalid where the channel cannot carry the files: better now than when nobody looks any more."""
    if not attachment_ids:
        return
    if len(attachment_ids) > capabilities.attachments_max:
        most = capabilities.attachments_max
        raise Invalid("attachments_too_many", f"this channel carries at most {most} files in a message", limit=most)
    largest = await session.scalar(
        sa.select(sa.func.max(AttachmentRow.size)).where(AttachmentRow.id.in_(attachment_ids))
    )
    if (largest or 0) > capabilities.attachment_bytes_max:
        most = capabilities.attachment_bytes_max
        raise Invalid(
            "attachment_too_large", f"this channel carries files of at most {most / 2**20:.0f} MB", limit=most
        )


async def _answered(session: AsyncSession, ticket: Ticket, reply: Reply) -> Message | None:
    if reply.to_message_id is None:
        return await newest_inbound(session, ticket.id)
    message = await session.get(Message, reply.to_message_id)
    if message is None or message.ticket_id != ticket.id:
        raise NotFound("message_not_found", "there is no such message on this ticket")
    return message


async def withdraw_drafts(session: AsyncSession, ticket: Ticket, reason: str) -> None:
    """Drafts that the conversation has gone past: nobody shall send them by mistake."""
    drafts = await session.scalars(
        sa.update(Message)
        .where(Message.ticket_id == ticket.id, Message.draft, Message.deleted_at.is_(None))
        .values(deleted_at=sa.func.now())
        .returning(Message.id)
    )
    for message_id in list(drafts):
        record(session, ticket, Kind.DELETED, message_id=message_id, reason=reason)


async def post_note(
    session: AsyncSession,
    ticket: Ticket,
    *,
    author_id: UUID | None,
    author_name: str | None,
    text: str,
    attachment_ids: Sequence[UUID] = (),
    uploader_id: UUID | None = None,
    author: Author = Author.USER,
) -> Message:
    """Adds a note that people inside see."""
    if not text.strip():
        raise Invalid("note_empty", "a note needs a text")
    message = Message(
        id=new_id(),
        ticket_id=ticket.id,
        direction=Direction.NOTE,
        author=author,
        author_id=author_id,
        author_name=author_name,
        text=text,
    )
    session.add(message)
    await session.flush()
    await bind_attachments(session, message.id, attachment_ids, uploader_id or author_id)
    record(session, ticket, Kind.NOTE, actor=author, actor_id=author_id, message_id=message.id)
    return message


async def bind_attachments(
    session: AsyncSession, message_id: UUID, attachment_ids: Sequence[UUID], uploader_id: UUID | None
) -> None:
    """Ties uploads to their message. Only the uploader's own, and each once. Raises NotFound."""
    if not attachment_ids:
        return
    done = await session.execute(
        sa.update(AttachmentRow)
        .where(
            AttachmentRow.id.in_(attachment_ids),
            AttachmentRow.message_id.is_(None),
            AttachmentRow.uploader_id == uploader_id,
        )
        .values(message_id=message_id)
    )
    if done.rowcount != len(set(attachment_ids)):  # type: ignore[attr-defined]
        raise NotFound("attachment_not_found", "an attachment does not exist or is in use already")
