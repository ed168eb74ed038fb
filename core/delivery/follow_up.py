"""What could not be said in a conversation that is over is written to the same person by another of our channels."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from core.accounts.models import AccountState, ChannelAccount
from core.accounts.service import spec_of
from core.contacts.models import Identity
from core.tickets.events import Kind, record
from core.tickets.models import Author, Direction, Message, Route, Ticket
from core.tickets.replies import Reply, post_reply
from core.tickets.routes import route_to


async def other_way(session: AsyncSession, ticket: Ticket, route: Route) -> Route | None:
    """A route to the same address on another connected channel that can begin a conversation; None without one.

    Nobody who has opted out is written to.
    """
    identity = await session.get_one(Identity, route.identity_id)
    if identity.opted_out_at is not None:
        return None
    accounts = await session.scalars(
        sa.select(ChannelAccount)
        .where(ChannelAccount.state == AccountState.CONNECTED, ChannelAccount.id != route.account_id)
        .order_by(ChannelAccount.created_at)
    )
    for account in accounts:
        spec = spec_of(account.channel)
        able = spec.capabilities.can_initiate and not spec.capabilities.live_audio
        if not able or spec.peer_kind != identity.kind:
            continue
        return await route_to(session, ticket, account, identity)
    return None


async def follow_up(session: AsyncSession, ticket: Ticket, account_id: UUID) -> Message | None:
    """Writes our last answer of a call, with its sources, to the caller who asked for it."""
    answer = await session.scalar(
        sa.select(Message)
        .join(Route, Route.id == Message.route_id)
        .where(
            Message.ticket_id == ticket.id, Route.account_id == account_id,
            Message.direction == Direction.OUT, Message.draft.is_(False),
        )
        .order_by(Message.created_at.desc(), Message.id.desc())
        .limit(1)
    )  # fmt: skip
    return None if answer is None else await write_instead(session, ticket, answer, "asked_for")


async def write_instead(session: AsyncSession, ticket: Ticket, answer: Message, reason: str) -> Message | None:
    """Sends `answer` again by another way; None where there is no other way."""
    assert answer.route_id is not None
    route = await other_way(session, ticket, await session.get_one(Route, answer.route_id))
    if route is None:
        return None
    links = [f"{one['title']}: {one['url']}" for one in answer.citations if one.get("url")]
    message = await post_reply(
        session,
        ticket,
        Reply(
            author=answer.author,
            author_id=answer.author_id,
            author_name=answer.author_name,
            text="\n".join([answer.text, *links]),
            language=answer.language,
            citations=answer.citations,
            ai=None if answer.ai is None else {**answer.ai, "follow_up": True},
            to_message_id=answer.in_reply_to_id,
            route=route,
        ),
    )
    record(session, ticket, Kind.CALL, actor=Author.SYSTEM, message_id=message.id, state="follow_up", reason=reason)
    return message
