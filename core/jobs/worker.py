"""Claiming and running jobs.

A woken lane claims as many due jobs as it has free slots, runs each in its own task, and goes on until none
is due. A claim is a lease: `due_at` moves to its end, `token` grows. While a handler runs, its lease is
renewed; a worker that dies leaves a job that becomes due by itself.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from core.db import after_commit, pipelined, transaction
from core.jobs.models import Lane
from core.jobs.registry import Again, LostLease, handler
from core.settings import settings

log = logging.getLogger(__name__)

SLOTS = {Lane.INTAKE: 8, Lane.DELIVER: 8, Lane.AI: 4, Lane.BULK: 2, Lane.SPEECH: 1}
"""Jobs of a lane that one process runs at once."""

# Every fairness key with something due gets its share of the free slots, whatever waits behind the others.
_CLAIM = sa.text(
    """
    WITH RECURSIVE keys AS (
        (SELECT fair_key FROM jobs WHERE state = 'ready' AND lane = :lane ORDER BY fair_key LIMIT 1)
        UNION ALL
        SELECT (SELECT fair_key FROM jobs WHERE state = 'ready' AND lane = :lane AND fair_key > keys.fair_key
                ORDER BY fair_key LIMIT 1)
        FROM keys WHERE keys.fair_key IS NOT NULL
    ),
    candidates AS (
        SELECT due.id, due.due_at, row_number() OVER (PARTITION BY keys.fair_key ORDER BY due.due_at) AS turn
        FROM keys, LATERAL (
            SELECT id, due_at FROM jobs
            WHERE state = 'ready' AND lane = :lane AND fair_key = keys.fair_key AND due_at <= now()
            ORDER BY due_at LIMIT :free
            FOR UPDATE SKIP LOCKED
        ) AS due
        WHERE keys.fair_key IS NOT NULL
    ),
    chosen AS (SELECT id FROM candidates ORDER BY turn, due_at LIMIT :free)
    UPDATE jobs SET due_at = now() + make_interval(secs => :lease), token = token + 1, attempts = attempts + 1
    FROM chosen WHERE jobs.id = chosen.id
    RETURNING jobs.id, jobs.name, jobs.args, jobs.token, jobs.attempts, jobs.max_attempts, jobs.correlation_id
    """
)
_FINISH = sa.text("DELETE FROM jobs WHERE id = :id AND token = :token")
_FINISH_ALL = """
    DELETE FROM jobs USING unnest(%(ids)s::uuid[], %(tokens)s::int[]) AS held(id, token)
    WHERE jobs.id = held.id AND jobs.token = held.token
    RETURNING jobs.id
