"""From stored raws to tickets: in order, once, and nothing is ever lost on the way."""

from __future__ import annotations

import random
from collections import Counter
from uuid import UUID

import pytest
import sqlalchemy as sa

from channels.contract import RawInbound
from core.accounts.models import ChannelAccount
from core.accounts.service import change
from core.blobs import LocalBlobs
from core.contacts.models import Contact, Identity
from core.db import transaction
from core.intake import parsing, process
from core.intake.models import Raw, RawState
from core.intake.process import replay
from core.intake.receive import receive
from core.jobs.models import Job, Lane
from core.tickets.models import AttachmentRow, Message, Ticket
from tests.core.conftest import Work
from tests.factories.accounts import account
from tests.factories.birds import message, raw, song


@pytest.fixture
async def account_id(sky: object, db: None) -> UUID:
    async with transaction() as session:
        made = await account(session)
    return made.id


async def _states() -> Counter[str]:
    async with transaction() as session:
        return Counter(state.value for state in await session.scalars(sa.select(Raw.state)))


async def _one_raw() -> Raw:
    async with transaction() as session:
        return (await session.scalars(sa.select(Raw))).one()


async def _mend(account_id: UUID) -> None:
    async with transaction() as session:
        await change(session, await session.get_one(ChannelAccount, account_id), values={"fixed": True})


async def test_a_conversation_is_told_in_the_order_received(account_id: UUID, work: Work) -> None:
    told = {bird: [f"{bird} {number}" for number in range(8)] for bird in ("finch", "wren", "robin")}
    waiting = {bird: list(texts) for bird, texts in told.items()}
    chance = random.Random(3)
    while any(waiting.values()):
        bird = chance.choice([name for name, texts in waiting.items() if texts])
        text = waiting[bird].pop(0)
        await receive(account_id, [raw(text, text, sender=bird)])
    await work(Lane.INTAKE)
    async with transaction() as session:
        tickets = list(await session.scalars(sa.select(Ticket)))
        heard = {
            (await session.get_one(Contact, ticket.contact_id)).name: list(
                await session.scalars(
                    sa.select(Message.text)
                    .where(Message.ticket_id == ticket.id)
                    .order_by(Message.created_at, Message.id)
                )
            )
            for ticket in tickets
        }
    assert heard == {bird.title(): texts for bird, texts in told.items()}
    assert await _states() == {"ticket": 3, "appended": 21}


async def test_every_raw_ends_in_exactly_one_state(account_id: UUID, work: Work) -> None:
    await receive(account_id, [
        raw("a"), raw("b"), raw("c", sender="wren"),
        raw("d", sender="owl", do="malformed"), raw("e", sender="crow", do="raise"),
        raw("f", sender="jay", automation="auto_reply"), raw("g", sender="tit", automation="verification"),
        raw("h", sender="rook", facts={"loop": True}),
        RawInbound("i", song()),
        RawInbound("j", song(message("j1", sender="swan"), message("j2", sender="swan"))),
    ])  # fmt: skip
    await work(Lane.INTAKE)
    assert await _states() == {"ticket": 3, "appended": 1, "filtered": 3, "quarantined": 3}
    async with transaction() as session:
        assert await session.scalar(sa.select(sa.func.count()).select_from(Ticket)) == 3
        assert await session.scalar(sa.select(sa.func.count()).select_from(Message)) == 5
        assert not await session.scalar(sa.select(sa.func.count()).where(Job.lane == Lane.INTAKE))


