"""What people do to tickets: change fields, hand over, begin, forward, judge drafts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import nh3
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from channels.contract import Address
from core.accounts.models import ChannelAccount
from core.accounts.service import get as get_account
from core.accounts.service import spec_of
from core.contacts.identities import contact_of, identify
from core.errors import Conflict, Invalid, NotFound
from core.ids import new_id
from core.people.models import Role, Team, User
from core.tickets import handoff
from core.tickets.events import Kind, locked, record
from core.tickets.models import (
    AttachmentRow,
    Author,
    Direction,
    FileState,
    Handoff,
    Message,
    Status,
    Ticket,
)
from core.tickets.replies import Reply, post_reply
from core.tickets.routes import route_to

lock = locked


def clean_html(html: str | None) -> str | None:
    """HTML of a composer, safe to show and to send: the usual tags, no scripts, no styles, no remote loads."""
    if not html:
        return None
    tags = {
        "p",
        "br",
        "b",
        "strong",
        "i",
        "em",
        "u",
        "s",
        "a",
        "ul",
        "ol",
        "li",
        "blockquote",
        "code",
        "pre",
        "h1",
        "h2",
        "h3",
    }
    return nh3.clean(html, tags=tags, attributes={"a": {"href"}}, url_schemes={"http", "https", "mailto", "tel"})


async def change(
    session: AsyncSession,
    ticket_id: UUID,
    values: dict[str, Any],
    *,
    actor_id: UUID | None,
    version: int | None = None,
) -> Ticket:
    """Sets fields; each that differs becomes an event. Raises Conflict when `version` is not the current one, NotFound."""
    ticket = await locked(session, ticket_id)
    if version is not None and version != ticket.version:
        raise Conflict("ticket_changed", "somebody else changed this ticket meanwhile", version=ticket.version)
    if values.get("assignee_id") is not None and not await session.scalar(
        sa.select(User.id).where(User.id == values["assignee_id"], User.active, User.role != Role.CUSTOMER)
    ):
        raise NotFound("user_not_found", "there is no such user")
    if values.get("team_id") is not None and await session.get(Team, values["team_id"]) is None:
        raise NotFound("team_not_found", "there is no such team")
    for required in ("subject", "status", "priority", "tags", "custom"):
        if required in values and values[required] is None:
            raise Invalid("field_required", f"{required} cannot be empty", field=required)
    for name, after in values.items():
        before = getattr(ticket, name)
        if before == after:
            continue
        setattr(ticket, name, after)
        if name == "status":
            _status_changed(session, ticket, after)
        record(
            session,
            ticket,
            Kind.CHANGED,
            actor=Author.USER,
            actor_id=actor_id,
            field=name,
            before=_plain(before),
            after=_plain(after),
        )
    await session.flush()
    return ticket


def _status_changed(session: AsyncSession, ticket: Ticket, status: Status) -> None:
    if status in (Status.RESOLVED, Status.CLOSED):
        ticket.resolved_at = ticket.resolved_at or sa.func.now()
    else:
        ticket.resolved_at = None


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, (UUID, Status)) else value


async def hand(session: AsyncSession, ticket_id: UUID, to: Handoff, user_id: UUID | None) -> None:
    """A person takes over, gives back, or passes on."""
    ticket = await locked(session, ticket_id)
    match to:
        case Handoff.HUMAN:
            handoff.take_over(session, ticket, user_id)
        case Handoff.AI:
            handoff.give_back(session, ticket, user_id)
        case Handoff.QUEUE:
            handoff.pass_on(session, ticket, user_id)
        case Handoff.REVIEW:
            raise Invalid("handoff_invalid", "only the AI puts a ticket up for review")


async def start(
    session: AsyncSession,
    *,
    account_id: UUID,
    to: str,
    name: str | None,
    subject: str | None,
    reply: Reply,
    linked_to_id: UUID | None = None,
) -> Ticket:
    """A conversation that we begin. Raises NotFound, Invalid, Conflict."""
    account = await get_account(session, account_id)
    spec = spec_of(account.channel)
    if not spec.capabilities.can_initiate:
        raise Conflict("channel_cannot_initiate", f"{spec.title} cannot begin a conversation")
    address = _address(account, to, name)
    identity = await identify(session, address)
    contact = await contact_of(session, identity)
    ticket = Ticket(
        id=new_id(),
        subject=subject or reply.text.strip().split("\n", 1)[0][:200],
        contact_id=contact.id,
        account_id=account.id,
        channel=account.channel,
        language=contact.language,
        handoff=Handoff.HUMAN,
        assignee_id=reply.author_id,
        status=Status.PENDING,
        linked_to_id=linked_to_id,
        event_seq=0,
        version=1,
    )
    session.add(ticket)
    await session.flush()
    record(session, ticket, Kind.CREATED, actor=Author.USER, actor_id=reply.author_id, channel=account.channel)
    await route_to(session, ticket, account, identity)
    await session.execute(
        sa.text("INSERT INTO participants (ticket_id, identity_id, role) VALUES (:ticket, :identity, 'requester')"),
        {"ticket": ticket.id, "identity": identity.id},
    )
    await session.flush()
    await post_reply(session, ticket, replace(reply, html=clean_html(reply.html)))
    return ticket


def _address(account: ChannelAccount, to: str, name: str | None) -> Address:
    """The recipient as the channel's own settings name people: by the kind of its identities."""
    kind = spec_of(account.channel).peer_kind
    value = to.strip()
    if kind == "email":
        value = value.lower()
        if value.count("@") != 1 or " " in value:
            raise Invalid("address_invalid", f"{to!r} is not an e-mail address")
    return Address(kind=kind, value=value, name=name)


