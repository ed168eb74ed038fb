"""The Telegram channel on the conformance kit's bench, against the fake Telegram."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from channels.contract import Address, RawInbound
from channels.lab import Misbehaviour
from channels.social.telegram.adapter import Channel
from channels.social.telegram.fake import BOT_TOKEN, FakeTelegram
from channels.social.telegram.fake_updates import ApiError
from channels.social.telegram.fake_world import BOT_ID, BOT_NAME, Json
from channels.social.telegram.polling import as_raw
from channels.social.telegram.settings import TelegramSettings
from channels.social.telegram.webhook import HEADER, secret_token
from channels.testing import harness
from channels.testing.harness import Delivered, Fault

_FAULTS: Mapping[Fault | None, tuple[Misbehaviour, ApiError | None]] = MappingProxyType(
    {
        None: (Misbehaviour.NONE, None),
        Fault.RATE_LIMITED: (Misbehaviour.RATE_LIMITED, None),
        Fault.SERVER_ERROR: (Misbehaviour.SERVER_ERROR, None),
        Fault.CUT_AFTER_ACCEPT: (Misbehaviour.REPLY_LOST, None),
        Fault.REFUSED: (Misbehaviour.NONE, ApiError(400, "Bad Request: message can't be sent")),
        Fault.UNKNOWN_RECIPIENT: (Misbehaviour.NONE, ApiError(400, "Bad Request: chat not found")),
        Fault.BAD_CREDENTIALS: (Misbehaviour.NONE, ApiError(401, "Unauthorized")),
    }
)
_BODY = json.dumps({"update_id": 1, "message": {"message_id": 1, "date": 1, "chat": {"id": 1, "type": "private"}}})


class Harness(harness.Harness):
    """Ann has started the bot and writes to it in private."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.fake = FakeTelegram(folder / "telegram", scale=0.01)

    async def start(self) -> None:
        await self.fake.start()

    async def stop(self) -> None:
        await self.fake.stop()

    def adapter_class(self) -> type[Channel]:
        return Channel

    def settings(self) -> TelegramSettings:
        return self.with_settings()

    def with_settings(self, **changes: Any) -> TelegramSettings:
        values = {"bot_token": BOT_TOKEN, "api_url": self.fake.url or "http://127.0.0.1:9"}
        return TelegramSettings.model_validate({**values, **changes})

    def secrets(self) -> Sequence[str]:
        return BOT_TOKEN, BOT_TOKEN.partition(":")[2], secret_token(self.context())

    def bad_settings(self) -> TelegramSettings:
        return self.with_settings(bot_token=f"{BOT_ID}:{BOT_TOKEN.partition(':')[2][::-1]}")

    def unreachable_settings(self) -> TelegramSettings:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return self.with_settings(api_url=f"http://127.0.0.1:{probe.getsockname()[1]}")

    def ann(self) -> Json:
        return self.fake.world.user("ann", "Ann Example")

    def recipient(self) -> Address:
        return Address(kind="telegram", value=str(self.ann()["id"]), name="Ann Example")

    def misbehave(self, fault: Fault | None) -> None:
        how, self.fake.refuse = _FAULTS[fault]
        self.fake.misbehave(how)

    def delivered(self) -> Sequence[Delivered]:
        return [
            Delivered(f"{one['chat']['id']}:{one['message_id']}", str(one.get("text") or one.get("caption") or ""))
            for one in self.fake.delivered()
        ]

    async def customer_writes(self, text: str) -> RawInbound:
        await self.fake.write(self.ann(), text)
        return self.raw(self.fake.updates.emitted[-1])

    def raw(self, update: Json) -> RawInbound:
        """An update as it is stored when it was fetched."""
        return as_raw(update, BOT_NAME)

    def request(self, body: str | bytes = _BODY, secret: str | None = None) -> RawInbound:
        """A request as the house's webhook route hands it to the adapter."""
        headers = {"content-type": "application/json"} | ({} if secret is None else {HEADER: secret})
        return RawInbound(
            external_id="",
            body=body.encode() if isinstance(body, str) else body,
            content_type="application/json",
            headers=headers,
            transport={"url": f"{self.context().hook_url}?bot={BOT_NAME}", "peer_ip": "127.0.0.1"},
        )

    def signed(self) -> RawInbound:
        return self.request(secret=secret_token(self.context()))

    def forged(self) -> Sequence[RawInbound]:
        # Telegram's secret proves who asks, not what is said: of a body alone nothing can be forged or noticed.
        secret = secret_token(self.context())
        return [
            self.request(),
            self.request(secret=""),
            self.request(secret=secret[::-1]),
            self.request(secret=secret[:-1]),
            self.request(secret=secret.upper()),
            self.request(secret=f"{secret}é"),
            self.request(b"\xff", "\udc80"),
        ]

    def junk(self) -> Sequence[bytes]:
        return (
            b'{"update_id": 1}',
            b'{"update_id": "1", "message": {}}',
            b'{"update_id": 1, "message": {"message_id": 1, "date": 1, "chat": {"id": 1, "type": "private"}}}',
            b'{"update_id": 1, "message": {"message_id": [], "date": {}, "chat": "x", "from": 5, "text": "x"}}',
            b'{"update_id": 1, "callback_query": {"id": "1", "from": {"id": 1, "first_name": "x"}, "data": "x"}}',
            b'{"update_id": 1, "message_reaction": {"chat": {"id": 1, "type": "private"}, "message_id": 1, "date": 1}}',
        )
