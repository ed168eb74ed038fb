"""Events by HTTP: proven to be Slack's, stored once whatever Slack does, and answered."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from slack_sdk.signature import Clock

from channels.contract import ActionTaken, MessageEdited, MessageReceived, Peer, RawInbound, Unverified
from channels.lab import Misbehaviour
from channels.social.slack.adapter import Channel
from channels.social.slack.fake import SIGNING_SECRET
from channels.social.slack.fake_events import signed
from channels.social.slack.fake_workspace import BOT_USER, SUPPORT_CHANNEL
from channels.social.slack.harness import Harness, as_raw
from tests.channels.slack.conftest import House


def material() -> Path:
    given = os.environ.get("AUTOCRM_MATERIAL")
    if not given:
        if os.environ.get("CI") == "true":
            pytest.fail("AUTOCRM_MATERIAL is not set")
        pytest.skip("AUTOCRM_MATERIAL is not set: third-party vectors are not part of the project")
    return Path(given)


class Stopped(Clock):
    def __init__(self, at: float) -> None:
        self.at = at

    def now(self) -> float:
        return self.at


@pytest.mark.parametrize(("seconds", "genuine"), [(0, True), (300, True), (-300, True), (301, False), (-301, False)])
async def test_the_published_vector(
    slack: Harness, monkeypatch: pytest.MonkeyPatch, seconds: int, genuine: bool
) -> None:
    vector = json.loads((material() / "webhooks" / "signature_vectors.json").read_text())["slack"]
    monkeypatch.setattr(Channel, "clock", Stopped(int(vector["timestamp"]) + seconds))
    adapter = slack.adapter(slack.with_settings(signing_secret=vector["signing_secret"]))
    headers = {"x-slack-request-timestamp": vector["timestamp"], "x-slack-signature": vector["signature"]}
    raw = RawInbound("", vector["body"].encode(), "application/x-www-form-urlencoded", headers)
    if genuine:
        adapter.verify(raw)
        with pytest.raises(Unverified):
            adapter.verify(replace(raw, body=raw.body + b" "))
    else:
        with pytest.raises(Unverified):
            adapter.verify(raw)


async def test_every_changed_byte_is_noticed(slack: Harness) -> None:
    adapter, raw = slack.adapter(), slack.signed()
    for at in range(len(raw.body)):
        changed = raw.body[:at] + bytes([raw.body[at] ^ 1]) + raw.body[at + 1 :]
        with pytest.raises(Unverified):
            adapter.verify(replace(raw, body=changed))


async def test_without_a_signing_secret_nothing_is_believed(slack: Harness) -> None:
    adapter = slack.adapter(slack.with_settings(mode="socket", signing_secret=""))
    with pytest.raises(Unverified):
        adapter.verify(as_raw(signed("", b"{}", "application/json")))


async def test_the_challenge_is_answered(slack: Harness, house: House) -> None:
    request = slack.fake.events.request({"type": "url_verification", "challenge": "say this"})
    async with (
        aiohttp.ClientSession() as session,
        session.post(house.url, data=request.body, headers=request.headers) as answer,
    ):
        assert answer.status == 200
        assert await answer.json() == {"challenge": "say this"}


async def test_a_forged_request_stores_nothing(slack: Harness, house: House) -> None:
    request = signed(SIGNING_SECRET[::-1], b'{"type":"event_callback"}', "application/json")
    async with (
        aiohttp.ClientSession() as session,
        session.post(house.url, data=request.body, headers=request.headers) as answer,
    ):
        assert answer.status == 403
    assert house.refused == 1
    assert not house.raws


async def test_a_replayed_request_is_known(slack: Harness, house: House) -> None:
    slack.fake.write(slack.fake.workspace.person("ann"), "once")
    await slack.fake.events.settled()
    request = slack.fake.events.request(slack.fake.events.sent[-1])
    async with aiohttp.ClientSession() as session:
        for _time in range(5):
            async with session.post(house.url, data=request.body, headers=request.headers) as answer:
                assert answer.status == 200
    assert house.received == 6
    assert [one.text for one in house.events() if isinstance(one, MessageReceived)] == ["once"]


async def test_what_is_not_stored_comes_again(slack: Harness, house: House) -> None:
    house.failing = 2
    slack.fake.write(slack.fake.workspace.person("ann"), "please keep")
    await slack.fake.events.settled()
    assert [one.retry for one in slack.fake.events.attempts] == [0, 1, 2]
    assert [one.accepted for one in slack.fake.events.attempts] == [False, False, True]
    assert len(house.raws) == 1
    (raw,) = house.raws.values()
    assert raw.headers["x-slack-retry-num"] == "2"
    assert raw.headers["x-slack-retry-reason"] == "http_error"


async def test_duplicates_are_one_message(slack: Harness, house: House) -> None:
    slack.fake.misbehave(Misbehaviour.DUPLICATE)
    for text in ("one", "two"):
        slack.fake.write(slack.fake.workspace.person("ann"), text)
    await slack.fake.events.settled()
    assert house.received == 4
    assert [one.text for one in house.events() if isinstance(one, MessageReceived)] == ["one", "two"]


async def test_an_edit_may_come_before_its_message(slack: Harness, house: House) -> None:
    slack.fake.misbehave(Misbehaviour.OUT_OF_ORDER)
    post = slack.fake.write(slack.fake.workspace.person("ann"), "frist")
    slack.fake.edit(post, "first")
    await slack.fake.events.settled()
    edited, written = house.events()
    assert isinstance(edited, MessageEdited)
    assert isinstance(written, MessageReceived)
    assert edited.message_id == written.external_id == post.id
    assert edited.conversation == written.conversation
    assert {raw.order_key for raw in house.raws.values()} == {written.conversation}


@pytest.mark.parametrize("name", ["support", "general"])
async def test_a_mention_is_one_message_though_slack_tells_it_twice(slack: Harness, house: House, name: str) -> None:
    house.adapter = slack.adapter(slack.with_settings(channels=[SUPPORT_CHANNEL]))
    room = slack.fake.workspace.room(name)
    slack.fake.write(slack.fake.workspace.person("ann"), f"<@{BOT_USER}> help & hurry", channel=room.id)
    await slack.fake.events.settled()
    assert [one["event"]["type"] for one in slack.fake.events.sent] == ["message", "app_mention"]
    assert len({one["event_id"] for one in slack.fake.events.sent}) == 2
    assert [one.text for one in house.events() if isinstance(one, MessageReceived)] == ["help & hurry"]


async def test_talk_elsewhere_is_not_ours_and_hides_no_mention(slack: Harness, house: House) -> None:
    """An edit that adds a mention makes a message of what was none: its own event must not be taken for known."""
    room = slack.fake.workspace.room("general")
    post = slack.fake.write(slack.fake.workspace.person("ann"), "lunch?", channel=room.id)
    await slack.fake.events.settled()
    assert house.events() == []
    slack.fake.workspace.change(post, text=f"<@{BOT_USER}> lunch?")
    slack.fake._told("app_mention", post)
    await slack.fake.events.settled()
    assert [one.text for one in house.events() if isinstance(one, MessageReceived)] == ["lunch?"]


async def test_our_own_messages_are_not_heard(slack: Harness, house: House) -> None:
    await slack.adapter().send(slack.outbound("hello"))
    await slack.fake.events.settled()
    assert slack.fake.events.sent[-1]["event"]["bot_id"]
    assert house.received == 1
    assert house.events() == []


async def test_a_button_is_an_action_in_its_conversation(slack: Harness, house: House) -> None:
    ann = slack.fake.workspace.person("ann")
    asked = slack.fake.write(ann, f"<@{BOT_USER}> help", channel=slack.fake.workspace.room("general").id)
    await slack.fake.events.settled()
    (question,) = (one for one in house.events() if isinstance(one, MessageReceived))
    await slack.adapter().send(slack.outbound("Like this", route=question.route, automated=True))
    answer = slack.fake.delivered()[0]
    assert answer.thread_ts == asked.ts
    slack.fake.press(ann, answer, "person")
    await slack.fake.events.settled()
    (action,) = (one for one in house.events() if isinstance(one, ActionTaken))
    assert action.action == "person"
    assert action.conversation == question.conversation
    assert action.sender.value == question.sender.value


async def test_junk_is_acknowledged(slack: Harness) -> None:
    adapter = slack.adapter()
    for body in (b"", b"{", b"[]", b"null"):
        raw = RawInbound("", body, "application/json")
        assert adapter.respond(raw, (), Peer()).status == 200
        assert adapter.identify(raw, ()).external_id.startswith("sha256:")
