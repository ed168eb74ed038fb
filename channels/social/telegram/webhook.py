"""Requests of Telegram's: the secret that proves them, and what they are answered.

An answer may itself call one method of the Bot API: https://core.telegram.org/bots/api#making-requests-when-getting-updates
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

from channels.contract import Context, Malformed, Peer, RawInbound, Unverified, WebhookReply
from channels.social.telegram.parse import language_of, start_of
from channels.social.telegram.settings import TelegramSettings
from channels.social.telegram.shapes import Update, read

HEADER = "x-telegram-bot-api-secret-token"


def secret_token(context: Context) -> str:
    """What Telegram is told to show with every request: 64 of the characters it allows. Empty without a key of ours."""
    if not context.secret:
        return ""
    return hmac.new(context.secret, b"telegram:webhook", hashlib.sha256).hexdigest()


def verify(raw: RawInbound, context: Context) -> None:
    """Raises Unverified."""
    expected = secret_token(context)
    shown = raw.headers.get(HEADER, "")
    if not expected or not hmac.compare_digest(shown.encode("utf-8", "replace"), expected.encode()):
        raise Unverified("the request does not show the secret that Telegram was told")


def respond(raw: RawInbound, context: Context, settings: TelegramSettings, peer: Peer) -> WebhookReply:
    try:
        update = read(raw)
    except Malformed:
        return WebhookReply()
    call = None if peer.opted_out and update.callback_query is None else reaction(update, context, settings)
    if call is None:
        return WebhookReply()
    return WebhookReply(body=json.dumps(call, ensure_ascii=False).encode(), content_type="application/json")


def reaction(update: Update, context: Context, settings: TelegramSettings) -> dict[str, Any] | None:
    """What the bot does about an update at once, before anybody has thought about it: as a call of a method."""
    if update.callback_query is not None:
        # Until then the button shows that it is at work.
        return {"method": "answerCallbackQuery", "callback_query_id": update.callback_query.id}
    started = start_of(update)
    if started is None or not settings.greeting:
        return None
    user, chat, _payload = started
    return {"method": "sendMessage", "chat_id": chat.id, "text": context.text(language_of(user), "telegram.greeting")}
