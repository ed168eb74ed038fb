"""Work to be done, written in the transaction that causes it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from core.db import EnumText, Row


class Lane(StrEnum):
    """Jobs of different lanes never wait for one another."""

    INTAKE = "intake"
    DELIVER = "deliver"
    AI = "ai"
    BULK = "bulk"
    SPEECH = "speech"


class JobState(StrEnum):
    READY = "ready"
    DEAD = "dead"
    """Failed too often; listed, and can be replayed."""


class Job(Row):
    """A finished job is a deleted row. A leased one is a row whose `due_at` is the end of its lease."""

    __tablename__ = "jobs"

    lane: Mapped[Lane] = mapped_column(EnumText(Lane))
    name: Mapped[str]
    args: Mapped[dict[str, Any]] = mapped_column(default=dict)
    fair_key: Mapped[str] = mapped_column(default="", server_default="")
    """Claims take turns between these (the channel account, usually)."""
    unique_key: Mapped[str | None] = mapped_column(unique=True, default=None)
    state: Mapped[JobState] = mapped_column(EnumText(JobState), default=JobState.READY, server_default="ready")
    due_at: Mapped[datetime] = mapped_column(server_default=sa.func.now())
    token: Mapped[int] = mapped_column(default=0, server_default="0")
    """Fencing: grows with each claim; only the holder of the newest may finish the job."""
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    max_attempts: Mapped[int] = mapped_column(default=8, server_default="8")
    error: Mapped[str | None] = mapped_column(default=None)
    correlation_id: Mapped[UUID | None] = mapped_column(default=None)

    __table_args__ = (
        sa.Index("ix_jobs_due", "lane", "fair_key", "due_at", postgresql_where=sa.text("state = 'ready'")),
        sa.Index("ix_jobs_next", "lane", "due_at", postgresql_where=sa.text("state = 'ready'")),
    )
