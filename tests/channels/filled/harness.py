"""The carrier pigeon on the conformance kit's bench."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import SecretStr

from channels.contract import Address, RawInbound
from channels.testing import harness
from channels.testing.harness import Delivered, Fault

from .adapter import Channel, signature
from .fake import TOKEN, FakeProvider
from .settings import Settings

_SECRET = "a-feather-in-wax"


class Harness(harness.Harness):
    """Starts the fake provider and makes it misbehave."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._provider = FakeProvider()

    async def start(self) -> None:
        await self._provider.start()

    async def stop(self) -> None:
        await self._provider.stop()

    def adapter_class(self) -> type[Channel]:
        return Channel

    def settings(self) -> Settings:
        return Settings(api_url=self._provider.url, api_token=SecretStr(TOKEN), signing_secret=SecretStr(_SECRET))

    def bad_settings(self) -> Settings:
        return self.settings().model_copy(update={"api_token": SecretStr("stale-bread")})

    def unreachable_settings(self) -> Settings:
        return self.settings().model_copy(update={"api_url": "http://127.0.0.1:1"})

    def secrets(self) -> Sequence[str]:
        return [TOKEN, _SECRET]

    def recipient(self) -> Address:
        return Address(kind="loft", value="dovecote")

    def misbehave(self, fault: Fault | None) -> None:
        self._provider.fault = fault

    def delivered(self) -> Sequence[Delivered]:
        return [Delivered(key, text) for key, text in self._provider.notes.items()]

    async def customer_writes(self, text: str) -> RawInbound:
        raw = self._note(text)
        adapter = self.adapter()
        found: RawInbound = adapter.identify(raw, adapter.parse(raw))
        return found

    def signed(self) -> RawInbound:
        return self._note("Hello")

    def forged(self) -> Sequence[RawInbound]:
        genuine = self.signed()
        other = Settings(api_url="http://x", api_token=SecretStr("x"), signing_secret=SecretStr("another"))
        return [
            replace(genuine, headers={}),
            replace(genuine, headers={"x-pigeon-signature": signature(other, genuine.body)}),
            replace(genuine, body=genuine.body + b" "),
        ]

    def _note(self, text: str) -> RawInbound:
        body = json.dumps({"from": "Dovecote", "ring": "r-1", "text": text}).encode()
        return RawInbound(
            "", body, "application/json", headers={"x-pigeon-signature": signature(self.settings(), body)}
        )
