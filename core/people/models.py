"""People inside: users, teams, sessions, keys, and what they did."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, EnumText, Row


class Role(StrEnum):
    ADMIN = "admin"
    AGENT = "agent"
    REVIEWER = "reviewer"
    CUSTOMER = "customer"


class User(Row):
    __tablename__ = "users"

    email: Mapped[str] = mapped_column(unique=True)
    """Lower-case."""
    name: Mapped[str]
    role: Mapped[Role] = mapped_column(EnumText(Role))
    password_hash: Mapped[str | None] = mapped_column(default=None)
    language: Mapped[str] = mapped_column(default="en")
    contact_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("contacts.id"), default=None)
    """For customers: whose tickets they see."""
    active: Mapped[bool] = mapped_column(default=True, server_default=sa.true())


class Team(Row):
    __tablename__ = "teams"

    name: Mapped[str] = mapped_column(unique=True)
    private: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    """Tickets of a private team are seen by its members and by admins only."""


class TeamMember(Base):
    __tablename__ = "team_members"

    team_id: Mapped[UUID] = mapped_column(sa.ForeignKey("teams.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True)


class Session(Row):
    __tablename__ = "sessions"

    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    expires_at: Mapped[datetime]


class PasswordReset(Row):
    __tablename__ = "password_resets"

    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"))
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None] = mapped_column(default=None)


class ApiKey(Row):
    __tablename__ = "api_keys"

    name: Mapped[str]
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    role: Mapped[Role] = mapped_column(EnumText(Role))
    scopes: Mapped[list[str]] = mapped_column(default=list)
    """`tickets:read`, `tickets:write`, …; empty means all that the role may do."""
    last_used_at: Mapped[datetime | None] = mapped_column(default=None)
    revoked_at: Mapped[datetime | None] = mapped_column(default=None)


class Audit(Row):
    """Who did what to settings, people and secrets. Tickets have their own timeline."""

    __tablename__ = "audit"

    actor: Mapped[str]
    """`user:<id>`, `key:<id>`, `system`."""
    action: Mapped[str]
    object: Mapped[str]
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)


class IdempotencyKey(Base):
    """The answer to a POST, kept so that a repeat gets the same one."""

    __tablename__ = "idempotency_keys"

    principal: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_hash: Mapped[bytes]
    status: Mapped[int]
    response: Mapped[Any] = mapped_column(sa.JSON)
    at: Mapped[datetime] = mapped_column(server_default=sa.func.now())


class VisitorSession(Row):
    """A browser that opened a widget. Its token proves nothing but that it is the same browser."""

    __tablename__ = "visitor_sessions"

    account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("channel_accounts.id", ondelete="CASCADE"))
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    visitor: Mapped[str]
    """The `visitor` identity's value."""
    conversation: Mapped[str]
    name: Mapped[str | None] = mapped_column(default=None)
    language: Mapped[str | None] = mapped_column(default=None)
    seen_at: Mapped[datetime] = mapped_column(server_default=sa.func.now())
