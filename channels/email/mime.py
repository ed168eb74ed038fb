"""Octets of a mail to its parts: what to read, what to show, what is attached. Structure only, no judgement.

The structure comes from the standard library's parser under its lenient policy; fields are decoded by `headers`,
because one broken field must not cost the whole mail.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32

from channels.contract import Attachment, Malformed
from channels.email import html
from channels.email.charsets import decode
from channels.email.filenames import invented_name, safe_filename
from channels.email.headers import decode_words, one_line, raw_value, text_value
from channels.email.limits import BODY_CHARS_MAX, DEPTH_MAX, HEADER_BYTES_MAX, MESSAGE_BYTES_MAX, PARTS_MAX
from channels.email.tree import children

_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,60}/[a-z0-9][a-z0-9!#$&^_.+-]{0,100}\Z")
_INLINE_PGP = re.compile(r"^-----BEGIN PGP (MESSAGE|SIGNED MESSAGE)-----", re.MULTILINE)
_BODY_TYPES = frozenset({"text/plain", "text/html"})
_NEVER_BODY = frozenset(
    {"text/calendar", "text/csv", "text/vcard", "text/x-vcard", "text/directory", "text/x-amp-html"}
)


@dataclass(frozen=True, slots=True)
class Body:
    """One stretch of the body: as plain text, as HTML, or as both."""

    text: str | None = None
    html: str | None = None


@dataclass(slots=True)
class Parts:
    """What a walk over the tree has found."""

    bodies: list[Body] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    sealed: dict[str, str] = field(default_factory=dict)
    """`{"encrypted": "pgp"}`, `{"signed": "smime"}`: seen, not opened."""


@dataclass(frozen=True, slots=True)
class Content:
    """A mail's content, ready to be read."""

    text: str
    html: str | None
    attachments: tuple[Attachment, ...]
    sealed: dict[str, str]


def read_structure(body: bytes) -> Message:
    """The tree of parts. Raises Malformed where a limit is passed or there is no header at all."""
    if len(body) > MESSAGE_BYTES_MAX:
        raise Malformed("the mail is larger than 25 MB", code="mail_too_large")
    head = re.search(rb"\r?\n\r?\n|\r\r", body)
    if (head.start() if head else len(body)) > HEADER_BYTES_MAX:
        raise Malformed("the mail's header is larger than 256 KB", code="header_too_large")
    # Every open boundary is tried on every line: bound the tree before it is built, not after.
    if len(re.findall(rb"boundary", body, re.IGNORECASE)) > 4 * PARTS_MAX:
        raise Malformed("the mail has too many parts", code="too_many_parts")
    try:
        message = BytesParser(policy=compat32).parsebytes(_repaired(_mbox_line_removed(body)))
    except (
        RecursionError,
        ValueError,
        IndexError,
        KeyError,
        TypeError,
        AttributeError,
        LookupError,
        AssertionError,
    ) as error:
        raise Malformed("the mail's structure cannot be read", code="unreadable") from error
    if not _FIELDS_OF_MAIL & {key.lower() for key, _value in message.items()}:
        raise Malformed("there is no mail header", code="no_header")
    _check_size(message)
    return message


def _mbox_line_removed(body: bytes) -> bytes:
    body = body.lstrip(b"\r\n")
    return body.partition(b"\n")[2] if re.match(rb">?From (?![ \t]*:)", body) else body


_FIELDS_OF_MAIL = frozenset(
    [
        "from",
        "to",
        "cc",
        "subject",
        "date",
        "message-id",
        "received",
        "return-path",
        "sender",
        "reply-to",
        "mime-version",
        "content-type",
    ]
)
_FIELD = re.compile(rb"[!-9;-~]+[ \t]*:")
_KNOWN_FIELD = re.compile(
    rb"^(?:from|to|subject|date|message-id|received|content-type)[ \t]*:", re.IGNORECASE | re.MULTILINE
)


def _repaired(body: bytes) -> bytes:
    """The header with lines mended that are no fields, so that one broken line does not hide the fields below it.

    White space before the colon, which RFC 5322 §4.5 still has to be read, is taken away.
    """
    end = re.search(rb"\r?\n\r?\n", body)
    head = body[: end.start() if end else len(body)]
    lines = head.split(b"\n")
    bad = [n for n, one in enumerate(lines) if one[:1] not in (b" ", b"\t") and not _FIELD.match(one)]
    spaced = re.search(rb"^[!-9;-~]+[ \t]+:", head, re.MULTILINE)
    if (not bad and not spaced) or 0 in bad:
        return body
    for number in bad:
        if not _KNOWN_FIELD.search(b"\n".join(lines[number + 1 : number + 200])):
            break
        lines[number] = b" " + lines[number]
    mended = re.sub(rb"^([!-9;-~]+)[ \t]+:", rb"\1:", b"\n".join(lines), flags=re.MULTILINE)
    return mended + body[len(head) :]


