"""A channel made for tests: bytes are JSON that say what the parser shall do, and sends follow a script.

It is found as an installed channel is, by its entry points, so the parser's own process finds it too. Three kinds of
bird differ in how a send in doubt can be settled.
"""

from __future__ import annotations

import json
import os
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, SecretStr, TypeAdapter

from channels import registry
from channels.contract import (
    Attachment,
    Capabilities,
    ChannelSpec,
    Checked,
    Context,
    Inbound,
    Ingress,
    Malformed,
    Outbound,
    Peer,
    RawInbound,
    Sent,
    Threads,
    Unverified,
    WebhookReply,
)
from core.intake import parsing

_events: TypeAdapter[list[Inbound]] = TypeAdapter(list[Inbound])


class BirdSettings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    nest: str = "oak"
    fixed: bool = False
    """Whether the parser's bugs are mended."""
    password: SecretStr = SecretStr("")
    seed: SecretStr | None = None


class Sky:
    """What the provider of all birds has seen, and what it shall do next."""

    def __init__(self) -> None:
        self.ledger: list[Outbound] = []
        self.script: deque[Sent | Exception | None] = deque()
        """Results of the coming sends; an empty script accepts. None: accepts, but the caller dies of it."""
        self.known: dict[str, Sent] = {}
        self.listed: list[RawInbound] = []
        """What the provider says it had for us."""
        self.files: dict[str, bytes | Exception] = {}
        """What can be fetched, by address."""
        self.check: Exception | None = None
        self.on_send: Any = None
        """Called before a send is answered."""

    def texts(self) -> list[str]:
        return [one.text for one in self.ledger]


sky = Sky()


class Channel:
    """The adapter of all birds."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.settings: BirdSettings = context.settings

    async def check(self) -> Checked:
        if sky.check is not None:
            raise sky.check
        return Checked(identity=self.settings.nest)

    def parse(self, raw: RawInbound) -> Sequence[Inbound]:
        told = json.loads(raw.body)
        act = told.get("do") if not self.settings.fixed else None
        if act == "malformed":
            raise Malformed("not a bird's song")
        if act == "raise":
            raise ValueError("a bug of the parser")
        if act == "hang":
            while True:
                time.sleep(0.05)
        if act == "die":
            os._exit(9)
        return _events.validate_python(told["events"])

    def verify(self, raw: RawInbound) -> None:
        if raw.headers.get("x-bird") != "tweet":
            raise Unverified("not a bird")

    def identify(self, raw: RawInbound, events: Sequence[Inbound]) -> RawInbound:
        from dataclasses import replace

        if not events:
            raise Malformed("whose is it?")
        return replace(raw, external_id=events[0].external_id, order_key=events[0].conversation)

    def respond(self, raw: RawInbound, events: Sequence[Inbound], peer: Peer) -> WebhookReply:
        return WebhookReply()

    async def subscribe(self) -> None:
        """Nothing to do."""

    async def unsubscribe(self) -> None:
        """Nothing to do."""

    async def send(self, message: Outbound) -> Sent:
        if sky.on_send is not None:
            await sky.on_send(message)
        result = sky.script.popleft() if sky.script else None
        if isinstance(result, Exception):
            raise result
        sky.ledger.append(message)
        sent = result or Sent(external_id=f"out-{message.key}")
        sky.known[message.key] = sent
        return sent

    async def aclose(self) -> None:
        """Nothing is open."""


class ListedChannel(Channel):
    """Its provider keeps a list of what it had for us."""

    async def list_since(self, since: datetime) -> Sequence[RawInbound]:
        return sky.listed


class SingingChannel(Channel):
    """Its songs are fetched, and listened to."""

    async def download(self, attachment: Attachment) -> AsyncIterator[bytes]:
        found = sky.files[attachment.url or ""]
        if isinstance(found, Exception):
            raise found
        for at in range(0, len(found), 1000):
            yield found[at : at + 1000]


class LookupChannel(Channel):
    async def find_sent(self, key: str, since: datetime, message: Outbound | None = None) -> Sent | None:
        return sky.known.get(key)


def _spec(name: str, adapter: str = "Channel", **capabilities: Any) -> ChannelSpec:
    return ChannelSpec(
        id=name,
        title=name.title(),
        adapter=f"tests.factories.birds:{adapter}",
        settings="tests.factories.birds:BirdSettings",
        capabilities=Capabilities(
            **{
                "threads": Threads.NATIVE,
                "can_initiate": True,
                "copies": True,
                "receipts": True,
                "attachments_max": 3,
                "attachment_bytes_max": 10**6,
                **capabilities,
            }
        ),
        ingress=frozenset({Ingress.WEBHOOK}),
        peer_kind="bird",
    )


PIGEON = _spec("pigeon", idempotent_send=True, text_max=60)
RAVEN = _spec("raven", "LookupChannel", lookup_sent=True)
OWL = _spec("owl", chat_like=True)
PARROT = _spec("parrot", "SingingChannel", threads=Threads.NATIVE, live_audio=True)
"""Speaks: a telephone."""
MAGPIE = _spec("magpie", "ListedChannel", threads=Threads.PEER, can_initiate=True, text_with_attachments=False)
"""Writes to anybody first, and keeps a list."""


@contextmanager
def installed(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Sky]:
    """The birds as an installed distribution, and an empty sky."""
    info = folder / "birds-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: birds\nVersion: 1\n")
    lines = [
        f"{name} = tests.factories.birds:{name.upper()}" for name in ("pigeon", "raven", "owl", "parrot", "magpie")
    ]
    (info / "entry_points.txt").write_text("[autocrm.channels]\n" + "\n".join(lines) + "\n")
    patch.syspath_prepend(str(folder))
    registry.specs.cache_clear()
    sky.__init__()  # type: ignore[misc]
    try:
        yield sky
    finally:
        parsing.close()
        registry.specs.cache_clear()


def song(*events: Mapping[str, Any], do: str | None = None, padding: int = 0) -> bytes:
    """A body that parses to `events`, once the bug `do` is mended."""
    return json.dumps({"events": list(events), "do": do, "padding": "x" * padding}).encode()


def message(external_id: str, text: str = "Hello", *, sender: str = "finch", **more: Any) -> dict[str, Any]:
    """A `MessageReceived` on the conversation of its sender."""
    return {
        "type": "message_received",
        "external_id": external_id,
        "conversation": more.pop("conversation", f"tree-{sender}"),
        "sender": {"kind": "bird", "value": sender, "name": sender.title(), "trust": "provider"},
        "text": text,
        **more,
    }


def raw(
    external_id: str,
    text: str = "Hello",
    *,
    sender: str = "finch",
    do: str | None = None,
    padding: int = 0,
    **more: Any,
) -> RawInbound:
    """A raw with one message, in the order of its sender's conversation."""
    event = message(external_id, text, sender=sender, **more)
    return RawInbound(external_id, song(event, do=do, padding=padding), order_key=event["conversation"])
