"""The sweep: rings for what is due and was not woken for (a delay, a retry, a dead worker, a lost ring)."""

from __future__ import annotations

import asyncio
import logging

import sqlalchemy as sa

from core.db import transaction
from core.jobs.models import Lane
from core.jobs.ring import ring
from core.settings import settings

log = logging.getLogger(__name__)

_NEXT = sa.text(
    """
    SELECT extract(epoch FROM due_at - now()) FROM jobs
    WHERE state = 'ready' AND lane = :lane ORDER BY due_at LIMIT 1
    """
)


async def sweep_once() -> float:
    """Rings each lane with something due, once. Returns the seconds until something more is due, at most the interval."""
    soonest = settings().sweep_every
    async with transaction() as session:
        for lane in Lane:
            seconds = await session.scalar(_NEXT, {"lane": lane.value})
            if seconds is None:
                continue
            if seconds <= 0:
                # One ring per lane and round, however long the queue: a woken worker drains it.
                ring(lane)
            else:
                soonest = min(soonest, float(seconds))
    return max(soonest, 0.01)


async def sweep_forever() -> None:
    """Runs until cancelled. Survives the database being away."""
    away = False
    while True:
        try:
            wait = await sweep_once()
            away = False
        except (sa.exc.SQLAlchemyError, OSError) as error:
            if not away:
                log.warning("sweep: the database does not answer (%s)", type(error).__name__)
            away, wait = True, settings().sweep_every
        await asyncio.sleep(wait)
