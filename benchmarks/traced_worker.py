"""The worker, telling when each job began and ended and how long the listener took: `python -m benchmarks.traced_worker FILE`.

The same process as `autocrm worker`; only these two calls are wrapped. Each line of the file is a JSON object with
`name`, `begun` and `ended` in seconds of the system's clock.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from typing import Any

from ai.speech.engine import Engine, Progress
from core.jobs.worker import Attempt, LaneRunner


def trace(path: str) -> None:
    out = open(path, "a", buffering=1, encoding="utf-8")  # noqa: SIM115 - as long as the process
    run, transcribe = LaneRunner._run, Engine.transcribe

    def tell(name: str, begun: float) -> None:
        out.write(json.dumps({"name": name, "begun": begun, "ended": time.time()}) + "\n")

    async def traced_run(self: LaneRunner, attempt: Attempt) -> None:
        begun = time.time()
        try:
            await run(self, attempt)
        finally:
            tell(attempt.name, begun)

    async def traced_transcribe(
        self: Engine, content: bytes, candidates: Sequence[str], progress: Progress | None = None
    ) -> dict[str, Any]:
        begun = time.time()
        try:
            return await transcribe(self, content, candidates, progress)
        finally:
            tell("listener", begun)

    LaneRunner._run = traced_run  # type: ignore[method-assign]
    Engine.transcribe = traced_transcribe  # type: ignore[method-assign]


if __name__ == "__main__":
    trace(sys.argv[1])
    from app.worker import run

    run()
