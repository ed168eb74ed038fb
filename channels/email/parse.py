"""From a raw mail to typed events. Pure: the same octets and transport facts give the same events."""

from __future__ import annotations

import hashlib
from email.message import Message
from typing import TYPE_CHECKING

from channels.contract import Address, Automation, Inbound, Malformed, MessageReceived, RawInbound
from channels.email import automation, bounces, forwarded, headers, mime, replies, tokens
from channels.email.addresses import normalise_address

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pydantic import JsonValue

    from channels.email.settings import EmailSettings


def parse(raw: RawInbound, settings: EmailSettings, secret: bytes) -> Sequence[Inbound]:
    """One mail, its events: a message, or what became of messages of ours. Raises Malformed."""
    message = mime.read_structure(raw.body)
    recipients = _all_recipients(message, raw)
    if receipts := bounces.read(
        message, raw, lambda purpose: _token(recipients, purpose, secret), _event_id(message, raw)
    ):
        return receipts
    return [_message(message, raw, settings, secret, recipients)]


def _message(
    message: Message, raw: RawInbound, settings: EmailSettings, secret: bytes, recipients: Sequence[str]
) -> MessageReceived:
    sender = _sender(message, raw)
    content = mime.read_content(message)
    body = replies.fold(content.text)
    subject = headers.text_value(message, "subject")[:998] or None
    route_name = _token(recipients, tokens.Purpose.ROUTE, secret)
    references = _references(message)
    to, cc = (_untagged(headers.addresses(message, field)) for field in ("to", "cc"))
    found = automation.classify(
        message, raw, sender=sender, own=settings.address, subject=subject or "", text=content.text
    )
    answer_to = next(iter(headers.addresses(message, "reply-to")), None)
    if answer_to is not None and tokens.without_token(answer_to.value) == settings.address:
        answer_to = None
    facts: dict[str, JsonValue] = {**found.facts, **content.sealed}
    if answer_to is not None and answer_to.value != sender.value:
        facts["reply_to"] = answer_to.value
    if found.automation is Automation.NONE and (
        inside := forwarded.find(
            message, subject=subject or "", text=content.text, forwarder=sender.value, own=settings.address
        )
    ):
        facts["forwarded"] = inside.fact()
    return MessageReceived(
        external_id=_event_id(message, raw),
        conversation=f"route:{route_name}"
        if route_name
        else _thread_root(message, references) or _event_id(message, raw),
        provider_time=headers.date_value(message),
        sender=sender,
        to=to,
        cc=cc,
        subject=subject,
        text=body.text,
        html=content.html,
        quoted=body.quoted,
        signature=body.signature,
        language=_language(message),
        attachments=content.attachments,
        route={
            "from": sender.value,
            "reply_to": (answer_to or sender).value,
            "reply_to_name": (answer_to or sender).name,
            "others": [
                {"address": one.value, "name": one.name}
                for one in dict.fromkeys((*to, *cc))
                if one.value not in {settings.address, sender.value}
            ],
            "subject": subject,
        },
        thread_refs=(*((f"route:{route_name}",) if route_name else ()), *references),
        automation=found.automation,
        suppress_auto_reply=found.suppress,
        facts=facts,
    )


def _untagged(found: Iterable[Address]) -> tuple[Address, ...]:
    """Addresses without tokens of ours: who may see a ticket need not see the key to it."""
    return tuple(one.model_copy(update={"value": tokens.without_token(one.value)}) for one in found)


def _all_recipients(message: Message, raw: RawInbound) -> list[str]:
    rcpt = raw.transport.get("rcpt_to")
    envelope = [str(one) for one in rcpt] if isinstance(rcpt, list) else []
    named = [
        address.value
        for field in ("to", "cc", "delivered-to", "x-original-to", "x-envelope-to", "envelope-to", "resent-to")
        for address in headers.addresses(message, field)
    ]
    return [*envelope, *named]


def _token(recipients: Iterable[str], purpose: tokens.Purpose, secret: bytes) -> str | None:
    return next((name for one in recipients if (name := tokens.read_token(one, purpose, secret))), None)


def _event_id(message: Message, raw: RawInbound) -> str:
    """The Message-ID; without a usable one, a hash of the octets."""
    ids = headers.message_ids(headers.raw_value(message, "message-id"))
    return ids[0] if ids else f"sha256:{hashlib.sha256(raw.body).hexdigest()}"


def _references(message: Message) -> tuple[str, ...]:
    """In-Reply-To, then References from the newest: the nearest is the strongest evidence (RFC 5322 §3.6.4)."""
    nearest = headers.message_ids(" ".join(headers.raw_values(message, "in-reply-to")))
    chain = headers.message_ids(" ".join(headers.raw_values(message, "references")))
    own = _own_id(message)
    return tuple(one for one in dict.fromkeys((*nearest, *reversed(chain))) if one != own)


def _own_id(message: Message) -> str | None:
    return next(iter(headers.message_ids(headers.raw_value(message, "message-id"))), None)


def _thread_root(message: Message, references: Sequence[str]) -> str | None:
    """The oldest reference: what every mail of one thread agrees on."""
    chain = headers.message_ids(" ".join(headers.raw_values(message, "references")))
    return chain[0] if chain else (references[0] if references else None)


def _sender(message: Message, raw: RawInbound) -> Address:
    for field in ("from", "sender", "return-path"):
        if found := headers.addresses(message, field):
            return found[0]
    try:
        return Address(kind="email", value=normalise_address(str(raw.transport.get("mail_from") or "")))
    except ValueError:
        raise Malformed("the mail names no sender", code="no_sender") from None


def _language(message: Message) -> str | None:
    tag = headers.text_value(message, "content-language").partition(",")[0].strip()
    return tag if tag and len(tag) <= 35 and all(p.isascii() and p.isalnum() for p in tag.split("-")) else None
