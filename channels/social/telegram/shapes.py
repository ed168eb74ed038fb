"""What Telegram sends, as far as it is read: https://core.telegram.org/bots/api#update

Numbers are numbers and texts are texts: what is declared otherwise is refused. What is not declared is passed over.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from channels.contract import Malformed, RawInbound

_HALVES = re.compile(r"\\u[dD][89a-fA-F]")


class _Shape(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class User(_Shape):
    id: int
    is_bot: bool = False
    first_name: str = ""
    last_name: str | None = None
    username: str | None = None
    language_code: str | None = None

    @property
    def name(self) -> str:
        return " ".join(one for one in (self.first_name, self.last_name) if one).strip()


class Chat(_Shape):
    id: int
    type: str
    title: str | None = None
    username: str | None = None
    first_name: str | None = None

    @property
    def personal(self) -> bool:
        return self.type == "private"

    @property
    def grouped(self) -> bool:
        return self.type in ("group", "supergroup")


class Entity(_Shape):
    """Offset and length count UTF-16 units."""

    type: str
    offset: int
    length: int
    url: str | None = None
    user: User | None = None
    language: str | None = None


class Media(_Shape):
    """A file of any kind; each kind has some of these."""

    file_id: str
    file_name: str | None = None
    mime_type: str | None = None
    file_size: int | None = None
    width: int = 0
    height: int = 0
    emoji: str | None = None


class Contact(_Shape):
    phone_number: str
    first_name: str = ""
    last_name: str | None = None
    user_id: int | None = None


class Location(_Shape):
    latitude: float
    longitude: float
    live_period: int | None = None


class Venue(_Shape):
    location: Location
    title: str
    address: str


class PollOption(_Shape):
    text: str


class Poll(_Shape):
    question: str
    options: tuple[PollOption, ...] = Field(default=(), strict=False)


class Dice(_Shape):
    emoji: str
    value: int


class Quote(_Shape):
    text: str


class Origin(_Shape):
    """Whose words a forwarded message is: of a user, a hidden user, a group or a channel."""

    type: str
    sender_user: User | None = None
    sender_user_name: str | None = None
    sender_chat: Chat | None = None
    chat: Chat | None = None

    @property
    def name(self) -> str:
        chat = self.sender_chat or self.chat
        return (
            self.sender_user_name or (self.sender_user.name if self.sender_user else "") or (chat and chat.title) or ""
        )


class Message(_Shape):
    message_id: int
    date: int
    chat: Chat
    message_thread_id: int | None = None
    sender: User | None = Field(default=None, alias="from")
    sender_chat: Chat | None = None
    forward_origin: Origin | None = None
    is_topic_message: bool = False
    is_automatic_forward: bool = False
    reply_to_message: Message | None = None
    quote: Quote | None = None
    edit_date: int | None = None
    media_group_id: str | None = None
    text: str | None = None
    entities: tuple[Entity, ...] = Field(default=(), strict=False)
    caption: str | None = None
    caption_entities: tuple[Entity, ...] = Field(default=(), strict=False)
    photo: tuple[Media, ...] = Field(default=(), strict=False)
    animation: Media | None = None
    audio: Media | None = None
    document: Media | None = None
    sticker: Media | None = None
    video: Media | None = None
    video_note: Media | None = None
    voice: Media | None = None
    contact: Contact | None = None
    dice: Dice | None = None
    location: Location | None = None
    venue: Venue | None = None
    poll: Poll | None = None
    # Of these only that they are there is read: there is no way to answer to them but in words.
    story: JsonValue = None
    paid_media: JsonValue = None
    live_photo: JsonValue = None
    checklist: JsonValue = None
    game: JsonValue = None
    giveaway: JsonValue = None
    invoice: JsonValue = None
    rich_message: JsonValue = None


class Member(_Shape):
    status: str


class MemberUpdated(_Shape):
    chat: Chat
    sender: User = Field(alias="from")
    date: int
    old_chat_member: Member
    new_chat_member: Member


class Place(_Shape):
    """Of a message that may be out of reach by now, where it stood."""

    message_id: int
    chat: Chat
    message_thread_id: int | None = None
    is_topic_message: bool = False


class CallbackQuery(_Shape):
    id: str
    sender: User = Field(alias="from")
    message: Place | None = None
    data: str | None = None


class Reaction(_Shape):
    type: str
    emoji: str | None = None
    custom_emoji_id: str | None = None

    @property
    def shown(self) -> str:
        return self.emoji or (f"custom:{self.custom_emoji_id}" if self.custom_emoji_id else self.type)


class ReactionUpdated(_Shape):
    chat: Chat
    message_id: int
    user: User | None = None
    date: int
    old_reaction: tuple[Reaction, ...] = Field(default=(), strict=False)
    new_reaction: tuple[Reaction, ...] = Field(default=(), strict=False)


class Update(_Shape):
    update_id: int
    message: Message | None = None
    edited_message: Message | None = None
    callback_query: CallbackQuery | None = None
    message_reaction: ReactionUpdated | None = None
    my_chat_member: MemberUpdated | None = None


ALLOWED = ("message", "edited_message", "callback_query", "message_reaction", "my_chat_member")
"""The kinds of updates that are asked for; reactions come only to those who ask."""


def read(raw: RawInbound) -> Update:
    """Raises Malformed."""
    try:
        text = raw.body.decode("utf-8")
        data = json.loads(text)
        if _HALVES.search(text):
            # Half a character, which nothing could store. A whole one is written in two halves as well, and stays.
            data = json.loads(json.dumps(data, ensure_ascii=False).encode("utf-8", "replace"))
        if not isinstance(data, dict):
            raise Malformed("not an update of Telegram's")
        return Update.model_validate(data)
    except (ValueError, RecursionError, ValidationError) as error:
        raise Malformed(f"not an update of Telegram's: {type(error).__name__}") from None


def moment(seconds: int | None) -> datetime | None:
    """Unix time as Telegram gives it. None for what is no time of this age."""
    try:
        return datetime.fromtimestamp(seconds, UTC) if seconds else None
    except (ValueError, OverflowError, OSError):
        return None
