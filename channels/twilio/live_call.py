"""One call at the fake provider: carries out TwiML verb by verb, hears what the caller does, and can be interrupted."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin

from channels.twilio.exchange import Doing, Exchange, Recording, Said, Status, Team
from channels.twilio.twiml import Verb, read
from channels.twilio.wave_file import Sound

REQUESTS_MAX = 200
"""Documents that one call may ask for: a loop without an end is a fault of the application."""
RECORD_KEYS = "1234567890*#"


@dataclass(frozen=True, slots=True)
class _Key:
    key: str


@dataclass(frozen=True, slots=True)
class _Speech:
    sound: Sound
    finished: bool


@dataclass(frozen=True, slots=True)
class _Next:
    """The application has given the call other instructions."""

    document: bytes | None
    url: str = ""
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class _Over:
    """Somebody has hung up."""


_Signal = _Key | _Speech | _Next | _Over


class _Interrupted(Exception):
    def __init__(self, signal: _Next | _Over) -> None:
        super().__init__()
        self.signal = signal


class LiveCall:
    """A caller on the line. `run` lives as long as the call."""

    def __init__(self, exchange: Exchange, sid: str, caller: str, called: str, begin: str) -> None:
        self.sid, self.caller, self.called = sid, caller, called
        self.status, self.doing = Status.RINGING, Doing.RINGING
        self.started = datetime.now(UTC)
        self.finished: datetime | None = None
        self.said: list[Said] = []
        self.rung: list[str] = []
        self._exchange = exchange
        self._begin = begin
        self._url = begin
        self._requests = 0
        self._ear: asyncio.Future[_Signal] | None = None
        self._hears: tuple[type, ...] = ()
        self._pending: _Next | _Over | None = None
        self._stored: list[tuple[Recording, str]] = []
        """Recordings whose own callback is still to come: it takes the provider a moment to store them."""
        self._settled = asyncio.Event()
        self._changed = asyncio.Condition()

    # ------------------------------------------------------------------ what the caller does

    def press(self, keys: str) -> None:
        """Presses keys, one after the other. What the call is not listening for is lost, as on a real line."""
        for key in keys:
            self._add(mine=True, text=key, key=True)
            self._signal(_Key(key))

    def speak(self, sound: Sound, *, finished: bool = True, text: str = "") -> bool:
        """Speaks into a running recording; False where nothing is being recorded. Unfinished: the caller goes on speaking."""
        heard = self._hears_now(_Speech)
        said = self._add(mine=True, text=text, sound=sound)
        if heard:
            self._signal(_Speech(sound, finished))
        self._exchange.note("spoke", call=self.sid, line=said.id, heard=heard, seconds=sound.seconds)
        return heard

    def hang_up(self) -> None:
        self._signal(_Over())

    def go_to(self, document: bytes | None, url: str = "", method: str = "POST") -> None:
        """Other instructions, at once: whatever is being done is left."""
        self._signal(_Next(document, url, method))

    @property
    def live(self) -> bool:
        return self.status in (Status.RINGING, Status.IN_PROGRESS)

    @property
    def at_rest(self) -> bool:
        """Whether the call can go no further by itself."""
        return self._settled.is_set()

    async def settled(self) -> None:
        """Waits until the call can go no further by itself: it is heard, spoken to, timed, or over."""
        await self._settled.wait()

    async def until(self, *doing: Doing) -> None:
        """Waits until the call does one of these."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.doing in doing)

    def heard(self) -> list[str]:
        """Everything that the application has said so far."""
        return [one.text for one in self.said if not one.mine]

    # ------------------------------------------------------------------ the call's own life

    async def run(self) -> None:
        try:
            document: bytes | None = None
            try:
                document = await self._ask(self._begin, "POST", {})
            except _Interrupted as interrupted:
                document = await self._after(interrupted)
            if self.live and self.status is Status.RINGING:
                self.status = Status.IN_PROGRESS
            while document is not None and self.live:
                try:
                    document = await self._carry_out(document)
                except _Interrupted as interrupted:
                    document = await self._after(interrupted)
        finally:
            if self.live:
                self.status = Status.COMPLETED
            self.finished = datetime.now(UTC)
            try:
                await self._exchange.ended(self)
            finally:
                await self._do(Doing.ENDED)
                self._settled.set()

    async def _after(self, interrupted: _Interrupted) -> bytes | None:
        self._announce_stored()
        signal = interrupted.signal
        if isinstance(signal, _Over):
            self.status = Status.COMPLETED
            return None
        if signal.document is not None:
            return signal.document
        try:
            return await self._ask(signal.url, signal.method, {})
        except _Interrupted as again:
            return await self._after(again)

    async def _carry_out(self, document: bytes) -> bytes | None:
        """The next document, or None where the call ends."""
        verbs, problems = read(document)
        for problem in problems:
            self._exchange.note("problem", call=self.sid, code=problem.code, text=problem.text)
        for verb in verbs:
            match verb.name:
                case "Say" | "Play" | "Pause":
                    await self._speak(verb, ())
                case "Hangup":
                    break
                case "Reject":
                    self.status = Status.BUSY if verb.get("reason") == "busy" else Status.NO_ANSWER
                    return None
                case "Redirect":
                    return await self._ask(verb.text, verb.get("method", "POST"), {})
                case "Gather":
                    keys = await self._gather(verb)
                    if keys or verb.get("actionOnEmptyResult") == "true":
                        values = {"Digits": keys, "msg": "Gather End"}
                        return await self._ask(verb.get("action") or self._url, verb.get("method", "POST"), values)
                case "Record":
                    told = await self._record(verb)
                    if told is not None:
                        return await self._ask(verb.get("action") or self._url, verb.get("method", "POST"), told)
                case "Dial":
                    values = await self._dial(verb)
                    if action := verb.get("action"):
                        return await self._ask(action, verb.get("method", "POST"), values)
        self.status = Status.COMPLETED
        return None

    async def _speak(self, verb: Verb, hears: tuple[type, ...]) -> _Signal | None:
        """Says one thing; comes back early with what was heard meanwhile."""
        if verb.name == "Pause":
            await self._do(Doing.WAITING)
            return await self._wait(verb.number("length", 1), hears)
        await self._do(Doing.SPEAKING)
        self._add(mine=False, text=verb.text, language=verb.get("language"), voice=verb.get("voice"))
        return await self._wait(len(verb.text) * self._exchange.pace.per_character, hears)

    async def _gather(self, verb: Verb) -> str:
        keys = ""
        most, stop = verb.number("numDigits", 64), verb.attributes.get("finishOnKey", "#")
        for inner in verb.inner:
            signal = await self._speak(inner, (_Key,))
            if isinstance(signal, _Key):
                keys = signal.key
                break
        await self._do(Doing.WAITING)
        while True:
            if keys and keys[-1] in stop:
                return keys[:-1]
            if len(keys) >= most:
                return keys
            signal = await self._wait(verb.number("timeout", 5), (_Key,))
            if not isinstance(signal, _Key):
                return keys
            keys += signal.key

    async def _record(self, verb: Verb) -> dict[str, str] | None:
        """What `action` is told; None for an empty recording, after which the document goes on."""
        await self._do(Doing.LISTENING)
        silence = float(verb.number("timeout", 5))
        callback, stop = verb.get("recordingStatusCallback"), verb.attributes.get("finishOnKey", RECORD_KEYS)
        sound, key, going = None, "", False
        try:
            while True:
                patience = max(silence, self._exchange.pace.patience or 0.0) if sound is None else silence
                signal = await self._wait(verb.number("maxLength", 3600) if going else patience, (_Key, _Speech))
                if isinstance(signal, _Speech):
                    sound = signal.sound if sound is None else sound + signal.sound
                    if signal.finished:
                        break
                    going = True
                elif isinstance(signal, _Key):
                    if signal.key in stop:
                        key = signal.key
                        break
                else:
                    break
        except _Interrupted as interrupted:
            if sound is not None and not sound.silent:
                recording = self._exchange.keep(self, sound)
                if isinstance(interrupted.signal, _Over):
                    self.status = Status.COMPLETED
                    values = {**self._told(recording), "Digits": "hangup"}
                    # The answer is not carried out: nobody is there to hear it.
                    await self._exchange.ask(self, self._absolute(verb.get("action")), "POST", values)
                self._stored.append((recording, callback and self._absolute(callback)))
            raise
        if sound is None or sound.silent:
            return None
        recording = self._exchange.keep(self, sound)
        self._stored.append((recording, callback and self._absolute(callback)))
        return {**self._told(recording), **({"Digits": key} if key else {})}

    def _told(self, recording: Recording) -> dict[str, str]:
        return {
            "RecordingSid": recording.sid,
            "RecordingUrl": self._exchange.recording_url(recording),
            "RecordingDuration": str(recording.seconds),
        }

    async def _dial(self, verb: Verb) -> dict[str, str]:
        await self._do(Doing.DIALLING)
        number = verb.text or (verb.inner[0].text if verb.inner else "")
        self.rung.append(number)
        result, after = self._exchange.team(number)
        limit = verb.number("timeout", 30)
        if result is Team.NO_ANSWER:
            after = limit
        await self._wait(min(after, limit) if result is not Team.ANSWERED else after, ())
        return {
            "DialCallStatus": result.value,
            "DialCallSid": "CA" + self.sid[2:][::-1],
            **({"DialCallDuration": str(int(after))} if result is Team.ANSWERED else {}),
        }

    # ------------------------------------------------------------------ waiting, asking, noting

    async def _wait(self, seconds: float, hears: tuple[type, ...]) -> _Signal | None:
        """What was heard, or None when the time is over. Raises _Interrupted."""
        self._raise_pending()
        if seconds <= 0:
            await asyncio.sleep(0)
            self._raise_pending()
            return None
        ear: asyncio.Future[_Signal] = asyncio.get_running_loop().create_future()
        self._ear, self._hears = ear, hears
        timer = asyncio.ensure_future(self._time(seconds))
        try:
            # The timer sets off before anybody is told that the call is at rest.
            await asyncio.sleep(0)
            if not ear.done():
                self._settled.set()
            waiting: set[asyncio.Future[Any]] = {ear, timer}
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            self._settled.clear()
            signal = ear.result() if ear.done() else None
        finally:
            self._ear = None
            timer.cancel()
            await asyncio.gather(timer, return_exceptions=True)
        if isinstance(signal, (_Next, _Over)):
            raise _Interrupted(signal)
        return signal

    async def _time(self, seconds: float) -> None:
        await self._exchange.clock.sleep(seconds)
        self._settled.clear()

    def _hears_now(self, kind: type) -> bool:
        return self._ear is not None and not self._ear.done() and kind in self._hears

    def _signal(self, signal: _Signal) -> None:
        if isinstance(signal, (_Next, _Over)):
            self._settled.clear()
            if self._ear is not None and not self._ear.done():
                self._ear.set_result(signal)
            else:
                self._pending = signal
        elif self._hears_now(type(signal)) and self._ear is not None:
            self._settled.clear()
            self._ear.set_result(signal)

    def _raise_pending(self) -> None:
        if self._pending is not None:
            signal, self._pending = self._pending, None
            raise _Interrupted(signal)

    async def _ask(self, url: str, method: str, values: Mapping[str, str]) -> bytes | None:
        self._requests += 1
        if self._requests > REQUESTS_MAX:
            self._exchange.note("problem", call=self.sid, code=11205, text="the call asks for documents without end")
            self.status = Status.FAILED
            return None
        self._url = self._absolute(url)
        document = await self._exchange.ask(self, self._url, method, values)
        self._announce_stored()
        self._raise_pending()
        if document is None:
            self._add(mine=False, text="We are sorry, an application error has occurred. Goodbye.", language="en-US")
            self.status = Status.COMPLETED
        return document

    def _announce_stored(self) -> None:
        while self._stored:
            self._exchange.recorded(self, *self._stored.pop(0))

    def _absolute(self, url: str) -> str:
        return urljoin(self._url, url)

    async def _do(self, doing: Doing) -> None:
        async with self._changed:
            self.doing = doing
            self._changed.notify_all()

    def _add(
        self,
        *,
        mine: bool,
        text: str,
        language: str = "",
        voice: str = "",
        sound: Sound | None = None,
        key: bool = False,
    ) -> Said:
        said = Said(f"{self.sid}:{len(self.said) + 1}", mine, text, datetime.now(UTC), language, voice, sound, key)
        self.said.append(said)
        self._exchange.note("said", call=self.sid, line=said.id, mine=mine, text=text, language=language, voice=voice)
        return said
