"""Signing in over HTTP: cookies, other sites, new passwords."""

from __future__ import annotations

import httpx
import pytest
import sqlalchemy as sa

from app.http.access import COOKIE
from core.db import transaction
from core.jobs.models import Job
from core.people.models import PasswordReset
from tests.app.http.conftest import bearer, cookie
from tests.app.http.world import World
from tests.factories.people import PASSWORD

SESSION = "/api/v1/session"


async def _sign_in(client: httpx.AsyncClient, world: World, **headers: str) -> httpx.Response:
    body = {"email": world.ids["admin_email"], "password": PASSWORD}
    return await client.post(SESSION, json=body, headers=headers)


async def test_a_session_from_sign_in_to_sign_out(client: httpx.AsyncClient, world: World) -> None:
    made = await _sign_in(client, world)
    assert (made.status_code, made.json()["email"]) == (201, world.ids["admin_email"])
    told = made.headers["set-cookie"]
    assert "HttpOnly" in told
    assert "SameSite=lax" in told
    assert (await client.get(SESSION)).json()["role"] == "admin"
    token = client.cookies[COOKIE]
    assert (await client.delete(SESSION)).status_code == 204
    client.cookies.clear()
    assert (await client.get(SESSION, headers=cookie(token))).status_code == 401


async def test_a_token_from_before_the_sign_in_is_never_taken_over(client: httpx.AsyncClient, world: World) -> None:
    planted = "planted-by-somebody-else"
    made = await _sign_in(client, world, **cookie(planted))
    assert made.status_code == 201
    assert planted not in made.headers["set-cookie"]
    client.cookies.clear()
    assert (await client.get(SESSION, headers=cookie(planted))).status_code == 401


async def test_the_secure_mark_follows_the_public_address(
    client: httpx.AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.settings import settings

    assert "Secure" not in (await _sign_in(client, world)).headers["set-cookie"]
    monkeypatch.setenv("AUTOCRM_PUBLIC_URL", "https://help.example")
    settings.cache_clear()
    assert "Secure" in (await _sign_in(client, world)).headers["set-cookie"]


async def test_another_site_cannot_sign_anybody_in_with_a_form(client: httpx.AsyncClient, world: World) -> None:
    body = f'{{"email": "{world.ids["admin_email"]}", "password": "{PASSWORD}"}}'
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        made = await client.post(SESSION, content=body, headers={"Content-Type": content_type})
        assert made.status_code == 422
        assert "set-cookie" not in made.headers


async def test_reading_with_a_cookie_is_allowed_from_anywhere_but_no_site_can_read_the_answer(
    client: httpx.AsyncClient, world: World
) -> None:
    answer = await client.get(SESSION, headers=cookie(world.tokens["admin"], "https://evil.example"))
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("known", [True, False])
async def test_asking_for_a_new_password_answers_alike(client: httpx.AsyncClient, world: World, known: bool) -> None:
    async with transaction() as session:
        await session.execute(sa.delete(PasswordReset))
    email = world.ids["admin_email"] if known else "nobody@house.example"
    answer = await client.post("/api/v1/password-resets", json={"email": email})
    assert (answer.status_code, answer.json()) == (202, {"status": "accepted"})
    async with transaction() as session:
        assert await session.scalar(sa.select(sa.func.count()).select_from(PasswordReset)) == int(known)
        jobs = list(await session.scalars(sa.select(Job.args).where(Job.name == "people.mail_reset")))
    assert [set(job) for job in jobs] == ([{"user_id"}] if known else []), "no token stands in a job"


async def test_a_new_password_by_link_works_once(client: httpx.AsyncClient, world: World) -> None:
    async def put(password: str) -> httpx.Response:
        body = {"token": world.tokens["reset"], "password": password}
        return await client.put("/api/v1/password-resets", json=body)

    assert (await put("short")).status_code == 422
    assert (await put("long enough now")).status_code == 204
    assert (await put("long enough again")).json()["code"] == "reset_invalid"


async def test_guessing_passwords_becomes_slow(client: httpx.AsyncClient, world: World) -> None:
    body = {"email": "nobody.here@fernweh.example", "password": "wrong wrong wrong"}
    codes = [(await client.post(SESSION, json=body)).status_code for _ in range(12)]
    assert codes[:10] == [401] * 10
    assert codes[10:] == [429, 429]


async def test_a_key_is_made_once_and_its_token_is_never_shown_again(client: httpx.AsyncClient, world: World) -> None:
    admin = bearer(world.tokens["admin_key"])
    made = (await client.post("/api/v1/keys", json={"name": "K", "role": "agent"}, headers=admin)).json()
    assert (await client.get("/api/v1/tickets", headers=bearer(made["token"]))).status_code == 200
    listed = await client.get("/api/v1/keys", headers=admin)
    assert made["id"] in listed.text
    assert made["token"] not in listed.text
    assert (await client.delete(f"/api/v1/keys/{made['id']}", headers=admin)).status_code == 204
    assert (await client.get("/api/v1/tickets", headers=bearer(made["token"]))).status_code == 401


async def test_taking_a_role_away_ends_the_sessions_it_was_used_by(client: httpx.AsyncClient, world: World) -> None:
    member = cookie(world.tokens["member"])
    me = (await client.get(SESSION, headers=member)).json()
    changed = await client.patch(
        f"/api/v1/users/{me['id']}", json={"active": False}, headers=bearer(world.tokens["admin_key"])
    )
    assert changed.status_code == 200
    assert (await client.get(SESSION, headers=member)).status_code == 401
