"""Who may see and do what. The one place that decides it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from core.errors import Forbidden
from core.people.models import Role, Team
from core.tickets.models import Direction, Message, Ticket


class Scope(StrEnum):
    """What an API key may be limited to."""

    TICKETS_READ = "tickets:read"
    TICKETS_WRITE = "tickets:write"
    CONTACTS_READ = "contacts:read"
    CONTACTS_WRITE = "contacts:write"
    KNOWLEDGE_READ = "knowledge:read"
    KNOWLEDGE_WRITE = "knowledge:write"
    CHANNELS_READ = "channels:read"
    CHANNELS_WRITE = "channels:write"
    PEOPLE_READ = "people:read"
    PEOPLE_WRITE = "people:write"
    OPERATION_READ = "operation:read"
    OPERATION_WRITE = "operation:write"
    AI_USE = "ai:use"


_READS = {Scope.TICKETS_READ, Scope.CONTACTS_READ, Scope.KNOWLEDGE_READ, Scope.CHANNELS_READ, Scope.PEOPLE_READ}
ALLOWED: dict[Role, frozenset[Scope]] = {
    Role.ADMIN: frozenset(Scope),
    Role.AGENT: frozenset({*_READS, Scope.TICKETS_WRITE, Scope.CONTACTS_WRITE, Scope.AI_USE}),
    Role.REVIEWER: frozenset({*_READS, Scope.TICKETS_WRITE, Scope.KNOWLEDGE_WRITE, Scope.AI_USE}),
    Role.CUSTOMER: frozenset({Scope.TICKETS_READ, Scope.TICKETS_WRITE}),
}


@dataclass(frozen=True, slots=True)
class Principal:
    """Whoever makes a request: a user with a session, or an API key."""

    kind: str
    """`user` or `key`."""
    id: UUID
    role: Role
    name: str = ""
    scopes: frozenset[Scope] = field(default_factory=frozenset)
    """Everything it may do: the role's, narrowed by the key's."""
    team_ids: frozenset[UUID] = field(default_factory=frozenset)
    contact_id: UUID | None = None
    session_id: UUID | None = None

    @property
    def ref(self) -> str:
        """As audit and idempotency name it."""
        return f"{self.kind}:{self.id}"

    @property
    def user_id(self) -> UUID | None:
        return self.id if self.kind == "user" else None

    @property
    def inside(self) -> bool:
        """Whether it belongs to the company."""
        return self.role is not Role.CUSTOMER


def allowed(role: Role, key_scopes: list[str] | None = None) -> frozenset[Scope]:
    """The scopes of a role, narrowed by those of a key where it names any."""
    granted = ALLOWED[role]
    if key_scopes:
        granted &= {Scope(scope) for scope in key_scopes}
    return granted


def require(principal: Principal, scope: Scope) -> None:
    """Raises Forbidden."""
    if scope not in principal.scopes:
        raise Forbidden("scope_missing", f"this needs the permission {scope.value}", scope=scope.value)


def visible_tickets(principal: Principal) -> sa.ColumnElement[bool]:
    """The condition under which a row of `tickets` exists for this principal."""
    if principal.role is Role.ADMIN:
        return sa.true()
    if principal.role is Role.CUSTOMER:
        return Ticket.contact_id == principal.contact_id if principal.contact_id else sa.false()
    hidden = sa.select(Team.id).where(Team.private, Team.id.not_in(principal.team_ids or [UUID(int=0)]))
    return sa.or_(Ticket.team_id.is_(None), Ticket.team_id.not_in(hidden), Ticket.assignee_id == principal.id)


def visible_messages(principal: Principal) -> sa.ColumnElement[bool]:
    """The condition for rows of `messages` on a ticket that the principal sees: customers see no notes, no drafts."""
    if principal.inside:
        return sa.true()
    return sa.and_(Message.direction != Direction.NOTE, Message.draft.is_(False))


def scoped(statement: sa.Select[Any], principal: Principal) -> sa.Select[Any]:
    """`statement` over tickets, narrowed to what the principal may see."""
    return statement.where(visible_tickets(principal))
