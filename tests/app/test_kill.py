"""kill -9 of the worker at every step: exactly one reply, by the provider's own ledger."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest
import redis
import sqlalchemy as sa

from channels.email.fake import CustomerMailbox
from core.db import transaction
from core.delivery.models import Delivery, DeliveryState
from core.failpoints import NAMES
from core.intake.models import Raw, RawState
from core.tickets.models import Ticket
from tests.app.conftest import Shop
from tests.conftest import Servers
from tests.house import until, until_async

RECEIVER = ("intake.before_commit", "intake.after_commit")
"""Passed by whoever takes a message in; the worker passes the others."""
STEPS = [name for name in NAMES if name not in RECEIVER]


async def _quiet() -> bool:
    """Whether nothing is left to be done."""
    async with transaction() as session:
        return not await session.scalar(sa.text("SELECT count(*) FROM jobs"))


@pytest.mark.parametrize("step", STEPS)
async def test_a_worker_killed_at_any_step_leaves_exactly_one_reply(shop: Shop, step: str) -> None:
    doomed = shop.house.start("worker", "doomed", AUTOCRM_FAILPOINTS=f"{step}=kill", AUTOCRM_JOB_LEASE="2")
    customer = CustomerMailbox("jane@customer.example", "Jane")
    await shop.write(customer, "Return", "How do I return a tent?")
    await until(lambda: doomed.poll() is not None, f"the worker dies at {step}")

    shop.house.start("worker", AUTOCRM_JOB_LEASE="2")
    await shop.provider.wait_for(1, 30)
    await until_async(_quiet, "every job is done")

    # Mail in doubt is sent again under its own Message-ID: whoever receives both keeps one.
    assert len({mail.message_id for mail in shop.provider.delivered()}) == 1
    assert len(shop.provider.delivered()) == (2 if step == "deliver.accepted" else 1)
    async with transaction() as session:
        assert await session.scalar(sa.select(sa.func.count()).select_from(Ticket)) == 1
        assert await session.scalar(sa.select(Delivery.state)) is DeliveryState.SENT


@pytest.mark.parametrize("step", RECEIVER)
async def test_a_receiver_killed_round_the_commit_stores_the_mail_once_when_it_is_sent_again(
    shop: Shop, step: str
) -> None:
    shop.house.kill("gateway")
    doomed = shop.house.start("gateway", "doomed", AUTOCRM_FAILPOINTS=f"{step}=kill")
    await shop.house.until_open(shop.house.smtp_port, "doomed")
    customer = CustomerMailbox("jane@customer.example", "Jane")
    mail = customer.compose("help@fernweh.example", "Return", "How do I return a tent?")
    with pytest.raises(Exception, match=r"(?i)connection|closed|lost|reset|disconnect|EOF"):
        await customer.write("127.0.0.1", shop.house.smtp_port, mail)
    await until(lambda: doomed.poll() is not None, f"the receiver dies at {step}")

    shop.house.start("gateway")
    await shop.house.until_open(shop.house.smtp_port, "gateway")
    await customer.write("127.0.0.1", shop.house.smtp_port, mail)
    shop.house.start("worker")
    await shop.provider.wait_for(1, 30)
    await until_async(_quiet, "every job is done")
    async with transaction() as session:
        states = list(await session.scalars(sa.select(Raw.state)))
    assert states == [RawState.TICKET]
    assert len(shop.provider.delivered()) == 1


async def test_valkey_away_for_ten_seconds_loses_and_repeats_nothing(shop: Shop, servers: Servers) -> None:
    shop.house.start("worker")
    customers = [CustomerMailbox(f"c{number}@customer.example") for number in range(6)]
    for customer in customers[:3]:
        await shop.write(customer, "Return", "How do I return a tent?")
    client = redis.Redis.from_url(servers.redis_url)
    # Stopped in its tracks: connections stay open and nothing answers, which is worse than a closed port.
    pid = int(client.info("server")["process_id"])  # type: ignore[index]
    client.close()
    os.kill(pid, signal.SIGSTOP)
    try:
        for customer in customers[3:]:
            await shop.write(customer, "Return", "How do I return a tent?")
        async with transaction() as session:
            assert await session.scalar(sa.select(sa.func.count()).select_from(Raw)) == 6
        await asyncio.sleep(10)
    finally:
        os.kill(pid, signal.SIGCONT)
    await shop.provider.wait_for(6, 40)
    await until_async(_quiet, "every job is done")
    assert len(shop.provider.delivered()) == 6
