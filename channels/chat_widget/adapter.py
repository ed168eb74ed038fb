"""The widget's adapter. Frames of the browser come in as JSON, wrapped by the house with the visitor they belong to."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from channels.chat_widget.settings import WidgetSettings
from channels.contract import (
    ActionTaken,
    Address,
    Checked,
    Context,
    Inbound,
    Malformed,
    MessageReceived,
    Outbound,
    RawInbound,
    ReceiptKind,
    ReceiptReceived,
    Sent,
    Trust,
)


class Frame(BaseModel):
    """One frame of a browser, with the visitor whose session it came by."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["message", "person", "seen"]
    client_id: str = Field(min_length=1, max_length=64)
    """Chosen by the browser, the same for every repeat."""
    conversation: str = Field(min_length=1, max_length=100)
    visitor: str = Field(min_length=1, max_length=100)
    name: str | None = Field(default=None, max_length=200)
    language: str | None = Field(default=None, max_length=35)
    text: str = Field(default="", max_length=8000)
    key: str | None = Field(default=None, max_length=64)
    """For `seen`: the delivery that the browser has shown."""
    at: datetime | None = None


class Channel:
    """One widget (`Adapter`, `Identify`, `Typing`)."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.settings: WidgetSettings = context.settings

    async def check(self) -> Checked:
        return Checked(identity=f"{self.context.public_url}/widget/widget.js")

    def identify(self, raw: RawInbound, events: Sequence[Inbound]) -> RawInbound:
        """Browsers choose their own ids, so the conversation stands before them: two must not silence each other."""
        frame = _read(raw)
        external_id = f"{frame.conversation}:{frame.type}:{frame.client_id}"
        return replace(raw, external_id=external_id, order_key=frame.conversation)

    def parse(self, raw: RawInbound) -> Sequence[Inbound]:
        frame = _read(raw)
        visitor = Address(kind="visitor", value=frame.visitor, name=frame.name, trust=Trust.PROVIDER)
        if frame.type == "person":
            return [
                ActionTaken(
                    external_id=f"person:{frame.client_id}",
                    conversation=frame.conversation,
                    sender=visitor,
                    action="person",
                )
            ]
        if frame.type == "seen":
            return [
                ReceiptReceived(
                    external_id=f"seen:{frame.client_id}",
                    conversation=frame.conversation,
                    kind=ReceiptKind.READ,
                    key=frame.key,
                )
            ]
        if not frame.text.strip():
            raise Malformed("a chat message without a text")
        return [
            MessageReceived(
                external_id=frame.client_id,
                conversation=frame.conversation,
                provider_time=frame.at,
                sender=visitor,
                text=frame.text,
                language=frame.language,
            )
        ]

    async def send(self, message: Outbound) -> Sent:
        """The message stands in the database already, and every process pushes it from there."""
        return Sent(external_id=message.key)

    async def typing(self, to: Address, route: Mapping[str, JsonValue]) -> None:
        conversation = str(route.get("conversation", ""))
        await self.context.publish(conversation, {"type": "typing", "active": True})

    async def aclose(self) -> None:
        """Nothing is kept open."""


def _read(raw: RawInbound) -> Frame:
    try:
        return Frame.model_validate(json.loads(raw.body))
    except (ValueError, RecursionError, ValidationError) as error:
        raise Malformed(f"not a widget frame: {type(error).__name__}") from None
