"""Ringing a lane, and announcing that the timeline has grown: quick, coalesced, and never a reason for the caller
to wait or fail.

A thread of its own talks to Redis. Rings of a lane that come within a few milliseconds become one. A ring
that cannot be delivered is dropped: the job stands in the database, and the sweep rings for it.
"""

from __future__ import annotations

import logging
import threading
import time

from core.jobs.models import Lane
from core.settings import settings

log = logging.getLogger(__name__)

_QUIET = 0.004
"""Seconds between two rings of one process; what comes meanwhile is rung together."""
_QUIET_MAX = 0.016
"""To which the pause grows while rings keep coming: whoever is rung for is awake already."""


class _Ringer(threading.Thread):
    def __init__(self) -> None:
        super().__init__(name="ringer", daemon=True)
        self._wanted: set[Lane | None] = set()
        self._news = threading.Condition()
        self._failing = False

    def want(self, lane: Lane | None) -> None:
        """A lane to ring, or None for the announcement."""
        with self._news:
            self._wanted.add(lane)
            self._news.notify()

    def run(self) -> None:
        from core.jobs.broker import broker, wake_message

        pause = _QUIET
        while True:
            with self._news:
                pause = min(2 * pause, _QUIET_MAX) if self._wanted else _QUIET
                while not self._wanted:
                    self._news.wait()
                lanes, self._wanted = self._wanted, set()
            for lane in lanes:
                try:
                    if lane is None:
                        broker().client.publish(announcements(), b"")
                    else:
                        broker().enqueue(wake_message(lane))
                    self._failing = False
                except Exception as error:  # whatever Redis does, the committed job is safe
                    if not self._failing:
                        log.warning("cannot ring lane %s (%s); the sweep will", lane, type(error).__name__)
                    self._failing = True
            time.sleep(pause)


_lock = threading.Lock()
_ringer: _Ringer | None = None


def _running() -> _Ringer:
    global _ringer  # noqa: PLW0603 - one ringer per process, started by the first ring
    with _lock:
        if _ringer is None or not _ringer.is_alive():
            _ringer = _Ringer()
            _ringer.start()
        return _ringer


def ring(lane: Lane) -> None:
    """Wakes a worker of `lane`, soon. Returns at once."""
    _running().want(lane)


def announce() -> None:
    """Tells every process that live clients watch that there are new events. Returns at once."""
    _running().want(None)


def announcements() -> str:
    """The pub/sub channel of the announcements. They carry nothing: who hears one reads the timeline."""
    return f"{settings().redis_namespace}:events"
