"""The listening side: the servers of channels that have one, and one listener or poller per account.

An account's listener is guarded by a database lease, so that of many machines exactly one listens.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import sqlalchemy as sa

from channels import registry
from channels.contract import (
    AuthFailed,
    Backfill,
    ChannelError,
    Ingress,
    Listen,
    Poll,
    Server,
    ServerConfig,
    Sink,
    Stored,
    Webhook,
)
from core.accounts.models import AccountState, ChannelAccount
from core.accounts.service import by_recipient, context_of, set_state
from core.db import async_url, transaction
from core.intake.receive import sink_for
from core.settings import settings

log = logging.getLogger(__name__)

POLL_EVERY = 60.0
"""Seconds between two polls of an account that can be polled, whatever its listener says."""
_LOOK = 5.0
"""Seconds between two looks at which accounts there are."""
CATCH_UP_EVERY = 600.0
"""Seconds between two looks for messages that never arrived by themselves."""
_OVERLAP = timedelta(minutes=10)
"""How far a look goes back beyond what was seen last: providers take their time."""
_MISSED_MAX = timedelta(days=7)
_BELIEVED = 2.0
"""Seconds for which the account of a recipient is not looked up again."""


async def serve_channels(ready: Callable[[str, int], None]) -> None:
    """Runs the servers of all channels until cancelled; `ready(channel, port)` once each listens."""
    async with asyncio.TaskGroup() as group:
        for spec in registry.specs().values():
            if Ingress.SERVER not in spec.ingress:
                continue
            adapter = registry.adapter_class(spec.id)
            assert isinstance(adapter, Server)
            group.create_task(_serve(spec.id, adapter, ready), name=f"serve-{spec.id}")


async def _serve(channel: str, adapter: Server, ready: Callable[[str, int], None]) -> None:
    known: dict[str, tuple[float, str]] = {}

    async def resolve(recipient: str) -> str | None:
        """An account found is believed for `_BELIEVED` seconds; one not found is looked for each time."""
        until, account = known.get(recipient, (0.0, ""))
        if time.monotonic() < until:
            return account
        async with transaction() as session:
            found = await by_recipient(session, channel, recipient)
        if found is None:
            known.pop(recipient, None)
            return None
        known[recipient] = time.monotonic() + _BELIEVED, str(found)
        return str(found)

    config = ServerConfig(
        host=settings().smtp_host,
        port=settings().smtp_port,
        hostname=settings().smtp_hostname,
        message_bytes_max=settings().message_bytes_max,
        inflight_bytes_max=settings().inflight_bytes_max,
        lmtp_host=settings().lmtp_host,
        lmtp_port=settings().lmtp_port,
        lmtp_socket=settings().lmtp_socket,
        certificate=settings().smtp_cert,
        certificate_key=settings().smtp_key,
    )
    await adapter.serve(config, sink_for, resolve, lambda port: ready(channel, port))


async def watch_accounts() -> None:
    """Keeps one attendant per account that needs one, until cancelled: it tells the provider where its webhooks go,
    listens, polls, and looks for what was missed."""
    running: dict[UUID, tuple[object, asyncio.Task[None]]] = {}
    attended = {Ingress.LISTEN, Ingress.POLL, Ingress.WEBHOOK}
    wanting = {spec.id for spec in registry.specs().values() if spec.ingress & attended}
    try:
        while True:
            try:
                async with transaction() as session:
                    rows = await session.execute(
                        sa.select(ChannelAccount.id, ChannelAccount.updated_at).where(
                            ChannelAccount.channel.in_(wanting),
                            ChannelAccount.state.in_([AccountState.CONNECTED, AccountState.TRANSIENT]),
                        )
                    )
                    wanted = {row.id: row.updated_at for row in rows}
            except (sa.exc.SQLAlchemyError, OSError):
                await asyncio.sleep(1)
                continue
            for account_id, (version, task) in list(running.items()):
                if wanted.get(account_id) != version or task.done():
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)
                    del running[account_id]
            for account_id, version in wanted.items():
                if account_id not in running:
                    running[account_id] = (
                        version,
                        asyncio.create_task(_attend(account_id), name=f"listen-{account_id}"),
                    )
            await asyncio.sleep(_LOOK)
    finally:
        for _version, task in running.values():
            task.cancel()
        await asyncio.gather(*(task for _version, task in running.values()), return_exceptions=True)


class _LostLock(Exception):
    """The connection that held the account's lock has ended."""


