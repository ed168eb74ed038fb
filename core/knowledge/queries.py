"""Reading the help centre."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import NotFound
from core.knowledge.models import Article, ArticleState, ArticleVersion, Visibility


@dataclass(frozen=True, slots=True)
class ArticlePage:
    articles: Sequence[Article]
    next: tuple[datetime, UUID] | None
    """Pass it as `after` for the following page; None on the last one."""


async def list_articles(
    session: AsyncSession,
    *,
    locale: str | None = None,
    key: str | None = None,
    tag: str | None = None,
    state: ArticleState | None = ArticleState.PUBLISHED,
    include_internal: bool = False,
    after: tuple[datetime, UUID] | None = None,
    limit: int = 50,
) -> ArticlePage:
    """Articles, last changed first. `state=None` lists every state."""
    query = sa.select(Article).order_by(Article.updated_at.desc(), Article.id.desc()).limit(limit + 1)
    if locale is not None:
        query = query.where(Article.locale == locale)
    if key is not None:
        query = query.where(Article.key == key)
    if tag is not None:
        query = query.where(Article.tags.contains([tag]))
    if state is not None:
        query = query.where(Article.state == state)
    if not include_internal:
        query = query.where(Article.visibility == Visibility.PUBLIC)
    if after is not None:
        query = query.where(sa.tuple_(Article.updated_at, Article.id) < after)
    rows = (await session.scalars(query)).all()
    page = rows[:limit]
    return ArticlePage(page, (page[-1].updated_at, page[-1].id) if len(rows) > limit else None)


async def get_article(session: AsyncSession, article_id: UUID, *, include_internal: bool = False) -> Article:
    """One article in any state. Raises `NotFound`, also for internal ones that were not asked for."""
    row = await session.get(Article, article_id)
    if row is None or (row.visibility is Visibility.INTERNAL and not include_internal):
        raise NotFound("article_not_found", id=article_id)
    return row


async def find_article(session: AsyncSession, key: str, locale: str) -> Article | None:
    return (await session.scalars(sa.select(Article).where(Article.key == key, Article.locale == locale))).one_or_none()


async def translations(session: AsyncSession, key: str) -> dict[str, UUID]:
    """Locale → id of the published translations of an article."""
    rows = await session.execute(
        sa.select(Article.locale, Article.id)
        .where(Article.key == key, Article.state == ArticleState.PUBLISHED)
        .order_by(Article.locale)
    )
    return {row.locale: row.id for row in rows}


async def list_versions(session: AsyncSession, article_id: UUID) -> Sequence[ArticleVersion]:
    """Every text the article had, newest first."""
    return (
        await session.scalars(
            sa.select(ArticleVersion)
            .where(ArticleVersion.article_id == article_id)
            .order_by(ArticleVersion.version.desc())
        )
    ).all()


async def get_version(session: AsyncSession, article_id: UUID, version: int) -> ArticleVersion:
    """The exact text an answer was made from. Raises `NotFound`."""
    row = await session.get(ArticleVersion, (article_id, version))
    if row is None:
        raise NotFound("article_version_not_found", id=article_id, version=version)
    return row
