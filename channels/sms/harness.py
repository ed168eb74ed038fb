"""SMS on the conformance kit's bench: a fake Twilio that signs its webhooks."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from urllib.parse import parse_qsl, urlencode

from aiohttp import web
from pydantic import BaseModel, SecretStr

from channels.contract import Address, RawInbound
from channels.segments import count
from channels.sms.adapter import Channel
from channels.sms.settings import SmsSettings
from channels.testing import harness
from channels.testing.harness import Delivered, Fault
from channels.twilio.fake import FakeTwilio, Trouble
from channels.twilio.signature import HEADER, sign

CUSTOMER = "+14155550177"
_FAULTS: Mapping[Fault | None, Trouble] = MappingProxyType(
    {
        None: Trouble.NONE,
        Fault.RATE_LIMITED: Trouble.RATE_LIMITED,
        Fault.SERVER_ERROR: Trouble.SERVER_ERROR,
        Fault.REFUSED: Trouble.REFUSED,
        Fault.UNKNOWN_RECIPIENT: Trouble.UNKNOWN_RECIPIENT,
        Fault.BAD_CREDENTIALS: Trouble.BAD_CREDENTIALS,
        Fault.CUT_AFTER_ACCEPT: Trouble.REPLY_LOST,
    }
)


class Harness(harness.Harness):
    """Sends through `FakeTwilio`; what customers write is caught at a webhook of its own."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.provider = FakeTwilio(folder, segments=count)
        self.hook = Hook()

    async def start(self) -> None:
        await self.provider.start()
        await self.hook.start()
        self.provider.numbers.set(self.provider.numbers.all[0], sms_url=self.hook.url)

    async def stop(self) -> None:
        await self.provider.stop()
        await self.hook.stop()

    def adapter_class(self) -> type[Channel]:
        return Channel

    def settings(self) -> SmsSettings:
        return self._settings()

    def secrets(self) -> Sequence[str]:
        return (self.provider.auth_token.get_secret_value(),)

    def bad_settings(self) -> BaseModel:
        return self._settings(auth_token="wrong-" + self.secrets()[0][::-1])

    def unreachable_settings(self) -> BaseModel:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return self._settings(api_url=f"http://127.0.0.1:{probe.getsockname()[1]}")

    def _settings(self, **changes: object) -> SmsSettings:
        values: dict[str, object] = {
            "account_sid": self.provider.account_sid,
            "auth_token": self.secrets()[0],
            "number": self.provider.numbers.all[0],
            "api_url": self.provider.url if self.provider.running else "http://127.0.0.1:9",
        }
        return SmsSettings.model_validate({**values, **changes})

    def recipient(self) -> Address:
        return Address(kind="phone", value=CUSTOMER)

    def misbehave(self, fault: Fault | None) -> None:
        self.provider.misbehave(_FAULTS[fault])

    def delivered(self) -> Sequence[Delivered]:
        return [
            Delivered(row["sid"], row["body"])
            for row in self.provider.messages.all()
            if row["direction"] == "outbound-api"
        ]

    async def customer_writes(self, text: str) -> RawInbound:
        await self.provider.messages.receive(CUSTOMER, text)
        return Channel(self.context()).identify(self.hook.caught[-1], ())

    def signed(self) -> RawInbound:
        form = {"MessageSid": "SM" + "1" * 32, "From": CUSTOMER, "To": "+14155550100", "Body": "Hello", "NumMedia": "0"}
        url = f"{self.hook.url}?{urlencode({'key': 'x'})}"
        signature = sign(self.provider.auth_token, url, list(form.items()))
        return RawInbound(
            "",
            urlencode(form).encode(),
            "application/x-www-form-urlencoded; charset=UTF-8",
            {HEADER: signature},
            {"url": url},
        )

    def forged(self) -> Sequence[RawInbound]:
        genuine = self.signed()
        url = str(genuine.transport["url"])
        form = parse_qsl(genuine.body.decode())
        other = sign(SecretStr("another-token"), url, form)
        return (
            replace(genuine, headers={}),
            replace(genuine, headers={HEADER: ""}),
            replace(genuine, headers={HEADER: other}),
            replace(genuine, headers={HEADER: "ü" * 28}),
            replace(genuine, body=genuine.body + b"&NumMedia=9"),
            replace(genuine, body=genuine.body.replace(b"Hello", b"Hallo")),
            replace(genuine, body=b"\xff"),
            replace(genuine, content_type="application/json"),
            replace(genuine, transport={"url": url.replace("key=x", "key=y")}),
            replace(genuine, transport={}),
        )

    def junk(self) -> Sequence[bytes]:
        return (b"MessageSid=SM1&From=%2B14155550177&Body=x", b"From=%2B14155550177", b"MessageSid=%ff%fe")


class Hook:
    """A webhook on loopback that keeps what comes."""

    def __init__(self) -> None:
        self.caught: list[RawInbound] = []
        self.statuses: list[int] = []
        """What to answer next; 200 where nothing is left."""
        self.arrived = asyncio.Event()
        self.body, self.content_type = "<Response/>", "text/xml"
        self._runner: web.AppRunner | None = None
        self._port = 0

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/{path:.*}", self._catch)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def url(self) -> str:
        return f"{self.origin}/hooks/sms/account-1"

    async def _catch(self, request: web.Request) -> web.Response:
        self.caught.append(
            RawInbound(
                "",
                await request.read(),
                request.headers.get("Content-Type", ""),
                {name.lower(): value for name, value in request.headers.items()},
                {"url": f"{self.origin}{request.path_qs}"},
            )
        )
        self.arrived.set()
        status = self.statuses.pop(0) if self.statuses else 200
        return web.Response(text=self.body, status=status, content_type=self.content_type)
