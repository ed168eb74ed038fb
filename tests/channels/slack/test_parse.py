"""What is of no interest, the markup, and which messages count where."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from channels.contract import Malformed, MessageReceived, RawInbound
from channels.social.slack import mrkdwn, parse
from channels.social.slack.fake_events import wrapped
from channels.social.slack.harness import Harness
from channels.testing.conformance import JUNK

SAMPLES = sorted((Path(parse.__file__).parent / "samples").rglob("*.json"))
IGNORED = sorted((Path(parse.__file__).parent / "samples" / "ignored").glob("*.json"))


@pytest.mark.parametrize("path", IGNORED, ids=lambda path: path.stem)
def test_these_are_nothing_to_us(path: Path, slack: Harness) -> None:
    sample = json.loads(path.read_text("utf-8"))
    raw = RawInbound("", sample["text"].encode(), sample["content_type"])
    assert slack.adapter().parse(raw) == []


def test_there_are_such_samples() -> None:
    assert len(IGNORED) >= 7


def leaves(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value of a JSON document, containers included."""
    if path:
        yield path
    for key in node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ():
        yield from leaves(node[key], (*path, key))


def test_a_value_of_another_kind_never_crashes(slack: Harness) -> None:
    """Every value of every sample, made into every other kind of value."""
    adapter, tried = slack.adapter(), 0
    for path in SAMPLES:
        sample = json.loads(path.read_text("utf-8"))
        form = "urlencoded" in sample["content_type"]
        text = parse_qs(sample["text"])["payload"][0] if form else sample["text"]
        for way in leaves(json.loads(text)):
            for value in (None, 7, -1.5, "", "\ud800", [], {}, [[]], [{}], True, "9" * 400):
                broken = json.loads(text)
                node = broken
                for key in way[:-1]:
                    node = node[key]
                node[way[-1]] = value
                raw = RawInbound("", json.dumps(broken).encode(), "application/json")
                tried += 1
                with suppress(Malformed):
                    adapter.identify(raw, adapter.parse(raw))
    assert tried > 1_000


@pytest.mark.parametrize("body", JUNK, ids=range(len(JUNK)))
def test_junk_in_a_form_is_malformed_or_nothing(slack: Harness, body: bytes) -> None:
    with suppress(Malformed):
        assert not slack.adapter().parse(RawInbound("", body, "application/x-www-form-urlencoded"))


def event(**values: Any) -> RawInbound:
    inner = {"type": "message", "user": "U1ANN", "team": "T0SHOP001", "ts": "1763697600.000100", **values}
    return RawInbound("", json.dumps(wrapped({"event_ts": inner["ts"], **inner})).encode(), "application/json")


@pytest.mark.parametrize(
    ("chosen", "values", "counts"),
    [
        ((), {"channel": "D0ANN", "channel_type": "im"}, True),
        ((), {"channel": "G0GROUP", "channel_type": "mpim"}, True),
        ((), {"channel": "C0SALES01", "channel_type": "channel"}, False),
        (("C0SALES01",), {"channel": "C0SALES01", "channel_type": "channel"}, True),
        (("C0OTHER01",), {"channel": "C0SALES01", "channel_type": "channel"}, False),
        ((), {"channel": "C0SALES01", "channel_type": "channel", "text": "hi <@U0BOTUSER1>"}, True),
        ((), {"channel": "C0SALES01", "thread_ts": "1763697500.000100", "parent_user_id": "U0BOTUSER1"}, True),
        ((), {"channel": "C0SALES01", "thread_ts": "1763697500.000100", "parent_user_id": "U2BOB"}, False),
        ((), {"channel": "D0ANN", "channel_type": "im", "user": "USLACKBOT"}, False),
        ((), {"channel": "D0ANN", "channel_type": "im", "bot_id": "B1"}, False),
        ((), {"channel": "D0ANN", "channel_type": "im", "user": "U0BOTUSER1"}, False),
    ],
)
def test_which_messages_count(slack: Harness, chosen: tuple[str, ...], values: dict[str, Any], counts: bool) -> None:
    adapter = slack.adapter(slack.with_settings(channels=chosen))
    assert bool(adapter.parse(event(**{"text": "hello", **values}))) is counts


