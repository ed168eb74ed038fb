"""The Dramatiq worker: `dramatiq app.worker`. Its actors are doorbells; the work stands in the database."""

from __future__ import annotations

import asyncio
import logging
import signal
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

configure_logging("worker")
log = logging.getLogger(__name__)


class GiveBack(dramatiq.Middleware):
    """At shutdown, lets running jobs end and gives the rest back before the event loop stops."""

    def after_process_boot(self, broker: dramatiq.Broker) -> None:
        # A worker whose master was killed must not go on unseen.
        arm = die_with_parent(signal.SIGTERM)
        if arm is not None:
            arm()

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


broker = make_broker()
broker.add_middleware(GiveBack())
