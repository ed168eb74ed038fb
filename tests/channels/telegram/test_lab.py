"""The lab: people act on the fake Telegram, the account answers, and they see it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from channels.contract import (
    ActionTaken,
    Address,
    Citation,
    MessageEdited,
    MessageReceived,
    Outbound,
    PeerChanged,
    ReactionChanged,
)
from channels.lab import Act, File, Misbehaviour, Refused, Verb
from channels.registry import load, spec
from channels.social.telegram.harness import Harness
from channels.social.telegram.lab import TelegramLab
from channels.social.telegram.settings import TelegramSettings
from tests.channels.telegram.conftest import House, listening


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[TelegramLab]:
    one = TelegramLab(tmp_path)
    await one.start()
    yield one
    await one.stop()


@pytest.fixture
def connected(lab: TelegramLab, tmp_path: Path) -> House:
    """An account with the settings that the lab gives out."""
    harness = Harness(tmp_path / "unused")
    harness.fake = lab.fake
    house = House(harness)
    house.settings = TelegramSettings.model_validate(lab.connection())
    return house


def write(text: str = "", **changes: object) -> Act:
    return Act.model_validate({"verb": Verb.WRITE, "who": "ann", "text": text, **changes})


def test_the_card_names_it() -> None:
    assert load(spec("telegram").lab or "") is TelegramLab


async def test_a_conversation(lab: TelegramLab, connected: House) -> None:
    async with listening(connected):
        question = await lab.act(write("Where is @my order?"))
        await connected.holds(1)
        (asked,) = connected.events()
        assert isinstance(asked, MessageReceived)
        assert asked.external_id == question
        adapter = connected.adapter()
        answer = Outbound(
            key="k", to=asked.sender, route=asked.route, reply_to=question, automated=True,
            text="On its **way** 😀", citations=(Citation(title="Delivery", url="https://shop.example/d"),),
        )  # fmt: skip
        sent = await adapter.send(answer)
        await adapter.aclose()
        mine, theirs = lab.lines("ann")
        assert (mine.id, mine.mine, mine.text) == (question, True, "Where is @my order?")
        assert (theirs.id, theirs.mine, theirs.text) == (sent.external_id, False, "On its way 😀")
        assert theirs.html == "On its <b>way</b> 😀"
        assert theirs.thread == question
        assert theirs.actions == ("Delivery", "telegram.person")
        assert ("link", "https://shop.example/d") in theirs.headers
        await lab.act(Act(verb=Verb.EDIT, who="ann", target=question, text="Where is order 5?"))
        await lab.act(Act(verb=Verb.REACT, who="ann", target=sent.external_id, text="👍"))
        await lab.act(Act(verb=Verb.PRESS, who="ann", target=sent.external_id, text="telegram.person"))
        await lab.act(Act(verb=Verb.PRESS, who="ann", text="block"))
        await lab.act(Act(verb=Verb.PRESS, who="ann", text="restart"))
        await lab.fake.updates.settled()
    kinds = [type(one) for one in connected.events()]
    assert kinds == [MessageReceived, MessageEdited, ReactionChanged, ActionTaken, PeerChanged, PeerChanged]
    assert lab.lines("ann")[0].state == "edited"
    assert ("reactions", "👍") in lab.lines("ann")[1].headers
    assert lab.lines("bob") == []


async def test_files_and_voices(lab: TelegramLab, connected: House) -> None:
    voice = File(filename="a.ogg", content_type="audio/ogg", content=b"OggS")
    pictures = tuple(File(filename=f"{one}.jpg", content_type="image/jpeg", content=b"x") for one in "ab")
    async with listening(connected):
        await lab.act(write(files=(voice,)))
        await lab.act(write("both sides", files=pictures))
        await lab.fake.updates.settled()
    spoken, first, second = (one for one in connected.events() if isinstance(one, MessageReceived))
    assert [one.spoken for one in spoken.attachments] == [True]
    assert (first.text, second.text) == ("both sides", "")
    assert first.facts["album"] == second.facts["album"]
    assert [one.files for one in lab.lines("ann")] == [("a.ogg",), ("a.jpg",), ("b.jpg",)]
    assert lab.lines("ann")[0].spoken
    adapter = connected.adapter()
    assert b"".join([piece async for piece in adapter.download(spoken.attachments[0])]) == b"OggS"
    await adapter.aclose()


async def test_in_a_group(lab: TelegramLab, connected: House) -> None:
    async with listening(connected):
        await lab.act(write("nice weather", subject="#Garden club"))
        asked = await lab.act(write("@shop_support_bot when do you open?", subject="#Garden club"))
        await lab.act(write("me too", who="bob", target=asked))
        await lab.fake.updates.settled()
    assert connected.texts() == ["when do you open?"]
    assert [one.text for one in lab.lines("bob")] == [one.text for one in lab.lines("ann")]


async def test_it_goes_on_after_a_restart(lab: TelegramLab, tmp_path: Path) -> None:
    await lab.act(write("before"))
    await lab.stop()
    again = TelegramLab(tmp_path)
    await again.start()
    await again.act(write("after"))
    assert [one.text for one in again.lines("ann")] == ["before", "after"]
    await again.stop()


@pytest.mark.parametrize(
    "act",
    [
        write(),
        write("x", who=" "),
        write("x", target="5:5"),
        write("x", target="nonsense"),
        write(files=tuple(File(filename="a", content_type="text/plain", content=b"x") for _one in range(11))),
        Act(verb=Verb.EDIT, who="ann", text="x"),
        Act(verb=Verb.PRESS, who="ann", text="person"),
        Act(verb=Verb.DELETE, who="ann", target="5:5"),
    ],
)
async def test_what_is_not_possible_is_refused(lab: TelegramLab, act: Act) -> None:
    with pytest.raises(Refused, match=r"\w{3}"):
        await lab.act(act)
    assert lab.lines("ann") == []


async def test_others_messages_cannot_be_edited(lab: TelegramLab) -> None:
    question = await lab.act(write("mine"))
    with pytest.raises(Refused):
        await lab.act(Act(verb=Verb.EDIT, who="bob", target=question, text="x"))


async def test_it_misbehaves(lab: TelegramLab, connected: House) -> None:
    assert set(lab.misbehaviours) == set(Misbehaviour)
    lab.misbehave(Misbehaviour.DUPLICATE)
    async with listening(connected):
        await lab.act(write("once"))
        await lab.fake.updates.settled()
    assert sum(len(one) for one in connected.batches) == 2
    assert connected.texts() == ["once"]
    assert Address(kind="telegram", value="1").kind == spec("telegram").peer_kind
