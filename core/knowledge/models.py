"""The help centre: articles, their versions, and the chunks that are searched."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pgvector.sqlalchemy import VECTOR
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, EnumText, Row


class ArticleState(StrEnum):
    DRAFT = "draft"
    PUBLISHED = "published"
    ARCHIVED = "archived"


class Visibility(StrEnum):
    PUBLIC = "public"
    INTERNAL = "internal"
    """For people inside; never cited to a customer."""


class Article(Row):
    """One article in one language; translations share the `key`."""

    __tablename__ = "articles"

    key: Mapped[str]
    locale: Mapped[str]
    title: Mapped[str]
    body: Mapped[str]
    """Markdown."""
    url: Mapped[str | None] = mapped_column(default=None)
    tags: Mapped[list[str]] = mapped_column(default=list)
    state: Mapped[ArticleState] = mapped_column(EnumText(ArticleState), default=ArticleState.PUBLISHED)
    visibility: Mapped[Visibility] = mapped_column(EnumText(Visibility), default=Visibility.PUBLIC)
    version: Mapped[int] = mapped_column(default=1)
    updated_at: Mapped[datetime] = mapped_column(server_default=sa.func.now())

    __table_args__ = (
        sa.UniqueConstraint("key", "locale"),
        sa.Index("ix_articles_updated", sa.text("updated_at DESC"), sa.text("id DESC")),
    )


class ArticleVersion(Base):
    """Every text an article ever had, so that a past answer can be traced."""

    __tablename__ = "article_versions"

    article_id: Mapped[UUID] = mapped_column(sa.ForeignKey("articles.id", ondelete="CASCADE"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    body: Mapped[str]
    author_id: Mapped[UUID | None] = mapped_column(default=None)
    at: Mapped[datetime] = mapped_column(server_default=sa.func.now())


class Chunk(Row):
    """A passage of the newest version of an article."""

    __tablename__ = "chunks"

    article_id: Mapped[UUID] = mapped_column(sa.ForeignKey("articles.id", ondelete="CASCADE"), index=True)
    version: Mapped[int]
    locale: Mapped[str]
    position: Mapped[int]
    heading: Mapped[str] = mapped_column(default="")
    text: Mapped[str]
    words: Mapped[str]
    """What full-text search sees: title, heading and text, segmented where the language writes no spaces."""
    public: Mapped[bool] = mapped_column(default=True)
    search: Mapped[Any] = mapped_column(pg.TSVECTOR)
    """`to_tsvector(configuration of the locale, words)`, title and heading with weight A; written with the chunk."""

    __table_args__ = (
        sa.UniqueConstraint("article_id", "position"),
        sa.Index("ix_chunks_search", "search", postgresql_using="gin"),
        sa.Index("ix_chunks_language", sa.text("split_part(lower(locale), '-', 1)")),
    )


class ChunkVector(Base):
    """The vector of a chunk under one embedding model. HNSW indexes are partial, one per model."""

    __tablename__ = "chunk_vectors"

    chunk_id: Mapped[UUID] = mapped_column(sa.ForeignKey("chunks.id", ondelete="CASCADE"), primary_key=True)
    model: Mapped[str] = mapped_column(primary_key=True)
    vector: Mapped[Any] = mapped_column(VECTOR())
