"""The rows of a message that has come in, as statements. They are sent together, in one round trip."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from channels.contract import Automation, MessageReceived
from core.db import Statement
from core.ids import new_id
from core.intake.sight import Person
from core.tickets.models import FileState, Hearing, Ticket, TicketEvent

_TICKET = """
    INSERT INTO tickets (id, subject, status, priority, handoff, contact_id, account_id, channel, language, tags,
                         custom, preview, linked_to_id, event_seq, version, customer_at)
    VALUES (%(id)s, %(subject)s, %(status)s, %(priority)s, %(handoff)s, %(contact_id)s, %(account_id)s, %(channel)s,
            %(language)s, '{}', '{}', %(preview)s, %(linked_to_id)s, %(event_seq)s, %(version)s,
            CASE WHEN %(by_person)s THEN now() END)
"""
_OLD_ROUTE = """
    UPDATE routes SET active = false
    WHERE account_id = %(account_id)s AND conversation = %(conversation)s AND active
"""
_ROUTE = """
    INSERT INTO routes (id, ticket_id, account_id, identity_id, conversation, data)
    VALUES (%(id)s, %(ticket_id)s, %(account_id)s, %(identity_id)s, %(conversation)s, CAST(%(data)s AS jsonb))
"""
_ROUTE_DATA = "UPDATE routes SET data = CAST(%(data)s AS jsonb) WHERE id = %(id)s"
_MESSAGE = """
    INSERT INTO messages (id, ticket_id, route_id, raw_id, direction, author, author_id, author_name, external_id,
                          subject, text, html, quoted, signature, language, automation, authenticity, facts, recipients,
                          citations, provider_time)
    VALUES (%(id)s, %(ticket_id)s, %(route_id)s, %(raw_id)s, 'in', 'contact', %(author_id)s, %(author_name)s,
            %(external_id)s, %(subject)s, %(text)s, %(html)s, %(quoted)s, %(signature)s, %(language)s, %(automation)s,
            %(authenticity)s, CAST(%(facts)s AS jsonb), CAST(%(recipients)s AS jsonb), '[]', %(provider_time)s)
"""
_REF = """
    INSERT INTO thread_refs (account_id, ref, ticket_id, message_id)
    VALUES (%(account_id)s, %(ref)s, %(ticket_id)s, %(message_id)s) ON CONFLICT DO NOTHING
"""
_FILE = """
    INSERT INTO attachments (id, message_id, filename, content_type, size, sha256, blob_key, content_id, inline, state,
                             source, spoken, hearing)
    VALUES (%(id)s, %(message_id)s, %(filename)s, %(content_type)s, %(size)s, %(sha256)s, %(blob_key)s, %(content_id)s,
            %(inline)s, %(state)s, CAST(%(source)s AS jsonb), %(spoken)s, %(hearing)s)
"""
_EVENT = """
    INSERT INTO ticket_events (ticket_id, seq, kind, actor, actor_id, message_id, data)
    VALUES (%(ticket_id)s, %(seq)s, %(kind)s, %(actor)s, %(actor_id)s, %(message_id)s, CAST(%(data)s AS jsonb))
"""
_PARTICIPANT = """
    INSERT INTO participants (ticket_id, identity_id, role) VALUES (%(ticket_id)s, %(identity_id)s, %(role)s)
    ON CONFLICT DO NOTHING
"""
_PERSON_KNOWN_BETTER = """
    UPDATE identities SET trust = %(trust)s, name = coalesce(name, %(name)s) WHERE id = %(id)s
