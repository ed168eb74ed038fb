"""The telephone of the demo's lab: what a visitor can do with it, and what the screen shows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from channels.lab import Act, File, Line, Misbehaviour, Refused, Verb
from channels.twilio.exchange import Doing
from channels.twilio.wave_file import Sound
from channels.voice.lab import NUMBER, VoiceLab
from channels.voice.settings import VoiceSettings
from tests.channels.voice.house import CALLER, House, said

WAV = File(filename="question.wav", content_type="audio/wav", content=Sound.tone(2.5).wav())


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[VoiceLab]:
    lab = VoiceLab(tmp_path)
    await lab.start()
    house = House(lab._fake)
    await house.start()
    house.changes = dict(lab.connection())
    lab.hooks_at(house.context.hook_url)
    lab.house = house  # type: ignore[attr-defined]
    yield lab
    await lab.stop()
    await house.stop()


async def act(lab: VoiceLab, verb: Verb, text: str = "", *files: File) -> str:
    return await lab.act(Act(verb=verb, who=CALLER, text=text, files=files))


async def until(lab: VoiceLab, doing: Doing) -> None:
    running = lab._running(CALLER)
    assert running is not None
    await running.until(doing)


def test_its_settings_connect_an_account(lab: VoiceLab) -> None:
    assert VoiceSettings.model_validate(lab.connection()).number == lab.address == NUMBER


async def test_a_call_from_beginning_to_end(lab: VoiceLab) -> None:
    await act(lab, Verb.CALL)
    await until(lab, Doing.LISTENING)
    lines = lab.lines(CALLER)
    assert (lines[0].mine, lines[0].text) == (True, NUMBER)
    assert lines[-1] == lines[-1].model_copy(
        update={"text": said("en", "ask"), "spoken": True, "language": "en-US", "state": "listening", "mine": False}
    )
    spoken = await act(lab, Verb.SPEAK, "", WAV)
    await until(lab, Doing.WAITING)
    lines = lab.lines(CALLER)
    mine = next(one for one in lines if one.id == spoken)
    assert (mine.mine, mine.spoken, mine.files) == (True, True, ("question.wav",))
    assert lines[-1].state == "waiting"
    await lab.house.answer("Thirty days.")  # type: ignore[attr-defined]
    await until(lab, Doing.LISTENING)
    assert "Thirty days." in [one.text for one in lab.lines(CALLER)]
    await act(lab, Verb.PRESS, "7")
    await act(lab, Verb.HANG_UP)
    task = next(iter(lab._calls._tasks.values()))
    await task
    last = lab.lines(CALLER)[-1]
    assert (last.state, last.mine) == ("ended", False)
    assert lab.lines("+33612345678") == []


async def test_what_cannot_be_done_says_why(lab: VoiceLab) -> None:
    with pytest.raises(Refused, match="call first"):
        await act(lab, Verb.HANG_UP)
    await act(lab, Verb.CALL)
    with pytest.raises(Refused, match="already"):
        await act(lab, Verb.CALL)
    with pytest.raises(Refused, match="WAV"):
        await act(lab, Verb.SPEAK)
    with pytest.raises(Refused, match="cannot be played"):
        await act(lab, Verb.SPEAK, "", File(filename="x.wav", content_type="audio/wav", content=b"x"))
    with pytest.raises(Refused, match="keys"):
        await act(lab, Verb.PRESS, "a")
    with pytest.raises(Refused, match="cannot do that"):
        await act(lab, Verb.WRITE, "Hello")


async def test_the_screen_is_the_same_after_a_restart(lab: VoiceLab) -> None:
    await act(lab, Verb.CALL)
    await until(lab, Doing.LISTENING)
    await act(lab, Verb.HANG_UP)
    await next(iter(lab._calls._tasks.values()))

    def shown(lines: list[Line]) -> list[tuple[str, str, str | None]]:
        return [(one.id, one.text, one.state) for one in lines]

    before = shown(list(lab.lines(CALLER)))
    assert before[-1][2] == "ended"
    again = VoiceLab(lab.folder)
    await again.start()
    assert shown(list(again.lines(CALLER))) == before
    await again.stop()


@pytest.mark.parametrize("how", list(Misbehaviour))
async def test_every_misbehaviour_is_possible(lab: VoiceLab, how: Misbehaviour) -> None:
    lab.misbehave(how)
    lab.misbehave(Misbehaviour.NONE)
