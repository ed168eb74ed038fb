"""What is said: every language has every sentence and a voice, and answers are made fit to be heard."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from channels.contract import Address, Citation, Context, Outbound, Rejected
from channels.twilio.twiml import read
from channels.voice import TEXT_MAX, dialogue
from channels.voice.adapter import DOCUMENT_MAX, Channel
from channels.voice.settings import VoiceSettings
from channels.voice.speech import speakable
from channels.voice.voices import VOICES, Voice, nearest, voice
from core import i18n

LOCALES = Path(__file__).parents[3] / "locales"
LANGUAGES = i18n.languages()
CALL = "CA" + "5a" * 16
SETTINGS: dict[str, Any] = {
    "account_sid": "AC" + "0a" * 16,
    "auth_token": "never-shown",
    "number": "+14155550100",
}


def catalogue(language: str) -> dict[str, str]:
    path = LOCALES / language.replace("-", "_") / "LC_MESSAGES" / "voice.po"
    with path.open("rb") as file:
        return {str(one.id): str(one.string) for one in read_po(file, abort_invalid=True) if one.id}


def used() -> set[str]:
    """The ids that the dialogue asks for, read from its source: those written out, and the numbered ones."""
    written = {
        node.value
        for node in ast.walk(ast.parse(inspect.getsource(dialogue)))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    numbered = {
        f"{name}_{n}" for name, most in (("filler", 4), ("wait", 4), ("silence", 2)) for n in range(1, most + 1)
    }
    return {f"voice.{one}" for one in written | numbered}


def asked() -> set[str]:
    """The ids that stand as the argument of a call that says something."""
    calls = [node for node in ast.walk(ast.parse(inspect.getsource(dialogue))) if isinstance(node, ast.Call)]
    return {
        f"voice.{argument.value}"
        for call in calls
        if isinstance(call.func, ast.Attribute) and call.func.attr in ("_say", "line")
        for argument in call.args[1:2]
        if isinstance(argument, ast.Constant)
    }


def test_every_sentence_that_is_asked_for_exists() -> None:
    assert len(asked()) > 15
    assert asked() <= set(catalogue("en"))


def test_there_are_sixteen_languages() -> None:
    assert len(LANGUAGES) == 16


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_everything_and_nothing_idle(language: str) -> None:
    texts, english = catalogue(language), catalogue("en")
    assert set(texts) == set(english)
    assert set(texts) <= used(), "a sentence that is never said"
    assert all(text.strip() for text in texts.values())
    for name, text in texts.items():
        assert text.count("{") == english[name].count("{"), name
        assert speakable(text) == text, name
    if language != "en":
        same = {name for name, text in texts.items() if text == english[name]}
        assert same == set(), "not translated"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_a_voice_that_the_provider_knows(language: str) -> None:
    by = voice(language)
    assert by.name
    say = f'<Response><Say language="{by.locale}" voice="{by.name}">x</Say></Response>'
    assert read(say)[1] == []


@pytest.mark.parametrize(("tag", "by"), VOICES.items())
def test_each_voice_speaks_its_locale(tag: str, by: Voice) -> None:
    assert read(f'<Response><Say language="{by.locale}" voice="{by.name}">x</Say></Response>')[1] == []
    assert by.locale.split("-")[0] in (tag.split("-", maxsplit=1)[0], "cmn")


@pytest.mark.parametrize(
    ("language", "found"),
    [
        ("de", "de"),
        ("de-AT", "de"),
        ("pt-PT", "pt-PT"),
        ("pt", "pt"),
        ("zh-TW", "zh-Hant"),
        ("zh-Hans", "zh"),
        ("zh", "zh"),
        ("EN_gb", "en-GB"),
        ("sv", None),
        ("", None),
        (None, None),
    ],
)
def test_the_nearest_voice(language: str | None, found: str | None) -> None:
    assert nearest(language, VOICES) == found


def test_a_language_without_an_entry_has_its_main_locale_and_no_name() -> None:
    assert voice("sv") == Voice("sv-SE")
    assert voice("hi") == Voice("hi-IN")
    assert voice("xx") == Voice("en-US")


@pytest.mark.parametrize(
    ("text", "heard"),
    [
        ("Plain words.", "Plain words."),
        ("Hello 😀 — 你好，שלום", "Hello 😀 — 你好，שלום"),
        ("See https://shop.test/a?b=1#c.", "See."),
        ("Open www.shop.test (https://shop.test) now", "Open now"),
        ("[Returns](https://shop.test/r) and ![a bird](x.png)", "Returns and a bird"),
        ("# Title\n\n**Bold** and *soft* and `code`\n---\n> quoted", "Title. Bold and soft and code. quoted"),
        ("- one\n- two", "one. two"),
        ("1. one\n2. two", "1. one. 2. two"),
        ("```\ncode\n```", "code"),
        ("2 * 3 * 4 and snake_case_name", "2 * 3 * 4 and snake_case_name"),
        ("More here:\nhttps://shop.test", "More here."),
        ("a\x00b\x0bc", "abc"),
        ("Write to help@shop.test", "Write to help@shop.test"),
        ("  \n ", ""),
    ],
)
def test_text_is_made_fit_to_be_heard(text: str, heard: str) -> None:
    assert speakable(text) == heard


@given(st.text(max_size=300))
def test_anything_can_be_said(text: str) -> None:
    from channels.voice.script import Line, Script

    once = speakable(text)
    assert "http://" not in once.lower()
    document = Script().say([Line(text, "en")]).document()
    assert [problem for problem in read(document)[1] if problem.code == 12100] == []


def outbound(text: str, **changes: Any) -> Outbound:
    to = Address(kind="phone", value="+491701234567")
    route = {"call_sid": CALL, "turn": 3, "language": "en", "number": to.value, "offered": False}
    return Outbound.model_validate({"key": str(uuid4()), "to": to, "route": route, "text": text, **changes})


def channel(language: str = "en", **changes: Any) -> Channel:
    settings = VoiceSettings.model_validate({**SETTINGS, "language": language, **changes})
    hook = "https://a-rather-long-name-of-a-support-system.customer-company.example"
    account = "01930000-0000-7000-8000-000000000000"
    return Channel(Context(account, settings, "voice", public_url=hook, text=i18n.text, languages=LANGUAGES))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_longest_answer_fits_with_all_that_is_said_around_it(language: str) -> None:
    route = {"call_sid": CALL, "turn": 3, "language": language, "number": "+491701234567", "offered": False}
    message = outbound("ä" * TEXT_MAX, language=language, route=route)
    message = message.model_copy(update={"citations": (Citation(title="x" * 120, url="https://shop.test"),) * 2})
    document = channel(language)._document(message, CALL)
    assert len(document) <= DOCUMENT_MAX
    verbs, problems = read(document)
    assert problems == []
    assert [verb.name for verb in verbs] == ["Gather", "Record", "Redirect"]


def test_sources_give_way_to_the_answer_and_too_long_is_refused() -> None:
    sources = (Citation(title="A" * 110, url="https://shop.test"), Citation(title="B" * 110))
    document = channel()._document(outbound("&" * 480, citations=sources), CALL)
    assert "AAA" not in document
    assert document.count("&amp;") >= 480
    with pytest.raises(Rejected) as raised:
        channel()._document(outbound("&" * 1000), CALL)
    assert raised.value.code == "text_too_long"


@pytest.mark.parametrize(
    "wrong",
    [
        {"number": "0170 1234567"},
        {"number": ""},
        {"account_sid": "SK" + "0a" * 16},
        {"language": "english please"},
        {"languages": ("en",) * 10},
        {"team_number": "+14155550100"},
        {"max_turns": 0},
        {"api_url": "https://api.twilio.com/path"},
        {"colour": "red"},
    ],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        VoiceSettings.model_validate({**SETTINGS, **wrong})


def test_settings_are_made_uniform() -> None:
    settings = VoiceSettings.model_validate(
        {**SETTINGS, "number": "+1 (415) 555-0100", "languages": ["EN", "zh_Hant", "en"]}
    )
    assert settings.number == "+14155550100"
    assert settings.languages == ("en", "zh-Hant")
