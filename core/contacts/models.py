"""People outside, and the names by which channels know them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from channels.contract import Trust
from core.db import EnumText, Row


class Organisation(Row):
    __tablename__ = "organisations"

    name: Mapped[str]
    domains: Mapped[list[str]] = mapped_column(default=list)


class Contact(Row):
    __tablename__ = "contacts"

    name: Mapped[str | None] = mapped_column(default=None)
    language: Mapped[str | None] = mapped_column(default=None)
    organisation_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("organisations.id", ondelete="SET NULL"))
    notes: Mapped[str | None] = mapped_column(default=None)
    custom: Mapped[dict[str, Any]] = mapped_column(default=dict)
    blocked: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    merged_into_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("contacts.id"), default=None)
    updated_at: Mapped[datetime] = mapped_column(server_default=sa.func.now(), onupdate=sa.func.now())


class Identity(Row):
    """`kind` + `value` as the channel names the person; belongs to one contact at a time."""

    __tablename__ = "identities"

    contact_id: Mapped[UUID] = mapped_column(sa.ForeignKey("contacts.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str]
    value: Mapped[str]
    name: Mapped[str | None] = mapped_column(default=None)
    trust: Mapped[Trust] = mapped_column(EnumText(Trust), default=Trust.CLAIMED)
    bad_since: Mapped[datetime | None] = mapped_column(default=None)
    """Since when messages to it bounce for good."""
    opted_out_at: Mapped[datetime | None] = mapped_column(default=None)

    __table_args__ = (sa.UniqueConstraint("kind", "value"),)
