"""The ticket and everything on it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.orm import Mapped, mapped_column

from channels.contract import Authenticity, Automation
from core.db import Base, EnumText, Row


class Status(StrEnum):
    OPEN = "open"
    PENDING = "pending"
    """Waiting for the customer."""
    RESOLVED = "resolved"
    CLOSED = "closed"
    SPAM = "spam"


class Priority(StrEnum):
    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"


class Handoff(StrEnum):
    """Who answers. Every transition is a function in `core/tickets/handoff.py`."""

    AI = "ai"
    REVIEW = "review"
    """The AI has drafted; a person decides."""
    QUEUE = "queue"
    """A person is needed, and none has taken it yet."""
    HUMAN = "human"


class Direction(StrEnum):
    IN = "in"
    OUT = "out"
    NOTE = "note"
    """Seen by people inside only."""


class Author(StrEnum):
    CONTACT = "contact"
    USER = "user"
    AI = "ai"
    SYSTEM = "system"


class Ticket(Row):
    __tablename__ = "tickets"

    number: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(start=1001), unique=True)
    subject: Mapped[str] = mapped_column(default="")
    status: Mapped[Status] = mapped_column(EnumText(Status), default=Status.OPEN)
    priority: Mapped[Priority] = mapped_column(EnumText(Priority), default=Priority.NORMAL)
    type: Mapped[str | None] = mapped_column(default=None)
    handoff: Mapped[Handoff] = mapped_column(EnumText(Handoff), default=Handoff.AI)
    contact_id: Mapped[UUID] = mapped_column(sa.ForeignKey("contacts.id"))
    account_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("channel_accounts.id", ondelete="SET NULL"))
    channel: Mapped[str]
    """The channel on which it began."""
    language: Mapped[str | None] = mapped_column(default=None)
    assignee_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("users.id", ondelete="SET NULL"))
    team_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("teams.id", ondelete="SET NULL"))
    tags: Mapped[list[str]] = mapped_column(default=list)
    custom: Mapped[dict[str, Any]] = mapped_column(default=dict)
    preview: Mapped[str] = mapped_column(default="")
    """The beginning of the newest message, for lists."""
    linked_to_id: Mapped[UUID | None] = mapped_column(default=None)
    """The ticket that this one was split from or points at."""
    event_seq: Mapped[int] = mapped_column(default=0)
    version: Mapped[int] = mapped_column(default=1)
    """Grows with every change of the row; lets a client notice that it is behind."""
    activity_at: Mapped[datetime] = mapped_column(server_default=sa.func.now())
    """When something last happened that people sort by."""
    updated_at: Mapped[datetime] = mapped_column(server_default=sa.func.now())
    customer_at: Mapped[datetime | None] = mapped_column(default=None)
    """When the customer last wrote."""
    first_response_at: Mapped[datetime | None] = mapped_column(default=None)
    resolved_at: Mapped[datetime | None] = mapped_column(default=None)

    __table_args__ = (
        sa.Index("ix_tickets_activity", sa.text("activity_at DESC"), sa.text("id DESC")),
        sa.Index("ix_tickets_status_activity", "status", sa.text("activity_at DESC"), sa.text("id DESC")),
        sa.Index("ix_tickets_handoff_activity", "handoff", "status", sa.text("activity_at DESC"), sa.text("id DESC")),
        sa.Index("ix_tickets_assignee_activity", "assignee_id", sa.text("activity_at DESC"), sa.text("id DESC")),
        sa.Index("ix_tickets_channel_activity", "channel", sa.text("activity_at DESC"), sa.text("id DESC")),
        sa.Index("ix_tickets_team", "team_id"),
        sa.Index("ix_tickets_contact", "contact_id", sa.text("activity_at DESC")),
        sa.Index("ix_tickets_tags", "tags", postgresql_using="gin"),
    )


class Route(Row):
    """Where an answer goes: one conversation with one peer on one account."""

    __tablename__ = "routes"

    ticket_id: Mapped[UUID] = mapped_column(sa.ForeignKey("tickets.id", ondelete="CASCADE"), index=True)
    account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("channel_accounts.id", ondelete="CASCADE"))
    identity_id: Mapped[UUID] = mapped_column(sa.ForeignKey("identities.id", ondelete="CASCADE"))
    conversation: Mapped[str]
    """The provider's name for it. One live route per account and conversation."""
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """The newest `route` of the adapter."""
    active: Mapped[bool] = mapped_column(default=True, server_default=sa.true())

    __table_args__ = (
        sa.Index("uq_routes_live", "account_id", "conversation", unique=True, postgresql_where=sa.text("active")),
    )


class Participant(Base):
    """Whoever stands on the ticket: may write into it by reference, receives copies."""

    __tablename__ = "participants"

    ticket_id: Mapped[UUID] = mapped_column(sa.ForeignKey("tickets.id", ondelete="CASCADE"), primary_key=True)
    identity_id: Mapped[UUID] = mapped_column(sa.ForeignKey("identities.id", ondelete="CASCADE"), primary_key=True)
    role: Mapped[str] = mapped_column(default="requester")
    """`requester` or `copied`."""


