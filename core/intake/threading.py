"""Which ticket a message belongs to, by evidence alone: never by a subject."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from channels.contract import Capabilities, MessageReceived, Threads
from core.accounts.models import ChannelAccount
from core.contacts.models import Identity
from core.tickets.models import Participant, Route, Status, ThreadRef, Ticket

_ROUTE = "route:"


@dataclass(frozen=True, slots=True)
class Thread:
    """Where a message goes. Without a ticket it opens one, linked to `linked_to_id` where it pointed at a strange one."""

    ticket_id: UUID | None = None
    route_id: UUID | None = None
    linked_to_id: UUID | None = None
    reason: str | None = None


async def find_thread(
    session: AsyncSession,
    account: ChannelAccount,
    capabilities: Capabilities,
    event: MessageReceived,
    identity: Identity,
) -> Thread:
    """The thread of a message.

    Where the provider vouches for the conversation, that is the thread. Where the sender merely claims it by
    references, the sender must stand on the ticket; otherwise the message opens a ticket of its own, linked.
    """
    if capabilities.threads is not Threads.REFERENCES:
        return await _by_conversation(session, account, event)
    found = await _by_references(session, account, event)
    if found is None:
        return Thread()
    ticket_id, route_id = found
    status = await session.scalar(sa.select(Ticket.status).where(Ticket.id == ticket_id))
    if status is Status.SPAM:
        return Thread(linked_to_id=ticket_id, reason="spam")
    takes_part = await session.scalar(
        sa.select(Participant.role).where(
            Participant.ticket_id == ticket_id,
            Participant.identity_id.in_(
                sa.select(Identity.id).where(Identity.contact_id == identity.contact_id)
            ),
        ).limit(1)
    )
    if takes_part is None:
        return Thread(linked_to_id=ticket_id, reason="sender_not_on_ticket")
    return Thread(ticket_id, route_id)


async def _by_conversation(session: AsyncSession, account: ChannelAccount, event: MessageReceived) -> Thread:
    row = (
        await session.execute(
            sa.select(Route.id, Route.ticket_id, Ticket.status)
            .join(Ticket, Ticket.id == Route.ticket_id)
            .where(Route.account_id == account.id, Route.conversation == event.conversation, Route.active)
        )
    ).one_or_none()
    if row is None:
        return Thread()
    if row.status in (Status.CLOSED, Status.SPAM):
        # A conversation that never ends is still told in tickets that do.
        return Thread(linked_to_id=row.ticket_id, reason="continues")
    return Thread(row.ticket_id, row.id)


async def _by_references(
    session: AsyncSession, account: ChannelAccount, event: MessageReceived
) -> tuple[UUID, UUID | None] | None:
    for ref in event.thread_refs:
        if ref.startswith(_ROUTE):
            try:
                route_id = UUID(ref.removeprefix(_ROUTE))
            except ValueError:
                continue
            route = await session.get(Route, route_id)
            if route is not None and route.account_id == account.id:
                return route.ticket_id, route.id
    plain = [ref for ref in event.thread_refs if not ref.startswith(_ROUTE)]
    if not plain:
        return None
    rows = await session.execute(
        sa.select(ThreadRef.ref, ThreadRef.ticket_id).where(
            ThreadRef.account_id == account.id, ThreadRef.ref.in_(plain)
        )
    )
    by_ref = {row.ref: row.ticket_id for row in rows}
    for ref in plain:
        if ref in by_ref:
            return by_ref[ref], None
    return None
