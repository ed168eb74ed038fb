"""The Telegram channel: joins what the other files of this folder do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from urllib.parse import urlencode, urlsplit

from pydantic import JsonValue
from telegram import WebhookInfo
from telegram.error import ChatMigrated

from channels.contract import (
    Address,
    Attachment,
    ChannelError,
    Checked,
    Context,
    Inbound,
    Malformed,
    Outbound,
    Peer,
    RawInbound,
    Rejected,
    Sent,
    Sink,
    WebhookReply,
)
from channels.social.telegram import media, outgoing, polling, webhook
from channels.social.telegram.api import Api
from channels.social.telegram.parse import BOT, identify, parse
from channels.social.telegram.settings import Mode, TelegramSettings
from channels.social.telegram.shapes import ALLOWED, read

_PORTS = (None, 443, 80, 88, 8443)
"""Those that Telegram calls: https://core.telegram.org/bots/api#setwebhook"""
_MANY = 100
"""Updates that wait for us, from which on it is worth a word."""


class Channel:
    """One bot (`Adapter`, `Webhook`, `Listen`, `Typing`, `Media`)."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.settings: TelegramSettings = context.settings
        self._api = Api(self.settings)

    # ------------------------------------------------------------------ the connection

    async def check(self) -> Checked:
        me = await self._api.call(lambda bot: bot.get_me())
        info = await self._api.call(lambda bot: bot.get_webhook_info())
        missing: list[str] = []
        if self.settings.mode is Mode.WEBHOOK:
            missing += self._unreachable()
        if info.url and not self._ours(info):
            host = urlsplit(info.url).hostname or "another address"
            missing.append(f"The bot's updates go to {host} now. That ends when this account is connected.")
        if info.last_error_message and self._ours(info):
            missing.append(f"Telegram could not deliver lately: {info.last_error_message}")
        if info.pending_update_count >= _MANY:
            missing.append(f"{info.pending_update_count} updates wait at Telegram and will come in at once.")
        if self.settings.groups:
            if not me.can_join_groups:
                missing.append("The bot cannot be added to groups. Allow it with /setjoingroups at @BotFather.")
            elif not me.can_read_all_group_messages:
                missing.append(
                    "In groups the bot sees commands and replies, and may miss mentions. To see them all, turn off its "
                    "privacy mode with /setprivacy at @BotFather, or make it an admin of the group."
                )
        return Checked(identity=f"@{me.username}", missing=tuple(missing))

    def _unreachable(self) -> list[str]:
        parts = urlsplit(self.context.public_url)
        if not self.settings.hosted:
            return []
        if parts.scheme != "https" or parts.port not in _PORTS or parts.hostname in ("localhost", "127.0.0.1", "::1"):
            return ["Telegram calls only public https addresses at port 443, 80, 88 or 8443. Choose polling."]
        return []

    def _ours(self, info: WebhookInfo) -> bool:
        return info.url.partition("?")[0] == self.context.hook_url

    async def subscribe(self) -> None:
        """Tells Telegram the way of this account. Updates that wait are kept either way."""
        if self.settings.mode is Mode.POLLING:
            await self._api.call(lambda bot: bot.delete_webhook(drop_pending_updates=False))
            return
        secret = webhook.secret_token(self.context)
        if not secret:
            raise Rejected("this account has no secret of its own, so requests could not be told from forged ones")
        me = await self._api.call(lambda bot: bot.get_me())
        url = f"{self.context.hook_url}?{urlencode({BOT: me.username})}"
        await self._api.call(lambda bot: bot.set_webhook(url, secret_token=secret, allowed_updates=ALLOWED))

    async def unsubscribe(self) -> None:
        """Takes our webhook away, and nobody else's."""
        if self._ours(await self._api.call(lambda bot: bot.get_webhook_info())):
            await self._api.call(lambda bot: bot.delete_webhook(drop_pending_updates=False))

    # ------------------------------------------------------------------ inbound

    def verify(self, raw: RawInbound) -> None:
        webhook.verify(raw, self.context)

    def identify(self, raw: RawInbound, events: Sequence[Inbound]) -> RawInbound:
        return identify(raw)

    def respond(self, raw: RawInbound, events: Sequence[Inbound], peer: Peer) -> WebhookReply:
        return webhook.respond(raw, self.context, self.settings, peer)

    async def listen(self, sink: Sink) -> None:
        if self.settings.mode is Mode.WEBHOOK:
            await asyncio.Event().wait()  # Telegram calls us; there is nothing to listen to
        await polling.listen(self._api, self.context, sink, self._react)

    async def _react(self, raw: RawInbound) -> None:
        """What a webhook's answer would do. It is of use at this moment or not at all, so it is tried once."""
        with suppress(Malformed, ChannelError, ChatMigrated):
            call = webhook.reaction(read(raw), self.context, self.settings)
            if call is None:
                return
            given = {name: value for name, value in call.items() if name != "method"}
            if call["method"] == "answerCallbackQuery":
                await self._api.call(lambda bot: bot.answer_callback_query(**given))
            else:
                await self._api.call(lambda bot: bot.send_message(**given))

    def parse(self, raw: RawInbound) -> Sequence[Inbound]:
        return parse(raw, self.settings)

    def download(self, attachment: Attachment) -> AsyncIterator[bytes]:
        return media.download(attachment, self._api, self.settings)

    # ------------------------------------------------------------------ outbound

    async def send(self, message: Outbound) -> Sent:
        return await outgoing.send(message, self._api, self.settings, self.context.text)

    async def typing(self, to: Address, route: Mapping[str, JsonValue]) -> None:
        """Shown for five seconds or until a message comes. What fails here is not worth telling."""
        chat, topic = route.get("chat_id", to.value), route.get("message_thread_id")
        if not isinstance(chat, (int, str)):
            return
        thread = topic if isinstance(topic, int) else None
        with suppress(ChannelError, ChatMigrated):
            await self._api.call(lambda bot: bot.send_chat_action(chat, "typing", message_thread_id=thread))

    async def aclose(self) -> None:
        await self._api.aclose()
