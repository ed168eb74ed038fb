"""The help centre, searching it, and asking the answering engine."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncSession

from ai.answer import Decision, Question, Reason, answer
from ai.retrieval import search
from app.http.access import ReadKnowledge, UseAI, WriteKnowledge
from app.http.idempotency import Once
from app.http.shapes import CitationOut, Cursor, In, Limit, Out, Page
from core import keyset
from core.db import transaction
from core.knowledge import queries
from core.knowledge.articles import ArticleInput, save_article
from core.knowledge.models import ArticleState, Visibility

router = APIRouter()
Locale = Annotated[str | None, Query(max_length=35, pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]


class ArticleBrief(Out):
    id: UUID
    key: str
    locale: str
    title: str
    url: str | None
    tags: list[str]
    state: ArticleState
    visibility: Visibility
    version: int
    updated_at: datetime


class ArticleOut(ArticleBrief):
    body: str


class NewArticle(ArticleInput):
    """An article in one language; translations share the `key`. One with the same key and locale is changed."""


class PassageOut(BaseModel):
    article_id: UUID
    key: str
    version: int
    locale: str
    title: str
    heading: str
    text: str
    url: str | None
    score: float


class Asked(In):
    question: Annotated[str, Field(min_length=1, max_length=20_000)]
    locale: Annotated[str, Field(max_length=35, pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")] | None = None


class Answered(BaseModel):
    answer: str
    html: str
    citations: list[CitationOut]
    confidence: float
    decision: Decision
    reason: Reason
    language: str
    composer: str | None
    draft: str | None
    """With `handoff`: what could have been said, for people inside only."""
    timings: dict[str, float]


@router.get("/articles", tags=["knowledge"])
async def list_articles(
    _principal: ReadKnowledge,
    locale: Locale = None,
    key: Annotated[str | None, Query(max_length=200)] = None,
    tag: Annotated[str | None, Query(max_length=60)] = None,
    state: ArticleState | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[ArticleBrief]:
    """Articles, the last changed first."""
    after = None
    if cursor is not None:
        at, article_id = keyset.read(cursor, [datetime.fromisoformat, UUID])
        after = (at, article_id)
    async with transaction() as session:
        page = await queries.list_articles(
            session, locale=locale, key=key, tag=tag, state=state, include_internal=True, after=after, limit=limit
        )
        return Page(
            items=[ArticleBrief.model_validate(row) for row in page.articles],
            next=keyset.encode([page.next[0].isoformat(), page.next[1]]) if page.next else None,
        )


@router.post("/articles", status_code=201, tags=["knowledge"])
async def put_article(body: NewArticle, principal: WriteKnowledge, once: Once) -> ArticleOut:
    """Adds an article, or a new version of the one with this key and locale."""

    async def act(session: AsyncSession) -> ArticleOut:
        article = await save_article(session, body, principal.user_id)
        await session.refresh(article)
        return ArticleOut.model_validate(article)

    return await once(principal, body, ArticleOut, act)


@router.get("/articles/{article_id}", tags=["knowledge"])
async def get_article(article_id: UUID, _principal: ReadKnowledge) -> ArticleOut:
    async with transaction() as session:
        return ArticleOut.model_validate(await queries.get_article(session, article_id, include_internal=True))


@router.get("/search", tags=["knowledge"])
async def search_knowledge(
    _principal: ReadKnowledge,
    q: Annotated[str, Query(min_length=1, max_length=2000)],
    locale: Locale = None,
    limit: Annotated[int, Query(ge=1, le=50)] = 8,
) -> Page[PassageOut]:
    """The passages of the help centre that say most about `q`, best first."""
    async with transaction() as session:
        passages = await search(session, q.replace("\x00", ""), locale=locale, limit=limit, include_internal=True)
    return Page(
        items=[
            PassageOut(
                **{name: getattr(passage, name) for name in PassageOut.model_fields if name != "score"},
                score=round(passage.relevance, 4),
            )
            for passage in passages
        ]
    )


@router.post("/ai/answer", tags=["ai"])
async def ask(body: Asked, _principal: UseAI) -> Answered:
    """What the AI would answer, without sending anything."""
    made = await answer(Question(text=body.question.replace("\x00", ""), language=body.locale))
    return Answered(
        answer=made.text,
        html=made.html,
        citations=[CitationOut.model_validate(asdict(citation)) for citation in made.citations],
        confidence=made.confidence,
        decision=made.decision,
        reason=made.reason,
        language=made.language,
        composer=made.composer,
        draft=made.draft,
        timings=made.timings,
    )
