"""What Twilio's callbacks of a call mean: pure, bytes in and events out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from pydantic import JsonValue

from channels.contract import (
    ActionTaken,
    Address,
    Attachment,
    CallEnded,
    CallStarted,
    Digits,
    Inbound,
    Malformed,
    MessageReceived,
    RawInbound,
    ReceiptKind,
    ReceiptReceived,
    Trust,
)
from channels.twilio.form import fields
from channels.voice.state import At, Step, step_of, unseal
from channels.voice.voices import nearest

PERSON_KEY = "0"
FOLLOW_UP_KEY = "1"
ENDED = frozenset({"completed", "busy", "no-answer", "failed", "canceled"})
SHORTEST = 2
"""Seconds of recording below which it is a click or a breath."""
_CALL = re.compile(r"CA[0-9a-fA-F]{32}")
_RECORDING = re.compile(r"RE[0-9a-fA-F]{32}")
_E164 = re.compile(r"\+[1-9]\d{6,14}")
WITHHELD = frozenset({"+266696687", "+86282452253", "+7378742833", "+2562533", "+8656696"})
"""The words ANONYMOUS, UNAVAILABLE, RESTRICTED, BLOCKED and UNKNOWN on a keypad: how carriers write that there is no number."""
_HEARD = frozenset({At.TURN, At.SILENCE, At.KEY, At.PERSON})
"""Steps that come after an answer has been said, or while it is."""


@dataclass(frozen=True, slots=True)
class Callback:
    """One request of Twilio's about a call."""

    step: Step
    call: str
    values: Mapping[str, str]

    @property
    def digits(self) -> str:
        """Keys pressed; empty where the caller hung up instead."""
        digits = self.values.get("Digits", "")
        if digits == "hangup":
            return ""
        # Keys that merely say "I have finished" mean nothing else.
        return digits.strip("#*") if self.step.at in (At.TURN, At.LEFT) else digits

    @property
    def over(self) -> bool:
        """Whether nobody is on the line any more."""
        return self.values.get("Digits") == "hangup" or self.values.get("CallStatus") in ENDED

    @property
    def recording(self) -> str | None:
        """The recording's sid, where somebody has spoken."""
        sid = self.values.get("RecordingSid", "")
        return sid if _RECORDING.fullmatch(sid) and self.seconds >= SHORTEST else None

    @property
    def seconds(self) -> int:
        value = self.values.get("RecordingDuration", "")
        return int(value) if value.isascii() and value.isdigit() and len(value) < 7 else 0

    @property
    def to_person(self) -> bool:
        return PERSON_KEY in self.digits and self.step.at is not At.LEFT

    @property
    def follow_up(self) -> bool:
        return self.step.offered and self.digits == FOLLOW_UP_KEY


def read(raw: RawInbound) -> Callback:
    """Raises Malformed."""
    url = raw.transport.get("url")
    if raw.content_type.partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise Malformed("a callback of a call is a form")
    values = fields(raw)
    call = values.get("CallSid", "")
    if not _CALL.fullmatch(call):
        raise Malformed("no call is named")
    return Callback(step_of(str(url or "")), call, values)


def raw_id(callback: Callback) -> str:
    """The same for every delivery of one request; a recording's two callbacks share one, unless a key was pressed too."""
    step, values = callback.step, callback.values
    if step.at in (At.TURN, At.KEPT, At.LEFT) and "RecordingSid" in values:
        return ":".join(filter(None, [callback.call, "recording", values["RecordingSid"], callback.digits]))
    if step.at is At.STATUS:
        return f"{callback.call}:status:{values.get('CallStatus', '')}"
    parts = [step.at.value, step.turn, step.answer, step.tries, step.waited, callback.digits]
    if step.at is At.DIALLED:
        parts.append(values.get("DialCallSid", ""))
    return ":".join([callback.call, *map(str, parts)])


