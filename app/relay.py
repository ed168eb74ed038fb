"""The relay: what an installation needs once. The sweep for due jobs, and the local sentence vectors."""

from __future__ import annotations

import asyncio

from ai.providers.vector_server import VectorServer
from core.jobs.sweep import sweep_forever


async def relay() -> None:
    """Runs until cancelled."""
    async with asyncio.TaskGroup() as group:
        group.create_task(sweep_forever(), name="sweep")
        group.create_task(VectorServer().serve(), name="vectors")
