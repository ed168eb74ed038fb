"""The door: what is acknowledged is stored, once, with its job and the cursor."""

from __future__ import annotations

import asyncio
import random
from uuid import UUID

import pytest
import sqlalchemy as sa

from channels.contract import RawInbound, Stored
from core.accounts.models import ChannelAccount
from core.blobs import blobs
from core.db import transaction
from core.errors import TooLarge
from core.intake.models import Raw
from core.intake.receive import receive, sink_for
from core.jobs.models import Job
from core.settings import settings
from tests.factories.accounts import account
from tests.factories.birds import raw


@pytest.fixture
async def account_id(sky: object, db: None) -> UUID:
    async with transaction() as session:
        made = await account(session)
    return made.id


async def _rows() -> list[Raw]:
    async with transaction() as session:
        return list(await session.scalars(sa.select(Raw).order_by(Raw.seq)))


async def _job_count() -> int:
    async with transaction() as session:
        return await session.scalar(sa.select(sa.func.count()).select_from(Job)) or 0


@pytest.mark.parametrize("times", [1, 2, 3, 4, 5])
async def test_however_often_and_however_mixed_it_comes_it_is_stored_once(account_id: UUID, times: int) -> None:
    chance = random.Random(times)
    batches = []
    for _ in range(times):
        batch = [raw(f"song-{number}") for number in range(12)]
        chance.shuffle(batch)
        batches.append(batch)
    results = await asyncio.gather(*(receive(account_id, batch) for batch in batches))
    assert results.count(Stored.STORED) == 1
    assert results.count(Stored.DUPLICATE) == times - 1
    assert sorted(row.external_id for row in await _rows()) == sorted(f"song-{number}" for number in range(12))
    assert await _job_count() == 12


async def test_single_raws_that_come_at_once_are_stored_once(account_id: UUID) -> None:
    results = await asyncio.gather(*(receive(account_id, [raw("song")]) for _ in range(10)))
    assert sorted(results) == [Stored.DUPLICATE] * 9 + [Stored.STORED]
    assert (len(await _rows()), await _job_count()) == (1, 1)


async def test_two_accounts_may_receive_the_same_id(account_id: UUID) -> None:
    async with transaction() as session:
        other = await account(session, "raven")
    await receive(account_id, [raw("song")])
    assert await receive(other.id, [raw("song")]) is Stored.STORED


async def test_the_cursor_is_moved_with_the_raws_or_not_at_all(account_id: UUID) -> None:
    sink = sink_for(str(account_id))
    await sink([raw("one")], {"offset": 7})
    async with transaction() as session:
        assert (await session.get_one(ChannelAccount, account_id)).cursor == {"offset": 7}
    too_large = RawInbound("big", b"x" * (settings().message_bytes_max + 1))
    with pytest.raises(TooLarge):
        await sink([raw("two"), too_large], {"offset": 9})
    async with transaction() as session:
        assert (await session.get_one(ChannelAccount, account_id)).cursor == {"offset": 7}
    assert [row.external_id for row in await _rows()] == ["one"]
    assert await sink([raw("one")], {"offset": 8}) is Stored.DUPLICATE
    async with transaction() as session:
        assert (await session.get_one(ChannelAccount, account_id)).cursor == {"offset": 8}


async def test_an_account_that_is_gone_stores_nothing_and_says_so(sky: object, db: None) -> None:
    with pytest.raises(sa.exc.IntegrityError):
        await receive(UUID(int=1), [raw("song")])
    assert (await _rows(), await _job_count()) == ([], 0)


async def test_large_bodies_go_to_the_object_store_whole(account_id: UUID) -> None:
    small, large = b"s" * settings().raw_inline_max, b"l" * (settings().raw_inline_max + 1)
    await receive(account_id, [RawInbound("small", small), RawInbound("large", large)])
    in_row, in_store = await _rows()
    assert (in_row.body, in_row.blob_key) == (small, None)
    assert in_store.body is None
    assert in_store.blob_key is not None
    assert await blobs().get(in_store.blob_key) == large
    assert in_store.size == len(large)


async def test_what_no_database_keeps_does_not_keep_a_message_out(account_id: UUID) -> None:
    odd = RawInbound(
        "odd\x00id", b"{}", headers={"x\x00": "a\x00b"}, transport={"mail_from": "\udcff@x", "deep": [{"a": "\ud800\x00"}]},
        order_key="k\x00",
    )  # fmt: skip
    assert await receive(account_id, [odd]) is Stored.STORED
    assert await receive(account_id, [odd]) is Stored.DUPLICATE
    (row,) = await _rows()
    assert row.transport == {"mail_from": "\ufffd@x", "deep": [{"a": "\ufffd\ufffd"}]}
