"""Sending: a text by `sendMessage`; a file, or an album of files, with the text as its caption.

One message is one request, with one exception: a caption holds 1,024 units, a text 4,096. What does not fit goes in two
requests, the files first: as long as they fail, nothing has been said, and all may be tried again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from telegram import (
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputFile,
    InputMediaDocument,
    InputMediaPhoto,
    LinkPreviewOptions,
    Message,
    MessageEntity,
    ReplyParameters,
)
from telegram.error import ChatMigrated

from channels.contract import (
    Attachment,
    ChannelError,
    Citation,
    Outbound,
    OutcomeUnknown,
    Rejected,
    Sent,
    Translate,
    Undeliverable,
)
from channels.social.telegram.api import Api
from channels.social.telegram.entities import linkable, units
from channels.social.telegram.formatting import Formatted, Mark, cut, from_html, from_markdown
from channels.social.telegram.parse import CONVERSATION, message_id
from channels.social.telegram.settings import TelegramSettings

TEXT_MAX, CAPTION_MAX, ALBUM_MAX = 4096, 1024, 10
UPLOAD_MAX = 50 * 1000 * 1000
PHOTO_MAX = 10 * 1000 * 1000
PERSON = "person"
"""The action of the button that asks for a person."""

_PHOTOS = frozenset({"image/jpeg", "image/png", "image/webp"})
_VOICES = frozenset({"audio/ogg", "audio/opus"})
_SPOKEN = _VOICES | {"audio/mpeg", "audio/mp3", "audio/mp4", "audio/x-m4a"}
_LABEL_MAX = 60
_BUTTONS_MAX = 8
_CALLBACK_MAX = 64
"""Bytes: https://core.telegram.org/bots/api#inlinekeyboardbutton"""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where to, and what every request to it carries."""

    chat: int
    common: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Sources:
    linked: tuple[Citation, ...]
    named: tuple[Citation, ...]


async def send(message: Outbound, api: Api, settings: TelegramSettings, say: Translate) -> Sent:
    """Raises ChannelError."""
    for one in message.attachments:
        _check(one)
    if len(message.attachments) > ALBUM_MAX:
        raise Rejected(f"an album has at most {ALBUM_MAX} files", code="too_many_files")
    place = _place(message)
    try:
        return await _send(message, place, api, settings, say)
    except ChatMigrated as error:
        moved = error.new_chat_id
    # The group has become a supergroup under another number. Nothing was sent; the message to answer is not there.
    common = {name: value for name, value in place.common.items() if name == "message_thread_id"}
    try:
        return await _send(message, _Place(moved, common), api, settings, say)
    except ChatMigrated:
        raise Undeliverable("the group keeps moving to other numbers", code="chat_migrated") from None


async def _send(message: Outbound, place: _Place, api: Api, settings: TelegramSettings, say: Translate) -> Sent:
    sources = _sources(message)
    body = _with_names(_formatted(message), sources, message, say)
    keyboard = _keyboard(message, sources, settings, say)
    files = message.attachments
    if not files:
        return _sent([await _text(body, keyboard, place, api, message, say)])
    caption = body if len(files) == 1 else _with_links(body, sources, message, say)
    if caption is not None and caption.units <= CAPTION_MAX:
        return _sent(await _files(files, caption, keyboard, place, api))
    first = await _files(files, Formatted(""), None, place, api)
    try:
        text = await _text(body, keyboard, place, api, message, say)
    except ChannelError as error:
        # The customer has the files: repeating all would show them twice.
        raise OutcomeUnknown(f"the files were sent, the text was not: {error}") from None
    return _sent([text, *first])


def _check(file: Attachment) -> None:
    if file.content is None:
        raise Rejected(f"the file {file.filename!r} has no content", code="file_missing")
    if not file.content:
        raise Rejected(f"the file {file.filename!r} is empty, which Telegram does not take", code="file_empty")
    if len(file.content) > UPLOAD_MAX:
        raise Rejected(f"the file {file.filename!r} is larger than Telegram takes from bots", code="too_large")


