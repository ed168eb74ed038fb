"""Raw inbound: bytes as they came, kept whatever becomes of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from core.db import EnumText, Row


class RawState(StrEnum):
    """What became of a raw. Everything received ends in exactly one of the last four."""

    RECEIVED = "received"
    TICKET = "ticket"
    """Opened a new ticket."""
    APPENDED = "appended"
    """Joined an existing ticket, as a message or as an event (a receipt, an edit)."""
    FILTERED = "filtered"
    """Understood, and on purpose not a message: a bounce, a loop, a blocked sender."""
    QUARANTINED = "quarantined"
    """Not understood, or too dangerous to act on. Can be replayed."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a raw."""

    state: RawState
    reason: str | None = None
    ticket_id: UUID | None = None


class Raw(Row):
    __tablename__ = "raws"

    seq: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(), unique=True)
    account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("channel_accounts.id", ondelete="CASCADE"))
    external_id: Mapped[str]
    order_key: Mapped[str]
    """Raws of an account with equal keys are worked on one by one, in the order of `seq`."""
    body: Mapped[bytes | None] = mapped_column(default=None)
    blob_key: Mapped[str | None] = mapped_column(default=None)
    size: Mapped[int]
    sha256: Mapped[bytes]
    content_type: Mapped[str]
    headers: Mapped[dict[str, Any]] = mapped_column(default=dict)
    transport: Mapped[dict[str, Any]] = mapped_column(default=dict)
    state: Mapped[RawState] = mapped_column(EnumText(RawState), default=RawState.RECEIVED)
    reason: Mapped[str | None] = mapped_column(default=None)
    """A code: why it was filtered or quarantined."""
    error: Mapped[str | None] = mapped_column(default=None)
    attempts: Mapped[int] = mapped_column(default=0)
    ticket_id: Mapped[UUID | None] = mapped_column(default=None)
    processed_at: Mapped[datetime | None] = mapped_column(default=None)

    __table_args__ = (
        sa.UniqueConstraint("account_id", "external_id"),
        sa.Index("ix_raws_waiting", "account_id", "order_key", "seq", postgresql_where=sa.text("state = 'received'")),
        sa.Index("ix_raws_state_seq", "state", "seq"),
    )
