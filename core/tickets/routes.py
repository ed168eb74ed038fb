"""Ways to a person that no message of theirs has shown us yet."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from channels.contract import Threads
from core.accounts.models import ChannelAccount
from core.accounts.service import spec_of
from core.contacts.models import Identity
from core.ids import new_id
from core.tickets.models import Route, Ticket


async def route_to(session: AsyncSession, ticket: Ticket, account: ChannelAccount, identity: Identity) -> Route:
    """The ticket's way to `identity` by `account`, made where there is none.

    Where the provider names conversations by the peer, what comes from there belongs to this ticket from now on: it
    is what we wrote about last. Where a message points back by references, the conversation is the ticket's own.
    """
    by_reference = spec_of(account.channel).capabilities.threads is Threads.REFERENCES
    conversation = f"begun:{ticket.id}:{identity.id}" if by_reference else identity.value
    known = await session.scalar(
        sa.select(Route).where(Route.account_id == account.id, Route.conversation == conversation, Route.active)
    )
    if known is not None and known.ticket_id == ticket.id:
        return known
    if known is not None:
        known.active = False
        await session.flush()
    made = Route(
        id=new_id(), ticket_id=ticket.id, account_id=account.id, identity_id=identity.id, conversation=conversation
    )
    session.add(made)
    await session.flush()
    return made
