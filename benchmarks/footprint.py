"""B13: memory of everything that runs when idle (sum of PSS), and the seconds to the ready screen, cold and warm."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from app.embedded import free_port
from benchmarks.report import Figure, Report, median_of
from benchmarks.stage import ROOT, Stage, bytecode

_PSS = "Pss:"


def _tree(pid: int) -> list[int]:
    found = [pid]
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += _tree(int(child))
    except (FileNotFoundError, ProcessLookupError):
        return []
    return found


def _memory(pid: int) -> float:
    """Megabytes, shared pages counted in parts (`/proc/PID/smaps_rollup`)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(_PSS)) / 1024


def _part(pid: int) -> str:
    command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    title = Path(f"/proc/{pid}/comm").read_text().strip()
    for mark, name in (
        ("valkey-server", "Valkey"), ("app.cli api", "api"), ("app.cli gateway", "gateway"),
        ("dramatiq", "worker"), ("app.cli worker", "worker"), ("app.cli run", "supervisor"),
    ):  # fmt: skip
        if mark in command:
            return name
    return "PostgreSQL" if title.startswith("postgres") or "postgres" in command else title


def _start(data: Path, log: Path) -> tuple[subprocess.Popen[bytes], float]:
    """A running house, and the seconds until its screen said that it is ready."""
    environment = {
        **os.environ, "AUTOCRM_DATA": str(data), "AUTOCRM_PORT": str(free_port()), "AUTOCRM_MODE": "demo",
        "AUTOCRM_SMTP_PORT": str(free_port()), "PYTHONPYCACHEPREFIX": bytecode(), "COLUMNS": "100",
    }  # fmt: skip
    for name in ("DATABASE_URL", "REDIS_URL", "PYTHONDONTWRITEBYTECODE"):
        environment.pop(name, None)
    begun = time.perf_counter()
    with log.open("ab") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "run"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=errors
        )
    assert process.stdout is not None
    for line in process.stdout:
        if b"ready" in line:
            return process, time.perf_counter() - begun
    raise RuntimeError(f"the house did not start: {log.read_text()[-500:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(40)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    assert process.stdout is not None
    process.stdout.close()


async def measure(stage: Stage, *, repeats: int, quick: bool, scale: float) -> Report:
    return await asyncio.to_thread(_measure, stage.folder / "footprint", repeats, quick, scale)


def _measure(folder: Path, repeats: int, quick: bool, scale: float) -> Report:
    folder.mkdir(mode=0o755, exist_ok=True)
    quiet = max(1.0, 12 * min(1.0, scale * 3))
    cold, warm, totals = [], [], []
    parts: dict[str, list[float]] = {}
    for number in range(max(1, repeats // 2)):
        data = folder / f"cold-{number}"
        process, seconds = _start(data, folder / "run.log")
        cold.append(seconds)
        _stop(process)
    for _repeat in range(repeats):
        process, seconds = _start(data, folder / "run.log")
        try:
            warm.append(seconds)
            time.sleep(quiet)  # the vectors load after the screen; idle is what is left then
            sums: dict[str, float] = {}
            for pid in _tree(process.pid):
                sums[_part(pid)] = sums.get(_part(pid), 0.0) + _memory(pid)
        finally:
            _stop(process)
        totals.append(sum(sums.values()))
        for name, megabytes in sums.items():
            parts.setdefault(name, []).append(megabytes)
    shutil.rmtree(folder, ignore_errors=True)
    figures: list[Figure] = [
        median_of("memory of everything, idle", totals, "MB", goal=512, at_least=False),
        *(median_of(f"  {name}", values, "MB") for name, values in sorted(parts.items())),
        median_of("warm start", warm, "s", goal=3.0, at_least=False),
        median_of("cold start, packages installed", cold, "s", note="database made, migrated, demo seeded"),
    ]
    return Report(
        "footprint",
        "B13 footprint: everything in one `autocrm run`",
        figures,
        repeats,
        {"quiet_seconds": int(quiet)},
        quick,
    )
