"""Cutting an article into passages that can stand alone as an answer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from markdown_it import MarkdownIt
from markdown_it.token import Token

from core.knowledge.sentences import sentences

SMALL = 350
"""Characters up to which further blocks join a passage."""
LARGE = 700
"""Characters past which a passage is cut, unless it is one list."""
LARGEST = 1400
"""Characters past which even a list is cut."""

BULLET = "• "


@dataclass(frozen=True, slots=True)
class Piece:
    """One passage: plain text, its blocks parted by an empty line, list items by a line end.

    Headings of further sections in it stand as lines of their own.
    """

    heading: str
    """The headings above its beginning, outermost first, joined by ` › `; empty before the first one."""
    text: str


class _Kind(StrEnum):
    PROSE = "prose"
    LIST = "list"


@dataclass(slots=True)
class _Block:
    kind: _Kind
    text: str


_markdown = MarkdownIt("commonmark", {"html": False}).enable("table")


def _inline(token: Token) -> str:
    out = []
    for child in token.children or []:
        if child.type in ("text", "code_inline"):
            out.append(child.content)
        elif child.type == "softbreak":
            out.append(" ")
        elif child.type == "hardbreak":
            out.append("\n")
        elif child.type == "image":
            out.append(child.content)
    return "".join(out).strip()


class _Reader:
    """Walks the tokens once and collects blocks per section."""

    def __init__(self) -> None:
        self.sections: list[tuple[str, list[_Block]]] = [("", [])]
        self._headings: list[tuple[int, str]] = []

    def read(self, body: str) -> None:
        tokens = _markdown.parse(body)
        at = 0
        while at < len(tokens):
            token = tokens[at]
            if token.type == "heading_open":
                self._heading(int(token.tag[1]), _inline(tokens[at + 1]))
                at += 3
            elif token.type in ("bullet_list_open", "ordered_list_open"):
                end = self._closing(tokens, at)
                self._add(_Kind.LIST, "\n".join(self._items(tokens[at : end + 1])))
                at = end + 1
            elif token.type == "table_open":
                end = self._closing(tokens, at)
                self._add(_Kind.LIST, "\n".join(self._rows(tokens[at : end + 1])))
                at = end + 1
            else:
                if token.type == "inline":
                    self._add(_Kind.PROSE, _inline(token))
                elif token.type in ("fence", "code_block"):
                    self._add(_Kind.PROSE, token.content.rstrip())
                at += 1

    def _heading(self, level: int, title: str) -> None:
        self._headings = [(depth, name) for depth, name in self._headings if depth < level] + [(level, title)]
        self.sections.append((" › ".join(name for _, name in self._headings), []))

    def _add(self, kind: _Kind, text: str) -> None:
        if text.strip():
            self.sections[-1][1].append(_Block(kind, text))

    @staticmethod
    def _closing(tokens: list[Token], start: int) -> int:
        depth = 0
        for at in range(start, len(tokens)):
            depth += tokens[at].nesting
            if depth == 0:
                return at
        return len(tokens) - 1

    @staticmethod
    def _items(tokens: list[Token]) -> list[str]:
        lines: list[str] = []
        counters: list[int | None] = []
        fresh = False
        for token in tokens:
            if token.type == "ordered_list_open":
                counters.append(int(token.attrGet("start") or 1))
            elif token.type == "bullet_list_open":
                counters.append(None)
            elif token.type in ("ordered_list_close", "bullet_list_close"):
                counters.pop()
            elif token.type == "list_item_open":
                fresh = True
            elif token.type == "inline" or token.type in ("fence", "code_block"):
                content = _inline(token) if token.type == "inline" else token.content.rstrip()
                indent = "  " * (len(counters) - 1)
                if fresh:
                    number = counters[-1]
                    lines.append(indent + (BULLET if number is None else f"{number}. ") + content)
                    if number is not None:
                        counters[-1] = number + 1
                    fresh = False
                else:
                    lines.append(indent + "  " + content)
        return lines

    @staticmethod
    def _rows(tokens: list[Token]) -> list[str]:
        rows: list[list[str]] = []
        for token in tokens:
            if token.type == "tr_open":
                rows.append([])
            elif token.type == "inline" and rows:
                rows[-1].append(_inline(token))
        if len(rows) < 2:
            return [BULLET + " – ".join(row) for row in rows]
        head = rows[0]
        lines = []
        for first, *cells in (row for row in rows[1:] if row):
            named = [f"{name}: {cell}" if name else cell for name, cell in zip(head[1:], cells, strict=False)]
            lines.append(BULLET + "; ".join([first, *named]))
        return lines


def _cut(block: _Block) -> list[str]:
    """A block that is too long, in parts of at most about `LARGE` characters."""
    if len(block.text) <= (LARGEST if block.kind is _Kind.LIST else LARGE):
        return [block.text]
    units = block.text.split("\n") if block.kind is _Kind.LIST else sentences(block.text)
    glue = "\n" if block.kind is _Kind.LIST else " "
    parts: list[str] = []
    for whole in units:
        unit = whole
        while len(unit) > LARGEST:
            space = unit.rfind(" ", 0, LARGE)
            edge = space if space > 0 else LARGE
            parts.append(unit[:edge])
            unit = unit[edge:].lstrip()
        if parts and len(parts[-1]) + len(unit) < LARGE:
            parts[-1] += glue + unit
        else:
            parts.append(unit)
    return parts


def _as_line(heading: str) -> str:
    """A heading inside a passage: a line of its own that leads to what follows."""
    return heading if heading[-1:] in "?!:？！：؟.。…" else f"{heading}:"


def chunk(body: str) -> list[Piece]:
    """The passages of a Markdown text, in order. HTML in it is shown as text, images as their description.

    Short neighbouring sections share a passage: alone they would be too little to be found by, or to answer with.
    """
    reader = _Reader()
    reader.read(body)
    pieces: list[Piece] = []
    for heading, blocks in reader.sections:
        passages = _passages(blocks)
        if not passages:
            continue
        last = pieces[-1] if pieces else None
        line = _as_line(heading.rpartition(" › ")[2]) if heading else ""
        if last is not None and len(last.text) + len(line) + len(passages[0]) <= LARGE:
            joined = "\n\n".join(part for part in (last.text, line, passages.pop(0)) if part)
            pieces[-1] = Piece(last.heading, joined)
        pieces += [Piece(heading, passage) for passage in passages]
    return pieces


def _passages(blocks: list[_Block]) -> list[str]:
    """The blocks of one section, joined up to a good size; a list stays with the sentence that leads to it."""
    found: list[str] = []
    current = ""
    for block in blocks:
        for part in _cut(block):
            follows = block.kind is _Kind.LIST and len(current) + len(part) <= LARGEST
            if current and not follows and (len(current) >= SMALL or len(current) + len(part) > LARGE):
                found.append(current)
                current = ""
            current = f"{current}\n\n{part}" if current else part
    return [*found, current] if current else found
