"""Mail about mail of ours: delivery reports (RFC 3464), free-text bounces, complaints (RFC 5965), read receipts (RFC 8098)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from email.message import Message
from email.parser import Parser
from email.policy import compat32

from channels.contract import Address, Automation, RawInbound, ReceiptKind, ReceiptReceived
from channels.email import headers, html, mime
from channels.email.addresses import normalise_address
from channels.email.bounce_text import Notice, read_notice
from channels.email.tokens import Purpose
from channels.email.tree import children

_STATUS = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")
_RETURNED_ID = re.compile(r"^\s{0,8}Message-ID:\s*(<[^<>\s]{1,500}>)", re.IGNORECASE | re.MULTILINE)
_RECIPIENTS_MAX = 50
_KINDS = {"delivered": ReceiptKind.DELIVERED, "relayed": ReceiptKind.DELIVERED, "expanded": ReceiptKind.DELIVERED}


@dataclass(frozen=True, slots=True)
class Fate:
    """What a report says about one recipient."""

    kind: ReceiptKind
    recipient: str | None
    code: str | None = None
    detail: str | None = None
    permanent: bool = True
    automation: Automation = Automation.BOUNCE


def read(
    message: Message, raw: RawInbound, token: Callable[[Purpose], str | None], event_id: str
) -> Sequence[ReceiptReceived]:
    """One receipt per recipient that the mail reports on; empty where it is no report."""
    fates = list(_fates(message, raw))[:_RECIPIENTS_MAX]
    if not fates:
        return ()
    returned = _returned_id(message)
    when = headers.date_value(message)
    return [
        ReceiptReceived(
            external_id=event_id if number == 1 else f"{event_id}#{number}",
            conversation=returned or event_id,
            provider_time=when,
            kind=fate.kind,
            message_id=returned,
            key=token(Purpose.BOUNCE),
            recipient=Address(kind="email", value=fate.recipient) if fate.recipient else None,
            code=fate.code,
            detail=fate.detail,
            permanent=fate.permanent,
            automation=fate.automation,
        )
        for number, fate in enumerate(fates, 1)
    ]


def _fates(message: Message, raw: RawInbound) -> Iterator[Fate]:
    message = _unwrapped(message)
    parts = list(_parts(message))
    kinds = [mime.content_type(part) for part in parts]
    if "message/feedback-report" in kinds:
        yield from _complaint(parts[kinds.index("message/feedback-report")])
        return
    if "message/disposition-notification" in kinds:
        yield from _disposition(parts[kinds.index("message/disposition-notification")])
        return
    found: dict[str, Fate] = {}
    for part, kind in zip(parts, kinds, strict=True):
        if kind in {"message/delivery-status", "message/global-delivery-status"}:
            for fate in _delivery_status(part):
                found.setdefault(fate.recipient or "", fate)
    if not found:
        for address in headers.addresses(message, "x-failed-recipients"):
            found[address.value] = Fate(ReceiptKind.FAILED, address.value)
    if found:
        yield from found.values()
        return
    yield from _free_text(message, raw, is_report=kinds[0] == "multipart/report")


def _unwrapped(message: Message) -> Message:
    """A report that some gateway has put into an envelope of its own."""
    first = next(iter(children(message)), None)
    declared = headers.raw_value(message, "content-type").replace('"', "").lower()
    if first is None or "report-type=delivery-status" not in declared:
        return message
    inner = next(iter(children(first)), None)
    if inner is None or mime.content_type(first) != "message/rfc822":
        return message
    return inner if mime.content_type(inner) == "multipart/report" else message


def _parts(message: Message) -> Iterator[Message]:
    """Every part but what is inside returned mails."""
    stack = [message]
    while stack:
        part = stack.pop()
        yield part
        if mime.content_type(part).startswith("multipart/"):
            stack.extend(reversed(children(part)))


def _field_groups(part: Message) -> list[Message]:
    """The blocks of fields in a report part."""
    if groups := children(part):
        return groups
    text = mime.part_text(part)
    return [Parser(policy=compat32).parsestr(block + "\n", headersonly=True) for block in re.split(r"\n[ \t]*\n", text)]


def _typed(value: str) -> str | None:
    """The address in `rfc822; someone@example.com`; None where there is none."""
    bare = value.partition(";")[2] or value
    for candidate in (bare.strip(' <>"'), *(one.value for one in headers.parse_addresses(bare))):
        try:
            return normalise_address(candidate)
        except ValueError:
            continue
    return None


def _delivery_status(part: Message) -> Iterator[Fate]:
    for group in _field_groups(part):
        # The original recipient is whom we wrote to; the final one may be an alias behind a forward.
        names = ("original-recipient", "final-recipient")
        recipient = next(filter(None, (_typed(headers.text_value(group, name)) for name in names)), None)
        action = headers.text_value(group, "action").lower()
        action = re.sub(r"[^a-z].*", "", action)
        if recipient is None or action not in {"failed", "failure", "delayed", "delivered", "relayed", "expanded"}:
            continue
        status = _STATUS.search(headers.text_value(group, "status"))
        diagnostic = headers.text_value(group, "diagnostic-code")[:500] or None
        yield Fate(
            kind=_KINDS.get(action, ReceiptKind.FAILED),
            recipient=recipient,
            code=status[0] if status else action,
            detail=diagnostic,
            permanent=action != "delayed" and not (status and status[1] == "4"),
        )


def _complaint(part: Message) -> Iterator[Fate]:
    for group in _field_groups(part):
        recipient = _typed(
            headers.text_value(group, "original-rcpt-to") or headers.text_value(group, "removal-recipient")
        )
        kind = headers.text_value(group, "feedback-type").lower()[:50]
        if kind == "not-spam":
            continue
        yield Fate(
            ReceiptKind.FAILED, recipient, kind or "abuse", None, permanent=True, automation=Automation.COMPLAINT
        )
        return


def _disposition(part: Message) -> Iterator[Fate]:
    for group in _field_groups(part):
        disposition = headers.text_value(group, "disposition").lower()
        if disposition:
            recipient = _typed(headers.text_value(group, "final-recipient"))
            if "displayed" in disposition:
                yield Fate(
                    ReceiptKind.READ, recipient, "displayed", None, permanent=False, automation=Automation.AUTO_REPLY
                )
            elif "automatic-action" in disposition and "deleted" in disposition:
                # Some servers say by this form that they refused the mail.
                yield Fate(ReceiptKind.FAILED, recipient, "deleted")
            return


def _free_text(message: Message, raw: RawInbound, *, is_report: bool) -> Iterator[Fate]:
    sender = headers.text_value(message, "from").lower()
    null_path = raw.transport.get("mail_from") == "" or headers.raw_value(message, "return-path") == "<>"
    ours = {
        one.value
        for name in ("to", "from", "sender", "errors-to", "reply-to", "cc")
        for one in headers.addresses(message, name)
    }
    notice: Notice | None = read_notice(
        subject=headers.text_value(message, "subject"),
        sender=sender,
        texts=_readable(message),
        null_path=null_path or is_report,
        not_recipients=ours,
    )
    if notice is None:
        return
    for recipient in notice.recipients or (None,):
        yield Fate(ReceiptKind.FAILED, recipient, notice.code, notice.detail, permanent=notice.permanent)


def _readable(message: Message) -> Iterable[str]:
    for part in _parts(message):
        kind = mime.content_type(part)
        if kind == "text/html":
            yield html.to_text(mime.part_text(part)[:200_000])
        elif (kind.startswith("text/") and kind != "text/rfc822-headers") or kind == "message/delivery-status":
            yield mime.part_text(part)[:200_000]
        elif kind.startswith("multipart/") and not part.is_multipart():
            # The boundary was lost on the way: all of it is one text.
            yield mime.part_text(part)[:200_000]


def _returned_id(message: Message) -> str | None:
    """The Message-ID of the mail that came back."""
    for part in _parts(message):
        kind = mime.content_type(part)
        if kind == "message/disposition-notification":
            for group in _field_groups(part):
                if ids := headers.message_ids(headers.raw_value(group, "original-message-id")):
                    return ids[0]
        if kind in {"message/rfc822", "message/global"}:
            for inner in children(part)[:1]:
                if ids := headers.message_ids(headers.raw_value(inner, "message-id")):
                    return ids[0]
        readable = kind in {"text/rfc822-headers", "message/rfc822-headers", "text/plain", "message/feedback-report"}
        if readable and (found := _RETURNED_ID.search(mime.part_text(part)[:500_000])):
            return found[1]
    references = headers.message_ids(
        " ".join(headers.raw_values(message, "in-reply-to") + headers.raw_values(message, "references"))
    )
    return references[-1] if references else None
