"""Connecting: settings, the manifest, what the connection test says, and the demo's lab."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from channels.contract import MessageDeleted, MessageReceived, ReactionChanged
from channels.lab import Act, File, Refused, Verb
from channels.social.slack import manifest as slack_manifest
from channels.social.slack.adapter import Channel
from channels.social.slack.harness import Harness
from channels.social.slack.lab import SlackLab
from channels.social.slack.manifest import SCOPES, manifest
from channels.social.slack.settings import Mode, SlackSettings
from tests.channels.slack.conftest import House


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"bot_token": " ", "signing_secret": "x"},
        {"bot_token": "xoxb-1"},
        {"bot_token": "xoxb-1", "mode": "socket", "signing_secret": "x"},
        {"bot_token": "xoxb-1", "signing_secret": "x", "api_url": "ftp://slack.test"},
        {"bot_token": "xoxb-1", "signing_secret": "x", "other": 1},
    ],
)
def test_settings_that_cannot_work(values: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        SlackSettings.model_validate(values)


def test_channels_are_ids_or_names() -> None:
    settings = SlackSettings.model_validate(
        {"bot_token": "x", "signing_secret": "y", "channels": ["#Help", "C0123ABCD", " help ", ""]}
    )
    assert settings.channel_ids == {"C0123ABCD"}
    assert settings.channel_names == {"help"}


@pytest.mark.parametrize("mode", list(Mode))
def test_the_manifest_asks_for_what_is_needed(mode: Mode) -> None:
    made = manifest("https://crm.test/hooks/slack/1", mode)
    assert made["oauth_config"]["scopes"]["bot"] == list(SCOPES)
    told = made["settings"]
    addresses = [told["event_subscriptions"].get("request_url"), told["interactivity"].get("request_url")]
    assert addresses == ([None, None] if mode is Mode.SOCKET else ["https://crm.test/hooks/slack/1"] * 2)
    assert told["socket_mode_enabled"] is (mode is Mode.SOCKET)


def test_the_manifest_of_the_readme_is_the_one_that_is_made() -> None:
    readme = (Path(slack_manifest.__file__).parent / "README.md").read_text("utf-8")
    pasted = readme.partition("```json\n")[2].partition("```")[0]
    assert json.loads(pasted) == manifest("https://YOUR-ADDRESS/hooks/slack/ACCOUNT-ID", Mode.HTTP)


async def test_missing_scopes_are_named_with_the_manifest(slack: Harness) -> None:
    slack.fake.api.scopes = [one for one in SCOPES if one != "files:write"]
    context = replace(slack.context(), channel="slack", public_url="https://crm.test")
    checked = await Channel(context).check()
    assert checked.identity == "support @ Shop"
    scopes, app = checked.missing
    assert "files:write" in scopes
    pasted = json.loads(app.partition(": ")[2])
    assert pasted["settings"]["event_subscriptions"]["request_url"] == "https://crm.test/hooks/slack/account-1"


async def test_channels_without_the_app_are_named(slack: Harness) -> None:
    slack.fake.workspace.room("secret", member=False)
    settings = slack.with_settings(channels=["support", "secret"], mode="socket")
    assert (await slack.adapter(settings).check()).missing == (
        "Invite the app to the support channel secret: it is no member.",
    )


async def test_http_at_a_local_address_is_doubted(slack: Harness) -> None:
    assert any("socket mode" in one for one in (await slack.adapter().check()).missing)


async def test_the_lab(tmp_path: Path) -> None:
    lab = SlackLab(tmp_path)
    await lab.start()
    house = House(Channel(Harness(tmp_path / "unused").context(SlackSettings.model_validate(lab.connection()))))
    await house.start()
    lab.hooks_at(house.url)
    picture = File(filename="a.png", content_type="image/png", content=b"\x89PNG")
    first = await lab.act(Act(verb=Verb.WRITE, who="ann", text="My lamp is broken", files=(picture,)))
    await lab.act(Act(verb=Verb.WRITE, who="ann", text="and so is the other", target=first))
    await lab.act(Act(verb=Verb.EDIT, who="ann", text="My lamp broke", target=first))
    await lab.act(Act(verb=Verb.REACT, who="ann", text=":eyes:", target=first))
    await lab.act(Act(verb=Verb.WRITE, who="ann", subject="#support", text="also here"))
    await lab.fake.events.settled()
    events = house.events()
    assert [one.type for one in events] == [
        *("message_received", "message_received", "message_edited", "reaction_changed", "message_received"),
    ]
    question = events[0]
    assert isinstance(question, MessageReceived)
    assert isinstance(events[3], ReactionChanged)
    harness = Harness(tmp_path / "unused")
    answer = harness.outbound("Change the bulb", to=question.sender, route=dict(question.route), automated=True)
    sent = await house.adapter.send(answer)
    lines = lab.lines("ann")
    assert [(one.mine, one.state) for one in lines] == [
        *((True, "edited"), (True, None), (True, None), (False, None)),
    ]
    assert lines[0].files == ("a.png",)
    assert lines[1].thread == first
    assert lines[-1].id == sent.external_id
    assert lines[-1].actions == ("slack.person",)
    await lab.act(Act(verb=Verb.PRESS, who="ann", target=sent.external_id))
    await lab.act(Act(verb=Verb.DELETE, who="ann", target=first))
    await lab.fake.events.settled()
    assert [one.type for one in house.events()][-2:] == ["action_taken", "message_deleted"]
    deleted = house.events()[-1]
    assert isinstance(deleted, MessageDeleted)
    assert deleted.message_id == first
    for act in (
        Act(verb=Verb.CALL, who="ann"),
        Act(verb=Verb.WRITE, who="ann"),
        Act(verb=Verb.EDIT, who="bob", text="x", target=lines[1].id),
        Act(verb=Verb.DELETE, who="ann", target=first),
    ):
        with pytest.raises(Refused):
            await lab.act(act)
    await lab.stop()
    await house.stop()

    again = SlackLab(tmp_path)
    assert [one.text for one in again.lines("ann")] == [one.text for one in (*lab.lines("ann"),)]
    assert len(again.lines("ann")) == 4
    assert again.lines("") == again.lines("nobody") == []
