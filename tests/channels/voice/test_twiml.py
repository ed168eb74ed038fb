"""The fake provider reads documents as strictly as Twilio, or more so: wrong TwiML must not pass a test."""

from __future__ import annotations

import pytest

from channels.twilio.clock import HandClock
from channels.twilio.twiml import AGAINST_SCHEMA, NOT_READABLE, SAY_EMPTY, SAY_LANGUAGE, SAY_VOICE, read
from channels.twilio.wave_file import NotSound, Sound


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ("", NOT_READABLE),
        ("<Response>", NOT_READABLE),
        ("<Answer/>", NOT_READABLE),
        ('<!DOCTYPE x [<!ENTITY a "b">]><Response><Say>&a;</Say></Response>', NOT_READABLE),
        ("<Response>" + " " * 70_000 + "</Response>", NOT_READABLE),
        ("<Response><Shout/></Response>", AGAINST_SCHEMA),
        ("<Response><say>Hello</say></Response>", AGAINST_SCHEMA),
        ("<Response>Hello</Response>", AGAINST_SCHEMA),
        ("<Response><Record colour='red'/></Response>", AGAINST_SCHEMA),
        ("<Response><Record timeout='soon'/></Response>", AGAINST_SCHEMA),
        ("<Response><Record maxLength='1'/></Response>", AGAINST_SCHEMA),
        ("<Response><Record playBeep='yes'/></Response>", AGAINST_SCHEMA),
        ("<Response><Record finishOnKey='a'/></Response>", AGAINST_SCHEMA),
        ("<Response><Record action='ftp://x'/></Response>", AGAINST_SCHEMA),
        ("<Response><Gather><Record/></Gather></Response>", AGAINST_SCHEMA),
        ("<Response><Gather numDigits='0'/></Response>", AGAINST_SCHEMA),
        ("<Response><Pause length='0'/></Response>", AGAINST_SCHEMA),
        ("<Response><Redirect/></Response>", AGAINST_SCHEMA),
        ("<Response><Redirect method='PUT'>/x</Redirect></Response>", AGAINST_SCHEMA),
        ("<Response><Dial/></Response>", AGAINST_SCHEMA),
        ("<Response><Dial><Number>0170</Number></Dial></Response>", AGAINST_SCHEMA),
        ("<Response><Reject reason='tired'/></Response>", AGAINST_SCHEMA),
        ("<Response><Say/></Response>", SAY_EMPTY),
        ("<Response><Say language='xx-YY'>x</Say></Response>", SAY_LANGUAGE),
        ("<Response><Say voice='Polly.Nobody'>x</Say></Response>", SAY_VOICE),
        ("<Response><Say voice='Polly.Tatyana-Neural'>x</Say></Response>", SAY_VOICE),
        ("<Response><Say voice='Polly.Vicki-Neural' language='en-US'>x</Say></Response>", SAY_VOICE),
        ("<Response><Say voice='Google.th-TH-Standard-A' language='en-US'>x</Say></Response>", SAY_VOICE),
    ],
)
def test_what_is_wrong_is_noticed(document: str, code: int) -> None:
    assert code in [problem.code for problem in read(document)[1]]


def test_what_is_right_is_read() -> None:
    verbs, problems = read(
        "<Response><Gather numDigits='1' action='/a?b=1&amp;c=2'><Say language='de-DE' voice='Polly.Vicki-Neural'>Ja"
        "</Say><Pause length='2'/></Gather><Record timeout='4' maxLength='90' finishOnKey='0#' playBeep='true'/>"
        "<Dial timeout='20'><Number>+14155550100</Number></Dial><Redirect method='POST'>/x</Redirect><Hangup/></Response>"
    )
    assert problems == []
    assert [verb.name for verb in verbs] == ["Gather", "Record", "Dial", "Redirect", "Hangup"]
    assert verbs[0].get("action") == "/a?b=1&c=2"
    assert [inner.text for inner in verbs[0].inner] == ["Ja", ""]


def test_recordings_know_how_long_and_how_loud_they_are() -> None:
    tone = Sound.tone(1.5)
    assert Sound.read(tone.wav()) == tone
    assert (tone.seconds, tone.whole_seconds, tone.silent) == (1.5, 2, False)
    assert (tone + tone).seconds == 3.0
    assert Sound.tone(2, hertz=0).silent
    for junk in (b"", b"RIFF", b"ID3\x03", tone.wav()[:20]):
        with pytest.raises(NotSound):
            Sound.read(junk)


async def test_time_moves_by_hand_alone() -> None:
    import asyncio

    clock, woken = HandClock(), []

    async def sleeper(seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((seconds, clock.now))

    tasks = [asyncio.ensure_future(sleeper(seconds)) for seconds in (5, 1, 3)]
    await asyncio.sleep(0)
    await clock.advance(4)
    assert woken == [(1, 1), (3, 3)]
    await clock.advance(1)
    assert woken[-1] == (5, 5)
    await asyncio.gather(*tasks)
