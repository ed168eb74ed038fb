"""The door: stores raws, their jobs and the cursor in one transaction. Only then is anything acknowledged."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

import sqlalchemy as sa

from channels.contract import Cursor, RawInbound, Sink, Stored
from core.blobs import blobs
from core.db import Statement, pipelined, transaction
from core.errors import TooLarge
from core.failpoints import failpoint
from core.ids import new_id
from core.jobs.models import Lane
from core.jobs.queue import ring_after_commit
from core.settings import settings
from core.storable import storable, storable_text

# One statement, one round trip: the raw, and its job only where the raw is new.
_RECEIVE = """
    WITH raw AS (
        INSERT INTO raws (id, account_id, external_id, order_key, body, blob_key, size, sha256, content_type,
                          headers, transport, state, attempts)
        VALUES (%(id)s, %(account_id)s, %(external_id)s, %(order_key)s, %(body)s, %(blob_key)s, %(size)s, %(sha256)s,
                %(content_type)s, CAST(%(headers)s AS jsonb), CAST(%(transport)s AS jsonb), 'received', 0)
        ON CONFLICT (account_id, external_id) DO NOTHING
        RETURNING id, account_id
    )
    INSERT INTO jobs (id, lane, name, args, fair_key, max_attempts, correlation_id)
    SELECT %(job_id)s, 'intake', 'intake.process', jsonb_build_object('raw_id', raw.id), raw.account_id::text, 12, raw.id
    FROM raw
"""
# The numbers of a conversation's raws are visible in their order: two processes take them one after the other.
_IN_TURN = "SELECT pg_advisory_xact_lock(hashtextextended(%(name)s, 2))"
_CURSOR = "UPDATE channel_accounts SET cursor = CAST(%(cursor)s AS jsonb) WHERE id = %(account_id)s"
_TOGETHER = 64
"""Calls that share a commit at most."""


async def receive(account_id: UUID, raws: Sequence[RawInbound], cursor: Cursor | None = None) -> Stored:
    """Commits `raws` and `cursor` together. Raises TooLarge, or what the database raises: then nothing is stored."""
    rows = [await _row(account_id, raw) for raw in raws]
    await failpoint("intake.before_commit")
    statements: list[Statement] = [(_RECEIVE, row) for row in rows]
    if cursor is not None:
        statements.append((_CURSOR, {"account_id": account_id, "cursor": json.dumps(dict(cursor))}))
    turns = {f"{account_id}\x1f{row['order_key']}" for raw, row in zip(raws, rows, strict=True) if raw.order_key}
    new = sum((await _door().put(statements, turns))[: len(rows)])
    await failpoint("intake.after_commit")
    return Stored.STORED if new else Stored.DUPLICATE


class _Door:
    """Commits what arrives at the same time together: while one commit is under way, the next gathers.

    A call returns when its own rows are committed. Where a shared commit fails because of one call's rows, each call
    is tried alone, so that nobody pays for another's.
    """

    def __init__(self) -> None:
        self._waiting: list[_Call] = []
        self._writer: asyncio.Task[None] | None = None

    async def put(self, statements: list[Statement], turns: set[str]) -> list[int]:
        """Row counts, after the commit. Statements of one call are committed or refused together.

        `turns` names the conversations in whose order the rows stand.
        """
        if not statements:
            return []
        done: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Call(statements, turns, done))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write(), name="door")
        return await done

    async def _write(self) -> None:
        while self._waiting:
            calls, self._waiting = self._waiting[:_TOGETHER], self._waiting[_TOGETHER:]
            try:
                await self._commit(calls)
            except (sa.exc.IntegrityError, sa.exc.DataError) as error:
                if len(calls) == 1:
                    calls[0].refuse(error)
                    continue
                for call in calls:
                    try:
                        await self._commit([call])
                    except sa.exc.SQLAlchemyError as own:
                        call.refuse(own)
            except Exception as error:
                for call in calls:
                    call.refuse(error)
            finally:
                for call in calls:  # left only by a cancellation, when the process ends
                    call.done.cancel()

    async def _commit(self, calls: list[_Call]) -> None:
        # Sorted, so that two processes never wait for each other.
        turns: list[Statement] = [
            (_IN_TURN, {"name": name}) for name in sorted(set().union(*(call.turns for call in calls)))
        ]
        async with transaction() as session:
            results = await pipelined(session, turns + [one for call in calls for one in call.statements])
            counts = [result.rowcount for result in results]
            if any(counts[len(turns) :]):
                ring_after_commit(session, Lane.INTAKE)
        at = len(turns)
        for call in calls:
            if not call.done.done():
                call.done.set_result(counts[at : at + len(call.statements)])
            at += len(call.statements)


@dataclass(frozen=True, slots=True, eq=False)
class _Call:
    statements: list[Statement]
    turns: set[str]
    done: asyncio.Future[list[int]]

    def refuse(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)


_doors: WeakKeyDictionary[asyncio.AbstractEventLoop, _Door] = WeakKeyDictionary()


def _door() -> _Door:
    """The door of the running event loop."""
    return _doors.setdefault(asyncio.get_running_loop(), _Door())


async def _row(account_id: UUID, raw: RawInbound) -> dict[str, Any]:
    if len(raw.body) > settings().message_bytes_max:
        raise TooLarge("message_too_large", limit=settings().message_bytes_max)
    raw_id = new_id()
    # A large body is made durable first. If the transaction then fails or finds a duplicate, an orphan object is
    # left behind, never a row without its bytes.
    blob_key = await blobs().put(raw.body) if len(raw.body) > settings().raw_inline_max else None
    return {
        "id": raw_id,
        "job_id": new_id(),
        "account_id": account_id,
        "external_id": storable_text(raw.external_id),
        # Without an order of its own a raw waits for nobody.
        "order_key": storable_text(raw.order_key or str(raw_id)),
        "body": raw.body if blob_key is None else None,
        "blob_key": blob_key,
        "size": len(raw.body),
        "sha256": hashlib.sha256(raw.body).digest(),
        "content_type": storable_text(raw.content_type),
        "headers": json.dumps(storable(dict(raw.headers))),
        "transport": json.dumps(storable(dict(raw.transport))),
    }


def sink_for(account_id: str) -> Sink:
    """The sink that an account's adapter is given."""

    async def sink(raws: Sequence[RawInbound], cursor: Cursor | None = None) -> Stored:
        return await receive(UUID(account_id), raws, cursor)

    return sink
