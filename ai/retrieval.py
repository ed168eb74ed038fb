# ruff: noqa: S608 - the statements are put together from this module's own words; every value is bound
"""Finding the passages of the help centre that speak of a question.

Two searches in one statement, by meaning (HNSW on sentence vectors) and by words (full text), fused by
rank. What somebody may not see is left out inside the database. An article that exists in the asker's
language is never cited in another.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from ai.generic import is_generic
from ai.providers.vector_server import embedder as remote_embedder
from ai.providers.vectors import Embedder, Vectors, understands
from ai.query import Query, prepare
from core.errors import Unavailable
from core.knowledge.words import configuration, unaccented, words
from core.settings import settings

CANDIDATES = 30
"""Passages each search brings."""
WORDS_MAX = 24
"""Words of a question that full text looks for: the rarest ones."""
GENERIC = 0.3
"""What a word that questions on any subject are made of weighs, against one of equal rarity."""
TELLING = 3.0
"""Rarity, in nats, that the words of a telling question add up to at least. Of a question that has nothing but
`order` to say, that word is no whole."""
KIN = 0.8
"""How much the likeness of an article's translations counts beside its own: two readings err less than one."""
SMALLEST = 50.0
"""Passages a help centre is taken to have at least: among few, how rare a word is says nothing."""
RRF = 20.0
"""Damping of ranks in the fusion."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage, why it was found, and what to cite it by."""

    chunk_id: UUID
    article_id: UUID
    key: str
    version: int
    locale: str
    title: str
    heading: str
    text: str
    url: str | None
    position: int
    cosine: float | None
    """Likeness in meaning, about -1 to 1: the mean of the whole question's and its nearest part's, moved towards
    that of the article's translations; None without vectors."""
    overlap: float
    """Share of the question's words that stand in it, weighted by their rarity, 0 to 1."""
    titled: float
    """The same share, of title and heading alone."""
    score: float = 0.0
    """Fused rank; comparable within one search only."""

    @property
    def relevance(self) -> float:
        """How much it has to say to the question, by meaning and by words; comparable between questions."""
        return (self.cosine or 0.0) + 0.5 * self.overlap + 0.2 * self.titled


@dataclass(frozen=True, slots=True)
class Terms:
    """The words of a question as the index knows them, with weights that sum to 1, or less where they say little."""

    lexemes: tuple[tuple[str, ...], ...]
    weights: tuple[float, ...]


async def embed_query(query: Query, locale: str | None, embedder: Embedder) -> Vectors | None:
    """Vectors of the query's parts; None where the model does not know the language or does not answer."""
    if not query.parts or not understands(embedder, locale):
        return None
    try:
        return await embedder.embed(query.parts)
    except Unavailable:
        return None


def base_language(tag: str | None) -> str:
    """`pt` of `pt-BR`; empty where nothing is known."""
    return (tag or "").replace("_", "-").split("-")[0].lower()


def same_language(locale: str, language: str | None) -> bool:
    """Whether an article in `locale` can be read by somebody who writes `language`: `pt` and `pt-BR` can."""
    return language is not None and base_language(locale) == base_language(language)


_LANGUAGE = "split_part(lower({}.locale), '-', 1)"

_CORPUS = sa.text(
    f"""
    SELECT (SELECT count(*) FROM (SELECT 1 FROM chunks c WHERE {_LANGUAGE.format("c")} = :language LIMIT 20000) AS n),
           (SELECT greatest(reltuples, 0) FROM pg_class WHERE oid = CAST('chunks' AS regclass))
    """
)

_LEXEMES = sa.text(
    f"""
    SELECT t.place, l.lexeme,
           (SELECT count(*) FROM (
              SELECT 1 FROM chunks c
              WHERE c.search @@ CAST(quote_literal(l.lexeme) AS tsquery)
                AND (:language = '' OR {_LANGUAGE.format("c")} = :language)
              LIMIT 5000) AS bounded) AS uses
    FROM unnest(CAST(:words AS text[])) WITH ORDINALITY AS t(word, place),
         unnest(tsvector_to_array(to_tsvector(CAST(:config AS regconfig), t.word))) AS l(lexeme)
    """
)


