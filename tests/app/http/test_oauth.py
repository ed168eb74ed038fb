"""Connecting a mailbox at its provider's own page, losing it, and getting it back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import aiohttp
import httpx
import pytest
import redis.asyncio as aioredis
import sqlalchemy as sa

from channels.contract import AuthFailed, Outbound
from channels.email.fake import FakeMailProvider
from channels.email.fake_oauth import FakeAuthorizationServer, Misbehaviour
from channels.email.oauth import Grant
from core.accounts import authorisation, service
from core.accounts.models import AccountState, ChannelAccount
from core.db import transaction
from core.delivery.models import Delivery, DeliveryState
from core.ids import new_id
from core.jobs.models import Lane
from core.people.models import Audit, Role
from core.settings import settings
from tests.app.http.conftest import bearer, cookie
from tests.core.conftest import Work
from tests.factories import contacts, people, tickets

ADDRESS = "help@shop.example"


@dataclass
class Desk:
    """A mailbox at a provider with OAuth, an admin, and a ticket that came by the mailbox."""

    server: FakeAuthorizationServer
    mails: FakeMailProvider
    account_id: UUID
    ticket_id: UUID
    admin: dict[str, str]
    other: dict[str, str]
    key: dict[str, str]

    @property
    def path(self) -> str:
        return f"/api/v1/channels/{self.account_id}"

    async def consent(self, client: httpx.AsyncClient) -> str:
        """The admin's way to the provider and back: the path and query that the browser is sent to."""
        begun = await client.post(f"{self.path}/authorise", headers=self.admin)
        assert begun.status_code == 200, begun.text
        async with (
            aiohttp.ClientSession() as browser,
            browser.get(begun.json()["url"], allow_redirects=False) as response,
        ):
            back = urlsplit(response.headers["Location"])
        assert f"{back.scheme}://{back.netloc}" == settings().base_url
        return f"{back.path}?{back.query}"

    async def come_back(
        self, client: httpx.AsyncClient, path: str, who: dict[str, str] | None = None
    ) -> tuple[str, dict[str, str]]:
        """The page that the browser ends on, and what it is told."""
        answer = await client.get(path, headers=who or self.admin)
        assert answer.status_code == 303, answer.text
        assert answer.headers["referrer-policy"] == "no-referrer"
        page = urlsplit(answer.headers["location"])
        return page.path, {name: values[0] for name, values in parse_qs(page.query).items()}

    async def connect(self, client: httpx.AsyncClient) -> tuple[str, dict[str, str]]:
        return await self.come_back(client, await self.consent(client))

    async def account(self) -> ChannelAccount:
        async with transaction() as session:
            return await service.get(session, self.account_id)

    async def grant(self) -> Grant | None:
        return Grant.of(service.settings_of(await self.account()))  # type: ignore[arg-type]


@pytest.fixture
async def desk(db: None, tmp_path: Path) -> AsyncIterator[Desk]:
    async with (
        FakeAuthorizationServer(owner=ADDRESS, redirect_uri=authorisation.redirect_uri()) as server,
        FakeMailProvider(tmp_path / "ledger.jsonl", tokens=server.lets_in) as mails,
    ):
        async with transaction() as session:
            account = await service.connect(
                session, "email", "Support",
                {"address": ADDRESS, "smtp_host": mails.host, "smtp_port": mails.port, "smtp_security": "none", **server.settings()},
            )  # fmt: skip
            admin, other = await people.user(session, Role.ADMIN), await people.user(session, Role.ADMIN)
            tokens = [await people.signed_in(session, one) for one in (admin, other)]
            _key, key = await people.key(session)
            customer = await contacts.contact(session, "ann@customer.example", kind="email")
            made = await tickets.ticket(session, account, contact=customer)
            ids = account.id, made.ticket.id
        origin = "http://test"
        yield Desk(server, mails, *ids, cookie(tokens[0], origin), cookie(tokens[1], origin), bearer(key))


async def _delivery() -> DeliveryState:
    async with transaction() as session:
        return (await session.scalars(sa.select(Delivery.state).order_by(Delivery.seq.desc()).limit(1))).one()


def outbound() -> Outbound:
    return Outbound.model_validate(
        {"key": str(new_id()), "to": {"kind": "email", "value": "ann@customer.example"}, "text": "Hello"}
    )


