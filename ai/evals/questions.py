"""Question sets, and running retrieval over them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ai.language import identify
from ai.providers.vectors import Embedder
from ai.query import prepare
from ai.retrieval import Passage, embed_query, order, search
from core.db import transaction


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and the key of the article that answers it; None where none does."""

    text: str
    locale: str
    key: str | None


def read_questions(path: Path) -> list[Asked]:
    """A JSON-lines file of `{"locale", "question", "key"}`; `key` may be missing."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip():
            item = json.loads(line)
            found.append(Asked(item["question"], item["locale"], item.get("key")))
    return found


def halves(questions: Sequence[Asked]) -> tuple[list[Asked], list[Asked]]:
    """Every second question for development, the others held out."""
    return list(questions[::2]), list(questions[1::2])


@dataclass(frozen=True, slots=True)
class Found:
    asked: Asked
    language: str | None
    passages: tuple[Passage, ...]
    """Best first."""


async def retrieve(questions: Sequence[Asked], embedder: Embedder, *, limit: int = 40) -> list[Found]:
    """Runs every question as an answer would be prepared."""
    found = []
    for asked in questions:
        language = identify(asked.text)
        query = prepare(asked.text)
        vectors = await embed_query(query, language, embedder)
        async with transaction() as session:
            passages = await search(session, query, locale=language, embedder=embedder, vectors=vectors, limit=limit)
        found.append(Found(asked, language, tuple(passages)))
    return found


def without(found: Found, key: str | None) -> Found:
    """The same question in a help centre that lacks an article."""
    return replace(
        found, asked=replace(found.asked, key=None), passages=tuple(p for p in found.passages if p.key != key)
    )


def blinded(found: Found) -> Found:
    """The same search without vectors."""
    return replace(found, passages=tuple(order([replace(p, cosine=None) for p in found.passages if p.overlap > 0])))
