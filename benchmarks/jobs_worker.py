"""The house's own worker, with two handlers more: one does nothing, one notes when it started."""

from __future__ import annotations

import json
import os
import time

import app.worker  # noqa: F401 - registers the house's own handlers
from core.jobs.broker import broker as make_broker
from core.jobs.models import Lane
from core.jobs.registry import Run, job

broker = make_broker()
__all__ = ["broker"]


@job("bench.nothing", lane=Lane.INTAKE)
async def nothing(_run: Run) -> None:
    """The row is deleted after it, as after every job."""


@job("bench.note", lane=Lane.DELIVER)
async def note(_run: Run, *, path: str, number: int, at: float) -> None:
    line = json.dumps({"number": number, "at": at, "started": time.time()}) + "\n"
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(handle, line.encode())
    finally:
        os.close(handle)