async def test_channels_may_be_given_by_name(slack: Harness) -> None:
    adapter = slack.adapter(slack.with_settings(channels=["#Sales"]))
    ann, workspace = slack.fake.workspace.person("ann"), slack.fake.workspace
    for name, kept in (("sales", 1), ("random", 0)):
        slack.fake.write(ann, "hello", channel=workspace.room(name).id)
        raw = slack.identified(slack.fake.events.sent[-1])
        assert len(await adapter.enrich(adapter.parse(raw), raw)) == kept
    unknown = event(channel="C0NOBODY1", channel_type="channel", text="kept in doubt")
    assert len(await adapter.enrich(adapter.parse(unknown), unknown)) == 1


async def test_people_get_their_names(slack: Harness) -> None:
    ann = slack.fake.workspace.person("ann", "Ann de Vries", locale="nl-NL")
    bob = slack.fake.workspace.person("bob", "Bob \\1")
    raw = event(user=ann.id, channel="D0ANN", channel_type="im", text=f"ask <@{bob.id}> or <@U0NOBODY1>")
    adapter = slack.adapter()
    (told,) = await adapter.enrich(adapter.parse(raw), raw)
    assert isinstance(told, MessageReceived)
    assert (told.sender.name, told.language, told.facts["email"]) == ("Ann de Vries", "nl-NL", "ann@customer.test")
    assert told.text == "ask @Bob \\1 or @U0NOBODY1"
    assert told.route["language"] == "nl-NL"


async def test_no_profile_no_harm(slack: Harness) -> None:
    adapter = slack.adapter(slack.unreachable_settings())
    raw = event(channel="D0ANN", channel_type="im", text="hello", user="U0LONELY1")
    (told,) = await adapter.enrich(adapter.parse(raw), raw)
    assert isinstance(told, MessageReceived)
    assert told.text == "hello"
    assert told.sender.name is None


@pytest.mark.parametrize(
    ("marked", "shown"),
    [
        ("a &lt;b&gt; &amp;amp; c", "a <b> &amp; c"),
        ("<https://a.test/x?y=1&amp;z=2>", "https://a.test/x?y=1&z=2"),
        ("<http://a.test|a.test>", "a.test"),
        ("<https://evil.test|https://bank.test>", "https://bank.test (https://evil.test)"),
        ("<tel:+31|+31>", "+31"),
        ("<!subteam^S1|@crew> <!channel> <!date^1^{date}|May 1>", "@crew @channel May 1"),
        ("<#C1|> <@U1|ann>", "#C1 @ann"),
        (":tada: *bold* _it_ `x`", ":tada: *bold* _it_ `x`"),
        ("1 < 2 <", "1 < 2 <"),
    ],
)
def test_markup_read(marked: str, shown: str) -> None:
    assert mrkdwn.plain(marked) == shown


@pytest.mark.parametrize(
    ("written", "marked"),
    [
        ("**bold** and *it*", "*bold* and *it*"),
        ("# Title\ntext", "*Title*\ntext"),
        ("[the page](https://a.test/?a=1&b=2)", "<https://a.test/?a=1&amp;b=2|the page>"),
        ("see https://a.test/x.", "see <https://a.test/x>."),
        ("<!channel> <@U1> & co", "&lt;!channel&gt; &lt;@U1&gt; &amp; co"),
        ("[<!here>](https://a.test)", "<https://a.test|&lt;!here&gt;>"),
        ("`**x** https://a.test <b>`", "`**x** https://a.test &lt;b&gt;`"),
        ("~~gone~~ 2 ** 3 ** 4", "~gone~ 2 ** 3 ** 4"),
        ("[x](javascript:alert(1))", "[x](javascript:alert(1))"),
    ],
)
def test_markup_written(written: str, marked: str) -> None:
    assert mrkdwn.from_markdown(written) == marked


@pytest.mark.parametrize(
    "text", ["x" * 10_000, "&amp;" * 2_000, "word " * 2_000, "<https://a.test/1|y> " * 500, "l\n" * 5_000]
)
def test_cut_without_loss_and_never_inside_markup(text: str) -> None:
    parts = mrkdwn.split(text, 3_000)
    assert "".join(parts) == text
    assert all(0 < len(one) <= 3_000 for one in parts)
    assert all(one.count("<") == one.count(">") for one in parts)
    assert all(not one.startswith(("amp;", "mp;", "p;", ";")) for one in parts)


@pytest.mark.parametrize(
    "hostile", ["<" * 100_000, "**" * 50_000, "[" * 100_000, "`" * 100_001, "~~a" * 30_000, "# " * 50_000]
)
@pytest.mark.timeout(10)
def test_hostile_markup_costs_no_more_than_its_length(hostile: str) -> None:
    mrkdwn.plain(hostile)
    mrkdwn.from_markdown(hostile)
