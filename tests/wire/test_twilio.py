"""The official SDK, and our fake, judged by Twilio's own OpenAPI description: Prism stands between them."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from channels.contract import AuthFailed, Context, Outbound, Rejected, Undeliverable
from channels.segments import count
from channels.sms.adapter import Channel
from channels.sms.harness import CUSTOMER, Hook
from channels.sms.settings import SmsSettings
from channels.twilio.fake import FakeTwilio
from tests.wire.prism import prism
from tests.wire.twilio_specification import for_prism

MATERIAL = os.environ.get("AUTOCRM_MATERIAL", "")
API = Path(MATERIAL) / "specs" / "twilio_api_v2010.json"
MESSAGING = Path(MATERIAL) / "specs" / "twilio_messaging_v1.json"

_FORM = "application/x-www-form-urlencoded"

if not API.exists() and os.environ.get("CI") == "true":
    raise RuntimeError("AUTOCRM_MATERIAL names no folder with specs/twilio_api_v2010.json")
pytestmark = [
    pytest.mark.skipif(not API.exists(), reason="AUTOCRM_MATERIAL is not set: Twilio's description is not at hand"),
    pytest.mark.timeout(180),
]


def _arrays(description: Path) -> Path:
    """The same file, in which a form's arrays say how they are written: Prism takes them for plain strings otherwise."""
    content = json.loads(description.read_text("utf-8"))
    for path in content["paths"].values():
        for operation in path.values():
            form = isinstance(operation, dict) and operation.get("requestBody", {}).get("content", {}).get(_FORM)
            if form:
                arrays = [name for name, one in form["schema"]["properties"].items() if one.get("type") == "array"]
                form["encoding"] = {name: {"style": "form", "explode": True} for name in arrays}
    description.write_text(json.dumps(content), "utf-8")
    return description


def _services(published: Path, folder: Path) -> Path:
    """A copy in `folder` in which a service's webhook may be empty, as it is when it is taken away."""
    content = json.loads(published.read_text("utf-8"))
    form = content["paths"]["/v1/Services/{Sid}"]["post"]["requestBody"]["content"][_FORM]["schema"]["properties"]
    for name in ("InboundRequestUrl", "FallbackUrl"):
        form[name]["format"] = "uri-reference"
    copy = folder / published.name
    copy.write_text(json.dumps(content), "utf-8")
    return copy


class _Messaging:
    """The messaging API has a host of its own at Twilio: one origin for both, the path decides."""

    def __init__(self, api: str, messaging: str) -> None:
        self.api, self.messaging = api, messaging
        self.refusals: list[tuple[str, str]] = []
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._pass)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _pass(self, request: web.Request) -> web.Response:
        target = self.messaging if request.path.startswith("/v1/") else self.api
        headers = {k: v for k, v in request.headers.items() if k in ("Authorization", "Content-Type", "Accept")}
        async with (
            aiohttp.ClientSession(auto_decompress=True) as session,
            session.request(
                request.method, f"{target}{request.path_qs}", data=await request.read() or None, headers=headers
            ) as answer,
        ):
            body = await answer.read()
            if b"stoplight.io/prism" in body:
                self.refusals.append((f"{request.method} {request.path_qs}", body.decode()))
            return web.Response(body=body, status=answer.status, headers={"Content-Type": "application/json"})


@dataclass
class Wire:
    """The fake, the way to it through Prism, and what Prism objected to."""

    fake: FakeTwilio
    hook: Hook
    front: _Messaging

    def channel(self, **changes: object) -> Channel:
        values: dict[str, object] = {
            "account_sid": self.fake.account_sid,
            "auth_token": self.fake.auth_token.get_secret_value(),
            "number": self.fake.numbers.all[0],
            "api_url": self.front.url,
            **changes,
        }
        return Channel(
            Context(
                "account-1", SmsSettings.model_validate(values), "sms", public_url=self.hook.origin, secret=bytes(32)
            )
        )

    def service(self) -> Channel:
        return self.channel(number="", messaging_service_sid=self.fake.numbers.service["sid"])

    async def raw(
        self, method: str, path: str, *, data: dict[str, str] | None = None, token: str = ""
    ) -> tuple[int, Any]:
        """A request that no SDK would make."""
        login = aiohttp.encode_basic_auth(self.fake.account_sid, token or self.fake.auth_token.get_secret_value())
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, f"{self.front.url}{path}", data=data, headers={"Authorization": login}) as answer,
        ):
            return answer.status, json.loads(await answer.read())


@pytest.fixture
async def wire(tmp_path: Path) -> AsyncIterator[Wire]:
    async with AsyncExitStack() as stack:
        fake, hook = FakeTwilio(tmp_path, segments=count), Hook()
        await fake.start()
        stack.push_async_callback(fake.stop)
        await hook.start()
        stack.push_async_callback(hook.stop)
        api = await stack.enter_async_context(prism(_arrays(for_prism(API, tmp_path)), fake.url))
        messaging = await stack.enter_async_context(prism(_services(MESSAGING, tmp_path), fake.url))
        front = _Messaging(api, messaging)
        await front.start()
        stack.push_async_callback(front.stop)
        yield Wire(fake, hook, front)


def _outbound(**changes: object) -> Outbound:
    values: dict[str, object] = {
        "key": "019aa000-0000-7000-8000-000000000001",
        "to": {"kind": "phone", "value": CUSTOMER},
        "text": "Your order is on its way 📦",
        **changes,
    }
    return Outbound.model_validate(values)


