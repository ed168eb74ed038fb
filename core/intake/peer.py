"""What a webhook's answer may depend on: who writes, in which language, and who has the conversation."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from channels.contract import Address, Inbound, Peer, RawInbound
from core.contacts.models import Contact, Identity
from core.hours import open_now
from core.tickets.models import Route, Status, Ticket


async def peer_of(
    session: AsyncSession, account_id: UUID, raw: RawInbound, events: Sequence[Inbound], *, hears: bool = True
) -> Peer:
    """Of the first event that names somebody; an unknown peer is an ordinary one.

    The conversation is that of the events, else the one in whose order the raw stands. Where it is new, the peer's
    newest open one on this account counts: whoever calls back while a person has the ticket is not new.
    """
    sender = next((found for event in events if (found := _sender(event)) is not None), None)
    conversation = next((event.conversation for event in events if event.conversation), raw.order_key)
    language, opted_out = None, False
    if sender is not None:
        row = (
            await session.execute(
                sa.select(Contact.language, Identity.opted_out_at)
                .join(Identity, Identity.contact_id == Contact.id)
                .where(Identity.kind == sender.kind, Identity.value == sender.value)
            )
        ).one_or_none()
        if row is not None:
            language, opted_out = row.language, row.opted_out_at is not None
    ticket = await _open_ticket(session, account_id, Route.conversation == conversation) if conversation else None
    if ticket is None and sender is not None:
        of_sender = sa.and_(Identity.kind == sender.kind, Identity.value == sender.value)
        ticket = await _open_ticket(session, account_id, of_sender)
    if ticket is not None:
        language = ticket.language or language
    return Peer(
        language=language,
        handoff=ticket.handoff.value if ticket is not None else "ai",
        opted_out=opted_out,
        open_now=open_now(),
        hears=hears,
    )


async def _open_ticket(session: AsyncSession, account_id: UUID, which: sa.ColumnElement[bool]) -> Ticket | None:
    return await session.scalar(
        sa.select(Ticket)
        .join(Route, Route.ticket_id == Ticket.id)
        .join(Identity, Identity.id == Route.identity_id)
        .where(
            Route.account_id == account_id,
            Route.active,
            which,
            Ticket.status.in_([Status.OPEN, Status.PENDING]),
        )
        .order_by(Ticket.activity_at.desc())
        .limit(1)
    )


def _sender(event: Inbound) -> Address | None:
    return getattr(event, "sender", None) or getattr(event, "peer", None)
