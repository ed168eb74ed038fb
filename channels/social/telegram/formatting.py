"""From what is to be said to a text and its marks as Telegram takes them, counted in UTF-16 units.

Marks are sent as entities rather than as markup: no character of an answer can then break it, or mean something else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

from channels.social.telegram.entities import head, linkable, units

MARKS_MAX = 100
"""Telegram passes over further entities of a text."""

_FENCE = re.compile(r"```([\w+#.-]{0,30})\n(.{0,20000}?)\n?```", re.DOTALL)
_INLINE = re.compile(
    r"`(?P<code>[^`\n]{1,1000})`"
    r"|\*\*(?=\S)(?P<bold>[^\n]{1,1000}?)(?<=\S)\*\*"
    r"|(?<![\w*\\])\*(?=[^\s*])(?P<italic>[^*\n]{1,1000}?)(?<=[^\s*])\*(?![\w*])"
    r"|~~(?=\S)(?P<strike>[^~\n]{1,1000}?)(?<=\S)~~"
    r"|\[(?P<label>[^\[\]\n]{1,300})\]\((?P<url>https?://[^\s()<>]{1,2000})\)"
    r"|^#{1,6} {1,4}(?P<heading>\S[^\n]{0,300})$",
    re.MULTILINE,
)
_KINDS = {"bold": "bold", "italic": "italic", "strike": "strikethrough", "heading": "bold"}
_TAGS = {
    **dict.fromkeys(("b", "strong", "h1", "h2", "h3", "h4", "h5", "h6", "th"), "bold"),
    **dict.fromkeys(("i", "em", "cite"), "italic"),
    **dict.fromkeys(("u", "ins"), "underline"),
    **dict.fromkeys(("s", "strike", "del"), "strikethrough"),
    **dict.fromkeys(("code", "kbd", "samp", "tt"), "code"),
    "pre": "pre",
    "blockquote": "blockquote",
    "a": "text_link",
}
_BLOCKS = frozenset(
    "address article blockquote dd div dl dt figure footer h1 h2 h3 h4 h5 h6 header hr li main ol p pre section table tr ul".split()
)
_PARAGRAPHS = frozenset("p h1 h2 h3 h4 h5 h6 ul ol pre blockquote table".split())
_SILENT = frozenset("script style head title template noscript".split())


@dataclass(frozen=True, slots=True)
class Mark:
    """One entity; `offset` and `length` in UTF-16 units."""

    type: str
    offset: int
    length: int
    url: str | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Formatted:
    text: str
    marks: tuple[Mark, ...] = ()

    @property
    def units(self) -> int:
        return units(self.text)

    def and_then(self, other: Formatted) -> Formatted:
        """Both, one after the other."""
        moved = (Mark(one.type, one.offset + self.units, one.length, one.url, one.language) for one in other.marks)
        return Formatted(self.text + other.text, (*self.marks, *moved)[:MARKS_MAX])


@dataclass
class _Building:
    pieces: list[str] = field(default_factory=list)
    length: int = 0
    marks: list[Mark] = field(default_factory=list)

    def add(self, text: str) -> None:
        self.pieces.append(text)
        self.length += units(text)

    def mark(self, kind: str, since: int, url: str | None = None, language: str | None = None) -> None:
        if self.length > since:
            self.marks.append(Mark(kind, since, self.length - since, url, language))

    def done(self) -> Formatted:
        """Without white space around it, which Telegram cuts off, and without marks on nothing."""
        text = "".join(self.pieces)
        ahead = units(text) - units(text.lstrip())
        text = text.strip()
        whole, marks = units(text), list[Mark]()
        for one in sorted(self.marks, key=lambda one: (one.offset, -one.length)):
            start, end = max(0, one.offset - ahead), min(whole, one.offset + one.length - ahead)
            if end > start and len(marks) < MARKS_MAX:
                marks.append(Mark(one.type, start, end - start, one.url, one.language))
        return Formatted(text, tuple(marks))


def from_markdown(text: str) -> Formatted:
    """Markdown as people and models write it in chats: bold, italic, struck, code, links and headings are marked.

    Everything else stands exactly as written: a parser of whole documents would join lines and number lists anew.
    """
    building, at = _Building(), 0
    for fence in _FENCE.finditer(text):
        _inline(building, text[at : fence.start()])
        since, at = building.length, fence.end()
        building.add(fence[2])
        building.mark("pre", since, language=fence[1] or None)
    _inline(building, text[at:])
    return building.done()


def _inline(building: _Building, text: str) -> None:
    at = 0
    for found in _INLINE.finditer(text):
        building.add(text[at : found.start()])
        since, at = building.length, found.end()
        kind = found.lastgroup or ""
        if kind == "code":
            building.add(found["code"])
            building.mark("code", since)
        elif kind == "url" and linkable(found["url"]):
            building.add(found["label"])
            building.mark("text_link", since, found["url"])
        elif kind in _KINDS:
            _inline(building, found[kind])
            building.mark(_KINDS[kind], since)
        else:
            building.add(found[0])
    building.add(text[at:])


def from_html(html: str) -> Formatted:
    """What a reader sees of a page's text, with the marks that Telegram knows."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.building.done()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.building = _Building()
        self._open: list[tuple[str, int, str | None]] = []
        self._silent = 0
        self._pre = 0
        self._breaks = 0
        self._space = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
            self._silent += 1
        if tag == "br":
            self._breaks += 1
        if tag in _BLOCKS:
            self._break(tag)
        if tag == "pre":
            self._pre += 1
        if tag == "li":
            self.handle_data("• ")
        if tag == "img" and (alt := dict(attrs).get("alt")):
            self.handle_data(alt)
        if tag in _TAGS:
            self._write_breaks()
            self._open.append((tag, self.building.length, dict(attrs).get("href")))

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self._silent = max(0, self._silent - 1)
        if tag == "pre":
            self._pre = max(0, self._pre - 1)
        if tag in _TAGS:
            index = next((at for at in range(len(self._open) - 1, -1, -1) if self._open[at][0] == tag), None)
            if index is not None:
                _tag, since, url = self._open.pop(index)
                kind = _TAGS[tag]
                if kind != "text_link":
                    self.building.mark(kind, since)
                elif url and linkable(url):
                    self.building.mark(kind, since, url)
        if tag in _BLOCKS:
            self._break(tag)

    def handle_data(self, data: str) -> None:
        if self._silent:
            return
        if self._pre:
            self._write_breaks()
            self.building.add(data)
            return
        words = " ".join(data.split())
        if not words:
            self._space = self._space or bool(data)
            return
        ahead = (data[0].isspace() or self._space) and not self._breaks and self.building.length > 0
        self._write_breaks()
        self.building.add((" " if ahead and not self._ends_in_space() else "") + words)
        self._space = data[-1].isspace()
        if self._space:
            self.building.add(" ")
            self._space = False

    def _ends_in_space(self) -> bool:
        return bool(self.building.pieces) and self.building.pieces[-1][-1:].isspace()

    def _break(self, tag: str) -> None:
        self._breaks = max(self._breaks, 2 if tag in _PARAGRAPHS else 1)
        self._space = False

    def _write_breaks(self) -> None:
        if self._breaks and self.building.length:
            self.building.add("\n" * min(self._breaks, 2))
        self._breaks = 0


def cut(text: str, limit: int) -> str:
    """A label in at most `limit` units."""
    return text if units(text) <= limit else head(text, limit - 1).rstrip() + "…"
