"""Imports every table, for migrations and for relationship resolution."""

from core.accounts.models import ChannelAccount
from core.contacts.models import Contact, Identity, Organisation
from core.db import Base
from core.delivery.models import Delivery
from core.intake.models import Raw
from core.jobs.models import Job
from core.knowledge.models import Article, ArticleVersion, Chunk, ChunkVector
from core.people.models import (
    ApiKey,
    Audit,
    IdempotencyKey,
    PasswordReset,
    Session,
    Team,
    TeamMember,
    User,
    VisitorSession,
)
from core.tickets.models import AttachmentRow, Message, Participant, Route, ThreadRef, Ticket, TicketEvent

metadata = Base.metadata

__all__ = [
    "ApiKey", "Article", "ArticleVersion", "AttachmentRow", "Audit", "Base", "ChannelAccount", "Chunk", "ChunkVector",
    "Contact", "Delivery", "IdempotencyKey", "Identity", "Job", "Message", "Organisation", "Participant",
    "PasswordReset", "Raw", "Route", "Session", "Team", "TeamMember", "ThreadRef", "Ticket", "TicketEvent", "User",
    "VisitorSession", "metadata",
]  # fmt: skip
