"""The methods of the fake Bot API, with Telegram's limits and its words for what is wrong."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from channels.social.telegram.fake_updates import ApiError, Updates
from channels.social.telegram.fake_world import BOT, BOT_ID, Json, StoredFile, World, detected, units

_SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")
_DOWNLOAD_MAX, _UPLOAD_MAX, _PHOTO_MAX = 20_000_000, 50_000_000, 10_000_000
_ENTITIES = frozenset(
    "mention hashtag cashtag bot_command url email phone_number bold italic underline strikethrough spoiler blockquote "
    "expandable_blockquote code pre text_link text_mention custom_emoji date_time".split()
)


@dataclass(frozen=True, slots=True)
class Upload:
    name: str
    content_type: str
    content: bytes


class Methods:
    """`await call(method, parameters, uploads)` gives the result. Raises ApiError.

    Parameters come as a form has them: texts, with JSON in them for what is no text.
    """

    def __init__(self, world: World, updates: Updates) -> None:
        self.world = world
        self.updates = updates
        self.me: Json = {
            **BOT,
            "can_join_groups": True,
            "can_read_all_group_messages": True,
            "supports_inline_queries": False,
        }
        self.actions: list[tuple[int, str]] = []
        self.answered: list[str] = []
        """Callback queries that were answered."""
        self.queries: set[str] = set()
        self.plain_http = False
        """Whether webhooks may be http, as with a Bot API server of one's own."""
        self._methods: dict[str, Callable[[Json, Mapping[str, Upload]], Awaitable[Any]]] = {
            "getMe": self._get_me,
            "getUpdates": self._get_updates,
            "setWebhook": self._set_webhook,
            "deleteWebhook": self._delete_webhook,
            "getWebhookInfo": self._webhook_info,
            "sendMessage": self._send_message,
            "sendPhoto": self._send_photo,
            "sendDocument": self._send_document,
            "sendVoice": self._send_voice,
            "sendMediaGroup": self._send_media_group,
            "sendChatAction": self._chat_action,
            "getFile": self._get_file,
            "answerCallbackQuery": self._answer_callback,
            "editMessageText": self._edit_text,
        }

    async def call(self, method: str, parameters: Json, uploads: Mapping[str, Upload]) -> Any:
        handler = {name.lower(): one for name, one in self._methods.items()}.get(method.lower())
        if handler is None:
            raise ApiError(404, "Not Found")
        return await handler(parameters, uploads)

    # ------------------------------------------------------------------ the bot and its updates

    async def _get_me(self, _given: Json, _uploads: Mapping[str, Upload]) -> Json:
        return self.me

    async def _get_updates(self, given: Json, _uploads: Mapping[str, Upload]) -> list[Json]:
        limit, wait = _integer(given, "limit", 100), _integer(given, "timeout", 0)
        allowed = _list(given, "allowed_updates")
        return await self.updates.get(_integer(given, "offset", 0), max(1, min(limit, 100)), min(wait, 50), allowed)

    async def _set_webhook(self, given: Json, _uploads: Mapping[str, Upload]) -> bool:
        url, secret = str(given.get("url") or ""), str(given.get("secret_token") or "")
        if url and not (url.startswith("https://") or self.plain_http):
            raise ApiError(400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook")
        if secret and not _SECRET.fullmatch(secret):
            raise ApiError(400, "Bad Request: secret token contains unallowed characters")
        allowed = _list(given, "allowed_updates")
        state: Json = {"webhook": url, "secret": secret}
        self.world.write("state", state=state if allowed is None else {**state, "allowed": allowed or None})
        await self.updates.tell()
        return True

    async def _delete_webhook(self, given: Json, _uploads: Mapping[str, Upload]) -> bool:
        self.world.write("state", state={"webhook": "", "secret": ""})
        if _truth(given, "drop_pending_updates"):
            self.world.write("confirmed", updates=[one["update_id"] for one in self.world.updates])
        await self.updates.tell()
        return True

    async def _webhook_info(self, _given: Json, _uploads: Mapping[str, Upload]) -> Json:
        info: Json = {
            "url": self.world.state["webhook"],
            "has_custom_certificate": False,
            "pending_update_count": len(self.world.updates),
        }
        if self.world.state["webhook"]:
            info["max_connections"] = 40
        if self.world.state["allowed"]:
            info["allowed_updates"] = self.world.state["allowed"]
        if self.updates.last_error is not None:
            info |= {"last_error_date": int(time.time()), "last_error_message": self.updates.last_error[1]}
        return info

    async def _answer_callback(self, given: Json, _uploads: Mapping[str, Upload]) -> bool:
        query = str(given.get("callback_query_id"))
        if query not in self.queries:
            raise ApiError(400, "Bad Request: query is too old and response timeout expired or query ID is invalid")
        self.queries.discard(query)
        self.answered.append(query)
        return True

    # ------------------------------------------------------------------ messages

    async def _send_message(self, given: Json, _uploads: Mapping[str, Upload]) -> Json:
        chat = self._chat(given)
        text, entities = _text(given, "text", "entities", 4096)
        if not text:
            raise ApiError(400, "Bad Request: message text is empty")
        return self._said(chat, given, text=text, entities=entities)

    async def _send_photo(self, given: Json, uploads: Mapping[str, Upload]) -> Json:
        return self._file_said(given, self._one(given, uploads, "photo"), "photo")

    async def _send_document(self, given: Json, uploads: Mapping[str, Upload]) -> Json:
        return self._file_said(given, self._one(given, uploads, "document"), "document")

    async def _send_voice(self, given: Json, uploads: Mapping[str, Upload]) -> Json:
        return self._file_said(given, self._one(given, uploads, "voice"), "voice")

    def _file_said(self, given: Json, upload: Upload, kind: str) -> Json:
        chat = self._chat(given)
        caption, entities = _text(given, "caption", "caption_entities", 1024)
        content = self.world.media(kind, self._taken(upload, kind))
        return self._said(chat, given, **content, caption=caption or None, caption_entities=entities)

    async def _send_media_group(self, given: Json, uploads: Mapping[str, Upload]) -> list[Json]:
        chat = self._chat(given)
        media = _list(given, "media") or []
        if not 2 <= len(media) <= 10:
            raise ApiError(400, "Bad Request: group must include 2-10 items")
        kinds = {str(one.get("type")) for one in media}
        if not kinds <= {"photo", "video", "document", "audio"} or (len(kinds) > 1 and kinds & {"document", "audio"}):
            raise ApiError(400, "Bad Request: media of these types can't be mixed in one album")
        parts = []
        for one in media:
            upload = self._one(one, uploads, "media")
            caption, entities = _text(one, "caption", "caption_entities", 1024)
            parts.append((one["type"], upload, caption or None, entities))
        album = str(int(time.time() * 1000))
        taken = [(kind, self._taken(upload, kind), caption, marks) for kind, upload, caption, marks in parts]
        return [
            self._said(
                chat,
                given,
                **self.world.media(kind, file),
                caption=caption,
                caption_entities=marks,
                media_group_id=album,
            )
            for kind, file, caption, marks in taken
        ]

    async def _edit_text(self, given: Json, _uploads: Mapping[str, Upload]) -> Json:
        chat, number = self._chat(given), _integer(given, "message_id", 0)
        message = self.world.messages.get((chat["id"], number))
        if message is None or message["from"]["id"] != BOT_ID:
            raise ApiError(400, "Bad Request: message to edit not found")
        text, entities = _text(given, "text", "entities", 4096)
        if (text, entities) == (message.get("text"), message.get("entities")):
            raise ApiError(400, "Bad Request: message is not modified: specified new message content is the same")
        changed = {name: value for name, value in message.items() if name != "entities"}
        changed |= {"text": text, "edit_date": int(time.time()), **({"entities": entities} if entities else {})}
        self.world.write("edit", message=changed)
        return changed

    async def _chat_action(self, given: Json, _uploads: Mapping[str, Upload]) -> bool:
        self.actions.append((self._chat(given)["id"], str(given.get("action"))))
        return True

    async def _get_file(self, given: Json, _uploads: Mapping[str, Upload]) -> Json:
        file = self.world.files.get(str(given.get("file_id")))
        if file is None:
            raise ApiError(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
        if file.size > _DOWNLOAD_MAX:
            raise ApiError(400, "Bad Request: file is too big")
        return {
            "file_id": file.id,
            "file_unique_id": file.id[-12:],
            "file_size": file.size,
            "file_path": file.path,
        }

    # ------------------------------------------------------------------ parts

    def _chat(self, given: Json) -> Json:
        number = _integer(given, "chat_id", 0)
        if number in self.world.moved:
            new = self.world.moved[number]
            raise ApiError(400, "Bad Request: group chat was upgraded to a supergroup chat", migrate_to_chat_id=new)
        chat = self.world.chats.get(number)
        if chat is None:
            raise ApiError(400, "Bad Request: chat not found")
        if number in self.world.blocked:
            raise ApiError(403, "Forbidden: bot was blocked by the user")
        if number in self.world.deactivated:
            raise ApiError(403, "Forbidden: user is deactivated")
        return chat

    def _said(self, chat: Json, given: Json, **content: Any) -> Json:
        answered = self._answered(chat, given)
        topic = _integer(given, "message_thread_id", 0)
        if topic and (not chat.get("is_forum") or (chat["id"], topic) not in self.world.messages):
            raise ApiError(400, "Bad Request: message thread not found")
        where: Json = {}
        if topic:
            where = {"message_thread_id": topic, "is_topic_message": True}
        elif answered is not None and chat["type"] == "supergroup":
            where = {"message_thread_id": answered.get("message_thread_id", answered["message_id"])}
        markup = _object(given, "reply_markup")
        _check_buttons(markup)
        return self.world.say(
            chat["id"],
            BOT,
            **where,
            **content,
            reply_to_message=bare(answered) if answered is not None else None,
            reply_markup=markup,
        )

    def _answered(self, chat: Json, given: Json) -> Json | None:
        reply = _object(given, "reply_parameters")
        if reply is None:
            return None
        found = self.world.messages.get((chat["id"], int(reply["message_id"])))
        if found is None and not reply.get("allow_sending_without_reply"):
            raise ApiError(400, "Bad Request: message to be replied not found")
        return found

    def _one(self, given: Json, uploads: Mapping[str, Upload], name: str) -> Upload:
        value = given.get(name)
        upload = uploads.get(value.removeprefix("attach://")) if isinstance(value, str) else uploads.get(name)
        if upload is None:
            raise ApiError(400, "Bad Request: there is no file in the request")
        if not upload.content:
            raise ApiError(400, "Bad Request: file must be non-empty")
        if len(upload.content) > _UPLOAD_MAX:
            raise ApiError(413, "Request Entity Too Large")
        return upload

    def _taken(self, upload: Upload, kind: str) -> StoredFile:
        content_type = upload.content_type
        if kind == "photo":
            if len(upload.content) > _PHOTO_MAX:
                raise ApiError(400, "Bad Request: file is too big for a photo")
            if not upload.content.startswith((b"\xff\xd8", b"\x89PNG", b"RIFF")):
                raise ApiError(400, "Bad Request: IMAGE_PROCESS_FAILED")
            content_type = "image/jpeg"
        return self.world.file(upload.name, content_type, upload.content)


def bare(message: Json) -> Json:
    """A message as it stands in another: without the one that it replies to itself."""
    return {name: value for name, value in message.items() if name != "reply_to_message"}


def _text(given: Json, name: str, marks: str, limit: int) -> tuple[str, Sequence[Json] | None]:
    """The words without white space around them, and their entities, which have to lie on whole characters."""
    whole = str(given.get(name) or "")
    entities = [dict(one) for one in _list(given, marks) or []]
    for one in entities:
        _check_entity(whole, one)
    text = whole.strip()
    if units(text) > limit:
        raise ApiError(400, f"Bad Request: message {'caption ' if name == 'caption' else ''}is too long")
    ahead, kept = units(whole) - units(whole.lstrip()), []
    for one in entities[:100]:
        start = max(0, one["offset"] - ahead)
        end = min(units(text), one["offset"] + one["length"] - ahead)
        if end > start:
            kept.append({**one, "offset": start, "length": end - start})
    kept = sorted([*kept, *(detected(text) or [])], key=lambda one: (one["offset"], -one["length"]))
    return text, kept or None


def _check_entity(text: str, entity: Json) -> None:
    offset, length = entity.get("offset"), entity.get("length")
    if entity.get("type") not in _ENTITIES or not isinstance(offset, int) or not isinstance(length, int):
        raise ApiError(400, "Bad Request: can't parse MessageEntity")
    if offset < 0 or length <= 0:
        raise ApiError(400, f"Bad Request: receive an entity with incorrect offset {offset} or length {length}")
    data = text.encode("utf-16-le", "surrogatepass")
    for at, where in ((offset, "begins"), (offset + length, f"beginning at UTF-16 offset {offset} ends")):
        if at * 2 > len(data):
            raise ApiError(400, f"Bad Request: entity {where} after the end of the text at UTF-16 offset {at}")
        if 0xDC <= (data[at * 2 + 1] if at * 2 < len(data) else 0) <= 0xDF:
            size = len(data[: at * 2].decode("utf-16-le", "ignore").encode())
            raise ApiError(400, f"Bad Request: entity {where} in a middle of a UTF-16 symbol at byte offset {size}")
    if entity["type"] == "text_link" and not entity.get("url"):
        raise ApiError(400, "Bad Request: can't parse MessageEntity: URL is missing")


def _check_buttons(markup: Json | None) -> None:
    for row in (markup or {}).get("inline_keyboard", ()):
        for button in row:
            if not button.get("text"):
                raise ApiError(400, "Bad Request: can't parse inline keyboard button: text is empty")
            if "url" in button and "." not in (urlsplit(button["url"]).hostname or ""):
                raise ApiError(
                    400, f"Bad Request: inline keyboard button URL '{button['url']}' is invalid: Wrong HTTP URL"
                )
            if len(str(button.get("callback_data", "")).encode()) > 64:
                raise ApiError(400, "Bad Request: BUTTON_DATA_INVALID")


def _integer(given: Json, name: str, default: int) -> int:
    value = given.get(name)
    try:
        return default if value in (None, "") else int(str(value))
    except ValueError:
        if name == "chat_id":
            raise ApiError(400, "Bad Request: chat not found") from None
        raise ApiError(400, f"Bad Request: invalid {name} specified") from None


def _truth(given: Json, name: str) -> bool:
    return str(given.get(name)).lower() in ("true", "1")


def _list(given: Json, name: str) -> list[Any] | None:
    value = _parsed(given, name)
    if value is None:
        return None
    if not isinstance(value, list):
        raise ApiError(400, f"Bad Request: can't parse {name}: expected an Array")
    return value


def _object(given: Json, name: str) -> Json | None:
    value = _parsed(given, name)
    if value is not None and not isinstance(value, dict):
        raise ApiError(400, f"Bad Request: can't parse {name}: expected an Object")
    return value


def _parsed(given: Json, name: str) -> Any:
    value = given.get(name)
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value) if value else None
    except ValueError:
        raise ApiError(400, f"Bad Request: can't parse {name} JSON object") from None
