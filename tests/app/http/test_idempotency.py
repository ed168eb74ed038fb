"""`Idempotency-Key`: once is once, also at once."""

from __future__ import annotations

import asyncio

import httpx
import sqlalchemy as sa

from core.contacts.models import Contact
from core.db import transaction
from core.tickets.models import Direction, Message
from tests.app.http.conftest import bearer, cookie
from tests.app.http.world import World

PATH = "/api/v1/contacts"


async def _contacts() -> int:
    async with transaction() as session:
        return await session.scalar(sa.select(sa.func.count()).select_from(Contact)) or 0


async def test_a_repeat_gets_the_first_answer_and_does_nothing(client: httpx.AsyncClient, world: World) -> None:
    headers = bearer(world.tokens["admin_key"]) | {"Idempotency-Key": "one"}
    first = await client.post(PATH, json={"name": "Wren"}, headers=headers)
    before = await _contacts()
    again = await client.post(PATH, json={"name": "Wren"}, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert await _contacts() == before


async def test_repeats_at_once_have_one_effect(client: httpx.AsyncClient, world: World) -> None:
    headers = cookie(world.tokens["member"]) | {"Idempotency-Key": "one"}
    path = f"/api/v1/tickets/{world.ids['ticket_id']}/replies"
    answers = await asyncio.gather(*(client.post(path, json={"text": "Only once"}, headers=headers) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    async with transaction() as session:
        said = sa.select(sa.func.count()).where(Message.direction == Direction.OUT, Message.text == "Only once")
        assert await session.scalar(said) == 1


async def test_the_same_key_for_something_else_is_refused(client: httpx.AsyncClient, world: World) -> None:
    headers = bearer(world.tokens["admin_key"]) | {"Idempotency-Key": "one"}
    await client.post(PATH, json={"name": "Wren"}, headers=headers)
    other_body = await client.post(PATH, json={"name": "Robin"}, headers=headers)
    other_path = await client.post(
        "/api/v1/users", json={"email": "a@b", "name": "Wren", "role": "agent"}, headers=headers
    )
    for answer in (other_body, other_path):
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")


async def test_a_key_is_its_principals_own(client: httpx.AsyncClient, world: World) -> None:
    one = await client.post(
        PATH, json={"name": "Wren"}, headers=bearer(world.tokens["admin_key"]) | {"Idempotency-Key": "k"}
    )
    other = await client.post(
        PATH, json={"name": "Wren"}, headers=cookie(world.tokens["admin"]) | {"Idempotency-Key": "k"}
    )
    assert one.json()["id"] != other.json()["id"]


async def test_what_failed_may_be_tried_again_under_its_key(client: httpx.AsyncClient, world: World) -> None:
    headers = bearer(world.tokens["admin_key"]) | {"Idempotency-Key": "one"}
    body = {"name": "Wren", "identities": [{"kind": "email", "value": "Wren@x.example"}]}
    await client.post(PATH, json=body, headers=bearer(world.tokens["admin_key"]))
    assert (await client.post(PATH, json=body, headers=headers)).status_code == 409
    async with transaction() as session:
        await session.execute(sa.text("DELETE FROM identities WHERE value = 'wren@x.example'"))
    assert (await client.post(PATH, json=body, headers=headers)).status_code == 201
