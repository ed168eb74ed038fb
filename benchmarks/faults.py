"""Fault campaigns: messages through a house whose parts keep being killed, judged by the provider's own ledger.

`python -m benchmarks.faults --only R1 --quick`. The seed is printed; the same seed kills the same parts in the same
order. Everything stays on loopback, is bounded in count and time, and stops by itself.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import aiosmtplib
import psycopg

from app.embedded import Postgres, Valkey
from channels.email.fake import CustomerMailbox, FakeMailProvider
from tests.house import ROOT, House

SUPPORT = "help@fernweh.example"
REPORTS = ROOT / "build" / "reports"


@dataclass
class Outcome:
    """What a campaign found. Anything but zero under `lost`, `duplicated` or `disordered` is a failure."""

    name: str
    seed: int
    messages: int
    faults: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    lost: int = 0
    duplicated: int = 0
    disordered: int = 0
    unaccounted: int = 0
    """Raws that ended in none of the four states."""
    in_doubt: int = 0
    dead_jobs: int = 0

    @property
    def good(self) -> bool:
        return not (self.lost or self.duplicated or self.disordered or self.unaccounted or self.dead_jobs)


class Bench:
    """An installation of its own in a temporary folder."""

    def __init__(self, seed: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="autocrm-faults-"))
        self.folder.chmod(0o755)
        self.random = random.Random(seed)
        self.postgres = Postgres(self.folder / "data")
        self.valkey = Valkey(self.folder / "data")
        self.provider = FakeMailProvider(self.folder / "ledger.jsonl")
        self.house: House | None = None
        self.url = ""
        self.faults: Counter[str] = Counter()

    async def __aenter__(self) -> Bench:
        self.url, redis_url = self.postgres.start(), self.valkey.start()
        environment = {
            "DATABASE_URL": self.url,
            "REDIS_URL": redis_url,
            "AUTOCRM_DATA": str(self.folder / "data"),
            "AUTOCRM_JOB_LEASE": "3",
        }
        os.environ.update(environment)
        from ai.embedding import embed_missing
        from ai.providers.vectors import LocalEmbedder
        from core.accounts.service import connect
        from core.db import dispose, transaction
        from core.knowledge.importing import import_folder
        from core.migrate import migrate
        from core.settings import settings

        settings.cache_clear()
        migrate(self.url)
        async for _progress in import_folder(ROOT / "app/demo/help_centre"):
            pass
        await embed_missing(LocalEmbedder())
        await self.provider.start()
        async with transaction() as session:
            await connect(
                session,
                "email",
                "Support",
                {
                    "address": SUPPORT,
                    "smtp_host": self.provider.host,
                    "smtp_port": self.provider.port,
                    "smtp_security": "none",
                },
            )
        await dispose()
        self.house = House(environment, self.folder)
        for part in ("gateway", "worker"):
            self.house.start(part)
        await self.house.until_open(self.house.smtp_port, "gateway")
        return self

    async def __aexit__(self, *_error: object) -> None:
        if self.house is not None:
            self.house.stop()
        await self.provider.stop()
        self.valkey.stop()
        self.postgres.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    # ------------------------------------------------------------------------------------------------------- faults

    async def kill_part(self, name: str) -> None:
        assert self.house is not None
        if name in self.house.processes:
            self.house.kill(name)
        self.faults[f"kill {name}"] += 1
        await asyncio.sleep(self.random.uniform(0, 0.5))
        self.house.start(name)

    async def crash_postgres(self) -> None:
        self.postgres.kill()
        self.faults["crash PostgreSQL"] += 1
        await asyncio.sleep(self.random.uniform(0, 0.5))
        await asyncio.to_thread(self.postgres.start)

    async def restart_valkey(self) -> None:
        self.valkey.kill()
        self.faults["crash Valkey"] += 1
        await asyncio.sleep(self.random.uniform(0, 2))
        await asyncio.to_thread(self.valkey.start)

    async def flush_valkey(self) -> None:
        import redis.asyncio as aioredis

        client = aioredis.Redis.from_url(os.environ["REDIS_URL"])
        await client.flushall()
        await client.aclose()
        self.faults["FLUSHALL"] += 1

    async def stop_valkey(self, seconds: float) -> None:
        assert self.valkey.process is not None
        self.valkey.process.send_signal(signal.SIGSTOP)
        self.faults[f"Valkey silent {seconds:.0f} s"] += 1
        await asyncio.sleep(seconds)
        self.valkey.process.send_signal(signal.SIGCONT)

    # ----------------------------------------------------------------------------------------------------- messages

    async def write(self, number: int, deadline: float) -> None:
        """One customer's mail, offered again with the same bytes until it is accepted, as a mail server would."""
        assert self.house is not None
        customer = CustomerMailbox(f"c{number}@customer.example", f"Customer {number}")
        mail = customer.compose(SUPPORT, "Return", "How do I return a tent?")
        while True:
            try:
                await asyncio.wait_for(customer.write("127.0.0.1", self.house.smtp_port, mail), 10)
                return
            except (OSError, TimeoutError, aiosmtplib.SMTPException):
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.2)

    async def settled(self, seconds: float) -> bool:
        """Whether every job ends in time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                with psycopg.connect(self.url, autocommit=True) as connection:
                    row = connection.execute("SELECT count(*) FROM jobs WHERE state = 'ready'").fetchone()
                    if row is not None and row[0] == 0:
                        return True
            except psycopg.Error:
                pass  # it is being started again
            await asyncio.sleep(0.2)
        return False

    def judge(self, outcome: Outcome) -> None:
        """Counts what the provider delivered against what customers wrote."""
        by_customer: dict[str, set[str]] = {}
        for mail in self.provider.delivered():
            by_customer.setdefault(mail.rcpt_to[0].lower(), set()).add(mail.message_id)
        written = {f"c{number}@customer.example" for number in range(outcome.messages)}
        outcome.lost = len(written - by_customer.keys())
        outcome.duplicated = sum(len(ids) - 1 for ids in by_customer.values())
        with psycopg.connect(self.url, autocommit=True) as connection:
            states = dict(connection.execute("SELECT state, count(*) FROM raws GROUP BY state").fetchall())
            outcome.unaccounted = states.get("received", 0)
            outcome.lost += max(0, outcome.messages - sum(states.values()))
            counts = connection.execute(
                "SELECT (SELECT count(*) FROM deliveries WHERE state = 'held'), (SELECT count(*) FROM jobs WHERE state = 'dead'), "
                "(SELECT count(*) FROM (SELECT ticket_id FROM ticket_events GROUP BY ticket_id "
                " HAVING max(seq) <> count(*)) AS gaps)"
            ).fetchone()
            assert counts is not None
            outcome.in_doubt, outcome.dead_jobs, outcome.disordered = counts
        outcome.faults = dict(self.faults)


Fault = Callable[[], Awaitable[None]]


async def _through(
    name: str, seed: int, messages: int, faults: int, choose: Callable[[Bench], list[Fault]], pause: float
) -> Outcome:
    """Writes `messages` mails while `faults` faults strike, then waits until all is quiet and judges."""
    outcome = Outcome(name, seed, messages)
    begun = time.monotonic()
    async with Bench(seed) as bench:
        deadline = time.monotonic() + 600 + messages

        async def strike() -> None:
            choices = choose(bench)
            for _ in range(faults):
                await asyncio.sleep(bench.random.uniform(0.2, 1.0) * pause)
                await bench.random.choice(choices)()

        gate = asyncio.Semaphore(8)

        async def write(number: int) -> None:
            async with gate:
                await bench.write(number, deadline)

        striking = asyncio.create_task(strike())
        await asyncio.gather(*(write(number) for number in range(messages)))
        await striking
        if not await bench.settled(120 + messages / 10):
            print(f"{name}: jobs are still waiting", file=sys.stderr)
        bench.judge(outcome)
    outcome.seconds = round(time.monotonic() - begun, 1)
    return outcome


async def r1(seed: int, quick: bool) -> Outcome:
    """Random kills of every part."""

    def choose(bench: Bench) -> list[Fault]:
        return [
            lambda: bench.kill_part("worker"),
            lambda: bench.kill_part("worker"),
            lambda: bench.kill_part("gateway"),
            bench.crash_postgres,
            bench.restart_valkey,
        ]

    return await _through("R1 random kills", seed, 60 if quick else 10_000, 8 if quick else 200, choose, 2.0)


async def r3(seed: int, quick: bool) -> Outcome:
    """Redis gone: restarts, flushes, silence."""

    def choose(bench: Bench) -> list[Fault]:
        return [bench.restart_valkey, bench.flush_valkey, lambda: bench.stop_valkey(3 if quick else 30)]

    return await _through("R3 Redis gone", seed, 40 if quick else 2_000, 6 if quick else 70, choose, 1.5)


async def r4(seed: int, quick: bool) -> Outcome:
    """PostgreSQL crashes."""

    def choose(bench: Bench) -> list[Fault]:
        return [bench.crash_postgres]

    return await _through("R4 PostgreSQL crashes", seed, 40 if quick else 2_000, 4 if quick else 50, choose, 2.5)


CAMPAIGNS = {"R1": r1, "R3": r3, "R4": r4}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=sorted(CAMPAIGNS))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seed", type=int, default=20261121)
    given = parser.parse_args()
    REPORTS.mkdir(parents=True, exist_ok=True)
    good = True
    print(
        f"{'campaign':24} {'messages':>8} {'faults':>6} {'lost':>5} {'twice':>5} {'gaps':>5} {'doubt':>5} {'dead':>5} {'seconds':>8}"
    )
    for name, campaign in CAMPAIGNS.items():
        if given.only not in (None, name):
            continue
        outcome = asyncio.run(campaign(given.seed, given.quick))
        good &= outcome.good
        report = {
            **asdict(outcome),
            "machine": platform.platform(),
            "cpus": os.cpu_count(),
            "python": platform.python_version(),
        }
        (REPORTS / f"{name}.json").write_text(json.dumps(report, indent=1))
        print(
            f"{outcome.name:24} {outcome.messages:8} {sum(outcome.faults.values()):6} {outcome.lost:5} "
            f"{outcome.duplicated:5} {outcome.disordered:5} {outcome.in_doubt:5} {outcome.dead_jobs:5} {outcome.seconds:8}"
            f"  seed {outcome.seed}"
        )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
