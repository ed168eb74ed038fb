"""What is to be known before a message can be placed: who wrote, who has a copy, whether it is known, which ticket.

One round trip. People who are new are made on the way: the unique key on their address decides a race.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from channels.contract import Address, Capabilities, MessageReceived, Trust
from core.db import Statement, pipelined
from core.ids import new_id
from core.intake.threading import Thread, questions, thread_of
from core.tickets.models import Direction

COPIES_MAX = 50
"""People of one message who may write into its ticket; a list of thousands is no conversation."""

_MAKE_PERSON = """
    WITH made AS (
        INSERT INTO identities (id, contact_id, kind, value, name, trust)
        SELECT %(id)s, %(contact_id)s, %(kind)s, %(value)s, %(name)s, %(trust)s
        WHERE %(sender)s OR NOT EXISTS (SELECT 1 FROM channel_accounts WHERE recipient_key = %(value)s)
        ON CONFLICT (kind, value) DO NOTHING
        RETURNING contact_id
    )
    INSERT INTO contacts (id, name, language, custom)
    SELECT contact_id, %(name)s, %(language)s, '{}'::jsonb FROM made
"""
# The contact is the one that is left after all merges.
_PERSON = """
    WITH RECURSIVE identity AS (
        SELECT id, contact_id, name, trust FROM identities WHERE kind = %(kind)s AND value = %(value)s
    ),
    line AS (
        SELECT contacts.* FROM contacts JOIN identity ON identity.contact_id = contacts.id
        UNION ALL
        SELECT contacts.* FROM contacts JOIN line ON line.merged_into_id = contacts.id
    )
    SELECT identity.id, identity.name AS known_as, identity.trust, line.id AS contact_id, line.name, line.language,
           line.blocked
    FROM identity, line WHERE line.merged_into_id IS NULL
"""
_COPIES = """
    SELECT id FROM identities
    WHERE kind = %(kind)s AND value = ANY(%(values)s)
      AND NOT EXISTS (SELECT 1 FROM channel_accounts WHERE recipient_key = identities.value)
"""
_KNOWN = """
    SELECT messages.ticket_id, messages.direction, messages.author_id, messages.text
    FROM thread_refs JOIN messages ON messages.id = thread_refs.message_id
    WHERE thread_refs.account_id = %(account_id)s AND thread_refs.ref = %(ref)s
"""


@dataclass(frozen=True, slots=True)
class Person:
    """Whoever stands behind an address: its identity, and the contact it belongs to."""

    identity_id: UUID
    known_as: str | None
    trust: Trust
    contact_id: UUID
    name: str | None
    language: str | None
    blocked: bool


@dataclass(frozen=True, slots=True)
class Sight:
    sender: Person
    copies: tuple[UUID, ...]
    """Identities of other people who received the message; none of our own addresses is among them."""
    known: Mapping[str, Any] | None
    """The message that was stored under this external id before."""
    thread: Thread

    def repeats(self, event: MessageReceived) -> bool:
        """Whether it is the same message again, and not merely another one under the same id."""
        return (
            self.known is not None
            and self.known["direction"] == Direction.IN
            and self.known["author_id"] == self.sender.contact_id
            and self.known["text"] == event.text
        )


def _make(address: Address, language: str | None, *, sender: bool) -> Statement:
    return _MAKE_PERSON, {
        "id": new_id(),
        "contact_id": new_id(),
        "kind": address.kind,
        "value": address.value,
        "name": address.name,
        "trust": address.trust.value,
        "language": language,
        "sender": sender,
    }


async def look(session: AsyncSession, account_id: UUID, capabilities: Capabilities, event: MessageReceived) -> Sight:
    """Everything about `event` that stands in the database."""
    sender = event.sender
    others = {
        address.value: address
        for address in (*event.to, *event.cc)
        if address.kind == sender.kind and address.value != sender.value
    }
    copied = list(others.values())[: COPIES_MAX - 1]
    asked: list[Statement] = [_make(sender, event.language, sender=True)]
    asked += [_make(address, None, sender=False) for address in copied]
    answered = len(asked)
    asked.append((_PERSON, {"kind": sender.kind, "value": sender.value}))
    asked.append((_KNOWN, {"account_id": account_id, "ref": event.external_id}))
    if copied:
        asked.append((_COPIES, {"kind": sender.kind, "values": [address.value for address in copied]}))
    asked += questions(account_id, capabilities, event)
    results = await pipelined(session, asked)
    (person,), known, *rest = [await result.fetchall() for result in results[answered:]]
    copies: Sequence[Mapping[str, Any]] = rest.pop(0) if copied else ()
    return Sight(
        sender=Person(
            identity_id=person["id"],
            known_as=person["known_as"],
            trust=Trust(person["trust"]),
            contact_id=person["contact_id"],
            name=person["name"],
            language=person["language"],
            blocked=person["blocked"],
        ),
        copies=tuple(row["id"] for row in copies),
        known=known[0] if known else None,
        thread=thread_of(capabilities, event, rest),
    )
