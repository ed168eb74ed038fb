"""A telephone in the demo's lab: calls a fake Twilio, whose voice is text on the screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from pydantic import JsonValue

from channels.lab import Act, Lab, Line, Misbehaviour, Refused, Verb
from channels.twilio.calls import Calls
from channels.twilio.exchange import Doing, Pace
from channels.twilio.fake import FakeTwilio, Refusal, Trouble
from channels.twilio.live_call import LiveCall
from channels.twilio.wave_file import NotSound, Sound
from channels.voice.state import RETRIES, At, Step

NUMBER = "+14155550142"
TEAM = "+14155550143"
PACE = 0.008
"""Seconds a character takes: much faster than speech, and slow enough to press a key in the middle."""
PATIENCE = 600.0
"""Seconds that the fake waits for somebody who looks for a file to speak with."""
_STATES: Mapping[Doing, str] = {
    Doing.RINGING: "ringing",
    Doing.SPEAKING: "speaking",
    Doing.LISTENING: "listening",
    Doing.WAITING: "waiting",
    Doing.DIALLING: "ringing",
    Doing.ENDED: "ended",
}


class VoiceLab(Lab):
    """Each customer has one telephone, and so one call at a time."""

    verbs: ClassVar[frozenset[Verb]] = frozenset({Verb.CALL, Verb.SPEAK, Verb.PRESS, Verb.HANG_UP})

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._fake = FakeTwilio(folder, numbers=(NUMBER,))
        self._calls = Calls(self._fake, pace=Pace(per_character=PACE, patience=PATIENCE))

    async def start(self) -> None:
        await self._fake.start()

    async def stop(self) -> None:
        await self._fake.stop()

    @property
    def address(self) -> str:
        return NUMBER

    def connection(self) -> Mapping[str, JsonValue]:
        return {
            "account_sid": self._fake.account_sid,
            "auth_token": self._fake.auth_token.get_secret_value(),
            "number": NUMBER,
            "team_number": TEAM,
            "ring_seconds": 10,
            "api_url": self._fake.url,
        }

    def hooks_at(self, url: str) -> None:
        self._fake.numbers.set(
            NUMBER, voice_url=f"{url}{RETRIES}", status_callback=Step(At.STATUS).url(url), status_callback_method="POST"
        )

    async def act(self, act: Act) -> str:
        if act.verb is Verb.CALL:
            if self._running(act.who) is not None:
                raise Refused("You are on the telephone already: hang up first.")
            try:
                call = self._calls.dial(act.who, NUMBER)
            except Refusal as refusal:
                raise Refused(refusal.message) from refusal
            return f"{call.sid}:call"
        call = self._called(act.who)
        match act.verb:
            case Verb.HANG_UP:
                call.hang_up()
                return f"{call.sid}:ended"
            case Verb.PRESS:
                if not act.text or act.text.strip("0123456789*#"):
                    raise Refused("A telephone has the keys 0 to 9, * and #.")
                call.press(act.text)
                return call.said[-1].id
            case Verb.SPEAK:
                return self._speak(call, act)
        raise Refused("A telephone cannot do that.")

    def lines(self, who: str) -> Sequence[Line]:
        """Every call of this customer, from the first: who called, what was said, and that it ended."""
        calls: dict[str, str] = {}
        found: list[Line] = []
        for row in self._fake.ledger.rows("call", "said", "call_ended"):
            call = row["call"]
            if row["kind"] == "call":
                if row["caller"] == who:
                    calls[call] = call
                    found.append(_line(row, f"{call}:call", mine=True, text=NUMBER, state="ringing"))
            elif call not in calls:
                continue
            elif row["kind"] == "said":
                found.append(_said(row))
            else:
                found.append(_line(row, f"{call}:ended", mine=False, text="", state="ended"))
        running = self._running(who)
        if running is not None and found:
            found[-1] = found[-1].model_copy(update={"state": _STATES[running.doing]})
        return found

    def misbehave(self, how: Misbehaviour) -> None:
        self._fake.misbehave(Trouble(how.value))

    # ------------------------------------------------------------------ pieces

    def _speak(self, call: LiveCall, act: Act) -> str:
        if not act.files:
            raise Refused("To speak, give a WAV file of what you say.")
        try:
            sound = Sound.read(act.files[0].content)
        except NotSound as error:
            raise Refused(f"This cannot be played into a telephone: {error}.") from error
        if not call.speak(sound, text=act.files[0].filename):
            raise Refused("Nobody is listening yet: wait for the tone.")
        return call.said[-1].id

    def _running(self, who: str) -> LiveCall | None:
        return next((one for one in self._calls.running.values() if one.caller == who and one.live), None)

    def _called(self, who: str) -> LiveCall:
        call = self._running(who)
        if call is None:
            raise Refused("You are not on the telephone: call first.")
        return call


def _said(row: Mapping[str, Any]) -> Line:
    mine, text = bool(row["mine"]), str(row["text"])
    key = mine and len(text) == 1 and text in "0123456789*#"
    return _line(
        row,
        str(row["line"]),
        mine=mine,
        text=text,
        language=row["language"] or None,
        spoken=not key,
        files=(text,) if mine and not key and text else (),
    )


def _line(row: Mapping[str, Any], name: str, *, mine: bool, text: str, **more: Any) -> Line:
    values = {"thread": f"{row['call']}:call", "spoken": False, **more}
    return Line(id=name, mine=mine, text=text, at=datetime.fromisoformat(row["at"]), **values)
