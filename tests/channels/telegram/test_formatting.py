"""Texts and their marks: UTF-16 to the unit, whatever is written, in both directions."""

from __future__ import annotations

import random

import pytest

from channels.social.telegram import SPEC
from channels.social.telegram.entities import head, markup, piece, plain, units
from channels.social.telegram.formatting import MARKS_MAX, Formatted, Mark, from_html, from_markdown
from channels.social.telegram.harness import Harness
from channels.social.telegram.outgoing import TEXT_MAX
from channels.social.telegram.shapes import Entity
from core.delivery.render import measure, split_text

FAMILY = "👩‍👩‍👧"


def marked(formatted: Formatted) -> list[tuple[str, str]]:
    """Each mark with the words it stands on."""
    entities = [Entity(type=one.type, offset=one.offset, length=one.length, url=one.url) for one in formatted.marks]
    return [(one.type, piece(formatted.text, one)) for one in entities]


@pytest.mark.parametrize("ahead", ["", "😀 ", f"{FAMILY}\n", "שלום ", "你好，", "e\u0301 ", "𝔘𝔫𝔦 "])
@pytest.mark.parametrize(
    ("source", "text", "marks"),
    [
        ("a **bold** word", "a bold word", [("bold", "bold")]),
        ("an *italic* word", "an italic word", [("italic", "italic")]),
        ("~~gone~~ 😀", "gone 😀", [("strikethrough", "gone")]),
        ("`x = 😀`;", "x = 😀;", [("code", "x = 😀")]),
        ("**bold 😀 *and* more**", "bold 😀 and more", [("bold", "bold 😀 and more"), ("italic", "and")]),
        ("see [the 😀 terms](https://a.example/x?y=1)", "see the 😀 terms", [("text_link", "the 😀 terms")]),
        ("x\n```py\na = '**'\n```\ny", "x\na = '**'\ny", [("pre", "a = '**'")]),
        ("x\n## Title 😀\ny", "x\nTitle 😀\ny", [("bold", "Title 😀")]),
    ],
)
def test_markdown_becomes_marks(ahead: str, source: str, text: str, marks: list[tuple[str, str]]) -> None:
    formatted = from_markdown(ahead + source)
    assert formatted.text == ahead + text
    assert marked(formatted) == marks


@pytest.mark.parametrize(
    "text",
    [
        *("5 * 3 * 2 = 30", "a ** b ** c", "snake_case_name", "~~", "**", "`", "[x](javascript:alert(1))", "1) one"),
        *("* a\n* b", "C:\\temp\\*.*", "#hashtag", "<b>not html</b>", "&amp;", "a\n\n\nb", "[a] (https://b.example)"),
    ],
)
def test_what_is_no_markdown_stands_as_written(text: str) -> None:
    assert from_markdown(text) == Formatted(text)


@pytest.mark.parametrize(
    ("source", "text", "marks"),
    [
        ("<p>One</p><p>Two</p>", "One\n\nTwo", []),
        ("a<br>b <b>c</b>d", "a\nb cd", [("bold", "c")]),
        ("<ul><li>x</li><li><i>y 😀</i></li></ul>z", "• x\n• y 😀\n\nz", [("italic", "y 😀")]),
        ('<a href="https://a.example">here</a>', "here", [("text_link", "here")]),
        ('<a href="javascript:x">here</a>', "here", []),
        ("<pre>a\n  b</pre>", "a\n  b", [("pre", "a\n  b")]),
        ("<script>x</script><style>y</style>😀&amp;", "😀&", []),
        ("<b><i>both</i></b>", "both", [("italic", "both"), ("bold", "both")]),
        ("<b>open", "open", []),
        ("</b></p>x<img alt='pic' src='https://e.example'>", "xpic", []),
        ("", "", []),
    ],
)
def test_html_becomes_marks(source: str, text: str, marks: list[tuple[str, str]]) -> None:
    formatted = from_html(source)
    assert formatted.text == text
    assert marked(formatted) == marks


