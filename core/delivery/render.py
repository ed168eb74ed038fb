"""From what is to be said to what a channel can carry."""

from __future__ import annotations

import regex  # type: ignore[import-untyped]

from channels import segments
from channels.contract import Capabilities, TextUnit

_SENTENCE_END = regex.compile(r"(?<=[.!?…])\s+|(?<=[。！？])")


def measure(text: str, unit: TextUnit) -> int:
    """The length of `text` in a channel's unit."""
    match unit:
        case TextUnit.UTF16:
            return len(text.encode("utf-16-le")) // 2
        case TextUnit.SMS_SEGMENTS:
            return segments.count(text)
        case TextUnit.BYTES:
            return len(text.encode())
        case _:
            return len(text)


def split_text(text: str, capabilities: Capabilities) -> list[str]:
    """The text in parts that each fit: cut at paragraphs, else sentences, else words, else between graphemes.

    Nothing is lost but the white space at the cuts.
    """
    limit = capabilities.text_max
    if limit is None or measure(text, capabilities.text_unit) <= limit:
        return [text]
    parts: list[str] = []
    rest = text.strip()
    while rest:
        if measure(rest, capabilities.text_unit) <= limit:
            parts.append(rest)
            break
        cut = _cut(rest, limit, capabilities.text_unit)
        parts.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    return parts


def _cut(text: str, limit: int, unit: TextUnit) -> int:
    """Where to cut so that the first part fits and is as long as a natural end allows."""
    fits = _longest(text, limit, unit) or 1
    head = text[:fits]
    paragraph = head.rfind("\n\n")
    if paragraph > fits // 3:
        return paragraph
    sentences: list[int] = [match.end() for match in _SENTENCE_END.finditer(head)]
    if sentences and sentences[-1] > fits // 3:
        return sentences[-1]
    space = max(head.rfind(" "), head.rfind("\n"))
    return space if space > fits // 3 else fits


def _longest(text: str, limit: int, unit: TextUnit) -> int:
    """Characters of the longest beginning that fits, between two graphemes."""
    if unit is TextUnit.SMS_SEGMENTS:
        # One emoji changes the alphabet of the whole text: what it costs is no sum.
        return segments.longest_prefix(text, limit)
    fits, used = 0, 0
    for grapheme in regex.finditer(r"\X", text):
        used += measure(grapheme.group(), unit)
        if used > limit:
            break
        fits = grapheme.end()
    return fits
