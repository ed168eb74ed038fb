"""Brings the database to the newest schema. Safe to start from several machines at once."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from core.db import async_url

_FOLDER = Path(__file__).resolve().parent.parent / "migrations"
_LOCK = 0x4175746F


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    return config


def head() -> str:
    """The newest revision in the tree."""
    found = ScriptDirectory.from_config(_config()).get_current_head()
    assert found is not None
    return found


def migrate(url: str) -> str:
    """Migrates the database at `url`; returns the revision it is at."""
    engine = sa.create_engine(async_url(url))
    try:
        with engine.connect() as connection:
            connection.execute(sa.text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
            connection.commit()
            try:
                config = _config()
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
                connection.commit()
                return MigrationContext.configure(connection).get_current_revision() or ""
            finally:
                connection.rollback()
                connection.execute(sa.text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK})
                connection.commit()
    finally:
        engine.dispose()
