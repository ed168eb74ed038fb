"""Parsing: what nothing comes of, groups, and updates that are meant to hurt."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from channels.contract import Inbound, Malformed, MessageReceived
from channels.registry import spec
from channels.social.telegram import parse
from channels.social.telegram.fake_world import BOT_NAME
from channels.social.telegram.harness import Harness
from channels.testing.samples import _read, samples

IGNORED = sorted((Path(parse.__file__).parent / "samples" / "ignored").glob("*.json"))


def events(telegram: Harness, update: Any, *, groups: bool = True) -> list[Inbound]:
    found: list[Inbound] = telegram.adapter(telegram.with_settings(groups=groups)).parse(telegram.raw(update))
    return found


def message(**changes: Any) -> dict[str, Any]:
    person = {"id": 5, "is_bot": False, "first_name": "Ann"}
    whole = {"message_id": 1, "date": 1763697610, "chat": {"id": 5, "type": "private"}, "from": person, "text": "hi"}
    return {
        "update_id": 1,
        "message": {name: value for name, value in {**whole, **changes}.items() if value is not None},
    }


@pytest.mark.parametrize("path", IGNORED, ids=lambda path: path.stem)
def test_of_no_interest(telegram: Harness, path: Path) -> None:
    assert telegram.adapter().parse(_read(path).raw) == []


def test_there_is_something_to_ignore() -> None:
    assert len(IGNORED) >= 15


@pytest.mark.parametrize(
    "name", ["mention_in_supergroup", "command_in_small_group", "reply_in_supergroup", "button_in_group"]
)
def test_groups_can_be_switched_off(telegram: Harness, name: str) -> None:
    (sample,) = (one for one in samples(spec("telegram")) if one.name == name)
    assert telegram.adapter().parse(sample.raw)
    assert telegram.adapter(telegram.with_settings(groups=False)).parse(sample.raw) == []


def test_without_the_bots_name_only_replies_count(telegram: Harness) -> None:
    """A webhook that was set by hand: nobody has told us the name."""
    (mention,) = (one.raw for one in samples(spec("telegram")) if one.name == "mention_in_supergroup")
    (reply,) = (one.raw for one in samples(spec("telegram")) if one.name == "reply_in_supergroup")
    for transport in ({}, {"url": "https://help.example.com/hooks"}, {"url": "http://[x"}, {"bot": 5}, {"bot": "a b"}):
        nameless = type(mention)("x", mention.body, transport=transport)
        assert telegram.adapter().parse(nameless) == []
        assert telegram.adapter().parse(type(reply)("x", reply.body, transport=transport))


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (f"@{BOT_NAME}", f"@{BOT_NAME}"),
        (f"@{BOT_NAME}: hi", "hi"),
        (f"  @{BOT_NAME.upper()},\nhi", "hi"),
        (f"hi @{BOT_NAME}", f"hi @{BOT_NAME}"),
        (f"/ask@{BOT_NAME}", "/ask"),
    ],
)
def test_the_name_by_which_the_bot_is_called_is_no_part_of_the_question(
    telegram: Harness, text: str, kept: str
) -> None:
    marks = [{"type": "bot_command" if text.startswith("/") else "mention", "offset": text.index("@"), "length": 17}]
    if text.startswith("/"):
        marks = [{"type": "bot_command", "offset": 0, "length": len(text)}]
    update = message(text=text, entities=marks, chat={"id": -5, "type": "group", "title": "Family"})
    (found,) = events(telegram, update)
    assert isinstance(found, MessageReceived)
    assert found.text == kept


@pytest.mark.parametrize("text", [f"@{BOT_NAME}2 hi", f"@not_{BOT_NAME} hi", "@other hi"])
def test_other_names_are_not_ours(telegram: Harness, text: str) -> None:
    marks = [{"type": "mention", "offset": 0, "length": text.index(" ")}]
    assert events(telegram, message(text=text, entities=marks, chat={"id": -5, "type": "group", "title": "F"})) == []


@pytest.mark.parametrize("code", ["", "x", "english!", "../../etc", "e" * 50])
def test_a_strange_language_is_none(telegram: Harness, code: str) -> None:
    person = {"id": 5, "is_bot": False, "first_name": "Ann", "language_code": code}
    (found,) = events(telegram, message(**{"from": person}))
    assert isinstance(found, MessageReceived)
    assert found.language is None


def test_a_person_without_a_name(telegram: Harness) -> None:
    (found,) = events(telegram, message(**{"from": {"id": 5, "is_bot": False, "first_name": ""}}))
    assert isinstance(found, MessageReceived)
    assert found.sender.name is None
    assert found.conversation == found.sender.value == "5"


@pytest.mark.parametrize("date", [0, -1, 10**11, 10**18])
def test_a_time_that_is_none(telegram: Harness, date: int) -> None:
    (found,) = events(telegram, message(date=date))
    assert found.external_id == "5:1"


def _changed(value: Any, dice: random.Random) -> Iterator[Any]:
    """The value with one thing in it replaced by something that has no business there."""
    strange = [None, True, -1, 10**30, 1.5, "", "x" * 5_000, "\u0000", [], {}, [[]], {"id": {}}, "😀", "\ud83d"]
    paths: list[list[Any]] = []

    def walk(one: Any, path: list[Any]) -> None:
        if path:
            paths.append(path)
        for key, inner in one.items() if isinstance(one, dict) else enumerate(one) if isinstance(one, list) else ():
            walk(inner, [*path, key])

    walk(value, [])
    for path in paths:
        for what in dice.sample(strange, 4):
            whole = copy.deepcopy(value)
            at = whole
            for key in path[:-1]:
                at = at[key]
            at[path[-1]] = what
            yield whole
        whole = copy.deepcopy(value)
        at = whole
        for key in path[:-1]:
            at = at[key]
        del at[path[-1]]
        yield whole


def test_updates_that_are_meant_to_hurt(telegram: Harness) -> None:
    """Every field of every sample missing, or of another type: understood, or Malformed, never a crash."""
    dice, adapter, tried, refused = random.Random(7), telegram.adapter(), 0, 0
    known = [*(one.raw for one in samples(spec("telegram"))), *(_read(path).raw for path in IGNORED)]
    for raw in known:
        for update in _changed(json.loads(raw.body), dice):
            body = json.dumps(update).encode()
            tried += 1
            hurt = type(raw)("x", body, transport=raw.transport, headers=raw.headers)
            named = adapter.identify(hurt, ())
            assert named.external_id
            try:
                for event in adapter.parse(hurt):
                    event.model_dump_json()
            except Malformed:
                refused += 1
    assert tried > 4_000
    assert 0 < refused < tried


@pytest.mark.parametrize(
    "update",
    [
        message(text="x" * 5_000_000),
        message(text="😀" * 4096, entities=[{"type": "bold", "offset": at, "length": 1} for at in range(20_000)]),
        message(text="a@b " * 1000, entities=[{"type": "mention", "offset": 10**15, "length": 10**15}] * 1000),
        message(text="x", entities=[{"type": "text_link", "offset": 0, "length": 1, "url": "http://[" * 1000}]),
        message(text=None, photo=[]),
        message(text=None, photo=[{"file_id": "x" * 100_000, "width": 10**20, "height": 10**20}]),
        message(text=None, poll={"question": "?", "options": [{"text": "x" * 1000}] * 10_000}),
        message(chat={"id": 5, "type": "sideways"}),
        message(text="/start " + "x" * 100_000),
        {"update_id": 1, **{f"field_{at}": {"chat": {"id": "x"}} for at in range(5_000)}},
    ],
    ids=range(10),
)
def test_huge_and_strange(telegram: Harness, update: Any) -> None:
    with suppress(Malformed):
        for event in events(telegram, update):
            event.model_dump_json()


def test_deeply_nested_replies(telegram: Harness) -> None:
    inner = message()["message"]
    for _depth in range(600):
        inner = {**message()["message"], "reply_to_message": inner}
    body = json.dumps({"update_id": 1, "message": inner}).encode()
    raw = telegram.request(body)
    with suppress(Malformed):
        assert len(telegram.adapter().parse(raw)) == 1


def test_unknown_kinds_of_updates_are_nothing(telegram: Harness) -> None:
    assert events(telegram, {"update_id": 1, "something_new": {"a": 1}}) == []
    assert events(telegram, {"update_id": 1}) == []


def test_unknown_fields_do_not_matter(telegram: Harness) -> None:
    (found,) = events(telegram, {**message(new_field={"a": [1]}), "further": 5})
    assert isinstance(found, MessageReceived)
    assert found.text == "hi"


def test_half_a_character_is_replaced_and_a_whole_one_is_not(telegram: Harness) -> None:
    (found,) = telegram.adapter().parse(telegram.request(json.dumps(message(text="a\ud83d 😀 \ude00b"))))
    assert isinstance(found, MessageReceived)
    assert found.text == "a? 😀 ?b"
