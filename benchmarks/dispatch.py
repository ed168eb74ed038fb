"""B4: a committed job reaches its handler, through a Dramatiq worker process. Bare: Dramatiq's own no-op actor.

The throughput is taken as the time in which a worker process empties a queue that was filled before it was rung for.
The delay runs from just before the commit to the handler's start, at a steady rate; both clocks are this machine's.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import dramatiq
import psycopg
import redis
import sqlalchemy as sa

from benchmarks.report import SEED, Figure, Report, percentile, side_by_side
from benchmarks.stage import ROOT, Stage
from core import db
from core.db import transaction
from core.jobs.models import Lane
from core.jobs.queue import enqueue
from tests.house import until

_FILL = """
    INSERT INTO jobs (id, lane, name, args, fair_key, max_attempts)
    SELECT uuidv7(), 'intake', 'bench.nothing', '{}'::jsonb, 'bench', 8 FROM generate_series(1, %s)
"""


_STAMP = sa.text(
    """
    UPDATE jobs SET args = jsonb_set(args, '{at}', to_jsonb(CAST(:at AS double precision)))
    WHERE name = 'bench.note' AND (args->>'number')::int = :number
    """
)


def _process(module: str, log: Path, **environment: str) -> subprocess.Popen[bytes]:
    command = [
        sys.executable, "-m", "dramatiq", module, "--processes", "1", "--threads", "8", "--worker-shutdown-timeout",
        "2000", "--skip-logging",
    ]  # fmt: skip
    with log.open("ab") as output:
        return subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **environment}, stdout=output, stderr=output, start_new_session=True
        )


async def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    await asyncio.to_thread(process.wait, 30)


async def _ours(url: str, count: int, connection: psycopg.Connection) -> float:
    connection.execute(_FILL, (count,))
    begun = time.perf_counter()
    async with transaction() as session:
        await enqueue(session, "bench.nothing", {}, lane=Lane.INTAKE)

    def empty() -> bool:
        row = connection.execute("SELECT count(*) FROM jobs WHERE lane = 'intake'").fetchone()
        return row is not None and row[0] == 0

    await until(empty, "the worker empties the queue", 120)
    return (count + 1) / (time.perf_counter() - begun)


async def _bare(client: redis.Redis, count: int) -> float:
    """Fills a queue that nobody listens to, then gives it the name that the waiting worker listens to."""
    namespace = f"{os.environ['AUTOCRM_REDIS_NAMESPACE']}:bare"
    with client.pipeline(transaction=False) as pipe:
        for number in range(count):
            message = dramatiq.Message("bench", "nothing", (), {}, {"redis_message_id": str(number)})
            pipe.hset(f"{namespace}:parked.msgs", str(number), message.encode())
            pipe.rpush(f"{namespace}:parked", str(number))
        pipe.execute()
    begun = time.perf_counter()
    with client.pipeline(transaction=True) as pipe:
        pipe.rename(f"{namespace}:parked.msgs", f"{namespace}:bench.msgs")
        pipe.rename(f"{namespace}:parked", f"{namespace}:bench")
        pipe.execute()
    counter = f"{namespace}:done"
    await until(lambda: int(client.get(counter) or 0) >= count, "Dramatiq empties its queue", 120)
    elapsed = time.perf_counter() - begun
    client.delete(counter)
    return count / elapsed


async def _delays(folder: Path, count: int, rate: float) -> list[float]:
    """Milliseconds from commit to start, `rate` jobs a second at uneven distances."""
    dice = random.Random(SEED)
    path = folder / f"starts-{rate}.txt"
    for number in range(count):
        async with transaction() as session:
            await enqueue(session, "bench.note", {"path": str(path), "number": number, "at": 0.0}, lane=Lane.DELIVER)
            await session.execute(_STAMP, {"at": time.time(), "number": number})
        await asyncio.sleep(dice.uniform(0.5, 1.5) / rate)

    def all_there() -> bool:
        return path.exists() and len(path.read_text().splitlines()) >= count

    await until(all_there, "every handler has started", 30)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [1000 * (row["started"] - row["at"]) for row in rows]


async def measure(stage: Stage, *, repeats: int, quick: bool, scale: float) -> Report:
    count = max(50, int(6000 * scale))
    figures: list[Figure] = []
    async with stage.house(dramatiq_worker_timeout="15") as house:
        url = house.environment["DATABASE_URL"]
        client = redis.Redis.from_url(house.environment["REDIS_URL"])
        ours = _process("benchmarks.jobs_worker", house.folder / "dispatch.log")
        try:
            with psycopg.connect(url, autocommit=True) as connection:
                await _ours(url, 50, connection)
                for prefetch, goal in (("", 1.0), ("256", 0.40)):
                    more = {"dramatiq_queue_prefetch": prefetch} if prefetch else {}
                    bare = _process("benchmarks.bare_actor", house.folder / "bare.log", **more)
                    try:
                        await _bare(client, 50)
                        found = await side_by_side(
                            repeats, lambda: _ours(url, count, connection), lambda: _bare(client, count)
                        )
                    finally:
                        await _end(bare)
                    figures += found.figures(
                        "jobs", goal=goal, bare=f"Dramatiq no-op, {'prefetch 256' if prefetch else 'default prefetch'}"
                    )
            for rate, seconds in ((20.0, 30 * scale), (1.0, 60 * scale)):
                delays = await _delays(house.folder, max(3, int(rate * seconds)), rate)
                figures.append(
                    Figure(f"commit to start at {rate:.0f}/s, p95", round(percentile(delays, 0.95), 2), "ms",
                           (round(min(delays), 2), round(max(delays), 2)), 25.0, at_least=False)
                )  # fmt: skip
                figures.append(Figure(f"commit to start at {rate:.0f}/s, p50", round(percentile(delays, 0.5), 2), "ms"))
        finally:
            await _end(ours)
            client.close()
            await db.dispose()
    return Report(
        "dispatch", "B4 dispatch: committed job to handler", figures, repeats, {"jobs": count, "threads": 8}, quick
    )
