"""The web application in this process, on real servers."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from app.http import limits
from app.http.access import COOKIE
from app.http.main import create_app
from tests.app.http.world import World, seed
from tests.core.conftest import sky, work

__all__ = ["sky", "work"]


@pytest.fixture
async def web(db: None) -> AsyncIterator[FastAPI]:
    """The application, started."""
    made = create_app()
    async with made.router.lifespan_context(made):
        yield made


@pytest.fixture
async def client(web: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Nobody: a client without any credentials."""
    transport = httpx.ASGITransport(web, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test", timeout=30) as made:
        yield made


@pytest.fixture
async def world(sky: object, db: None) -> World:
    """A small installation with something behind every door."""
    return await seed()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def cookie(token: str, origin: str | None = None) -> dict[str, str]:
    return {"Cookie": f"{COOKIE}={token}", **({"Origin": origin} if origin else {})}


@pytest.fixture(autouse=True)
def no_tries_before() -> None:
    """Every test begins without tries of the one before."""
    limits._tries.clear()
