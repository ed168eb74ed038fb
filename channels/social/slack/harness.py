"""The Slack channel on the conformance kit's bench, against the fake Slack."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from channels.contract import Address, Malformed, RawInbound
from channels.lab import Misbehaviour
from channels.social.slack.adapter import Channel
from channels.social.slack.fake import APP_TOKEN, BOT_TOKEN, SIGNING_SECRET, FakeSlack
from channels.social.slack.fake_events import Request, signed
from channels.social.slack.fake_workspace import TEAM
from channels.social.slack.mrkdwn import plain
from channels.social.slack.settings import SlackSettings
from channels.testing import harness
from channels.testing.harness import Delivered, Fault

_FAULTS: Mapping[Fault | None, tuple[Misbehaviour, str | None]] = MappingProxyType(
    {
        None: (Misbehaviour.NONE, None),
        Fault.RATE_LIMITED: (Misbehaviour.RATE_LIMITED, None),
        Fault.SERVER_ERROR: (Misbehaviour.SERVER_ERROR, None),
        Fault.CUT_AFTER_ACCEPT: (Misbehaviour.REPLY_LOST, None),
        Fault.REFUSED: (Misbehaviour.NONE, "restricted_action"),
        Fault.UNKNOWN_RECIPIENT: (Misbehaviour.NONE, "channel_not_found"),
        Fault.BAD_CREDENTIALS: (Misbehaviour.NONE, "invalid_auth"),
    }
)


def as_raw(request: Request) -> RawInbound:
    """A request as the house's webhook route hands it to the adapter."""
    return RawInbound(
        external_id="",
        body=request.body,
        content_type=request.headers["Content-Type"],
        headers={name.lower(): value for name, value in request.headers.items()},
        transport={"url": "http://127.0.0.1/hooks/slack/account-1", "peer_ip": "127.0.0.1"},
    )


class Harness(harness.Harness):
    """Ann is a user of the workspace; she writes to the app directly."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.fake = FakeSlack(folder / "slack", scale=0.01)

    async def start(self) -> None:
        await self.fake.start()

    async def stop(self) -> None:
        await self.fake.stop()

    def adapter_class(self) -> type[Channel]:
        return Channel

    def settings(self) -> SlackSettings:
        return self.with_settings()

    def with_settings(self, **changes: Any) -> SlackSettings:
        values = {
            "bot_token": BOT_TOKEN,
            "signing_secret": SIGNING_SECRET,
            "app_token": APP_TOKEN,
            "api_url": self.fake.api_url if self.fake.api.base else "http://127.0.0.1:9/api/",
        }
        return SlackSettings.model_validate({**values, **changes})

    def secrets(self) -> Sequence[str]:
        return (BOT_TOKEN, SIGNING_SECRET, APP_TOKEN)

    def bad_settings(self) -> SlackSettings:
        return self.with_settings(bot_token=BOT_TOKEN[::-1])

    def unreachable_settings(self) -> SlackSettings:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return self.with_settings(api_url=f"http://127.0.0.1:{probe.getsockname()[1]}/api/")

    def recipient(self) -> Address:
        return Address(kind="slack", value=f"{TEAM}:{self.fake.workspace.person('ann').id}", name="Ann")

    def misbehave(self, fault: Fault | None) -> None:
        how, self.fake.refuse = _FAULTS[fault]
        self.fake.misbehave(how)

    def delivered(self) -> Sequence[Delivered]:
        return [Delivered(one.id, plain(one.shown)) for one in self.fake.delivered()]

    async def customer_writes(self, text: str) -> RawInbound:
        self.fake.write(self.fake.workspace.person("ann"), text)
        return self.identified(self.fake.events.sent[-1])

    def identified(self, payload: dict[str, Any], *, interactive: bool = False) -> RawInbound:
        """A payload of the fake's as it is stored."""
        adapter = self.adapter()
        raw = as_raw(self.fake.events.request(payload, interactive=interactive))
        try:
            identified: RawInbound = adapter.identify(raw, adapter.parse(raw))
        except Malformed:
            identified = adapter.identify(raw, ())
        return identified

    def signed(self) -> RawInbound:
        return as_raw(signed(SIGNING_SECRET, _BODY, "application/json"))

    def forged(self) -> Sequence[RawInbound]:
        genuine = signed(SIGNING_SECRET, _BODY, "application/json")
        bare = {name: value for name, value in genuine.headers.items() if not name.startswith("X-Slack")}
        other = {**genuine.headers, "X-Slack-Signature": "v0=\u00e9"}
        words = {**genuine.headers, "X-Slack-Request-Timestamp": "yesterday"}
        return [
            as_raw(Request(_BODY, bare)),
            as_raw(signed(SIGNING_SECRET[::-1], _BODY, "application/json")),
            as_raw(Request(_BODY.replace(b"hello", b"hullo"), genuine.headers)),
            as_raw(Request(b"\xff" + _BODY, genuine.headers)),
            as_raw(signed(SIGNING_SECRET, _BODY, "application/json", at=time.time() - 301)),
            as_raw(signed(SIGNING_SECRET, _BODY, "application/json", at=time.time() + 302)),
            as_raw(Request(_BODY, other)),
            as_raw(Request(_BODY, words)),
        ]

    def junk(self) -> Sequence[bytes]:
        return (
            b'{"type": "event_callback"}',
            b'{"type": "event_callback", "event": {"type": "message", "channel": 7, "ts": []}}',
            b'{"type": "event_callback", "event": {"type": "message", "channel": "C1", "user": "U1", "text": "x"}}',
            b'{"type": "block_actions", "user": {"id": "U1"}, "actions": [{}]}',
            b"payload=%7B%22type%22%3A%22block_actions%22%7D",
        )


_BODY = json.dumps({"type": "url_verification", "challenge": "hello"}).encode()
