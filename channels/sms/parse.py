"""From Twilio's messaging webhooks to events (https://www.twilio.com/docs/messaging/guides/webhook-request)."""

from __future__ import annotations

import hashlib
import mimetypes
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from pydantic import JsonValue

from channels.contract import (
    Address,
    Attachment,
    Automation,
    Inbound,
    Malformed,
    MessageReceived,
    PeerChange,
    PeerChanged,
    RawInbound,
    ReceiptKind,
    ReceiptReceived,
)
from channels.sms.keywords import Wish, wished
from channels.sms.peers import address, is_phone
from channels.sms.settings import SmsSettings
from channels.twilio.errors import BAD_ADDRESS, code_of
from channels.twilio.form import fields

KEY = "key"
"""The parameter of a status callback's URL that carries the delivery's key."""
MEDIA_MAX = 10
_ENDINGS = {"audio/amr": ".amr", "text/vcard": ".vcf", "text/x-vcard": ".vcf", "video/3gpp": ".3gp"}
_SID = re.compile(r"(?:SM|MM)[0-9a-fA-F]{32}")
_RECEIPTS: Mapping[str, ReceiptKind] = MappingProxyType(
    {
        # Whatever Twilio has in hand it has accepted: that alone settles a send in doubt.
        **dict.fromkeys(("accepted", "scheduled", "queued", "sending", "sent"), ReceiptKind.SENT),
        "delivered": ReceiptKind.DELIVERED,
        "read": ReceiptKind.READ,
        **dict.fromkeys(("undelivered", "failed", "canceled"), ReceiptKind.FAILED),
    }
)


def parse(raw: RawInbound, settings: SmsSettings) -> Sequence[Inbound]:
    """The events of one webhook, or of one message listed by the API in the same form. Raises Malformed."""
    form = fields(raw)
    sid = _sid(form)
    if not sid:
        raise Malformed("the webhook names no message")
    status = _status(form)
    if status not in ("received", "receiving"):
        return _receipt(raw, form, sid, status)
    sender = address(form.get("From", ""))
    if sender is None:
        raise Malformed("the message has no sender that this channel knows", code="unknown_sender")
    return list(_inbound(raw, form, sid, sender, settings))


def identify(raw: RawInbound) -> RawInbound:
    """A message is known by its SID, a status callback by SID and status; what is not understood by its bytes."""
    try:
        form = fields(raw)
    except Malformed:
        form = {}
    sid, status = _sid(form), _status(form)
    if not sid:
        return replace(raw, external_id=f"sha256:{hashlib.sha256(raw.body).hexdigest()}")
    inbound = status in ("received", "receiving")
    peer = address(form.get("From" if inbound else "To", ""))
    return replace(raw, external_id=sid if inbound else f"{sid}:{status}", order_key=peer.value if peer else None)


def _sid(form: Mapping[str, str]) -> str:
    sid = form.get("MessageSid") or form.get("SmsSid") or ""
    return sid if _SID.fullmatch(sid) else ""


def _status(form: Mapping[str, str]) -> str:
    """Only a status callback has `MessageStatus`; a message may come without any."""
    return (form.get("MessageStatus") or form.get("SmsStatus") or "received").lower()[:40]


# ---------------------------------------------------------------------------------------------------- messages


def _inbound(
    raw: RawInbound, form: Mapping[str, str], sid: str, sender: Address, settings: SmsSettings
) -> Iterator[Inbound]:
    text = form.get("Body", "")
    ours = address(form.get("To", ""))
    moment = _moment(raw)
    keyword = wished(text, form.get("OptOutType", ""))
    if keyword is not None and keyword.wish is not Wish.HELP:
        change = PeerChange.OPTED_OUT if keyword.wish is Wish.STOP else PeerChange.OPTED_IN
        yield PeerChanged(
            external_id=f"{sid}:{change.value}",
            conversation=sender.value,
            provider_time=moment,
            peer=sender,
            change=change,
        )
        if not keyword.everyday:
            return
    files = tuple(_files(form, text))
    facts: dict[str, JsonValue] = {}
    if keyword is not None:
        facts["keyword"] = keyword.wish.value.lower()
    if form.get("FromCountry"):
        facts["country"] = form["FromCountry"][:2].upper()
    if (segments := _number(form.get("NumSegments"))) is not None:
        facts["segments"] = segments
    yield MessageReceived(
        external_id=sid,
        conversation=sender.value,
        provider_time=moment,
        sender=sender,
        to=(ours,) if ours else (),
        text=text,
        attachments=files,
        route={"number": ours.value} if ours else {},
        automation=_automation(sender, settings),
        # Nobody who asked for silence gets an answer by machine, nor one who asked for help: Twilio or our webhook has given it.
        suppress_auto_reply=keyword is not None and keyword.wish is not Wish.START,
        facts=facts,
    )


