"""A mailbox that lives elsewhere: the same main job through an IMAP account on a real Dovecot."""

from __future__ import annotations

import tempfile
from pathlib import Path

import sqlalchemy as sa

from channels.email.fake import CustomerMailbox
from core.accounts.models import ChannelAccount
from core.accounts.service import connect
from core.db import transaction
from core.intake.models import Raw
from core.tickets.models import Ticket
from tests.app.conftest import Shop
from tests.channels.email import dovecot

ADDRESS = "sales@fernweh.example"


async def test_mail_in_an_imap_mailbox_is_answered_and_survives_a_restart_of_the_listener(
    shop: Shop,
) -> None:
    # Dovecot runs as another user, which cannot pass pytest's private folders.
    with tempfile.TemporaryDirectory(prefix="autocrm-imap-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with dovecot.running(Path(folder) / "d") as server:
            await _converse(shop, server)


async def _converse(shop: Shop, server: dovecot.Server) -> None:
    async with transaction() as session:
        account = await connect(
            session,
            "email",
            "Sales",
            {
                "address": ADDRESS,
                "smtp_host": shop.provider.host,
                "smtp_port": shop.provider.port,
                "smtp_security": "none",
                "incoming": "imap",
                "imap_host": "127.0.0.1",
                "imap_port": server.port,
                "imap_security": "none",
                "imap_user": server.user,
                "imap_password": dovecot.PASSWORD,
            },
        )
        account_id = account.id
    shop.house.start("worker")
    customer = CustomerMailbox("jane@customer.example", "Jane")
    first = customer.compose(ADDRESS, "Return", "How do I return a tent?")
    server.append(first.as_bytes())
    (answer,) = await shop.provider.wait_for(1, 40)
    assert answer.mail["In-Reply-To"] == first["Message-ID"]
    assert "/en/returns" in answer.text

    shop.house.kill("gateway")
    second = customer.compose(ADDRESS, "", "And how long does the refund take?", answering=answer)
    server.append(second.as_bytes())
    shop.house.start("gateway")
    await shop.provider.wait_for(2, 60)

    async with transaction() as session:
        assert await session.scalar(sa.select(sa.func.count()).select_from(Raw)) == 2
        assert await session.scalar(sa.select(sa.func.count()).select_from(Ticket)) == 1
        cursor = await session.scalar(sa.select(ChannelAccount.cursor).where(ChannelAccount.id == account_id))
    assert cursor
    assert cursor["uid"] == 2
