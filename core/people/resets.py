"""Mailing a link for a new password, through the same queue as everything else."""

from __future__ import annotations

import logging
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from channels import registry
from channels.contract import Address, Outbound
from core.accounts.models import AccountState, ChannelAccount
from core.accounts.service import context_of
from core.db import transaction
from core.ids import new_id, new_token, token_hash
from core.jobs.models import Lane
from core.jobs.queue import enqueue
from core.jobs.registry import Run, job
from core.people.accounts import RESET_HOURS, start_reset
from core.people.models import PasswordReset, User
from core.settings import settings

log = logging.getLogger(__name__)


async def request(session: AsyncSession, email: str) -> None:
    """Prepares the mail for a known address; does nothing, as quickly, for an unknown one."""
    started = await start_reset(session, email)
    if started is None:
        return
    user, _token = started
    await enqueue(session, "people.mail_reset", {"user_id": str(user.id)}, lane=Lane.DELIVER, max_attempts=6)


@job("people.mail_reset", lane=Lane.DELIVER)
async def mail_reset(run: Run, *, user_id: str) -> None:
    """Makes the token and mails it. It is made here and not queued: a token never stands in a job's arguments."""
    async with transaction() as session:
        user = await session.get(User, UUID(user_id))
        account = await _mailbox(session)
        if user is None or account is None:
            if account is None:
                log.warning("a password link is wanted, but no connected channel can begin a mail")
            return
        token = new_token()
        await session.execute(
            sa.update(PasswordReset)
            .where(
                PasswordReset.id
                == sa.select(PasswordReset.id)
                .where(PasswordReset.user_id == user.id, PasswordReset.used_at.is_(None))
                .order_by(PasswordReset.created_at.desc())
                .limit(1)
                .scalar_subquery()
            )
            .values(token_hash=token_hash(token))
        )
        channel, context = account.channel, context_of(account)
    adapter = registry.build(channel, context)
    link = f"{settings().base_url}/reset-password#{token}"
    try:
        await adapter.send(
            Outbound(
                key=str(new_id()),
                to=Address(kind="email", value=user.email, name=user.name),
                subject="Set a new password",
                text=(
                    f"Hello {user.name},\n\nuse this link within {RESET_HOURS} hours to set a new password:\n\n{link}\n\n"
                    "If you did not ask for it, ignore this mail: nothing changes."
                ),
                automated=True,
            )
        )
    finally:
        await adapter.aclose()


async def _mailbox(session: AsyncSession) -> ChannelAccount | None:
    """The oldest connected account that can write to an e-mail address by itself."""
    able = [
        spec.id for spec in registry.specs().values() if spec.peer_kind == "email" and spec.capabilities.can_initiate
    ]
    return await session.scalar(
        sa.select(ChannelAccount)
        .where(ChannelAccount.channel.in_(able), ChannelAccount.state == AccountState.CONNECTED)
        .order_by(ChannelAccount.created_at)
        .limit(1)
    )
