"""The job of a delivery: one at a time, however many want it woken."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from core.jobs.models import Lane
from core.jobs.queue import enqueue

_TRIES = 20
"""Attempts before a message counts as failed: with backoff, more than an hour."""


async def enqueue_delivery(
    session: AsyncSession, delivery_id: UUID, account_id: UUID, *, correlation_id: UUID | None = None
) -> None:
    """Wakes a delivery. Does nothing while a job of it waits or runs: two would each take the other for dead."""
    await enqueue(
        session,
        "deliver.send",
        {"delivery_id": str(delivery_id)},
        lane=Lane.DELIVER,
        fair_key=str(account_id),
        unique_key=f"deliver.send:{delivery_id}",
        correlation_id=correlation_id,
        max_attempts=_TRIES,
    )
