"""How many SMS a text takes (3GPP TS 23.038 for the alphabets, 3GPP TS 23.040 for concatenation).

A text of GSM-7 characters alone has 160 septets in one SMS and 153 in each of several; any other is sent as UCS-2, with
70 code units in one and 67 in each of several. Characters of the extension table take two septets. Neither these pairs,
nor surrogate pairs, nor graphemes are divided between two SMS, so a segment may stay a little short.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import regex  # type: ignore[import-untyped]

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("\f^{}\\[~]|€")
_GSM = _BASIC | _EXTENSION
_GRAPHEME = regex.compile(r"\X")


class Alphabet(StrEnum):
    """How the characters travel."""

    GSM_7 = "gsm_7"
    UCS_2 = "ucs_2"


_ROOM = {Alphabet.GSM_7: (160, 153), Alphabet.UCS_2: (70, 67)}
"""Units in a lone SMS, and in one of several, where 6 octets name the place in the row."""


@dataclass(frozen=True, slots=True)
class Measured:
    """`units` are septets or UTF-16 code units, by the alphabet."""

    alphabet: Alphabet
    units: int
    segments: int


def measure(text: str) -> Measured:
    """What a text costs; an empty text is one segment, as it is to the carrier."""
    alphabet = Alphabet.GSM_7 if _GSM.issuperset(text) else Alphabet.UCS_2
    lone, several = _ROOM[alphabet]
    sizes = list(_pieces(text, alphabet, several))
    units = sum(sizes)
    return Measured(alphabet, units, 1 if units <= lone else _packed(sizes, several))


def count(text: str) -> int:
    """The number of SMS."""
    return measure(text).segments


def longest_prefix(text: str, segments: int) -> int:
    """The length, in characters, of the longest beginning of `text` that fits; it ends between two graphemes.

    At least one grapheme long, so that who cuts again and again comes to an end.
    """
    ends = [match.end() for match in _GRAPHEME.finditer(text)]
    if not ends:
        return 0
    # A longer beginning never takes fewer segments, so the last one that fits is found by halving.
    low, high = 0, len(ends) - 1
    while low < high:
        middle = (low + high + 1) // 2
        if count(text[: ends[middle]]) <= segments:
            low = middle
        else:
            high = middle - 1
    return int(ends[low])


def _pieces(text: str, alphabet: Alphabet, room: int) -> Iterator[int]:
    """The sizes of what is not divided, in units."""
    if alphabet is Alphabet.GSM_7:
        yield from (2 if char in _EXTENSION else 1 for char in text)
        return
    for match in _GRAPHEME.finditer(text):
        grapheme = match.group()
        size = _units(grapheme)
        if size <= room:
            yield size
        else:  # heaps of combining marks: no segment holds them together
            yield from (_units(char) for char in grapheme)


def _units(text: str) -> int:
    return sum(2 if ord(char) > 0xFFFF else 1 for char in text)


def _packed(sizes: list[int], room: int) -> int:
    segments, free = 1, room
    for size in sizes:
        if size > free:
            segments, free = segments + 1, room
        free -= size
    return segments
