"""Files: uploaded before the message that carries them, served so that no browser runs them."""

from __future__ import annotations

import hashlib
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Response, UploadFile

from app.http.access import ReadTickets, WriteTickets
from app.http.shapes import AttachmentOut
from core.blobs import blobs
from core.db import transaction
from core.errors import Conflict, NotFound, TooLarge
from core.ids import new_id
from core.intake.ingest import sniff
from core.settings import settings
from core.tickets.files import safe_name
from core.tickets.links import linked
from core.tickets.models import AttachmentRow
from core.tickets.queries import visible_attachment

router = APIRouter(prefix="/attachments", tags=["attachments"])

links = APIRouter(tags=["attachments"])

_INLINE = {
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "audio/wav",
    "audio/x-wav",
    "audio/mpeg",
    "audio/ogg",
    "audio/mp4",
    "audio/webm",
}
"""Types that a page may show or play; everything else is a download."""


@router.post("", status_code=201)
async def upload(file: UploadFile, principal: WriteTickets) -> AttachmentOut:
    """Stores a file, to be named in a reply or note afterwards."""
    limit = settings().message_bytes_max
    content = await file.read(limit + 1)
    if len(content) > limit:
        raise TooLarge("attachment_too_large", f"a file has at most {limit // 2**20} MB", limit=limit)
    row = AttachmentRow(
        id=new_id(),
        uploader_id=principal.id,
        filename=safe_name(file.filename or "file"),
        content_type=sniff(content, file.content_type or "application/octet-stream"),
        size=len(content),
        sha256=hashlib.sha256(content).digest(),
        blob_key=await blobs().put(content),
        inline=False,
    )
    async with transaction() as session:
        session.add(row)
    return AttachmentOut(
        **{name: getattr(row, name) for name in AttachmentOut.model_fields if name != "url"},
        url=f"/api/v1/attachments/{row.id}",
    )


@router.get("/{attachment_id}", response_class=Response)
async def download(attachment_id: UUID, principal: ReadTickets) -> Response:
    """The file's bytes, sandboxed."""
    async with transaction() as session:
        file = await visible_attachment(session, principal, attachment_id)
    return await file_response(file)


@links.get("/files/{token}")
async def linked_file(token: str) -> Response:
    """A file that went out with a message, for the provider that was given its address."""
    file_id = linked(token)
    if file_id is not None:
        async with transaction() as session:
            file = await session.get(AttachmentRow, file_id)
        if file is not None and file.blob_key is not None:
            return Response(
                await blobs().get(file.blob_key),
                media_type=file.content_type,
                headers={
                    "Content-Disposition": f"inline; filename*=UTF-8''{quote(file.filename)}",
                    "Content-Security-Policy": "default-src 'none'; sandbox",
                    "X-Content-Type-Options": "nosniff",
                    "Cache-Control": "private, max-age=3600",
                },
            )
    raise NotFound("attachment_not_found", "there is no such file, or its address has ended")


async def file_response(file: AttachmentRow) -> Response:
    """A response that no browser runs: sniffing off, sandboxed, shown in place only for plain pictures."""
    if file.blob_key is None:
        raise Conflict("attachment_not_here", "the file is still at its provider, or could not be had")
    shown = file.content_type in _INLINE
    return Response(
        await blobs().get(file.blob_key),
        media_type=file.content_type if shown else "application/octet-stream",
        headers={
            "Content-Disposition": f"{'inline' if shown else 'attachment'}; filename*=UTF-8''{quote(file.filename)}",
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "private, max-age=3600",
        },
    )
