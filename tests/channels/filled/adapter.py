"""Translates between the pigeon post and the neutral values of `channels.contract`. It decides nothing."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import aiohttp

from channels.contract import (
    Address,
    AuthFailed,
    Checked,
    Context,
    Inbound,
    Malformed,
    MessageReceived,
    Outbound,
    OutcomeUnknown,
    Peer,
    RawInbound,
    Rejected,
    Retryable,
    Sent,
    Trust,
    Undeliverable,
    Unverified,
    WebhookReply,
)

from .settings import Settings


class Channel:
    """One account."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.settings: Settings = context.settings

    async def check(self) -> Checked:
        found = await self._ask("GET", "/me")
        return Checked(identity=str(found["loft"]))

    def verify(self, raw: RawInbound) -> None:
        given = raw.headers.get("x-pigeon-signature", "")
        if not hmac.compare_digest(given.encode(), signature(self.settings, raw.body).encode()):
            raise Unverified("the signature is not the pigeon post's")

    def identify(self, raw: RawInbound, events: Sequence[Inbound]) -> RawInbound:
        if not events:
            raise Malformed("there is no note in it")
        return replace(raw, external_id=events[0].external_id, order_key=events[0].conversation)

    def respond(self, raw: RawInbound, events: Sequence[Inbound], peer: Peer) -> WebhookReply:
        return WebhookReply()

    async def subscribe(self) -> None:
        """The webhook's address is entered in the console, by hand."""

    async def unsubscribe(self) -> None:
        """As `subscribe`."""

    def parse(self, raw: RawInbound) -> Sequence[Inbound]:
        try:
            note = json.loads(raw.body)
            sender, ring, text = str(note["from"]), str(note["ring"]), str(note["text"])
            text.encode()
        except (ValueError, KeyError, TypeError, RecursionError):
            raise Malformed("no note of the pigeon post") from None
        who = Address(kind="loft", value=sender.lower(), trust=Trust.PROVIDER)
        return [MessageReceived(external_id=ring, conversation=who.value, sender=who, text=text)]

    async def send(self, message: Outbound) -> Sent:
        note = {"to": message.to.value, "text": message.text, "key": message.key}
        found = await self._ask("POST", "/notes", note)
        return Sent(external_id=str(found["ring"]))

    async def aclose(self) -> None:
        """Nothing is kept open between calls."""

    async def _ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        token = self.settings.api_token.get_secret_value()
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session,
                session.request(
                    method, self.settings.api_url + path, json=body, headers={"Authorization": f"Bearer {token}"}
                ) as answer,
            ):
                match answer.status:
                    case 401:
                        raise AuthFailed("the pigeon post does not know this token")
                    case 404:
                        raise Undeliverable("there is no such loft")
                    case 429 | 503:
                        raise Retryable("the pigeons are busy", after=float(answer.headers.get("Retry-After", 0)))
                    case status if status >= 400:
                        raise Rejected(f"the pigeon post answered {status}")
                found: dict[str, Any] = await answer.json()
                return found
        except aiohttp.ClientConnectorError:
            raise Retryable("the pigeon post cannot be reached") from None
        except (aiohttp.ClientError, TimeoutError):
            raise OutcomeUnknown("the pigeon post did not answer") from None


def signature(settings: Settings, body: bytes) -> str:
    """Hex HMAC-SHA256 of the body."""
    return hmac.new(settings.signing_secret.get_secret_value().encode(), body, hashlib.sha256).hexdigest()
