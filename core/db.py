"""The database: one engine per process, one transaction per unit of work.

Commit happens only at the edge, in `transaction()`. What must happen after the commit
(ringing a lane) is noted on the session meanwhile with `after_commit`.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, ClassVar, TypeVar
from uuid import UUID

import psycopg
import sqlalchemy as sa
from psycopg.rows import dict_row
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from core.ids import new_id
from core.settings import settings

E = TypeVar("E", bound=enum.StrEnum)


class EnumText(sa.types.TypeDecorator[E]):
    """A StrEnum kept as text: a new member needs no migration."""

    impl = sa.Text
    cache_ok = True

    def __init__(self, kind: type[E]) -> None:
        super().__init__()
        self.kind = kind

    def process_bind_param(self, value: E | str | None, dialect: sa.Dialect) -> str | None:
        return None if value is None else self.kind(value).value

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> E | None:
        return None if value is None else self.kind(value)


class Base(DeclarativeBase):
    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: sa.DateTime(timezone=True),
        dict[str, Any]: pg.JSONB,
        list[Any]: pg.JSONB,
        list[str]: pg.ARRAY(sa.Text),
        str: sa.Text,
        bytes: sa.LargeBinary,
    }


class Row(Base):
    """A table with a UUIDv7 key and its time of creation, by database time."""

    __abstract__ = True

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    created_at: Mapped[datetime] = mapped_column(server_default=sa.func.now())


class Database:
    """Engine and session factory, bound to the event loop that first uses them."""

    def __init__(self, url: str, pool: int) -> None:
        self.engine: AsyncEngine = create_async_engine(
            url,
            pool_size=pool,
            max_overflow=0,
            pool_timeout=10,
            pool_pre_ping=True,
            connect_args={"prepare_threshold": 2, "connect_timeout": 5, "options": "-c timezone=UTC"},
        )
        self.sessions = async_sessionmaker(self.engine, expire_on_commit=False)


_databases: dict[int, Database] = {}


def async_url(url: str) -> str:
    """The operator's URL with our driver named."""
    for prefix in ("postgres://", "postgresql://", "postgresql+psycopg://"):
        if url.startswith(prefix):
            return "postgresql+psycopg://" + url[len(prefix) :]
    return url


def database() -> Database:
    """The database of the running event loop."""
    loop = id(asyncio.get_running_loop())
    found = _databases.get(loop)
    if found is None:
        import core.models  # noqa: F401 - foreign keys resolve only when every table is known

        secret = settings().database_url
        if secret is None:
            raise RuntimeError("DATABASE_URL is not set: start through `autocrm run`, or set it")
        found = _databases[loop] = Database(async_url(secret.get_secret_value()), settings().database_pool)
    return found


async def dispose() -> None:
    """Closes the pool of the running event loop."""
    found = _databases.pop(id(asyncio.get_running_loop()), None)
    if found is not None:
        await found.engine.dispose()


AfterCommit = Callable[[], None]


def after_commit(session: AsyncSession, key: str, action: AfterCommit) -> None:
    """Runs `action` once the transaction has committed, once per `key`. It must not block or raise."""
    session.info.setdefault("after_commit", {})[key] = action


@asynccontextmanager
async def transaction() -> AsyncIterator[AsyncSession]:
    """One unit of work: commits when the block ends, rolls back when it raises."""
    async with database().sessions() as session:
        async with session.begin():
            yield session
        actions = session.info.pop("after_commit", {})
    for action in actions.values():
        action()


Statement = tuple[str, Mapping[str, Any]]
"""SQL with `%(name)s` places, as psycopg takes it, and their values."""


async def pipelined(
    session: AsyncSession, statements: Sequence[Statement]
) -> list[psycopg.AsyncCursor[dict[str, Any]]]:
    """Runs the statements in this order, in the session's transaction and in one round trip; returns their results.

    For the hot paths only: it goes past the ORM, so what the session holds must be flushed before and is not refreshed
    after. Raises SQLAlchemy's errors, as everything else that speaks to the database does.
    """
    connection = await session.connection()
    driver = (await connection.get_raw_connection()).driver_connection
    assert isinstance(driver, psycopg.AsyncConnection)
    try:
        async with driver.pipeline():
            cursors = [driver.cursor(row_factory=dict_row) for _statement in statements]
            for cursor, (sql, values) in zip(cursors, statements, strict=True):
                await cursor.execute(sql.encode(), values)
    except psycopg.Error as error:
        if driver.closed:
            await connection.invalidate()
        raise sa.exc.DBAPIError.instance(
            "pipeline", None, error, psycopg.Error, hide_parameters=True, connection_invalidated=driver.closed
        ) from error
    return cursors


def lock_statement(*parts: object) -> Statement:
    """As `advisory_lock`, for `pipelined`."""
    return "SELECT pg_advisory_xact_lock(hashtextextended(%(name)s, 0))", {"name": "\x1f".join(map(str, parts))}


async def advisory_lock(session: AsyncSession, *parts: object) -> None:
    """Serialises all transactions that name the same parts, until this one ends."""
    await pipelined(session, [lock_statement(*parts)])
