"""Handlers by name. `core` starts work of other floors by name, so it never imports them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from core.jobs.models import Lane


class Again(Exception):
    """Raised by a handler: run me again, not before `after` seconds. Counts as an attempt unless `free`."""

    def __init__(self, after: float, reason: str = "", *, free: bool = False) -> None:
        super().__init__(reason or f"again in {after} s")
        self.after = after
        self.free = free


class LostLease(Exception):
    """Somebody else has taken the job over; whatever this attempt did is rolled back."""


class Run(Protocol):
    """One attempt at one job, as its handler sees it."""

    id: UUID
    name: str
    attempt: int
    """1 for the first. Attempts whose process died count."""
    max_attempts: int
    correlation_id: UUID | None

    def transaction(self, *, finish: bool = False) -> AbstractAsyncContextManager[AsyncSession]:
        """One transaction. With `finish` the job is done when it commits, exactly once: raises LostLease otherwise."""
        ...

    async def finish(self, session: AsyncSession) -> None:
        """As `transaction(finish=True)`, for a handler that learns within a transaction that nothing is left to do."""
        ...


Handler = Callable[..., Awaitable[None]]
H = TypeVar("H", bound=Handler)


@dataclass(frozen=True, slots=True)
class Registered:
    name: str
    lane: Lane
    handler: Handler


_handlers: dict[str, Registered] = {}


def job(name: str, *, lane: Lane) -> Callable[[H], H]:
    """Registers a handler: `async def handler(run: Run, **args)`. It must be idempotent: it runs at least once."""

    def register(handler: H) -> H:
        if name in _handlers and _handlers[name].handler is not handler:
            raise ValueError(f"two handlers are called {name!r}")
        _handlers[name] = Registered(name, lane, handler)
        return handler

    return register


def handler(name: str) -> Registered | None:
    return _handlers.get(name)


def registered() -> dict[str, Any]:
    return dict(_handlers)
