"""The core on real servers, with its jobs run in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

import app.handlers  # noqa: F401 - registers the handlers
from core.db import transaction
from core.jobs import worker
from core.jobs.models import Lane
from tests.factories import birds

Work = Callable[..., Awaitable[None]]


@pytest.fixture
def sky(environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[birds.Sky]:
    """The test channels and their provider."""
    with birds.installed(tmp_path / "site", monkeypatch) as found:
        yield found


@pytest.fixture
async def work(db: None) -> AsyncIterator[Work]:
    """`await work(lane)` runs the lane until nothing is left in it, as if every delay were over."""

    async def run(lane: Lane, *, rounds: int = 200) -> None:
        for _ in range(rounds):
            async with transaction() as session:
                left = await session.scalar(
                    sa.text(
                        "WITH hurried AS (UPDATE jobs SET due_at = least(due_at, now()) "
                        "WHERE lane = :lane AND state = 'ready' RETURNING 1) SELECT count(*) FROM hurried"
                    ),
                    {"lane": lane.value},
                )
            if not left:
                return
            await asyncio.wait_for(worker.drain(lane), 60)
        raise AssertionError(f"lane {lane} never came to an end")

    yield run
    await worker.shutdown(0)