async def test_a_parsers_bug_quarantines_the_raw_after_three_tries_and_the_rest_goes_on(
    account_id: UUID, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    await receive(account_id, [raw("bad", "first", do="raise"), raw("good", "second")])
    await work(Lane.INTAKE)
    async with transaction() as session:
        bad, good = await session.scalars(sa.select(Raw).order_by(Raw.seq))
    assert (bad.state, bad.reason, bad.attempts) == (RawState.QUARANTINED, "processing_failed", 3)
    assert bad.error == "ValueError: a bug of the parser"
    assert bad.body is not None
    assert good.state is RawState.TICKET
    await _mend(account_id)
    async with transaction() as session:
        assert await replay(session, bad.id)
        assert not await replay(session, good.id), "what is a message already is not replayed"
    await work(Lane.INTAKE)
    assert await _states() == {"ticket": 1, "appended": 1}


@pytest.mark.parametrize("padding", [0, parsing._IN_THREAD_MAX], ids=["in a thread", "in a process"])
async def test_a_parser_that_hangs_costs_one_raw_and_no_thread(
    account_id: UUID, work: Work, monkeypatch: pytest.MonkeyPatch, padding: int
) -> None:
    monkeypatch.setattr(parsing, "_TIMEOUT", 0.3 if padding == 0 else 3)
    stuck = 12 if padding == 0 else 1
    await receive(account_id, [raw(f"stuck-{n}", sender=f"crow{n}", do="hang", padding=padding) for n in range(stuck)])
    await receive(account_id, [raw("good")])
    await work(Lane.INTAKE)
    assert await _states() == {"quarantined": stuck, "ticket": 1}
    async with transaction() as session:
        assert set(await session.scalars(sa.select(Raw.reason))) == {"parser_timeout", None}
    if padding:
        await _mend(account_id)
        async with transaction() as session:
            (raw_id,) = await session.scalars(sa.select(Raw.id).where(Raw.state == RawState.QUARANTINED))
            await replay(session, raw_id)
        monkeypatch.setattr(parsing, "_TIMEOUT", 30)
        await work(Lane.INTAKE)
        assert await _states() == {"ticket": 2}


async def test_a_parser_that_kills_its_process_costs_one_raw(account_id: UUID, work: Work) -> None:
    big = parsing._IN_THREAD_MAX
    await receive(account_id, [raw("dies", do="die", padding=big), raw("good", sender="wren", padding=big)])
    await work(Lane.INTAKE)
    async with transaction() as session:
        dies, good = await session.scalars(sa.select(Raw).order_by(Raw.seq))
    assert (dies.state, dies.reason) == (RawState.QUARANTINED, "parser_died")
    assert good.state is RawState.TICKET


async def test_a_parser_that_killed_its_worker_is_given_a_process_the_next_time(account_id: UUID, work: Work) -> None:
    """A small raw whose first attempt ended with its worker: the second one must not take the next worker too."""
    await receive(account_id, [raw("dies", do="die")])
    async with transaction() as session:  # the first attempt: claimed, and never heard of again
        await session.execute(sa.update(Job).values(attempts=1, token=1))
    await work(Lane.INTAKE)
    assert ((await _one_raw()).state, (await _one_raw()).reason) == (RawState.QUARANTINED, "parser_died")


async def test_settings_that_cannot_be_read_do_not_block_the_conversation_for_ever(
    account_id: UUID, work: Work
) -> None:
    async with transaction() as session:
        await session.execute(sa.update(ChannelAccount).values(sealed=b"\x01broken"))
    await receive(account_id, [raw("one")])
    await work(Lane.INTAKE)
    assert (await _one_raw()).state is RawState.QUARANTINED
    async with transaction() as session:
        await session.execute(sa.update(ChannelAccount).values(sealed=None))
        await replay(session, (await _one_raw()).id)
    await work(Lane.INTAKE)
    assert (await _one_raw()).state is RawState.TICKET


async def test_a_full_disk_is_waited_for_and_not_held_against_the_message(
    account_id: UUID, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, fails = LocalBlobs._put, [5]

    def full(self: LocalBlobs, content: bytes) -> str:
        if fails[0]:
            fails[0] -= 1
            raise OSError(28, "No space left on device")
        return put(self, content)

    monkeypatch.setattr(LocalBlobs, "_put", full)
    file = {"filename": "a.txt", "content_type": "text/plain", "content": "text"}
    await receive(account_id, [raw("one", attachments=[file])])
    await work(Lane.INTAKE)
    assert ((await _one_raw()).state, (await _one_raw()).attempts, fails) == (RawState.TICKET, 0, [0])
    async with transaction() as session:
        assert (await session.scalars(sa.select(AttachmentRow.filename))).one() == "a.txt"


async def test_a_raw_that_is_worked_on_twice_is_one_message(account_id: UUID, work: Work) -> None:
    await receive(account_id, [raw("one")])
    async with transaction() as session:
        job = (await session.scalars(sa.select(Job))).one()
        for _ in range(3):
            session.add(Job(id=process.UUID(int=_ + 1), lane=Lane.INTAKE, name=job.name, args=job.args))
    await work(Lane.INTAKE)
    async with transaction() as session:
        assert await session.scalar(sa.select(sa.func.count()).select_from(Message)) == 1


async def test_the_same_message_under_two_raws_is_one_message(account_id: UUID, work: Work) -> None:
    body = song(message("m1"))
    await receive(account_id, [RawInbound("push", body, order_key="k"), RawInbound("backfill", body, order_key="k")])
    await work(Lane.INTAKE)
    assert await _states() == {"ticket": 1, "filtered": 1}


async def test_strangers_who_come_at_once_are_one_contact_each(account_id: UUID, work: Work) -> None:
    await receive(account_id, [
        raw(f"{number}", sender=f"bird{number % 3}", conversation=f"c{number}") for number in range(24)
    ])  # fmt: skip
    await work(Lane.INTAKE)
    async with transaction() as session:
        assert await session.scalar(sa.select(sa.func.count()).select_from(Identity)) == 3
        assert await session.scalar(sa.select(sa.func.count()).select_from(Contact)) == 3
    assert await _states() == {"ticket": 24}


async def test_texts_that_no_database_keeps_arrive_all_the_same(account_id: UUID, work: Work) -> None:
    await receive(account_id, [raw("one", "be\x00fore", subject="a\x00b", facts={"x": "\x00"}, route={"r\x00": 1})])
    await work(Lane.INTAKE)
    async with transaction() as session:
        assert (await session.scalars(sa.select(Message.text))).one() == "be\ufffdfore"


async def test_a_blocked_contact_is_filtered(account_id: UUID, work: Work) -> None:
    await receive(account_id, [raw("one")])
    await work(Lane.INTAKE)
    async with transaction() as session:
        await session.execute(sa.update(Contact).values(blocked=True))
    await receive(account_id, [raw("two")])
    await work(Lane.INTAKE)
    assert await _states() == {"ticket": 1, "filtered": 1}
