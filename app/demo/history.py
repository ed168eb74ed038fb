"""A past for demonstrations and for measuring: contacts, tickets, messages and timelines, written by COPY.

Always the same for the same number, so that two measurements see the same data.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

_BATCH = 2000
_Row = tuple[object, ...]
_NAMES = (
    "Ana Ben Chloé Dmitri Elif Farah Gita Hugo Ines Jonas Keiko Lars Mei Nour Olga Paulo Quinn Rosa Sven Tariq".split()
)
_FAMILIES = "Adler Bruno Costa Dahl Evans Ferrari Gruber Haddad Ito Jansen Kowalski Lopez Moreau Novak Okafor".split()
_THINGS = "tent,rucksack,pair of boots,stove,sleeping mat,rain jacket,pannier,lamp,rope,water filter".split(",")
_TROUBLES = [
    (
        "{thing} has not arrived",
        "I ordered a {thing} two weeks ago and the parcel has not arrived. Can you look where it is?",
    ),
    ("Return of my {thing}", "The {thing} does not suit me. How do I send it back, and who pays for the parcel?"),
    ("{thing}: a part is broken", "A part of my {thing} broke on the second day. Is this covered by the warranty?"),
    ("Wrong size", "The {thing} is too small. Can I exchange it for a larger one before Friday?"),
    ("Invoice for a {thing}", "I need an invoice with the VAT number of my company for the {thing} that I bought."),
    ("Refund for the {thing}", "You have had my {thing} back for ten days. When will I see the money?"),
]
_ANSWERS = [
    "Thank you for writing. The parcel with your {thing} is on its way; the carrier expects to deliver it tomorrow.",
    "You can send the {thing} back within thirty days; the label is in your account and costs you nothing.",
    "I am sorry about the {thing}. Please send us a picture of the part, and we will send you a new one.",
]
_STATUSES = ["open"] * 2 + ["pending"] * 2 + ["resolved"] * 4 + ["closed"] * 8
_HANDOFFS = ["ai"] * 5 + ["queue"] + ["human"] * 3
_CHANNELS = ["email"] * 3 + ["chat_widget"] * 2


class Fill:
    """Writes `tickets` tickets with four messages each; iterating does the work, batch by batch."""

    def __init__(self, url: str, tickets: int) -> None:
        self.url = url.replace("postgresql+psycopg://", "postgresql://")
        self.tickets = tickets
        self.batches = -(-tickets // _BATCH)

    def __iter__(self) -> Iterator[int]:
        random_ = random.Random(f"autocrm history {self.tickets}")  # noqa: S311 - test data
        with psycopg.connect(self.url) as connection:
            accounts = {
                row[0]: row[1]
                for row in connection.execute("SELECT channel, id FROM channel_accounts ORDER BY created_at DESC")
            }
            users = [row[0] for row in connection.execute("SELECT id FROM users WHERE role <> 'customer'")]
            now = datetime.now(UTC)
            for batch in range(self.batches):
                count = min(_BATCH, self.tickets - batch * _BATCH)
                _write(connection, random_, count, batch * _BATCH, self.tickets, now, accounts, users)
                connection.commit()
                yield batch
            with psycopg.connect(self.url, autocommit=True) as vacuum:
                vacuum.execute("ANALYZE tickets, messages, contacts, identities, ticket_events, routes, deliveries")


def _uuid(random_: random.Random, at: datetime) -> UUID:
    """A UUIDv7 of the past."""
    milliseconds = int(at.timestamp() * 1000)
    value = milliseconds << 80 | 0x7 << 76 | random_.getrandbits(12) << 64 | 0b10 << 62 | random_.getrandbits(62)
    return UUID(int=value)


def _write(
    connection: psycopg.Connection[tuple[object, ...]],
    random_: random.Random,
    count: int,
    first: int,
    total: int,
    now: datetime,
    accounts: dict[str, UUID],
    users: list[UUID],
) -> None:
    contacts: list[_Row] = []
    identities: list[_Row] = []
    tickets: list[_Row] = []
    routes: list[_Row] = []
    messages: list[_Row] = []
    events: list[_Row] = []
    for number in range(first, first + count):
        began = now - timedelta(days=540 * (1 - number / total), seconds=random_.random() * 600)
        name = f"{random_.choice(_NAMES)} {random_.choice(_FAMILIES)}"
        contact, ticket, route = (_uuid(random_, began) for _ in range(3))
        channel = random_.choice(_CHANNELS)
        address = (
            f"{name.split(maxsplit=1)[0].lower()}.{number}@customer.example" if channel == "email" else f"{ticket.hex}"
        )
        kind = "email" if channel == "email" else "visitor"
        thing = random_.choice(_THINGS)
        subject, question = (text.format(thing=thing) for text in random_.choice(_TROUBLES))
        status, handoff = random_.choice(_STATUSES), random_.choice(_HANDOFFS)
        assignee = random_.choice(users) if users and handoff == "human" else None
        contacts.append((contact, began, name, "en", Jsonb({}), began))
        identities.append((_uuid(random_, began), began, contact, kind, address, name, "claimed"))
        account = accounts.get(channel)
        at, last = began, ""
        message_rows = []
        for turn in range(4):
            inward = turn % 2 == 0
            text = (
                (question if turn == 0 else random_.choice(_ANSWERS).format(thing=thing))
                if not inward or turn == 0
                else (
                    f"Thank you. One more thing about the {thing}: order {random_.randint(100000, 999999)}, please check it."
                )
            )
            author = "contact" if inward else "ai" if handoff == "ai" else "user"
            author_id = contact if inward else assignee
            message_rows.append(
                (_uuid(random_, at), at, ticket, route if account else None, "in" if inward else "out", author,
                 author_id, name if inward else "Robin", subject, text, "en", "none", "unknown",
                 Jsonb({}), Jsonb({}), Jsonb([]))
            )  # fmt: skip
            events.append(
                (ticket, turn + 1, "message.received" if inward else "message.replied", author, author_id,
                 message_rows[-1][0], Jsonb({}), at)
            )  # fmt: skip
            last = text
            at += timedelta(minutes=random_.randint(2, 600))
        at = min(at, now)
        messages += message_rows
        tickets.append(
            (ticket, began, subject, status, random_.choice(["low", "normal", "normal", "high"]), handoff, contact, account,
             channel, "en", assignee, random_.sample(["refund", "parcel", "size", "warranty", "vip"], random_.randint(0, 2)),
             Jsonb({}), last[:200], 4, 4, at, at, at, began + timedelta(minutes=5),
             at if status in ("resolved", "closed") else None)
        )  # fmt: skip
        if account:
            routes.append((route, began, ticket, account, identities[-1][0], f"past:{ticket.hex}", Jsonb({}), True))
    for table, columns, rows in (
        ("contacts", "id, created_at, name, language, custom, updated_at", contacts),
        ("identities", "id, created_at, contact_id, kind, value, name, trust", identities),
        ("tickets", "id, created_at, subject, status, priority, handoff, contact_id, account_id, channel, language, "
         "assignee_id, tags, custom, preview, event_seq, version, activity_at, updated_at, customer_at, first_response_at, "
         "resolved_at", tickets),
        ("routes", "id, created_at, ticket_id, account_id, identity_id, conversation, data, active", routes),
        ("messages", "id, created_at, ticket_id, route_id, direction, author, author_id, author_name, subject, text, "
         "language, automation, authenticity, facts, recipients, citations", messages),
        ("ticket_events", "ticket_id, seq, kind, actor, actor_id, message_id, data, at", events),
    ):  # fmt: skip
        with connection.cursor().copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
