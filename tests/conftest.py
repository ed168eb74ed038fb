"""Real servers for the tests: one PostgreSQL and one Valkey per pytest process, one database per test."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from app.embedded import Postgres, Valkey
from core import db as database_module
from core.migrate import migrate
from core.settings import settings
from tests.speech import speech_model

# The processes that tests start do so in half the time from compiled modules, as those of an installation do.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# A model of 130 MB is fetched by those tests alone that listen.
os.environ.setdefault("AUTOCRM_SPEECH_MODEL", "off")


@dataclass(frozen=True)
class Servers:
    """The servers of this pytest process."""

    folder: Path
    postgres_url: str
    redis_url: str
    template: str

    def create_database(self, template: str | None = None, name: str | None = None) -> str:
        """A fresh, migrated database, with the contents of `template`; returns its URL."""
        name = name or f"t{uuid4().hex}"
        with psycopg.connect(self.postgres_url, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template or self.template}"')  # type: ignore[call-overload]
        return self.postgres_url.rsplit("/", 1)[0] + "/" + name

    def drop_database(self, url: str) -> None:
        name = url.rsplit("/", 1)[1]
        with psycopg.connect(self.postgres_url, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')  # type: ignore[call-overload]


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    folder = Path(tempfile.mkdtemp(prefix="autocrm-tests-"))
    folder.chmod(0o755)
    # fsync off: these databases do not outlive the run, and durability has tests of its own.
    postgres, valkey = Postgres(folder, fsync=False), Valkey(folder)
    try:
        url, redis_url = postgres.start(), valkey.start()
        template = url.rsplit("/", 1)[0] + "/template_autocrm"
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE DATABASE template_autocrm")
        migrate(template)
        yield Servers(folder, url, redis_url, "template_autocrm")
    finally:
        postgres.stop()
        valkey.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def whisper() -> str:
    """The folder of the packaged speech model, for AUTOCRM_SPEECH_MODEL."""
    return speech_model()


@pytest.fixture
def template(servers: Servers) -> str:
    """The database whose contents a test begins with: migrated, and empty."""
    return servers.template


@pytest.fixture
def environment(
    servers: Servers, template: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, str]]:
    """A new database and data folder, and settings that point at them, here and in child processes."""
    url = servers.create_database(template)
    values = {
        "DATABASE_URL": url,
        "REDIS_URL": servers.redis_url,
        "AUTOCRM_REDIS_NAMESPACE": f"t{uuid4().hex[:12]}",
        "AUTOCRM_DATA": str(tmp_path / "data"),
        "AUTOCRM_MODE": "demo",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    yield values
    settings.cache_clear()
    servers.drop_database(url)


@pytest.fixture
async def db(environment: dict[str, str]) -> AsyncIterator[None]:
    """For tests that open transactions: `core.db.transaction()` works on a database of the test's own."""
    yield
    await database_module.dispose()


@pytest.fixture(scope="session")
def material() -> Path:
    """The folder of third-party test data."""
    value = os.environ.get("AUTOCRM_MATERIAL")
    folder = Path(value) if value else None
    if folder is None or not folder.is_dir():
        if os.environ.get("CI") == "true":
            pytest.fail("AUTOCRM_MATERIAL does not name the folder of third-party test data")
        pytest.skip("AUTOCRM_MATERIAL is not set: tests on third-party data are skipped")
    return folder