async def _attend(account_id: UUID) -> None:
    """Listens to one account for as long as this process holds its lock."""
    failures = 0
    while True:
        try:
            async with await psycopg.AsyncConnection.connect(_url(), autocommit=True) as connection:
                if await _try_lock(connection, account_id):
                    await _listen_and_poll(account_id, connection)
                    return
            await asyncio.sleep(_LOOK)  # another process listens; stand by
        except Exception as error:
            cause = _first(error)
            if isinstance(cause, AuthFailed):
                await _note(account_id, AccountState.RECONNECT, str(cause))
                return
            if not isinstance(cause, (ChannelError, OSError, sa.exc.SQLAlchemyError, psycopg.Error, _LostLock)):
                log.exception("account %s: the listener failed", account_id)
            failures += 1
            log.warning("account %s: %s; trying again", account_id, cause)
            await _note(account_id, AccountState.TRANSIENT, str(cause))
            await asyncio.sleep(min(60.0, 2.0 ** min(failures, 6)) * random.uniform(0.7, 1.3))  # noqa: S311


def _url() -> str:
    secret = settings().database_url
    assert secret is not None
    return async_url(secret.get_secret_value()).replace("postgresql+psycopg://", "postgresql://")


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _try_lock(connection: psycopg.AsyncConnection[Any], account_id: UUID) -> bool:
    """The lock lives as long as the connection: a process that dies leaves it to the next."""
    cursor = await connection.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 1))", (f"listen:{account_id}",))
    row = await cursor.fetchone()
    return bool(row and row[0])


async def _note(account_id: UUID, state: AccountState, error: str | None = None) -> None:
    try:
        async with transaction() as session:
            await set_state(session, account_id, state, error)
    except (sa.exc.SQLAlchemyError, OSError):
        log.warning("account %s: its state could not be written", account_id)


async def _listen_and_poll(account_id: UUID, connection: psycopg.AsyncConnection[Any]) -> None:
    async with transaction() as session:
        account = await session.get_one(ChannelAccount, account_id)
        context = context_of(account)
        channel = account.channel
    adapter = registry.build(channel, context)
    sink = sink_for(str(account_id))
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_keep(connection))
            if isinstance(adapter, Webhook):
                await adapter.subscribe()
                await _well(account_id)
            if isinstance(adapter, Backfill):
                group.create_task(_catch_up(account_id, adapter, sink))
            if isinstance(adapter, Listen):
                group.create_task(adapter.listen(sink))
            if isinstance(adapter, Poll):
                group.create_task(_poll(account_id, adapter, sink))
    finally:
        await adapter.aclose()


async def _keep(connection: psycopg.AsyncConnection[Any]) -> None:
    """Notices within seconds that the lock is gone with its connection."""
    while True:
        await asyncio.sleep(_LOOK)
        try:
            await connection.execute("SELECT 1")
        except psycopg.Error:
            raise _LostLock("the database connection was lost") from None


async def _well(account_id: UUID) -> None:
    """The provider has answered: an account in trouble is well again."""
    async with transaction() as session:
        account = await session.get_one(ChannelAccount, account_id)
        if account.state is AccountState.TRANSIENT:
            await set_state(session, account_id, AccountState.CONNECTED)


async def _catch_up(account_id: UUID, adapter: Backfill, sink: Sink) -> None:
    """Asks the provider what it has for us, at the start and from time to time: what came by itself is known already."""
    since = await _last_seen(account_id)
    while True:
        begun = datetime.now(UTC)
        raws = await adapter.list_since(since)
        if raws and await sink(raws) is Stored.STORED:
            log.info("account %s: messages that had not arrived by themselves are here now", account_id)
        since = begun - _OVERLAP
        await asyncio.sleep(CATCH_UP_EVERY)


async def _last_seen(account_id: UUID) -> datetime:
    async with transaction() as session:
        account = await session.get_one(ChannelAccount, account_id)
        seen = account.last_in_at or account.created_at
    return max(seen - _OVERLAP, datetime.now(UTC) - _MISSED_MAX)


async def _poll(account_id: UUID, adapter: Poll, sink: Sink) -> None:
    while True:
        async with transaction() as session:
            account = await session.get_one(ChannelAccount, account_id)
            cursor, state = dict(account.cursor), account.state
        raws, moved = await adapter.poll(cursor)
        if raws or dict(moved) != cursor:
            await sink(raws, moved)
        if state is AccountState.TRANSIENT:
            await _note(account_id, AccountState.CONNECTED)
        await asyncio.sleep(POLL_EVERY)
