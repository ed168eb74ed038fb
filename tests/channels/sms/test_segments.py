"""How many SMS a text takes, at every limit."""

from __future__ import annotations

import pytest
import regex  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from channels.segments import Alphabet, count, longest_prefix, measure

GSM = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCXYZÄÖÑÜ§¿abcxyzäöñüà"
FAMILY = "👩‍👩‍👧"


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("a" * 1530, 10),
        ("a" * 1531, 11),
        ("€" * 80, 1),
        ("€" * 80 + "a", 2),
        ("a" * 152 + "€" + "a" * 152, 3),  # the pair goes over whole, so the first segment stays one short
        ("a" * 151 + "€" + "a" * 153, 2),
        ("ы" * 70, 1),
        ("ы" * 71, 2),
        ("ы" * 134, 2),
        ("ы" * 135, 3),
        ("ы" * 670, 10),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
        ("😀" * 66, 2),  # 33 in each: the 67th unit of a segment cannot hold half of one
        ("😀" * 67, 3),
        ("a" * 70 + "`", 2),  # one character outside, and the whole text is UCS-2
    ],
)
def test_the_limits(text: str, segments: int) -> None:
    assert count(text) == segments


def test_the_alphabets() -> None:
    assert measure(GSM).alphabet is Alphabet.GSM_7
    assert measure(GSM).units == len(GSM)
    assert measure("\f^{}\\[~]|€").units == 20
    for outside in ("`", "ç", "“", "’", "—", "\t", "\u00a0", "Á", "中", "\ufeff"):
        assert measure(outside).alphabet is Alphabet.UCS_2, outside


def test_a_grapheme_is_not_divided() -> None:
    units = len(FAMILY.encode("utf-16-le")) // 2
    per_segment = 67 // units
    assert count(FAMILY * (per_segment * 2)) == 2
    assert count(FAMILY * (per_segment * 2 + 1)) == 3


def test_more_marks_than_a_segment_holds() -> None:
    assert count("e" + "\u0301" * 500) == 8


@given(st.text(max_size=700), st.integers(1, 4))
def test_a_prefix_fits_and_is_the_longest(text: str, segments: int) -> None:
    cut = longest_prefix(text, segments)
    if not text:
        assert cut == 0
        return
    ends = [match.end() for match in regex.finditer(r"\X", text)]
    assert cut in ends, "between two graphemes"
    assert count(text[:cut]) <= segments or cut == ends[0]
    following = [end for end in ends if end > cut]
    assert not following or count(text[: following[0]]) > segments


def test_ten_thousand_characters_are_cut_without_loss() -> None:
    for text in ("Ein Satz mit Ärger. " * 500, "Слово за словом. " * 600, "😀👩‍👩‍👧" * 1250):
        rest, parts = text[:10_000], []
        while rest:
            cut = longest_prefix(rest, 10)
            parts.append(rest[:cut])
            rest = rest[cut:]
        assert "".join(parts) == text[:10_000]
        assert all(count(part) <= 10 for part in parts)
        assert all(count(part) == 10 for part in parts[:-1])
