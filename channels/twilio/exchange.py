"""What a call is made of, and what it needs of the provider around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from channels.twilio.clock import Clock
from channels.twilio.wave_file import Sound

if TYPE_CHECKING:
    from channels.twilio.live_call import LiveCall


class Status(StrEnum):
    """Twilio's states of a call."""

    RINGING = "ringing"
    IN_PROGRESS = "in-progress"
    COMPLETED = "completed"
    BUSY = "busy"
    NO_ANSWER = "no-answer"
    FAILED = "failed"
    CANCELED = "canceled"


class Doing(StrEnum):
    """What a call is doing, as its caller would put it."""

    RINGING = "ringing"
    SPEAKING = "speaking"
    LISTENING = "listening"
    WAITING = "waiting"
    DIALLING = "dialling"
    ENDED = "ended"


class Team(StrEnum):
    """What becomes of a `<Dial>`."""

    ANSWERED = "completed"
    BUSY = "busy"
    NO_ANSWER = "no-answer"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Said:
    """Something that was said in a call, by the application or by the caller."""

    id: str
    mine: bool
    """True for what the caller gave."""
    text: str
    at: datetime
    language: str = ""
    voice: str = ""
    sound: Sound | None = field(default=None, repr=False)
    key: bool = False


@dataclass(frozen=True, slots=True)
class Recording:
    sid: str
    call: str
    sound: Sound = field(repr=False)
    made: datetime

    @property
    def seconds(self) -> int:
        return self.sound.whole_seconds


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things take, in seconds of the call's clock."""

    per_character: float = 0.0
    """For what is said; 0 says everything at once."""
    patience: float | None = None
    """How long a silent caller is borne at least, instead of the document's own time-outs."""


class Exchange(Protocol):
    """What a call needs of the provider around it."""

    clock: Clock
    pace: Pace

    async def ask(self, call: LiveCall, url: str, method: str, values: Mapping[str, str]) -> bytes | None:
        """The document behind an address; None where the application gave none."""

    async def tell(self, call: LiveCall, url: str, values: Mapping[str, str]) -> None:
        """A callback whose answer does not matter."""

    def keep(self, call: LiveCall, sound: Sound) -> Recording: ...

    def recording_url(self, recording: Recording) -> str: ...

    def recorded(self, call: LiveCall, recording: Recording, url: str) -> None:
        """A recording is stored; its own callback follows."""

    def note(self, kind: str, **facts: object) -> None: ...

    def team(self, number: str) -> tuple[Team, float]:
        """What happens when this number is rung, and after how many seconds."""

    async def ended(self, call: LiveCall) -> None: ...
