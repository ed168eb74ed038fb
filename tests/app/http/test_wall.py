"""The inner wall: every door of the house × everybody who must not go through it, each with somebody who may.

The doors are read from the application itself, so a new one without an entry here fails the test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app.http.main import create_app
from core.people.access import ALLOWED, Scope
from core.people.models import Role
from tests.app.http.conftest import bearer, cookie
from tests.app.http.sockets import Closed, connected
from tests.app.http.world import World, seed, snapshot
from tests.factories.people import PASSWORD

REFUSED = {401, 403, 404}


@dataclass(frozen=True)
class Door:
    """What stands behind one operation, and a request that the right ones get a 2xx for."""

    scope: Scope | None = None
    """None: whoever is signed in."""
    public: bool = False
    json: Callable[[dict[str, str]], Any] | None = None
    params: Callable[[dict[str, str]], dict[str, str]] | None = None
    files: bool = False
    path: dict[str, str] | None = None
    """Path parameters, as names in the world's ids, where they differ from the parameter's own name."""
    on_ticket: bool = False
    """Bound to the private team's ticket."""
    listing: bool = False
    """Answers 200 to those of other teams, but holds nothing of theirs."""
    own: bool = False
    """A customer may do it with a ticket of their own."""
    passed: frozenset[int] = frozenset({200, 201, 202, 204})
    """What shows that the request came through the wall."""


