"""The stage of a benchmark: the real embedded servers with fsync on, a fresh database, the house's own processes."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg

from app.embedded import Postgres, Valkey
from core import db
from core.migrate import migrate
from core.settings import settings
from tests.house import House, house

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Stage:
    """Servers that the benchmarks of one run share."""

    folder: Path
    postgres: Postgres
    postgres_url: str
    redis_url: str

    @contextmanager
    def environment(self, **more: str) -> Iterator[dict[str, str]]:
        """A new migrated database and data folder, set here and for child processes."""
        name = f"b{uuid4().hex}"
        with psycopg.connect(self.postgres_url, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template_bench')  # type: ignore[call-overload]
        values = {
            "DATABASE_URL": self.postgres_url.rsplit("/", 1)[0] + "/" + name,
            "REDIS_URL": self.redis_url,
            "AUTOCRM_REDIS_NAMESPACE": name[:12],
            "AUTOCRM_DATA": str(self.folder / name),
            "AUTOCRM_MODE": "demo",
            "AUTOCRM_LOG_LEVEL": "WARNING",
            "PYTHONPYCACHEPREFIX": bytecode(),
            **more,
        }
        before = {key: os.environ.get(key) for key in values}
        os.environ.update(values)
        settings.cache_clear()
        try:
            yield values
        finally:
            for key, value in before.items():
                if value is None:
                    os.environ.pop(key, None)
                else:
                    os.environ[key] = value
            settings.cache_clear()
            with psycopg.connect(self.postgres_url, autocommit=True) as connection:
                connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')  # type: ignore[call-overload]
            shutil.rmtree(self.folder / name, ignore_errors=True)

    @asynccontextmanager
    async def house(self, **more: str) -> AsyncIterator[House]:
        """An environment, and processes in it."""
        with self.environment(**more) as values:
            try:
                async with house(values, self.folder / "logs") as made:
                    yield made
            finally:
                await db.dispose()


def bytecode() -> str:
    """Where compiled modules are kept, so that processes start as they do in an installation that has run before."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    return os.environ.get("PYTHONPYCACHEPREFIX") or str(ROOT / "build" / "pycache")


@contextmanager
def stage() -> Iterator[Stage]:
    sys.path.insert(0, str(ROOT))
    folder = Path(tempfile.mkdtemp(prefix="autocrm-bench-"))
    folder.chmod(0o755)
    postgres, valkey = Postgres(folder), Valkey(folder)
    try:
        url, redis_url = postgres.start(), valkey.start()
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE DATABASE template_bench")
        migrate(url.rsplit("/", 1)[0] + "/template_bench")
        yield Stage(folder, postgres, url, redis_url)
    finally:
        valkey.stop()
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)
