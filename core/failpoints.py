"""Named places where a test can make the process fail.

`AUTOCRM_FAILPOINTS="deliver.before_send=kill,intake.parsed=sleep:2"`; honoured in demo mode only. With
`name=kill@3` the third passage counts. Each name stands in `NAMES`, so that a campaign can walk them all.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from functools import cache

from core.settings import settings

NAMES = (
    "intake.before_commit",
    "intake.after_commit",
    "intake.parsed",
    "intake.ingested",
    "ai.claimed",
    "ai.composed",
    "ai.replied",
    "deliver.claimed",
    "deliver.before_send",
    "deliver.accepted",
    "deliver.marked",
)

_passed: Counter[str] = Counter()


class FailpointError(RuntimeError):
    """Raised by a failpoint set to `raise`."""


@cache
def _armed() -> dict[str, tuple[str, int]]:
    if not settings().demo:
        return {}
    armed = {}
    for pair in filter(None, settings().failpoints.split(",")):
        name, _, action = pair.partition("=")
        action, _, nth = action.partition("@")
        if name not in NAMES:
            raise ValueError(f"no failpoint is called {name!r}")
        armed[name] = (action, int(nth or 1))
    return armed


async def failpoint(name: str) -> None:
    """Does nothing, unless a test armed it."""
    armed = _armed().get(name)
    if armed is None:
        return
    action, nth = armed
    _passed[name] += 1
    if _passed[name] != nth:
        return
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif action == "raise":
        raise FailpointError(name)
    elif action.startswith("sleep:"):
        await asyncio.sleep(float(action.removeprefix("sleep:")))
    else:
        raise ValueError(f"failpoint {name!r}: unknown action {action!r}")
