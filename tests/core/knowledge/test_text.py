"""Cutting articles into passages, passages into sentences, sentences into words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.knowledge.chunking import LARGE, LARGEST, chunk
from core.knowledge.sentences import sentences
from core.knowledge.words import configuration, indexed, unaccented, words

SENTENCE = "This sentence has exactly a certain length so that many of them fill a passage. "


def test_short_sections_share_a_passage_and_keep_their_headings() -> None:
    pieces = chunk("Intro.\n\n## One\n\nFirst.\n\n## Two?\n\nSecond.")
    assert [(p.heading, p.text) for p in pieces] == [("", "Intro.\n\nOne:\n\nFirst.\n\nTwo?\n\nSecond.")]


def test_long_sections_stay_apart_under_their_own_headings() -> None:
    pieces = chunk(f"# Top\n\n{SENTENCE * 5}\n\n## Sub\n\n{SENTENCE * 6}")
    assert [p.heading for p in pieces] == ["Top", "Top › Sub"]


def test_a_long_paragraph_is_cut_at_sentence_ends() -> None:
    pieces = chunk(SENTENCE * 40)
    assert len(pieces) > 3
    assert all(len(p.text) <= LARGE and p.text.endswith("passage.") for p in pieces)
    assert " ".join(p.text for p in pieces) == (SENTENCE * 40).strip()


def test_a_list_stays_whole_with_the_sentence_that_leads_to_it() -> None:
    items = "\n".join(f"{n}. {SENTENCE.strip()}" for n in range(1, 10))
    pieces = chunk(f"{SENTENCE * 2}\n\nDo this:\n\n{items}")
    with_list = [p for p in pieces if "1. This" in p.text]
    assert len(with_list) == 1
    assert "Do this:" in with_list[0].text
    assert "9. This" in with_list[0].text


def test_nested_lists_tables_links_images_and_code_become_plain_text() -> None:
    body = (
        "- **one**\n  - inner [link](https://x.example)\n- two\n\n"
        "| From | Days |\n|---|---|\n| Germany | 2 |\n| Spain | 4 |\n\n"
        "![a picture](p.png) `code`\n\n<b>raw</b>"
    )
    (piece,) = chunk(body)
    assert piece.text == (
        "• one\n  • inner link\n• two\n\n• Germany; Days: 2\n• Spain; Days: 4\n\na picture code\n\n<b>raw</b>"
    )


@given(st.text(max_size=3000))
def test_any_text_can_be_chunked_and_no_passage_is_too_long(body: str) -> None:
    for piece in chunk(body):
        assert piece.text.strip()
        assert len(piece.text) <= LARGEST + LARGE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("It costs 4.50 EUR, e.g. at 10.30 a.m. or Nr. 5.", ["It costs 4.50 EUR, e.g. at 10.30 a.m. or Nr. 5."]),
        ("返品できます。送料は無料です。", ["返品できます。", "送料は無料です。"]),
        ("هل يمكن؟ نعم.", ["هل يمكن؟", "نعم."]),
        ("यह है। वह था।", ["यह है।", "वह था।"]),
        ('He said "go." Then left.', ['He said "go."', "Then left."]),
        ("a\n\nb", ["a", "b"]),
        ("", []),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Rücksendung, bitte!", ["rücksendung", "bitte"]),
        ("返品方法", ["返品", "品方", "方法"]),
        ("サイズ交換", ["サイズ", "交換"]),
        ("คืนเงิน", ["คืน", "ืนเ", "นเง", "เงิ", "งิน"]),
        ("إِرْجَاع", ["ارجاع"]),
        ("हिन्दी", ["हिनदी"]),
        ("ＦＵＬＬ ｗｉｄｔｈ", ["full", "width"]),
        ("don't", ["don't"]),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_accents_may_be_left_out() -> None:
    assert unaccented("élévation") == "elevation"
    assert unaccented("größe") == "grosse"
    assert unaccented("й") == "й"
    assert indexed("Rückgabe") == "rückgabe ruckgabe"


def test_configurations() -> None:
    assert configuration("pt-BR") == "portuguese"
    assert configuration("ja") == "simple"
    assert configuration(None) == "simple"
