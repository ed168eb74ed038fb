"""The SMS channel: Twilio's messages to and from the contract's neutral values."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

import aiohttp
from twilio.twiml.messaging_response import MessagingResponse  # type: ignore[import-untyped]

from channels import egress
from channels.contract import (
    Attachment,
    ChannelError,
    Checked,
    Context,
    Inbound,
    Outbound,
    Peer,
    RawInbound,
    ReceiptKind,
    ReceiptReceived,
    Sent,
    WebhookReply,
)
from channels.sms import lookup, outgoing, subscription
from channels.sms.keywords import Keyword, Wish, wished
from channels.sms.parse import KEY, identify, parse
from channels.sms.recent import RECENT, Print
from channels.sms.settings import Keywords, SmsSettings
from channels.twilio.client import API_URL, TwilioClient
from channels.twilio.form import fields
from channels.twilio.signature import verify

_MEDIA_HOSTS = ("api.twilio.com", ".twiliocdn.com")
_MEDIA_MAX = 20 * 1024 * 1024
_PRICES_S = 5.0
_ANSWERS = {Wish.STOP: "sms.opted_out", Wish.START: "sms.opted_in", Wish.HELP: "sms.help"}
_XML = "text/xml; charset=utf-8"


class Channel:
    """One number or messaging service (`Adapter`, `Webhook`, `Lookup`, `Backfill`, `Enrich`, `Media`)."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.settings: SmsSettings = context.settings
        self._client = TwilioClient(self.settings.account_sid, self.settings.auth_token, self.settings.api_url)

    async def check(self) -> Checked:
        """Signs in and looks at the number or service. Raises AuthFailed, Retryable or Rejected."""
        return await subscription.check(self._client, self.settings, self.context)

    async def subscribe(self) -> None:
        """Points the number's or service's webhook for messages to us."""
        await subscription.subscribe(self._client, self.settings, self.context.hook_url)

    async def unsubscribe(self) -> None:
        """Takes our webhook off again; one that is not ours is left alone."""
        await subscription.unsubscribe(self._client, self.settings, self.context.hook_url)

    # ------------------------------------------------------------------ in

    def verify(self, raw: RawInbound) -> None:
        verify(raw, self.settings.auth_token)

    def identify(self, raw: RawInbound, events: Sequence[Inbound]) -> RawInbound:
        return identify(raw)

    def parse(self, raw: RawInbound) -> Sequence[Inbound]:
        return parse(raw, self.settings)

    def respond(self, raw: RawInbound, events: Sequence[Inbound], peer: Peer) -> WebhookReply:
        """TwiML without a message, as answers go out by `send`; only a keyword that is ours to answer has one."""
        if not events or all(isinstance(event, ReceiptReceived) for event in events):
            return WebhookReply(body=str(MessagingResponse()).encode(), content_type=_XML)
        reply = MessagingResponse()
        form = fields(raw)
        keyword = wished(form.get("Body", ""), form.get("OptOutType", ""))
        if keyword is not None and self._ours_to_answer(keyword, form, peer):
            language = peer.language or self.settings.default_language
            name = self.settings.display_name or self.settings.number
            reply.message(self.context.text(language, _ANSWERS[keyword.wish], name=name))
        return WebhookReply(body=str(reply).encode(), content_type=_XML)

    def _ours_to_answer(self, keyword: Keyword, form: Mapping[str, str], peer: Peer) -> bool:
        if self.settings.keywords is not Keywords.AUTOCRM or form.get("OptOutType"):
            return False
        # YES is an answer to us far more often than a wish to hear from us again.
        return keyword.wish is not Wish.START or not keyword.everyday or peer.opted_out

    async def enrich(self, events: Sequence[Inbound], raw: RawInbound) -> Sequence[Inbound]:
        """Adds to a text's last receipt what it has cost."""
        return [await self._priced(event) for event in events]

    async def _priced(self, event: Inbound) -> Inbound:
        if not isinstance(event, ReceiptReceived) or event.message_id is None or not self.settings.track_costs:
            return event
        if event.kind not in (ReceiptKind.DELIVERED, ReceiptKind.FAILED) or "price" in event.facts:
            return event
        sid = event.message_id
        with suppress(ChannelError, TimeoutError):
            async with asyncio.timeout(_PRICES_S):
                message = await self._client.call(lambda sdk: sdk.messages(sid).fetch_async())
            return event.model_copy(update={"facts": {**event.facts, **lookup.price_facts(message)}})
        return event

    async def list_since(self, since: datetime) -> Sequence[RawInbound]:
        return await lookup.list_since(self._client, self.settings, since)

    async def download(self, attachment: Attachment) -> AsyncIterator[bytes]:
        """The octets of a picture that came in. Raises Rejected, AuthFailed or Retryable."""
        url = attachment.url or ""
        headers = {}
        if _origin(url) in (API_URL, _origin(self.settings.api_url)):
            headers["Authorization"] = aiohttp.encode_basic_auth(
                self.settings.account_sid, self.settings.auth_token.get_secret_value()
            )
        async for piece in egress.fetch(
            url, hosts=_MEDIA_HOSTS, trusted=self._trusted(), headers=headers, limit=_MEDIA_MAX
        ):
            yield piece

    def _trusted(self) -> tuple[str, ...]:
        return () if self.settings.api_url == API_URL else (_origin(self.settings.api_url),)

    # ------------------------------------------------------------------ out

    async def send(self, message: Outbound) -> Sent:
        """One Messages request. Its status callback carries the key, so that a receipt settles a send in doubt by itself."""
        asked = outgoing.request(message, self.settings)
        account = self.context.account_id
        RECENT.asked(
            account, message.key, Print.of(asked["to"], asked.get("body", ""), len(asked.get("media_url", ())))
        )
        if callback := self._callback(message.key):
            asked["status_callback"] = callback
        accepted: Any = await self._client.call(lambda sdk: sdk.messages.create_async(**asked))
        RECENT.accepted(account, message.key, accepted.sid)
        return Sent(external_id=accepted.sid, detail=lookup.detail(accepted))

    async def find_sent(self, key: str, since: datetime, message: Outbound | None = None) -> Sent | None:
        """What became of a send in doubt; see `lookup`. `message` is what was to be sent, where it is at hand."""
        wanted = None
        if message is not None:
            asked = outgoing.request(message, self.settings)
            wanted = Print.of(asked["to"], asked.get("body", ""), len(asked.get("media_url", ())))
        return await lookup.find_sent(self._client, self.settings, RECENT, self.context.account_id, key, since, wanted)

    def _callback(self, key: str) -> str | None:
        """Twilio refuses a whole message whose callback it could never reach, so then there are no receipts."""
        host = urlsplit(self.context.hook_url).hostname or ""
        if self.settings.api_url == API_URL and not _reachable(host):
            return None
        return f"{self.context.hook_url}?{urlencode({KEY: key})}"

    async def aclose(self) -> None:
        await self._client.aclose()


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _reachable(host: str) -> bool:
    """Whether the world could reach it, by its looks."""
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return "." in host and "_" not in host and not host.endswith((".local", ".internal", ".localhost"))
