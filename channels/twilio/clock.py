"""Time as calls live through it: real, compressed, or moved by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol


class Clock(Protocol):
    """What pauses, silences and ringing wait on."""

    async def sleep(self, seconds: float) -> None: ...


class RealClock:
    """Seconds are seconds, times `scale`: 0.1 makes a call ten times as quick."""

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds * self.scale)


class HandClock:
    """Time stands still until `advance`, so that a test never depends on how fast the machine is."""

    def __init__(self, settled: Callable[[], Awaitable[None]] | None = None) -> None:
        self.now = 0.0
        self.settled = settled
        """Waits until nothing that lives by this clock has anything left to do at this moment."""
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    async def sleep(self, seconds: float) -> None:
        self._count += 1
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (self.now + seconds, self._count, woken)
        self._sleepers.append(entry)
        try:
            await woken
        finally:
            self._sleepers.remove(entry)

    async def advance(self, seconds: float) -> None:
        """Lets that much time pass, one event after the other, each with all that follows from it."""
        end = self.now + seconds
        while True:
            await self._settle()
            due = min((one for one in self._sleepers if one[0] <= end and not one[2].done()), default=None)
            if due is None:
                break
            self.now = due[0]
            due[2].set_result(None)
            # The sleeper goes on, and says that it is busy, before anything is waited for.
            while due in self._sleepers:  # noqa: ASYNC110 - a turn or two of the loop
                await asyncio.sleep(0)
        self.now = end

    async def _settle(self) -> None:
        if self.settled is not None:
            await self.settled()
