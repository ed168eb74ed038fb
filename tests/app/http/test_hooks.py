"""Webhooks: verified, stored, acknowledged; what is not understood is kept."""

from __future__ import annotations

import uuid

import httpx
import pytest
import sqlalchemy as sa

from core.accounts.models import AccountState, ChannelAccount
from core.db import transaction
from core.intake.models import Raw, RawState
from core.jobs.models import Lane
from core.settings import settings
from tests.app.http.world import World
from tests.core.conftest import Work
from tests.factories.birds import message, song

BIRD = {"X-Bird": "tweet"}


async def _raws(world: World) -> list[Raw]:
    async with transaction() as session:
        rows = await session.scalars(
            sa.select(Raw).where(Raw.external_id != f"raw-{world.ids['mark']}").order_by(Raw.seq)
        )
        return list(rows)


def _path(world: World) -> str:
    return f"/hooks/pigeon/{world.ids['account_id']}"


async def test_a_webhook_becomes_a_message_once(client: httpx.AsyncClient, world: World, work: Work) -> None:
    for _ in range(3):
        assert (await client.post(_path(world), content=song(message("m1")), headers=BIRD)).status_code == 200
    await work(Lane.INTAKE)
    assert [(raw.external_id, raw.state) for raw in await _raws(world)] == [("m1", RawState.TICKET)]


async def test_a_forged_webhook_is_refused_and_not_stored(client: httpx.AsyncClient, world: World) -> None:
    for headers in ({}, {"X-Bird": "meow"}):
        assert (await client.post(_path(world), content=song(message("m1")), headers=headers)).status_code == 403
    assert await _raws(world) == []


@pytest.mark.parametrize(
    "body", [song(message("m1"), do="malformed"), song(message("m1"), do="raise"), b"{", b"\xff\x00", b""],
    ids=["malformed", "bug", "no JSON", "bytes", "nothing"],
)  # fmt: skip
async def test_what_is_not_understood_is_acknowledged_and_quarantined(
    client: httpx.AsyncClient, world: World, work: Work, body: bytes
) -> None:
    for _ in range(2):
        assert (await client.post(_path(world), content=body, headers=BIRD)).status_code == 200
    await work(Lane.INTAKE)
    assert [(raw.state, raw.body) for raw in await _raws(world)] == [(RawState.QUARANTINED, body)]


async def test_too_much_is_too_much(client: httpx.AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOCRM_MESSAGE_BYTES_MAX", "1000")
    settings.cache_clear()
    assert (await client.post(_path(world), content=b"x" * 1001, headers=BIRD)).status_code == 413
    assert await _raws(world) == []


async def test_doors_that_are_none(client: httpx.AsyncClient, world: World) -> None:
    for path in (
        f"/hooks/pigeon/{uuid.uuid4()}", f"/hooks/raven/{world.ids['account_id']}", "/hooks/pigeon/x", "/hooks/pigeon/",
        f"/hooks/email/{world.ids['mail_account_id']}", f"/hooks/chat_widget/{world.ids['widget_account_id']}",
    ):  # fmt: skip
        assert (await client.post(path, content=song(message("m1")), headers=BIRD)).status_code in (403, 404, 405, 422)
    async with transaction() as session:
        await session.execute(sa.update(ChannelAccount).values(state=AccountState.DISABLED))
    assert (await client.post(_path(world), content=song(message("m1")), headers=BIRD)).status_code == 404
    assert await _raws(world) == []