def _check_size(message: Message) -> None:
    count = 0
    level = [message]
    for _depth in range(DEPTH_MAX):
        count += len(level)
        if count > PARTS_MAX:
            raise Malformed("the mail has too many parts", code="too_many_parts")
        level = [child for part in level for child in children(part)]
        if not level:
            return
    raise Malformed("the mail's parts are nested too deep", code="too_deep")


def read_content(message: Message) -> Content:
    """Text and HTML of the body, and everything that is attached."""
    parts = Parts()
    _walk(message, parts, top=True)
    showable = [one for one in parts.bodies if one.html is not None]
    text = "\n\n".join(filter(None, (_plain(one) for one in parts.bodies)))
    shown = None
    if showable:
        shown = "\n".join(
            html.sanitise(b.html) if b.html is not None else html.from_text(b.text or "") for b in parts.bodies
        )
    if found := _INLINE_PGP.search(text):
        parts.sealed.setdefault("encrypted" if found[1] == "MESSAGE" else "signed", "pgp")
    return Content(text.strip("\r\n"), shown, tuple(parts.attachments), parts.sealed)


def _plain(body: Body) -> str:
    if body.text is not None and (body.text.strip() or body.html is None):
        return body.text.strip("\r\n").rstrip()
    return html.to_text(body.html or "")


def _walk(part: Message, parts: Parts, *, top: bool = False) -> None:
    kind = content_type(part)
    if part.is_multipart() and not kind.startswith("message/"):
        _note_seal(kind, part, parts)
        if kind == "multipart/alternative":
            _walk_alternative(part, parts)
        else:
            for child in children(part):
                _walk(child, parts, top=top and len(children(part)) == 1)
        return
    _note_seal(kind, part, parts)
    if kind.startswith("multipart/"):
        # Announced as several parts, but its boundary never comes: what is there is text.
        kind = "text/plain"
        if not part_bytes(part).strip():
            return
    if _is_body(part, kind, top=top):
        text = part_text(part)
        if len(text) <= BODY_CHARS_MAX:
            parts.bodies.append(Body(html=text) if kind == "text/html" else Body(text=text))
            return
    parts.attachments.append(_attachment(part, kind, len(parts.attachments) + 1))


def _is_body(part: Message, kind: str, *, top: bool) -> bool:
    if kind not in _BODY_TYPES and not (top and kind.startswith("text/") and kind not in _NEVER_BODY):
        return False
    return disposition(part) != "attachment" and (top or not _raw_filename(part))


def _walk_alternative(part: Message, parts: Parts) -> None:
    """RFC 2046 §5.1.4: one content in several forms; the last of each form is the richest."""
    text: str | None = None
    shown: str | None = None
    for child in children(part):
        inner = Parts(attachments=parts.attachments, sealed=parts.sealed)
        _walk(child, inner)
        if any(b.html is not None for b in inner.bodies):
            shown = "\n".join(b.html if b.html is not None else html.from_text(b.text or "") for b in inner.bodies)
            if text is None and any(b.text for b in inner.bodies):
                text = "\n\n".join(filter(None, (_plain(b) for b in inner.bodies)))
        elif inner.bodies:
            text = "\n\n".join(b.text or "" for b in inner.bodies)
    if text is not None or shown is not None:
        parts.bodies.append(Body(text, shown))


def _note_seal(kind: str, part: Message, parts: Parts) -> None:
    protocol = str(_param(part, "protocol") or "").lower()
    if kind == "multipart/encrypted":
        parts.sealed["encrypted"] = "pgp" if "pgp" in protocol else "smime"
    elif kind == "multipart/signed":
        parts.sealed["signed"] = "pgp" if "pgp" in protocol else "smime"
    elif kind in {"application/pkcs7-mime", "application/x-pkcs7-mime"}:
        signed = str(_param(part, "smime-type") or "").lower() in {"signed-data", "certs-only"}
        parts.sealed["signed" if signed else "encrypted"] = "smime"


def content_type(part: Message) -> str:
    """Lower-case `type/subtype`; `application/octet-stream` for what is no type."""
    try:
        kind = part.get_content_type()
    except (ValueError, TypeError, AttributeError, IndexError):
        return "application/octet-stream"
    return kind if _TYPE.match(kind) else "application/octet-stream"


