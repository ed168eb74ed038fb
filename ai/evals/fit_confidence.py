"""Fits the confidence on development questions, and shows how it holds up.

    DATABASE_URL=… python -m ai.evals.fit_confidence HELP_CENTRE_FOLDER QUESTIONS_FOLDER

The database must be migrated and without articles. Besides questions with and without an answer it learns
from each answerable question with the answering article taken away, which is what an unanswerable question
near the subject looks like, and from questions put to the English articles alone, as long as those are all
there is. Prints the lines to paste into `ai/confidence.py`.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import astuple, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ai.confidence import Features, features
from ai.embedding import embed_missing
from ai.evals.questions import Found, blinded, halves, read_questions, retrieve, without
from ai.providers.vectors import LocalEmbedder
from ai.retrieval import same_language
from core.db import dispose
from core.knowledge.importing import import_folder

RIDGE = 1.0
OUTSIDE_WEIGHT = 3.0
"""Questions outside are few here and many in life."""
TAKEN_WEIGHT = 0.25
"""Questions whose article is missing are made here as many as the answerable ones, and are fewer in life."""
FOREIGN_WEIGHT = 0.5

Array = NDArray[np.float64]


def sample(found: Found) -> tuple[tuple[float, ...], float] | None:
    """Features, and whether answering would be right; None where nothing was found."""
    if not found.passages:
        return None
    best = found.passages[0]
    values = features(found.passages, foreign=not same_language(best.locale, found.language))
    return astuple(values), float(best.key == found.asked.key)


def samples(groups: Sequence[tuple[Sequence[Found], float]]) -> tuple[Array, Array, Array]:
    rows, labels, weights = [], [], []
    for group, weight in groups:
        for found in group:
            for view in (found, blinded(found)):
                if (made := sample(view)) is not None:
                    rows.append(made[0])
                    labels.append(made[1])
                    weights.append(weight)
    return np.array(rows), np.array(labels), np.array(weights)


def fit(x: Array, y: Array, weights: Array) -> tuple[float, Array]:
    """Ridge logistic regression by Newton's method on standardised features; intercept and coefficients."""
    mean, scale = x.mean(axis=0), x.std(axis=0) + 1e-9
    z = np.hstack([np.ones((len(x), 1)), (x - mean) / scale])
    beta = np.zeros(z.shape[1])
    penalty = np.diag([0.0] + [RIDGE] * x.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-z @ beta))
        gradient = z.T @ (weights * (p - y)) + penalty @ beta
        hessian = (z * (weights * p * (1 - p))[:, None]).T @ z + penalty
        step = np.linalg.solve(hessian, gradient)
        beta -= step
        if np.abs(step).max() < 1e-9:
            break
    coefficients = beta[1:] / scale
    return float(beta[0] - coefficients @ mean), coefficients


def auroc(scores: Array, labels: Array) -> float:
    """The chance that a right answer is surer than a wrong one."""
    right, wrong = scores[labels == 1], scores[labels == 0]
    if not len(right) or not len(wrong):
        return float("nan")
    return float(((right[:, None] > wrong).mean() + (right[:, None] >= wrong).mean()) / 2)


async def run(help_centre: Path, questions: Path) -> None:
    embedder = LocalEmbedder(threads=2)
    development = read_questions(questions / "development.jsonl")
    async for _ in import_folder(help_centre / "en"):
        pass
    await embed_missing(embedder)
    foreign = await retrieve([asked for asked in development if asked.locale != "en"], embedder)
    foreign_taken = [without(found, found.asked.key) for found in foreign]
    async for _ in import_folder(help_centre):
        pass
    await embed_missing(embedder)
    inside = await retrieve(development, embedder)
    near, far = halves(read_questions(questions / "outside.jsonl"))
    outside = await retrieve([*near, *read_questions(questions / "outside_development.jsonl")], embedder)
    taken = [without(found, found.asked.key) for found in inside]
    x, y, weights = samples(
        [
            (inside, 1.0),
            (taken, TAKEN_WEIGHT),
            (outside, OUTSIDE_WEIGHT),
            (foreign, FOREIGN_WEIGHT),
            (foreign_taken, FOREIGN_WEIGHT * TAKEN_WEIGHT),
        ]
    )
    intercept, coefficients = fit(x, y, weights)
    print(f"INTERCEPT = {intercept:.3f}\nCOEFFICIENTS = Features(")
    for field, value in zip(fields(Features), coefficients, strict=True):
        print(f"    {field.name}={value:.3f},")
    print(")")
    held = await retrieve(read_questions(questions / "held_out.jsonl"), embedder)
    held_outside = await retrieve(far, embedder)
    held_taken = [without(found, found.asked.key) for found in held]
    for name, group in (
        ("development", (inside, outside, taken)),
        ("development to English articles", (foreign, outside, foreign_taken)),
        ("held out", (held, held_outside, held_taken)),
    ):
        for view, blind in (("vectors and words", 0.0), ("words alone", 1.0)):
            print(f"{name}, {view}:")
            for label, part in zip(("answerable", "outside", "article missing"), group, strict=True):
                xs, ys, _ = samples([(part, 1.0)])
                chosen = xs[:, [f.name for f in fields(Features)].index("blind")] == blind
                p = 1 / (1 + np.exp(-(intercept + xs[chosen] @ coefficients)))
                sent = p >= 0.5
                right = ys[chosen] == 1
                print(
                    f"  {label:16} n={chosen.sum():4} sent {sent.mean():.2f}, right of those sent "
                    f"{right[sent].mean() if sent.any() else float('nan'):.2f}, first is right {right.mean():.2f}, "
                    f"AUROC {auroc(p, ys[chosen]):.2f}"
                )
    await dispose()


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), Path(sys.argv[2])))
