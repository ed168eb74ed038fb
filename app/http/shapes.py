"""What goes over the wire, shared by several routes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, ConfigDict, StringConstraints

from channels.contract import Authenticity, Automation, Trust
from core.delivery.models import DeliveryState
from core.tickets.models import Author, Direction, FileState, Handoff, Hearing, Priority, Status

T = TypeVar("T")

Limit = Annotated[int, Query(ge=1, le=100, description="Most items in one page.")]
Cursor = Annotated[str | None, Query(max_length=500, description="`next` of the page before.")]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]
Body = Annotated[str, StringConstraints(min_length=1, max_length=200_000)]


class In(BaseModel):
    """A request: closed, so that a misspelt or forbidden field is an error and never ignored."""

    model_config = ConfigDict(extra="forbid")


class Out(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class Page(BaseModel, Generic[T]):
    items: list[T]
    next: str | None = None
    """Cursor of the following page; null at the end."""


class IdentityOut(Out):
    id: UUID
    kind: str
    value: str
    name: str | None
    trust: Trust
    bad_since: datetime | None
    opted_out_at: datetime | None


class ContactOut(Out):
    id: UUID
    name: str | None
    language: str | None
    notes: str | None
    custom: dict[str, Any]
    blocked: bool
    created_at: datetime
    updated_at: datetime
    identities: list[IdentityOut] = []


class ContactBrief(Out):
    id: UUID
    name: str | None
    address: str | None = None
    """The identity by which lists show a nameless contact."""


class UserBrief(Out):
    id: UUID
    name: str
    email: str
    role: str


class TicketOut(Out):
    id: UUID
    number: int
    subject: str
    status: Status
    priority: Priority
    type: str | None
    handoff: Handoff
    channel: str
    account_id: UUID | None
    language: str | None
    contact: ContactBrief
    assignee: UserBrief | None
    team_id: UUID | None
    tags: list[str]
    custom: dict[str, Any]
    preview: str
    linked_to_id: UUID | None
    version: int
    created_at: datetime
    updated_at: datetime
    activity_at: datetime
    customer_at: datetime | None
    first_response_at: datetime | None
    resolved_at: datetime | None


class AttachmentOut(Out):
    id: UUID
    filename: str
    content_type: str
    size: int
    content_id: str | None
    inline: bool
    state: FileState
    """Whether the bytes are here; `fetching` while they are still at the provider."""
    error_code: str | None
    spoken: bool
    """Speech that is the message itself; its transcript is the message's text."""
    hearing: Hearing | None
    transcript: dict[str, Any] | None
    """`{"language", "seconds", "model", "segments": [{"start", "end", "text"}]}`, times in seconds."""
    url: str


class DeliveryOut(Out):
    id: UUID
    ticket_id: UUID
    message_id: UUID
    account_id: UUID
    part: int
    parts: int
    state: DeliveryState
    attempts: int
    external_id: str | None
    error_code: str | None
    error: str | None
    doubtful: bool
    created_at: datetime
    sent_at: datetime | None
    receipt_at: datetime | None


class CitationOut(BaseModel):
    title: str
    url: str | None = None
    article_id: str
    key: str
    version: int
    locale: str
    quote: str


class MessageOut(Out):
    id: UUID
    ticket_id: UUID
    direction: Direction
    author: Author
    author_id: UUID | None
    author_name: str | None
    subject: str | None
    text: str
    html: str | None
    quoted: str | None
    signature: str | None
    language: str | None
    automation: Automation
    authenticity: Authenticity
    facts: dict[str, Any]
    """What else is known: `{"dkim": "pass"}`, or of a forwarded mail `{"forwarded": {"from": {"address", "name"}, …}}`."""
    recipients: dict[str, Any]
    citations: list[CitationOut]
    ai: dict[str, Any] | None
    """Of an answer by the AI: decision, reason, confidence, composer."""
    in_reply_to_id: UUID | None
    draft: bool
    created_at: datetime
    edited_at: datetime | None
    deleted_at: datetime | None
    attachments: list[AttachmentOut] = []
    deliveries: list[DeliveryOut] = []


class EventOut(Out):
    id: int
    ticket_id: UUID
    seq: int
    kind: str
    actor: Author
    actor_id: UUID | None
    message_id: UUID | None
    data: dict[str, Any]
    at: datetime