T = Scope
DOORS: dict[str, Door] = {
    "GET /api/v1/session": Door(),
    "POST /api/v1/session": Door(public=True, json=lambda i: {"email": i["admin_email"], "password": PASSWORD}),
    "DELETE /api/v1/session": Door(),
    "POST /api/v1/password-resets": Door(public=True, json=lambda i: {"email": i["admin_email"]}),
    "PUT /api/v1/password-resets": Door(public=True, json=lambda i: {"token": i["reset"], "password": "a new password"}),
    "GET /api/v1/tickets": Door(T.TICKETS_READ, on_ticket=True, listing=True, own=True, params=lambda i: {"q": i["mark"]}),
    "POST /api/v1/tickets": Door(
        T.TICKETS_WRITE, json=lambda i: {"account_id": i["account_id"], "to": "robin", "text": "Hello"}
    ),
    "GET /api/v1/tickets/{ticket_id}": Door(T.TICKETS_READ, on_ticket=True, own=True),
    "PATCH /api/v1/tickets/{ticket_id}": Door(T.TICKETS_WRITE, on_ticket=True, json=lambda i: {"subject": "Other"}),
    # The message was not forwarded: 409 says that the wall was passed.
    "POST /api/v1/tickets/{ticket_id}/requester": Door(
        T.TICKETS_WRITE, on_ticket=True, passed=frozenset({409}), json=lambda i: {"message_id": i["message_id"]}
    ),
    "GET /api/v1/tickets/{ticket_id}/messages": Door(T.TICKETS_READ, on_ticket=True, own=True),
    "GET /api/v1/tickets/{ticket_id}/events": Door(T.TICKETS_READ, on_ticket=True),
    "POST /api/v1/tickets/{ticket_id}/replies": Door(T.TICKETS_WRITE, on_ticket=True, json=lambda i: {"text": "Hello"}),
    "POST /api/v1/tickets/{ticket_id}/forward": Door(T.TICKETS_WRITE, on_ticket=True, json=lambda i: {"to": "robin"}),
    "POST /api/v1/tickets/{ticket_id}/notes": Door(T.TICKETS_WRITE, on_ticket=True, json=lambda i: {"text": "Psst"}),
    "POST /api/v1/tickets/{ticket_id}/handoff": Door(T.TICKETS_WRITE, on_ticket=True, json=lambda i: {"to": "queue"}),
    "POST /api/v1/tickets/{ticket_id}/messages/{message_id}/verdict": Door(
        T.TICKETS_WRITE, on_ticket=True, json=lambda i: {"accept": True}
    ),
    "GET /api/v1/contacts": Door(T.CONTACTS_READ),
    "POST /api/v1/contacts": Door(T.CONTACTS_WRITE, json=lambda i: {"name": "Wren"}),
    "GET /api/v1/contacts/{contact_id}": Door(T.CONTACTS_READ),
    "PATCH /api/v1/contacts/{contact_id}": Door(T.CONTACTS_WRITE, json=lambda i: {"name": "Wren"}),
    "POST /api/v1/attachments": Door(T.TICKETS_WRITE, files=True, own=True),
    "GET /api/v1/attachments/{attachment_id}": Door(T.TICKETS_READ, on_ticket=True, own=True),
    "GET /api/v1/channel-types": Door(T.CHANNELS_READ),
    "GET /api/v1/channels": Door(T.CHANNELS_READ),
    "POST /api/v1/channels": Door(T.CHANNELS_WRITE, json=lambda i: {"channel": "raven", "name": "Raven"}),
    "GET /api/v1/channels/{account_id}": Door(T.CHANNELS_READ),
    "PATCH /api/v1/channels/{account_id}": Door(T.CHANNELS_WRITE, json=lambda i: {"name": "Dove"}),
    "GET /api/v1/channels/{account_id}/health": Door(T.CHANNELS_READ),
    "POST /api/v1/channels/{account_id}/check": Door(T.CHANNELS_WRITE),
    # The world's mailbox has a password, and no state is under way: 409 and the way to the page say that the wall was passed.
    "POST /api/v1/channels/{account_id}/authorise": Door(
        T.CHANNELS_WRITE, path={"account_id": "mail_account_id"}, passed=frozenset({409})
    ),
    "GET /api/v1/oauth/callback": Door(T.CHANNELS_WRITE, params=lambda i: {"state": "x"}, passed=frozenset({303})),
    "GET /api/v1/channels/{account_id}/verifications": Door(T.CHANNELS_WRITE),
    "GET /api/v1/articles": Door(T.KNOWLEDGE_READ),
    "POST /api/v1/articles": Door(
        T.KNOWLEDGE_WRITE, json=lambda i: {"key": "eggs", "locale": "en", "title": "Eggs", "body": "About eggs."}
    ),
    "GET /api/v1/articles/{article_id}": Door(T.KNOWLEDGE_READ),
    "GET /api/v1/search": Door(T.KNOWLEDGE_READ, params=lambda i: {"q": "nests"}),
    "POST /api/v1/ai/answer": Door(T.AI_USE, json=lambda i: {"question": "How do I build nests?", "locale": "en"}),
    "GET /api/v1/deliveries": Door(T.TICKETS_READ, on_ticket=True, listing=True),
    "POST /api/v1/deliveries/{delivery_id}/settle": Door(
        T.TICKETS_WRITE, on_ticket=True, json=lambda i: {"send_again": False}
    ),
    "GET /api/v1/raws": Door(T.OPERATION_READ),
    "POST /api/v1/raws/{raw_id}/replay": Door(T.OPERATION_WRITE),
    "GET /api/v1/jobs": Door(T.OPERATION_READ),
    "POST /api/v1/jobs/{job_id}/replay": Door(T.OPERATION_WRITE),
    "GET /api/v1/users": Door(T.PEOPLE_READ),
    "POST /api/v1/users": Door(
        T.PEOPLE_WRITE, json=lambda i: {"email": f"new-{i['mark']}@house.example", "name": "New", "role": "agent"}
    ),
    "PATCH /api/v1/users/{user_id}": Door(T.PEOPLE_WRITE, json=lambda i: {"name": "Renamed"}),
    "GET /api/v1/keys": Door(T.PEOPLE_WRITE),
    "POST /api/v1/keys": Door(T.PEOPLE_WRITE, json=lambda i: {"name": "Key", "role": "agent"}),
    "DELETE /api/v1/keys/{key_id}": Door(T.PEOPLE_WRITE),
    "GET /api/v1/audit": Door(T.OPERATION_READ),
    "GET /api/v1/locales/{language}/{domain}.json": Door(public=True, path={"language": "=en", "domain": "=inbox"}),
    "GET /api/v1/health": Door(public=True),
    "GET /api/v1/ready": Door(public=True),
    # No provider runs in this process: 503 says that the wall was passed.
    "GET /api/v1/lab/channels": Door(T.CHANNELS_READ, passed=frozenset({503})),
    "GET /api/v1/lab/{account_id}/lines": Door(
        T.CHANNELS_READ, path={"account_id": "mail_account_id"}, passed=frozenset({503}), params=lambda i: {"who": "jane@customer.example"}
    ),
    "POST /api/v1/lab/{account_id}/acts": Door(
        T.CHANNELS_READ, path={"account_id": "mail_account_id"}, passed=frozenset({503}), json=lambda i: {"verb": "write", "who": "jane", "text": "Hello"}
    ),
    "POST /api/v1/lab/{account_id}/misbehaviour": Door(
        T.CHANNELS_READ, path={"account_id": "mail_account_id"}, passed=frozenset({503}), json=lambda i: {"mode": "none"}
    ),
}  # fmt: skip
OTHER_DOORS = {
    # Tested by name: the webhook in test_hooks, the widget in test_widget, the live feed below.
    "POST /hooks/{channel}/{account_id}",
    "GET /files/{token}",
    "OPTIONS /api/widget/{public_key}/session",
    "POST /api/widget/{public_key}/session",
    "WEBSOCKET /api/widget/{public_key}/live",
    "WEBSOCKET /api/v1/live",
    # Pages and documents that anybody may read.
    "GET /api/v1/openapi.json",
    "GET /api/docs",
    "GET /widget/widget.js",
    "MOUNT /demo",
    "GET /{path:path}",
}


