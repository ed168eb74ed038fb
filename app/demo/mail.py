"""The demo's mail provider: runs in the gateway, keeps its ledger under DATA/demo."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from pathlib import Path

import sqlalchemy as sa

from channels.email.fake import FakeMailProvider, Misbehaviour
from core.accounts.models import ChannelAccount
from core.accounts.service import change, settings_of
from core.db import transaction
from core.settings import settings

log = logging.getLogger(__name__)

SUPPORT = "support@fernweh.example"


def _folder() -> Path:
    return settings().data / "demo"


def ledger_path() -> Path:
    """Every mail the demo's customers have got."""
    return _folder() / "mail-ledger.jsonl"


def _switch() -> Path:
    return _folder() / "mail-misbehaviour"


def misbehave(how: Misbehaviour) -> None:
    """What the provider does wrong from the next mail on; the gateway reads it from a file."""
    _switch().parent.mkdir(parents=True, exist_ok=True)
    _switch().write_text(how.value)


def wrong() -> Misbehaviour:
    with contextlib.suppress(FileNotFoundError, ValueError):
        return Misbehaviour(_switch().read_text().strip())
    return Misbehaviour.NONE


async def serve_demo_mail() -> None:
    """Runs until cancelled. The demo's account is told the port."""
    async with FakeMailProvider(ledger_path()) as provider:
        async with transaction() as session:
            account = await session.scalar(
                sa.select(ChannelAccount).where(ChannelAccount.recipient_key == SUPPORT).with_for_update()
            )
            if account is not None and getattr(settings_of(account), "smtp_port", None) != provider.port:
                await change(session, account, values={"smtp_host": provider.host, "smtp_port": provider.port})
        while True:
            provider.misbehaviour = wrong()
            await asyncio.sleep(0.3)
