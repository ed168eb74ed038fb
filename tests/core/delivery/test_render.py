"""Splitting: every part fits, nothing is lost, and nothing is cut in two that people see as one."""

from __future__ import annotations

import pytest
import regex
from hypothesis import example, given, settings
from hypothesis import strategies as st

from channels.contract import Capabilities, TextUnit
from core.delivery.render import measure, split_text

UNITS = [TextUnit.CHARS, TextUnit.UTF16, TextUnit.BYTES]
PIECES = [
    "word",
    " ",
    "\n\n",
    "\n",
    ". ",
    "! ",
    "。",
    "？",
    "é",
    "e\u0301",
    "👩‍👩‍👧",
    "🇩🇪",
    "한",
    "שלום",
    "न्दी",
    "x" * 30,
    ".",
]
texts = st.lists(st.sampled_from(PIECES), max_size=60).map("".join) | st.text(max_size=200).filter(
    lambda text: not any("\ud800" <= char <= "\udfff" for char in text)
)


def capabilities(limit: int | None, unit: TextUnit) -> Capabilities:
    return Capabilities(text_max=limit, text_unit=unit)


def bare(text: str) -> str:
    return "".join(text.split())


@settings(max_examples=300, derandomize=True, deadline=None, database=None)
@given(text=texts, limit=st.integers(60, 200), unit=st.sampled_from(UNITS))
@example(text="👩‍👩‍👧" * 20, limit=60, unit=TextUnit.UTF16)
@example(text="no spaces" * 60, limit=60, unit=TextUnit.CHARS)
def test_every_part_fits_and_nothing_is_lost(text: str, limit: int, unit: TextUnit) -> None:
    parts = split_text(text, capabilities(limit, unit))
    assert "".join(map(bare, parts)) == bare(text)
    longest_grapheme = max((measure(found, unit) for found in regex.findall(r"\X", text)), default=0)
    if longest_grapheme <= limit:
        assert all(measure(part, unit) <= limit for part in parts)
    if len(parts) > 1:
        assert all(part.strip() for part in parts)


@settings(max_examples=300, derandomize=True, deadline=None, database=None)
@given(text=texts, limit=st.integers(60, 200), unit=st.sampled_from(UNITS))
def test_no_grapheme_is_cut(text: str, limit: int, unit: TextUnit) -> None:
    whole = set(regex.findall(r"\X", text))
    if any(measure(one, unit) > limit for one in whole):
        return
    for part in split_text(text, capabilities(limit, unit)):
        assert set(regex.findall(r"\X", part)) <= whole | {"\r", "\n"}


def test_what_fits_goes_as_it_is() -> None:
    assert split_text("  as it is \n", capabilities(20, TextUnit.CHARS)) == ["  as it is \n"]
    assert split_text("x" * 100_000, capabilities(None, TextUnit.CHARS)) == ["x" * 100_000]


@pytest.mark.parametrize(
    ("text", "limit", "parts"),
    [
        ("One. Two! Three? Four.", 12, ["One. Two!", "Three? Four."]),
        ("一二三。四五六。七八九。", 9, ["一二三。四五六。", "七八九。"]),
        ("First paragraph.\n\nSecond one. It goes on.", 34, ["First paragraph.", "Second one. It goes on."]),
        ("aaaa bbbb cccc", 10, ["aaaa bbbb", "cccc"]),
        ("abcdefghij", 4, ["abcd", "efgh", "ij"]),
    ],
)
def test_cuts_stand_where_a_reader_would_put_them(text: str, limit: int, parts: list[str]) -> None:
    assert split_text(text, capabilities(limit, TextUnit.CHARS)) == parts


@pytest.mark.parametrize(("unit", "length"), [(TextUnit.CHARS, 2), (TextUnit.UTF16, 3), (TextUnit.BYTES, 5)])
def test_lengths_are_measured_in_the_channels_unit(unit: TextUnit, length: int) -> None:
    assert measure("a🦜", unit) == length
