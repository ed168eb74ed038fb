"""Webhooks of every channel: verified by the adapter, stored, and only then acknowledged."""

from __future__ import annotations

import contextlib
import hashlib
import logging
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from fastapi import APIRouter, Request, Response

from ai import speech
from channels.contract import Inbound, Malformed, RawInbound, Unverified, Webhook
from core.accounts import service
from core.accounts.models import AccountState
from core.db import transaction
from core.errors import Forbidden, NotFound, TooLarge
from core.intake.parsing import parse
from core.intake.peer import peer_of
from core.intake.receive import receive
from core.settings import settings

log = logging.getLogger(__name__)
router = APIRouter(tags=["webhooks"])


@router.post("/hooks/{channel}/{account_id}", include_in_schema=False)
async def hook(channel: str, account_id: UUID, request: Request) -> Response:
    async with transaction() as session:
        account = await service.get(session, account_id)
    if account.channel != channel or account.state is AccountState.DISABLED:
        raise NotFound("channel_not_found", "there is no such channel account")
    raw = RawInbound(
        external_id="",
        body=await _body(request),
        content_type=request.headers.get("content-type", "application/octet-stream"),
        headers={name.lower(): value for name, value in request.headers.items()},
        transport={
            # Built from our own settings: a Host header would let the sender choose what was signed.
            "url": f"{settings().base_url}{request.url.path}" + (f"?{request.url.query}" if request.url.query else ""),
            "peer_ip": request.client.host if request.client else None,
        },
    )
    async with service.adapter_of(account) as adapter:
        if not isinstance(adapter, Webhook):
            raise NotFound("channel_without_webhook", "this channel has no webhook")
        try:
            adapter.verify(raw)
        except Unverified as error:
            raise Forbidden("webhook_unverified", str(error)) from None
        events: Sequence[Inbound] = ()
        stored = replace(raw, external_id=f"sha256:{hashlib.sha256(raw.body).hexdigest()}")
        try:
            with contextlib.suppress(Malformed):
                events = await parse(channel, adapter.context, raw)
            stored = adapter.identify(raw, events)
        except Exception as error:
            # A bug of the parser loses no message: it is stored all the same, and its job quarantines it.
            log.warning("webhook of %s: not understood (%s)", channel, type(error).__name__)
        await receive(account.id, [stored])
        async with transaction() as session:
            peer = await peer_of(session, account.id, stored, events, hears=speech.ready())
        reply = adapter.respond(stored, events, peer)
    return Response(reply.body, reply.status, dict(reply.headers), reply.content_type)


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > settings().message_bytes_max:
            raise TooLarge("message_too_large", limit=settings().message_bytes_max)
    return bytes(body)