def _doors(routes: Any, prefix: str = "") -> Iterator[str]:
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            context = route.include_context
            yield from _doors(inner.routes, prefix + context.prefix)
        elif type(route).__name__ == "Mount":
            yield f"MOUNT {prefix}{route.path}"
        elif getattr(route, "methods", None):
            for method in route.methods - {"HEAD"}:
                yield f"{method} {prefix}{route.path}"
        else:
            yield f"WEBSOCKET {prefix}{route.path}"


def test_every_door_of_the_application_stands_in_the_table(environment: dict[str, str]) -> None:
    made = create_app()
    documented = {f"{method.upper()} {path}" for path, methods in made.openapi()["paths"].items() for method in methods}
    assert documented == set(DOORS)
    assert set(_doors(made.routes)) == set(DOORS) | OTHER_DOORS


async def knock(
    client: httpx.AsyncClient, name: str, door: Door, world: World, headers: dict[str, str]
) -> httpx.Response:
    method, path = name.split(" ", 1)
    known = world.ids
    for parameter, source in (door.path or {}).items():
        path = path.replace(f"{{{parameter}}}", source[1:] if source.startswith("=") else known[source])
    path = path.format_map(known)
    return await client.request(
        method, path, headers=headers,
        json=door.json({**world.ids, "reset": world.tokens["reset"]}) if door.json else None,
        params=door.params(world.ids) if door.params else None,
        files={"file": ("a.txt", b"text", "text/plain")} if door.files else None,
    )  # fmt: skip


def _refused(world: World, door: Door, response: httpx.Response, *, may_list: bool) -> bool:
    if response.status_code in REFUSED:
        return response.headers["content-type"] == "application/problem+json" and world.ids["mark"] not in response.text
    return (
        may_list
        and door.listing
        and response.status_code == 200
        and response.json()["items"] == []
        and not any(secret in response.text for secret in world.secrets)
    )


def _strangers(name: str, door: Door, world: World) -> Iterator[tuple[str, dict[str, str], bool]]:
    """Who must not pass: a name, the headers, and whether an empty list will do as a refusal."""
    tokens = world.tokens
    if door.public:
        return
    yield "nobody", {}, False
    yield "a forged cookie", cookie("x" * 43), False
    yield "a forged key", bearer("ack_" + "x" * 43), False
    yield "a visitor's token as a key", bearer(tokens["visitor"]), False
    yield "a visitor's token as a cookie", cookie(tokens["visitor"]), False
    yield "a session's token as a key", bearer(tokens["admin"]), False
    yield "a revoked key", bearer(tokens["revoked"]), False
    yield "an expired session", cookie(tokens["expired"]), False
    if not name.startswith("GET"):
        yield "another site, with the admin's cookie", cookie(tokens["admin"], "https://evil.example"), False
        yield "a sandboxed page, with the admin's cookie", cookie(tokens["admin"], "null"), False
        yield "another site without Origin", cookie(tokens["admin"]) | {"Sec-Fetch-Site": "cross-site"}, False
    if door.scope is not None:
        yield "a key without the scope", bearer(tokens[f"without {door.scope}"]), False
    if door.scope is not None and (door.scope not in ALLOWED[Role.AGENT] or door.on_ticket):
        yield "an agent of another team", cookie(tokens["outsider"]), True
        yield "an agent's key, which is of no team", bearer(tokens["agent_key"]), True
    if door.scope is not None and (door.on_ticket or not door.own):
        yield "another customer", cookie(tokens["customer_b"]), True
    if door.scope is not None and not door.own:
        yield "the ticket's own customer", cookie(tokens["customer_a"]), False


