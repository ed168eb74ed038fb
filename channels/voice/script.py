"""TwiML, written line by line: each line in a language, by a voice that speaks it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from twilio.twiml.voice_response import (  # type: ignore[import-untyped,unused-ignore]
    Dial,
    Gather,
    VoiceResponse,
)

from channels.contract import Context
from channels.voice.speech import speakable
from channels.voice.voices import nearest, voice

KEYS = "1234567890*#"
LISTEN_SILENCE = 4
"""Seconds of silence that end a question, and that a caller may take to begin."""
MESSAGE_SILENCE = 6
"""The same, for a message left for the team."""


@dataclass(frozen=True, slots=True)
class Line:
    """Something said."""

    text: str
    language: str


class Lines:
    """Sentences of the catalogues, as lines."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def own(self, language: str) -> str:
        """The language, among those with sentences of their own, in which a speaker of `language` is addressed."""
        return nearest(language, self._context.languages) or "en"

    def line(self, language: str, message_id: str, /, **params: str | int) -> Line:
        """The sentence in the caller's language; where that has none, in English and by an English voice."""
        own = self.own(language)
        spoken = language if own.split("-")[0] == language.split("-", maxsplit=1)[0] else own
        return Line(self._context.text(language, f"voice.{message_id}", None, **params), spoken)

    def one_of(self, language: str, message_id: str, count: int, *seed: object) -> Line:
        """One of `count` numbered variants, chosen by the seed: the same request is answered alike."""
        chosen = sha256(repr(seed).encode()).digest()[0] % count + 1
        return self.line(language, f"{message_id}_{chosen}")


class Script:
    """One document. Verbs are carried out in the order written."""

    def __init__(self) -> None:
        self._response = VoiceResponse()

    def say(self, lines: Sequence[Line]) -> Script:
        _say(self._response, lines)
        return self

    def say_and_hear_keys(self, lines: Sequence[Line], action: str, seconds: int = 1) -> Script:
        """Says the lines; a key pressed meanwhile, or within `seconds` after, leads to `action`, none leads on."""
        gather = Gather(input="dtmf", num_digits=1, timeout=seconds, finish_on_key="", action=action, method="POST")
        _say(gather, lines)
        self._response.append(gather)
        return self

    def record(self, action: str, kept: str, *, silence: int, longest: int, keys: str = KEYS) -> Script:
        """A tone, then the caller speaks. Leads to `action`, or on where nothing was heard; `kept` hears of the file."""
        self._response.record(
            action=action,
            method="POST",
            timeout=silence,
            max_length=longest,
            finish_on_key=keys,
            play_beep=True,
            recording_status_callback=kept,
            recording_status_callback_method="POST",
        )
        return self

    def dial(self, number: str, action: str, seconds: int) -> Script:
        dial = Dial(action=action, method="POST", timeout=seconds, answer_on_bridge=True)
        dial.number(number)
        self._response.append(dial)
        return self

    def go_to(self, url: str) -> Script:
        self._response.redirect(url, method="POST")
        return self

    def hang_up(self) -> Script:
        self._response.hangup()
        return self

    def document(self) -> str:
        return str(self._response.to_xml(xml_declaration=False))


def _say(parent: VoiceResponse | Gather, lines: Sequence[Line]) -> None:
    for line in lines:
        spoken, by = speakable(line.text), voice(line.language)
        if spoken:
            parent.say(spoken, language=by.locale, voice=by.name)
