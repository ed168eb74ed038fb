"""Tickets: lists, one ticket, its messages and timeline, replies, notes, hand-off."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession

from app.http.access import ReadTickets, WriteTickets
from app.http.idempotency import Once
from app.http.shapes import (
    AttachmentOut,
    Body,
    ContactBrief,
    Cursor,
    DeliveryOut,
    EventOut,
    In,
    Limit,
    Line,
    MessageOut,
    Page,
    TicketOut,
    UserBrief,
)
from core.db import transaction
from core.errors import Forbidden, Invalid
from core.people.access import Principal
from core.tickets import changes, queries
from core.tickets.models import Author, Handoff, Priority, Status
from core.tickets.queries import MessageRow, TicketRow
from core.tickets.replies import Reply, post_note, post_reply

router = APIRouter(prefix="/tickets", tags=["tickets"])
TicketId = Annotated[UUID, Path(description="The ticket's id.")]


def ticket_out(row: TicketRow, principal: Principal) -> TicketOut:
    ticket = row.ticket
    fields = {name: getattr(ticket, name) for name in TicketOut.model_fields if name not in ("contact", "assignee")}
    if not principal.inside:
        # How people inside sort their work is not the customer's business.
        fields |= {"tags": [], "custom": {}, "priority": Priority.NORMAL, "team_id": None, "linked_to_id": None}
    assignee = row.assignee if principal.inside else None
    return TicketOut.model_validate(
        {
            **fields,
            "contact": ContactBrief(id=row.contact.id, name=row.contact.name, address=row.address),
            "assignee": UserBrief.model_validate(assignee) if assignee else None,
        }
    )


def message_out(row: MessageRow, principal: Principal) -> MessageOut:
    message = row.message
    fields = {
        name: getattr(message, name) for name in MessageOut.model_fields if name not in ("attachments", "deliveries")
    }
    if message.deleted_at is not None:
        fields |= {"text": "", "html": None, "quoted": None}
    if not principal.inside:
        # Who else stands on a message, how sure the AI was: not the customer's business.
        fields |= {"recipients": {}, "ai": None, "facts": {}}
    return MessageOut.model_validate(
        {
            **fields,
            "attachments": [
                AttachmentOut(
                    **{name: getattr(file, name) for name in AttachmentOut.model_fields if name != "url"},
                    url=f"/api/v1/attachments/{file.id}",
                )
                for file in row.attachments
            ],
            "deliveries": [DeliveryOut.model_validate(one) for one in row.deliveries] if principal.inside else [],
        }
    )


class NewTicket(In):
    """A conversation that we begin: with a known contact, or with an address."""

    account_id: UUID = Field(description="The channel account that it goes out by.")
    to: Line = Field(description="The recipient's address on that channel.")
    name: Line | None = None
    subject: Line | None = None
    text: Body
    html: str | None = Field(None, max_length=500_000)
    attachment_ids: list[UUID] = Field(default_factory=list, max_length=20)


class TicketChange(In):
    """What is given is changed; `null` clears."""

    subject: Line | None = None
    status: Status | None = None
    priority: Priority | None = None
    type: Annotated[str, Field(max_length=100)] | None = None
    tags: list[Annotated[str, Field(min_length=1, max_length=60)]] | None = Field(None, max_length=50)
    assignee_id: UUID | None = None
    team_id: UUID | None = None
    custom: dict[str, str | int | float | bool | None] | None = Field(None, max_length=100)
    version: int | None = Field(None, description="The version that you saw; another one means a conflict (409).")


class NewReply(In):
    text: Body
    html: str | None = Field(None, max_length=500_000, description="The same as HTML; sanitised.")
    to_message_id: UUID | None = Field(None, description="The message being answered; default: the newest.")
    cc: list[Line] = Field(default_factory=list, max_length=50)
    bcc: list[Line] = Field(default_factory=list, max_length=50)
    attachment_ids: list[UUID] = Field(default_factory=list, max_length=20)
    status: Status | None = Field(None, description="The ticket's status afterwards.")


class NewForward(In):
    """The ticket's newest message of the customer, to somebody else, as a ticket of its own that is linked."""

    to: Line
    text: str = Field("", max_length=200_000)
    message_id: UUID | None = None


class NewNote(In):
    text: Body
    attachment_ids: list[UUID] = Field(default_factory=list, max_length=20)


