"""Finding messages again: ours after a cut, and those of customers after an outage."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from channels.contract import MessageReceived, Retryable
from channels.social.slack.fake_workspace import BOT_USER, SUPPORT_CHANNEL
from channels.social.slack.harness import Harness
from tests.channels.slack.conftest import House


async def test_what_was_missed_has_the_ids_of_what_would_have_come(slack: Harness, house: House) -> None:
    """Channel, thread, direct chat; more than a page; nothing of ours, nothing elsewhere."""
    adapter = house.adapter = slack.adapter(slack.with_settings(channels=[SUPPORT_CHANNEL]))
    slack.fake.api.page = 3
    workspace, began = slack.fake.workspace, datetime.now(UTC) - timedelta(seconds=1)
    ann, bob = workspace.person("ann"), workspace.person("bob")
    root = slack.fake.write(ann, "the root", channel=SUPPORT_CHANNEL)
    for number in range(7):
        slack.fake.write(bob, f"reply {number}", channel=SUPPORT_CHANNEL, thread=root.ts)
        slack.fake.write(ann, f"direct {number}")
    general = workspace.room("general").id
    slack.fake.write(bob, "lunch?", channel=general)
    slack.fake.write(bob, f"<@{BOT_USER}> a mention", channel=general)
    slack.fake.write(bob, "in a strange place", channel=workspace.room("secret", member=False).id)
    gone = slack.fake.write(bob, "gone again", channel=SUPPORT_CHANNEL)
    await slack.adapter().send(slack.outbound("ours"))
    await slack.fake.events.settled()
    live = {raw.external_id for raw in house.raws.values() if adapter.parse(raw)}
    slack.fake.delete(gone)
    strange = next(one.id for one in workspace.posts.values() if one.text == "in a strange place")

    missed = await adapter.list_since(began)

    assert {one.external_id for one in missed} == live - {gone.id, strange}
    assert len(missed) == 1 + 7 + 7 + 1
    again = [event for raw in missed for event in adapter.parse(raw)]
    assert [event.external_id for event in again] == [raw.external_id for raw in missed]
    times = [event.provider_time for event in again if isinstance(event, MessageReceived)]
    assert times == sorted(times, key=str)
    by_id = {event.external_id: event for event in house.events()}
    for event in again:
        told = by_id[event.external_id]
        assert isinstance(event, MessageReceived)
        assert isinstance(told, MessageReceived)
        assert (event.text, event.sender, event.conversation, event.route) == (
            told.text,
            told.sender,
            told.conversation,
            told.route,
        )


async def test_nothing_before_the_moment(slack: Harness) -> None:
    slack.fake.write(slack.fake.workspace.person("ann"), "old")
    assert await slack.adapter().list_since(datetime.now(UTC) + timedelta(seconds=1)) == []


@pytest.mark.parametrize("threaded", [True, False])
@pytest.mark.parametrize("told", [True, False])
async def test_a_message_of_ours_is_found(slack: Harness, threaded: bool, told: bool) -> None:
    """Whether the look-up is told where it was to go or not; other messages of ours are no answer."""
    root = slack.fake.write(slack.fake.workspace.person("ann"), "?", channel=SUPPORT_CHANNEL)
    route = {"channel": SUPPORT_CHANNEL, "thread_ts": root.ts} if threaded else {}
    message, other = slack.outbound("an answer", route=route), slack.outbound("an answer", route=route)
    sent = await slack.adapter().send(message)
    now, adapter = datetime.now(UTC), slack.adapter()
    assert await adapter.find_sent(message.key, now, message if told else None) == sent
    assert await adapter.find_sent(other.key, now, other if told else None) is None


async def test_where_nothing_can_arrive_nothing_has(slack: Harness) -> None:
    message = slack.outbound(route={"channel": "C0GONE0001", "thread_ts": "1763697600.000100"})
    assert await slack.adapter().find_sent(message.key, datetime.now(UTC), message) is None


async def test_a_look_up_that_cannot_be_made_is_no_no(slack: Harness) -> None:
    with pytest.raises(Retryable):
        await slack.adapter(slack.unreachable_settings()).find_sent("key", datetime.now(UTC))
