"""Header fields as text: RFC 2047 words, raw 8-bit, addresses, message ids, dates. Lenient, linear in time, never raises."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime
from email.message import Message
from email.utils import getaddresses, parsedate_to_datetime

from channels.contract import Address
from channels.email.addresses import normalise_address
from channels.email.charsets import decode, known_charset
from channels.email.limits import ADDRESSES_MAX, REFERENCES_MAX
from channels.email.tree import children

_WORD = re.compile(r"=\?([^?\s=]{1,60})\?([bBqQ])\?([^?]{0,10000})\?=")
_BETWEEN_WORDS = re.compile(r"(\?=)[ \t\r\n]+(?==\?[^?\s]{1,60}\?[bBqQ]\?)")
_FOLD = re.compile(r"[\r\n]+[ \t]*")
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
# Joiners stay: emoji families, Persian and the scripts of India are written with them.
_INVISIBLE = re.compile("[\u200b\u202a-\u202e\u2060-\u2069\ufeff\ufffe\uffff]+")
_ONE_MAILBOX = re.compile(r"\s*(?:\"([^\"\\]{0,500})\"|([^<>\",;:()]{0,500}))\s*<\s*([^<>\s,;]{1,320})\s*>\s*")
_ANGLED = re.compile(r"([^<>,]{0,200})<\s*([^<>\s]{1,320}@[^<>\s]{1,253})\s*>")
_BARE_ADDRESS = re.compile(r"[^\s<>,;:\"()\[\]]{1,128}@[\w.-]{1,253}")
_MESSAGE_ID = re.compile(r"<([^<>\s]{1,500})>")
_BARE_ID = re.compile(r"[^<>\s,;\"]{1,400}@[^<>\s,;\"]{1,250}")


def raw_values(message: Message, name: str) -> list[str]:
    """Every field of this name as it stood, 8-bit octets decoded, unfolded, but RFC 2047 words left alone."""
    wanted = name.lower()
    values = [str(value) for key, value in message.raw_items() if key.lower() == wanted]
    return [_FOLD.sub(" ", one if one.isascii() else _eight_bit(one, _body_charset(message))) for one in values]


def _eight_bit(value: str, hint: str | None) -> str:
    """Raw 8-bit octets in a field, which no standard allows: UTF-8 if they are that, else in the charset of the body."""
    data = value.encode("utf-8", "surrogateescape")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    if hint and hint.lower() not in {"utf-8", "us-ascii", "ascii"}:
        return decode(data, hint)
    # A field is too short to detect a charset from; Windows-1252 is the commonest by far.
    return decode(data, "cp1252")


def _body_charset(message: Message) -> str | None:
    parts = [message]
    for _depth in range(4):
        if not parts:
            break
        try:
            if charset := parts[0].get_content_charset():
                return charset
        except (ValueError, TypeError, AttributeError, LookupError):
            break
        parts = children(parts[0])
    return None


def raw_value(message: Message, name: str) -> str:
    """The first field of this name, or an empty string."""
    values = raw_values(message, name)
    return values[0].strip() if values else ""


def text_value(message: Message, name: str) -> str:
    """The first field of this name for reading: one line, without invisible characters."""
    return one_line(decode_words(raw_value(message, name)))


def one_line(text: str) -> str:
    """White space collapsed, control and direction characters removed."""
    return " ".join(_INVISIBLE.sub("", _CONTROLS.sub(" ", text)).split())


def decode_words(value: str) -> str:
    """RFC 2047 encoded words decoded; neighbouring words of one charset are joined first, since senders split characters."""
    if "=?" not in value:
        return value
    value = _BETWEEN_WORDS.sub(r"\1", value)
    out: list[str] = []
    pending = b""
    pending_charset = ""
    end = 0
    for found in _WORD.finditer(value):
        charset = found[1].partition("*")[0].lower()
        if pending and (found.start() != end or charset != pending_charset):
            out.append(decode(pending, pending_charset))
            pending = b""
        out.append(value[end : found.start()])
        pending += _word_bytes(found[2], found[3], charset)
        pending_charset = charset
        end = found.end()
    if pending:
        out.append(decode(pending, pending_charset))
    out.append(value[end:])
    return "".join(out)


def _word_bytes(encoding: str, text: str, charset: str) -> bytes:
    # Octets beyond ASCII may stand in a word all the same: put them back as the word's own charset has them.
    data = text.encode("ascii" if text.isascii() else known_charset(charset) or "utf-8", "replace")
    if encoding in "bB":
        data = re.sub(rb"[^A-Za-z0-9+/]", b"", data)
        try:
            return base64.b64decode(data + b"=" * (-len(data) % 4))
        except binascii.Error:
            return base64.b64decode(data[: len(data) // 4 * 4])
    return binascii.a2b_qp(data, header=True)


def addresses(message: Message, name: str) -> tuple[Address, ...]:
    """The mailboxes of every field of this name, in order, each address once; what is no address is left out."""
    found: dict[str, Address] = {}
    for value in raw_values(message, name):
        for address in parse_addresses(value):
            found.setdefault(address.value, address)
            if len(found) >= ADDRESSES_MAX:
                return tuple(found.values())
    return tuple(found.values())


def parse_addresses(value: str) -> list[Address]:
    """The mailboxes in one address field (RFC 5322 §3.4), read leniently."""
    pairs: list[tuple[str, str]] = []
    if (one := _ONE_MAILBOX.fullmatch(value)) and (made := _address(decode_words(one[1] or one[2] or ""), one[3])):
        # The common form; and where an address poses as the display name, what counts is in the angle brackets.
        return [made]
    try:
        pairs = getaddresses([value[:65536]])
    except (ValueError, IndexError, TypeError, RecursionError):
        pairs = []
    result = [made for name, spec in pairs if (made := _address(decode_words(name), spec))]
    if not result:
        # Unquoted specials in a display name and the like: what stands in angle brackets, or looks like an address, is one.
        spans = [(decode_words(one[1]).strip(" \"'"), one[2]) for one in _ANGLED.finditer(value[:65536])]
        if not spans and (bare := _BARE_ADDRESS.search(decode_words(value[:65536]))):
            spans = [("", bare[0])]
        result = [made for name, spec in spans if (made := _address(name, spec))]
    return result


def _address(name: str, spec: str) -> Address | None:
    try:
        value = normalise_address(decode_words(spec))
    except ValueError:
        return None
    shown = one_line(name).strip("\"' ")[:200]
    return Address(kind="email", value=value, name=shown or None)


def message_ids(value: str) -> list[str]:
    """Message ids in `<…>` form, in order, each once; a bare `left@right` counts too."""
    found = [f"<{one}>" for one in _MESSAGE_ID.findall(value)]
    if not found:
        found = [f"<{one}>" for one in _BARE_ID.findall(value)]
    unique = list(dict.fromkeys(found))
    # The first one names the thread, the last ones are the nearest: the middle is what may go.
    return unique if len(unique) <= REFERENCES_MAX else [unique[0], *unique[-(REFERENCES_MAX - 1) :]]


def date_value(message: Message) -> datetime | None:
    """The Date field in UTC; None where it is missing or makes no sense."""
    try:
        when = parsedate_to_datetime(raw_value(message, "date"))
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
