"""Speech on a ticket: what was heard becomes the message's text, and whoever waits for it goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from core.jobs.models import Lane
from core.jobs.queue import hasten
from core.tickets.events import Kind, record
from core.tickets.models import AttachmentRow, Author, Direction, Hearing, Message, Ticket

_PREVIEW = 200
_SUBJECT = 200


async def heard(session: AsyncSession, ticket: Ticket, file: AttachmentRow, transcript: Mapping[str, Any]) -> None:
    """Keeps what was heard in a file of a locked ticket. Speech that is the message becomes its text."""
    if file.hearing is not Hearing.WAITING:
        return
    file.hearing = Hearing.DONE
    file.transcript = dict(transcript)
    assert file.message_id is not None
    message = await session.get_one(Message, file.message_id)
    words = spoken_text(transcript)
    if file.spoken and words:
        message.text = f"{message.text}\n{words}".strip()
        message.language = message.language or transcript.get("language")
        ticket.preview = message.text[:_PREVIEW]
        if await _is_first(session, message):
            ticket.subject = message.text.partition("\n")[0][:_SUBJECT]
    record(
        session, ticket, Kind.FILE,
        message_id=message.id, attachment_id=str(file.id), state="heard", language=transcript.get("language"),
    )  # fmt: skip
    await _go_on(session, message.id)


async def unheard(session: AsyncSession, ticket: Ticket, file: AttachmentRow, code: str) -> None:
    """Nobody could listen to it; `code` says why. A person will have to."""
    if file.hearing is not Hearing.WAITING:
        return
    file.hearing = Hearing.FAILED
    file.error_code = code
    assert file.message_id is not None
    record(
        session, ticket, Kind.FILE,
        actor=Author.SYSTEM, message_id=file.message_id, attachment_id=str(file.id), state="unheard", code=code,
    )  # fmt: skip
    await _go_on(session, file.message_id)


def spoken_text(transcript: Mapping[str, Any]) -> str:
    """The words of a transcript, one after the other."""
    segments: Sequence[Mapping[str, Any]] = transcript.get("segments", ())
    return " ".join(str(segment["text"]).strip() for segment in segments).strip()


async def _is_first(session: AsyncSession, message: Message) -> bool:
    """Whether the customer's first message is this one: until then a call has only its caller's name."""
    first = await session.scalar(
        sa.select(Message.id)
        .where(Message.ticket_id == message.ticket_id, Message.direction == Direction.IN)
        .order_by(Message.created_at, Message.id)
        .limit(1)
    )
    return first == message.id


async def _go_on(session: AsyncSession, message_id: UUID) -> None:
    """The AI may answer as soon as nothing of the message is left to be listened to."""
    await session.flush()
    left = await session.scalar(
        sa.select(AttachmentRow.id)
        .where(
            AttachmentRow.message_id == message_id,
            AttachmentRow.spoken,
            AttachmentRow.hearing == Hearing.WAITING,
        )
        .limit(1)
    )
    if left is None:
        await hasten(session, f"ai.reply:{message_id}", Lane.AI)
