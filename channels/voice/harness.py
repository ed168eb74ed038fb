"""The telephone on the conformance kit's bench: a fake Twilio with a caller who is always on the line."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode

from aiohttp import web
from pydantic import BaseModel, SecretStr

from channels.contract import Address, Context, Peer, RawInbound
from channels.testing import harness
from channels.testing.harness import Delivered, Fault
from channels.twilio.calls import Calls
from channels.twilio.clock import RealClock
from channels.twilio.exchange import Doing, Pace
from channels.twilio.fake import FakeTwilio, Trouble
from channels.twilio.live_call import LiveCall
from channels.twilio.signature import HEADER, sign
from channels.twilio.twiml import read
from channels.twilio.wave_file import Sound
from channels.voice.adapter import Channel
from channels.voice.settings import VoiceSettings
from channels.voice.state import At, step_of

_NUMBER, _CALLER = "+14155550100", "+491701234567"
_TOKEN = "harness-auth-token-42"  # noqa: S105 - of a provider on loopback
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
    """Answers go into the running call of a caller who never hangs up; what the caller says is a recording."""

    why_not: ClassVar[Mapping[str, str]] = MappingProxyType({"arrivals": "calls come by webhook alone"})

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._fake = FakeTwilio(folder, auth_token=_TOKEN, numbers=(_NUMBER,))
        self._calls = Calls(self._fake, clock=RealClock(0.001), pace=Pace(patience=1_000_000.0))
        self._requests: list[RawInbound] = []
        self._spoken: asyncio.Queue[RawInbound] = asyncio.Queue()
        self._runner: web.AppRunner | None = None
        self._public_url = "http://127.0.0.1:1"
        self._call: LiveCall | None = None

    async def start(self) -> None:
        await self._fake.start()
        app = web.Application()
        app.router.add_post("/{path:.*}", self._hook)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._public_url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        adapter = self.adapter()
        await adapter.subscribe()
        await adapter.aclose()
        self._call = self._calls.dial(_CALLER)
        await self._call.until(Doing.LISTENING)

    async def stop(self) -> None:
        await self._fake.stop()
        if self._runner is not None:
            await self._runner.cleanup()

    def adapter_class(self) -> type[Channel]:
        return Channel

    def settings(self) -> VoiceSettings:
        return self._settings()

    def secrets(self) -> Sequence[str]:
        return (_TOKEN,)

    def bad_settings(self) -> BaseModel:
        return self._settings(auth_token=_TOKEN[::-1])

    def unreachable_settings(self) -> BaseModel:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return self._settings(api_url=f"http://127.0.0.1:{probe.getsockname()[1]}")

    def _settings(self, **changes: object) -> VoiceSettings:
        url = ""
        with suppress(RuntimeError):
            url = self._fake.url
        values: dict[str, object] = {
            "account_sid": self._fake.account_sid,
            "auth_token": _TOKEN,
            "number": _NUMBER,
            "api_url": url or "https://api.twilio.com",
        }
        return VoiceSettings.model_validate({**values, **changes})

    def context(self, settings: BaseModel | None = None, cursor: Mapping[str, Any] | None = None) -> Context:
        given = super().context(settings, cursor)
        return replace(given, channel="voice", public_url=self._public_url)

    def recipient(self) -> Address:
        return Address(kind="phone", value=_CALLER)

    def route(self) -> Mapping[str, Any]:
        call = self._call.sid if self._call else "CA" + "0" * 32
        return {"call_sid": call, "turn": 1, "language": "en", "number": _CALLER, "offered": False}

    def misbehave(self, fault: Fault | None) -> None:
        self._fake.misbehave(_FAULTS[fault])

    def delivered(self) -> Sequence[Delivered]:
        """What the documents say that were put into the call, without what the channel adds of its own."""
        found = []
        for row in self._fake.ledger.rows("call_updated"):
            verbs, _problems = read(row["twiml"])
            answer = next(one for verb in verbs for one in (verb, *verb.inner) if one.name == "Say")
            found.append(Delivered(f"{row['call']}:{row['at']}", answer.text))
        return found

    # ------------------------------------------------------------------ what the caller says

    async def customer_writes(self, text: str) -> RawInbound:
        """A caller cannot write: the recording of a question, as its callback brings it."""
        assert self._call is not None
        await self._call.until(Doing.LISTENING)
        self._call.speak(Sound.tone(2.0), text=text)
        spoken = await self._spoken.get()
        return self.adapter().identify(spoken, ())  # type: ignore[no-any-return]

    def signed(self) -> RawInbound:
        return self._requests[0]

    def forged(self) -> Sequence[RawInbound]:
        genuine = self.signed()
        url, form = str(genuine.transport["url"]), parse_qsl(genuine.body.decode(), keep_blank_values=True)
        other = sign(SecretStr("another-token"), url, form)
        changed = urlencode([*form[:-1], ("To", "+14155550111")]).encode()
        return (
            replace(genuine, headers={name: value for name, value in genuine.headers.items() if name != HEADER}),
            replace(genuine, headers={**genuine.headers, HEADER: other}),
            replace(genuine, headers={**genuine.headers, HEADER: ""}),
            replace(genuine, body=changed),
            replace(genuine, transport={**genuine.transport, "url": f"{url}?at=person"}),
        )

    def junk(self) -> Sequence[bytes]:
        return (b"CallSid=CA1", b"CallSid=" + b"CA" + b"g" * 32, b"RecordingSid=RE" + b"0" * 32)

    async def _hook(self, request: web.Request) -> web.Response:
        raw = RawInbound(
            external_id="",
            body=await request.read(),
            content_type=request.headers.get("content-type", ""),
            headers={name.lower(): value for name, value in request.headers.items()},
            transport={"url": f"{self._public_url}{request.path_qs}"},
        )
        self._requests.append(raw)
        if step_of(str(raw.transport["url"])).at is At.TURN:
            self._spoken.put_nowait(raw)
        adapter = self.adapter()
        events = adapter.parse(raw)
        reply = adapter.respond(adapter.identify(raw, events), events, Peer())
        await adapter.aclose()
        return web.Response(body=reply.body, headers={"Content-Type": reply.content_type})