async def test_connecting_losing_and_getting_back(client: httpx.AsyncClient, desk: Desk, work: Work) -> None:
    reply = f"/api/v1/tickets/{desk.ticket_id}/replies"
    assert await desk.connect(client) == (f"/admin/channels/{desk.account_id}", {"connected": "1"})
    await client.post(reply, json={"text": "One"}, headers=desk.admin)
    await work(Lane.DELIVER)
    assert (await _delivery(), [mail.text for mail in desk.mails.delivered()]) == (DeliveryState.SENT, ["One"])

    desk.server.revoke_all()
    await client.post(reply, json={"text": "Two"}, headers=desk.admin)
    await work(Lane.DELIVER)
    assert await _delivery() is DeliveryState.PARKED
    shown = (await client.get(desk.path, headers=desk.admin)).json()
    assert shown["state"] == "reconnect"
    assert "sign in there again" in shown["error"]

    assert (await desk.connect(client))[1] == {"connected": "1"}
    assert (await client.get(desk.path, headers=desk.admin)).json()["state"] == "connected"
    await work(Lane.DELIVER)
    assert (await _delivery(), [mail.text for mail in desk.mails.delivered()]) == (DeliveryState.SENT, ["One", "Two"])
    async with transaction() as session:
        actions = list(await session.scalars(sa.select(Audit.action).order_by(Audit.id)))
    assert actions.count("channel.authorised") == 2


async def test_tokens_are_shown_to_nobody(
    client: httpx.AsyncClient, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    begun = (await client.post(f"{desk.path}/authorise", headers=desk.admin)).json()["url"]
    path = await desk.consent(client)
    back = await client.get(path, headers=desk.admin)
    shown = (await client.get(desk.path, headers=desk.admin)).json()
    grant = await desk.grant()
    assert grant is not None
    assert "grant" in shown["secrets"]
    assert "grant" not in shown["settings"]
    verifier = desk.server.asked[0]["code_verifier"]
    told = str(dict(back.headers)) + str(shown) + begun + path
    logged = "\n".join(
        one.getMessage() for one in caplog.records if not one.name.startswith(("mail.", "httpx", "test"))
    )
    for secret in (grant.refresh, grant.access, verifier, desk.server.client_secret):
        assert secret not in told + logged
    account = await desk.account()
    assert account.sealed is not None
    assert grant.refresh.encode() not in account.sealed


async def test_a_state_that_was_not_given_out_gets_nowhere(client: httpx.AsyncClient, desk: Desk) -> None:
    path = await desk.consent(client)
    code = parse_qs(urlsplit(path).query)["code"][0]
    for state in ("", "x", "x" * 43, "\x00", "../.."):
        answer = await client.get("/api/v1/oauth/callback", params={"state": state, "code": code}, headers=desk.admin)
        assert answer.headers["location"] == "/admin/channels?error=oauth_state_invalid"
    assert (await client.get("/api/v1/oauth/callback", headers=desk.admin)).status_code == 303
    assert desk.server.asked == []
    assert await desk.grant() is None


async def test_a_state_is_good_once(client: httpx.AsyncClient, desk: Desk) -> None:
    path = await desk.consent(client)
    assert (await desk.come_back(client, path))[1] == {"connected": "1"}
    assert (await desk.come_back(client, path))[1] == {"error": "oauth_state_invalid"}
    assert len(desk.server.asked) == 1


async def test_one_state_at_once_in_two_tabs_is_used_once(client: httpx.AsyncClient, desk: Desk) -> None:
    path = await desk.consent(client)
    told = [outcome for _page, outcome in await asyncio.gather(*(desk.come_back(client, path) for _ in range(4)))]
    assert sorted(map(str, told)) == sorted(map(str, [{"connected": "1"}, *[{"error": "oauth_state_invalid"}] * 3]))
    assert len(desk.server.asked) == 1


async def test_a_state_belongs_to_who_has_begun(client: httpx.AsyncClient, desk: Desk) -> None:
    for who in (desk.other, desk.key):
        path = await desk.consent(client)
        assert await desk.come_back(client, path, who) == ("/admin/channels", {"error": "oauth_state_invalid"})
    assert (await client.get(path)).status_code == 401
    assert desk.server.asked == []
    assert await desk.grant() is None


async def test_a_state_ends_after_ten_minutes(client: httpx.AsyncClient, desk: Desk) -> None:
    path = await desk.consent(client)
    state = parse_qs(urlsplit(path).query)["state"][0]
    secret = settings().redis_url
    assert secret is not None
    redis = aioredis.Redis.from_url(secret.get_secret_value())
    try:
        name = authorisation._name(state)
        assert 0 < await redis.ttl(name) <= 600
        kept = await redis.get(name)
        assert kept is not None
        assert str(desk.account_id).encode() not in kept, "what waits is not sealed"
        await redis.pexpire(name, 0)
    finally:
        await redis.aclose()
    assert (await desk.come_back(client, path))[1] == {"error": "oauth_state_invalid"}


async def test_another_verifier_opens_nothing(
    client: httpx.AsyncClient, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = await desk.consent(client)
    unsealed = authorisation.unseal
    monkeypatch.setattr(
        authorisation, "unseal", lambda *given: unsealed(*given).replace(b'"verifier": "', b'"verifier": "x')
    )
    page, told = await desk.come_back(client, path)
    assert (page, told) == (f"/admin/channels/{desk.account_id}", {"error": "oauth_code_refused"})
    assert await desk.grant() is None


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (Misbehaviour.GARBAGE, "oauth_garbage"),
        (Misbehaviour.BUSY, "oauth_busy"),
        (Misbehaviour.CUT, "oauth_unreachable"),
        (Misbehaviour.NO_REFRESH_TOKEN, "oauth_no_refresh_token"),
    ],
)
async def test_a_provider_in_trouble_is_named(
    client: httpx.AsyncClient, desk: Desk, wrong: Misbehaviour, code: str
) -> None:
    path = await desk.consent(client)
    desk.server.misbehaviour = wrong
    assert (await desk.come_back(client, path))[1] == {"error": code}
    assert await desk.grant() is None


