"""Putting work into the queue, in the transaction that causes it; rings the lane after the commit."""

from __future__ import annotations

import json
import re
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from core.db import Statement, after_commit
from core.ids import new_id
from core.jobs.models import Job, Lane
from core.jobs.ring import ring

_INSERT = """
    INSERT INTO jobs (id, lane, name, args, fair_key, unique_key, due_at, max_attempts, correlation_id)
    VALUES (%(id)s, %(lane)s, %(name)s, CAST(%(args)s AS jsonb), %(fair_key)s, %(unique_key)s,
            now() + make_interval(secs => %(delay)s), %(max_attempts)s, %(correlation_id)s)
    ON CONFLICT (unique_key) DO UPDATE
        SET args = excluded.args, due_at = excluded.due_at, state = 'ready', attempts = 0, error = NULL
        WHERE jobs.state = 'dead'
"""
_INSERT_TEXT = sa.text(re.sub(r"%\((\w+)\)s", r":\1", _INSERT))


async def enqueue(
    session: AsyncSession,
    name: str,
    args: dict[str, Any],
    *,
    lane: Lane,
    delay: float = 0,
    fair_key: str = "",
    unique_key: str | None = None,
    correlation_id: UUID | None = None,
    max_attempts: int = 8,
) -> None:
    """Adds a job, due `delay` seconds after the start of this transaction.

    `args` holds ids and small facts, never content: a handler reads what it needs. While a job with the same
    `unique_key` waits or runs, another is not added; a dead one is given its attempts back.
    """
    _sql, values = job_row(
        session, name, args, lane=lane, delay=delay, fair_key=fair_key, unique_key=unique_key,
        correlation_id=correlation_id, max_attempts=max_attempts,
    )  # fmt: skip
    await session.execute(_INSERT_TEXT, dict(values))


def job_row(
    session: AsyncSession,
    name: str,
    args: dict[str, Any],
    *,
    lane: Lane,
    delay: float = 0,
    fair_key: str = "",
    unique_key: str | None = None,
    correlation_id: UUID | None = None,
    max_attempts: int = 8,
) -> Statement:
    """As `enqueue`, for `core.db.pipelined`: the caller sends the statement in this transaction."""
    if delay <= 0:
        ring_after_commit(session, lane)
    return _INSERT, {
        "id": new_id(),
        "lane": lane.value,
        "name": name,
        "args": json.dumps(args),
        "fair_key": fair_key,
        "unique_key": unique_key,
        "delay": float(delay),
        "max_attempts": max_attempts,
        "correlation_id": correlation_id,
    }


async def hasten(session: AsyncSession, unique_key: str, lane: Lane) -> bool:
    """Makes a waiting job due now; False where there is none. One that runs or has failed before is left alone."""
    done = await session.execute(
        sa.update(Job)
        .where(Job.unique_key == unique_key, Job.attempts == 0, Job.due_at > sa.func.now())
        .values(due_at=sa.func.now())
    )
    if not done.rowcount:  # type: ignore[attr-defined]
        return False
    ring_after_commit(session, lane)
    return True


def ring_after_commit(session: AsyncSession, lane: Lane) -> None:
    """Wakes a worker of the lane as soon as this transaction has committed."""
    after_commit(session, f"ring:{lane}", partial(ring, lane))
