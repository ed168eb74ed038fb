"""Long polling: nothing is lost and nothing comes twice, whatever breaks in between."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from channels.contract import (
    ActionTaken,
    AuthFailed,
    Cursor,
    MessageEdited,
    MessageReceived,
    RawInbound,
    Retryable,
    Stored,
)
from channels.lab import Misbehaviour
from channels.social.telegram import polling
from channels.social.telegram.fake import FakeTelegram
from channels.social.telegram.fake_updates import ApiError
from channels.social.telegram.fake_world import Json
from channels.social.telegram.harness import Harness
from channels.social.telegram.settings import Mode
from tests.channels.telegram.conftest import House, listening


def asked(telegram: Harness) -> list[int | None]:
    """The offsets of all questions so far."""
    return [
        int(given["offset"]) if "offset" in given else None
        for method, given in telegram.fake.calls
        if method == "getUpdates"
    ]


async def test_updates_are_confirmed_only_after_they_are_stored(telegram: Harness, house: House) -> None:
    fake = telegram.fake
    order: list[str] = []

    async def sink(raws: Sequence[RawInbound], cursor: Cursor | None = None) -> Stored:
        assert len(fake.world.updates) == 1, "not confirmed while it is being stored"
        order.append("stored")
        return await house.sink(raws, cursor)

    await fake.write(telegram.ann(), "first")
    adapter = house.adapter()
    task = asyncio.create_task(adapter.listen(sink))
    await fake.updates.settled()
    order.append("confirmed")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await adapter.aclose()
    assert order == ["stored", "confirmed"]
    assert house.cursor == {"offset": fake.updates.emitted[-1]["update_id"] + 1}
    assert asked(telegram) == [None, house.cursor["offset"]]


async def test_what_could_not_be_stored_comes_again(telegram: Harness, house: House) -> None:
    house.failing = 1
    await telegram.fake.write(telegram.ann(), "first")
    await telegram.fake.write(telegram.ann(), "second")
    async with listening(house) as task:
        with pytest.raises(RuntimeError):
            await task
    assert (house.raws, house.cursor) == ({}, {})
    assert len(telegram.fake.world.updates) == 2
    async with listening(house):
        await telegram.fake.updates.settled()
    assert house.texts() == ["first", "second"]
    assert house.batches[0] == house.batches[1]


async def test_a_restart_between_storing_and_confirming_repeats_nothing(telegram: Harness, house: House) -> None:
    """Killed right after the commit: the next process begins with the cursor that was committed."""
    await telegram.fake.write(telegram.ann(), "first")
    async with listening(house):
        await house.holds(1)
    for text in ("second", "third"):
        await telegram.fake.write(telegram.ann(), text)
        async with listening(house):
            await telegram.fake.updates.settled()
    assert house.texts() == ["first", "second", "third"]
    assert all(len(batch) == 1 for batch in house.batches)


async def test_telegram_may_restart_as_well(telegram: Harness, house: House) -> None:
    """The fake's ledger holds what was not confirmed."""
    await telegram.fake.write(telegram.ann(), "before")
    await telegram.fake.stop()
    telegram.fake = FakeTelegram(telegram.folder / "telegram")
    await telegram.fake.start()
    house.settings = telegram.settings()
    await telegram.fake.write(telegram.ann(), "after")
    async with listening(house):
        await telegram.fake.updates.settled()
    assert house.texts() == ["before", "after"]


@pytest.mark.parametrize("how", [Misbehaviour.DUPLICATE, Misbehaviour.OUT_OF_ORDER])
async def test_twice_and_in_the_wrong_order(telegram: Harness, house: House, how: Misbehaviour) -> None:
    telegram.fake.misbehave(how)
    async with listening(house):
        message = await telegram.fake.write(telegram.ann(), "Where is it?")
        await telegram.fake.edit(message, "Where is order 5?")
        await telegram.fake.updates.settled()
    assert len(house.raws) == 2
    kinds = [type(one) for one in house.events()]
    assert sorted(kinds, key=str) == sorted([MessageReceived, MessageEdited], key=str)
    if how is Misbehaviour.DUPLICATE:
        assert sum(len(one) for one in house.batches) == 4
    else:
        assert kinds == [MessageEdited, MessageReceived]
        assert len({one.order_key for one in house.raws.values()}) == 1


async def test_numbers_that_begin_anew_are_followed(telegram: Harness, house: House) -> None:
    """After a week of silence Telegram begins at a number of its choice, which may be lower."""
    telegram.fake.world.last_update = 900_000_000
    await telegram.fake.write(telegram.ann(), "first")
    async with listening(house):
        await telegram.fake.updates.settled()
    telegram.fake.world.last_update = 5_000
    house.cursor = {}  # what Telegram does with an offset of old is its secret; ours must not stay above what came
    async with listening(house):
        await telegram.fake.write(telegram.ann(), "second")
        await telegram.fake.updates.settled()
    assert house.texts() == ["first", "second"]
    assert house.cursor == {"offset": 5_002}


async def test_another_poller_is_named(telegram: Harness, house: House) -> None:
    rival = House(telegram)
    async with listening(house) as first:
        await telegram.fake.write(telegram.ann(), "hello")
        await house.holds(1)
        async with listening(rival):
            with pytest.raises(Retryable, match="Another program is fetching") as raised:
                await first
    assert raised.value.code == "other_poller"


async def test_a_webhook_that_somebody_set_is_named(telegram: Harness, house: House) -> None:
    telegram.fake.world.write("state", state={"webhook": "http://127.0.0.1:9/else"})
    async with listening(house) as task:
        with pytest.raises(Retryable, match="A webhook is set") as raised:
            await task
    assert raised.value.code == "webhook_active"
    await house.adapter().subscribe()
    async with listening(house):
        await telegram.fake.write(telegram.ann(), "hello")
        await house.holds(1)


