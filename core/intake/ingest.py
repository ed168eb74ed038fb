"""From neutral events to tickets: hygiene, identity, thread, message, timeline, next jobs, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import filetype  # type: ignore[import-untyped]
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from channels.contract import (
    ActionTaken,
    Attachment,
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
from core.contacts.identities import identify
from core.db import Statement, pipelined
from core.delivery.follow_up import follow_up
from core.delivery.receipts import apply_receipt
from core.ids import new_id
from core.intake import rows
from core.intake.calls import call_ended, call_started
from core.intake.models import Outcome, RawState
from core.intake.rows import StoredFile
from core.intake.sight import Person, look
from core.intake.threading import Thread
from core.jobs.models import Lane
from core.jobs.queue import job_row
from core.people.models import User
from core.settings import settings
from core.storable import storable
from core.tickets import handoff
from core.tickets.events import Kind, locked, record
from core.tickets.files import safe_name
from core.tickets.models import (
    Author,
    Handoff,
    Message,
    Priority,
    Route,
    Status,
    ThreadRef,
    Ticket,
    TicketEvent,
)
from core.tickets.replies import withdraw_drafts

PREVIEW = 200
"""Characters of a message that lists show."""
# Every few seconds at most: a row that every message changed would make messages wait for one another.
_SIGN_OF_LIFE = """
    UPDATE channel_accounts SET last_in_at = now()
    WHERE id = %(account_id)s AND (last_in_at IS NULL OR last_in_at < now() - interval '2 seconds')
