"""Twilio's document language for calls: read strictly, so that what Twilio would refuse or ignore is noticed.

Covers the verbs that a conversation needs. Everything else is reported as a problem, by the codes of Twilio's
error dictionary: 12100 (not readable), 12200 (against the schema), 135xx (`<Say>`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from xml.etree import ElementTree

DOCUMENT_MAX = 64 * 1024
SAY_MAX = 4096
"""Characters of one `<Say>`."""
NOT_READABLE = 12100
AGAINST_SCHEMA = 12200
SAY_EMPTY = 13520
SAY_LANGUAGE = 13512
SAY_VOICE = 13510


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a document that Twilio complains of."""

    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Verb:
    """One instruction, its attributes already of the right shape where no problem was reported."""

    name: str
    attributes: Mapping[str, str]
    text: str
    inner: tuple[Verb, ...]

    def get(self, name: str, default: str = "") -> str:
        return self.attributes.get(name, default)

    def number(self, name: str, default: int) -> int:
        value = self.attributes.get(name, "")
        return int(value) if value.isdigit() else default


Check = Callable[[str], bool]


def _one_of(*values: str) -> Check:
    return lambda value: value in values


def _whole(least: int, most: int) -> Check:
    return lambda value: value.isascii() and value.isdigit() and least <= int(value) <= most


def _like(pattern: str) -> Check:
    compiled = re.compile(pattern)
    return lambda value: compiled.fullmatch(value) is not None


_URL = _like(r"(?:https?://|/|\?)[^\s]*")
_METHOD = _one_of("GET", "POST")
_BOOL = _one_of("true", "false")
_KEYS = _like(r"[0-9*#]*")
_LOCALES = frozenset(
    """ar-AE ar-XA arb ca-ES cmn-CN cmn-TW cs-CZ da-DK de-AT de-DE el-GR en-AU en-GB en-IE en-IN en-NZ en-US en-ZA
    es-ES es-MX es-US fi-FI fr-BE fr-CA fr-FR he-IL hi-IN hu-HU id-ID is-IS it-IT ja-JP ko-KR nb-NO nl-BE nl-NL pl-PL
    pt-BR pt-PT ro-RO ru-RU sk-SK sv-SE th-TH tr-TR uk-UA vi-VN yue-CN yue-HK zh-CN zh-HK zh-TW en es fr de it""".split()
)
_POLLY = MappingProxyType(
    {
        "Amy": "en-GB", "Bianca": "it-IT", "Burcu": "tr-TR", "Camila": "pt-BR", "Elin": "sv-SE", "Emma": "en-GB",
        "Hala": "ar-AE", "Ines": "pt-PT", "Joanna": "en-US", "Kazuha": "ja-JP", "Laura": "nl-NL", "Lea": "fr-FR",
        "Lucia": "es-ES", "Matthew": "en-US", "Mia": "es-MX", "Ola": "pl-PL", "Seoyeon": "ko-KR", "Tatyana": "ru-RU",
        "Vicki": "de-DE", "Zeina": "arb", "Zhiyu": "cmn-CN",
    }
)  # fmt: skip
"""Amazon's voices that this fake knows, and what they speak."""
_STANDARD_ONLY = frozenset({"Tatyana", "Zeina"})
_GOOGLE = re.compile(r"Google\.([a-z]{2,3}-[A-Z]{2})-(?:Standard|Wavenet|Neural2|Chirp3-HD)-[A-Z]\w*")

_SPEAKING = frozenset({"Say", "Play", "Pause"})
_ATTRIBUTES: Mapping[str, Mapping[str, Check]] = MappingProxyType(
    {
        "Response": {},
        "Say": {"language": lambda _value: True, "voice": lambda _value: True, "loop": _whole(0, 1000)},
        "Play": {"loop": _whole(0, 1000), "digits": _like(r"[0-9*#wW]+")},
        "Pause": {"length": _whole(1, 600)},
        "Record": {
            "action": _URL,
            "method": _METHOD,
            "timeout": _whole(1, 600),
            "finishOnKey": _KEYS,
            "maxLength": _whole(2, 14400),
            "playBeep": _BOOL,
            "trim": _one_of("trim-silence", "do-not-trim"),
            "recordingStatusCallback": _URL,
            "recordingStatusCallbackMethod": _METHOD,
            "recordingStatusCallbackEvent": _like(r"(?:(?:in-progress|completed|absent)(?: |$))+"),
        },
        "Gather": {
            "action": _URL,
            "method": _METHOD,
            "input": _one_of("dtmf"),
            "timeout": _whole(1, 600),
            "numDigits": _whole(1, 64),
            "finishOnKey": _KEYS,
            "actionOnEmptyResult": _BOOL,
        },
        "Dial": {
            "action": _URL,
            "method": _METHOD,
            "timeout": _whole(1, 600),
            "timeLimit": _whole(1, 86400),
            "callerId": _like(r"\+[1-9]\d{6,14}"),
            "answerOnBridge": _BOOL,
            "hangupOnStar": _BOOL,
        },
        "Number": {},
        "Redirect": {"method": _METHOD},
        "Hangup": {},
        "Reject": {"reason": _one_of("rejected", "busy")},
    }
)
_INSIDE: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "Response": frozenset({"Say", "Play", "Pause", "Record", "Gather", "Dial", "Redirect", "Hangup", "Reject"}),
        "Gather": _SPEAKING,
        "Dial": frozenset({"Number"}),
    }
)
_WITH_TEXT = frozenset({"Say", "Play", "Redirect", "Dial", "Number"})


