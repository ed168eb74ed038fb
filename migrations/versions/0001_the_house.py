"""The first schema.

Revision ID: 0001
Revises:
"""

from alembic import op

from core.models import metadata

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for extension in ("vector", "pg_trgm", "unaccent"):
        op.execute(f"CREATE EXTENSION IF NOT EXISTS {extension}")
    metadata.create_all(op.get_bind())
    # One partial HNSW index per embedding model, so models of different dimensions live side by side.
    op.execute(
        "CREATE INDEX ix_chunk_vectors_use_multilingual_3 ON chunk_vectors "
        "USING hnsw ((vector::vector(512)) vector_cosine_ops) WHERE model = 'use-multilingual-3'"
    )
    op.execute("CREATE INDEX ix_contacts_name_trgm ON contacts USING gin (lower(name) gin_trgm_ops)")
    op.execute("CREATE INDEX ix_identities_value_trgm ON identities USING gin (lower(value) gin_trgm_ops)")
    op.execute("CREATE INDEX ix_tickets_subject_trgm ON tickets USING gin (lower(subject) gin_trgm_ops)")


def downgrade() -> None:
    metadata.drop_all(op.get_bind())