async def test_nobody_goes_through_a_door_that_is_not_theirs(client: httpx.AsyncClient, world: World) -> None:
    before = await snapshot(world)
    passed, knocks = [], 0
    for name, door in DOORS.items():
        for who, headers, may_list in _strangers(name, door, world):
            response = await knock(client, name, door, world, headers)
            knocks += 1
            if not _refused(world, door, response, may_list=may_list):
                passed.append(f"{who}: {name} -> {response.status_code} {response.text[:200]}")
    assert passed == []
    assert knocks > 400
    assert await snapshot(world) == before, "a refused request changed something"


@pytest.mark.parametrize("who", ["admin", "member", "customer_a", "admin_key"])
async def test_the_right_ones_go_through(client: httpx.AsyncClient, sky: object, who: str) -> None:
    """The positive control: the same requests on the same kinds of ids get their 2xx."""
    refused, passed = [], 0
    for name, door in DOORS.items():
        if who == "customer_a" and not (door.own or door.public or door.scope is None):
            continue
        if who == "member" and door.scope is not None and door.scope not in ALLOWED[Role.AGENT]:
            continue
        if who == "admin_key" and name == "DELETE /api/v1/session":
            continue
        world = await seed()
        headers = bearer(world.tokens[who]) if who.endswith("key") else cookie(world.tokens[who], "http://test")
        response = await knock(client, name, door, world, {} if door.public else headers)
        passed += 1
        if response.status_code not in door.passed:
            refused.append(f"{name} -> {response.status_code} {response.text[:300]}")
        elif door.listing and world.ids["ticket_id"] not in response.text:
            refused.append(f"{name} lists nothing of its own")
    assert refused == []
    assert passed >= (6 if who == "customer_a" else 40 if who == "admin" else 25)


async def test_a_customer_finds_no_note_and_no_draft_anywhere(client: httpx.AsyncClient, world: World) -> None:
    headers, ids = cookie(world.tokens["customer_a"]), world.ids
    ticket = f"/api/v1/tickets/{ids['ticket_id']}"
    shown = (await client.get(f"{ticket}/messages", headers=headers)).json()["items"]
    assert [message["text"] for message in shown] == [f"question {ids['mark']}", f"answer {ids['mark']}"]
    assert all(message["ai"] is None and message["deliveries"] == [] for message in shown)
    assert (await client.get(ticket, headers=headers)).json()["assignee"] is None
    assert (await client.get(f"/api/v1/attachments/{ids['note_attachment_id']}", headers=headers)).status_code == 404
    assert (await client.get(f"/api/v1/attachments/{ids['upload_id']}", headers=headers)).status_code == 404
    for words, found in ((f"question {ids['mark']}", 1), (f"notword{ids['mark']}", 0), (f"draft {ids['mark']}", 0)):
        page = await client.get("/api/v1/tickets", params={"q": words}, headers=headers)
        assert len(page.json()["items"]) == found, f"a search for {words!r} tells what cannot be read"
    inside = cookie(world.tokens["member"])
    page = await client.get("/api/v1/tickets", params={"q": f"notword{ids['mark']}"}, headers=inside)
    assert len(page.json()["items"]) == 1


async def test_an_upload_is_its_uploaders_alone(client: httpx.AsyncClient, world: World) -> None:
    path = f"/api/v1/attachments/{world.ids['upload_id']}"
    for who, status in (("member", 200), ("admin", 404), ("outsider", 404), ("customer_a", 404)):
        assert (await client.get(path, headers=cookie(world.tokens[who]))).status_code == status
    stolen = {"text": "Look", "attachment_ids": [world.ids["upload_id"]]}
    ticket = f"/api/v1/tickets/{world.ids['ticket_id']}"
    assert (
        await client.post(f"{ticket}/replies", json=stolen, headers=cookie(world.tokens["admin"]))
    ).status_code == 404
    assert (
        await client.post(f"{ticket}/replies", json=stolen, headers=cookie(world.tokens["member"]))
    ).status_code == 201
    assert (
        await client.post(f"{ticket}/notes", json=stolen, headers=cookie(world.tokens["member"]))
    ).status_code == 404


