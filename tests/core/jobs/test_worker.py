"""Claiming, leasing, retrying: what a worker promises about a job."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from core.contacts.models import Organisation
from core.db import transaction
from core.ids import new_id
from core.jobs import registry, worker
from core.jobs.models import Job, JobState, Lane
from core.jobs.queue import enqueue
from core.jobs.registry import Again, Run, job
from core.jobs.worker import LaneRunner, backoff, drain

Define = Callable[[registry.Handler], str]


@pytest.fixture(autouse=True)
async def stopped(db: None) -> AsyncIterator[None]:
    yield
    await worker.shutdown(0)


@pytest.fixture
def define(monkeypatch: pytest.MonkeyPatch) -> Iterator[Define]:
    """Registers a handler for this test; returns the job's name."""
    known = dict(registry._handlers)

    def make(handler: registry.Handler) -> str:
        name = f"test.{new_id()}"
        job(name, lane=Lane.BULK)(handler)
        return name

    yield make
    registry._handlers.clear()
    registry._handlers.update(known)


async def put(
    name: str, *, delay: float = 0, fair: str = "", unique: str | None = None, tries: int = 8, **args: object
) -> None:
    async with transaction() as session:
        await enqueue(
            session, name, dict(args), lane=Lane.BULK, delay=delay, fair_key=fair, unique_key=unique, max_attempts=tries
        )


async def jobs() -> list[Job]:
    async with transaction() as session:
        return list(await session.scalars(sa.select(Job).order_by(Job.id)))


async def hurry() -> None:
    """As if the time until every job's turn had passed."""
    async with transaction() as session:
        await session.execute(sa.update(Job).values(due_at=sa.func.now()))


async def write(session: AsyncSession, name: str = "written") -> None:
    session.add(Organisation(id=new_id(), name=name, domains=[]))


async def written() -> int:
    async with transaction() as session:
        return await session.scalar(sa.select(sa.func.count()).select_from(Organisation)) or 0


async def test_a_job_and_its_effect_end_in_one_transaction(define: Define) -> None:
    async def handler(run: Run) -> None:
        async with run.transaction(finish=True) as session:
            await write(session)

    await put(define(handler))
    await drain(Lane.BULK)
    assert (await written(), await jobs()) == (1, [])


async def test_a_job_of_a_transaction_that_failed_was_never_there(define: Define) -> None:
    with pytest.raises(RuntimeError, match="undone"):  # noqa: PT012 - the error is what undoes it
        async with transaction() as session:
            await enqueue(session, "test.never", {}, lane=Lane.BULK)
            raise RuntimeError("undone")
    assert await jobs() == []


@pytest.mark.parametrize("by", ["transaction", "finish"])
async def test_a_lost_lease_rolls_the_effect_back(define: Define, by: str) -> None:
    async def handler(run: Run) -> None:
        async with transaction() as session:  # another worker takes the job over meanwhile
            await session.execute(
                sa.update(Job).values(token=Job.token + 1, due_at=sa.func.now() + sa.text("interval '1h'"))
            )
        if by == "transaction":
            async with run.transaction(finish=True) as session:
                await write(session)
        else:
            async with transaction() as session:
                await write(session)
                await run.finish(session)

    await put(define(handler))
    await drain(Lane.BULK)
    assert await written() == 0
    (left,) = await jobs()
    assert (left.token, left.attempts, left.error) == (2, 1, None), "the other worker's lease is untouched"


async def test_two_claimers_never_hold_the_same_job(define: Define) -> None:
    for number in range(30):
        await put("test.nobody", number=number)
    claims = await asyncio.gather(*(LaneRunner(Lane.BULK)._claim(7) for _ in range(6)))
    ids = [attempt.id for claim in claims for attempt in claim]
    assert len(ids) == len(set(ids))
    rest = await LaneRunner(Lane.BULK)._claim(100)
    assert len(ids) + len(rest) == 30


async def test_a_lease_that_ran_out_is_taken_over_and_counts_as_an_attempt(define: Define) -> None:
    seen: list[int] = []

    async def handler(run: Run) -> None:
        seen.append(run.attempt)

    await put(define(handler))
    dead = await LaneRunner(Lane.BULK)._claim(1)  # a worker that dies with the job in its hands
    await drain(Lane.BULK)
    assert seen == [], "leased: nobody else's yet"
    await hurry()
    await drain(Lane.BULK)
    assert (len(dead), seen, await jobs()) == (1, [2], [])


