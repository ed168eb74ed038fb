"""Forwarding confirmations and the like: shown to admins, and to nobody else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa

from channels.contract import RawInbound
from channels.email.adapter import Channel
from core.blobs import blobs
from core.db import transaction
from core.intake.models import Raw, RawState
from core.intake.receive import sink_for
from core.jobs.models import Lane
from core.people.models import Role
from tests.app.http.conftest import bearer
from tests.app.http.world import World
from tests.channels.email.nameserver import nameserver
from tests.core.conftest import Work
from tests.factories import people

LINK = "https://mail-settings.google.com/mail/vf-%5Babc%5D-1"


def _mail(number: int, *, sender: str = "forwarding-noreply@google.com", link: str = LINK) -> RawInbound:
    body = (
        f"From: Gmail Team <{sender}>\r\nTo: help@shop.example\r\nMessage-ID: <v{number}@mail.example>\r\n"
        f"Subject: (#{number:09}) Gmail Forwarding Confirmation\r\n\r\nConfirmation code: {number:09}\r\n{link}\r\n"
    )
    return RawInbound(f"smtp:{number}", body.encode(), "message/rfc822", transport={"protocol": "smtp"})


@pytest.fixture
async def quarantined(world: World, work: Work, monkeypatch: pytest.MonkeyPatch) -> str:
    """Three mails that came in, through the house's own way: an old one, a hostile one, and a good one."""
    account_id = world.ids["mail_account_id"]
    async with nameserver({}) as (resolver, _asked):
        monkeypatch.setattr(Channel, "resolver", resolver)
        for mail in (_mail(1), _mail(2, link="https://evil.example/verify"), _mail(3)):
            await sink_for(account_id)([mail])
            await work(Lane.INTAKE)
    async with transaction() as session:
        rows = list(await session.scalars(sa.select(Raw).where(Raw.account_id == UUID(account_id)).order_by(Raw.seq)))
        assert [(row.state, row.reason) for row in rows] == [(RawState.QUARANTINED, "verification")] * 3
        rows[0].created_at = datetime.now(UTC) - timedelta(days=8)
        # A large mail lives in the object store, not in its row.
        assert rows[2].body is not None
        rows[2].blob_key, rows[2].body = await blobs().put(rows[2].body), None
    return account_id


async def test_an_admin_sees_code_and_link_newest_first(
    client: httpx.AsyncClient, world: World, quarantined: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with nameserver({}) as (resolver, _asked):
        monkeypatch.setattr(Channel, "resolver", resolver)
        page = await client.get(
            f"/api/v1/channels/{quarantined}/verifications", headers=bearer(world.tokens["admin_key"])
        )
    assert page.status_code == 200
    shown = [
        (one["sender"], one["sender_name"], one["subject"], one["code"], one["link"]) for one in page.json()["items"]
    ]
    google = ("forwarding-noreply@google.com", "Gmail Team")
    assert shown == [
        (*google, "(#000000003) Gmail Forwarding Confirmation", "000000003", LINK),
        (*google, "(#000000002) Gmail Forwarding Confirmation", "000000002", None),
    ]
    assert {one["authenticity"] for one in page.json()["items"]} == {"unknown"}
    assert page.json()["items"][0]["received_at"] > page.json()["items"][1]["received_at"]


async def test_agents_and_reviewers_do_not(client: httpx.AsyncClient, world: World, quarantined: str) -> None:
    async with transaction() as session:
        keys = [(await people.key(session, role))[1] for role in (Role.AGENT, Role.REVIEWER)]
    for key in (*keys, world.tokens["agent_key"]):
        page = await client.get(f"/api/v1/channels/{quarantined}/verifications", headers=bearer(key))
        assert page.status_code == 403
        assert "000000003" not in page.text


async def test_a_channel_without_verifications_has_none(client: httpx.AsyncClient, world: World) -> None:
    admin = bearer(world.tokens["admin_key"])
    for account in ("account_id", "widget_account_id"):
        page = await client.get(f"/api/v1/channels/{world.ids[account]}/verifications", headers=admin)
        assert page.json()["items"] == []
    missing = await client.get(f"/api/v1/channels/{UUID(int=1)}/verifications", headers=admin)
    assert missing.status_code == 404