class HandoffChange(In):
    to: Literal[Handoff.AI, Handoff.HUMAN, Handoff.QUEUE]
    """`human`: I take it over; `ai`: the AI answers the next message; `queue`: somebody else, please."""


class Verdict(In):
    accept: bool
    text: str | None = Field(None, max_length=200_000, description="The draft as edited; default: as it is.")
    reason: str | None = Field(None, max_length=1000)


@router.get("")
async def list_tickets(
    principal: ReadTickets,
    status: Annotated[list[Status] | None, Query()] = None,
    handoff: Annotated[list[Handoff] | None, Query()] = None,
    channel: Annotated[str | None, Query(max_length=50)] = None,
    assignee: Annotated[str | None, Query(description="`me`, `none`, or a user's id.", max_length=36)] = None,
    contact: UUID | None = None,
    tag: Annotated[str | None, Query(max_length=60)] = None,
    q: Annotated[str | None, Query(description="Words in its messages, or its number.", max_length=300)] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[TicketOut]:
    """Tickets, the most recently active first."""
    assignee_id: UUID | None = None
    if assignee == "me":
        assignee_id = principal.id
    elif assignee not in (None, "none"):
        try:
            assignee_id = UUID(assignee)
        except ValueError:
            raise Invalid("assignee_invalid", "assignee is `me`, `none`, or a user's id") from None
    by = queries.Filter(
        status=status or (),
        handoff=handoff or (),
        channel=channel,
        assignee_id=assignee_id,
        unassigned=assignee == "none",
        contact_id=contact,
        tag=tag,
        words=q.replace("\x00", "").strip() if q else None,
    )
    async with transaction() as session:
        rows, following = await queries.list_tickets(session, principal, by, cursor=cursor, limit=limit)
    return Page(items=[ticket_out(row, principal) for row in rows], next=following)


@router.post("", status_code=201)
async def start_ticket(body: NewTicket, principal: WriteTickets, once: Once) -> TicketOut:
    """Begins a conversation on a channel that can initiate one."""
    _inside(principal)

    async def act(session: AsyncSession) -> TicketOut:
        ticket = await changes.start(
            session,
            account_id=body.account_id,
            to=body.to,
            name=body.name,
            subject=body.subject,
            reply=Reply(
                author=Author.USER,
                author_id=principal.user_id,
                author_name=principal.name,
                text=body.text,
                html=body.html,
                attachment_ids=body.attachment_ids,
                uploader_id=principal.id,
            ),
        )
        return ticket_out(await queries.get_ticket(session, principal, ticket.id), principal)

    return await once(principal, body, TicketOut, act)


@router.get("/{ticket_id}")
async def get_ticket(ticket_id: TicketId, principal: ReadTickets) -> TicketOut:
    async with transaction() as session:
        return ticket_out(await queries.get_ticket(session, principal, ticket_id), principal)


@router.patch("/{ticket_id}")
async def change_ticket(ticket_id: TicketId, body: TicketChange, principal: WriteTickets) -> TicketOut:
    """Changes fields; each change stands on the timeline."""
    _inside(principal)
    async with transaction() as session:
        await queries.get_ticket(session, principal, ticket_id)
        values = body.model_dump(exclude_unset=True, exclude={"version"})
        await changes.change(session, ticket_id, values, actor_id=principal.user_id, version=body.version)
        return ticket_out(await queries.get_ticket(session, principal, ticket_id), principal)


class NewRequester(In):
    message_id: UUID = Field(description="A forwarded message; whoever wrote it first becomes the requester.")


@router.post("/{ticket_id}/requester")
async def accept_sender(ticket_id: TicketId, body: NewRequester, principal: WriteTickets) -> TicketOut:
    """Takes the first sender of a forwarded message for the requester: answers go there from now on."""
    _inside(principal)
    async with transaction() as session:
        await queries.get_ticket(session, principal, ticket_id)
        await changes.accept_sender(session, ticket_id, body.message_id, principal.user_id)
        return ticket_out(await queries.get_ticket(session, principal, ticket_id), principal)


@router.get("/{ticket_id}/messages")
async def list_messages(
    ticket_id: TicketId, principal: ReadTickets, cursor: Cursor = None, limit: Limit = 100
) -> Page[MessageOut]:
    """Messages and notes, oldest first."""
    async with transaction() as session:
        await queries.get_ticket(session, principal, ticket_id)
        rows, following = await queries.list_messages(session, principal, ticket_id, cursor=cursor, limit=limit)
    return Page(items=[message_out(row, principal) for row in rows], next=following)


@router.get("/{ticket_id}/events")
async def list_events(
    ticket_id: TicketId, principal: ReadTickets, cursor: Cursor = None, limit: Limit = 100
) -> Page[EventOut]:
    """The timeline, oldest first."""
    _inside(principal)
    async with transaction() as session:
        await queries.get_ticket(session, principal, ticket_id)
        events, following = await queries.list_events(session, ticket_id, cursor=cursor, limit=limit)
    return Page(items=[EventOut.model_validate(event) for event in events], next=following)


@router.post("/{ticket_id}/replies", status_code=201)
async def reply(ticket_id: TicketId, body: NewReply, principal: WriteTickets, once: Once) -> MessageOut:
    """Answers the customer by the way the message came. A ticket that the AI had is yours afterwards."""
    _inside(principal)

    async def act(session: AsyncSession) -> MessageOut:
        row = await queries.get_ticket(session, principal, ticket_id)
        ticket = await changes.lock(session, row.ticket.id)
        message = await post_reply(
            session,
            ticket,
            Reply(
                author=Author.USER,
                author_id=principal.user_id,
                uploader_id=principal.id,
                author_name=principal.name,
                text=body.text,
                html=changes.clean_html(body.html),
                cc=body.cc,
                bcc=body.bcc,
                attachment_ids=body.attachment_ids,
                to_message_id=body.to_message_id,
                status=body.status,
            ),
        )
        return message_out((await queries.with_parts(session, [message]))[0], principal)

    return await once(principal, body, MessageOut, act)


@router.post("/{ticket_id}/forward", status_code=201)
async def forward(ticket_id: TicketId, body: NewForward, principal: WriteTickets, once: Once) -> TicketOut:
    """Passes a message on to somebody outside, with its files; their answer is a linked ticket."""
    _inside(principal)

    async def act(session: AsyncSession) -> TicketOut:
        row = await queries.get_ticket(session, principal, ticket_id)
        ticket = await changes.forward(
            session,
            row.ticket,
            to=body.to,
            text=body.text,
            message_id=body.message_id,
            user_id=principal.user_id,
            user_name=principal.name,
        )
        return ticket_out(await queries.get_ticket(session, principal, ticket.id), principal)

    return await once(principal, body, TicketOut, act)


@router.post("/{ticket_id}/notes", status_code=201)
async def note(ticket_id: TicketId, body: NewNote, principal: WriteTickets, once: Once) -> MessageOut:
    """Adds a note that only people inside see."""
    _inside(principal)

    async def act(session: AsyncSession) -> MessageOut:
        await queries.get_ticket(session, principal, ticket_id)
        message = await post_note(
            session,
            await changes.lock(session, ticket_id),
            author_id=principal.user_id,
            uploader_id=principal.id,
            author_name=principal.name,
            text=body.text,
            attachment_ids=body.attachment_ids,
        )
        return message_out((await queries.with_parts(session, [message]))[0], principal)

    return await once(principal, body, MessageOut, act)


@router.post("/{ticket_id}/handoff")
async def change_handoff(ticket_id: TicketId, body: HandoffChange, principal: WriteTickets) -> TicketOut:
    """Takes the ticket over from the AI, or gives it back."""
    _inside(principal)
    if principal.user_id is None and body.to is Handoff.HUMAN:
        raise Forbidden("user_needed", "a key cannot take a ticket over; sign in as a user")
    async with transaction() as session:
        await queries.get_ticket(session, principal, ticket_id)
        await changes.hand(session, ticket_id, body.to, principal.user_id)
        return ticket_out(await queries.get_ticket(session, principal, ticket_id), principal)


@router.post("/{ticket_id}/messages/{message_id}/verdict")
async def judge_draft(ticket_id: TicketId, message_id: UUID, body: Verdict, principal: WriteTickets) -> TicketOut:
    """Accepts the AI's draft, as it is or edited, or rejects it."""
    _inside(principal)
    async with transaction() as session:
        await queries.get_ticket(session, principal, ticket_id)
        await changes.judge(
            session,
            ticket_id,
            message_id,
            accept=body.accept,
            text=body.text,
            reason=body.reason,
            user_id=principal.user_id,
        )
        return ticket_out(await queries.get_ticket(session, principal, ticket_id), principal)


def _inside(principal: Principal) -> None:
    if not principal.inside:
        raise Forbidden("inside_only", "this is for people who work here")
