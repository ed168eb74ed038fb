"""Marks on a text as Telegram has them: ranges in UTF-16 units. Read into plain text and HTML; measured and cut.

https://core.telegram.org/bots/api#messageentity
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from urllib.parse import urlsplit

from channels.social.telegram.shapes import Entity

_MOST = 200
"""Entities of one text that are looked at; Telegram makes at most 100."""
_TAGS = {
    "bold": "b",
    "italic": "i",
    "underline": "u",
    "strikethrough": "s",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
    "expandable_blockquote": "blockquote",
}


def units(text: str) -> int:
    """The length of a text as Telegram counts it."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def head(text: str, limit: int) -> str:
    """As much of the text as `limit` units hold; no character is cut in two."""
    return text.encode("utf-16-le", "surrogatepass")[: limit * 2].decode("utf-16-le", "ignore")


def piece(text: str, entity: Entity) -> str:
    """The part of the text that an entity marks."""
    data = text.encode("utf-16-le", "surrogatepass")
    return data[max(0, entity.offset) * 2 : max(0, entity.offset + entity.length) * 2].decode("utf-16-le", "ignore")


def plain(text: str, entities: Sequence[Entity]) -> str:
    """The text with the addresses of its hidden links behind them: what a reader could follow, a reader can see."""
    data = text.encode("utf-16-le", "surrogatepass")
    for one in sorted(_sound(text, entities), key=lambda one: -(one.offset + one.length)):
        if one.type == "text_link" and one.url and linkable(one.url) and piece(text, one).strip() != one.url:
            end = (one.offset + one.length) * 2
            data = data[:end] + f" ({one.url})".encode("utf-16-le", "replace") + data[end:]
    return data.decode("utf-16-le", "replace")


def markup(text: str, entities: Sequence[Entity]) -> str | None:
    """The text as HTML that needs no further cleaning; None where nothing in it is marked."""
    marked = [one for one in _sound(text, entities) if one.type in _TAGS or _link(text, one)]
    if not marked:
        return None
    data = text.encode("utf-16-le", "surrogatepass")
    edges = sorted({0, len(data) // 2, *(at for one in marked for at in (one.offset, one.offset + one.length))})
    out: list[str] = []
    opened: list[Entity] = []
    for start, end in zip(edges, [*edges[1:], edges[-1]], strict=True):
        keep = [one for one in opened if one.offset + one.length > start]
        fresh = [one for one in marked if one.offset == start]
        same = 0
        while same < len(opened) and same < len(keep) and opened[same] is keep[same]:
            same += 1
        # Ranges may overlap, elements may not: what goes on is closed and opened again.
        out += [_close(one) for one in reversed(opened[same:])]
        opened = [*opened[:same], *keep[same:], *sorted(fresh, key=lambda one: -one.length)]
        out += [_open(text, one) for one in opened[same:]]
        out.append(html.escape(data[start * 2 : end * 2].decode("utf-16-le", "replace"), quote=False))
    return "".join(out).replace("\n", "<br>")


def linkable(url: str) -> bool:
    """Whether it is a web address that may be shown as a link."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.username
    except ValueError:
        return False


def _sound(text: str, entities: Sequence[Entity]) -> list[Entity]:
    """The entities that lie within the text."""
    whole = units(text)
    return [one for one in entities[:_MOST] if one.offset >= 0 and one.length > 0 and one.offset + one.length <= whole]


def _link(text: str, entity: Entity) -> str | None:
    url = entity.url if entity.type == "text_link" else piece(text, entity) if entity.type == "url" else None
    return url if url and linkable(url) else None


def _open(text: str, entity: Entity) -> str:
    if entity.type in _TAGS:
        return f"<{_TAGS[entity.type]}>"
    return f'<a href="{html.escape(_link(text, entity) or "")}" rel="noopener noreferrer nofollow">'


def _close(entity: Entity) -> str:
    return f"</{_TAGS.get(entity.type, 'a')}>"