async def test_every_request_of_the_channel_and_every_answer_of_the_fake_passes(wire: Wire) -> None:
    channel, began = wire.channel(), datetime.now(UTC) - timedelta(minutes=1)
    missing = (await channel.check()).missing
    assert len(missing) == 1, "only the webhook is not connected yet"
    await channel.subscribe()
    assert (await channel.check()).missing == ()

    sent = await channel.send(_outbound())
    picture = {"filename": "a.png", "content_type": "image/png", "size": 9, "url": f"{wire.hook.origin}/a.png"}
    await channel.send(_outbound(key="019aa000-0000-7000-8000-000000000002", attachments=(picture,)))
    await wire.fake.settle()
    found = await channel.find_sent("019aa000-0000-7000-8000-000000000001", began, _outbound())
    assert found is not None
    assert found.external_id == sent.external_id

    receipt = next(
        one for one in map(channel.parse, wire.hook.caught) if one and one[0].external_id.endswith("delivered")
    )
    [priced] = await channel.enrich(receipt, wire.hook.caught[-1])
    assert getattr(priced, "facts")["price"].startswith("-0.0")  # noqa: B009, only receipts have facts of this kind

    await wire.fake.messages.receive(CUSTOMER, "Look", files=[("a.png", "image/png", b"\x89PNG")])
    raws = await channel.list_since(began)
    assert len(raws) == 1

    await channel.unsubscribe()
    service = wire.service()
    await service.subscribe()
    assert (await service.check()).missing == ()
    await service.send(
        _outbound(key="019aa000-0000-7000-8000-000000000003", route={"number": wire.fake.numbers.all[0]})
    )
    assert len(await service.list_since(began)) == 1
    await service.unsubscribe()
    await wire.fake.settle()
    assert wire.front.refusals == []


async def test_the_providers_errors_pass_through(wire: Wire) -> None:
    with pytest.raises(AuthFailed):
        await wire.channel(auth_token="not-the-token").check()
    wire.fake.misbehave(type(wire.fake.trouble).UNKNOWN_RECIPIENT)
    with pytest.raises(Undeliverable) as undeliverable:
        await wire.channel().send(_outbound())
    assert undeliverable.value.code == "twilio_21211"
    wire.fake.misbehave(type(wire.fake.trouble).REFUSED)
    with pytest.raises(Rejected):
        await wire.channel().send(_outbound())


BAD: list[tuple[str, str, dict[str, str] | None]] = [
    ("POST", "/Messages.json", {"Body": "to nobody", "From": "+14155550100"}),
    ("POST", "/Messages.json", {"To": CUSTOMER, "MessagingServiceSid": "MG-not-a-sid"}),
    ("GET", "/Messages.json?PageSize=many", None),
    ("GET", "/Messages/SM-not-a-sid.json", None),
    ("GET", "/Messages/SM-not-a-sid/Media.json", None),
    ("GET", "/Messages/SM-not-a-sid/Media/ME1.json", None),
    ("GET", "/IncomingPhoneNumbers.json?PageSize=many", None),
    ("POST", "/IncomingPhoneNumbers/PN-not-a-sid.json", {"SmsUrl": "https://shop.test"}),
    ("GET", "", None),
]


async def test_a_bad_request_to_each_endpoint_is_refused(wire: Wire) -> None:
    account = f"/2010-04-01/Accounts/{wire.fake.account_sid}"
    for method, path, data in BAD:
        target = f"{account}{path}" if path else "/2010-04-01/Accounts/AC-not-a-sid.json"
        before = len(wire.front.refusals)
        status, answer = await wire.raw(method, target, data=data)
        assert status in (400, 422), f"{method} {path} passed with {status}"
        assert "stoplight.io/prism" in answer["type"], f"{method} {path} came to the provider"
        assert len(wire.front.refusals) == before + 1
    for method, path, data in (
        ("GET", "/v1/Services/MG-not-a-sid", None),
        ("POST", "/v1/Services/MG-not-a-sid", {"InboundMethod": "POST"}),
        ("GET", "/v1/Services/MG-not-a-sid/PhoneNumbers", None),
    ):
        status, answer = await wire.raw(method, path, data=data)
        assert status in (400, 422)
        assert "stoplight.io/prism" in answer["type"]
    assert not list(wire.fake.messages.all())


async def test_a_bad_answer_of_each_kind_is_caught(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    channel = wire.channel()
    wire.fake.numbers.row(wire.fake.numbers.all[0])["sms_method"] = "SHOUT"  # type: ignore[index]
    with pytest.raises(Exception):  # noqa: B017, PT011, whatever it becomes, Prism has objected
        await channel.check()
    assert any("IncomingPhoneNumbers" in where for where, _ in wire.front.refusals)

    wire.front.refusals.clear()
    wire.fake.numbers.service["inbound_method"] = "SHOUT"
    with pytest.raises(Exception):  # noqa: B017, PT011
        await wire.service().check()
    assert any("/v1/Services" in where for where, _ in wire.front.refusals)

    wire.front.refusals.clear()
    monkeypatch.setattr("channels.twilio.messages.new_sid", lambda prefix: f"{prefix}-wrong")
    with pytest.raises(Exception):  # noqa: B017, PT011
        await channel.send(_outbound())
    assert [where.partition(" ")[0] for where, _ in wire.front.refusals] == ["POST"]
