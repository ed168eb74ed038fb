"""Fault campaigns: messages through a house whose parts keep being killed, judged by the providers' own ledgers.

`python -m benchmarks.faults --only R1 --quick`. The seed is printed; the same seed kills the same parts in the same
order. Everything stays on loopback, is bounded in count and time, and stops by itself.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from pathlib import Path

from benchmarks.campaign import LABS, MAIL, Bench, Outcome
from benchmarks.lost_replies import r6
from benchmarks.repeated_webhooks import r5
from channels.lab import Lab
from tests.house import ROOT

REPORTS = ROOT / "build" / "reports"
Fault = Callable[[], Awaitable[None]]


async def _through(
    outcome: Outcome,
    faults: int,
    choose: Callable[[Bench], list[Fault]],
    pause: float,
    labs: Mapping[str, Callable[[Path], Lab]] | None = None,
) -> Outcome:
    """Writes the messages, by each channel in turn, while `faults` faults strike, waits until all is quiet, and judges."""
    begun = time.monotonic()
    async with Bench(outcome.seed, labs) as bench:
        deadline = time.monotonic() + 600 + outcome.messages
        channels = [MAIL, *bench.labs]

        async def strike() -> None:
            choices = choose(bench)
            for _ in range(faults):
                await asyncio.sleep(bench.random.uniform(0.2, 1.0) * pause)
                await bench.random.choice(choices)()

        gate = asyncio.Semaphore(8)
        striking = asyncio.create_task(strike())

        async def write(number: int) -> None:
            # Spread over the time in which faults strike: what comes when all is well tells nothing.
            if bench.labs:
                await asyncio.sleep(number / outcome.messages * faults * pause * 0.6)
            async with gate:
                await bench.write(channels[number % len(channels)], number, deadline)

        await asyncio.gather(*(write(number) for number in range(outcome.messages)))
        await striking
        if bench.labs:
            # A text that no webhook could deliver is asked for by whoever listens next.
            await bench.house.until_open(bench.house.port, "api")
            await bench.kill_part("gateway")
        if not await bench.until_heard(120 + outcome.messages / 10):
            print(f"{outcome.name}: not everything written has come in", file=sys.stderr)
        if not await bench.settled(120 + outcome.messages / 10):
            print(f"{outcome.name}: jobs are still waiting", file=sys.stderr)
        bench.judge(outcome)
    outcome.seconds = round(time.monotonic() - begun, 1)
    return outcome


async def r1(seed: int, quick: bool) -> Outcome:
    """Random kills of every part, messages by every channel."""

    def choose(bench: Bench) -> list[Fault]:
        return [
            lambda: bench.kill_part("worker"),
            lambda: bench.kill_part("worker"),
            lambda: bench.kill_part("gateway"),
            lambda: bench.kill_part("api"),
            bench.crash_postgres,
            bench.restart_valkey,
        ]

    outcome = Outcome("R1 random kills", seed, 120 if quick else 10_000)
    return await _through(outcome, 16 if quick else 200, choose, 4.0, LABS)


async def r3(seed: int, quick: bool) -> Outcome:
    """Redis gone: restarts, flushes, silence."""

    def choose(bench: Bench) -> list[Fault]:
        return [bench.restart_valkey, bench.flush_valkey, lambda: bench.stop_valkey(3 if quick else 30)]

    return await _through(Outcome("R3 Redis gone", seed, 40 if quick else 2_000), 6 if quick else 70, choose, 1.5)


async def r4(seed: int, quick: bool) -> Outcome:
    """PostgreSQL crashes."""

    def choose(bench: Bench) -> list[Fault]:
        return [bench.crash_postgres]

    outcome = Outcome("R4 PostgreSQL crashes", seed, 40 if quick else 2_000)
    return await _through(outcome, 4 if quick else 50, choose, 2.5)


CAMPAIGNS = {"R1": r1, "R3": r3, "R4": r4, "R5": r5, "R6": r6}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=sorted(CAMPAIGNS))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seed", type=int, default=20261121)
    given = parser.parse_args()
    REPORTS.mkdir(parents=True, exist_ok=True)
    good = True
    print(
        f"{'campaign':28} {'messages':>8} {'faults':>6} {'lost':>5} {'twice':>5} {'gaps':>5} {'doubt':>5} {'held':>5} "
        f"{'dead':>5} {'seconds':>8}"
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
            f"{outcome.name:28} {outcome.messages:8} {sum(outcome.faults.values()):6} {outcome.lost:5} "
            f"{outcome.duplicated:5} {outcome.disordered:5} {outcome.in_doubt:5} {outcome.held:5} {outcome.dead_jobs:5} "
            f"{outcome.seconds:8}  seed {outcome.seed}"
        )
        for part, counts in {**outcome.by_channel, "": outcome.details}.items():
            if counts:
                print(f"  {part:12} " + ", ".join(f"{what} {count}" for what, count in counts.items()))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
