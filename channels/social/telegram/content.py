"""What a message of Telegram's says: its words, or words for what has none, and its files."""

from __future__ import annotations

from dataclasses import dataclass

from channels.contract import Attachment
from channels.social.telegram import entities
from channels.social.telegram.shapes import Location, Media, Message

FILE_URL = "telegram-file:"
"""Begins the address of a file: its id follows. The real address holds the bot's token and is asked for each time."""

_WORDLESS = ("story", "paid_media", "live_photo", "checklist", "game", "giveaway", "invoice", "rich_message")


@dataclass(frozen=True, slots=True)
class Content:
    text: str
    html: str | None
    attachments: tuple[Attachment, ...]


def content_of(message: Message) -> Content:
    """Empty where a message is only news about the chat (somebody joined, a title changed)."""
    words, marks = (
        (message.text, message.entities)
        if message.text is not None
        else (message.caption or "", message.caption_entities)
    )
    text = entities.plain(words, marks)
    files = _files(message)
    shown = _shown(message)
    if not (text or files or shown):
        shown = next((f"[{kind.replace('_', ' ')}]" for kind in _WORDLESS if getattr(message, kind) is not None), "")
    whole = "\n".join(one for one in (text, shown) if one)
    return Content(whole, entities.markup(words, marks) if whole == text else None, tuple(files))


def _shown(message: Message) -> str:
    """What people see of a message without words, in signs that need no translation."""
    if message.sticker is not None:
        return message.sticker.emoji or "[sticker]"
    if message.venue is not None:
        return f"📍 {message.venue.title}\n{message.venue.address}\n{_place(message.venue.location)}"
    if message.location is not None:
        return f"📍 {_place(message.location)}"
    if message.contact is not None:
        name = " ".join(one for one in (message.contact.first_name, message.contact.last_name) if one)
        return f"👤 {name} {message.contact.phone_number}".replace("  ", " ")
    if message.poll is not None:
        return "\n".join([f"📊 {message.poll.question}", *(f"- {one.text}" for one in message.poll.options)])
    if message.dice is not None:
        return f"{message.dice.emoji} {message.dice.value}"
    return ""


def _place(location: Location) -> str:
    """RFC 5870."""
    return f"geo:{location.latitude:.6f},{location.longitude:.6f}"


def _files(message: Message) -> list[Attachment]:
    number = message.message_id
    if message.photo:
        largest = max(message.photo, key=lambda one: (one.width * one.height, one.file_size or 0))
        return [_file(largest, f"photo-{number}.jpg", "image/jpeg")]
    if message.voice is not None:
        return [_file(message.voice, f"voice-{number}.ogg", "audio/ogg", spoken=True)]
    if message.audio is not None:
        return [_file(message.audio, f"audio-{number}.mp3", "audio/mpeg")]
    if message.video is not None:
        return [_file(message.video, f"video-{number}.mp4", "video/mp4")]
    if message.video_note is not None:
        return [_file(message.video_note, f"video-{number}.mp4", "video/mp4")]
    if message.animation is not None:  # comes with the same file as `document`, for older clients
        return [_file(message.animation, f"animation-{number}.mp4", "video/mp4")]
    if message.document is not None:
        return [_file(message.document, f"file-{number}", "application/octet-stream")]
    return []


def _file(media: Media, filename: str, content_type: str, *, spoken: bool = False) -> Attachment:
    return Attachment(
        filename=media.file_name or filename,
        content_type=media.mime_type or content_type,
        size=media.file_size,
        url=f"{FILE_URL}{media.file_id}",
        spoken=spoken,
    )
