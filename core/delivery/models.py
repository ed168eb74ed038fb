"""Deliveries: one outbound message on its way to one route."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from core.db import EnumText, Row


class DeliveryState(StrEnum):
    PENDING = "pending"
    SENDING = "sending"
    """A request to the provider may be under way."""
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"
    HELD = "held"
    """In doubt, and the channel can neither repeat nor look it up: a person decides."""
    PARKED = "parked"
    """The account must be reconnected first."""
    CANCELLED = "cancelled"
    """By the AI, and overtaken by a person or by a newer message of the customer."""


UNFINISHED = (DeliveryState.PENDING, DeliveryState.SENDING, DeliveryState.PARKED)
"""States for which later deliveries of the same route wait."""


class Delivery(Row):
    __tablename__ = "deliveries"

    seq: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(), unique=True)
    message_id: Mapped[UUID] = mapped_column(sa.ForeignKey("messages.id", ondelete="CASCADE"), index=True)
    ticket_id: Mapped[UUID] = mapped_column(sa.ForeignKey("tickets.id", ondelete="CASCADE"), index=True)
    route_id: Mapped[UUID] = mapped_column(sa.ForeignKey("routes.id", ondelete="CASCADE"))
    account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("channel_accounts.id", ondelete="CASCADE"))
    part: Mapped[int] = mapped_column(default=0)
    """Long texts go in several messages; each is a delivery of its own."""
    parts: Mapped[int] = mapped_column(default=1)
    text: Mapped[str | None] = mapped_column(default=None)
    """The text of this part; None where one part carries the whole message."""
    state: Mapped[DeliveryState] = mapped_column(EnumText(DeliveryState), default=DeliveryState.PENDING)
    attempts: Mapped[int] = mapped_column(default=0)
    not_before: Mapped[datetime | None] = mapped_column(default=None)
    external_id: Mapped[str | None] = mapped_column(default=None)
    error_code: Mapped[str | None] = mapped_column(default=None)
    error: Mapped[str | None] = mapped_column(default=None)
    doubtful: Mapped[bool] = mapped_column(default=False)
    """Whether an attempt ever ended without our knowing whether the provider took it."""
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)
    started_at: Mapped[datetime | None] = mapped_column(default=None)
    sent_at: Mapped[datetime | None] = mapped_column(default=None)
    receipt_at: Mapped[datetime | None] = mapped_column(default=None)

    __table_args__ = (
        sa.UniqueConstraint("message_id", "part"),
        sa.Index("ix_deliveries_route", "route_id", "seq"),
        sa.Index("ix_deliveries_state", "state", "seq"),
        sa.Index("ix_deliveries_external", "account_id", "external_id"),
    )