def events(callback: Callback, secret: bytes) -> list[Inbound]:
    """Everything that a callback tells. Steps that only lead on tell nothing."""
    step, call, values = callback.step, callback.call, callback.values
    if step.at is At.STATUS:
        if values.get("CallStatus") not in ENDED:
            return []
        caller, ended = _caller(callback, secret), values["CallStatus"]
        return [CallEnded(external_id=f"{call}:ended", conversation=call, sender=caller, reason=ended)]
    caller = _caller(callback, secret)
    told: list[Inbound] = []
    if step.at is At.CALL:
        route = _route(callback, caller)
        return [CallStarted(external_id=f"{call}:started", conversation=call, sender=caller, route=route)]
    if step.answer and step.at in _HEARD:
        told.append(
            ReceiptReceived(
                external_id=f"{call}:{step.answer}:heard",
                conversation=call,
                kind=ReceiptKind.DELIVERED,
                message_id=f"{call}:{step.answer}",
                recipient=caller,
            )
        )
    if step.at in (At.TURN, At.KEPT, At.LEFT) and callback.recording:
        told.append(_message(callback, caller))
    if action := _action(callback):
        name, value = action
        told.append(
            ActionTaken(external_id=raw_id(callback), conversation=call, sender=caller, action=name, value=value)
        )
    elif callback.digits and step.at is not At.KEPT:
        told.append(Digits(external_id=raw_id(callback), conversation=call, sender=caller, digits=callback.digits[:64]))
    return told


def _action(callback: Callback) -> tuple[str, str | None] | None:
    """What the caller has decided by a key, or by staying silent."""
    step = callback.step
    if step.at in (At.TURN, At.KEY, At.SILENCE):
        if callback.to_person:
            return "person", None
        if callback.follow_up:
            # Before the answer is there, only the call ends: the answer then finds nobody, and follows by text.
            return ("text_answer" if step.waited else "follow_up"), None
    if step.at is At.VOICEMAIL:
        return "person", None
    if step.at is At.DIALLED:
        return "dialled", callback.values.get("DialCallStatus") or None
    return None


def _message(callback: Callback, caller: Address) -> MessageReceived:
    step, values, recording = callback.step, callback.values, callback.recording
    facts: dict[str, JsonValue] = {"seconds": callback.seconds}
    if stir := values.get("StirVerstat"):
        facts["caller_id"] = stir[:64]
    return MessageReceived(
        external_id=str(recording),
        conversation=callback.call,
        sender=caller,
        to=(Address(kind="phone", value=values["To"]),) if _E164.fullmatch(values.get("To", "")) else (),
        language=step.language or None,
        attachments=(
            Attachment(
                filename=f"{'message' if _for_team(callback) else f'question-{step.turn}'}.wav",
                content_type="audio/wav",
                url=_wav(values.get("RecordingUrl", "")),
                spoken=True,
            ),
        ),
        route=_route(callback, caller),
        to_person=_for_team(callback) or callback.to_person,
        facts=facts,
        provider_time=_moment(values.get("RecordingStartTime", "")),
    )


def _for_team(callback: Callback) -> bool:
    return callback.step.at is At.LEFT or callback.step.mail


def _wav(url: str) -> str:
    """Twilio gives the address without an ending; with `.wav` it is the lossless file."""
    if not url:
        raise Malformed("a recording without an address")
    return url if url.endswith((".wav", ".mp3")) else f"{url}.wav"


def _moment(value: str) -> datetime | None:
    """RFC 2822, as Twilio writes dates; None for anything else."""
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _route(callback: Callback, caller: Address) -> dict[str, JsonValue]:
    step = callback.step
    return {
        "call_sid": callback.call,
        "turn": step.turn,
        "language": step.language,
        "number": caller.value if caller.kind == "phone" else "",
        "offered": step.offered,
    }


def _caller(callback: Callback, secret: bytes) -> Address:
    number = callback.values.get("From", "")
    if callback.step.at is At.KEPT:
        number = unseal(callback.step.caller, secret) if callback.step.caller else ""
    return address_of(number, callback.call, callback.values)


def address_of(number: str, call: str, values: Mapping[str, str]) -> Address:
    """Who calls. Without a number that can be called back, each call is somebody of its own."""
    number = number.strip()
    if _E164.fullmatch(number) and number not in WITHHELD:
        # A carrier that has checked the number and found it false is believed.
        false = values.get("StirVerstat", "").startswith("TN-Validation-Failed")
        name = values.get("CallerName") or None
        return Address(kind="phone", value=number, name=name, trust=Trust.CLAIMED if false else Trust.PROVIDER)
    if number.lower().startswith("sip:"):
        return Address(kind="sip", value=number.lower(), trust=Trust.CLAIMED)
    return Address(kind="caller", value=call, trust=Trust.PROVIDER)


def language_of(callback: Callback, menu: tuple[str, ...]) -> str | None:
    """What was chosen from a menu of languages by its key."""
    digits = callback.digits
    if len(digits) == 1 and digits.isdigit() and 1 <= int(digits) <= len(menu):
        return nearest(menu[int(digits) - 1], menu)
    return None