def test_marks_never_leave_the_text_or_cut_a_character() -> None:
    """Whatever is thrown at it: the fake would refuse it, as Telegram does."""
    dice = random.Random(5)
    parts = [
        "😀",
        "**",
        "*",
        "`",
        "~~",
        "[a](https://b.example)",
        "\n",
        "```\n",
        " ",
        "ש",
        "你",
        "x",
        "<b>",
        "</b>",
        FAMILY,
    ]
    for _round in range(400):
        source = "".join(dice.choice(parts) for _part in range(dice.randrange(1, 60)))
        for formatted in (from_markdown(source), from_html(source)):
            data = formatted.text.encode("utf-16-le")
            assert len(formatted.marks) <= MARKS_MAX
            for one in formatted.marks:
                assert 0 <= one.offset < one.offset + one.length <= formatted.units
                for at in (one.offset, one.offset + one.length):
                    data[: at * 2].decode("utf-16-le")  # a half surrogate pair would raise


def test_more_marks_than_telegram_takes() -> None:
    assert len(from_markdown("**a** " * 500).marks) == MARKS_MAX


@pytest.mark.parametrize("kind", ["😀", FAMILY, "שלום עולם. ", "你好，世界。", "word ", "e\u0301"])
async def test_ten_thousand_characters_arrive_in_parts(telegram: Harness, kind: str) -> None:
    """Split by the core, sent one by one: nothing is refused, nothing is lost, no character is cut."""
    text = (kind * 10_000)[:10_000]
    parts = split_text(text, SPEC.capabilities)
    adapter = telegram.adapter()
    for part in parts:
        assert measure(part, SPEC.capabilities.text_unit) == units(part) <= TEXT_MAX
        await adapter.send(telegram.outbound(part))
    await adapter.aclose()
    arrived = [one["text"] for one in telegram.fake.delivered()]
    assert len(arrived) == len(parts) > 1
    assert "".join("".join(arrived).split()) == "".join(text.split())


@pytest.mark.parametrize(
    ("before", "inside"), [("a" * 4090, "bold😀"), ("😀" * 2045, "bold"), ("😀" * 2044 + "a", "x😀y")]
)
async def test_a_mark_at_the_very_end_of_the_longest_text(telegram: Harness, before: str, inside: str) -> None:
    text = f"{before}**{inside}**"
    await telegram.adapter().send(telegram.outbound(text))
    (message,) = telegram.fake.delivered()
    assert message["text"] == before + inside
    (mark,) = message["entities"]
    assert mark["offset"] + mark["length"] == units(message["text"])
    assert piece(message["text"], Entity.model_validate(mark)) == inside


def test_what_people_mark_becomes_safe_html() -> None:
    text = '<b> 😀 & "x" end'
    marks = [
        Entity(type="bold", offset=0, length=8),
        Entity(type="italic", offset=6, length=6),
        Entity(type="text_link", offset=12, length=2, url='https://a.example/?"><script>'),
        Entity(type="text_link", offset=12, length=2, url="javascript:alert(1)"),
        Entity(type="bold", offset=500, length=5),
        Entity(type="bold", offset=-5, length=6),
        Entity(type="bold", offset=5, length=1),
    ]
    shown = markup(text, marks)
    assert shown is not None
    assert "<script>" not in shown
    assert "javascript" not in shown
    assert shown.startswith("<b>&lt;b&gt; ")
    for tag in ("b", "i", "a"):
        assert shown.count(f"<{tag}>") + shown.count(f"<{tag} ") == shown.count(f"</{tag}>")


def test_hidden_addresses_are_shown_in_plain_text() -> None:
    text = "😀 here and https://b.example"
    marks = [
        Entity(type="text_link", offset=3, length=4, url="https://a.example/x"),
        Entity(type="text_link", offset=12, length=17, url="https://b.example"),
        Entity(type="text_link", offset=3, length=4, url="tg://user?id=5"),
    ]
    assert plain(text, marks) == "😀 here (https://a.example/x) and https://b.example"


def test_cutting_cuts_no_character() -> None:
    assert [head("a😀b", limit) for limit in range(5)] == ["", "a", "a", "a😀", "a😀b"]


def test_two_texts_one_after_the_other() -> None:
    both = Formatted("😀", (Mark("bold", 0, 2),)).and_then(Formatted(" x", (Mark("italic", 1, 1),)))
    assert marked(both) == [("bold", "😀"), ("italic", "x")]
