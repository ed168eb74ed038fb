"""What is well and what is not, with the way to mend it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import redis.asyncio as aioredis
import sqlalchemy as sa
from redis.exceptions import RedisError

from ai.providers.vector_server import embedder
from core.accounts.health import examine as examine_account
from core.accounts.models import AccountState, ChannelAccount
from core.db import dispose, transaction
from core.delivery.models import Delivery, DeliveryState
from core.errors import Unavailable
from core.intake.models import Raw, RawState
from core.jobs.models import Job, JobState
from core.migrate import head
from core.settings import settings

_LATE = 60.0
"""Seconds after which a due job means that no worker is at work."""


@dataclass(frozen=True, slots=True)
class Finding:
    name: str
    ok: bool
    detail: str


async def examine() -> list[Finding]:
    """Looks at everything an installation stands on."""
    findings = [await _database(), await _redis(), await _vectors(), await _jobs(), await _doubt(), await _quarantine()]
    findings += await _accounts()
    await dispose()
    return findings


async def _database() -> Finding:
    async with transaction() as session:
        revision = await session.scalar(sa.text("SELECT version_num FROM alembic_version"))
        version = await session.scalar(sa.text("SHOW server_version"))
        vector = await session.scalar(sa.text("SELECT extversion FROM pg_extension WHERE extname = 'vector'"))
    ok = revision == head()
    detail = f"PostgreSQL {version}, pgvector {vector}, revision {revision}"
    return Finding("database", ok, detail if ok else f"{detail}; run `autocrm migrate`")


async def _redis() -> Finding:
    secret = settings().redis_url
    assert secret is not None
    client = aioredis.Redis.from_url(secret.get_secret_value(), socket_connect_timeout=2, socket_timeout=2)
    try:
        info = await client.info("server")
    except (RedisError, OSError) as error:
        return Finding("redis", False, f"{type(error).__name__}: work goes on by the sweep, slower; start it again")
    finally:
        await client.aclose()
    return Finding("redis", True, f"version {info.get('valkey_version') or info['redis_version']}")


async def _vectors() -> Finding:
    try:
        await embedder().embed(["hello"])
    except Unavailable:
        return Finding(
            "vectors", False, "the relay does not answer; answers are found by words alone. Start `autocrm relay`"
        )
    return Finding("vectors", True, embedder().model)


async def _jobs() -> Finding:
    async with transaction() as session:
        dead = await session.scalar(sa.select(sa.func.count()).select_from(Job).where(Job.state == JobState.DEAD))
        oldest = await session.scalar(
            sa.select(sa.func.extract("epoch", sa.func.now() - sa.func.min(Job.due_at))).where(
                Job.state == JobState.READY
            )
        )
    late = float(oldest or 0)
    if dead:
        return Finding("jobs", False, f"{dead} died; see GET /api/v1/jobs, replay with POST /api/v1/jobs/ID/replay")
    if late > _LATE:
        return Finding("jobs", False, f"the oldest has been due for {late:.0f} s; is `autocrm worker` running?")
    return Finding("jobs", True, "none dead, none late")


async def _doubt() -> Finding:
    async with transaction() as session:
        held = await session.scalar(
            sa.select(sa.func.count()).select_from(Delivery).where(Delivery.state == DeliveryState.HELD)
        )
    return Finding(
        "deliveries in doubt", not held, f"{held or 'none'}" + (": settle them in the inbox" if held else "")
    )


async def _quarantine() -> Finding:
    async with transaction() as session:
        count = await session.scalar(
            sa.select(sa.func.count()).select_from(Raw).where(Raw.state == RawState.QUARANTINED)
        )
    detail = f"{count}: see GET /api/v1/raws?state=quarantined" if count else "empty"
    return Finding("quarantine", True, detail)


async def _accounts() -> list[Finding]:
    """Every account, its provider asked now."""
    async with transaction() as session:
        accounts = list(await session.scalars(sa.select(ChannelAccount).order_by(ChannelAccount.created_at)))
    findings = []
    for account in accounts:
        name = f"{account.channel} {account.name!r}"
        if account.state is AccountState.DISABLED:
            findings.append(Finding(name, True, "disabled"))
            continue
        found = await examine_account(account.id)
        facts = [f"last in {_ago(found.last_in_at)}", f"last out {_ago(found.last_out_at)}"]
        if found.identity:
            facts.insert(0, found.identity)
        if found.backlog.raws or found.backlog.deliveries:
            facts.append(f"waiting: {found.backlog.raws} in, {found.backlog.deliveries} out")
        if found.reconciliation is not None:
            facts.append(f"{found.reconciliation.theirs} on their list, {found.reconciliation.missing} not on ours")
        # A hint on an account that works is worth reading, and no illness.
        well = found.state is AccountState.CONNECTED and found.identity is not None and not found.backlog.held
        findings.append(Finding(name, well, "; ".join([*facts, *found.mend])))
    return findings


def _ago(at: datetime | None) -> str:
    if at is None:
        return "never"
    return f"{(datetime.now(UTC) - at).total_seconds():.0f} s ago"
