"""Alembic's entry: migrations run over a connection given by `core.migrate`."""

from alembic import context

from core.models import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, compare_server_default=True)
with context.begin_transaction():
    context.run_migrations()
