"""E1 and E2: the same paragraphs and questions in several languages, from XQuAD.

Each paragraph is an article, titled like the page it is from; its translations share the key. The paragraphs of
the second half are asked about, against all of them: on the first half one may tune.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ai.confidence import confidence, features
from ai.evals.fit_confidence import auroc
from ai.evals.questions import Asked, Found, retrieve, without
from ai.evals.report import Report
from ai.evals.stage import only
from ai.providers.vectors import Embedder
from ai.retrieval import same_language
from core.knowledge.articles import ArticleInput

QUICK_STEP = 12
"""With --quick, every so-manieth question."""


@dataclass(frozen=True, slots=True)
class Corpus:
    articles: tuple[ArticleInput, ...]
    questions: tuple[Asked, ...]
    """About the second half of the articles."""


def material() -> Path:
    """The folder with `xquad.<language>.json`; says how to name it where it is not there."""
    folder = Path(os.environ.get("AUTOCRM_MATERIAL", "")) / "retrieval" / "xquad"
    if not os.environ.get("AUTOCRM_MATERIAL") or not folder.is_dir():
        raise SystemExit("E1 and E2 need XQuAD: set AUTOCRM_MATERIAL to the folder that has retrieval/xquad/ in it")
    return folder


def read(path: Path, language: str) -> Corpus:
    """One language's file."""
    pages = json.loads(path.read_text(encoding="utf-8"))["data"]
    paragraphs = [(page["title"].replace("_", " "), paragraph) for page in pages for paragraph in page["paragraphs"]]
    articles = tuple(
        ArticleInput(key=f"p{number}", locale=language, title=title, body=paragraph["context"])
        for number, (title, paragraph) in enumerate(paragraphs)
    )
    questions = tuple(
        Asked(item["question"], language, f"p{number}")
        for number, (_, paragraph) in enumerate(paragraphs)
        if number >= len(paragraphs) // 2
        for item in paragraph["qas"]
    )
    return Corpus(articles, questions)


def place(found: Found) -> int | None:
    """The rank of the right article, from 1; None where it was not found."""
    keys = list(dict.fromkeys(p.key for p in found.passages))
    return keys.index(found.asked.key) + 1 if found.asked.key in keys else None


def sureness(found: Found) -> float:
    """The confidence of answering; 0 where nothing was found."""
    if not found.passages:
        return 0.0
    return confidence(features(found.passages, foreign=not same_language(found.passages[0].locale, found.language)))


def recall_row(label: str, found: Sequence[Found]) -> dict[str, str | float]:
    places = [place(item) for item in found]
    return {
        "questions": label,
        "n": len(places),
        "recall@1": sum(at == 1 for at in places) / len(places),
        "recall@5": sum(at is not None and at <= 5 for at in places) / len(places),
        "MRR": sum(1 / at for at in places if at) / len(places),
    }


def refusal_row(label: str, found: Sequence[Found]) -> dict[str, str | float]:
    there = np.array([sureness(item) for item in found])
    gone = np.array([sureness(without(item, item.asked.key)) for item in found])
    return {
        "questions": label,
        "n": len(found),
        "AUROC": auroc(np.concatenate([there, gone]), np.concatenate([np.ones(len(there)), np.zeros(len(gone))])),
        "sent, article there": float((there >= 0.5).mean()),
        "sent, article gone": float((gone >= 0.5).mean()),
    }


async def run(embedder: Embedder, *, quick: bool, wanted: Sequence[str]) -> list[Report]:
    """The reports `wanted` of E1 and E2, from one walk through the languages."""
    folder = material()
    corpora = {path.name.split(".")[1]: path for path in sorted(folder.glob("xquad.*.json"))}
    step = QUICK_STEP if quick else 1
    recalls: list[dict[str, str | float]] = []
    refusals: list[dict[str, str | float]] = []
    for language, path in corpora.items():
        corpus = read(path, language)
        await only(corpus.articles, embedder)
        found = await retrieve(corpus.questions[::step], embedder)
        recalls.append(recall_row(f"{language} to {language}", found))
        refusals.append(refusal_row(language, found))
    if "E1" in wanted:
        await only(read(corpora["en"], "en").articles, embedder)
        for language, path in corpora.items():
            if language != "en":
                found = await retrieve(read(path, language).questions[::step], embedder)
                recalls.append(recall_row(f"{language} to en", found))
    reports = [
        Report("E1", "Finding the paragraph that answers (XQuAD, test half)", tuple(recalls)),
        Report("E2", "Refusing once the answering paragraph is gone (XQuAD, test half)", tuple(refusals)),
    ]
    return [report for report in reports if report.name in wanted]
