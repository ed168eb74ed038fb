"""The Slack channel: joins what the other files of this folder do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import ClassVar
from urllib.parse import urlsplit

from pydantic import JsonValue
from slack_sdk.signature import Clock

from channels.contract import (
    Address,
    Attachment,
    AuthFailed,
    ChannelError,
    Checked,
    Context,
    Inbound,
    Malformed,
    Outbound,
    Peer,
    RawInbound,
    Sent,
    Sink,
    WebhookReply,
)
from channels.social.slack import history, media, outgoing, profiles, socket_mode, webhook
from channels.social.slack.api import Api
from channels.social.slack.manifest import SCOPES, manifest_json
from channels.social.slack.parse import identify, parse
from channels.social.slack.settings import Mode, SlackSettings

_SKEW = timedelta(hours=3)
"""How far our clock and Slack's may be apart when a message of ours is looked for."""


class Channel:
    """One Slack app in one workspace (`Adapter`, `Webhook`, `Listen`, `Enrich`, `Lookup`, `Backfill`, `Typing`, `Media`)."""

    clock: ClassVar[Clock] = Clock()
    """By which the age of a signature is told."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.settings: SlackSettings = context.settings
        self._api = Api(self.settings)

    # ------------------------------------------------------------------ the connection

    async def check(self) -> Checked:
        """Logs in with every token that the mode needs, and compares the scopes with those of the manifest."""
        who = await self._api.call("auth.test", {})
        missing: list[str] = []
        granted = {one.strip() for one in str((who["_headers"] or {}).get("x-oauth-scopes") or "").split(",")} - {""}
        if lacking := [one for one in SCOPES if one not in granted] if granted else []:
            missing.append(f"Add these scopes to the Slack app and install it again: {', '.join(lacking)}.")
            app = manifest_json(self.context.hook_url, self.settings.mode)
            missing.append(f"Or paste this under App Manifest of the Slack app: {app}")
        if self.settings.mode is Mode.SOCKET:
            await self._check_socket()
        elif (urlsplit(self.context.public_url).hostname or "") in ("localhost", "127.0.0.1", "::1"):
            missing.append("Slack cannot reach this installation at a local address. Choose socket mode.")
        missing += await self._check_channels()
        return Checked(identity=f"{who.get('user', '')} @ {who.get('team', '')}", missing=tuple(missing))

    async def _check_socket(self) -> None:
        opener = Api(self.settings, self.settings.app_token.get_secret_value())
        try:
            await socket_mode.ticket(opener, self.settings)
        except AuthFailed:
            raise AuthFailed("Slack refuses the app token: it needs the scope connections:write") from None

    async def _check_channels(self) -> list[str]:
        wanted = set(self.settings.channels)
        if not wanted:
            return []
        try:
            pages = self._api.pages("users.conversations", {"types": history.KINDS, "limit": 200}, "channels")
            async for one in pages:
                wanted -= {str(one.get("id")), str(one.get("name", "")).lower()}
        except ChannelError:
            return ["The support channels could not be listed. Add the scopes channels:read and groups:read."]
        return [f"Invite the app to the support channel {one}: it is no member." for one in sorted(wanted)]

    async def subscribe(self) -> None:
        """Slack lets only configuration tokens change where events go; the manifest says it instead."""

    async def unsubscribe(self) -> None:
        """As `subscribe`."""

    # ------------------------------------------------------------------ inbound

    def verify(self, raw: RawInbound) -> None:
        webhook.verify(raw, self.settings, type(self).clock)

    def identify(self, raw: RawInbound, events: Sequence[Inbound]) -> RawInbound:
        return identify(raw, events)

    def respond(self, raw: RawInbound, events: Sequence[Inbound], peer: Peer) -> WebhookReply:
        return webhook.respond(raw)

    async def listen(self, sink: Sink) -> None:
        if self.settings.mode is Mode.HTTP:
            await asyncio.Event().wait()  # Slack calls us; there is nothing to listen to
        await socket_mode.listen(self._api, self.settings, sink, self._named)

    def _named(self, raw: RawInbound) -> RawInbound:
        try:
            return identify(raw, self.parse(raw))
        except Malformed:
            return identify(raw, ())

    def parse(self, raw: RawInbound) -> Sequence[Inbound]:
        return parse(raw, self.settings)

    async def enrich(self, events: Sequence[Inbound], raw: RawInbound) -> Sequence[Inbound]:
        return await profiles.enrich(events, self._api, self.context.account_id, self.settings)

    async def list_since(self, since: datetime) -> Sequence[RawInbound]:
        return await history.missed(self._api, since.timestamp(), self.settings)

    def download(self, attachment: Attachment) -> AsyncIterator[bytes]:
        return media.download(attachment, self._api, self.settings)

    # ------------------------------------------------------------------ outbound

    async def send(self, message: Outbound) -> Sent:
        return await outgoing.send(message, self._api, self.settings, self.context.text)

    async def find_sent(self, key: str, since: datetime, message: Outbound | None = None) -> Sent | None:
        return await outgoing.find_sent(key, (since - _SKEW).timestamp(), self._api, message)

    async def typing(self, to: Address, route: Mapping[str, JsonValue]) -> None:
        """Shown in threads. Elsewhere Slack has nothing of the kind; what fails here is not worth telling."""
        channel, thread = route.get("channel"), route.get("thread_ts")
        if not channel or not thread:
            return
        language = route.get("language")
        status = self.context.text(language if isinstance(language, str) else None, "slack.typing")
        try:
            await self._api.call(
                "assistant.threads.setStatus",
                {"channel_id": channel, "thread_ts": thread, "status": status},
                as_json=True,
            )
        except ChannelError:
            return

    async def aclose(self) -> None:
        """Nothing is kept open between calls."""
