"""Checking and switching accounts: what was parked goes its way."""

from __future__ import annotations

import httpx
import sqlalchemy as sa

from channels.contract import AuthFailed, Retryable
from core.db import transaction
from core.delivery.models import Delivery, DeliveryState
from core.jobs.models import Lane
from tests.app.http.conftest import bearer
from tests.app.http.world import World
from tests.core.conftest import Work
from tests.factories.birds import Sky


async def _state() -> DeliveryState:
    async with transaction() as session:
        return (await session.scalars(sa.select(Delivery.state).order_by(Delivery.seq.desc()).limit(1))).one()


async def test_a_check_tells_what_is_wrong_and_sends_what_was_parked(
    client: httpx.AsyncClient, world: World, sky: Sky, work: Work
) -> None:
    admin, path = bearer(world.tokens["admin_key"]), f"/api/v1/channels/{world.ids['account_id']}"
    await work(Lane.DELIVER)
    sky.script.append(AuthFailed("password changed"))
    reply = f"/api/v1/tickets/{world.ids['ticket_id']}/replies"
    assert (await client.post(reply, json={"text": "Hello"}, headers=admin)).status_code == 201
    await work(Lane.DELIVER)
    assert await _state() is DeliveryState.PARKED
    assert (await client.get(path, headers=admin)).json()["state"] == "reconnect"

    for error, state in ((AuthFailed("still wrong"), "reconnect"), (Retryable("away"), "transient")):
        sky.check = error
        checked = (await client.post(f"{path}/check", headers=admin)).json()
        assert (checked["ok"], checked["code"], checked["detail"]) == (False, error.code, str(error))
        assert (await client.get(path, headers=admin)).json()["state"] == state
    sky.check = None
    assert (await client.post(f"{path}/check", headers=admin)).json()["ok"] is True
    await work(Lane.DELIVER)
    assert (await _state(), sky.texts()[-1]) == (DeliveryState.SENT, "Hello")


async def test_switching_an_account_off_parks_and_on_again_sends(
    client: httpx.AsyncClient, world: World, sky: Sky, work: Work
) -> None:
    admin, path = bearer(world.tokens["admin_key"]), f"/api/v1/channels/{world.ids['account_id']}"
    assert (await client.patch(path, json={"enabled": False}, headers=admin)).json()["state"] == "disabled"
    await client.post(f"/api/v1/tickets/{world.ids['ticket_id']}/replies", json={"text": "Hello"}, headers=admin)
    await work(Lane.DELIVER)
    assert await _state() is DeliveryState.PARKED
    assert (await client.patch(path, json={"enabled": True}, headers=admin)).json()["state"] == "connected"
    await work(Lane.DELIVER)
    assert (await _state(), sky.texts()[-1]) == (DeliveryState.SENT, "Hello")
