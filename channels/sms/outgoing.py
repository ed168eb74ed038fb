"""From an `Outbound` to the parameters of Twilio's Messages resource."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from channels.contract import Attachment, Outbound, Rejected, Undeliverable
from channels.segments import measure
from channels.sms import SPEC
from channels.sms.peers import is_phone, normalise_number, takes_pictures
from channels.sms.settings import Files, SmsSettings

_BODY_MAX = 1600
"""Characters that Twilio takes in one message."""
_MMS_BYTES = 5 * 1024 * 1024
_MMS_TYPES = ("image/jpeg", "image/png", "image/gif")
"""What phones show without fail; other types reach some carriers only, so they go as links unless MMS is asked for."""


def request(message: Outbound, settings: SmsSettings) -> dict[str, Any]:
    """The keyword arguments of the SDK's `messages.create`, without the callback.

    Raises Undeliverable for an address that no text can go to, Rejected for what does not fit.
    """
    to = normalise_number(message.to.value, settings.default_country)
    if to is None:
        raise Undeliverable("texts go to telephone numbers only", code="not_a_number")
    sender = _sender(message, settings)
    pictures, links = _files(message.attachments, sender, to, settings.files)
    body = "\n".join(filter(None, [message.text, *links]))
    if not body and not pictures:
        raise Rejected("there is nothing to send", code="empty_message")
    limit = SPEC.capabilities.text_max or 0
    measured = measure(message.text)
    if measured.segments > limit:
        raise Rejected(f"the text takes {measured.segments} SMS, more than {limit}", code="text_too_long")
    if len(body) > _BODY_MAX:
        raise Rejected(f"text and links together have more than {_BODY_MAX} characters", code="text_too_long")
    asked: dict[str, Any] = {"to": to}
    if body:
        asked["body"] = body
    if pictures:
        asked["media_url"] = pictures
    if sender:
        asked["from_"] = sender
    if settings.messaging_service_sid:
        asked["messaging_service_sid"] = settings.messaging_service_sid
    return asked


def _sender(message: Outbound, settings: SmsSettings) -> str:
    """Our number; of a service's pool the one that was written to, else Twilio's choice."""
    if settings.number:
        return settings.number
    return normalise_number(str(message.route.get("number") or "")) or ""


def _files(files: Sequence[Attachment], sender: str, to: str, how: Files) -> tuple[list[str], list[str]]:
    """The addresses of what goes as MMS, and of what goes as a link. Twilio fetches files, it is not given them."""
    pictures: list[str] = []
    links: list[str] = []
    for file in files:
        if not file.url:
            raise Rejected(
                f"{file.filename} has no public address, and texts carry addresses only", code="file_without_url"
            )
        fits = (file.size or 0) <= _MMS_BYTES
        picture = how is Files.MMS or (how is Files.AUTO and file.content_type in _MMS_TYPES and _by_mms(sender, to))
        (pictures if picture and fits else links).append(file.url)
    return pictures, links


def _by_mms(sender: str, to: str) -> bool:
    return is_phone(to) and takes_pictures(sender if is_phone(sender) else to, to)
