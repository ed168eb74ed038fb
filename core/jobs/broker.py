"""Dramatiq as the doorbell: one actor per lane whose only message is "look at the jobs table"."""

from __future__ import annotations

from functools import cache
from typing import Any

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import AsyncIO, CurrentMessage, ShutdownNotifications

from core.jobs.models import Lane
from core.settings import settings


def broker() -> RedisBroker:
    """The broker that the settings name, with the lanes' actors declared; one per process and server."""
    secret = settings().redis_url
    if secret is None:
        raise RuntimeError("REDIS_URL is not set: start through `autocrm run`, or set it")
    return _broker(secret.get_secret_value(), settings().redis_namespace)


@cache
def _broker(url: str, namespace: str) -> RedisBroker:
    made = RedisBroker(  # type: ignore[no-untyped-call]
        url=url,
        namespace=f"{namespace}:dramatiq",
        middleware=[AsyncIO(), CurrentMessage(), ShutdownNotifications()],
        socket_connect_timeout=2,
        socket_timeout=5,
        # A wake-up that a killed worker took with it is not worth waiting for: the sweep rings again.
        heartbeat_timeout=10_000,
    )
    dramatiq.set_broker(made)
    for lane in Lane:
        _declare(made, lane)
    return made


def _declare(made: RedisBroker, lane: Lane) -> None:
    async def wake() -> None:
        from core.jobs.worker import drain

        await drain(lane)

    # Without the retry middleware a failed wake-up is not repeated: the job has its own retries, and the sweep rings.
    dramatiq.actor(actor_name=f"wake_{lane.value}", queue_name=lane.value, broker=made)(wake)


def wake_message(lane: Lane) -> dramatiq.Message[Any]:
    return broker().get_actor(f"wake_{lane.value}").message()