"""


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
            files = stored.setdefault(event.external_id, [])
            content = attachment.content
            if content is None:
                if attachment.url is not None:
                    files.append(_distant(attachment))
                continue
            content_type = sniff(content, attachment.content_type)
            files.append(
                StoredFile(
                    filename=attachment.filename,
                    content_type=content_type,
                    size=len(content),
                    sha256=hashlib.sha256(content).digest(),
                    blob_key=await blobs().put(content),
                    content_id=attachment.content_id,
                    inline=attachment.inline,
                    spoken=attachment.spoken,
                    heard=attachment.spoken or content_type.startswith("audio/"),
                )
            )
    return stored


def _distant(attachment: Attachment) -> StoredFile:
    """A file that is fetched after its message is safe."""
    return StoredFile(
        filename=safe_name(attachment.filename),
        content_type=attachment.content_type.split(";", maxsplit=1)[0].strip().lower() or "application/octet-stream",
        size=attachment.size or 0,
        content_id=attachment.content_id,
        inline=attachment.inline,
        source=storable(attachment.model_dump(mode="json", exclude={"content"}, exclude_none=True)),
        spoken=attachment.spoken,
        heard=attachment.spoken or attachment.content_type.startswith("audio/"),
    )


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
) -> tuple[Outcome, list[Statement]]:
    """Applies all events of a raw. The caller holds the lock of their conversation, and sends the statements returned:
    what is left to be written."""
    outcome = Outcome(RawState.FILTERED, "nothing_of_interest")
    left: list[Statement] = []
    for event in events:
        if left:
            await pipelined(session, left)
        stored = files.get(event.external_id, [])
        result, left = await _apply(session, account, raw_id, _storable(event), stored, correlation_id)
        if _RANK.index(result.state) >= _RANK.index(outcome.state):
            outcome = result
    return outcome, [*left, (_SIGN_OF_LIFE, {"account_id": account.id})]


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
) -> tuple[Outcome, list[Statement]]:
    """What became of the event, and what is left to be written."""
    match event:
        case MessageReceived():
            # What an earlier event of the raw has changed must be there when the ticket is read again under its lock.
            await session.flush()
            # What is recorded on the way is written with the message, not by the session.
            with session.no_autoflush:
                return await _message(session, account, raw_id, event, files, correlation_id)
        case ReceiptReceived():
            ticket_id = await apply_receipt(session, account, event)
            if ticket_id is None:
                reason = event.automation.value if event.automation else "receipt_unknown"
                return Outcome(RawState.FILTERED, reason), []
            return Outcome(RawState.APPENDED, f"receipt_{event.kind}", ticket_id), []
        case MessageEdited() | MessageDeleted() | ReactionChanged():
            return await _message_changed(session, account, event), []
        case PeerChanged():
            return await _peer_changed(session, account, event), []
        case CallStarted():
            return await call_started(session, account, event), []
        case ActionTaken() | Digits() | CallEnded():
            return await _conversation_event(session, account, event), []
        case TypingChanged():
            return Outcome(RawState.FILTERED, "typing"), []


# ------------------------------------------------------------------------------------------------------- messages


async def _message(
    session: AsyncSession,
    account: ChannelAccount,
    raw_id: UUID,
    event: MessageReceived,
    files: Sequence[StoredFile],
    correlation_id: UUID | None,
) -> tuple[Outcome, list[Statement]]:
    """Two round trips: one looks at all that matters, one (the caller's) writes all that follows."""
    if event.automation is Automation.VERIFICATION:
        # Whoever could read it could prove to another service that they own our address.
        return Outcome(RawState.QUARANTINED, "verification"), []
    if event.facts.get("loop"):
        return Outcome(RawState.FILTERED, "loop"), []
    seen = await look(session, account.id, spec_of(account.channel).capabilities, event)
    sender, thread = seen.sender, seen.thread
    if sender.blocked:
        return Outcome(RawState.FILTERED, "blocked"), []
    if seen.known is not None and seen.repeats(event):
        return Outcome(RawState.FILTERED, "duplicate", seen.known["ticket_id"]), []
    automatic = event.automation in (Automation.AUTO_REPLY, Automation.BOUNCE, Automation.COMPLAINT)
    if automatic and thread.ticket_id is None:
        return Outcome(RawState.FILTERED, event.automation.value), []

    if thread.ticket_id is None:
        ticket = _open(session, account, event, sender, thread)
    else:
        ticket = await locked(session, thread.ticket_id)
        if not automatic:
            await _wake(session, ticket)
        ticket.preview = _preview(event)
        ticket.activity_at = sa.func.now()
        if rows.by_person(event):
            ticket.customer_at = sa.func.now()
    message_id = new_id()
    record(
        session,
        ticket,
        Kind.MESSAGE,
        actor=Author.CONTACT,
        actor_id=sender.contact_id,
        message_id=message_id,
        automation=event.automation.value,
        authenticity=event.authenticity.value,
    )
    next_job = [
        *_fetched(session, account, files, correlation_id),
        *_what_next(session, account, ticket, message_id, event, files, correlation_id),
    ]

    opening = [rows.ticket(ticket, by_person=rows.by_person(event))] if thread.ticket_id is None else []
    route_id, route = _route(account, ticket, sender, event, thread)
    written = [
        *opening,
        *rows.known_better(sender, event),
        *route,
        *rows.message(message_id, ticket.id, route_id, account.id, raw_id, sender, event, files),
        *rows.events(_recorded(session)),
        *rows.participants(ticket.id, sender, seen.copies),
        *next_job,
    ]
    state = RawState.TICKET if thread.ticket_id is None else RawState.APPENDED
    return Outcome(state, event.automation.value if automatic else None, ticket.id), written


def _recorded(session: AsyncSession) -> list[TicketEvent]:
    """The events that the session would write, taken out of it."""
    found = [one for one in session.new if isinstance(one, TicketEvent)]
    for one in found:
        session.expunge(one)
    return sorted(found, key=lambda event: event.seq)


def _preview(event: MessageReceived) -> str:
    return event.text.strip()[:PREVIEW]


def _open(
    session: AsyncSession, account: ChannelAccount, event: MessageReceived, sender: Person, thread: Thread
) -> Ticket:
    """A new ticket, not yet written."""
    ticket = Ticket(
        id=new_id(),
        subject=(event.subject or event.text.strip().partition("\n")[0])[:200],
        contact_id=sender.contact_id,
        account_id=account.id,
        channel=account.channel,
        language=event.language or sender.language,
        linked_to_id=thread.linked_to_id,
        priority=Priority.LOW if event.automation is Automation.BULK else Priority.NORMAL,
        preview=_preview(event),
        event_seq=0,
        version=1,
        handoff=Handoff.AI,
        status=Status.OPEN,
    )
    record(session, ticket, Kind.CREATED, actor=Author.CONTACT, actor_id=sender.contact_id, channel=account.channel)
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


def _route(
    account: ChannelAccount, ticket: Ticket, sender: Person, event: MessageReceived, thread: Thread
) -> tuple[UUID, list[Statement]]:
    """The route of this conversation on this ticket, with the newest way to answer."""
    if thread.route_id is not None and thread.route_identity_id == sender.identity_id:
        return thread.route_id, [rows.route_data(thread.route_id, dict(event.route))]
    route_id = new_id()
    conversation = event.conversation or f"{event.sender.kind}:{event.sender.value}:{ticket.id}"
    return route_id, rows.route(route_id, ticket.id, account.id, sender.identity_id, conversation, dict(event.route))


def _what_next(
    session: AsyncSession,
    account: ChannelAccount,
    ticket: Ticket,
    message_id: UUID,
    event: MessageReceived,
    files: Sequence[StoredFile],
    correlation_id: UUID | None,
) -> list[Statement]:
    """Whose turn it is; the AI's job where it is the AI's."""
    if event.to_person:
        handoff.queue(session, ticket, "requested", Author.CONTACT)
    answerable = event.automation is Automation.NONE and not event.suppress_auto_reply
    if ticket.handoff is Handoff.AI and not answerable:
        if event.automation is Automation.NONE:
            # The sender wants no automatic answer; a person may still give one.
            handoff.queue(session, ticket, "automatic_reply_unwanted", Author.SYSTEM)
        return []
    if ticket.handoff is not Handoff.AI:
        return []
    delay = settings().ai_quiet if spec_of(account.channel).capabilities.chat_like else 0
    if any(file.spoken for file in files):
        # What is said has to be understood first; whoever has understood it makes the job due.
        delay = settings().speech_deadline
    return [
        job_row(
            session,
            "ai.reply",
            {"ticket_id": str(ticket.id), "message_id": str(message_id)},
            lane=Lane.AI,
            delay=delay,
            fair_key=str(account.id),
            unique_key=f"ai.reply:{message_id}",
            correlation_id=correlation_id,
        )
    ]


def _fetched(
    session: AsyncSession, account: ChannelAccount, files: Sequence[StoredFile], correlation_id: UUID | None
) -> list[Statement]:
    """The jobs that bring files here and listen to them. Speech has a lane of its own: somebody waits for it."""
    return [
        job_row(
            session,
            "media.fetch" if file.blob_key is None else "speech.transcribe",
            {"attachment_id": str(file.id)},
            lane=Lane.SPEECH if file.heard else Lane.BULK,
            fair_key=str(account.id),
            correlation_id=correlation_id,
        )
        for file in files
        if file.blob_key is None or file.heard
    ]


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
    session: AsyncSession, account: ChannelAccount, event: ActionTaken | Digits | CallEnded
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
    match event:
        case ActionTaken(action="person"):
            handoff.queue(session, ticket, "requested", Author.CONTACT)
        case ActionTaken(action="follow_up"):
            await follow_up(session, ticket, account.id)
        case CallEnded():
            await call_ended(session, ticket)
    return Outcome(RawState.APPENDED, event.type, ticket.id)
