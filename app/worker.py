"""The Dramatiq worker. Its actors are doorbells; the work stands in the database."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from typing import Any

import dramatiq
from dramatiq.asyncio import get_event_loop_thread

import app.handlers  # noqa: F401 - registers the handlers
from ai.speech.engine import engine
from app.embedded import die_with_parent
from app.logs import configure_logging
from core.db import dispose
from core.intake import parsing
from core.jobs.broker import broker as make_broker
from core.jobs.worker import shutdown
from core.settings import settings

log = logging.getLogger(__name__)

_UNHEARD = int(os.environ.get("dramatiq_worker_timeout", "15"))  # noqa: SIM112 - its own name
"""Milliseconds that a ring may go unheard at most; 15 cost a twentieth of a core when idle."""
_PATIENCE = 10_000
"""Milliseconds that running actors have at shutdown."""


class GiveBack(dramatiq.Middleware):
    """At shutdown, lets running jobs end and gives the rest back before the event loop stops."""

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: Any) -> None:
        thread = get_event_loop_thread()
        if thread is None:
            return

        async def close() -> None:
            await shutdown()
            await engine().aclose()
            await dispose()

        asyncio.run_coroutine_threadsafe(close(), thread.loop).result(timeout=15)
        parsing.close()


def run() -> None:
    """Until SIGTERM or SIGINT; a second one ends at once."""
    configure_logging("worker")
    arm = die_with_parent(signal.SIGTERM)
    if arm is not None:
        # A worker whose supervisor was killed must not go on unseen.
        arm()
    stop = threading.Event()

    def end(*_signal: object) -> None:
        if stop.is_set():
            os._exit(1)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    broker = make_broker()
    broker.add_middleware(GiveBack())
    broker.emit_after("process_boot")
    worker = dramatiq.Worker(broker, worker_threads=settings().worker_threads, worker_timeout=_UNHEARD)
    worker.start()
    stop.wait()
    worker.stop(timeout=_PATIENCE)
    broker.close()