"""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """An attachment whose bytes are durable already, or are still at the provider."""

    filename: str
    content_type: str
    size: int
    content_id: str | None
    inline: bool
    sha256: bytes | None = None
    blob_key: str | None = None
    source: Mapping[str, Any] | None = None
    """How the adapter gets at the bytes, where they are not here."""
    spoken: bool = False
    heard: bool = False
    """Whether it is to be transcribed."""
    id: UUID = field(default_factory=new_id)


def ticket(made: Ticket, *, by_person: bool) -> Statement:
    """A new ticket, as it stands when its first message has been dealt with."""
    return _TICKET, {
        "id": made.id,
        "subject": made.subject,
        "status": made.status.value,
        "priority": made.priority.value,
        "handoff": made.handoff.value,
        "contact_id": made.contact_id,
        "account_id": made.account_id,
        "channel": made.channel,
        "language": made.language,
        "preview": made.preview,
        "linked_to_id": made.linked_to_id,
        "event_seq": made.event_seq,
        "version": made.version,
        "by_person": by_person,
    }


def route(
    route_id: UUID, ticket_id: UUID, account_id: UUID, identity_id: UUID, conversation: str, data: dict[str, Any]
) -> list[Statement]:
    """A new live route; the one that the conversation had before is history."""
    values = {"account_id": account_id, "conversation": conversation}
    row = {**values, "id": route_id, "ticket_id": ticket_id, "identity_id": identity_id, "data": json.dumps(data)}
    return [(_OLD_ROUTE, values), (_ROUTE, row)]


def route_data(route_id: UUID, data: dict[str, Any]) -> Statement:
    return _ROUTE_DATA, {"id": route_id, "data": json.dumps(data)}


def message(
    message_id: UUID,
    ticket_id: UUID,
    route_id: UUID,
    account_id: UUID,
    raw_id: UUID,
    sender: Person,
    event: MessageReceived,
    files: Sequence[StoredFile],
) -> list[Statement]:
    """The message with its files, findable under its external id unless that is taken."""
    row = {
        "id": message_id,
        "ticket_id": ticket_id,
        "route_id": route_id,
        "raw_id": raw_id,
        "author_id": sender.contact_id,
        "author_name": event.sender.name or sender.name or event.sender.value,
        "external_id": event.external_id,
        "subject": event.subject,
        "text": event.text,
        "html": event.html,
        "quoted": event.quoted,
        "signature": event.signature,
        "language": event.language,
        "automation": event.automation.value,
        "authenticity": event.authenticity.value,
        "facts": json.dumps(dict(event.facts)),
        "recipients": json.dumps(
            {"to": [address.value for address in event.to], "cc": [address.value for address in event.cc]}
        ),
        "provider_time": event.provider_time,
    }
    ref = {"account_id": account_id, "ref": event.external_id, "ticket_id": ticket_id, "message_id": message_id}
    made: list[Statement] = [(_MESSAGE, row), (_REF, ref)]
    for file in files:
        values = {
            "id": file.id,
            "message_id": message_id,
            "filename": file.filename,
            "content_type": file.content_type,
            "size": file.size,
            "sha256": file.sha256,
            "blob_key": file.blob_key,
            "content_id": file.content_id,
            "inline": file.inline,
            "state": FileState.FETCHING.value if file.blob_key is None else FileState.READY.value,
            "source": None if file.source is None else json.dumps(dict(file.source)),
            "spoken": file.spoken,
            "hearing": Hearing.WAITING.value if file.heard else None,
        }
        made.append((_FILE, values))
    return made


def events(recorded: Sequence[TicketEvent]) -> list[Statement]:
    """The timeline's, in the order recorded."""
    return [
        (
            _EVENT,
            {
                "ticket_id": event.ticket_id,
                "seq": event.seq,
                "kind": event.kind,
                "actor": event.actor.value,
                "actor_id": event.actor_id,
                "message_id": event.message_id,
                "data": json.dumps(event.data),
            },
        )
        for event in recorded
    ]


def participants(ticket_id: UUID, sender: Person, copies: Sequence[UUID]) -> list[Statement]:
    """The sender and whoever received a copy may write into this ticket by reference."""
    roles = {sender.identity_id: "requester"} | dict.fromkeys(copies, "copied")
    return [
        (_PARTICIPANT, {"ticket_id": ticket_id, "identity_id": identity_id, "role": role})
        for identity_id, role in roles.items()
    ]


def known_better(sender: Person, event: MessageReceived) -> list[Statement]:
    """Trust in an address only grows; a name is kept once there is one."""
    stronger = event.sender.trust.rank > sender.trust.rank
    named = sender.known_as is None and bool(event.sender.name)
    if not stronger and not named:
        return []
    trust = event.sender.trust if stronger else sender.trust
    return [(_PERSON_KNOWN_BETTER, {"id": sender.identity_id, "trust": trust.value, "name": event.sender.name})]


def by_person(event: MessageReceived) -> bool:
    """Whether somebody wrote it, rather than a machine."""
    return event.automation is Automation.NONE
