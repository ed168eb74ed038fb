"""Catalogues for browsers, and whether the house is well."""

from __future__ import annotations

from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Path, Response
from pydantic import BaseModel

from core import i18n
from core.db import transaction
from core.errors import NotFound
from core.migrate import head
from core.settings import settings

router = APIRouter()
_DOMAINS = {"customer", "inbox"}


class Health(BaseModel):
    status: str = "ok"
    mode: str


class Readiness(BaseModel):
    ready: bool
    database: str
    redis: str


@router.get("/locales/{language}/{domain}.json", tags=["texts"])
async def get_catalogue(
    language: Annotated[str, Path(pattern=r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$", max_length=35)],
    domain: Annotated[str, Path(max_length=30)],
) -> dict[str, str | list[str]]:
    """The texts of a browser part in the nearest language there is."""
    if domain not in _DOMAINS:
        raise NotFound("catalogue_not_found", "there is no such catalogue")
    return i18n.browser_catalogue(i18n.negotiate(language), domain)


@router.get("/health", tags=["operation"])
async def health() -> Health:
    """Whether this process answers."""
    return Health(mode=settings().mode.value)


@router.get("/ready", tags=["operation"], responses={503: {"model": Readiness}})
async def ready(response: Response) -> Readiness:
    """Whether what it needs answers too. Without Redis work goes on, slower, so only the database decides."""
    database = redis = "ok"
    try:
        async with transaction() as session:
            revision = await session.scalar(sa.text("SELECT version_num FROM alembic_version"))
        if revision != head():
            database = "migration_needed"
    except (sa.exc.SQLAlchemyError, OSError):
        database = "away"
    redis = "ok" if await _redis_answers() else "away"
    if database != "ok":
        response.status_code = 503
    return Readiness(ready=database == "ok", database=database, redis=redis)


async def _redis_answers() -> bool:
    import redis.asyncio as aioredis
    from redis.exceptions import RedisError

    secret = settings().redis_url
    if secret is None:
        return False
    client: Any = aioredis.Redis.from_url(secret.get_secret_value(), socket_connect_timeout=1, socket_timeout=1)
    try:
        return bool(await client.ping())
    except (RedisError, OSError):
        return False
    finally:
        await client.aclose()
