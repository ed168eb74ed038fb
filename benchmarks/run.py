"""`python -m benchmarks.run`: runs the benchmarks, prints a table each, writes `build/reports/<name>.json`."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

import uvloop
from rich.console import Console

from benchmarks.report import FOLDER, Report, show
from benchmarks.stage import Stage, stage

NAMES = {
    "smtp-durable": "B1",
    "webhook-commit": "B2",
    "ingest": "B3",
    "dispatch": "B4",
    "reply-overhead": "B9",
    "footprint": "B13",
    "phone-turn": "phone",
}
"""Each is a module of this package with `async def measure(stage, *, repeats, quick, scale) -> Report`."""


async def measure(name: str, where: Stage, *, quick: bool, repeats: int | None = None, scale: float = 1.0) -> Report:
    """One benchmark; `scale` multiplies its sizes."""
    module = importlib.import_module(f"benchmarks.{name.replace('-', '_')}")
    found = await module.measure(where, repeats=repeats or (3 if quick else 5), quick=quick, scale=scale)
    assert isinstance(found, Report)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("--only", help="one of " + ", ".join(f"{name} ({code})" for name, code in NAMES.items()))
    parser.add_argument("--quick", action="store_true", help="three repeats of a third of the work")
    parser.add_argument("--repeats", type=int, help="how often each figure is taken; default 5, quick 3")
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies the sizes")
    parser.add_argument("--reports", type=Path, default=FOLDER, help="folder for the reports")
    options = parser.parse_args(arguments)
    wanted = [name for name, code in NAMES.items() if not options.only or options.only.lower() in (name, code.lower())]
    if not wanted:
        wanted = [name for name in NAMES if options.only.lower() in name]
    if not wanted:
        parser.error(f"there is no benchmark called {options.only!r}")
    console = Console()
    scale = options.scale * (1 / 3 if options.quick else 1)
    with stage() as where:
        for name in wanted:
            report = uvloop.run(measure(name, where, quick=options.quick, repeats=options.repeats, scale=scale))
            report.write(options.reports)
            show(report, console)
    return 0


if __name__ == "__main__":
    sys.exit(main())
