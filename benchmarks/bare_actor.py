"""The bare component of B4: Dramatiq with its Redis broker and default middleware, and an actor that only counts."""

from __future__ import annotations

import os

import dramatiq
from dramatiq.brokers.redis import RedisBroker

broker = RedisBroker(url=os.environ["REDIS_URL"], namespace=f"{os.environ['AUTOCRM_REDIS_NAMESPACE']}:bare")
dramatiq.set_broker(broker)


@dramatiq.actor(queue_name="bench", broker=broker)
def nothing() -> None:
    """Counted, so that the end is known."""
    broker.client.incr(f"{broker.namespace}:done")
