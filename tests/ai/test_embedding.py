"""The job that gives passages their vectors, with the vectors in a process's server and the job in the queue."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa

from ai import embedding
from ai.embedding import pending, store
from ai.providers.vector_server import VectorServer
from ai.providers.vectors import LocalEmbedder
from core.db import transaction
from core.jobs.models import Lane
from core.jobs.registry import registered
from core.jobs.worker import LaneRunner
from core.knowledge.articles import EMBED_JOB, ArticleInput, save_article

pytestmark = pytest.mark.usefixtures("db")

RETURNS = ArticleInput(key="returns", locale="en", title="Returns", body="You may return items.")


async def scalar(sql: str) -> object:
    async with transaction() as session:
        return await session.scalar(sa.text(sql))


async def save(article: ArticleInput) -> None:
    async with transaction() as session:
        await save_article(session, article)


async def run_jobs(embedder: LocalEmbedder) -> None:
    ready = asyncio.Event()
    server = asyncio.create_task(VectorServer(embedder).serve(ready))
    await ready.wait()
    try:
        await LaneRunner(Lane.BULK).drain()
    finally:
        server.cancel()
        await asyncio.gather(server, return_exceptions=True)


def test_the_job_is_registered() -> None:
    assert registered()[EMBED_JOB].handler is embedding.embed


async def test_the_queued_job_embeds_the_article_and_is_done(embedder: LocalEmbedder) -> None:
    await save(RETURNS)
    await run_jobs(embedder)
    assert await scalar("SELECT count(*) FROM chunk_vectors") == 1
    assert await scalar("SELECT round(vector_norm(vector)::numeric, 3) FROM chunk_vectors") == 1
    assert await scalar("SELECT count(*) FROM jobs") == 0


async def test_a_new_text_is_embedded_anew(embedder: LocalEmbedder) -> None:
    await save(RETURNS)
    await run_jobs(embedder)
    await save(RETURNS.model_copy(update={"body": "Never."}))
    assert await scalar("SELECT count(*) FROM chunk_vectors") == 0
    await run_jobs(embedder)
    assert await scalar("SELECT count(*) FROM chunk_vectors") == 1


async def test_without_a_vector_server_the_job_waits_for_its_next_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "remote_embedder", embedding_client)
    await save(RETURNS)
    await LaneRunner(Lane.BULK).drain()
    assert await scalar("SELECT attempts FROM jobs") == 1
    assert await scalar("SELECT due_at > now() FROM jobs") is True


def embedding_client() -> object:
    from ai.providers.vector_server import RemoteEmbedder

    return RemoteEmbedder(patience=0.0)


async def test_vectors_of_replaced_passages_are_dropped(embedder: LocalEmbedder) -> None:
    await save(RETURNS)
    async with transaction() as session:
        batch = await pending(session, embedder)
    vectors = await embedder.embed([item.text for item in batch])
    await save(RETURNS.model_copy(update={"body": "Never."}))
    async with transaction() as session:
        await store(session, embedder.model, [item.chunk_id for item in batch], vectors)
    assert await scalar("SELECT count(*) FROM chunk_vectors") == 0


async def test_a_language_the_model_does_not_know_is_left_out(embedder: LocalEmbedder) -> None:
    await save(RETURNS.model_copy(update={"locale": "hi"}))
    await run_jobs(embedder)
    assert await scalar("SELECT count(*) FROM chunk_vectors") == 0
    assert await scalar("SELECT count(*) FROM jobs") == 0