async def forward(
    session: AsyncSession,
    ticket: Ticket,
    *,
    to: str,
    text: str,
    message_id: UUID | None,
    user_id: UUID | None,
    user_name: str,
) -> Ticket:
    """Passes a message on to somebody outside as a linked ticket, with copies of its files."""
    statement = sa.select(Message).where(Message.ticket_id == ticket.id, Message.direction == Direction.IN)
    if message_id is not None:
        statement = statement.where(Message.id == message_id)
    message = await session.scalar(statement.order_by(Message.created_at.desc()).limit(1))
    if message is None or ticket.account_id is None:
        raise NotFound("message_not_found", "there is no such message on this ticket")
    copies = []
    ready = sa.select(AttachmentRow).where(
        AttachmentRow.message_id == message.id, AttachmentRow.state == FileState.READY
    )
    for file in await session.scalars(ready):
        copy = AttachmentRow(
            id=new_id(),
            uploader_id=user_id,
            filename=file.filename,
            content_type=file.content_type,
            size=file.size,
            sha256=file.sha256,
            blob_key=file.blob_key,
            content_id=file.content_id,
            inline=file.inline,
        )
        session.add(copy)
        copies.append(copy.id)
    await session.flush()
    quoted = "\n".join(f"> {line}".rstrip() for line in message.text.splitlines())
    body = f"{text.strip()}\n\n{message.author_name or ''}:\n{quoted}".strip()
    begun = await start(
        session,
        account_id=ticket.account_id,
        to=to,
        name=None,
        subject=f"Fwd: {ticket.subject}"[:300],
        reply=Reply(author=Author.USER, author_id=user_id, author_name=user_name, text=body, attachment_ids=copies),
        linked_to_id=ticket.id,
    )
    record(
        session,
        await locked(session, ticket.id),
        Kind.LINKED,
        actor=Author.USER,
        actor_id=user_id,
        to=str(begun.id),
        reason="forwarded",
    )
    return begun


async def accept_sender(session: AsyncSession, ticket_id: UUID, message_id: UUID, user_id: UUID | None) -> Ticket:
    """Makes whoever wrote a forwarded message first the requester: answers go to them from now on.

    Their address is what the forwarding mail says, and stays marked as merely claimed. Raises NotFound, Conflict.
    """
    ticket = await locked(session, ticket_id)
    message = await session.scalar(sa.select(Message).where(Message.id == message_id, Message.ticket_id == ticket_id))
    if message is None:
        raise NotFound("message_not_found", "there is no such message on this ticket")
    first = (message.facts.get("forwarded") or {}).get("from") or {}
    if not first.get("address") or ticket.account_id is None:
        raise Conflict("not_forwarded", "nobody else is said to have written this message first")
    account = await get_account(session, ticket.account_id)
    identity = await identify(session, _address(account, first["address"], first.get("name")))
    contact = await contact_of(session, identity)
    if contact.id != ticket.contact_id:
        before, ticket.contact_id = ticket.contact_id, contact.id
        record(
            session, ticket, Kind.CHANGED, actor=Author.USER, actor_id=user_id, message_id=message.id,
            field="contact_id", before=str(before), after=str(contact.id), reason="forwarded",
        )  # fmt: skip
    await session.execute(
        sa.text(
            "INSERT INTO participants (ticket_id, identity_id, role) VALUES (:ticket, :identity, 'requester') "
            "ON CONFLICT DO NOTHING"
        ),
        {"ticket": ticket.id, "identity": identity.id},
    )
    # Whoever answers this message answers its first sender.
    message.route_id = (await route_to(session, ticket, account, identity)).id
    await session.flush()
    return ticket


async def judge(
    session: AsyncSession,
    ticket_id: UUID,
    message_id: UUID,
    *,
    accept: bool,
    text: str | None,
    reason: str | None,
    user_id: UUID | None,
) -> None:
    """A person's verdict on a draft of the AI. Raises NotFound, Conflict."""
    ticket = await locked(session, ticket_id)
    draft = await session.scalar(
        sa.select(Message).where(Message.id == message_id, Message.ticket_id == ticket_id).with_for_update()
    )
    if draft is None:
        raise NotFound("message_not_found", "there is no such message on this ticket")
    if not draft.draft or draft.deleted_at is not None:
        raise Conflict("not_a_draft", "this draft has been decided already")
    draft.deleted_at = sa.func.now()
    if accept:
        edited = text is not None and text.strip() != draft.text.strip()
        await post_reply(
            session,
            ticket,
            Reply(
                author=Author.AI,
                author_name=draft.author_name,
                text=text if edited and text else draft.text,
                html=None if edited else draft.html,
                language=draft.language,
                citations=draft.citations,
                ai={**(draft.ai or {}), "reviewed_by": _plain(user_id), "edited": edited},
                to_message_id=draft.in_reply_to_id,
                data={"reviewed_by": _plain(user_id), "edited": edited},
            ),
        )
    else:
        record(
            session, ticket, Kind.DELETED, actor=Author.USER, actor_id=user_id, message_id=draft.id, reason=reason or ""
        )
    handoff.reviewed(session, ticket, user_id, accepted=accept)
