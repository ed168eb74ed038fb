"""Cutting running text at the ends of sentences, in any script."""

from __future__ import annotations

import re

_END = re.compile(
    r"(?<=[.!?…؟۔।॥])[\"'”’»)\]]*(?=\s+[^\s])"  # an end mark, closing quotes, then a new word
    r"|(?<=[。！？])[」』”’）]*(?=\S|\s)"  # East Asian marks need no space
    r"|\n+"
)
_ABBREVIATION = re.compile(
    r"(?:^|[\s(])(?:[^\W\d_]|\d{1,3}|e\.g|i\.e|a\.m|p\.m|z\.\s?b|d\.\s?h|u\.\s?a|p\.\s?ej|nr|no|bzw|ca|usw|ggf|inkl|zzgl|max|min|"
    r"approx|incl|etc|vs|mr|mrs|ms|dr|prof|st|str|tel|art|núm|num|n\.º|sr|sra|av|al|jr|kl|bl|gl|т\.\s?е|т\.\s?д|др|стр|ул|им|г)\.$",
    re.IGNORECASE,
)


def sentences(text: str) -> list[str]:
    """The sentences of a text in order, trimmed, none empty. Line ends cut too."""
    found: list[str] = []
    start = 0
    for match in _END.finditer(text):
        piece = text[start : match.end()].strip()
        if not piece:
            start = match.end()
            continue
        if "\n" not in match.group() and _ABBREVIATION.search(piece[-12:]):
            continue
        found.append(piece)
        start = match.end()
    rest = text[start:].strip()
    if rest:
        found.append(rest)
    return found
