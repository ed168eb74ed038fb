"""The job that brings a file here from its provider, after its message is safe."""

from __future__ import annotations

import hashlib
import logging
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from channels import registry
from channels.contract import Adapter, Attachment, AuthFailed, ChannelError, Context, Media, Rejected, Retryable
from core.accounts.models import AccountState, ChannelAccount
from core.accounts.service import context_of, set_state
from core.blobs import blobs
from core.db import transaction
from core.intake.ingest import sniff
from core.jobs.models import Lane
from core.jobs.queue import enqueue
from core.jobs.registry import Again, Run, job
from core.jobs.worker import backoff
from core.settings import settings
from core.tickets.events import Kind, locked, record
from core.tickets.hearing import unheard
from core.tickets.models import AttachmentRow, FileState, Hearing, Message, Route

log = logging.getLogger(__name__)

_ROOM = 5.0
"""Seconds between two looks whether the attachment store takes files again."""


@job("media.fetch", lane=Lane.BULK)
async def fetch(run: Run, *, attachment_id: str) -> None:
    file_id = UUID(attachment_id)
    found = await _load(file_id)
    if found is None:
        return
    account_id, channel, context, attachment = found
    adapter = registry.build(channel, context)
    try:
        content = await _download(adapter, attachment)
    except AuthFailed as error:
        async with transaction() as session:
            await set_state(session, account_id, AccountState.RECONNECT, str(error))
        await _again(run, file_id, error)
        return
    except Rejected as error:
        await _failed(run, file_id, error.code)
        return
    except ChannelError as error:
        await _again(run, file_id, error)
        return
    finally:
        await adapter.aclose()
    try:
        key = await blobs().put(content)
    except OSError as error:
        raise Again(_ROOM, f"the file cannot be stored: {type(error).__name__}", free=True) from error
    async with run.transaction(finish=True) as session:
        await _arrived(session, run, account_id, file_id, content, key)


async def _load(file_id: UUID) -> tuple[UUID, str, Context, Attachment] | None:
    """Everything a download needs, or None where there is nothing left to fetch."""
    async with transaction() as session:
        row = (
            await session.execute(
                sa.select(AttachmentRow, ChannelAccount)
                .join(Message, Message.id == AttachmentRow.message_id)
                .join(Route, Route.id == Message.route_id)
                .join(ChannelAccount, ChannelAccount.id == Route.account_id)
                .where(AttachmentRow.id == file_id, AttachmentRow.state == FileState.FETCHING)
            )
        ).one_or_none()
        if row is None:
            return None
        file, account = row
        return account.id, account.channel, context_of(account), Attachment.model_validate(file.source)


async def _download(adapter: Adapter, attachment: Attachment) -> bytes:
    """The whole file. Raises ChannelError; Rejected (`media_too_large`) beyond what a message may have."""
    if not isinstance(adapter, Media):
        raise Rejected("this channel cannot fetch files", code="media_unsupported")
    limit = settings().message_bytes_max
    content = bytearray()
    async for piece in adapter.download(attachment):
        content += piece
        if len(content) > limit:
            raise Rejected(f"the file is larger than {limit} bytes", code="media_too_large")
    return bytes(content)


async def _arrived(session: AsyncSession, run: Run, account_id: UUID, file_id: UUID, content: bytes, key: str) -> None:
    ticket_id = await _ticket_of(session, file_id)
    ticket = await locked(session, ticket_id)
    file = await session.get_one(AttachmentRow, file_id)
    if file.state is not FileState.FETCHING:
        return
    file.state = FileState.READY
    file.content_type = _type(content, file.content_type, spoken=file.spoken)
    file.size = len(content)
    file.sha256 = hashlib.sha256(content).digest()
    file.blob_key = key
    record(session, ticket, Kind.FILE, message_id=file.message_id, attachment_id=str(file_id), state="ready")
    if file.hearing is Hearing.WAITING:
        await enqueue(
            session,
            "speech.transcribe",
            {"attachment_id": str(file_id)},
            lane=Lane.SPEECH,
            fair_key=str(account_id),
            correlation_id=run.correlation_id,
        )


def _type(content: bytes, declared: str, *, spoken: bool) -> str:
    """As sniffed; a container that can hold either is audio where the channel says that it is speech."""
    found = sniff(content, declared)
    if spoken and found.startswith("video/"):
        return "audio/" + found.partition("/")[2]
    return found


async def _ticket_of(session: AsyncSession, file_id: UUID) -> UUID:
    ticket_id = await session.scalar(
        sa.select(Message.ticket_id)
        .join(AttachmentRow, AttachmentRow.message_id == Message.id)
        .where(AttachmentRow.id == file_id)
    )
    assert ticket_id is not None
    return ticket_id


async def _again(run: Run, file_id: UUID, error: ChannelError) -> None:
    if run.attempt >= run.max_attempts:
        await _failed(run, file_id, error.code)
        return
    after = error.after if isinstance(error, Retryable) else 0.0
    raise Again(max(after, backoff(run.attempt)), str(error))


async def _failed(run: Run, file_id: UUID, code: str) -> None:
    """The file is not to be had: said on the ticket, and nobody waits for it any longer."""
    async with run.transaction(finish=True) as session:
        ticket = await locked(session, await _ticket_of(session, file_id))
        file = await session.get_one(AttachmentRow, file_id)
        if file.state is not FileState.FETCHING:
            return
        file.state = FileState.FAILED
        file.error_code = code
        record(
            session, ticket, Kind.FILE,
            message_id=file.message_id, attachment_id=str(file_id), state="failed", code=code,
        )  # fmt: skip
        if file.hearing is Hearing.WAITING:
            await unheard(session, ticket, file, code)