async def test_a_token_that_was_revoked(telegram: Harness, house: House) -> None:
    house.settings = telegram.bad_settings()
    async with listening(house) as task:
        with pytest.raises(AuthFailed, match="BotFather"):
            await task


async def test_nobody_there(telegram: Harness, house: House) -> None:
    house.settings = telegram.unreachable_settings()
    async with listening(house) as task:
        with pytest.raises(Retryable):
            await task


async def test_in_webhook_mode_nothing_is_fetched(telegram: Harness) -> None:
    house = House(telegram, mode=Mode.WEBHOOK)
    async with listening(house) as task:
        await asyncio.sleep(0)
        assert not task.done()
    assert telegram.fake.calls == []


async def test_a_button_is_answered_once_it_is_stored(telegram: Harness, house: House) -> None:
    await telegram.adapter().send(telegram.outbound("An answer", automated=True))
    async with listening(house):
        query = await telegram.fake.press(telegram.ann(), telegram.fake.delivered()[0], "person")
        await telegram.fake.updates.settled()
    assert telegram.fake.methods.answered == [query]
    (event,) = house.events()
    assert isinstance(event, ActionTaken)
    assert (event.action, event.value, event.conversation) == ("person", None, str(telegram.ann()["id"]))


@pytest.mark.parametrize("greeting", [True, False])
async def test_who_presses_start_is_greeted(telegram: Harness, greeting: bool) -> None:
    house = House(telegram, greeting=greeting)
    async with listening(house):
        await telegram.fake.write(telegram.ann(), "/start order_5")
        await telegram.fake.updates.settled()
    assert [one["text"] for one in telegram.fake.delivered()] == ["telegram.greeting"] * greeting


async def test_nobody_is_greeted_twice(telegram: Harness, house: House) -> None:
    telegram.fake.misbehave(Misbehaviour.DUPLICATE)
    await telegram.fake.write(telegram.ann(), "/start")
    async with listening(house):
        await telegram.fake.updates.settled()
    assert len(house.batches) == 2
    assert len(telegram.fake.delivered()) == 1


async def test_a_greeting_that_fails_stops_nothing(telegram: Harness, house: House) -> None:
    telegram.fake.misbehave(Misbehaviour.SERVER_ERROR)
    async with listening(house):
        await telegram.fake.write(telegram.ann(), "/start")
        await telegram.fake.write(telegram.ann(), "hello")
        await house.holds(2)
    assert house.texts() == ["/start", "hello"]


def _failing(telegram: Harness, times: int, error: ApiError) -> None:
    """The next questions fail."""
    left, original = [times], telegram.fake.updates.get

    async def get(*given: Any) -> list[Json]:
        if left[0]:
            left[0] -= 1
            raise error
        return await original(*given)

    telegram.fake.updates.get = get  # type: ignore[method-assign]


@pytest.mark.parametrize("code", [500, 502, 503])
async def test_a_line_that_breaks_is_taken_up_again(
    telegram: Harness, house: House, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    monkeypatch.setattr(polling, "_PAUSE", 0.0)
    _failing(telegram, 2, ApiError(code, "Bad Gateway"))
    await telegram.fake.write(telegram.ann(), "hello")
    async with listening(house):
        await house.holds(1)


@pytest.mark.parametrize(
    ("times", "error"),
    [(3, ApiError(502, "Bad Gateway")), (1, ApiError(429, "Too Many Requests: retry after 5", retry_after=5))],
)
async def test_a_line_that_stays_down_is_told_of(
    telegram: Harness, house: House, monkeypatch: pytest.MonkeyPatch, times: int, error: ApiError
) -> None:
    monkeypatch.setattr(polling, "_PAUSE", 0.0)
    _failing(telegram, times, error)
    async with listening(house) as task:
        with pytest.raises(Retryable) as raised:
            await task
    assert raised.value.after == error.parameters.get("retry_after", 0)


@pytest.mark.parametrize(
    "updates", ["nonsense", {"update_id": 1}, [5, "x", None], [{"message": {}}], [{"update_id": "5"}]]
)
async def test_updates_without_numbers_are_not_asked_for_ever(telegram: Harness, house: House, updates: Any) -> None:
    async def get(*_given: Any) -> Any:
        return updates

    telegram.fake.updates.get = get  # type: ignore[method-assign]
    async with listening(house) as task:
        with pytest.raises(Retryable) as raised:
            await task
    assert raised.value.code == "updates_unreadable"
    assert house.raws == {}


async def test_one_strange_update_stops_none_of_the_others(telegram: Harness, house: House) -> None:
    """It is stored as it is, and quarantined by whoever parses it."""
    telegram.fake.world.write("update", update={"update_id": 100_000_001, "message": {"message_id": "strange"}})
    await telegram.fake.write(telegram.ann(), "hello")
    async with listening(house):
        await telegram.fake.updates.settled()
    assert len(house.raws) == 2
    assert house.texts() == ["hello"]


async def test_fifty_restarts_replay_nothing(telegram: Harness, house: House) -> None:
    await telegram.fake.write(telegram.ann(), "once")
    async with listening(house):
        await telegram.fake.updates.settled()
    for _restart in range(50):
        before = telegram.fake.updates.questions
        async with listening(house):
            await telegram.fake.updates.asked(before + 1)
    assert house.texts() == ["once"]
    assert len(house.batches) == 1
    assert set(asked(telegram)[1:]) == {house.cursor["offset"]}