def _place(message: Outbound) -> _Place:
    chat, topic = message.route.get("chat_id"), message.route.get("message_thread_id")
    if not isinstance(chat, int):
        # A private chat has the number of its person.
        if not message.to.value.lstrip("-").isdecimal():
            raise Undeliverable("this is no address of Telegram's", code="chat_not_found")
        chat = int(message.to.value)
    common: dict[str, Any] = {}
    if isinstance(topic, int):
        common["message_thread_id"] = topic
    answered_chat, _colon, answered = (message.reply_to or "").rpartition(":")
    if answered_chat == str(chat) and answered.isdecimal():
        common["reply_parameters"] = ReplyParameters(int(answered), allow_sending_without_reply=True)
    return _Place(chat, common)


# ------------------------------------------------------------------------------------------------------- the words


def _formatted(message: Outbound) -> Formatted:
    if message.html:
        found = from_html(message.html)
        if found.text and found.units <= TEXT_MAX:
            return found
    found = from_markdown(message.text)
    # White space at both ends is cut by Telegram itself; without any mark the text stands as it was given.
    return found if found.marks else Formatted(message.text)


def _sources(message: Outbound) -> _Sources:
    linked = tuple(one for one in message.citations if one.url and _public(one.url))[:_BUTTONS_MAX]
    return _Sources(linked, tuple(one for one in message.citations if one not in linked and one.title))


def _public(url: str) -> bool:
    """Whether Telegram takes it for a link: it refuses a message with a button to a name without a dot."""
    return linkable(url) and "." in (urlsplit(url).hostname or "") and len(url) <= 2000


def _with_names(body: Formatted, sources: _Sources, message: Outbound, say: Translate) -> Formatted:
    """Sources without an address of their own are named under the text, where there is room."""
    if not sources.named:
        return body
    line = say(message.language, "telegram.sources") + " " + " · ".join(one.title for one in sources.named)
    whole = body.and_then(Formatted(f"\n\n{line}" if body.text else line))
    return whole if whole.units <= TEXT_MAX else body


def _with_links(body: Formatted, sources: _Sources, message: Outbound, say: Translate) -> Formatted | None:
    """An album can have no buttons: its sources are links in its caption, if they fit."""
    if not sources.linked:
        return body
    lead = "\n\n" if body.text else ""
    whole = body.and_then(Formatted(lead + say(message.language, "telegram.sources")))
    for index, one in enumerate(sources.linked):
        title = one.title or one.url or ""
        whole = whole.and_then(Formatted(" · " if index else " "))
        whole = whole.and_then(Formatted(title, (Mark("text_link", 0, units(title), one.url),)))
    return whole if whole.units <= CAPTION_MAX else None


def _keyboard(
    message: Outbound, sources: _Sources, settings: TelegramSettings, say: Translate
) -> InlineKeyboardMarkup | None:
    rows = [[InlineKeyboardButton(cut(one.title or one.url or "", _LABEL_MAX), url=one.url)] for one in sources.linked]
    if settings.person_button and message.automated and not message.to_person:
        conversation = message.route.get(CONVERSATION)
        data = f"{PERSON}:{conversation}" if isinstance(conversation, str) and conversation else PERSON
        if len(data.encode()) <= _CALLBACK_MAX:
            label = cut(say(message.language, "telegram.person"), _LABEL_MAX)
            rows.append([InlineKeyboardButton(label, callback_data=data)])
    return InlineKeyboardMarkup(rows) if rows else None


def _entities(body: Formatted) -> list[MessageEntity] | None:
    return [
        MessageEntity(one.type, one.offset, one.length, url=one.url, language=one.language) for one in body.marks
    ] or None


# ----------------------------------------------------------------------------------------------------- the requests


