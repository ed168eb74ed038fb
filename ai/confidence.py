"""How sure it is that the best passage's article answers the question, as one number in [0, 1].

A logistic model over few features that mean the same in any help centre. Its coefficients are fitted by
`python -m ai.evals.fit_confidence` on development questions and stand here so that a change is seen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass

from ai.retrieval import Passage


@dataclass(frozen=True, slots=True)
class Features:
    """What the model looks at."""

    meaning: float
    """Cosine of the best passage; 0 without vectors."""
    overlap: float
    """Weighted share of the question's words in it; 0 without vectors, see `blind_overlap`."""
    titled: float
    """The same in title and heading."""
    margin: float
    """By how much its relevance beats that of the best passage of any other article, at most 0.5."""
    agreement: float
    """1 where the article is first by meaning and by words alike."""
    foreign: float
    """1 where the article is in another language than the question: words cannot match then."""
    blind: float
    """1 where there are no vectors."""
    blind_overlap: float
    """The overlap where there are no vectors: then it is all there is."""
    blind_margin: float


def features(passages: Sequence[Passage], *, foreign: bool = False) -> Features:
    """The features of answering with the first passage; all passages found are weighed against it."""
    best = passages[0]
    own = [p for p in passages if p.key == best.key]
    others = [p for p in passages if p.key != best.key]
    seeing = any(p.cosine is not None for p in passages)
    margin = min(0.5, best.relevance - max((p.relevance for p in others), default=0.0))

    def top(items: Sequence[Passage]) -> tuple[float, float]:
        meaning = max((p.cosine for p in items if p.cosine is not None), default=0.0)
        return meaning, max((p.overlap for p in items), default=0.0)

    (meaning, overlap), (other_meaning, other_overlap) = top(own), top(others)
    if not seeing:
        return Features(0, 0, 0, 0, 0, 0, 1.0, best.overlap, margin)
    return Features(
        meaning=best.cosine or 0.0,
        overlap=best.overlap,
        titled=best.titled,
        margin=margin,
        agreement=float(meaning >= other_meaning and overlap >= other_overlap > 0),
        foreign=float(foreign),
        blind=0.0,
        blind_overlap=0.0,
        blind_margin=0.0,
    )


INTERCEPT = -4.194
COEFFICIENTS = Features(
    meaning=8.979,
    overlap=0.175,
    titled=2.144,
    margin=7.314,
    agreement=0.473,
    foreign=0.138,
    blind=2.439,
    blind_overlap=2.376,
    blind_margin=5.268,
)


FAR = 0.2
"""Cosine below which a passage speaks of something else, whatever words it shares with the question."""
VAGUE = 0.35
"""Cosine and share of words below which neither is evidence enough without the other."""
CLOSE = 0.08
"""Margin below which two articles are as good as level."""
MEAGRE = 0.2
"""Share of words below which words do not settle which of two level articles it is."""
DOUBTED = 0.3


def confidence(values: Features) -> float:
    """The chance that the article answers the question.

    The logistic model adds evidence up; where one kind is missing altogether, the other must not make up for it.
    """
    likely = _logistic(values)
    if values.blind:
        return likely
    vague = values.meaning < VAGUE and values.overlap < VAGUE and not values.foreign
    level = values.margin < CLOSE and values.overlap < MEAGRE and not values.foreign
    return min(likely, DOUBTED) if values.meaning < FAR or vague or level else likely


def _logistic(values: Features) -> float:
    z = INTERCEPT + sum(a * b for a, b in zip(astuple(values), astuple(COEFFICIENTS), strict=True))
    return 1 / (1 + math.exp(-z))
