"""Channel accounts: one connected mailbox, number, bot or widget."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from core.db import EnumText, Row


class AccountState(StrEnum):
    CONNECTED = "connected"
    TRANSIENT = "transient"
    """The provider does not answer; we keep trying."""
    RECONNECT = "reconnect"
    """The credentials no longer work: an admin has to act. Deliveries are parked meanwhile."""
    DISABLED = "disabled"


class ChannelAccount(Row):
    __tablename__ = "channel_accounts"

    channel: Mapped[str]
    name: Mapped[str]
    settings: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """What is no secret."""
    sealed: Mapped[bytes | None] = mapped_column(default=None)
    """The secrets, sealed as one JSON object."""
    recipient_key: Mapped[str | None] = mapped_column(default=None)
    """Under which a `Server` finds the account (a mailbox address)."""
    state: Mapped[AccountState] = mapped_column(EnumText(AccountState), default=AccountState.CONNECTED)
    cursor: Mapped[dict[str, Any]] = mapped_column(default=dict)
    public_key: Mapped[str | None] = mapped_column(unique=True, default=None)
    """A random name by which strangers may address the account (the widget's script tag)."""
    error: Mapped[str | None] = mapped_column(default=None)
    error_at: Mapped[datetime | None] = mapped_column(default=None)
    last_in_at: Mapped[datetime | None] = mapped_column(default=None)
    last_out_at: Mapped[datetime | None] = mapped_column(default=None)
    updated_at: Mapped[datetime] = mapped_column(server_default=sa.func.now())
    """When the settings last changed; a listener with older ones starts anew."""

    __table_args__ = (
        sa.Index(
            "uq_channel_accounts_recipient",
            "channel",
            "recipient_key",
            unique=True,
            postgresql_where=sa.text("recipient_key IS NOT NULL AND state <> 'disabled'"),
        ),
    )
