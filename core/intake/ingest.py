"""From neutral events to tickets: hygiene, identity, thread, message, timeline, next jobs, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import filetype
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from channels.contract import (
    ActionTaken,
    Automation,
    CallEnded,
    CallStarted,
    Digits,
    Inbound,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    PeerChange,
    PeerChanged,
    ReactionChanged,
    ReceiptReceived,
    TypingChanged,
)
from core.accounts.models import ChannelAccount
from core.accounts.service import spec_of
from core.blobs import blobs
from core.contacts.identities import contact_of, identify
from core.contacts.models import Contact, Identity
from core.delivery.receipts import apply_receipt
from core.ids import new_id
from core.intake.models import RawState
from core.intake.threading import Thread, find_thread
from core.jobs.models import Lane
from core.jobs.queue import enqueue
from core.people.models import User
from core.settings import settings
from core.storable import storable
from core.tickets import handoff
from core.tickets.events import Kind, locked, record
from core.tickets.models import (
    AttachmentRow,
    Author,
    Direction,
    Handoff,
    Message,
    Priority,
    Route,
    Status,
    ThreadRef,
    Ticket,
)
from core.tickets.replies import withdraw_drafts

PREVIEW = 200
"""Characters of a message that lists show."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a raw."""

    state: RawState
    reason: str | None = None
    ticket_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class StoredFile:
    """An attachment whose bytes are durable already."""

    filename: str
    content_type: str
    size: int
    sha256: bytes
    blob_key: str
    content_id: str | None
    inline: bool


Files = dict[str, list[StoredFile]]
"""Stored files by the external id of their event."""

_RANK = [RawState.FILTERED, RawState.APPENDED, RawState.QUARANTINED, RawState.TICKET]
"""A raw with several events is what its weightiest event became."""


async def store_attachments(events: Sequence[Inbound]) -> Files:
    """Makes the files of all messages durable, before and outside the transaction that refers to them."""
    import hashlib

    stored: Files = {}
    for event in events:
        if not isinstance(event, MessageReceived):
            continue
        for attachment in event.attachments:
            content = attachment.content
            if content is None:
                continue
            stored.setdefault(event.external_id, []).append(
                StoredFile(
                    filename=attachment.filename,
                    content_type=sniff(content, attachment.content_type),
                    size=len(content),
                    sha256=hashlib.sha256(content).digest(),
                    blob_key=await blobs().put(content),
                    content_id=attachment.content_id,
                    inline=attachment.inline,
                )
            )
    return stored


def sniff(content: bytes, declared: str) -> str:
    """The type that the bytes show; where they show none, the declared one unless a browser would run it."""
    kind = filetype.guess(content[:8192])
    if kind is not None:
        return str(kind.mime)
    declared = declared.split(";", maxsplit=1)[0].strip().lower()
    safe = {"text/plain", "text/csv", "text/calendar", "message/rfc822", "application/json", "application/ms-tnef"}
    return declared if declared in safe else "application/octet-stream"


async def ingest(
    session: AsyncSession,
    account: ChannelAccount,
    raw_id: UUID,
    events: Sequence[Inbound],
    files: Files,
    correlation_id: UUID | None,
) -> Outcome:
    """Applies all events of a raw. The caller holds the lock of their conversation."""
    outcome = Outcome(RawState.FILTERED, "nothing_of_interest")
    for event in events:
        stored = files.get(event.external_id, [])
        result = await _apply(session, account, raw_id, _storable(event), stored, correlation_id)
        if _RANK.index(result.state) >= _RANK.index(outcome.state):
            outcome = result
    await session.execute(
        sa.update(ChannelAccount).where(ChannelAccount.id == account.id).values(last_in_at=sa.func.now())
    )
    return outcome


def _storable(event: Inbound) -> Inbound:
    """The event without what a database cannot keep; attachments are bytes, and stored already."""
    if "\\u0000" not in event.model_dump_json(exclude={"attachments"}):
        return event
    clean = storable(event.model_dump(exclude={"attachments"}))
    return event.model_validate({**clean, **event.model_dump(include={"attachments"})})


