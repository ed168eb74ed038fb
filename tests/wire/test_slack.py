"""Slack's own specification between the official SDK and the fake: requests and answers are judged by it.

The specification is of 2021. It does not know `files.getUploadURLExternal`, `files.completeUploadExternal`,
`apps.connections.open`, `assistant.threads.setStatus` and the metadata of messages; those are tried against the fake alone,
in the channel's own tests.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import jsonschema
import pytest

from channels.contract import MessageReceived
from channels.social.slack.adapter import Channel
from channels.social.slack.fake import BOT_TOKEN
from channels.social.slack.fake_workspace import BOT_USER, SUPPORT_CHANNEL
from channels.social.slack.harness import Harness
from tests.wire.prism import HERE, prism

UNKNOWN_IN_2021 = {
    "files.getUploadURLExternal",
    "files.completeUploadExternal",
    "apps.connections.open",
    "assistant.threads.setStatus",
}
TOLD_WRONG = {
    "chat.postMessage": {"text": "no channel"},
    "chat.update": {"channel": SUPPORT_CHANNEL, "text": "no ts"},
    "conversations.history": {"channel": SUPPORT_CHANNEL, "limit": "many"},
    "conversations.replies": {"channel": SUPPORT_CHANNEL, "ts": "1.2", "limit": "many"},
    "users.conversations": {"limit": "many"},
    "conversations.list": {"exclude_archived": "perhaps"},
    "conversations.open": {"users": "U1", "return_im": "perhaps"},
    "conversations.info": {"channel": SUPPORT_CHANNEL, "include_locale": "perhaps"},
    "users.info": {"user": BOT_USER, "include_locale": "perhaps"},
    "reactions.add": {"channel": SUPPORT_CHANNEL},
}
"""One bad request per method. `auth.test` takes no argument that could be wrong, and `files.info` none that is typed."""


def specifications() -> Path:
    given = os.environ.get("AUTOCRM_MATERIAL")
    if not given:
        if os.environ.get("CI") == "true":
            pytest.fail("AUTOCRM_MATERIAL is not set")
        pytest.skip("AUTOCRM_MATERIAL is not set: Slack's specification is not part of the project")
    return Path(given) / "specs"


@dataclass
class Judged:
    """The harness, and the address at which the specification stands before its fake."""

    slack: Harness
    url: str

    def adapter(self) -> Channel:
        adapter: Channel = self.slack.adapter(self.slack.with_settings(api_url=self.url))
        return adapter

    def methods(self) -> set[str]:
        """What has come through to the fake."""
        return {method for method, _given in self.slack.fake.calls}


@pytest.fixture
async def judged(tmp_path: Path) -> AsyncIterator[Judged]:
    specification = specifications() / "patched-for-prism" / "slack_web_oas3_patched.json"
    if not (HERE / "node_modules").exists():
        if os.environ.get("CI") == "true":
            pytest.fail("Prism is not installed under tests/wire")
        pytest.skip("Prism is not installed: run npm ci in tests/wire")
    slack = Harness(tmp_path)
    await slack.start()
    async with prism(specification, slack.fake.api_url.rstrip("/")) as url:
        yield Judged(slack, url)
    await slack.stop()


async def test_what_the_adapter_says_is_what_slack_expects(judged: Judged) -> None:
    """Check, profiles, sending, looking up and catching up, through the specification in both directions."""
    slack, adapter = judged.slack, judged.adapter()
    began = datetime.now(UTC) - timedelta(minutes=1)
    ann = slack.fake.workspace.person("ann")
    root = slack.fake.write(ann, "hello", channel=SUPPORT_CHANNEL)
    slack.fake.write(ann, f"<@{BOT_USER}> more", channel=SUPPORT_CHANNEL, thread=root.ts)
    slack.fake.write(ann, "directly")

    assert (await adapter.check()).identity == "support @ Shop"
    raw = slack.identified(slack.fake.events.sent[0])
    named = slack.adapter(slack.with_settings(api_url=judged.url, channels=["support"]))
    (told,) = await named.enrich(named.parse(raw), raw)
    assert isinstance(told, MessageReceived)
    assert told.sender.name == "Ann"
    threaded = slack.outbound("An *answer*", route={"channel": SUPPORT_CHANNEL, "thread_ts": root.ts}, automated=True)
    sent = await adapter.send(threaded)
    begun = await adapter.send(slack.outbound("Something new"))
    assert [one.id for one in slack.fake.delivered()] == [sent.external_id, begun.external_id]
    found = await adapter.find_sent(threaded.key, datetime.now(UTC), threaded)
    assert found is not None
    assert found.external_id == sent.external_id
    assert len(await adapter.list_since(began)) == 2

    assert judged.methods() >= {
        *("auth.test", "chat.postMessage", "conversations.open", "conversations.info", "users.info"),
        *("users.conversations", "conversations.history", "conversations.replies"),
    }


async def test_the_other_methods_of_the_fake_answer_as_slack_does(judged: Judged) -> None:
    """What the adapter does not call, and the fake offers all the same: by the official client."""
    slack = judged.slack
    sent = await judged.adapter().send(slack.outbound("first"))
    channel, _colon, ts = sent.external_id.partition(":")
    async with aiohttp.ClientSession() as session:
        web = judged.adapter()._api.web(session)
        web.base_url = judged.url + "/"
        updated = await web.api_call("chat.update", json={"channel": channel, "ts": ts, "text": "second"})
        assert updated["text"] == "second"
        assert (await web.api_call("reactions.add", json={"channel": channel, "timestamp": ts, "name": "eyes"}))["ok"]
        listed = await web.api_call("conversations.list", data={"types": "public_channel", "limit": "10"})
        assert [one["name"] for one in listed["channels"]] == ["support"]
    assert slack.fake.delivered()[0].text == "second"


@pytest.mark.parametrize("method", sorted(TOLD_WRONG))
async def test_the_specification_is_alive(judged: Judged, method: str) -> None:
    """A request that breaks it never reaches the fake."""
    headers = {"Authorization": f"Bearer {BOT_TOKEN}"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{judged.url}/{method}", data=TOLD_WRONG[method], headers=headers) as answer,
    ):
        told = await answer.json(content_type=None)
    assert answer.status == 422, told
    assert method not in judged.methods()


@pytest.mark.parametrize("field", ["ts", "channel", "message"])
async def test_a_wrong_answer_is_noticed(judged: Judged, field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    slack, call = judged.slack, judged.slack.fake.api.call

    async def broken(method: str, arguments: dict[str, Any]) -> dict[str, Any]:
        answer = await call(method, arguments)
        return {name: value for name, value in answer.items() if name != field}

    monkeypatch.setattr(slack.fake.api, "call", broken)
    headers = {"Authorization": f"Bearer {BOT_TOKEN}"}
    given = {"channel": SUPPORT_CHANNEL, "text": "x"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{judged.url}/chat.postMessage", json=given, headers=headers) as answer,
    ):
        assert answer.status == 500
        assert "VIOLATIONS" in (await answer.json(content_type=None))["type"]


def test_which_methods_the_specification_does_not_know() -> None:
    known = json.loads((specifications() / "patched-for-prism" / "slack_web_oas3_patched.json").read_text())["paths"]
    assert {one for one in UNKNOWN_IN_2021 if f"/{one}" in known} == set()
    assert {one for one in TOLD_WRONG if f"/{one}" not in known} == set()


async def test_events_of_the_fake_have_slacks_shape(tmp_path: Path) -> None:
    """Against Slack's schema of the wrapper: messages, mentions, edits, deletions, reactions, files, farewells."""
    schema = json.loads((specifications() / "slack_common_event_wrapper_schema.json").read_text())
    validator = jsonschema.Draft7Validator(schema)
    slack = Harness(tmp_path)
    await slack.start()
    ann = slack.fake.workspace.person("ann")
    post = slack.fake.write(ann, f"<@{BOT_USER}> hello", channel=SUPPORT_CHANNEL, files=[("a.txt", "text/plain", b"x")])
    slack.fake.edit(post, "hello again")
    slack.fake.react(ann, post, "eyes")
    slack.fake.react(ann, post, "eyes", added=False)
    slack.fake.delete(post)
    slack.fake.uninstall()
    kinds = [one["event"]["type"] for one in slack.fake.events.sent]
    assert kinds == [
        *("message", "app_mention", "message", "reaction_added", "reaction_removed", "message", "app_uninstalled"),
    ]
    for one in slack.fake.events.sent:
        validator.validate(one)
        broken = {**one, "event": {name: value for name, value in one["event"].items() if name != "event_ts"}}
        assert not validator.is_valid(broken)
    await slack.stop()
