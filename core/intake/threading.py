"""Which ticket a message belongs to, by evidence alone: never by a subject."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from channels.contract import Capabilities, MessageReceived, Threads
from core.db import Statement
from core.tickets.models import Status

_ROUTE = "route:"

# Whether the sender, under any name of theirs, stands on the ticket.
_TAKES_PART = """
    EXISTS (SELECT 1 FROM identities sender
            JOIN identities own ON own.contact_id = sender.contact_id
            JOIN participants ON participants.identity_id = own.id AND participants.ticket_id = tickets.id
            WHERE sender.kind = %(kind)s AND sender.value = %(value)s) AS takes_part
"""
_BY_ROUTE = f"""
    SELECT %(prefix)s || routes.id AS ref, routes.id AS route_id, routes.identity_id, tickets.id AS ticket_id,
           tickets.status, {_TAKES_PART}
    FROM routes JOIN tickets ON tickets.id = routes.ticket_id
    WHERE routes.id = ANY(%(routes)s) AND routes.account_id = %(account_id)s
"""  # noqa: S608 - a constant of this page
_BY_REFERENCE = f"""
    SELECT thread_refs.ref, NULL::uuid AS route_id, NULL::uuid AS identity_id, tickets.id AS ticket_id,
           tickets.status, {_TAKES_PART}
    FROM thread_refs JOIN tickets ON tickets.id = thread_refs.ticket_id
    WHERE thread_refs.account_id = %(account_id)s AND thread_refs.ref = ANY(%(plain)s)
"""  # noqa: S608
_BY_CONVERSATION = """
    SELECT routes.id AS route_id, routes.identity_id, tickets.id AS ticket_id, tickets.status
    FROM routes JOIN tickets ON tickets.id = routes.ticket_id
    WHERE routes.account_id = %(account_id)s AND routes.conversation = %(conversation)s AND routes.active
"""

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Thread:
    """Where a message goes. Without a ticket it opens one, linked to `linked_to_id` where it pointed at a strange one."""

    ticket_id: UUID | None = None
    route_id: UUID | None = None
    route_identity_id: UUID | None = None
    """Whose the route is."""
    linked_to_id: UUID | None = None
    reason: str | None = None


def questions(account_id: UUID, capabilities: Capabilities, event: MessageReceived) -> list[Statement]:
    """What has to be asked to know the thread of a message whose sender is known already."""
    if capabilities.threads is not Threads.REFERENCES:
        return [(_BY_CONVERSATION, {"account_id": account_id, "conversation": event.conversation})]
    values = {"account_id": account_id, "kind": event.sender.kind, "value": event.sender.value}
    asked: list[Statement] = []
    if routes := [route for ref in event.thread_refs if (route := _route_of(ref)) is not None]:
        asked.append((_BY_ROUTE, {**values, "prefix": _ROUTE, "routes": routes}))
    if plain := [ref for ref in event.thread_refs if not ref.startswith(_ROUTE)]:
        asked.append((_BY_REFERENCE, {**values, "plain": plain}))
    return asked


def thread_of(capabilities: Capabilities, event: MessageReceived, answers: Sequence[Rows]) -> Thread:
    """The thread of a message, by the answers to its questions.

    Where the provider vouches for the conversation, that is the thread. Where the sender merely claims it by
    references, the sender must stand on the ticket; otherwise the message opens a ticket of its own, linked.
    """
    found = [row for rows in answers for row in rows]
    if capabilities.threads is not Threads.REFERENCES:
        return _by_conversation(found)
    by_ref = {row["ref"]: row for row in found}
    # Our own routes are the stronger evidence: they are signed.
    strongest = sorted(event.thread_refs, key=lambda ref: not ref.startswith(_ROUTE))
    row = next((by_ref[ref] for ref in map(_canonical, strongest) if ref in by_ref), None)
    if row is None:
        return Thread()
    if row["status"] == Status.SPAM:
        return Thread(linked_to_id=row["ticket_id"], reason="spam")
    if not row["takes_part"]:
        return Thread(linked_to_id=row["ticket_id"], reason="sender_not_on_ticket")
    return Thread(row["ticket_id"], row["route_id"], row["identity_id"])


def _by_conversation(found: Rows) -> Thread:
    if not found:
        return Thread()
    row = found[0]
    if row["status"] in (Status.CLOSED, Status.SPAM):
        # A conversation that never ends is still told in tickets that do.
        return Thread(linked_to_id=row["ticket_id"], reason="continues")
    return Thread(row["ticket_id"], row["route_id"], row["identity_id"])


def _route_of(ref: str) -> UUID | None:
    if not ref.startswith(_ROUTE):
        return None
    try:
        return UUID(ref.removeprefix(_ROUTE))
    except ValueError:
        return None


def _canonical(ref: str) -> str:
    route = _route_of(ref)
    return ref if route is None else f"{_ROUTE}{route}"