def read(document: str | bytes) -> tuple[list[Verb], list[Problem]]:
    """The verbs of a document in their order, and everything that is wrong with it. Unreadable: no verbs."""
    data = document.encode() if isinstance(document, str) else document
    if len(data) > DOCUMENT_MAX:
        return [], [Problem(NOT_READABLE, "the document is larger than 64 KB")]
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        return [], [Problem(NOT_READABLE, "the document declares a type or entities")]
    try:
        root = ElementTree.fromstring(data)  # noqa: S314 - declarations were refused above
    except ElementTree.ParseError as error:
        return [], [Problem(NOT_READABLE, f"not XML: {error}")]
    problems: list[Problem] = []
    if root.tag != "Response":
        return [], [Problem(NOT_READABLE, f"the document begins with <{root.tag}>")]
    return list(_verb(root, problems).inner), problems


def _verb(element: ElementTree.Element, problems: list[Problem]) -> Verb:
    name = str(element.tag)
    known = _ATTRIBUTES.get(name, {})
    for attribute, value in element.attrib.items():
        if attribute not in known:
            problems.append(Problem(AGAINST_SCHEMA, f"<{name}> has no attribute {attribute!r}"))
        elif not known[attribute](value):
            problems.append(Problem(AGAINST_SCHEMA, f"<{name} {attribute}> cannot be {value[:100]!r}"))
    inner: list[Verb] = []
    for child in element:
        if child.tag in _INSIDE.get(name, ()):
            inner.append(_verb(child, problems))
        else:
            problems.append(Problem(AGAINST_SCHEMA, f"<{child.tag}> cannot stand in <{name}>"))
    text = "".join([element.text or "", *((child.tail or "") for child in element)]).strip()
    if text and name not in _WITH_TEXT:
        problems.append(Problem(AGAINST_SCHEMA, f"<{name}> has no text"))
    verb = Verb(name, dict(element.attrib), text, tuple(inner))
    if name == "Say":
        problems += _say_problems(verb)
    elif name == "Redirect" and not _URL(text):
        problems.append(Problem(AGAINST_SCHEMA, "<Redirect> without an address"))
    elif name in ("Dial", "Number") and not inner and not re.fullmatch(r"\+[1-9]\d{6,14}", text):
        problems.append(Problem(AGAINST_SCHEMA, f"<{name}> without a telephone number"))
    return verb


def _say_problems(verb: Verb) -> list[Problem]:
    found: list[Problem] = []
    if not verb.text:
        found.append(Problem(SAY_EMPTY, "<Say> has nothing to say"))
    if len(verb.text) > SAY_MAX:
        found.append(Problem(AGAINST_SCHEMA, f"<Say> with {len(verb.text)} characters"))
    language, voice = verb.get("language"), verb.get("voice")
    if language and language not in _LOCALES:
        found.append(Problem(SAY_LANGUAGE, f"<Say> does not know the language {language!r}"))
    if voice and (speaks := _speaks(voice)) is None:
        found.append(Problem(SAY_VOICE, f"<Say> does not know the voice {voice!r}"))
    elif voice and language and speaks not in ("", language):
        found.append(Problem(SAY_VOICE, f"the voice {voice!r} does not speak {language!r}"))
    return found


def _speaks(voice: str) -> str | None:
    """The locale of a voice; empty for one that speaks several, None for one that does not exist."""
    if voice in ("man", "woman", "alice"):
        return ""
    if google := _GOOGLE.fullmatch(voice):
        return google[1]
    name, _, engine = voice.removeprefix("Polly.").partition("-")
    if not voice.startswith("Polly.") or engine not in ("", "Neural", "Generative"):
        return None
    if engine and name in _STANDARD_ONLY:
        return None
    return _POLLY.get(name)
