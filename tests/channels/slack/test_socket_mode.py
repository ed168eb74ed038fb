"""Socket mode: an envelope is acknowledged after it is stored, and not before; connections come and go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import pytest

from channels.contract import AuthFailed, Cursor, MessageReceived, RawInbound, Retryable, Stored
from channels.social.slack.harness import Harness
from tests.channels.slack.conftest import House


@asynccontextmanager
async def listening(slack: Harness, house: House) -> AsyncIterator[asyncio.Task[None]]:
    slack.fake.events.socket_mode = True
    adapter = slack.adapter(slack.with_settings(mode="socket"))
    task = asyncio.create_task(adapter.listen(house.sink))
    try:
        async with asyncio.timeout(10):
            await slack.fake.events.connected()
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, AuthFailed, Retryable):
            async with asyncio.timeout(2):
                await task


def written(house: House) -> list[str]:
    return [one.text for one in house.events() if isinstance(one, MessageReceived)]


async def test_envelopes_are_stored_in_order_and_acknowledged(slack: Harness, house: House) -> None:
    async with listening(slack, house):
        for number in range(20):
            slack.fake.write(slack.fake.workspace.person("ann"), f"{number}")
        async with asyncio.timeout(10):
            await slack.fake.events.settled()
    assert written(house) == [str(one) for one in range(20)]
    assert all(one.accepted for one in slack.fake.events.attempts)
    assert {raw.order_key for raw in house.raws.values()} == {slack.recipient().value}


async def test_what_cannot_be_stored_is_not_acknowledged_and_comes_again(slack: Harness, house: House) -> None:
    house.failing = 1
    async with listening(slack, house):
        slack.fake.write(slack.fake.workspace.person("ann"), "keep me")
        async with asyncio.timeout(10):
            await slack.fake.events.settled()
    assert [(one.retry, one.accepted) for one in slack.fake.events.attempts] == [(0, False), (1, True)]
    assert written(house) == ["keep me"]
    (raw,) = house.raws.values()
    assert raw.transport["retry_attempt"] == 1


async def test_no_acknowledgement_while_the_commit_is_under_way(slack: Harness, house: House) -> None:
    asked, commit = asyncio.Event(), asyncio.Event()
    store = house.sink

    async def slow(raws: Sequence[RawInbound], cursor: Cursor | None = None) -> Stored:
        asked.set()
        await commit.wait()
        return await store(raws, cursor)

    house.sink = slow  # type: ignore[method-assign]
    async with listening(slack, house):
        slack.fake.write(slack.fake.workspace.person("ann"), "patience")
        async with asyncio.timeout(10):
            await asked.wait()
            assert not any(one.accepted for one in slack.fake.events.attempts)
            commit.set()
            await slack.fake.events.settled()
    assert any(one.accepted for one in slack.fake.events.attempts)
    assert written(house) == ["patience"]


@pytest.mark.parametrize("how", ["refresh", "cut"])
async def test_the_next_connection_follows(slack: Harness, house: House, how: str) -> None:
    async with listening(slack, house):
        before = [one for one, _given in slack.fake.calls].count("apps.connections.open")
        slack.fake.write(slack.fake.workspace.person("ann"), "before")
        async with asyncio.timeout(20):
            await slack.fake.events.settled()
            if how == "refresh":
                await slack.fake.events.refresh()
            else:
                slack.fake.events.cut()
            await slack.fake.events.connected(2)
            slack.fake.write(slack.fake.workspace.person("ann"), "after")
            await slack.fake.events.settled()
        assert [one for one, _given in slack.fake.calls].count("apps.connections.open") == before + 1
    assert written(house) == ["before", "after"]


async def test_buttons_come_by_the_same_way(slack: Harness, house: House) -> None:
    async with listening(slack, house):
        await slack.adapter().send(slack.outbound("Hi", automated=True))
        slack.fake.press(slack.fake.workspace.person("ann"), slack.fake.delivered()[0], "person")
        async with asyncio.timeout(10):
            await slack.fake.events.settled()
    assert [one.type for one in house.events()] == ["action_taken"]


async def test_the_same_event_has_the_same_id_by_both_ways(slack: Harness, house: House) -> None:
    async with listening(slack, house):
        slack.fake.write(slack.fake.workspace.person("ann"), "either way")
        async with asyncio.timeout(10):
            await slack.fake.events.settled()
    assert list(house.raws) == [slack.identified(slack.fake.events.sent[0]).external_id]


async def test_an_uninstalled_app_is_told(slack: Harness, house: House) -> None:
    async with listening(slack, house) as task:
        slack.fake.uninstall()
        with pytest.raises(AuthFailed):
            async with asyncio.timeout(10):
                await task
    assert len(house.raws) == 1


async def test_a_bad_app_token_is_told(slack: Harness, house: House) -> None:
    adapter = slack.adapter(slack.with_settings(mode="socket", app_token="xapp-wrong-token"))
    with pytest.raises(AuthFailed):
        await adapter.listen(house.sink)
    with pytest.raises(AuthFailed, match="connections:write"):
        await adapter.check()


async def test_nobody_there_is_for_later(slack: Harness, house: House) -> None:
    url = slack.unreachable_settings().api_url
    with pytest.raises(Retryable):
        await slack.adapter(slack.with_settings(mode="socket", api_url=url)).listen(house.sink)


async def test_a_connected_listener_stops_at_once(slack: Harness, house: House) -> None:
    async with listening(slack, house) as task:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            async with asyncio.timeout(2):
                await task