async def _terms(session: AsyncSession, text: str, language: str | None) -> tuple[Terms, bool]:
    """The question's terms, and whether the help centre speaks its language."""
    base = base_language(language)
    native, total = (await session.execute(_CORPUS, {"language": base})).one()
    distinct = list(dict.fromkeys(words(text)))[:120]
    spelt = [(number, form) for number, word in enumerate(distinct) for form in sorted({word, unaccented(word)})]
    if not spelt:
        return Terms((), ()), bool(native)
    rows = await session.execute(
        _LEXEMES,
        {
            "words": [form for _, form in spelt],
            "config": configuration(language),
            "language": base if native else "",
        },
    )
    size = max(SMALLEST, float(native or total))
    found: dict[int, dict[str, int]] = {}
    for place, lexeme, uses in rows:
        found.setdefault(spelt[place - 1][0], {})[lexeme] = uses
    ranked = []
    for number, lexemes in found.items():
        uses = min(max(lexemes.values()), size)
        # A word that the help centre never uses counts against the overlap like its rarest one.
        weight = math.log(1 + (size - uses + 0.5) / (uses + 0.5))
        weight *= GENERIC if is_generic(distinct[number], base) else 1.0
        ranked.append((weight, tuple(sorted(lexemes))))
    ranked = sorted(ranked, key=lambda item: -item[0])[:WORDS_MAX]
    whole = max(TELLING, sum(weight for weight, _ in ranked))
    return Terms(tuple(lexemes for _, lexemes in ranked), tuple(weight / whole for weight, _ in ranked)), bool(native)


def _sum(queries: str) -> str:
    """The weights of those terms that stand in a passage, as an expression whose shape does not depend on their number."""
    return (
        "(SELECT coalesce(sum(t.weight), 0) "
        f"FROM unnest(CAST(:{queries} AS tsquery[]), CAST(:weights AS float8[])) AS t(query, weight) "
        "WHERE c.search @@ t.query)"
    )


def statement(embedder: Embedder | None, terms: Terms, *, native: bool, internal: bool) -> str:
    """The search as one statement; `embedder` is None where there are no vectors.

    The model's name and dimension stand in it literally: the partial index asks for it.
    """
    seen = "TRUE" if internal else "c.public"
    speaks = f"{_LANGUAGE.format('c')} = :language"
    scopes = [("native", speaks), ("all", "TRUE")] if native else [("all", "TRUE")]
    overlap = _sum("queries")
    searches = []
    if terms.lexemes:
        for name, scope in scopes:
            searches.append(
                f"""lex_{name} AS MATERIALIZED (
                    SELECT c.id FROM chunks c WHERE c.search @@ CAST(:any AS tsquery) AND {seen} AND {scope}
                    ORDER BY {overlap} DESC, c.id LIMIT {CANDIDATES})"""
            )
    near = "CAST(NULL AS float8)"
    if embedder is not None:
        model, dimension = embedder.model, embedder.dimension
        if not re.fullmatch(r"[a-z0-9._/-]+", model):
            raise ValueError(f"not a model name: {model!r}")
        distance = f"(v.vector::vector({dimension})) <=> CAST(q.v AS vector({dimension}))"
        for name, scope in scopes:
            searches.append(
                f"""vec_{name} AS MATERIALIZED (
                    SELECT n.id FROM unnest(CAST(:vectors AS text[])) AS q(v),
                    LATERAL (SELECT c.id FROM chunk_vectors v JOIN chunks c ON c.id = v.chunk_id
                             WHERE v.model = '{model}' AND {seen} AND {scope}
                             ORDER BY {distance} LIMIT {CANDIDATES}) AS n)"""
            )
        near = (
            f"(SELECT (max(1 - ({distance})) + max(1 - ({distance})) FILTER (WHERE q.part = 1)) / 2 "
            "FROM unnest(CAST(:vectors AS text[])) WITH ORDINALITY AS q(v, part), chunk_vectors v "
            f"WHERE v.chunk_id = c.id AND v.model = '{model}')"
        )
    union = " UNION ".join(f"SELECT id FROM {search.split(' ', 1)[0]}" for search in searches)
    siblings = f"""SELECT id FROM hits UNION
            SELECT s.id FROM (SELECT DISTINCT a.key FROM hits JOIN chunks h ON h.id = hits.id
                              JOIN articles a ON a.id = h.article_id) AS k
            JOIN articles b ON b.key = k.key AND b.state = 'published'
                AND {_LANGUAGE.format("b")} = ANY(CAST(:languages AS text[]))
            JOIN chunks s ON s.article_id = b.id"""
    return f"""WITH {", ".join(searches)}, hits AS MATERIALIZED ({union}), found AS MATERIALIZED ({siblings})
        SELECT c.id AS chunk_id, c.article_id, a.key, c.version, c.locale, a.title, c.heading, c.text, a.url, c.position,
               {near} AS cosine, {_sum("queries")} AS overlap, {_sum("title_queries")} AS titled
        FROM found JOIN chunks c ON c.id = found.id JOIN articles a ON a.id = c.article_id
        WHERE {seen} AND a.state = 'published'"""


