"""Search: what is found, what is hidden, and by which indexes."""

from __future__ import annotations

import numpy as np
import pytest
import sqlalchemy as sa

from ai.embedding import embed_missing
from ai.providers.vectors import LOCAL_DIMENSION, LOCAL_MODEL, LocalEmbedder
from ai.query import prepare
from ai.retrieval import Terms, embed_query, parameters, search, statement
from core.db import transaction
from core.knowledge.articles import ArticleInput, archive, save_article
from core.knowledge.models import ArticleState, Visibility

pytestmark = pytest.mark.usefixtures("db")

TENT = ArticleInput(
    key="tent",
    locale="en",
    title="Cleaning a tent",
    body="Wash the tent by hand with cold water and dry it in the shade.",
)


async def save(*articles: ArticleInput, embedder: LocalEmbedder | None = None) -> None:
    async with transaction() as session:
        for article in articles:
            await save_article(session, article)
    if embedder is not None:
        await embed_missing(embedder)


async def keys(text: str, embedder: LocalEmbedder, **options: object) -> list[tuple[str, str]]:
    async with transaction() as session:
        found = await search(session, text, embedder=embedder, **options)  # type: ignore[arg-type]
    return list(dict.fromkeys((p.key, p.locale) for p in found))


async def test_what_is_internal_draft_or_archived_is_not_found(embedder: LocalEmbedder) -> None:
    secret = TENT.model_copy(update={"key": "secret", "visibility": Visibility.INTERNAL})
    draft = TENT.model_copy(update={"key": "draft", "state": ArticleState.DRAFT})
    old = TENT.model_copy(update={"key": "old"})
    await save(TENT, secret, draft, old, embedder=embedder)
    async with transaction() as session:
        await archive(session, (await save_article(session, old)).id)
    asked = "How do I wash my tent?"
    assert await keys(asked, embedder, locale="en") == [("tent", "en")]
    assert set(await keys(asked, embedder, locale="en", include_internal=True)) == {("tent", "en"), ("secret", "en")}


async def test_making_an_article_internal_hides_it_at_once(embedder: LocalEmbedder) -> None:
    await save(TENT, embedder=embedder)
    await save(TENT.model_copy(update={"visibility": Visibility.INTERNAL}), embedder=embedder)
    assert await keys("How do I wash my tent?", embedder, locale="en") == []


async def test_the_askers_language_comes_before_others_and_the_default_before_the_rest(embedder: LocalEmbedder) -> None:
    german = TENT.model_copy(
        update={
            "locale": "de",
            "title": "Ein Zelt reinigen",
            "body": "Waschen Sie das Zelt von Hand mit kaltem Wasser.",
        }
    )
    french = TENT.model_copy(
        update={"locale": "fr", "title": "Nettoyer une tente", "body": "Lavez la tente à la main à l'eau froide."}
    )
    await save(TENT, german, french, embedder=embedder)
    assert await keys("Wie reinige ich mein Zelt?", embedder, locale="de") == [("tent", "de")]
    assert await keys("Wie reinige ich mein Zelt?", embedder, locale="de-AT") == [("tent", "de")]
    assert await keys("Come pulisco la mia tenda?", embedder, locale="it") == [("tent", "en")]


async def test_a_language_the_vectors_do_not_know_is_searched_by_words(embedder: LocalEmbedder) -> None:
    hindi = ArticleInput(key="tent", locale="hi", title="टेंट की सफाई", body="टेंट को ठंडे पानी से हाथ से धोएं और छाया में सुखाएं।")
    await save(hindi, embedder=embedder)
    async with transaction() as session:
        assert await session.scalar(sa.text("SELECT count(*) FROM chunk_vectors")) == 0
        found = await search(session, "टेंट कैसे धोएं?", locale="hi", embedder=embedder)
    assert [p.key for p in found] == ["tent"]
    assert found[0].cosine is None
    assert found[0].overlap > 0