async def _text(
    body: Formatted,
    keyboard: InlineKeyboardMarkup | None,
    place: _Place,
    api: Api,
    message: Outbound,
    say: Translate,
) -> Message:
    if not body.text.strip():
        raise Rejected("there is nothing to say", code="empty")
    if body.units > TEXT_MAX:
        raise Rejected(f"the text is longer than {TEXT_MAX} UTF-16 units", code="too_long")

    async def ask(text: Formatted, markup: InlineKeyboardMarkup | None) -> Message:
        return await api.call(
            lambda bot: bot.send_message(
                place.chat,
                text.text,
                entities=_entities(text),
                reply_markup=markup,
                link_preview_options=LinkPreviewOptions(is_disabled=True),
                **place.common,
            ),
            sends=True,
        )

    try:
        return await ask(body, keyboard)
    except Rejected as error:
        if keyboard is None or not any(word in str(error).lower() for word in ("button", "keyboard")):
            raise
    # Telegram does not like an address of a source. It has sent nothing, and the answer is worth more than its buttons.
    named = _Sources((), message.citations)
    return await ask(_with_names(_formatted(message), named, message, say), None)


async def _files(
    files: Sequence[Attachment], caption: Formatted, keyboard: InlineKeyboardMarkup | None, place: _Place, api: Api
) -> list[Message]:
    """One request. What Telegram refuses as a photo or a voice message, it takes as a file."""
    try:
        return await _as(files, caption, keyboard, place, api, plain=False)
    except Rejected as error:
        if isinstance(error, Undeliverable) or all(_kind(one) == "document" for one in files):
            raise
        return await _as(files, caption, keyboard, place, api, plain=True)


async def _as(
    files: Sequence[Attachment],
    caption: Formatted,
    keyboard: InlineKeyboardMarkup | None,
    place: _Place,
    api: Api,
    *,
    plain: bool,
) -> list[Message]:
    words: dict[str, Any] = {"caption": caption.text or None, "caption_entities": _entities(caption)}
    if len(files) > 1:
        media = _album(files, words, plain=plain)
        return list(await api.call(lambda bot: bot.send_media_group(place.chat, media, **place.common), sends=True))
    given: dict[str, Any] = {**words, "reply_markup": keyboard, **place.common}
    file = _upload(files[0])
    match "document" if plain else _kind(files[0]):
        case "photo":
            return [await api.call(lambda bot: bot.send_photo(place.chat, file, **given), sends=True)]
        case "voice":
            return [await api.call(lambda bot: bot.send_voice(place.chat, file, **given), sends=True)]
        case _:
            return [await api.call(lambda bot: bot.send_document(place.chat, file, **given), sends=True)]


def _album(files: Sequence[Attachment], words: dict[str, Any], *, plain: bool) -> list[Any]:
    """Photos among themselves; anything else as files, for an album mixes neither files nor recordings with others.

    An album shows as its caption that of its only captioned item: the first photo, the last file.
    """
    kind = InputMediaPhoto if not plain and all(_kind(one) == "photo" for one in files) else InputMediaDocument
    spoken = 0 if kind is InputMediaPhoto else len(files) - 1
    return [
        kind(
            InputFile(one.content or b"", filename=one.filename, attach=True),
            **(words if index == spoken else {}),
        )
        for index, one in enumerate(files)
    ]


def _upload(file: Attachment) -> InputFile:
    return InputFile(file.content or b"", filename=file.filename)


def _kind(file: Attachment) -> str:
    content_type = file.content_type.partition(";")[0].strip().lower()
    if content_type in _PHOTOS and len(file.content or b"") <= PHOTO_MAX:
        return "photo"
    if content_type in _VOICES or (file.spoken and content_type in _SPOKEN):
        return "voice"
    return "document"


def _sent(messages: Sequence[Message]) -> Sent:
    """Named after the first; the others of an album are told besides."""
    if not messages:
        raise OutcomeUnknown("Telegram accepted it without naming it")
    names = [message_id(one.chat_id, one.message_id) for one in messages]
    return Sent(external_id=names[0], detail={"messages": list(names)} if len(names) > 1 else {})
