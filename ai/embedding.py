"""Giving passages their vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from ai.providers.vector_server import embedder as remote_embedder
from ai.providers.vectors import Embedder, Vectors, understands
from core.db import transaction
from core.jobs.models import Lane
from core.jobs.registry import Run, job
from core.knowledge.articles import EMBED_JOB
from core.knowledge.models import Article, Chunk, ChunkVector

BATCH = 64


@dataclass(frozen=True, slots=True)
class Pending:
    """A passage without a vector."""

    chunk_id: UUID
    title: str
    text: str


async def embed_passages(embedder: Embedder, batch: Sequence[Pending]) -> Vectors:
    """One vector per passage: the mean of its title's, its text's, and that of both together.

    A passage alone seldom names its subject, and a question is short like a title: on development questions
    the mean finds more right articles than any of the three.
    """
    texts = [form for item in batch for form in (item.title, f"{item.title}. {item.text}", item.text)]
    vectors = await embedder.embed(texts)
    mean = vectors.reshape(len(batch), 3, -1).sum(axis=1)
    unit: Vectors = mean / np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-9)
    return unit


async def pending(
    session: AsyncSession, embedder: Embedder, *, article_id: UUID | None = None, limit: int = BATCH
) -> list[Pending]:
    """Passages that the model understands and that have no vector of it yet, oldest first."""
    query = (
        sa.select(Chunk.id, Chunk.locale, Article.title, Chunk.heading, Chunk.text)
        .join(Article, Article.id == Chunk.article_id)
        .outerjoin(ChunkVector, sa.and_(ChunkVector.chunk_id == Chunk.id, ChunkVector.model == embedder.model))
        .where(ChunkVector.chunk_id.is_(None))
        .order_by(Chunk.id)
        .limit(limit)
    )
    if article_id is not None:
        query = query.where(Chunk.article_id == article_id)
    if embedder.languages is not None:
        query = query.where(sa.func.split_part(sa.func.lower(Chunk.locale), "-", 1).in_(sorted(embedder.languages)))
    return [
        Pending(chunk_id, ". ".join(part for part in (title, heading.rpartition(" › ")[2]) if part), text)
        for chunk_id, locale, title, heading, text in await session.execute(query)
        if understands(embedder, locale)
    ]


async def store(session: AsyncSession, model: str, ids: Sequence[UUID], vectors: Vectors) -> None:
    """Keeps the vectors of those passages that still exist: an edit may have replaced them meanwhile."""
    alive = set(
        await session.scalars(sa.select(Chunk.id).where(Chunk.id.in_(ids)).with_for_update(read=True, key_share=True))
    )
    rows = [
        {"chunk_id": chunk_id, "model": model, "vector": vector}
        for chunk_id, vector in zip(ids, vectors, strict=True)
        if chunk_id in alive
    ]
    if rows:
        await session.execute(insert(ChunkVector).on_conflict_do_nothing(), rows)


async def embed_missing(embedder: Embedder) -> int:
    """Gives every passage its vector, batch by batch; returns how many. For imports and changed models."""
    count = 0
    while True:
        async with transaction() as session:
            batch = await pending(session, embedder)
        if not batch:
            return count
        vectors = await embed_passages(embedder, batch)
        async with transaction() as session:
            await store(session, embedder.model, [item.chunk_id for item in batch], vectors)
        count += len(batch)


@job(EMBED_JOB, lane=Lane.BULK)
async def embed(run: Run, *, article_id: str) -> None:
    """Vectors for one article; no connection is held while the model works."""
    embedder = remote_embedder()
    async with run.transaction() as session:
        batch = await pending(session, embedder, article_id=UUID(article_id), limit=10_000)
    if not batch:
        return  # somebody was quicker
    vectors = await embed_passages(embedder, batch)
    async with run.transaction(finish=True) as session:
        if batch:
            await store(session, embedder.model, [item.chunk_id for item in batch], vectors)
