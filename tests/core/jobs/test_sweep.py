"""The sweep rings what is due, and nothing else; a ring reaches the lane's queue, and its absence harms nobody."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from core.db import transaction
from core.jobs import sweep as sweep_module
from core.jobs.models import Job, Lane
from core.jobs.queue import enqueue
from core.jobs.sweep import sweep_once
from core.settings import settings


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[Lane]:
    heard: list[Lane] = []
    monkeypatch.setattr(sweep_module, "ring", heard.append)
    return heard


async def test_only_lanes_with_something_due_are_rung_once_each(db: None, rung: list[Lane]) -> None:
    async with transaction() as session:
        for _ in range(50):
            await enqueue(session, "test.x", {}, lane=Lane.INTAKE)
        await enqueue(session, "test.x", {}, lane=Lane.DELIVER, delay=30)
        await enqueue(session, "test.x", {}, lane=Lane.AI)
        await session.execute(sa.update(Job).where(Job.lane == Lane.AI).values(state="dead"))
    assert await sweep_once() == settings().sweep_every
    assert rung == [Lane.INTAKE]


async def test_the_sweep_comes_again_when_the_next_job_is_due(db: None, rung: list[Lane]) -> None:
    async with transaction() as session:
        await enqueue(session, "test.x", {}, lane=Lane.DELIVER, delay=0.2)
    assert 0 < await sweep_once() <= 0.2
    assert rung == []


async def test_a_leased_job_is_not_rung_for(db: None, rung: list[Lane]) -> None:
    async with transaction() as session:
        await enqueue(session, "test.x", {}, lane=Lane.BULK)
        await session.execute(sa.update(Job).values(due_at=sa.func.now() + sa.text("interval '6 s'"), token=1))
    await sweep_once()
    assert rung == []
