"""The migrations make exactly the schema that the models describe."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from core.db import async_url
from core.migrate import head, migrate
from core.models import metadata
from tests.conftest import Servers

BY_HAND = {
    "ix_chunk_vectors_use_multilingual_3",
    "ix_contacts_name_trgm",
    "ix_identities_value_trgm",
    "ix_tickets_subject_trgm",
}
"""Indexes on expressions, which stand in the migration alone."""


def _seen(_object: Any, name: str | None, kind: str, reflected: bool, _other: Any) -> bool:
    return not (kind == "index" and reflected and name in BY_HAND)


def test_a_migrated_database_has_the_schema_of_the_models(servers: Servers) -> None:
    url = servers.create_database()
    engine = sa.create_engine(async_url(url))
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"include_object": _seen})
            assert compare_metadata(context, metadata) == []
            names = set(connection.scalars(sa.text("SELECT indexname FROM pg_indexes WHERE schemaname = 'public'")))
        assert names >= BY_HAND
    finally:
        engine.dispose()
        servers.drop_database(url)


def test_migrating_again_changes_nothing(servers: Servers) -> None:
    url = servers.create_database()
    try:
        assert migrate(url) == migrate(url) == head()
    finally:
        servers.drop_database(url)
