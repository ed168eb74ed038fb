"""The main job on every channel with a fake provider: the same question, by each in a language of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path

import pytest
import sqlalchemy as sa

from channels.lab import Misbehaviour, Verb
from core.accounts.models import ChannelAccount
from core.db import transaction
from core.delivery.models import Delivery, DeliveryState
from core.intake.models import Raw, RawState
from core.tickets.models import AttachmentRow, Handoff, Hearing, Message, Route, Ticket
from tests.app.conftest import Shop
from tests.app.labs import Customer, customer, until_quiet
from tests.house import until, until_async

RECORDINGS = Path(__file__).parents[2] / "app" / "demo" / "site" / "recordings"
PHONE = "+14155552671"

Enter = Callable[..., AbstractAsyncContextManager[Customer]]


@pytest.fixture
async def enter(shop: Shop, tmp_path: Path, whisper: str) -> AsyncIterator[Callable[..., object]]:
    """`await enter(channel, who)`: a customer of the running shop, by a channel."""
    shop.house.environment["AUTOCRM_PUBLIC_URL"] = shop.house.url
    shop.house.environment["AUTOCRM_SPEECH_MODEL"] = whisper
    shop.house.start("api")
    await shop.house.until_open(shop.house.port, "api")
    shop.house.start("worker")
    async with AsyncExitStack() as stack:

        async def made(channel: str, who: str, **more: object) -> Customer:
            return await stack.enter_async_context(customer(shop.house, channel, who, tmp_path, **more))  # type: ignore[arg-type]

        yield made


async def _ticket() -> Ticket:
    async with transaction() as session:
        return (await session.scalars(sa.select(Ticket))).one()


async def _sources() -> list[str]:
    """Keys of the articles cited so far."""
    async with transaction() as session:
        rows = await session.scalars(sa.select(Message.citations).order_by(Message.created_at))
        return [citation["key"] for row in rows for citation in row]


WRITTEN = [
    ("sms", "+34600111222", "es", "¿Cómo puedo devolver un artículo?"),
    ("slack", "bianca", "de", "Wie kann ich ein Zelt zurückgeben?"),
    ("telegram", "yuki", "ja", "テントを返品するにはどうすればいいですか？"),
]


@pytest.mark.parametrize(("channel", "who", "language", "question"), WRITTEN, ids=[one[0] for one in WRITTEN])
async def test_a_question_is_answered_the_way_it_came(
    enter: Callable[..., object], channel: str, who: str, language: str, question: str
) -> None:
    asking: Customer = await enter(channel, who)  # type: ignore[misc]
    await asking.write(question)
    answer = (await asking.until_heard())[0]
    assert "Robin" in answer.text, "an AI says that it is one"
    assert (await _sources())[0] == "returns"
    ticket = await _ticket()
    assert (ticket.channel, ticket.language, ticket.handoff) == (channel, language, Handoff.AI)
    await until_quiet(asking)
    async with transaction() as session:
        states = list(await session.scalars(sa.select(Delivery.state)))
        raws = set(await session.scalars(sa.select(Raw.state)))
    assert set(states) <= {DeliveryState.SENT, DeliveryState.DELIVERED}
    assert raws <= {RawState.TICKET, RawState.APPENDED, RawState.FILTERED}


async def test_a_second_message_joins_the_ticket_and_is_answered_once(enter: Callable[..., object]) -> None:
    asking: Customer = await enter("sms", "+34600111222")  # type: ignore[misc]
    await asking.write("¿Cómo puedo devolver un artículo?")
    first = len(await asking.until_heard())
    await asking.write("¿Y cuánto tiempo tengo para devolver un artículo?")
    await asking.until_heard(first + 1)
    await until_quiet(asking)
    async with transaction() as session:
        tickets = await session.scalar(sa.select(sa.func.count()).select_from(Ticket))
        replies = await session.scalar(
            sa.select(sa.func.count()).select_from(Message).where(Message.direction == "out")
        )
    assert (tickets, replies) == (1, 2)


@pytest.mark.timeout(240)
async def test_a_call_is_answered_aloud(enter: Callable[..., object], shop: Shop) -> None:
    caller: Customer = await enter("voice", PHONE)  # type: ignore[misc]
    texted: Customer = await enter("sms", PHONE)  # type: ignore[misc]
    await caller.do(Verb.CALL)
    await caller.speak(RECORDINGS / "return-a-tent.wav")
    await until(lambda: any("30 days" in line.text for line in caller.heard()), "the answer is said", 60)
    ticket = await _ticket()
    assert (ticket.channel, ticket.subject, ticket.handoff) == ("voice", "How do I return a tent?", Handoff.AI)
    assert await _sources() == ["returns"]
    async with transaction() as session:
        recording = (await session.scalars(sa.select(AttachmentRow))).one()
    assert recording.spoken
    assert recording.hearing is Hearing.DONE
    assert recording.blob_key is not None

    # The link comes as a text to who asks for it.
    await until(lambda: any("press 1" in line.text for line in caller.heard()), "the link is offered")
    await caller.do(Verb.PRESS, "1")
    text = (await texted.until_heard())[0].text
    assert "/en/returns" in text

    # Another turn, after the worker was killed: a call stands in the database.
    shop.house.kill("worker")
    shop.house.start("worker")
    await caller.speak(RECORDINGS / "a-person.wav")
    await until(lambda: _handed_over(caller), "a person is rung or a voicemail taken", 60)
    assert (await _ticket()).handoff is Handoff.QUEUE
    await caller.do(Verb.HANG_UP)

    async def ended() -> bool:
        async with transaction() as session:
            return await session.scalar(sa.select(sa.func.count()).select_from(Raw).where(Raw.state == "received")) == 0

    await until_async(ended, "everything that came is understood")


def _handed_over(caller: Customer) -> bool:
    return any("colleague" in line.text or "person" in line.text.lower() for line in caller.heard()[-3:])


@pytest.mark.timeout(240)
async def test_who_hangs_up_too_early_gets_the_answer_as_a_text(enter: Callable[..., object]) -> None:
    caller: Customer = await enter("voice", PHONE)  # type: ignore[misc]
    texted: Customer = await enter("sms", PHONE)  # type: ignore[misc]
    await caller.do(Verb.CALL)
    await caller.speak(RECORDINGS / "return-a-tent.wav")
    await caller.until_state("waiting")
    await caller.do(Verb.HANG_UP)
    text = (await texted.until_heard(seconds=60))[0].text
    assert "30 days" in text
    async with transaction() as session:
        routes = await session.scalar(sa.select(sa.func.count(sa.distinct(Route.ticket_id))))
    assert routes == 1


async def test_without_a_speech_model_a_caller_leaves_a_voicemail(shop: Shop, tmp_path: Path) -> None:
    shop.house.environment["AUTOCRM_PUBLIC_URL"] = shop.house.url
    shop.house.start("api")
    await shop.house.until_open(shop.house.port, "api")
    shop.house.start("worker")
    async with customer(shop.house, "voice", PHONE, tmp_path) as caller:
        await caller.do(Verb.CALL)
        await caller.speak(RECORDINGS / "return-a-tent.wav")

        async def kept() -> bool:
            async with transaction() as session:
                file = await session.scalar(sa.select(AttachmentRow))
                ticket = await session.scalar(sa.select(Ticket))
                return bool(file and file.blob_key and ticket and ticket.handoff is Handoff.QUEUE)

        await until_async(kept, "the voicemail is on a ticket for a person")
        async with transaction() as session:
            file = (await session.scalars(sa.select(AttachmentRow))).one()
        assert file.error_code in (None, "speech_unavailable")


@pytest.mark.parametrize("how", [Misbehaviour.DUPLICATE, Misbehaviour.OUT_OF_ORDER, Misbehaviour.REPLY_LOST])
@pytest.mark.parametrize("channel", ["sms", "slack"])
async def test_a_provider_that_misbehaves_gets_one_answer(
    enter: Callable[..., object], channel: str, how: Misbehaviour
) -> None:
    who = "+34600111222" if channel == "sms" else "bianca"
    asking: Customer = await enter(channel, who)  # type: ignore[misc]
    asking.lab.misbehave(how)
    await asking.write("¿Cómo puedo devolver un artículo?")
    await asking.until_heard(seconds=60)
    await until_quiet(asking, 4.0)
    async with transaction() as session:
        assert await session.scalar(sa.select(sa.func.count()).select_from(Ticket)) == 1
        states = list(await session.scalars(sa.select(Delivery.state)))
        account = await session.get_one(ChannelAccount, asking.account_id)
    assert len(asking.heard()) == len(states) == 1, "each part once"
    assert set(states) <= {DeliveryState.SENT, DeliveryState.DELIVERED}
    assert account.error is None


@pytest.mark.parametrize("point", ["deliver.before_send", "deliver.accepted"])
@pytest.mark.parametrize("channel", ["sms", "slack"])
async def test_a_worker_killed_in_mid_send_is_looked_up_and_never_sends_twice(
    enter: Callable[..., object], shop: Shop, channel: str, point: str
) -> None:
    shop.house.kill("worker")
    shop.house.start("worker", AUTOCRM_FAILPOINTS=f"{point}=kill")
    who = "+34600111222" if channel == "sms" else "bianca"
    asking: Customer = await enter(channel, who)  # type: ignore[misc]
    await asking.write("¿Cómo puedo devolver un artículo?")
    await until(lambda: shop.house.processes["worker"].poll() is not None, "the worker dies", 60)
    shop.house.kill("worker")
    shop.house.start("worker")
    await asking.until_heard(seconds=60)
    await until_quiet(asking, 4.0)
    assert len(asking.heard()) == 1