def _automation(sender: Address, settings: SmsSettings) -> Automation:
    """Short codes and names are machines; so are we ourselves, come back."""
    if sender.value == settings.number:
        return Automation.AUTO_REPLY
    return Automation.NONE if is_phone(sender.value) else Automation.BULK


def _files(form: Mapping[str, str], text: str) -> Iterator[Attachment]:
    for at in range(min(_number(form.get("NumMedia")) or 0, MEDIA_MAX)):
        url = form.get(f"MediaUrl{at}", "")
        if not url.startswith(("https://", "http://")):
            continue
        content_type = form.get(f"MediaContentType{at}", "").partition(";")[0].strip().lower()
        if not re.fullmatch(r"[a-z0-9!#$&^_.+-]{1,60}/[a-z0-9!#$&^_.+-]{1,80}", content_type):
            content_type = "application/octet-stream"
        kind = content_type.partition("/")[0]
        name = kind if kind in ("image", "audio", "video") else "file"
        yield Attachment(
            filename=f"{name}-{at + 1}{_ENDINGS.get(content_type) or mimetypes.guess_extension(content_type) or ''}",
            content_type=content_type,
            url=url,
            spoken=kind == "audio" and not text.strip(),
        )


# ---------------------------------------------------------------------------------------------------- receipts


def _receipt(raw: RawInbound, form: Mapping[str, str], sid: str, status: str) -> Sequence[Inbound]:
    kind = _RECEIPTS.get(status)
    if kind is None:
        return ()
    peer = address(form.get("To", ""))
    number = _number(form.get("ErrorCode")) if kind is ReceiptKind.FAILED else None
    failed = kind is ReceiptKind.FAILED
    return [
        ReceiptReceived(
            external_id=f"{sid}:{status}",
            conversation=peer.value if peer else None,
            kind=kind,
            message_id=sid,
            key=_key(raw),
            # Named only where the fault lies in the number: the recipient of a failed receipt is marked as bad.
            recipient=peer if not failed or number in BAD_ADDRESS else None,
            code=(code_of(number) if number else f"twilio_{status}") if failed else None,
            detail=(form.get("ErrorMessage") or form.get("ChannelStatusMessage") or None) if failed else None,
            facts=_facts(form),
        )
    ]


def _facts(form: Mapping[str, str]) -> dict[str, JsonValue]:
    facts: dict[str, JsonValue] = {}
    if (segments := _number(form.get("NumSegments"))) is not None:
        facts["segments"] = segments
    price = form.get("Price", "")
    if re.fullmatch(r"-?\d{1,9}(\.\d{1,9})?", price, re.ASCII):
        facts |= {"price": price, "currency": (form.get("PriceUnit") or "USD").upper()[:3]}
    return facts


def _key(raw: RawInbound) -> str | None:
    """The delivery's key from the signed URL."""
    try:
        found = parse_qs(urlsplit(str(raw.transport.get("url") or "")).query).get(KEY, [""])[0]
        return str(UUID(found))
    except ValueError:
        return None


def _moment(raw: RawInbound) -> datetime | None:
    """Only the API's list tells when a message was sent."""
    try:
        return datetime.fromisoformat(str(raw.transport.get("date_sent") or ""))
    except ValueError:
        return None


def _number(value: str | None) -> int | None:
    return int(value) if value and len(value) < 10 and value.isascii() and value.isdigit() else None