def _quoted(lexeme: str) -> str:
    return "'" + lexeme.replace("\\", "\\\\").replace("'", "''") + "'"


def parameters(terms: Terms, vectors: Vectors | None, language: str | None) -> dict[str, Any]:
    """The values that go with `statement`."""
    languages = [base_language(language), base_language(settings().default_language)]
    values: dict[str, Any] = {"language": languages[0], "languages": languages}
    values["queries"] = [" | ".join(map(_quoted, lexemes)) for lexemes in terms.lexemes]
    values["title_queries"] = [" | ".join(f"{_quoted(x)}:A" for x in lexemes) for lexemes in terms.lexemes]
    values["weights"] = list(terms.weights)
    values["any"] = " | ".join(_quoted(lexeme) for lexemes in terms.lexemes for lexeme in lexemes)
    if vectors is not None and len(vectors):
        values["vectors"] = ["[" + ",".join(f"{x:.6g}" for x in row) + "]" for row in vectors]
    return values


def fuse(passages: Sequence[Passage]) -> list[Passage]:
    """The passages with their fused rank: reciprocal ranks by meaning and by words, added up."""
    by_meaning = sorted((p for p in passages if p.cosine is not None), key=lambda p: -(p.cosine or 0.0))
    by_words = sorted((p for p in passages if p.overlap > 0), key=lambda p: -p.overlap)
    scores: dict[UUID, float] = {p.chunk_id: 0.0 for p in passages}
    for ranking in (by_meaning, by_words):
        for rank, passage in enumerate(ranking):
            scores[passage.chunk_id] += 1 / (RRF + rank)
    return [replace(p, score=scores[p.chunk_id]) for p in passages]


def order(passages: Sequence[Passage]) -> list[Passage]:
    """Best first. Of equal relevance, the better fused rank."""
    return sorted(passages, key=lambda p: (-p.relevance, -p.score, str(p.chunk_id)))


def _readable(passages: Sequence[Passage], language: str | None) -> list[Passage]:
    """Of each article's translations the one in the asker's language, else the default one, else all that were found."""
    wanted = [language, settings().default_language]
    choice: dict[str, str] = {}
    for passage in passages:
        rank = next((tag for tag in wanted if same_language(passage.locale, tag)), None)
        if rank is not None and (passage.key not in choice or same_language(passage.locale, language)):
            choice[passage.key] = rank
    shown = [p for p in passages if p.key not in choice or same_language(p.locale, choice[p.key])]
    return _with_kin(shown, passages)


def _with_kin(shown: Sequence[Passage], passages: Sequence[Passage]) -> list[Passage]:
    """The passages shown, their likeness moved by that of their articles' translations: those are as good evidence."""
    chosen = {p.chunk_id for p in shown}
    own: dict[str, float] = {}
    kin: dict[str, float] = {}
    for passage in passages:
        if passage.cosine is not None:
            best = own if passage.chunk_id in chosen else kin
            best[passage.key] = max(best.get(passage.key, -1.0), passage.cosine)
    return [
        replace(p, cosine=p.cosine + KIN * (kin[p.key] - own[p.key])) if p.cosine is not None and p.key in kin else p
        for p in shown
    ]


async def search(
    session: AsyncSession,
    query: str | Query,
    *,
    locale: str | None = None,
    limit: int = 8,
    include_internal: bool = False,
    embedder: Embedder | None = None,
    vectors: Vectors | None = None,
) -> list[Passage]:
    """The best `limit` passages, best first; fewer where fewer speak of it.

    `locale` is the asker's language. Pass `vectors` (of `query.parts`) to keep the session free while
    they are made; otherwise they are made here. Without vectors the search goes by words alone.
    """
    prepared = prepare(query) if isinstance(query, str) else query
    if prepared.empty:
        return []
    model = embedder or remote_embedder()
    if vectors is None:
        vectors = await embed_query(prepared, locale, model)
    terms, native = await _terms(session, prepared.text, locale)
    if not terms.lexemes and vectors is None:
        return []
    if vectors is not None:
        await session.execute(sa.text("SET LOCAL hnsw.iterative_scan = strict_order"))
    sql = statement(None if vectors is None else model, terms, native=native, internal=include_internal)
    rows = (await session.execute(sa.text(sql), parameters(terms, vectors, locale))).mappings()
    found = [Passage(**row) for row in rows]
    return order(fuse(_readable(found, locale)))[:limit]
