"""Answering with the help centre's own words: nothing is written that does not stand there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from ai.composers.frame import Citation, Frame, Written, answer_frame
from ai.retrieval import Passage
from core.knowledge.sentences import sentences

BODY_MAX = 1400
"""Characters of quoted passages."""
SECOND_SHARE = 0.85
"""How near a second passage's relevance must come to the first's to be quoted as well."""


def cite(passage: Passage, quote: str | None = None) -> Citation:
    return Citation(
        title=passage.title,
        url=passage.url,
        article_id=str(passage.article_id),
        key=passage.key,
        version=passage.version,
        locale=passage.locale,
        quote=quote if quote is not None else passage.text,
    )


def choose(passages: Sequence[Passage]) -> list[Passage]:
    """The passages to quote, in reading order: the best one, and of the same article one that is nearly as good."""
    best = passages[0]
    chosen = [best]
    rest = sorted((p for p in passages[1:] if p.article_id == best.article_id), key=lambda p: p.relevance, reverse=True)
    for passage in rest[:2]:
        room = BODY_MAX - sum(len(p.text) for p in chosen)
        near = abs(passage.position - best.position) == 1 and len(best.text) < 200
        if len(passage.text) <= room and (near or passage.relevance >= SECOND_SHARE * best.relevance):
            chosen.append(passage)
            break
    return sorted(chosen, key=lambda p: p.position)


def body(passages: Sequence[Passage]) -> str:
    """The passages' text, each under its own heading where it has one."""
    parts = []
    for passage in passages:
        heading = passage.heading.rpartition(" › ")[2]
        if heading and len(passages) > 1:
            parts.append(heading if re.search(r"[?:!？：]$", heading) else f"{heading}:")
        parts.append(passage.text)
    return "\n\n".join(parts)


def shortened(text: str, room: int) -> str:
    """The beginning of a text that fits into `room` characters, ended at a sentence's end; at least one sentence.

    A line that only announces what has been cut off goes with it.
    """
    if len(text) <= room:
        return text
    kept, at = "", 0
    for sentence in sentences(text):
        end = text.index(sentence, at) + len(sentence)
        if kept and end > room:
            break
        kept, at = text[:end], end
    lines = kept.rstrip().splitlines()
    while len(lines) > 1 and (not lines[-1].strip() or lines[-1].rstrip().endswith((":", "："))):
        lines.pop()
    return "\n".join(lines)


def compose(passages: Sequence[Passage], frame: Frame) -> tuple[Written, list[Citation]]:
    """An answer from passages, best first and at least one, and what it quotes."""
    chosen = choose(passages)
    if frame.room is not None:
        chosen = [replace(passages[0], text=shortened(passages[0].text, frame.room))]
    citations: dict[str, Citation] = {}
    for passage in chosen:
        known = citations.get(str(passage.article_id))
        quote = passage.text if known is None else f"{known.quote}\n\n{passage.text}"
        citations[str(passage.article_id)] = cite(passage, quote)
    cited = list(citations.values())
    return answer_frame(body(chosen), cited, frame, lead_in=True), cited