async def test_an_owner_who_says_no_is_believed(client: httpx.AsyncClient, desk: Desk) -> None:
    desk.server.misbehaviour = Misbehaviour.DENY
    page, told = await desk.connect(client)
    assert (page, told) == (f"/admin/channels/{desk.account_id}", {"error": "oauth_denied"})
    assert desk.server.asked == []


async def test_whoever_signs_in_as_somebody_else_is_not_connected(client: httpx.AsyncClient, desk: Desk) -> None:
    desk.server.owner = "boss@shop.example"
    assert (await desk.connect(client))[1] == {"error": "smtp_login"}
    assert (await desk.account()).state is AccountState.RECONNECT


async def test_an_account_with_a_password_and_a_channel_without_logins_have_no_page(
    client: httpx.AsyncClient, desk: Desk
) -> None:
    async with transaction() as session:
        plain = await service.connect(session, "email", "Plain", {"address": "plain@shop.example"})
        widget = await service.connect(session, "chat_widget", "Chat", {})
        ids = plain.id, widget.id
    for account_id in ids:
        answer = await client.post(f"/api/v1/channels/{account_id}/authorise", headers=desk.admin)
        assert (answer.status_code, answer.json()["code"]) == (409, "channel_not_authorisable")
    missing = await client.post(f"/api/v1/channels/{new_id()}/authorise", headers=desk.admin)
    assert missing.status_code == 404


async def test_without_redis_a_sign_in_is_not_begun(
    client: httpx.AsyncClient, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    settings.cache_clear()
    answer = await client.post(f"{desk.path}/authorise", headers=desk.admin)
    assert (answer.status_code, answer.json()["code"]) == (503, "authorisation_away")


# ---------------------------------------------------------------------------------------------- keeping tokens


async def test_many_processes_renew_once_and_lose_nothing(client: httpx.AsyncClient, desk: Desk) -> None:
    """Each has its own copy of the settings and its own connection; the server ends a grant whose token comes twice."""
    await desk.connect(client)
    before = await desk.account()
    desk.server.expire_access_tokens()
    desk.server.gate = asyncio.Event()

    async def one_process() -> None:
        async with transaction() as session:
            account = await service.get(session, desk.account_id)
        async with service.adapter_of(account) as adapter:
            await adapter.send(outbound())

    sending = [asyncio.create_task(one_process()) for _ in range(8)]
    await desk.server.waiting.wait()
    desk.server.gate.set()
    await asyncio.gather(*sending)
    assert [form["grant_type"] for form in desk.server.asked] == ["authorization_code", "refresh_token"]
    assert len(desk.mails.delivered()) == 8
    after = await desk.account()
    assert after.updated_at == before.updated_at, "renewed tokens must not restart listeners"
    assert after.sealed != before.sealed


async def test_an_admins_change_and_a_renewal_do_not_undo_each_other(client: httpx.AsyncClient, desk: Desk) -> None:
    await desk.connect(client)
    before = await desk.grant()
    desk.server.expire_access_tokens()
    desk.server.gate = asyncio.Event()
    async with service.adapter_of(await desk.account()) as adapter:
        sending = asyncio.create_task(adapter.send(outbound()))
        await desk.server.waiting.wait()
        # While the provider is being asked, nobody who writes to the account waits.
        changed = await client.patch(desk.path, json={"settings": {"signature": "Your shop"}}, headers=desk.admin)
        assert changed.status_code == 200
        desk.server.gate.set()
        await sending
    after = await desk.grant()
    assert before is not None
    assert after is not None
    assert after.refresh != before.refresh
    assert (await desk.account()).settings["signature"] == "Your shop"
    again = await client.patch(desk.path, json={"settings": {"signature": "S"}}, headers=desk.admin)
    assert again.status_code == 200
    assert await desk.grant() == after


async def test_what_is_kept_is_checked_and_a_failed_change_changes_nothing(desk: Desk) -> None:
    context = service.context_of(await desk.account())
    assert context.keep is not None
    kept = await context.keep({"signature": "Kept"})
    assert kept.signature == "Kept"
    with pytest.raises(Exception, match="signature"):
        await context.keep({"signature": 7})

    async def fails(_settings: object) -> dict[str, str]:
        raise AuthFailed("no")

    with pytest.raises(AuthFailed):
        await context.keep(fails)
    account = await desk.account()
    assert account.settings["signature"] == "Kept"
    assert account.sealed is not None