@pytest.mark.parametrize(
    ("locale", "title", "body", "asked"),
    [
        ("ja", "返品について", "商品到着後30日以内であれば返品できます。", "返品したい"),
        ("zh", "退货说明", "收到商品后三十天内可以退货。", "怎么退货"),
        ("th", "การคืนสินค้า", "คุณสามารถคืนสินค้าได้ภายในสามสิบวัน", "อยากคืนสินค้า"),
        ("de", "Rückgabe", "Sie können Artikel zurückgeben.", "ruckgabe moglich?"),
        ("ar", "إرجاع المنتجات", "يمكنك إرجاع المنتج خلال ثلاثين يومًا", "ارجاع المنتج"),
        ("es", "Devolución", "Puede devolver el artículo.", "devolucion"),
    ],
)
async def test_words_are_found_in_every_script(
    embedder: LocalEmbedder, locale: str, title: str, body: str, asked: str
) -> None:
    await save(ArticleInput(key="returns", locale=locale, title=title, body=body), TENT)
    async with transaction() as session:
        found = await search(session, asked, locale=locale, embedder=embedder)
    assert found[0].key == "returns"
    assert found[0].overlap > 0.25


@pytest.mark.parametrize(
    "asked", ["", "???", "' | ! & <-> :* \\ '", "a'b\\c", "%_; DROP TABLE chunks; --", "\u0000x", "x" * 20_000]
)
async def test_odd_questions_do_no_harm(embedder: LocalEmbedder, asked: str) -> None:
    await save(TENT, embedder=embedder)
    async with transaction() as session:
        await search(session, asked, locale="en", embedder=embedder)
        assert await session.scalar(sa.text("SELECT count(*) FROM chunks")) == 1


async def test_a_large_help_centre_is_searched_through_its_indexes(embedder: LocalEmbedder) -> None:
    """No search reads the whole table: neither by meaning nor by words."""
    async with transaction() as session:
        await session.execute(
            sa.text(
                """
                INSERT INTO articles (id, key, locale, title, body, tags, state, visibility, version)
                SELECT gen_random_uuid(), 'k' || n, CASE n % 4 WHEN 0 THEN 'de' ELSE 'en' END, 'Title ' || n, 'b', '{}',
                       'published', 'public', 1
                FROM generate_series(1, 6000) AS n
                """
            )
        )
        await session.execute(
            sa.text(
                """
                INSERT INTO chunks (id, article_id, version, locale, position, heading, text, words, public, search)
                SELECT gen_random_uuid(), id, 1, locale, 0, '', 't', 'w', true,
                       to_tsvector('simple', 'word' || substr(key, 2) || ' topic' || (substr(key, 2)::int % 500))
                FROM articles
                """
            )
        )
        chunk_ids = list((await session.execute(sa.text("SELECT id FROM chunks"))).scalars())
        vectors = np.random.default_rng(1).normal(size=(len(chunk_ids), LOCAL_DIMENSION)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        for start in range(0, len(chunk_ids), 500):
            await session.execute(
                sa.text(
                    "INSERT INTO chunk_vectors (chunk_id, model, vector) VALUES (:id, :model, CAST(:vector AS vector))"
                ),
                [
                    {"id": i, "model": LOCAL_MODEL, "vector": "[" + ",".join(f"{x:.5f}" for x in v) + "]"}
                    for i, v in zip(chunk_ids[start : start + 500], vectors[start : start + 500], strict=True)
                ],
            )
    async with transaction() as session:
        await session.execute(sa.text("ANALYZE articles, chunks, chunk_vectors"))
        query = prepare("word17 topic99?")
        made = await embed_query(query, "en", embedder)
        terms = Terms((("word17",), ("topic99",)), (0.6, 0.4))
        await session.execute(sa.text("SET LOCAL hnsw.iterative_scan = strict_order"))
        sql = statement(embedder, terms, native=True, internal=False)
        plan = "\n".join((await session.execute(sa.text(f"EXPLAIN {sql}"), parameters(terms, made, "en"))).scalars())
        assert "Seq Scan on" not in plan, plan
        assert "ix_chunk_vectors_use_multilingual_3" in plan, plan
        assert "ix_chunks_search" in plan, plan
        found = await search(session, "word17 topic17", locale="en", embedder=embedder, limit=8)
        assert found[0].key == "k17"
        assert len(found) == 8
