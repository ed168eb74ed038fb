"""Each benchmark's code path, on a handful of items: it runs, and its report says what a report must say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.run import NAMES, measure
from benchmarks.stage import Stage, stage
from tests.speech import speech_model

SCALE = {
    "smtp-durable": 0.004, "webhook-commit": 0.012, "ingest": 0.006, "dispatch": 0.01, "reply-overhead": 0.05,
    "footprint": 0.05, "phone-turn": 0.03,
}  # fmt: skip
FIELDS = {"name", "title", "at", "quick", "seed", "repeats", "sizes", "figures", "details", "versions", "machine"}


@pytest.fixture(scope="module")
def where() -> Iterator[Stage]:
    with stage() as made:
        yield made


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", NAMES)
async def test_a_benchmark_runs_and_reports(where: Stage, name: str, tmp_path: Path) -> None:
    if name == "phone-turn":
        speech_model()  # skips where it cannot be had
    report = await measure(name, where, quick=True, repeats=1, scale=SCALE[name])
    written = json.loads(report.write(tmp_path).read_text())
    assert set(written) == FIELDS
    assert written["name"] == name
    assert any(figure["goal"] is not None for figure in written["figures"])
    for figure in written["figures"]:
        # What overlaps (a job that begins before the acknowledgement is out) may be nothing or less.
        assert figure["value"] > 0 or "→" in figure["name"], figure["name"]
        assert figure["unit"]
        assert figure["met"] in (True, False) if figure["goal"] is not None else figure["met"] is None
    assert written["machine"]["cores"] >= 1
    assert written["versions"]["python"]