"""
_RENEW = sa.text(
    """
    UPDATE jobs SET due_at = now() + make_interval(secs => :lease)
    FROM unnest(CAST(:ids AS uuid[]), CAST(:tokens AS int[])) AS held(id, token)
    WHERE jobs.id = held.id AND jobs.token = held.token
    RETURNING jobs.id
    """
)
_RETRY = sa.text(
    """
    UPDATE jobs SET due_at = now() + make_interval(secs => :after), attempts = attempts - :refund, error = :error,
                    state = CASE WHEN :dead THEN 'dead' ELSE 'ready' END
    WHERE id = :id AND token = :token
    """
)


@dataclass
class Attempt:
    """One attempt at one job; see `registry.Run`."""

    id: UUID
    name: str
    args: dict[str, Any]
    token: int
    attempt: int
    max_attempts: int
    correlation_id: UUID | None
    finished: bool = False
    task: asyncio.Task[None] | None = field(default=None, repr=False)

    @asynccontextmanager
    async def transaction(self, *, finish: bool = False) -> AsyncIterator[AsyncSession]:
        async with transaction() as session:
            yield session
            if finish:
                await self.finish(session)

    async def finish(self, session: AsyncSession) -> None:
        done = await session.execute(_FINISH, {"id": self.id, "token": self.token})
        if done.rowcount != 1:  # type: ignore[attr-defined]
            raise LostLease(self.name)
        # Known to `renew` only once it is committed: until then the row is there, and so is the lease.
        after_commit(session, f"finished:{self.id}", self._finished)

    def _finished(self) -> None:
        self.finished = True


def backoff(attempt: int) -> float:
    """Seconds before the next attempt: 1, 2, 4, … up to 5 minutes, spread by a quarter."""
    return min(300.0, 2.0 ** (attempt - 1)) * random.uniform(0.75, 1.25)  # noqa: S311 - no secret


class LaneRunner:
    """The jobs of one lane that this process runs."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.slots = SLOTS[lane]
        self.running: dict[UUID, Attempt] = {}
        self._news = asyncio.Event()
        self._draining = False
        self._ending: list[tuple[Attempt, asyncio.Future[bool]]] = []
        self._finisher: asyncio.Task[None] | None = None
        self.stopping = False

    async def drain(self) -> None:
        """Runs due jobs until none is left. A second call while one is under way only tells the first to look again."""
        self._news.set()
        if self._draining:
            return
        self._draining = True
        try:
            while not self.stopping:
                self._news.clear()
                free = self.slots - len(self.running)
                claimed = await self._claim(free) if free else []
                for attempt in claimed:
                    self.running[attempt.id] = attempt
                    attempt.task = asyncio.create_task(self._run(attempt), name=attempt.name)
                tasks = [attempt.task for attempt in self.running.values() if attempt.task is not None]
                if not tasks and not self._news.is_set():
                    return
                # A full claim means that more may be due: look again with the first free slot.
                await self._wait(tasks, for_all=len(claimed) < free)
        finally:
            self._draining = False

    async def _wait(self, tasks: list[asyncio.Task[None]], *, for_all: bool) -> None:
        """Until there is news, or one of the tasks has ended (or all of them)."""
        if not tasks:
            return
        news = asyncio.create_task(self._news.wait())
        try:
            waited: list[asyncio.Future[Any]] = [*tasks, news]
            if for_all:
                waited = [asyncio.gather(*tasks, return_exceptions=True), news]
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        finally:
            news.cancel()

    async def _claim(self, free: int) -> list[Attempt]:
        async with transaction() as session:
            rows = await session.execute(_CLAIM, {"lane": self.lane.value, "free": free, "lease": settings().job_lease})
            return [
                Attempt(row.id, row.name, row.args, row.token, row.attempts, row.max_attempts, row.correlation_id)
                for row in rows
            ]

    async def _run(self, attempt: Attempt) -> None:
        try:
            if attempt.attempt > attempt.max_attempts:
                # Its process died that often: it is the job.
                await self._again(attempt, 0, "its worker died in every attempt", dead=True)
                return
            found = handler(attempt.name)
            if found is None:
                await self._again(attempt, 30, f"no handler is called {attempt.name!r}")
                return
            await found.handler(attempt, **attempt.args)
            if not attempt.finished:
                await self._finish(attempt)
        except Again as again:
            dead = not again.free and attempt.attempt >= attempt.max_attempts
            await self._again(attempt, again.after, str(again), dead=dead, refund=again.free)
        except LostLease:
            log.warning("job %s was taken over by another worker", attempt.name)
        except asyncio.CancelledError:
            # By a shutdown or a lost lease; a job given back runs elsewhere at once.
            await self._again(attempt, 0, "interrupted", refund=True)
        except Exception as error:
            log.exception("job %s failed (attempt %d)", attempt.name, attempt.attempt)
            dead = attempt.attempt >= attempt.max_attempts
            reason = f"{type(error).__name__}: {error}"[:2000]
            await self._again(attempt, backoff(attempt.attempt), reason, dead=dead)
        finally:
            self.running.pop(attempt.id, None)

    async def _finish(self, attempt: Attempt) -> None:
        """Ends a job whose handler left that to us, together with whatever else ends now. Raises LostLease."""
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._ending.append((attempt, done))
        if self._finisher is None or self._finisher.done():
            self._finisher = asyncio.create_task(self._finish_all(), name="finish-jobs")
        if not await done:
            raise LostLease(attempt.name)
        attempt.finished = True

    async def _finish_all(self) -> None:
        while self._ending:
            ending, self._ending = self._ending, []
            held = {
                "ids": [attempt.id for attempt, _done in ending],
                "tokens": [attempt.token for attempt, _done in ending],
            }
            try:
                async with transaction() as session:
                    (result,) = await pipelined(session, [(_FINISH_ALL, held)])
                    ended = {row["id"] for row in await result.fetchall()}
            except Exception as error:
                for _attempt, done in ending:
                    if not done.done():
                        done.set_exception(error)
                continue
            for attempt, done in ending:
                if not done.done():
                    done.set_result(attempt.id in ended)

    async def _again(
        self, attempt: Attempt, after: float, reason: str, *, dead: bool = False, refund: bool = False
    ) -> None:
        try:
            async with transaction() as session:
                await session.execute(
                    _RETRY,
                    {
                        "id": attempt.id,
                        "token": attempt.token,
                        "after": after,
                        "error": reason,
                        "dead": dead,
                        "refund": int(refund),
                    },
                )
        except sa.exc.DBAPIError:
            # The database is away: the lease runs out by itself, and the job is due again.
            log.warning("job %s could not be put back; its lease will run out", attempt.name)

    async def renew(self) -> None:
        """Prolongs the leases of what runs; cancels what has been lost."""
        held = list(self.running.values())
        if not held:
            return
        async with transaction() as session:
            rows = await session.execute(
                _RENEW,
                {
                    "ids": [attempt.id for attempt in held],
                    "tokens": [attempt.token for attempt in held],
                    "lease": settings().job_lease,
                },
            )
            alive = {row.id for row in rows}
        for attempt in held:
            if attempt.id not in alive and attempt.id in self.running and not attempt.finished and attempt.task:
                attempt.task.cancel()

    async def stop(self, patience: float) -> None:
        """Lets what runs end for `patience` seconds, then gives it back."""
        self.stopping = True
        self._news.set()
        tasks = [attempt.task for attempt in self.running.values() if attempt.task is not None]
        if tasks:
            _done, pending = await asyncio.wait(tasks, timeout=patience)
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)


_runners: dict[Lane, LaneRunner] = {}
_renewing: asyncio.Task[None] | None = None


async def drain(lane: Lane) -> None:
    """What a ring does: runs the lane until nothing is due."""
    global _renewing  # noqa: PLW0603 - one renewer per process
    if _renewing is None or _renewing.done():
        _renewing = asyncio.create_task(_renew_forever(), name="renew-leases")
    await _runners.setdefault(lane, LaneRunner(lane)).drain()


async def _renew_forever() -> None:
    while True:
        await asyncio.sleep(settings().job_lease / 3)
        for runner in list(_runners.values()):
            try:
                await runner.renew()
            except Exception as error:  # the database is away; leases run out if it stays away
                log.warning("leases could not be renewed: %s", type(error).__name__)


async def shutdown(patience: float = 5.0) -> None:
    """Stops claiming, lets running jobs end, gives the rest back."""
    global _renewing  # noqa: PLW0603
    await asyncio.gather(*(runner.stop(patience) for runner in _runners.values()))
    if _renewing is not None:
        _renewing.cancel()
        _renewing = None
    _runners.clear()
