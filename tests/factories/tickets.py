"""Tickets with a contact, a route and a first message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from core.accounts.models import ChannelAccount
from core.contacts.models import Contact, Identity
from core.ids import new_id
from core.tickets.events import Kind, record
from core.tickets.models import Author, Direction, Handoff, Message, Participant, Route, Status, Ticket
from tests.factories import contacts


@dataclass
class Made:
    """A ticket and what belongs to it."""

    ticket: Ticket
    contact: Contact
    identity: Identity
    route: Route
    message: Message


async def ticket(
    session: AsyncSession,
    account: ChannelAccount,
    *,
    contact: tuple[Contact, Identity] | None = None,
    handoff: Handoff = Handoff.AI,
    status: Status = Status.OPEN,
    assignee_id: UUID | None = None,
    team_id: UUID | None = None,
    text: str = "Where is my nest?",
) -> Made:
    owner, identity = contact or await contacts.contact(session)
    made = Ticket(
        id=new_id(), subject="A nest", contact_id=owner.id, account_id=account.id, channel=account.channel,
        handoff=handoff, status=status, assignee_id=assignee_id, team_id=team_id, event_seq=0, version=1,
    )  # fmt: skip
    session.add(made)
    await session.flush()
    record(session, made, Kind.CREATED, actor=Author.CONTACT, actor_id=owner.id)
    route = Route(
        id=new_id(), ticket_id=made.id, account_id=account.id, identity_id=identity.id,
        conversation=f"tree-{identity.value}-{made.id}", data={"tree": 1}, active=True,
    )  # fmt: skip
    session.add_all([route, Participant(ticket_id=made.id, identity_id=identity.id)])
    await session.flush()
    first = await inbound(session, made, route, owner, text)
    return Made(made, owner, identity, route, first)


async def inbound(
    session: AsyncSession, made: Ticket, route: Route, contact: Contact, text: str, **more: Any
) -> Message:
    message = Message(
        id=new_id(), ticket_id=made.id, route_id=route.id, direction=Direction.IN, author=Author.CONTACT,
        author_id=contact.id, text=text, external_id=f"in-{new_id()}", **more,
    )  # fmt: skip
    session.add(message)
    await session.flush()
    record(session, made, Kind.MESSAGE, actor=Author.CONTACT, actor_id=contact.id, message_id=message.id)
    await session.flush()
    return message


async def draft(session: AsyncSession, made: Made, text: str = "A draft about nests") -> Message:
    message = Message(
        id=new_id(), ticket_id=made.ticket.id, direction=Direction.OUT, author=Author.AI, author_name="Robin",
        text=text, draft=True, in_reply_to_id=made.message.id, ai={"decision": "review"},
    )  # fmt: skip
    session.add(message)
    await session.flush()
    record(session, made.ticket, Kind.DRAFT, actor=Author.AI, message_id=message.id)
    await session.flush()
    return message
