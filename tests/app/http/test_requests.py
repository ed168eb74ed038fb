"""Requests that mean nothing get an answer that says so; never a 5xx, and nothing is guessed."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest

from app.http.main import create_app
from tests.app.http.conftest import bearer
from tests.app.http.world import World

NUL, SURROGATE = "a\x00b", "\\ud800"
TEXTS = [
    "\x00",
    NUL,
    "\ufeff\u202e\u200b",
    "🏴󠁧󠁢󠁥󠁮󠁧󠁿" * 20,
    "\ufffe\uffff",
    "'; DROP TABLE tickets; --",
    "%00",
    "{{7*7}}",
    "é" * 5000,
]


def _problem(answer: httpx.Response) -> None:
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert {"type", "title", "status", "detail", "code"} <= set(answer.json())


@pytest.fixture
def admin(world: World) -> dict[str, str]:
    return bearer(world.tokens["admin_key"])


async def test_odd_texts_in_every_query_and_path_are_answered(
    client: httpx.AsyncClient, world: World, admin: dict[str, str]
) -> None:
    document = create_app().openapi()
    asked = 0
    for path, methods in document["paths"].items():
        get = methods.get("get")
        if get is None:
            continue
        for parameter in get.get("parameters", []):
            for odd in (*TEXTS, "9" * 400, "-1", "1e999", "null", "[]"):
                known = {**world.ids, "token": "x", "language": "en", "domain": "inbox"}
                if parameter["in"] == "path":
                    known[parameter["name"]] = "".join(f"%{byte:02x}" for byte in odd.encode())
                query = {parameter["name"]: odd} if parameter["in"] == "query" else {}
                _problem(await client.get(path.format_map(known), params=query, headers=admin))
                asked += 1
    assert asked > 500


BODIES: dict[str, dict[str, Any]] = {
    "POST /api/v1/contacts": {
        "name": NUL,
        "notes": NUL,
        "custom": {NUL: NUL},
        "identities": [{"kind": "bird", "value": NUL}],
    },
    "PATCH /api/v1/contacts/{contact_id}": {"notes": NUL, "custom": {"a": NUL}},
    "PATCH /api/v1/tickets/{ticket_id}": {"subject": NUL, "tags": [NUL], "type": NUL, "custom": {"a": NUL}},
    "POST /api/v1/tickets/{ticket_id}/notes": {"text": NUL},
    "POST /api/v1/tickets/{ticket_id}/replies": {"text": NUL, "html": NUL},
    "POST /api/v1/users": {"email": "a\x00@b", "name": NUL, "role": "agent"},
    "POST /api/v1/keys": {"name": NUL, "role": "agent"},
    "POST /api/v1/channels": {"channel": "raven", "name": NUL, "settings": {"nest": NUL}},
    "POST /api/v1/articles": {"key": "k", "locale": "en", "title": NUL, "body": NUL},
    "POST /api/v1/session": {"email": NUL, "password": NUL},
    "POST /api/v1/password-resets": {"email": NUL},
    "POST /api/v1/ai/answer": {"question": NUL},
}


@pytest.mark.parametrize("name", BODIES)
async def test_what_cannot_be_stored_is_refused(
    client: httpx.AsyncClient, world: World, admin: dict[str, str], name: str
) -> None:
    import json

    method, path = name.split(" ")
    path = path.format_map(world.ids)
    needed = ("role", "channel", "key", "locale")
    for field, value in BODIES[name].items():
        if field in needed:
            continue
        # One field at a time, so that none hides behind another; and the same with half a surrogate pair.
        rest = {key: other for key, other in BODIES[name].items() if key == field or key in needed}
        fine = {"name": "x", "email": "a@b.example", "title": "x", "body": "x", "password": "x", "text": "x"}
        body = {**{key: fine[key] for key in BODIES[name] if key in fine}, **rest, field: value}
        _problem(await client.request(method, path, json=body, headers=admin))
        half = json.dumps(body).replace("\\u0000", SURROGATE)
        answer = await client.request(method, path, content=half, headers=admin | {"Content-Type": "application/json"})
        _problem(answer)
        assert answer.status_code in (200, 422), answer.text


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'"text"', b"\xff\xfe", b"{" * 100_000, b'{"text": 1}', b'{"text": null}', b'{"text": NaN}',
     b'{"\\ud800": 1}', b'{"text": "a", "text": ["b"]}'],
    ids=range(12),
)  # fmt: skip
async def test_wrong_json_is_refused(
    client: httpx.AsyncClient, world: World, admin: dict[str, str], body: bytes
) -> None:
    path = f"/api/v1/tickets/{world.ids['ticket_id']}/notes"
    answer = await client.post(path, content=body, headers=admin | {"Content-Type": "application/json"})
    _problem(answer)
    assert answer.status_code in (400, 422)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e999", "9" * 300, "-" + "9" * 5000])
async def test_numbers_that_are_none(
    client: httpx.AsyncClient, world: World, admin: dict[str, str], value: str
) -> None:
    headers = admin | {"Content-Type": "application/json"}
    content = f'{{"custom": {{"a": {value}}}}}'
    _problem(await client.patch(f"/api/v1/contacts/{world.ids['contact_id']}", content=content, headers=headers))
    _problem(await client.patch(f"/api/v1/tickets/{world.ids['ticket_id']}", content=content, headers=headers))
    _problem(await client.patch(
        f"/api/v1/tickets/{world.ids['ticket_id']}", content=f'{{"version": {value}}}', headers=headers
    ))  # fmt: skip


async def test_no_body_takes_a_field_that_it_does_not_name(
    client: httpx.AsyncClient, world: World, admin: dict[str, str]
) -> None:
    """Mass assignment: `role`, `id`, `state` and whatever else somebody tries."""
    document = create_app().openapi()
    schemas, tried = document["components"]["schemas"], 0
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if content is None:
                continue
            schema = schemas[content["schema"]["$ref"].rsplit("/", 1)[1]]
            assert schema["additionalProperties"] is False, f"{method} {path} takes anything"
            for field in ("id", "role", "is_admin", "state", "contact_id", "__proto__"):
                if field in schema["properties"]:
                    continue
                known = {**world.ids, "token": "x"}
                answer = await client.request(method, path.format_map(known), json={field: "admin"}, headers=admin)
                assert answer.status_code == 422
                assert any(field in error["at"] for error in answer.json()["errors"])
                tried += 1
    assert tried > 80


async def test_foreign_ids_in_bodies_are_refused(
    client: httpx.AsyncClient, world: World, admin: dict[str, str]
) -> None:
    ticket, nowhere = f"/api/v1/tickets/{world.ids['ticket_id']}", str(uuid.uuid4())
    for method, path, body in (
        ("PATCH", ticket, {"assignee_id": nowhere}), ("PATCH", ticket, {"team_id": nowhere}),
        ("POST", f"{ticket}/replies", {"text": "x", "to_message_id": nowhere}),
        ("POST", f"{ticket}/replies", {"text": "x", "attachment_ids": [nowhere]}),
        ("POST", f"{ticket}/notes", {"text": "x", "attachment_ids": [nowhere]}),
        ("POST", f"{ticket}/notes", {"text": "x", "attachment_ids": [world.ids["attachment_id"]]}),
        ("POST", f"{ticket}/forward", {"to": "x", "message_id": nowhere}),
        ("POST", "/api/v1/tickets", {"account_id": nowhere, "to": "x", "text": "x"}),
        ("POST", "/api/v1/users", {"email": "q@x.example", "name": "Q", "role": "customer", "contact_id": nowhere}),
    ):  # fmt: skip
        answer = await client.request(method, path, json=body, headers=admin)
        _problem(answer)
        assert answer.status_code in (404, 422), (path, body, answer.text)


async def test_a_file_is_named_and_typed_by_what_it_is(
    client: httpx.AsyncClient, world: World, admin: dict[str, str]
) -> None:
    hostile = b"<script>alert(1)</script>"
    for name, content_type in (
        ("../../etc/passwd", "text/html"), ("a\u202egnp.exe", "image/svg+xml"), ("x" * 500 + ".txt", "text/html; x"),
        ("", "text/html"), ("a\r\nSet-Cookie: x=1", "application/xhtml+xml"),
    ):  # fmt: skip
        answer = await client.post("/api/v1/attachments", files={"file": (name, hostile, content_type)}, headers=admin)
        _problem(answer)
        if answer.status_code != 201:
            continue
        made = answer.json()
        assert made["content_type"] == "application/octet-stream"
        assert not set("/\\\r\n\u202e") & set(made["filename"])
        got = await client.get(made["url"], headers=admin)
        assert got.headers["content-disposition"].startswith("attachment;")
        assert "sandbox" in got.headers["content-security-policy"]
        assert got.headers["x-content-type-options"] == "nosniff"


async def test_secrets_of_channels_are_never_answered(
    client: httpx.AsyncClient, world: World, admin: dict[str, str]
) -> None:
    secret = f"swordfish-{world.ids['mark']}"
    path = f"/api/v1/channels/{world.ids['account_id']}"
    answers = [
        await client.get("/api/v1/channels", headers=admin),
        await client.get(path, headers=admin),
        await client.patch(path, json={"settings": {"nest": "elm", "seed": secret}}, headers=admin),
        await client.patch(path, json={"settings": {"password": {"x": secret}}}, headers=admin),
        await client.patch(path, json={"settings": {secret: 1, "nest": 3}}, headers=admin),
        await client.get("/api/v1/audit", headers=admin),
    ]
    assert answers[1].json()["secrets"] == ["password"]
    assert answers[2].json()["secrets"] == ["password", "seed"]
    assert all(secret not in answer.text for answer in (*answers[:4], answers[5]))
