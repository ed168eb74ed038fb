"""Files that are fetched after their message, and what was heard in them

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.alter_column("attachments", "sha256", nullable=True)
    op.alter_column("attachments", "blob_key", nullable=True)
    op.add_column("attachments", sa.Column("state", sa.Text(), server_default="ready", nullable=False))
    op.add_column("attachments", sa.Column("source", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.add_column("attachments", sa.Column("error_code", sa.Text(), nullable=True))
    op.add_column("attachments", sa.Column("spoken", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("attachments", sa.Column("hearing", sa.Text(), nullable=True))
    op.add_column("attachments", sa.Column("transcript", postgresql.JSONB(astext_type=sa.Text()), nullable=True))


def downgrade() -> None:
    for name in ("transcript", "hearing", "spoken", "error_code", "source", "state"):
        op.drop_column("attachments", name)
    op.execute("DELETE FROM attachments WHERE blob_key IS NULL")
    op.alter_column("attachments", "blob_key", nullable=False)
    op.alter_column("attachments", "sha256", nullable=False)