async def test_a_job_whose_process_dies_every_time_is_dead_at_last(define: Define) -> None:
    ran: list[int] = []

    async def handler(run: Run) -> None:
        ran.append(run.attempt)

    await put(define(handler), tries=2)
    for _ in range(2):
        await LaneRunner(Lane.BULK)._claim(1)
        await hurry()
    await drain(Lane.BULK)
    (left,) = await jobs()
    assert (left.state, ran) == (JobState.DEAD, [])


async def test_a_lease_is_renewed_while_the_handler_runs_and_a_lost_one_ends_it(define: Define) -> None:
    started, end, cancelled = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def handler(run: Run) -> None:
        started.set()
        try:
            await end.wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    await put(define(handler))
    runner = LaneRunner(Lane.BULK)
    draining = asyncio.create_task(runner.drain())
    await started.wait()
    await hurry()
    await runner.renew()
    async with transaction() as session:
        left = await session.scalar(sa.select(sa.extract("epoch", Job.due_at - sa.func.now())))
    assert left is not None
    assert left > 1
    async with transaction() as session:
        await session.execute(sa.update(Job).values(token=99, due_at=sa.func.now() + sa.text("interval '1 hour'")))
    await runner.renew()
    await cancelled.wait()
    await draining
    (left_over,) = await jobs()
    assert (left_over.token, left_over.attempts) == (99, 1), "nothing of the other worker's lease was touched"


async def test_failures_come_again_later_and_later_and_end_dead(define: Define) -> None:
    async def handler(run: Run) -> None:
        raise ValueError("no luck")

    await put(define(handler), tries=3)
    waits = []
    for attempt in (1, 2, 3):
        await hurry()
        await drain(Lane.BULK)
        async with transaction() as session:
            row = (await session.execute(sa.select(Job, sa.extract("epoch", Job.due_at - sa.func.now())))).one()
        assert row[0].attempts == attempt
        assert row[0].error == "ValueError: no luck"
        waits.append(float(row[1]))
    assert row[0].state is JobState.DEAD
    assert waits[1] > waits[0] * 1.1
    await hurry()
    await drain(Lane.BULK)
    assert (await jobs())[0].attempts == 3, "the dead rest"


def test_backoff_grows_and_has_a_ceiling() -> None:
    for attempt in range(1, 40):
        assert min(300, 2 ** (attempt - 1)) * 0.75 <= backoff(attempt) <= 375


async def test_a_dead_job_that_is_wanted_again_lives_again(define: Define) -> None:
    luck = [False]

    async def handler(run: Run) -> None:
        if not luck[0]:
            raise ValueError("no luck")

    name = define(handler)
    await put(name, unique="one", tries=1)
    await drain(Lane.BULK)
    assert (await jobs())[0].state is JobState.DEAD
    luck[0] = True
    await put(name, unique="one", tries=1)
    (again,) = await jobs()
    assert (again.state, again.attempts) == (JobState.READY, 0)
    await drain(Lane.BULK)
    assert await jobs() == []


@pytest.mark.parametrize(("free", "attempts"), [(True, 0), (False, 1)])
async def test_again_waits_and_is_free_where_it_says_so(define: Define, free: bool, attempts: int) -> None:
    async def handler(run: Run) -> None:
        raise Again(120, "not yet", free=free)

    await put(define(handler), tries=1 if free else 2)
    await drain(Lane.BULK)
    async with transaction() as session:
        row = (await session.execute(sa.select(Job, sa.extract("epoch", Job.due_at - sa.func.now())))).one()
    assert (row[0].state, row[0].attempts, row[0].error) == (JobState.READY, attempts, "not yet")
    assert 100 < row[1] <= 120


async def test_again_at_the_last_attempt_is_the_end_unless_it_is_free(define: Define) -> None:
    async def handler(run: Run) -> None:
        raise Again(0, "not yet")

    await put(define(handler), tries=1)
    await drain(Lane.BULK)
    assert (await jobs())[0].state is JobState.DEAD


