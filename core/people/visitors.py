"""Browsers that opened a widget. A token proves that it is the same browser, and nothing else."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from core.accounts.models import AccountState, ChannelAccount
from core.errors import NotFound, NotSignedIn
from core.ids import new_id, new_token, token_hash
from core.people.models import VisitorSession


@dataclass(frozen=True, slots=True)
class Visitor:
    account_id: UUID
    visitor: str
    conversation: str
    name: str | None
    language: str | None


async def widget_account(session: AsyncSession, public_key: str) -> ChannelAccount:
    """The account whose script tag names `public_key`. Raises NotFound."""
    account = await session.scalar(
        sa.select(ChannelAccount).where(
            ChannelAccount.public_key == public_key, ChannelAccount.state != AccountState.DISABLED
        )
    )
    if account is None:
        raise NotFound("widget_not_found", "there is no such widget")
    return account


async def open_visitor(
    session: AsyncSession, account_id: UUID, *, token: str | None, name: str | None, language: str | None
) -> tuple[str, Visitor]:
    """The session of a known token, or a new one; returns its token."""
    if token is not None:
        try:
            return token, await by_visitor_token(session, account_id, token)
        except NotSignedIn:
            token = None
    token = new_token()
    made = VisitorSession(
        id=new_id(),
        account_id=account_id,
        token_hash=token_hash(token),
        visitor=secrets.token_hex(16),
        conversation=secrets.token_hex(16),
        name=name,
        language=language,
    )
    session.add(made)
    return token, Visitor(account_id, made.visitor, made.conversation, name, language)


async def by_visitor_token(session: AsyncSession, account_id: UUID, token: str) -> Visitor:
    """Raises NotSignedIn, also for the token of another account."""
    row = await session.scalar(
        sa.update(VisitorSession)
        .where(VisitorSession.token_hash == token_hash(token), VisitorSession.account_id == account_id)
        .values(seen_at=sa.func.now())
        .returning(VisitorSession)
    )
    if row is None:
        raise NotSignedIn("visitor_unknown", "this visitor is not known here")
    return Visitor(row.account_id, row.visitor, row.conversation, row.name, row.language)
