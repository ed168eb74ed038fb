"""How often somebody may try. Counted per process: with several, the limits are that many times as wide."""

from __future__ import annotations

import time
from collections import OrderedDict, deque

from core.errors import TooMany

_TRIES, _WINDOW = 10, 300.0
"""Tries within so many seconds."""
_KEYS_MAX = 10_000
"""Callers remembered; the oldest are forgotten first, so that a flood costs no memory."""

_tries: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()


def allow(what: str, who: str) -> None:
    """Counts a try. Raises TooMany."""
    now = time.monotonic()
    tries = _tries.setdefault((what, who), deque(maxlen=_TRIES))
    _tries.move_to_end((what, who))
    while len(_tries) > _KEYS_MAX:
        _tries.popitem(last=False)
    while tries and now - tries[0] > _WINDOW:
        tries.popleft()
    if len(tries) == _TRIES:
        wait = int(_WINDOW - (now - tries[0])) + 1
        raise TooMany("too_many_tries", f"too many tries; try again in {wait} seconds", seconds=wait)
    tries.append(now)


def forget(what: str, who: str) -> None:
    """After a success: whoever knows the password has made no attempt at guessing it."""
    _tries.pop((what, who), None)
