"""Live events: every process reads the timeline from the database and tells its own clients.

An announcement over Redis says only "look"; without Redis a look happens every second anyway. Ids of events are
given before their transactions commit, so a later id may be seen first: each look goes a little way back, and what
was sent already is left out.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

import redis.asyncio as aioredis
import sqlalchemy as sa
from redis.exceptions import RedisError

from core.db import transaction
from core.jobs.ring import announcements
from core.settings import settings
from core.tickets.models import Direction, Message, Ticket, TicketEvent

log = logging.getLogger(__name__)

_LOOK_EVERY = 1.0
"""Seconds between two looks when nobody announces anything."""
_OVERLAP = 500
"""How many ids a look goes back, for transactions that committed late."""
_QUEUE = 1000
"""Events that a slow client may have waiting before it is told to come again."""


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """An event with what is needed to decide who may see it."""

    event: TicketEvent
    contact_id: UUID
    team_id: UUID | None
    assignee_id: UUID | None
    inside_only: bool
    """Whether it is about a note or a draft."""


@dataclass(frozen=True, slots=True)
class Fleeting:
    """Something that is true for a moment and stored nowhere: somebody is typing. May be lost."""

    conversation: str
    ticket_id: UUID | None
    contact_id: UUID | None
    team_id: UUID | None
    assignee_id: UUID | None
    payload: dict[str, Any]
    """`{"type": "typing", "active": bool, "name": str, "from": "visitor" | "agent" | "ai"}`"""
    inside_only: bool = False


Item = LiveEvent | Fleeting | None
Queue = asyncio.Queue[Item]


class Feed:
    """The timeline as it grows, for all clients of this process."""

    def __init__(self) -> None:
        self._clients: set[Queue] = set()
        self._redis: aioredis.Redis | None = None
        self._sent: OrderedDict[int, None] = OrderedDict()
        self._newest = 0
        self._task: asyncio.Task[None] | None = None
        self._look = asyncio.Event()

    async def start(self) -> None:
        self._sent.clear()
        self._look = asyncio.Event()
        self._newest = await newest_event()
        self._task = asyncio.create_task(self._run(), name="live-feed")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for client in self._clients:
            client.put_nowait(None)
        if self._redis is not None:
            await self._redis.aclose()
            self._redis = None

    @contextlib.asynccontextmanager
    async def subscribe(self) -> AsyncIterator[Queue]:
        """A queue of what happens from now on; None in it means: reconnect."""
        queue: Queue = asyncio.Queue(_QUEUE)
        self._clients.add(queue)
        try:
            yield queue
        finally:
            self._clients.discard(queue)

    async def _run(self) -> None:
        hearing = asyncio.create_task(self._hear(), name="live-announcements")
        try:
            while True:
                # Not `wait_for`: before Python 3.12 it loses a cancellation that comes together with the event, and
                # the end of the process would wait for this task for ever.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_EVERY):
                        await self._look.wait()
                self._look.clear()
                try:
                    await self._tell()
                except (sa.exc.SQLAlchemyError, OSError) as error:
                    log.warning("live events: the database does not answer (%s)", type(error).__name__)
                    await asyncio.sleep(_LOOK_EVERY)
        finally:
            hearing.cancel()
            await asyncio.gather(hearing, return_exceptions=True)

    async def _hear(self) -> None:
        secret = settings().redis_url
        assert secret is not None
        while True:
            client = aioredis.Redis.from_url(secret.get_secret_value(), socket_connect_timeout=2)
            try:
                async with client.pubsub() as pubsub:
                    await pubsub.subscribe(announcements(), _fleeting_channel())
                    async for message in pubsub.listen():
                        if message["type"] == "message" and message["data"]:
                            self._pass_on(_fleeting(message["data"]))
                        else:
                            self._look.set()
            except (RedisError, OSError):
                await asyncio.sleep(0.5)
            finally:
                await client.aclose()

    async def publish(self, fleeting: Fleeting) -> None:
        """Tells the clients of all processes, if Redis is there."""
        if self._redis is None:
            secret = settings().redis_url
            assert secret is not None
            self._redis = aioredis.Redis.from_url(secret.get_secret_value(), socket_connect_timeout=1, socket_timeout=1)
        try:
            await self._redis.publish(_fleeting_channel(), json.dumps(asdict(fleeting), default=str))
        except (RedisError, OSError):
            log.debug("a fleeting message was lost")

    def _pass_on(self, item: LiveEvent | Fleeting) -> None:
        for client in list(self._clients):
            try:
                client.put_nowait(item)
            except asyncio.QueueFull:
                # Too slow: it comes again with its cursor and misses nothing.
                self._clients.discard(client)
                client.get_nowait()
                client.put_nowait(None)

    async def _tell(self) -> None:
        if not self._clients:
            self._newest = max(self._newest, await newest_event())
            return
        events = await events_after(self._newest - _OVERLAP, limit=_OVERLAP + 1000)
        for found in events:
            number = found.event.id
            if number in self._sent or number <= self._newest - _OVERLAP:
                continue
            self._sent[number] = None
            self._pass_on(found)
            self._newest = max(self._newest, number)
        while len(self._sent) > 4 * _OVERLAP:
            self._sent.popitem(last=False)


def _fleeting_channel() -> str:
    return f"{settings().redis_namespace}:fleeting"


def _fleeting(data: bytes) -> Fleeting:
    values = json.loads(data)
    ids = {name: UUID(values[name]) if values[name] else None for name in values if name.endswith("_id")}
    return Fleeting(**{**values, **ids})


async def newest_event() -> int:
    async with transaction() as session:
        return await session.scalar(sa.select(sa.func.max(TicketEvent.id))) or 0


async def events_after(cursor: int, *, limit: int, ticket_id: UUID | None = None) -> list[LiveEvent]:
    """Events with ids above `cursor`, oldest first, at most `limit`."""
    statement = (
        sa.select(
            TicketEvent,
            Ticket.contact_id,
            Ticket.team_id,
            Ticket.assignee_id,
            sa.func.coalesce(sa.or_(Message.direction == Direction.NOTE, Message.draft), sa.false()),
        )
        .join(Ticket, Ticket.id == TicketEvent.ticket_id)
        .outerjoin(Message, Message.id == TicketEvent.message_id)
        .where(TicketEvent.id > cursor)
        .order_by(TicketEvent.id)
        .limit(limit)
    )
    if ticket_id is not None:
        statement = statement.where(TicketEvent.ticket_id == ticket_id)
    async with transaction() as session:
        return [LiveEvent(*row) for row in await session.execute(statement)]


feed = Feed()