@pytest.mark.parametrize(
    ("who", "code"),
    [
        ("nobody", 4401), ("forged", 4401), ("visitor", 4401), ("expired", 4401), ("revoked", 4401),
        ("without tickets:read", 4403), ("foreign", 4403),
    ],
)  # fmt: skip
async def test_the_live_feed_lets_no_stranger_in(web: FastAPI, world: World, who: str, code: int) -> None:
    headers = {
        "nobody": {},
        "forged": cookie("y" * 43),
        "visitor": cookie(world.tokens["visitor"]),
        "expired": cookie(world.tokens["expired"]),
        "revoked": bearer(world.tokens["revoked"]),
        "foreign": cookie(world.tokens["admin"], "https://evil.example"),
    }.get(who) or (bearer(world.tokens[who]) if who in world.tokens and who.startswith("without") else {})
    with pytest.raises(Closed) as closed:
        async with connected(web, "/api/v1/live?cursor=0", headers) as socket:
            await socket.receive()
    assert closed.value.code == code
    async with connected(web, "/api/v1/live?cursor=0", cookie(world.tokens["admin"])) as socket:
        assert (await socket.receive())["type"] == "hello"


async def _heard(web: FastAPI, world: World, who: str, end: int) -> list[dict[str, Any]]:
    """What `who` is told of everything that happened up to the event `end`, which everybody inside may see."""
    async with connected(web, "/api/v1/live?cursor=0", cookie(world.tokens[who])) as socket:
        while True:
            frame = await socket.receive()
            if frame.get("cursor", 0) >= end and frame["type"] == "event":
                return socket.heard


async def test_live_events_are_seen_by_whom_the_rest_of_the_api_shows_them_to(
    web: FastAPI, client: httpx.AsyncClient, world: World
) -> None:
    ids = world.ids
    ticket = f"/api/v1/tickets/{ids['ticket_id']}"
    member = cookie(world.tokens["member"])
    for part, body in (
        ("notes", {"text": "psst"}),
        ("replies", {"text": "Dear customer"}),
        ("handoff", {"to": "queue"}),
    ):
        assert (await client.post(f"{ticket}/{part}", json=body, headers=member)).status_code < 300
    # An event that every one of them may see ends the stream of each.
    ends = {}
    for who, account in (("customer_b", "customer_b"), ("outsider", None)):
        made = await _public_ticket(world, account)
        ends[who] = made
    inside = await _heard(web, world, "member", ends["outsider"])
    kinds = {frame["event"]["kind"] for frame in inside if frame.get("event", {}).get("ticket_id") == ids["ticket_id"]}
    assert {"message.noted", "message.drafted", "message.replied", "ticket.handoff"} <= kinds

    for who in ("customer_b", "outsider"):
        heard = await _heard(web, world, who, ends[who])
        assert all(frame.get("event", {}).get("ticket_id") != ids["ticket_id"] for frame in heard), who

    async with connected(web, "/api/v1/live?cursor=0", cookie(world.tokens["customer_a"])) as socket:
        await client.post(f"{ticket}/notes", json={"text": "psst again"}, headers=member)
        await client.post(f"{ticket}/replies", json={"text": "The end"}, headers=member)
        replies = 0
        while replies < 3:  # the seeded one, the one above, the last
            replies += (await socket.receive()).get("event", {}).get("kind") == "message.replied"
    told = [frame["event"] for frame in socket.heard if "event" in frame]
    assert {event["kind"] for event in told} == {"ticket.created", "message.received", "message.replied"} | (
        {"message.deleted"} & {event["kind"] for event in told}
    )
    assert not {ids["note_id"], ids["message_id"]} & {event["message_id"] for event in told}
    assert all(event["data"] == {} and event["actor_id"] is None for event in told)


async def _public_ticket(world: World, customer: str | None) -> int:
    """The id of the last event of a ticket that everybody inside sees, of a customer where one is named."""
    import sqlalchemy as sa

    from core.accounts.models import ChannelAccount
    from core.contacts.models import Contact, Identity
    from core.db import transaction
    from core.ids import token_hash
    from core.people.models import Session, User
    from core.tickets.models import TicketEvent
    from tests.factories import tickets

    async with transaction() as session:
        pair = None
        if customer is not None:
            owner = (
                await session.scalars(
                    sa.select(Contact)
                    .join(User, User.contact_id == Contact.id)
                    .join(Session, Session.user_id == User.id)
                    .where(Session.token_hash == token_hash(world.tokens[customer]))
                )
            ).one()
            identity = (await session.scalars(sa.select(Identity).where(Identity.contact_id == owner.id))).one()
            pair = owner, identity
        account = (await session.scalars(sa.select(ChannelAccount).where(ChannelAccount.channel == "pigeon"))).first()
        assert account is not None
        made = await tickets.ticket(session, account, contact=pair)
        return (
            await session.scalars(sa.select(sa.func.max(TicketEvent.id)).where(TicketEvent.ticket_id == made.ticket.id))
        ).one()
