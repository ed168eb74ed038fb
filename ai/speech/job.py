"""The job that listens to a file, and gives what it heard to the ticket."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from ai.speech.engine import NotListening, Unheard, engine
from core.accounts.models import ChannelAccount
from core.accounts.service import settings_of
from core.blobs import blobs
from core.contacts.models import Contact
from core.db import transaction
from core.i18n import languages
from core.jobs.models import Lane
from core.jobs.registry import Again, Run, job
from core.settings import settings
from core.tickets.events import Kind, locked, record
from core.tickets.hearing import heard, unheard
from core.tickets.models import AttachmentRow, FileState, Hearing, Message, Route, Ticket

log = logging.getLogger(__name__)

_TRIES = 3
"""Attempts at a file on which the listening process ends."""
_LONG = 60.0
"""Seconds of audio from which its progress stands on the timeline."""
_STEP = 0.25
"""Share of a long recording between two notes of progress."""


@dataclass(frozen=True, slots=True)
class _Recording:
    ticket_id: UUID
    blob_key: str
    candidates: list[str]


@job("speech.transcribe", lane=Lane.SPEECH)
async def transcribe(run: Run, *, attachment_id: str) -> None:
    file_id = UUID(attachment_id)
    async with transaction() as session:
        recording = await _recording(session, file_id)
    if recording is None:
        return
    noted = 0.0

    async def progress(done: float, of: float) -> None:
        nonlocal noted
        if of < _LONG or done / of < noted + _STEP:
            return
        noted = done / of
        async with transaction() as session:
            ticket = await locked(session, recording.ticket_id)
            record(
                session, ticket, Kind.FILE,
                attachment_id=attachment_id, state="listening", done=round(done), of=round(of),
            )  # fmt: skip

    try:
        if run.attempt > _TRIES:
            raise Unheard("speech_failed")
        transcript = await engine().transcribe(await blobs().get(recording.blob_key), recording.candidates, progress)
    except NotListening as error:
        raise Again(0.5, str(error)) from error
    except Unheard as error:
        log.warning("attachment %s: not heard (%s)", file_id, error.code)
        async with run.transaction(finish=True) as session:
            ticket, file = await _both(session, recording.ticket_id, file_id)
            await unheard(session, ticket, file, error.code)
        return
    async with run.transaction(finish=True) as session:
        ticket, file = await _both(session, recording.ticket_id, file_id)
        await heard(session, ticket, file, transcript)


async def _both(session: AsyncSession, ticket_id: UUID, file_id: UUID) -> tuple[Ticket, AttachmentRow]:
    return await locked(session, ticket_id), await session.get_one(AttachmentRow, file_id)


async def _recording(session: AsyncSession, file_id: UUID) -> _Recording | None:
    row = (
        await session.execute(
            sa.select(AttachmentRow, Message, Ticket, Contact, ChannelAccount)
            .join(Message, Message.id == AttachmentRow.message_id)
            .join(Ticket, Ticket.id == Message.ticket_id)
            .join(Contact, Contact.id == Ticket.contact_id)
            .outerjoin(Route, Route.id == Message.route_id)
            .outerjoin(ChannelAccount, ChannelAccount.id == Route.account_id)
            .where(
                AttachmentRow.id == file_id,
                AttachmentRow.state == FileState.READY,
                AttachmentRow.hearing == Hearing.WAITING,
            )
        )
    ).one_or_none()
    if row is None:
        return None
    file, message, ticket, contact, account = row
    assert file.blob_key is not None  # it is ready
    return _Recording(ticket.id, file.blob_key, _candidates(message, ticket, contact, account))


def _candidates(message: Message, ticket: Ticket, contact: Contact, account: ChannelAccount | None) -> list[str]:
    """The languages that may be spoken: what is known of the speaker, and of the number that was called.

    With fewer than two, every language of the house: a single guess would be taken for the truth.
    """
    chosen = settings_of(account) if account is not None else None
    known = [
        message.language, ticket.language, contact.language,
        getattr(chosen, "language", None), *(getattr(chosen, "languages", None) or ()),
        settings().default_language,
    ]  # fmt: skip
    found = list(dict.fromkeys(code.split("-")[0].lower() for code in known if code))
    return found if len(found) > 1 else sorted({tag.split("-")[0] for tag in languages()})