class Message(Row):
    __tablename__ = "messages"

    ticket_id: Mapped[UUID] = mapped_column(sa.ForeignKey("tickets.id", ondelete="CASCADE"))
    route_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("routes.id", ondelete="SET NULL"))
    raw_id: Mapped[UUID | None] = mapped_column(default=None)
    direction: Mapped[Direction] = mapped_column(EnumText(Direction))
    author: Mapped[Author] = mapped_column(EnumText(Author))
    author_id: Mapped[UUID | None] = mapped_column(default=None)
    """Contact or user, by `author`."""
    author_name: Mapped[str | None] = mapped_column(default=None)
    external_id: Mapped[str | None] = mapped_column(default=None)
    """The provider's id of an inbound message. Those of outbound ones are on their deliveries."""
    subject: Mapped[str | None] = mapped_column(default=None)
    text: Mapped[str] = mapped_column(default="")
    html: Mapped[str | None] = mapped_column(default=None)
    quoted: Mapped[str | None] = mapped_column(default=None)
    signature: Mapped[str | None] = mapped_column(default=None)
    language: Mapped[str | None] = mapped_column(default=None)
    automation: Mapped[Automation] = mapped_column(EnumText(Automation), default=Automation.NONE)
    authenticity: Mapped[Authenticity] = mapped_column(EnumText(Authenticity), default=Authenticity.UNKNOWN)
    facts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    recipients: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """`{"to": [...], "cc": [...], "bcc": [...]}` of address values."""
    citations: Mapped[list[Any]] = mapped_column(default=list)
    ai: Mapped[dict[str, Any] | None] = mapped_column(default=None)
    """Decision, confidence, composer of an answer by the AI."""
    in_reply_to_id: Mapped[UUID | None] = mapped_column(default=None)
    draft: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    """Held for review; not sent, not seen by the customer."""
    provider_time: Mapped[datetime | None] = mapped_column(default=None)
    edited_at: Mapped[datetime | None] = mapped_column(default=None)
    deleted_at: Mapped[datetime | None] = mapped_column(default=None)
    search: Mapped[Any] = mapped_column(
        pg.TSVECTOR,
        sa.Computed("to_tsvector('simple', left(coalesce(subject, '') || ' ' || text, 100000))", persisted=True),
    )

    __table_args__ = (
        sa.Index("ix_messages_ticket", "ticket_id", "created_at", "id"),
        sa.Index("ix_messages_search", "search", postgresql_using="gin"),
        sa.Index("ix_messages_external", "external_id", postgresql_where=sa.text("external_id IS NOT NULL")),
    )


class ThreadRef(Base):
    """What later messages may point back to: ids of messages in and out, per account."""

    __tablename__ = "thread_refs"

    account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("channel_accounts.id", ondelete="CASCADE"), primary_key=True)
    ref: Mapped[str] = mapped_column(primary_key=True)
    ticket_id: Mapped[UUID] = mapped_column(sa.ForeignKey("tickets.id", ondelete="CASCADE"), index=True)
    message_id: Mapped[UUID] = mapped_column(sa.ForeignKey("messages.id", ondelete="CASCADE"))


class TicketEvent(Base):
    """The timeline: append-only, `seq` without gaps per ticket, `id` for the feed."""

    __tablename__ = "ticket_events"

    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(), primary_key=True)
    ticket_id: Mapped[UUID] = mapped_column(sa.ForeignKey("tickets.id", ondelete="CASCADE"))
    seq: Mapped[int]
    kind: Mapped[str]
    actor: Mapped[Author] = mapped_column(EnumText(Author))
    actor_id: Mapped[UUID | None] = mapped_column(default=None)
    message_id: Mapped[UUID | None] = mapped_column(default=None)
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)
    at: Mapped[datetime] = mapped_column(server_default=sa.func.clock_timestamp())

    __table_args__ = (sa.UniqueConstraint("ticket_id", "seq"),)


class FileState(StrEnum):
    """Where the bytes of a file are."""

    READY = "ready"
    FETCHING = "fetching"
    """Still at the provider."""
    FAILED = "failed"
    """Not to be had; `error_code` says why."""


class Hearing(StrEnum):
    """What becomes of speech in a file."""

    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"


class AttachmentRow(Row):
    __tablename__ = "attachments"

    message_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("messages.id", ondelete="CASCADE"), index=True)
    uploader_id: Mapped[UUID | None] = mapped_column(default=None)
    """Who uploaded it, until it is bound to a message."""
    filename: Mapped[str]
    content_type: Mapped[str]
    """Sniffed from the bytes, not believed."""
    size: Mapped[int]
    """Bytes; before the file is ready, what the provider says, or 0."""
    sha256: Mapped[bytes | None] = mapped_column(default=None)
    blob_key: Mapped[str | None] = mapped_column(default=None)
    """Set once the file is ready."""
    content_id: Mapped[str | None] = mapped_column(default=None)
    inline: Mapped[bool] = mapped_column(default=False)
    state: Mapped[FileState] = mapped_column(EnumText(FileState), default=FileState.READY, server_default="ready")
    source: Mapped[dict[str, Any] | None] = mapped_column(default=None)
    """The adapter's own description of a file that is still at the provider."""
    error_code: Mapped[str | None] = mapped_column(default=None)
    spoken: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    """Whether it is the message itself, spoken."""
    hearing: Mapped[Hearing | None] = mapped_column(EnumText(Hearing), default=None)
    transcript: Mapped[dict[str, Any] | None] = mapped_column(default=None)
    """`{"language", "seconds", "model", "segments": [{"start", "end", "text"}]}`, times in seconds."""
