"""Quoting as much as there is room for, and never half a sentence."""

from __future__ import annotations

import pytest

from ai.composers.extractive import shortened

TEXT = "You may send it back within 30 days. It must be unused.\n\nHow it goes:\n\n1. Sign in.\n2. Print the label."


@pytest.mark.parametrize(
    ("room", "kept"),
    [
        (len(TEXT), TEXT),
        (len(TEXT) - 1, TEXT.removesuffix("\n2. Print the label.")),
        (75, "You may send it back within 30 days. It must be unused."),
        (40, "You may send it back within 30 days."),
        (5, "You may send it back within 30 days."),
    ],
)
def test_it_ends_with_a_sentence(room: int, kept: str) -> None:
    assert shortened(TEXT, room) == kept


def test_east_asian_sentences_count_as_well() -> None:
    text = "三十日以内に返品できます。未使用に限ります。送料は無料です。"
    assert shortened(text, 25) == "三十日以内に返品できます。未使用に限ります。"
