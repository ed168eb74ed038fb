"""The widget on the conformance kit's bench. It has no outside provider: what is committed is delivered."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar
from uuid import uuid4

from channels.chat_widget.adapter import Channel
from channels.chat_widget.settings import WidgetSettings
from channels.contract import Address, RawInbound
from channels.testing import harness
from channels.testing.harness import Fault

_NO_PROVIDER = "there is no provider that could: the committed message is the delivery"


class Harness(harness.Harness):
    """Frames as the house's socket hands them on."""

    has_provider: ClassVar[bool] = False
    faults: ClassVar[frozenset[Fault]] = frozenset()
    why_not: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            **{fault.value: _NO_PROVIDER for fault in Fault},
            "bad_settings": _NO_PROVIDER,
            "unreachable_settings": _NO_PROVIDER,
            "secrets": "a widget has none: its key stands in the page",
        }
    )

    def adapter_class(self) -> type[Channel]:
        return Channel

    def settings(self) -> WidgetSettings:
        return WidgetSettings()

    def secrets(self) -> Sequence[str]:
        return ()

    def recipient(self) -> Address:
        return Address(kind="visitor", value="v1")

    async def customer_writes(self, text: str) -> RawInbound:
        frame = {
            "type": "message",
            "client_id": str(uuid4()),
            "conversation": "c1",
            "visitor": "v1",
            "text": text,
        }
        raw = RawInbound(external_id="", body=json.dumps(frame).encode(), content_type="application/json")
        return Channel(self.context()).identify(raw, ())

    def junk(self) -> Sequence[bytes]:
        return (b'{"type": "message"}', b'{"type": "message", "client_id": "x", "conversation": "c", "visitor": "v"}')