def disposition(part: Message) -> str:
    """`attachment`, `inline` or an empty string (RFC 2183)."""
    return text_value(part, "content-disposition").partition(";")[0].strip().lower()


def _param(part: Message, name: str, header: str = "content-type") -> str | None:
    """A parameter decoded by RFC 2231 or, where senders do that instead, RFC 2047."""
    try:
        field = part.get(header)
        if field is not None and not isinstance(field, str):
            # Raw 8-bit octets: read as text first, or the library would put replacement characters in their place.
            part.replace_header(header, raw_value(part, header))
        value = part.get_param(name, None, header)
        if isinstance(value, tuple):
            charset, _language, encoded = value
            return decode(encoded.encode("latin-1", "replace"), charset or "utf-8")
        return decode_words(str(value)) if value is not None else None
    except (ValueError, TypeError, AttributeError, IndexError, LookupError, UnicodeError):
        return None


def _raw_filename(part: Message) -> str:
    return _param(part, "filename", "content-disposition") or _param(part, "name") or ""


def part_bytes(part: Message) -> bytes:
    """A leaf's octets with the transfer encoding undone; damaged encodings give what can be saved."""
    try:
        payload = part.get_payload(decode=True)
    except (
        ValueError,
        TypeError,
        AttributeError,
        IndexError,
        LookupError,
        UnicodeError,
        binascii.Error,
        AssertionError,
    ):
        payload = None
    raw = getattr(part, "_payload", None)  # as it stood: the public way to it decodes
    encoded = raw.encode("utf-8", "surrogateescape") if isinstance(raw, str) else b""
    if not isinstance(payload, bytes):
        payload = encoded
    if payload == encoded and payload and text_value(part, "content-transfer-encoding").lower() == "base64":
        # The library gives up on damaged base64; all whole groups of four can be read.
        digits = re.sub(rb"[^A-Za-z0-9+/]", b"", payload)
        return base64.b64decode(digits[: len(digits) // 4 * 4])
    return payload


def part_text(part: Message) -> str:
    """A leaf's text with line ends as `\\n`; `format=flowed` lines joined (RFC 3676)."""
    text = (
        decode(part_bytes(part), _param(part, "charset"))
        .replace("\r\n", "\n")
        .replace("\r", "\n")
        .removeprefix("\ufeff")
    )
    if content_type(part) == "text/plain" and (_param(part, "format") or "").lower() == "flowed":
        text = _unflowed(text, delsp=(_param(part, "delsp") or "").lower() == "yes")
    return text


def _unflowed(text: str, *, delsp: bool) -> str:
    lines: list[str] = []
    depth = -1
    for line in text.split("\n"):
        content = line.lstrip(">")
        quotes = len(line) - len(content)
        content = content.removeprefix(" ")
        if (
            lines
            and depth == quotes
            and lines[-1].endswith(" ")
            and lines[-1] != "-- "
            and not lines[-1].endswith("> ")
        ):
            lines[-1] = (lines[-1][:-1] if delsp else lines[-1]) + content
        else:
            lines.append(f"{'>' * quotes} {content}" if quotes else content)
        depth = quotes if content.endswith(" ") and content != "-- " else -1
    return "\n".join(lines)


def _attachment(part: Message, kind: str, number: int) -> Attachment:
    if kind == "message/rfc822" or (kind.startswith("message/") and part.is_multipart()):
        content, inner = _embedded(part)
        fallback = safe_filename(f"{inner}.eml" if inner else "", f"message-{number}.eml")
    else:
        content = part_bytes(part)
        fallback = invented_name(kind, number)
    content_id = one_line(text_value(part, "content-id")).strip("<> ") or None
    return Attachment(
        filename=safe_filename(_raw_filename(part), fallback),
        content_type=kind,
        size=len(content),
        content=content,
        content_id=content_id,
        inline=disposition(part) != "attachment" and content_id is not None and kind.startswith("image/"),
    )


def _embedded(part: Message) -> tuple[bytes, str]:
    """A nested mail as octets, with its subject."""
    mails = children(part)
    if not mails:
        return part_bytes(part), ""
    pieces: list[bytes] = []
    for child in mails:
        try:
            pieces.append(child.as_bytes(policy=compat32))
        except (ValueError, TypeError, AttributeError, IndexError, LookupError, UnicodeError, RecursionError):
            pieces.append(
                "".join(f"{k}: {v}\n" for k, v in child.raw_items()).encode("utf-8", "surrogateescape")
                + b"\n"
                + part_bytes(child)
            )
    return b"\n".join(pieces), text_value(mails[0], "subject")
