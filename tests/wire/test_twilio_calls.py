"""Calls, recordings and numbers on the wire: the SDK's requests and the fake's answers, judged by Twilio's own specification."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from channels.contract import CONVERSATION_OVER, ChannelError, Undeliverable
from channels.twilio.calls import Calls
from channels.twilio.clock import HandClock
from channels.twilio.fake import FakeTwilio
from tests.channels.voice.house import NUMBER, House, Phone
from tests.wire.prism import prism
from tests.wire.twilio_specification import for_prism

pytestmark = pytest.mark.asyncio(loop_scope="module")
ACCOUNT = "/2010-04-01/Accounts/AC" + "0a" * 16


@dataclass
class Wire:
    """The fake behind Prism, and a house whose requests go through it."""

    phone: Phone
    url: str

    @property
    def house(self) -> House:
        return self.phone.house

    async def raw(self, method: str, path: str, **given: Any) -> tuple[int, Any]:
        """A request as no SDK would send it."""
        fake = self.phone.fake
        login = aiohttp.encode_basic_auth(fake.account_sid, fake.auth_token.get_secret_value())
        async with (
            aiohttp.ClientSession(headers={"Authorization": login}) as session,
            session.request(method, f"{self.url}{ACCOUNT}{path}", **given) as answer,
        ):
            return answer.status, await answer.json(content_type=None)

    async def sdk(self, request: Callable[[Any], Awaitable[Any]]) -> Any:
        adapter = self.house.adapter()
        try:
            return await adapter._client.call(request, repeatable=True)
        finally:
            await adapter.aclose()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def wire(material: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Wire]:
    fake, clock = FakeTwilio(tmp_path_factory.mktemp("twilio"), numbers=(NUMBER,)), HandClock()
    calls = Calls(fake, clock=clock)
    house = House(fake)
    await fake.start()
    await house.start()
    try:
        specification = for_prism(
            material / "specs" / "twilio_api_v2010.json", tmp_path_factory.mktemp("specification")
        )
        async with prism(specification, fake.url) as url:
            house.changes["api_url"] = url
            yield Wire(Phone(fake, calls, clock, house), url)
    finally:
        await fake.stop()
        await house.stop()


async def test_the_number_is_pointed_here_and_away_again(wire: Wire) -> None:
    adapter = wire.house.adapter()
    assert "Calls do not come here yet" in " ".join((await adapter.check()).missing)
    await adapter.subscribe()
    row = wire.phone.fake.numbers.row(NUMBER)
    assert row is not None
    assert row["voice_url"].startswith(f"{wire.house.context.hook_url}#")
    assert row["status_callback"].startswith(f"{wire.house.context.hook_url}?at=status")
    checked = await adapter.check()
    assert checked.identity == NUMBER
    assert "Calls do not come here yet" not in " ".join(checked.missing)
    await adapter.unsubscribe()
    assert (row["voice_url"], row["status_callback"]) == ("", "")
    await adapter.subscribe()
    await adapter.aclose()


async def test_an_answer_goes_into_the_call(wire: Wire) -> None:
    await wire.house.adapter().subscribe()
    call = await wire.phone.call()
    await wire.phone.ask(call)
    await wire.phone.answer("Thirty days — dreißig Tage, 三十天 & <more>.")
    assert call.heard()[-2] == "Thirty days — dreißig Tage, 三十天 & <more>."
    await wire.phone.hang_up(call)
    with pytest.raises(Undeliverable) as raised:
        await wire.house.answer("Too late.")
    assert raised.value.code == CONVERSATION_OVER


async def test_calls_and_recordings_can_be_read(wire: Wire) -> None:
    await wire.house.adapter().subscribe()
    call = await wire.phone.call()
    running = await wire.sdk(lambda sdk: sdk.calls(call.sid).fetch_async())
    assert (running.status, running.direction, running.to) == ("in-progress", "inbound", NUMBER)
    await wire.phone.ask(call)
    await wire.phone.hang_up(call)
    ended = await wire.sdk(lambda sdk: sdk.calls(call.sid).fetch_async())
    assert ended.status == "completed"
    assert call.sid in [one.sid for one in await wire.sdk(lambda sdk: sdk.calls.list_async(to=NUMBER, limit=50))]
    (recording,) = await wire.sdk(lambda sdk: sdk.recordings.list_async(call_sid=call.sid, limit=5))
    assert (recording.call_sid, recording.duration, recording.source) == (call.sid, "3", "RecordVerb")
    again = await wire.sdk(lambda sdk: sdk.recordings(recording.sid).fetch_async())
    assert again.sid == recording.sid
    (of_call,) = await wire.sdk(lambda sdk: sdk.calls(call.sid).recordings.list_async(limit=5))
    assert of_call.sid == recording.sid


async def test_what_was_said_in_an_outage_can_be_listed(wire: Wire) -> None:
    adapter = wire.house.adapter()
    await adapter.subscribe()
    call = await wire.phone.call()
    await wire.phone.ask(call)
    raws = await adapter.list_since(datetime.now(UTC) - timedelta(hours=1))
    assert call.sid in {one.order_key for one in raws}
    assert await adapter.list_since(datetime.now(UTC) + timedelta(hours=1)) == []
    await adapter.aclose()


@pytest.mark.parametrize(
    ("method", "path", "given"),
    [
        ("POST", f"/Calls/CA{'0' * 31}.json", {"data": {"Twiml": "<Response/>"}}),
        ("POST", f"/Calls/CA{'0' * 32}.json", {"data": {"Status": "interrupted"}}),
        ("POST", f"/Calls/CA{'0' * 32}.json", {"data": {"TimeLimit": "long"}}),
        ("GET", "/Calls/CAnot-a-call.json", {}),
        ("GET", "/Calls.json", {"params": {"Status": "asleep"}}),
        ("GET", "/Recordings.json", {"params": {"CallSid": "nobody"}}),
        ("GET", "/Recordings/RE1.json", {}),
        ("GET", "/IncomingPhoneNumbers.json", {"params": {"Beta": "perhaps"}}),
        ("POST", f"/IncomingPhoneNumbers/PN{'0' * 32}.json", {"data": {"VoiceMethod": "SHOUT"}}),
    ],
)
async def test_a_bad_request_is_noticed(wire: Wire, method: str, path: str, given: dict[str, Any]) -> None:
    before = len(list(wire.phone.fake.ledger.rows()))
    status, body = await wire.raw(method, path, **given)
    assert status == 422, body
    assert "UNPROCESSABLE_ENTITY" in body["type"]
    assert len(list(wire.phone.fake.ledger.rows())) == before, "it reached the provider"


async def test_a_bad_answer_is_noticed(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    row = wire.phone.fake.numbers.row(NUMBER)
    assert row is not None
    monkeypatch.setitem(row, "voice_method", "SHOUT")
    status, body = await wire.raw("GET", "/IncomingPhoneNumbers.json")
    assert status == 500
    assert "VIOLATIONS" in body["type"]
    with pytest.raises(ChannelError):
        await wire.sdk(lambda sdk: sdk.incoming_phone_numbers.list_async(limit=1))
