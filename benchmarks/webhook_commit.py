"""B2: signed webhooks of Slack, Twilio and Telegram, acknowledged after the commit. Bare: FastAPI and a one-row INSERT."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from statistics import median

import psycopg
import sqlalchemy as sa

from app.embedded import free_port
from benchmarks.bare_hook import TABLE
from benchmarks.report import Report, median_of, percentile, side_by_side
from benchmarks.smtp_durable import is_open
from benchmarks.stage import ROOT, Stage
from benchmarks.webhooks import CONNECTIONS as ACCOUNTS
from benchmarks.webhooks import By, Doors, Sender, open_doors, pour
from core.db import transaction
from core.intake.models import Raw
from tests.house import until

CONNECTIONS = 32
CALM = 4
STRAINED = 2 * CONNECTIONS
_WAYS = tuple(By)


class _Mix:
    """Never-repeated messages, a third by each channel, each customer with four."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors
        self.made = 0

    def requests(self, count: int) -> list[bytes]:
        """Signed now: Slack's signatures do not keep."""
        numbers = range(self.made, self.made + count)
        self.made += count
        return [
            self._doors.request(_WAYS[number % len(_WAYS)], number, Sender.numbered(number // (4 * len(_WAYS))))
            for number in numbers
        ]


@asynccontextmanager
async def _bare(url: str) -> AsyncIterator[int]:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(TABLE)
    port = free_port()
    process = subprocess.Popen(  # noqa: ASYNC220 - starting it takes a millisecond
        [sys.executable, "-m", "benchmarks.bare_hook", str(port)], cwd=ROOT
    )
    try:
        await until(lambda: is_open(port), "the bare web server listens")
        yield port
    finally:
        process.terminate()
        process.wait(10)


async def measure(stage: Stage, *, repeats: int, quick: bool, scale: float) -> Report:
    count = max(CONNECTIONS, int(3000 * scale))
    async with stage.house() as house, _bare(house.environment["DATABASE_URL"]) as bare_port:
        house.environment["AUTOCRM_PUBLIC_URL"] = house.url
        mix = _Mix(await open_doors(house.url, ACCOUNTS))
        house.start("api")
        await house.until_open(house.port, "api")
        warm = mix.requests(min(count, 200))
        await pour(house.port, warm, CONNECTIONS)
        await pour(bare_port, warm, CONNECTIONS)
        stored_bare = len(warm)

        async def ours() -> float:
            requests = mix.requests(count)
            return count / (await pour(house.port, requests, CONNECTIONS))[0]

        async def bare() -> float:
            nonlocal stored_bare
            requests = mix.requests(count)
            mix.made -= count  # the bare one has seen them, ours has not
            stored_bare += count
            return count / (await pour(bare_port, requests, CONNECTIONS))[0]

        found = await side_by_side(repeats, ours, bare)
        p99: dict[int, list[float]] = {CALM: [], STRAINED: []}
        p50: dict[int, list[float]] = {CALM: [], STRAINED: []}
        for connections in (CALM, STRAINED):
            for _ in range(repeats):
                _whole, took = await pour(house.port, mix.requests(max(connections, count // 2)), connections)
                p99[connections].append(1000 * percentile(took, 0.99))
                p50[connections].append(1000 * median(took))
        async with transaction() as session:
            stored = await session.scalar(sa.select(sa.func.count()).select_from(Raw))
            kept = await session.scalar(sa.text("SELECT count(*) FROM bare_hooks"))
        if (stored, kept) != (mix.made, stored_bare):
            raise RuntimeError(
                f"{mix.made} webhooks were acknowledged and {stored} stored; bare: {stored_bare}, {kept}"
            )
    figures = found.figures("webhooks", goal=0.40, bare="FastAPI and psycopg, one INSERT")
    figures += [
        median_of("p99 at 4 connections", p99[CALM], "ms", goal=10, at_least=False),
        median_of("p50 at 4 connections", p50[CALM], "ms"),
        median_of("p99 at 64 connections", p99[STRAINED], "ms", goal=1000, at_least=False),
        median_of("p50 at 64 connections", p50[STRAINED], "ms"),
    ]
    return Report(
        "webhook-commit",
        "B2 webhook-commit: signed Slack, Twilio and Telegram, 32 connections, acknowledged after the commit",
        figures,
        repeats,
        {"webhooks": count, "connections": CONNECTIONS},
        quick,
        {"acknowledged": mix.made, "stored": int(stored or 0)},
    )
