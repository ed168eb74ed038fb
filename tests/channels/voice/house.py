"""The least house that a call needs: it verifies, stores once, parses and responds, each time with a new adapter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from hashlib import sha256
from typing import Any, TypeVar
from uuid import uuid4

from aiohttp import web

from channels.contract import Context, Inbound, Malformed, MessageReceived, Outbound, Peer, RawInbound, Sent, Unverified
from channels.twilio.calls import Calls
from channels.twilio.clock import HandClock
from channels.twilio.fake import FakeTwilio
from channels.twilio.live_call import LiveCall
from channels.twilio.wave_file import Sound
from channels.voice.adapter import Channel
from channels.voice.settings import VoiceSettings
from core import i18n

NUMBER, CALLER, TEAM = "+14155550100", "+491701234567", "+14155550199"
SPEECH = Sound.tone(3.0)
"""Something to be heard; what is said in it, no test here needs to know."""
CLICK = Sound.tone(0.6)
SILENCE = Sound.tone(3.0, hertz=0)

Kind = TypeVar("Kind")


class House:
    """One account, whose webhook is served on loopback."""

    def __init__(self, fake: FakeTwilio, **settings: Any) -> None:
        self.fake = fake
        self.peer = Peer()
        self.raws: list[RawInbound] = []
        self.requests: list[RawInbound] = []
        self.events: list[Inbound] = []
        self.changes: dict[str, Any] = settings
        self.broken = False
        self._runner: web.AppRunner | None = None
        self._port = 0

    async def start(self) -> None:
        """Serves; after a `stop`, at the same address as before."""
        app = web.Application()
        app.router.add_post("/hooks/voice/a1", self._hook)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True).start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def settings(self) -> VoiceSettings:
        values = {
            "account_sid": self.fake.account_sid,
            "auth_token": self.fake.auth_token.get_secret_value(),
            "number": NUMBER,
            "company": "Bird & Seed",
            "api_url": self.fake.url,
        }
        return VoiceSettings.model_validate({**values, **self.changes})

    @property
    def context(self) -> Context:
        return Context(
            "a1",
            self.settings,
            channel="voice",
            public_url=f"http://127.0.0.1:{self._port}",
            secret=bytes(range(32)),
            text=i18n.text,
            languages=i18n.languages(),
        )

    def adapter(self) -> Channel:
        """A new one: as after a restart."""
        return Channel(self.context)

    async def _hook(self, request: web.Request) -> web.Response:
        raw = RawInbound(
            external_id="",
            body=await request.read(),
            content_type=request.headers.get("content-type", ""),
            headers={name.lower(): value for name, value in request.headers.items()},
            transport={"url": f"{self.context.public_url}{request.path_qs}"},
        )
        if self.broken:
            return web.Response(status=500)
        return await self.take(raw)

    async def take(self, raw: RawInbound) -> web.Response:
        adapter = self.adapter()
        try:
            adapter.verify(raw)
        except Unverified:
            return web.Response(status=403)
        self.requests.append(raw)
        events: Sequence[Inbound] = ()
        stored = replace(raw, external_id=f"sha256:{sha256(raw.body).hexdigest()}")
        with suppress(Malformed):
            events = adapter.parse(raw)
            stored = adapter.identify(raw, events)
        if stored.external_id not in {one.external_id for one in self.raws}:
            self.raws.append(stored)
            known = {one.external_id for one in self.of(MessageReceived)}
            self.events += [one for one in events if one.external_id not in known]
        reply = adapter.respond(stored, events, self.peer)
        await adapter.aclose()
        headers = {"Content-Type": reply.content_type}
        return web.Response(body=reply.body, status=reply.status, headers=headers)

    def of(self, kind: type[Kind]) -> list[Kind]:
        return [one for one in self.events if isinstance(one, kind)]

    @property
    def message(self) -> MessageReceived:
        return self.of(MessageReceived)[-1]

    def outbound(self, text: str, **changes: Any) -> Outbound:
        values = {"key": str(uuid4()), "to": self.message.sender, "route": self.message.route, "text": text}
        return Outbound.model_validate({**values, "language": self.message.language, **changes})

    async def answer(self, text: str, **changes: Any) -> Sent:
        return await self.send(self.outbound(text, **changes))

    async def send(self, message: Outbound) -> Sent:
        adapter = self.adapter()
        try:
            return await adapter.send(message)
        finally:
            await adapter.aclose()


class Phone:
    """A caller's telephone, and time that passes only when told to."""

    def __init__(self, fake: FakeTwilio, calls: Calls, clock: HandClock, house: House) -> None:
        self.fake, self.calls, self.clock, self.house = fake, calls, clock, house

    async def call(self, caller: str = CALLER) -> LiveCall:
        call = self.calls.dial(caller)
        await self.calls.settled()
        return call

    async def wait(self, seconds: float) -> None:
        await self.clock.advance(seconds)
        await self.calls.settled()

    async def to_the_tone(self) -> None:
        """Past the second in which a key is listened for."""
        await self.wait(1)

    async def speak(self, call: LiveCall, sound: Sound = SPEECH) -> None:
        assert call.speak(sound), f"nobody is listening: the call is {call.doing}"
        await self.calls.settled()

    async def press(self, call: LiveCall, keys: str) -> None:
        call.press(keys)
        await self.calls.settled()

    async def hang_up(self, call: LiveCall) -> None:
        call.hang_up()
        await self.calls.settled()

    async def answer(self, text: str, **changes: Any) -> Sent:
        sent = await self.house.answer(text, **changes)
        await self.calls.settled()
        return sent

    async def ask(self, call: LiveCall, sound: Sound = SPEECH) -> None:
        """From the greeting to a question that waits for its answer."""
        await self.to_the_tone()
        await self.speak(call, sound)


@contextmanager
def strict_texts() -> Iterator[None]:
    i18n.be_strict()
    try:
        yield
    finally:
        i18n.be_strict(False)


def said(language: str, message_id: str, **params: object) -> str:
    """A sentence as it is heard."""
    return i18n.text(language, f"voice.{message_id}", None, **params)