async def _apply(
    session: AsyncSession,
    account: ChannelAccount,
    raw_id: UUID,
    event: Inbound,
    files: Sequence[StoredFile],
    correlation_id: UUID | None,
) -> Outcome:
    match event:
        case MessageReceived():
            return await _message(session, account, raw_id, event, files, correlation_id)
        case ReceiptReceived():
            ticket_id = await apply_receipt(session, account, event)
            if ticket_id is None:
                return Outcome(RawState.FILTERED, event.automation.value if event.automation else "receipt_unknown")
            return Outcome(RawState.APPENDED, f"receipt_{event.kind}", ticket_id)
        case MessageEdited() | MessageDeleted() | ReactionChanged():
            return await _message_changed(session, account, event)
        case PeerChanged():
            return await _peer_changed(session, account, event)
        case ActionTaken() | Digits() | CallStarted() | CallEnded():
            return await _conversation_event(session, account, event)
        case TypingChanged():
            return Outcome(RawState.FILTERED, "typing")


# ------------------------------------------------------------------------------------------------------- messages


async def _message(
    session: AsyncSession,
    account: ChannelAccount,
    raw_id: UUID,
    event: MessageReceived,
    files: Sequence[StoredFile],
    correlation_id: UUID | None,
) -> Outcome:
    if event.automation is Automation.VERIFICATION:
        # Whoever could read it could prove to another service that they own our address.
        return Outcome(RawState.QUARANTINED, "verification")
    if event.facts.get("loop"):
        return Outcome(RawState.FILTERED, "loop")
    identity = await identify(session, event.sender, event.language)
    contact = await contact_of(session, identity)
    if contact.blocked:
        return Outcome(RawState.FILTERED, "blocked")
    known = await session.scalar(
        sa.select(Message)
        .join(ThreadRef, ThreadRef.message_id == Message.id)
        .where(ThreadRef.account_id == account.id, ThreadRef.ref == event.external_id)
    )
    if known is not None and known.direction is Direction.IN and known.author_id == contact.id and known.text == event.text:
        return Outcome(RawState.FILTERED, "duplicate", known.ticket_id)

    thread = await find_thread(session, account, spec_of(account.channel).capabilities, event, identity)
    automatic = event.automation in (Automation.AUTO_REPLY, Automation.BOUNCE, Automation.COMPLAINT)
    if automatic and thread.ticket_id is None:
        return Outcome(RawState.FILTERED, event.automation.value)

    if thread.ticket_id is None:
        ticket = await _open(session, account, event, contact, thread)
    else:
        ticket = await locked(session, thread.ticket_id)
        if not automatic:
            await _wake(session, ticket)
    route = await _route(session, account, ticket, identity, event, thread)
    message = await _write(session, account, ticket, route, raw_id, contact, event, files, known is not None)
    await _take_part(session, ticket, identity, event)
    await _what_next(session, account, ticket, message, event, correlation_id)
    state = RawState.TICKET if thread.ticket_id is None else RawState.APPENDED
    return Outcome(state, event.automation.value if automatic else None, ticket.id)


async def _open(
    session: AsyncSession, account: ChannelAccount, event: MessageReceived, contact: Contact, thread: Thread
) -> Ticket:
    subject = (event.subject or event.text.strip().partition("\n")[0])[:200]
    ticket = Ticket(
        id=new_id(),
        subject=subject,
        contact_id=contact.id,
        account_id=account.id,
        channel=account.channel,
        language=event.language or contact.language,
        linked_to_id=thread.linked_to_id,
        priority=Priority.LOW if event.automation is Automation.BULK else Priority.NORMAL,
        event_seq=0,
        version=1,
        handoff=Handoff.AI,
        status=Status.OPEN,
    )
    session.add(ticket)
    await session.flush()
    record(session, ticket, Kind.CREATED, actor=Author.CONTACT, actor_id=contact.id, channel=account.channel)
    if thread.linked_to_id is not None:
        record(session, ticket, Kind.LINKED, to=str(thread.linked_to_id), reason=thread.reason)
    return ticket