async def test_a_unique_key_holds_while_the_job_waits_or_runs(define: Define) -> None:
    started, end = asyncio.Event(), asyncio.Event()
    ran: list[UUID] = []

    async def handler(run: Run) -> None:
        ran.append(run.id)
        started.set()
        await end.wait()

    name = define(handler)
    await put(name, unique="one")
    await put(name, unique="one")
    assert len(await jobs()) == 1
    draining = asyncio.create_task(drain(Lane.BULK))
    await started.wait()
    await put(name, unique="one")
    end.set()
    await draining
    assert len(ran) == 1
    await put(name, unique="one")
    assert len(await jobs()) == 1, "free again once done"


async def test_a_delayed_job_is_not_claimed_before_its_time(define: Define) -> None:
    ran: list[int] = []

    async def handler(run: Run) -> None:
        ran.append(1)

    await put(define(handler), delay=60)
    await drain(Lane.BULK)
    assert ran == []
    await hurry()
    await drain(Lane.BULK)
    assert ran == [1]


async def test_one_busy_account_does_not_keep_the_others_waiting(define: Define) -> None:
    order: list[str] = []

    async def handler(run: Run, who: str) -> None:
        order.append(who)

    name = define(handler)
    for _ in range(40):
        await put(name, fair="busy", who="busy")
    await put(name, fair="a", who="a")
    await put(name, fair="b", who="b")
    claim = await LaneRunner(Lane.BULK)._claim(4)
    assert sorted(attempt.args["who"] for attempt in claim) == ["a", "b", "busy", "busy"]
    await hurry()
    await drain(Lane.BULK)
    assert len(order) == 42


async def test_drain_takes_up_what_comes_while_it_runs(define: Define) -> None:
    started, end = asyncio.Event(), asyncio.Event()
    ran: list[str] = []

    async def slow(run: Run) -> None:
        started.set()
        await end.wait()
        ran.append("slow")

    async def quick(run: Run) -> None:
        ran.append("quick")
        end.set()

    slow_name, quick_name = define(slow), define(quick)
    await put(slow_name)
    draining = asyncio.create_task(drain(Lane.BULK))
    await started.wait()
    await put(quick_name)
    await drain(Lane.BULK)  # what its ring does
    await draining
    assert ran == ["quick", "slow"]


async def test_work_that_a_job_causes_is_done_in_the_same_drain(define: Define) -> None:
    ran: list[int] = []

    async def handler(run: Run, depth: int) -> None:
        ran.append(depth)
        if depth:
            async with run.transaction(finish=True) as session:
                await enqueue(session, run.name, {"depth": depth - 1}, lane=Lane.BULK)

    await put(define(handler), depth=4)
    await drain(Lane.BULK)
    assert ran == [4, 3, 2, 1, 0]


async def test_shutdown_gives_back_what_does_not_end_in_time(define: Define) -> None:
    started = asyncio.Event()

    async def handler(run: Run) -> None:
        started.set()
        await asyncio.Event().wait()

    await put(define(handler))
    draining = asyncio.create_task(drain(Lane.BULK))
    await started.wait()
    await worker.shutdown(0)
    await draining
    async with transaction() as session:
        (left, due) = (await session.execute(sa.select(Job, Job.due_at <= sa.func.now()))).one()
    assert (left.state, left.attempts, due) == (JobState.READY, 0, True)


async def test_a_job_without_a_handler_waits_for_the_version_that_has_one() -> None:
    await put("test.of_tomorrow")
    await drain(Lane.BULK)
    (left,) = await jobs()
    assert left.state is JobState.READY
    assert left.error == "no handler is called 'test.of_tomorrow'"


def test_a_name_has_one_handler(define: Define) -> None:
    async def one(run: Run) -> None: ...

    async def other(run: Run) -> None: ...

    name = define(one)
    with pytest.raises(ValueError, match="two handlers"):
        job(name, lane=Lane.BULK)(other)


def test_every_job_that_is_put_into_the_queue_has_a_handler_in_the_worker() -> None:
    """What `enqueue` names somewhere in the house is registered by what the worker imports."""
    import re
    import subprocess
    import sys

    from tests.house import ROOT

    told = subprocess.run(
        [sys.executable, "-c", "import app.handlers; from core.jobs.registry import registered; print(*registered())"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    named = set()
    for folder in ("core", "ai", "app"):
        for file in (ROOT / folder).rglob("*.py"):
            named |= set(re.findall(r"enqueue\(\s*session,\s*\"([a-z_.]+)\"", file.read_text()))
    assert "deliver.send" in named
    assert named <= set(told)
