"""B3: a normalised message becomes a ticket. Bare: the same rows in one hand-written psycopg transaction.

Ours is the real handler in one process with the lane's eight slots: the lock of the conversation, the sender's
contact, the thread, ticket, route, message, timeline, participants, the AI's job, the raw's fate, the job's end. The
bare component writes these rows over eight connections, every statement through the driver's pipeline, and decides
nothing.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import psycopg
import sqlalchemy as sa

import app.handlers  # noqa: F401 - registers the handlers
from benchmarks.report import Report, side_by_side
from benchmarks.stage import Stage
from channels.contract import RawInbound
from core import db
from core.accounts.models import ChannelAccount
from core.accounts.service import connect
from core.db import transaction
from core.ids import new_id
from core.intake import process as intake
from core.intake.parsing import parse
from core.intake.receive import receive
from core.jobs.models import Lane
from core.jobs.worker import SLOTS, Attempt, LaneRunner
from core.tickets.models import Ticket

TEXT = "How do I return a tent that I bought two weeks ago? " * 8

_BARE = (
    """
    WITH contact AS (INSERT INTO contacts (id, name, language, custom) VALUES (%(contact)s, 'Jane', 'en', '{}'))
    INSERT INTO identities (id, contact_id, kind, value, name, trust)
    VALUES (%(identity)s, %(contact)s, 'visitor', %(name)s, 'Jane', 'provider')
    """,
    """
    INSERT INTO tickets (id, subject, status, priority, handoff, contact_id, account_id, channel, language, tags, custom,
                         preview, event_seq, version, customer_at)
    VALUES (%(ticket)s, %(subject)s, 'open', 'normal', 'ai', %(contact)s, %(account)s, 'chat_widget', 'en', '{}', '{}',
            %(subject)s, 2, 3, now())
    """,
    """
    INSERT INTO routes (id, ticket_id, account_id, identity_id, conversation, data)
    VALUES (%(route)s, %(ticket)s, %(account)s, %(identity)s, %(name)s, '{}')
    """,
    """
    INSERT INTO messages (id, ticket_id, route_id, raw_id, direction, author, author_id, author_name, external_id, text,
                          language, automation, authenticity, facts, recipients, citations, draft)
    VALUES (%(message)s, %(ticket)s, %(route)s, %(raw)s, 'in', 'contact', %(contact)s, 'Jane', %(name)s, %(text)s, 'en',
            'none', 'unknown', '{}', '{"to": [], "cc": []}', '[]', false)
    """,
    "INSERT INTO thread_refs (account_id, ref, ticket_id, message_id) VALUES (%(account)s, %(name)s, %(ticket)s, %(message)s)",
    """
    INSERT INTO ticket_events (ticket_id, seq, kind, actor, actor_id, message_id, data)
    VALUES (%(ticket)s, 1, 'ticket.created', 'contact', %(contact)s, NULL, '{"channel": "chat_widget"}'),
           (%(ticket)s, 2, 'message.received', 'contact', %(contact)s, %(message)s,
            '{"automation": "none", "authenticity": "unknown"}')
    """,
    "INSERT INTO participants (ticket_id, identity_id, role) VALUES (%(ticket)s, %(identity)s, 'requester')",
    """
    INSERT INTO jobs (id, lane, name, args, fair_key, unique_key, max_attempts)
    VALUES (%(job)s, 'ai', 'ai.reply', %(args)s, %(account)s::text, %(unique)s, 8)
    """,
    "UPDATE raws SET state = 'ticket', ticket_id = %(ticket)s, processed_at = now() WHERE id = %(raw)s",
    "DELETE FROM jobs WHERE id = %(done)s AND token = 1",
)


async def _store(account_id: UUID, count: int) -> list[UUID]:
    """Raws and their jobs as they wait for a worker; returns the jobs."""
    for start in range(0, count, 100):
        await receive(account_id, [_frame() for _ in range(min(100, count - start))])
    async with transaction() as session:
        rows = await session.execute(
            sa.text("UPDATE jobs SET token = 1, due_at = now() + interval '1 hour' WHERE lane = 'intake' RETURNING id")
        )
        return [row.id for row in rows]


def _frame() -> RawInbound:
    name = str(new_id())
    body = {
        "type": "message", "client_id": name, "conversation": name, "visitor": name, "name": "Jane", "language": "en",
        "text": TEXT,
    }  # fmt: skip
    return RawInbound(f"message:{name}", json.dumps(body).encode(), content_type="application/json", order_key=name)


async def _each(slots: int, work: Sequence[Any], act: Any) -> float:
    """Items per second, `slots` at a time."""
    waiting = iter(work)
    begun = time.perf_counter()

    async def slot(number: int) -> None:
        for one in waiting:
            await act(number, one)

    await asyncio.gather(*(slot(number) for number in range(slots)))
    return len(work) / (time.perf_counter() - begun)


async def _normalised(account_id: UUID, count: int) -> list[tuple[Attempt, Any, Any]]:
    jobs = await _store(account_id, count)
    async with transaction() as session:
        rows = (await session.execute(sa.text("SELECT id, args FROM jobs WHERE id = ANY(:ids)"), {"ids": jobs})).all()
    ready = []
    for row in rows:
        attempt = Attempt(row.id, "intake.process", row.args, 1, 1, 12, None)
        loaded = await intake.load(attempt, UUID(row.args["raw_id"]))
        assert loaded is not None
        ready.append((attempt, loaded, await parse(loaded.channel, loaded.context, loaded.inbound)))
    return ready


async def _ours(account_id: UUID, count: int) -> float:
    work = await _normalised(account_id, count)
    return await _each(SLOTS[Lane.INTAKE], work, lambda _number, one: intake.settle(*one, {}))


async def _bare(account_id: UUID, count: int, url: str) -> float:
    jobs = await _store(account_id, count)
    async with transaction() as session:
        rows = await session.execute(
            sa.text("SELECT id, (args->>'raw_id')::uuid AS raw FROM jobs WHERE id = ANY(:ids)"), {"ids": jobs}
        )
        work = [(row.id, row.raw) for row in rows]
    slots = SLOTS[Lane.INTAKE]
    connections = [await psycopg.AsyncConnection.connect(url, prepare_threshold=2) for _ in range(slots)]

    async def act(number: int, one: tuple[UUID, UUID]) -> None:
        made = {key: new_id() for key in ("contact", "identity", "ticket", "route", "message", "job")}
        values = {
            **made, "name": str(new_id()), "account": account_id, "raw": one[1], "done": one[0], "text": TEXT,
            "subject": TEXT[:200], "unique": f"ai.reply:{made['message']}",
            "args": json.dumps({"ticket_id": str(made["ticket"]), "message_id": str(made["message"])}),
        }  # fmt: skip
        connection = connections[number]
        async with connection.pipeline():
            for statement in _BARE:
                await connection.execute(statement, values)
            await connection.commit()

    try:
        return await _each(slots, work, act)
    finally:
        for connection in connections:
            await connection.close()


async def _drain(account_id: UUID, count: int) -> float:
    """The whole job, claim, load, parse and all."""
    await _store(account_id, count)
    async with transaction() as session:
        await session.execute(sa.text("UPDATE jobs SET token = 0, due_at = now() WHERE lane = 'intake'"))
    runner = LaneRunner(Lane.INTAKE)
    begun = time.perf_counter()
    await runner.drain()
    return count / (time.perf_counter() - begun)


async def measure(stage: Stage, *, repeats: int, quick: bool, scale: float) -> Report:
    count = max(8, int(1500 * scale))
    with stage.environment() as environment:
        try:
            async with transaction() as session:
                account: ChannelAccount = await connect(session, "chat_widget", "Chat", {}, public_key="bench")
                account_id = account.id
            url = environment["DATABASE_URL"]
            await _ours(account_id, 50)
            await _bare(account_id, 50, url)
            await _drain(account_id, 50)
            found = await side_by_side(repeats, lambda: _ours(account_id, count), lambda: _bare(account_id, count, url))
            whole = await side_by_side(
                repeats, lambda: _drain(account_id, count), lambda: _bare(account_id, count, url)
            )
            async with transaction() as session:
                tickets = await session.scalar(sa.select(sa.func.count()).select_from(Ticket))
                left = await session.scalar(sa.text("SELECT count(*) FROM jobs WHERE lane = 'intake'"))
            expected = 150 + 4 * repeats * count
            if (tickets, left) != (expected, 0):
                raise RuntimeError(f"{tickets} tickets instead of {expected}, {left} jobs left")
        finally:
            await db.dispose()
    figures = found.figures("messages", goal=0.60, bare="one hand-written transaction")
    figures += whole.figures("with claim, load and parse", goal=None, bare="one hand-written transaction")
    return Report(
        "ingest",
        "B3 ingest: normalised message to ticket, one process, 8 at a time",
        figures,
        repeats,
        {"messages": count, "slots": SLOTS[Lane.INTAKE]},
        quick,
        {"tickets": int(tickets or 0)},
    )
