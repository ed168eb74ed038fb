"""The door: stores raws, their jobs and the cursor in one transaction. Only then is anything acknowledged."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from channels.contract import Cursor, RawInbound, Sink, Stored
from core.blobs import blobs
from core.db import advisory_lock, transaction
from core.errors import TooLarge
from core.failpoints import failpoint
from core.ids import new_id
from core.jobs.models import Lane
from core.jobs.queue import ring_after_commit
from core.settings import settings
from core.storable import storable, storable_text

# One statement, one round trip: the raw, its job (only where the raw is new), the account's last sign of life.
_RECEIVE = sa.text(
    """
    WITH raw AS (
        INSERT INTO raws (id, account_id, external_id, order_key, body, blob_key, size, sha256, content_type,
                          headers, transport, state, attempts)
        VALUES (:id, :account_id, :external_id, :order_key, :body, :blob_key, :size, :sha256, :content_type,
                CAST(:headers AS jsonb), CAST(:transport AS jsonb), 'received', 0)
        ON CONFLICT (account_id, external_id) DO NOTHING
        RETURNING id, account_id
    )
    INSERT INTO jobs (id, lane, name, args, fair_key, max_attempts, correlation_id)
    SELECT :job_id, 'intake', 'intake.process', jsonb_build_object('raw_id', raw.id), raw.account_id::text, 12, raw.id
    FROM raw
    """
)
_CURSOR = sa.text("UPDATE channel_accounts SET cursor = CAST(:cursor AS jsonb) WHERE id = :account_id")


async def receive(account_id: UUID, raws: Sequence[RawInbound], cursor: Cursor | None = None) -> Stored:
    """Commits `raws` and `cursor` together. Raises TooLarge, or what the database raises: then nothing is stored."""
    rows = [await _row(account_id, raw) for raw in raws]
    await failpoint("intake.before_commit")
    new = 0
    async with transaction() as session:
        if len(rows) > 1:
            # Two batches that hold the same raws in different orders would wait for each other for ever.
            await advisory_lock(session, "receive", account_id)
        for row in rows:
            done = await session.execute(_RECEIVE, row)
            new += done.rowcount  # type: ignore[attr-defined]
        if cursor is not None:
            await session.execute(_CURSOR, {"account_id": account_id, "cursor": json.dumps(dict(cursor))})
        if new:
            ring_after_commit(session, Lane.INTAKE)
    await failpoint("intake.after_commit")
    return Stored.STORED if new else Stored.DUPLICATE


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
