"""Writing the help centre: articles with their versions, and the passages that are searched."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field, field_validator
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import Invalid, NotFound
from core.ids import new_id
from core.jobs.models import Lane
from core.jobs.queue import enqueue
from core.knowledge.chunking import chunk
from core.knowledge.models import Article, ArticleState, ArticleVersion, Chunk, Visibility
from core.knowledge.words import configuration, indexed

EMBED_JOB = "knowledge.embed"
"""The job that gives an article's passages their vectors; its handler lives above this floor."""


class ArticleInput(BaseModel):
    """One article in one language, as an editor or an import hands it in."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    key: str = Field(min_length=1, max_length=200, pattern=r"^[\w.-]+$")
    """Shared by the translations of an article."""
    locale: str = Field(min_length=2, max_length=35, pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")
    """BCP 47."""
    title: str = Field(min_length=1, max_length=500)
    body: str = Field(max_length=500_000)
    """Markdown."""
    url: str | None = Field(None, max_length=2000)
    tags: tuple[str, ...] = ()
    state: ArticleState = ArticleState.PUBLISHED
    visibility: Visibility = Visibility.PUBLIC

    @field_validator("url")
    @classmethod
    def _web_address(cls, value: str | None) -> str | None:
        if value and not value.startswith(("https://", "http://")):
            raise ValueError("the address of an article starts with https:// or http://")
        return value or None


async def save_article(session: AsyncSession, article: ArticleInput, author_id: UUID | None = None) -> Article:
    """Creates the article or changes it, known by (key, locale).

    A changed title or body becomes a new version with new passages, and a job for their vectors;
    an unchanged text keeps version, passages and vectors. What is not published has no passages.
    """
    fields = {
        "title": article.title,
        "body": article.body,
        "url": article.url,
        "tags": list(article.tags),
        "state": article.state,
        "visibility": article.visibility,
    }
    made = await session.scalar(
        pg.insert(Article)
        .values(id=new_id(), key=article.key, locale=article.locale, version=1, **fields)
        .on_conflict_do_nothing(index_elements=["key", "locale"])
        .returning(Article.id)
    )
    row = (
        await session.scalars(
            sa.select(Article)
            .where(Article.key == article.key, Article.locale == article.locale)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    ).one()
    new_text = made is not None or (row.title, row.body) != (article.title, article.body)
    shown_before = (row.state, row.visibility)
    if made is None:
        changed = {name: value for name, value in fields.items() if getattr(row, name) != value}
        if changed:
            for name, value in changed.items():
                setattr(row, name, value)
            row.updated_at = sa.func.now()
        if new_text:
            row.version += 1
        await session.flush()
        await session.refresh(row)
    if new_text:
        session.add(
            ArticleVersion(article_id=row.id, version=row.version, title=row.title, body=row.body, author_id=author_id)
        )
        await session.flush()
    if new_text or shown_before != (row.state, row.visibility):
        await _write_chunks(session, row)
    return row


async def archive(session: AsyncSession, article_id: UUID) -> Article:
    """Takes an article out of search and answers; text and versions stay. Raises `NotFound`."""
    row = await session.get(Article, article_id, with_for_update=True)
    if row is None:
        raise NotFound("article_not_found", id=article_id)
    if row.state is not ArticleState.ARCHIVED:
        row.state = ArticleState.ARCHIVED
        row.updated_at = sa.func.now()
        await session.flush()
        await session.refresh(row)
        await session.execute(sa.delete(Chunk).where(Chunk.article_id == row.id))
    return row


async def _write_chunks(session: AsyncSession, row: Article) -> None:
    await session.execute(sa.delete(Chunk).where(Chunk.article_id == row.id))
    if row.state is not ArticleState.PUBLISHED:
        return
    pieces = chunk(row.body)
    if not pieces:
        raise Invalid("article_empty", "an article needs text", key=row.key, locale=row.locale)
    config = sa.cast(configuration(row.locale), pg.REGCONFIG)
    values = []
    for position, piece in enumerate(pieces):
        named, told = indexed(f"{row.title} {piece.heading}"), indexed(piece.text)
        values.append(
            {
                "id": new_id(),
                "article_id": row.id,
                "version": row.version,
                "locale": row.locale,
                "position": position,
                "heading": piece.heading,
                "text": piece.text,
                "words": f"{named}\n{told}",
                "public": row.visibility is Visibility.PUBLIC,
                "search": sa.func.setweight(sa.func.to_tsvector(config, named), sa.literal_column("'A'::\"char\"")).op(
                    "||"
                )(sa.func.to_tsvector(config, told)),
            }
        )
    await session.execute(sa.insert(Chunk).values(values))
    await enqueue(session, EMBED_JOB, {"article_id": str(row.id)}, lane=Lane.BULK)