async def _wake(session: AsyncSession, ticket: Ticket) -> None:
    """A customer's message on an existing ticket: a finished one is open again, a draft is withdrawn."""
    if ticket.status in (Status.PENDING, Status.RESOLVED, Status.CLOSED):
        before = ticket.status
        ticket.status = Status.OPEN
        ticket.resolved_at = None
        record(session, ticket, Kind.REOPENED, actor=Author.CONTACT, before=before.value)
    gone = ticket.assignee_id is not None and not await session.scalar(
        sa.select(User.active).where(User.id == ticket.assignee_id)
    )
    handoff.customer_wrote(session, ticket, person_gone=gone)
    await withdraw_drafts(session, ticket, "customer_wrote")


async def _route(
    session: AsyncSession,
    account: ChannelAccount,
    ticket: Ticket,
    identity: Identity,
    event: MessageReceived,
    thread: Thread,
) -> Route:
    """The route of this conversation on this ticket, with the newest way to answer."""
    if thread.route_id is not None:
        route = await session.get_one(Route, thread.route_id)
        if route.identity_id == identity.id:
            route.data = dict(event.route)
            return route
    conversation = event.conversation or f"{identity.kind}:{identity.value}:{ticket.id}"
    route_id = await session.scalar(
        sa.select(Route.id).where(Route.account_id == account.id, Route.conversation == conversation, Route.active)
    )
    if route_id is not None:
        await session.execute(sa.update(Route).where(Route.id == route_id).values(active=False))
    route = Route(
        id=new_id(),
        ticket_id=ticket.id,
        account_id=account.id,
        identity_id=identity.id,
        conversation=conversation,
        data=dict(event.route),
        active=True,
    )
    session.add(route)
    await session.flush()
    return route


async def _write(
    session: AsyncSession,
    account: ChannelAccount,
    ticket: Ticket,
    route: Route,
    raw_id: UUID,
    contact: Contact,
    event: MessageReceived,
    files: Sequence[StoredFile],
    ref_taken: bool,
) -> Message:
    message = Message(
        id=new_id(),
        ticket_id=ticket.id,
        route_id=route.id,
        raw_id=raw_id,
        direction=Direction.IN,
        author=Author.CONTACT,
        author_id=contact.id,
        author_name=event.sender.name or contact.name or event.sender.value,
        external_id=event.external_id,
        subject=event.subject,
        text=event.text,
        html=event.html,
        quoted=event.quoted,
        signature=event.signature,
        language=event.language,
        automation=event.automation,
        authenticity=event.authenticity,
        facts=dict(event.facts),
        recipients={
            "to": [address.value for address in event.to],
            "cc": [address.value for address in event.cc],
        },
        provider_time=event.provider_time,
    )
    session.add(message)
    await session.flush()
    if not ref_taken:
        session.add(
            ThreadRef(account_id=account.id, ref=event.external_id, ticket_id=ticket.id, message_id=message.id)
        )
    for file in files:
        session.add(
            AttachmentRow(
                id=new_id(),
                message_id=message.id,
                filename=file.filename,
                content_type=file.content_type,
                size=file.size,
                sha256=file.sha256,
                blob_key=file.blob_key,
                content_id=file.content_id,
                inline=file.inline,
            )
        )
    ticket.preview = event.text.strip()[:PREVIEW]
    ticket.activity_at = sa.func.now()
    if event.automation is Automation.NONE:
        ticket.customer_at = sa.func.now()
    record(
        session,
        ticket,
        Kind.MESSAGE,
        actor=Author.CONTACT,
        actor_id=contact.id,
        message_id=message.id,
        automation=event.automation.value,
        authenticity=event.authenticity.value,
    )
    return message


async def _take_part(session: AsyncSession, ticket: Ticket, identity: Identity, event: MessageReceived) -> None:
    """The sender and whoever received a copy may write into this ticket by reference."""
    roles = {identity.id: "requester"}
    own = await session.scalars(
        sa.select(ChannelAccount.recipient_key).where(ChannelAccount.recipient_key.is_not(None))
    )
    ours = set(own)
    for address in (*event.to, *event.cc):
        if address.value not in ours and address.kind == identity.kind and len(roles) < 50:
            copied = await identify(session, address)
            roles.setdefault(copied.id, "copied")
    for identity_id, role in roles.items():
        await session.execute(
            sa.text(
                "INSERT INTO participants (ticket_id, identity_id, role) VALUES (:ticket, :identity, :role) "
                "ON CONFLICT DO NOTHING"
            ),
            {"ticket": ticket.id, "identity": identity_id, "role": role},
        )


