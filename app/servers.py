"""Where the servers of this installation are, for commands that are typed beside a running `autocrm run`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.embedded import Postgres, Valkey
from core.settings import Settings, settings


def _note(data: Path) -> Path:
    return data / "run" / "servers.json"


def remember(data: Path, database_url: str, redis_url: str) -> None:
    """Notes the addresses, readable by the owner only: they carry passwords."""
    path = _note(data)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_suffix(".part")
    part.touch(mode=0o600)
    part.write_text(json.dumps({"DATABASE_URL": database_url, "REDIS_URL": redis_url}))
    part.replace(path)


def forget(data: Path) -> None:
    _note(data).unlink(missing_ok=True)


def _answers(url: str) -> bool:
    import psycopg

    try:
        with psycopg.connect(url, connect_timeout=3):
            return True
    except psycopg.Error:
        return False


@contextmanager
def at_hand() -> Iterator[Settings]:
    """Settings whose servers answer: those of the environment, those of a running `autocrm run`, or embedded ones
    started for the time of the block. The database is migrated."""
    from core.migrate import migrate

    found = settings()
    started: list[Postgres | Valkey] = []
    try:
        if found.database_url is None or found.redis_url is None:
            note = _note(found.data)
            noted = json.loads(note.read_text()) if note.exists() else {}
            if noted and _answers(noted["DATABASE_URL"]):
                addresses = noted
            else:
                found.data.mkdir(parents=True, exist_ok=True)
                postgres, valkey = Postgres(found.data), Valkey(found.data)
                started = [postgres, valkey]
                addresses = {"DATABASE_URL": postgres.start(), "REDIS_URL": valkey.start()}
            for name, url in addresses.items():
                os.environ.setdefault(name, url)
            settings.cache_clear()
            found = settings()
        assert found.database_url is not None
        migrate(found.database_url.get_secret_value())
        yield found
    finally:
        for server in reversed(started):
            server.stop()
