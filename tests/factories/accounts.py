"""Channel accounts of the birds."""

from __future__ import annotations

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from core.accounts.models import ChannelAccount
from core.accounts.service import connect


async def account(session: AsyncSession, channel: str = "pigeon", **settings: Any) -> ChannelAccount:
    return await connect(session, channel, f"The {channel}", settings)