async def _what_next(
    session: AsyncSession,
    account: ChannelAccount,
    ticket: Ticket,
    message: Message,
    event: MessageReceived,
    correlation_id: UUID | None,
) -> None:
    if event.to_person:
        handoff.queue(session, ticket, "requested", Author.CONTACT)
    answerable = event.automation is Automation.NONE and not event.suppress_auto_reply
    if ticket.handoff is Handoff.AI and not answerable:
        if event.automation is Automation.NONE:
            # The sender wants no automatic answer; a person may still give one.
            handoff.queue(session, ticket, "automatic_reply_unwanted", Author.SYSTEM)
        return
    if ticket.handoff is Handoff.AI:
        chat_like = spec_of(account.channel).capabilities.chat_like
        await enqueue(
            session,
            "ai.reply",
            {"ticket_id": str(ticket.id), "message_id": str(message.id)},
            lane=Lane.AI,
            delay=settings().ai_quiet if chat_like else 0,
            fair_key=str(account.id),
            unique_key=f"ai.reply:{message.id}",
            correlation_id=correlation_id,
        )


# ------------------------------------------------------------------------------------------------- other events


async def _message_changed(
    session: AsyncSession, account: ChannelAccount, event: MessageEdited | MessageDeleted | ReactionChanged
) -> Outcome:
    message = await session.scalar(
        sa.select(Message)
        .join(ThreadRef, ThreadRef.message_id == Message.id)
        .where(ThreadRef.account_id == account.id, ThreadRef.ref == event.message_id)
    )
    if message is None:
        return Outcome(RawState.FILTERED, "message_unknown")
    ticket = await locked(session, message.ticket_id)
    match event:
        case MessageEdited():
            before, message.text, message.html = message.text, event.text, event.html
            message.edited_at = sa.func.now()
            record(session, ticket, Kind.EDITED, actor=Author.CONTACT, message_id=message.id, before=before)
        case MessageDeleted():
            message.deleted_at = sa.func.now()
            record(session, ticket, Kind.DELETED, actor=Author.CONTACT, message_id=message.id)
        case ReactionChanged():
            record(
                session,
                ticket,
                Kind.REACTION,
                actor=Author.CONTACT,
                message_id=message.id,
                reaction=event.reaction,
                added=event.added,
            )
    return Outcome(RawState.APPENDED, event.type, ticket.id)


async def _peer_changed(session: AsyncSession, account: ChannelAccount, event: PeerChanged) -> Outcome:
    identity = await identify(session, event.peer)
    if event.change in (PeerChange.OPTED_OUT, PeerChange.BLOCKED):
        identity.opted_out_at = sa.func.now()
    else:
        identity.opted_out_at = None
    tickets = await session.scalars(
        sa.select(Route.ticket_id).where(Route.identity_id == identity.id, Route.account_id == account.id, Route.active)
    )
    ticket_id = None
    for ticket_id in tickets:
        ticket = await locked(session, ticket_id)
        record(session, ticket, Kind.PEER, actor=Author.CONTACT, change=event.change.value, peer=event.peer.value)
    return Outcome(RawState.APPENDED if ticket_id else RawState.FILTERED, event.change.value, ticket_id)


async def _conversation_event(
    session: AsyncSession, account: ChannelAccount, event: ActionTaken | Digits | CallStarted | CallEnded
) -> Outcome:
    ticket_id = await session.scalar(
        sa.select(Route.ticket_id).where(
            Route.account_id == account.id, Route.conversation == event.conversation, Route.active
        )
    )
    if ticket_id is None:
        return Outcome(RawState.FILTERED, "conversation_unknown")
    ticket = await locked(session, ticket_id)
    record(session, ticket, Kind.ACTION, actor=Author.CONTACT, **event.model_dump(mode="json", exclude={"sender"}))
    if isinstance(event, ActionTaken) and event.action == "person":
        handoff.queue(session, ticket, "requested", Author.CONTACT)
    return Outcome(RawState.APPENDED, event.type, ticket.id)
