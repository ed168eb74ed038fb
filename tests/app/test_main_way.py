"""The main job on real parts: a mail in by SMTP, an answer out by SMTP, through every room in between."""

from __future__ import annotations

import pytest
import redis
import sqlalchemy as sa

from channels.email.fake import CustomerMailbox
from core.db import transaction
from core.intake.models import Raw, RawState
from core.tickets.models import Handoff, Message, Status, Ticket
from tests.app.conftest import Shop
from tests.conftest import Servers
from tests.house import until_async

QUESTIONS = [
    (
        "en",
        "Send something back",
        "Hello,\n\nthe tent I bought two weeks ago does not suit me. How do I return it?\n\nThanks\nJane",
        "returns",
    ),
    (
        "de",
        "Rücksendung",
        "Guten Tag,\n\nder Rucksack passt mir nicht. Wie kann ich ihn zurücksenden?\n\nGrüße\nJens",
        "returns",
    ),
    (
        "es",
        "¿Dónde está mi paquete?",
        "Hola,\n\n¿cómo puedo hacer el seguimiento de mi pedido?\n\nGracias\nAna",
        "tracking",
    ),
    ("ja", "パスワード", "パスワードを忘れてしまいました。どうすれば再設定できますか。", "password-reset"),
]


@pytest.mark.parametrize(("language", "subject", "text", "key"), QUESTIONS)
async def test_a_mail_is_answered_in_its_language_from_the_right_article_and_in_its_thread(
    shop: Shop, language: str, subject: str, text: str, key: str
) -> None:
    shop.house.start("worker")
    customer = CustomerMailbox("jane@customer.example", "Jane Doe")
    message_id = await shop.write(customer, subject, text)
    (answer,) = await shop.provider.wait_for(1, 30)

    assert answer.mail["In-Reply-To"] == message_id
    assert message_id in answer.mail["References"]
    assert answer.mail["Auto-Submitted"] == "auto-replied"
    assert f"/{language}/{key}" in answer.text
    async with transaction() as session:
        ticket = (await session.scalars(sa.select(Ticket))).one()
        assert (ticket.status, ticket.handoff, ticket.language) == (Status.PENDING, Handoff.AI, language)
        assert await session.scalar(sa.select(Raw.state)) is RawState.TICKET


async def test_a_question_outside_the_help_centre_goes_to_the_queue_with_a_courteous_note(shop: Shop) -> None:
    shop.house.start("worker")
    customer = CustomerMailbox("jane@customer.example", "Jane Doe")
    await shop.write(customer, "Job", "Hello, do you have an opening for an accountant in your Lisbon office?")
    (answer,) = await shop.provider.wait_for(1, 30)

    async with transaction() as session:
        ticket = (await session.scalars(sa.select(Ticket))).one()
        assert (ticket.status, ticket.handoff) == (Status.OPEN, Handoff.QUEUE)
        assert f"#{ticket.number}" in answer.text
        assert "help.fernweh.example" not in answer.text


async def test_the_answer_to_an_answer_joins_the_ticket(shop: Shop) -> None:
    shop.house.start("worker")
    customer = CustomerMailbox("jane@customer.example", "Jane Doe")
    await shop.write(customer, "Return", "How do I return a tent?")
    (first,) = await shop.provider.wait_for(1, 30)
    await shop.write(customer, "", "And how long does the refund take?", answering=first)
    await shop.provider.wait_for(2, 30)

    async with transaction() as session:
        ticket = (await session.scalars(sa.select(Ticket))).one()
        messages = await session.scalars(
            sa.select(Message).where(Message.ticket_id == ticket.id).order_by(Message.created_at)
        )
        assert [message.direction.value for message in messages] == ["in", "out", "in", "out"]


async def test_valkey_emptied_in_mid_flow_loses_and_repeats_nothing(shop: Shop, servers: Servers) -> None:
    shop.house.start("worker")
    client = redis.Redis.from_url(servers.redis_url)
    for number in range(10):
        await shop.write(CustomerMailbox(f"c{number}@customer.example"), "Return", "How do I return a tent?")
        client.flushall()
    client.close()
    delivered = await shop.provider.wait_for(10, 60)

    async def settled() -> bool:
        async with transaction() as session:
            return not await session.scalar(sa.text("SELECT count(*) FROM jobs"))

    await until_async(settled, "every job is done")
    assert len(shop.provider.delivered()) == 10
    assert len({mail.rcpt_to for mail in delivered}) == 10
