"""HTML of strangers: made safe to show, and read as text."""

from __future__ import annotations

import html
import re

import nh3
from selectolax.lexbor import LexborHTMLParser, LexborNode

_TAGS = {
    *[
        "a",
        "abbr",
        "address",
        "article",
        "b",
        "bdi",
        "bdo",
        "big",
        "blockquote",
        "br",
        "caption",
        "center",
        "cite",
        "code",
        "col",
        "colgroup",
        "dd",
        "del",
        "details",
        "dfn",
        "div",
        "dl",
        "dt",
        "em",
    ],
    *[
        "figcaption",
        "figure",
        "font",
        "footer",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "i",
        "img",
        "ins",
        "kbd",
        "li",
        "main",
        "mark",
        "ol",
        "p",
        "pre",
        "q",
        "s",
        "samp",
        "section",
        "small",
    ],
    *[
        "span",
        "strike",
        "strong",
        "sub",
        "summary",
        "sup",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "time",
        "tr",
        "tt",
        "u",
        "ul",
        "var",
        "wbr",
    ],
}
_COMMON = {"dir", "lang", "title", "align", "style"}
_ATTRIBUTES = {
    "*": _COMMON,
    "a": {"href", "name"},
    "img": {"src", "alt", "width", "height", "data-remote-src"},
    "font": {"color", "face", "size"},
    "table": {"width", "border", "cellpadding", "cellspacing", "bgcolor", "summary"},
    "td": {"width", "height", "colspan", "rowspan", "valign", "bgcolor"},
    "th": {"width", "height", "colspan", "rowspan", "valign", "bgcolor", "scope"},
    "tr": {"valign", "bgcolor"},
    "col": {"span", "width"},
    "colgroup": {"span", "width"},
    "ol": {"start", "type"},
    "li": {"value"},
    "blockquote": {"cite", "type"},
    "time": {"datetime"},
}
_STYLES = {
    *[
        "color",
        "background-color",
        "font-family",
        "font-size",
        "font-style",
        "font-weight",
        "text-align",
        "text-decoration",
        "vertical-align",
    ],
    *[
        "white-space",
        "line-height",
        "width",
        "max-width",
        "height",
        "margin",
        "margin-left",
        "margin-right",
        "margin-top",
        "margin-bottom",
    ],
    *[
        "padding",
        "padding-left",
        "padding-right",
        "padding-top",
        "padding-bottom",
        "border",
        "border-left",
        "border-right",
        "border-top",
    ],
    *[
        "border-bottom",
        "border-color",
        "border-style",
        "border-width",
        "border-collapse",
        "direction",
        "list-style-type",
        "text-indent",
    ],
}
_DATA_IMAGE = re.compile(r"data:image/(?:png|gif|jpe?g|webp);base64,[A-Za-z0-9+/=\s]*\Z", re.IGNORECASE)
_REMOTE = re.compile(r"(?:https?:)?//\S+\Z", re.IGNORECASE)
_BLOCKS = frozenset(
    [
        "address",
        "article",
        "blockquote",
        "center",
        "dd",
        "div",
        "dl",
        "dt",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "li",
        "main",
        "ol",
        "p",
        "pre",
        "section",
        "table",
        "tr",
        "ul",
    ]
)
_SPACED = frozenset(["blockquote", "dl", "h1", "h2", "h3", "h4", "h5", "h6", "ol", "p", "pre", "table", "ul"])
_SILENT = frozenset(
    [
        "head",
        "script",
        "style",
        "template",
        "title",
        "noscript",
        "iframe",
        "object",
        "svg",
        "math",
        "select",
        "textarea",
    ]
)
_DEPTH_MAX = 200


def _attribute(tag: str, name: str, value: str) -> str | None:
    lowered = "".join(value.split()).lower()
    if name == "src":
        return value if lowered.startswith("cid:") or _DATA_IMAGE.match(value) else None
    if name == "data-remote-src":
        return value if _REMOTE.match(value) else None
    if name in {"href", "cite"}:
        return value if lowered.startswith(("http:", "https:", "mailto:", "tel:", "#")) else None
    if name == "style":
        return None if "url(" in lowered or "expression(" in lowered or "\\" in lowered else value
    return value


_CLEANER = nh3.Cleaner(
    tags=_TAGS,
    clean_content_tags={"script", "style", "title", "iframe", "object", "template", "noscript", "svg", "math"},
    attributes=_ATTRIBUTES,
    attribute_filter=_attribute,
    strip_comments=True,
    link_rel="noopener noreferrer nofollow",
    url_schemes={"http", "https", "mailto", "tel", "cid", "data"},
    filter_style_properties=_STYLES,
    set_tag_attribute_values={"a": {"target": "_blank"}},
)


def sanitise(source: str) -> str:
    """Safe HTML: no script, form or style sheet, nothing that loads from afar.

    A remote picture keeps its address in `data-remote-src`, so that a reader may ask for it; `cid:` stays.
    """
    tree = LexborHTMLParser(source)
    for image in tree.css("img"):
        address = (image.attributes.get("src") or "").strip()
        if "data-remote-src" in image.attrs:
            del image.attrs["data-remote-src"]
        if _REMOTE.match(address):
            image.attrs["data-remote-src"] = address if not address.startswith("//") else f"https:{address}"
            del image.attrs["src"]
    body = tree.body
    inner = body.inner_html if body is not None else None
    return _CLEANER.clean(inner or "").strip()


def to_text(source: str) -> str:
    """The text a reader would see: blocks on their own lines, `>` before quotes, links' targets left out."""
    tree = LexborHTMLParser(source)
    root = tree.body
    if root is None:
        return ""
    writer = _Writer()
    writer.walk(root)
    return writer.text()


class _Writer:
    """Collects lines from a tree without recursion, so that no depth of nesting can break it."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._current: list[str] = []
        self._blank = False
        self._quote = 0
        self._pre = 0

    def walk(self, root: LexborNode) -> None:
        stack: list[tuple[LexborNode, bool]] = [(root, False)]
        while stack:
            node, leaving = stack.pop()
            tag = node.tag or ""
            if leaving:
                self._leave(tag)
                continue
            if tag == "-text":
                self._text(node.text_content or "")
                continue
            if tag in _SILENT or tag.startswith(("-", "_")):
                continue
            self._enter(tag, node)
            stack.append((node, True))
            child = node.last_child
            while child is not None:
                stack.append((child, False))
                child = child.prev

    def _enter(self, tag: str, node: LexborNode) -> None:
        if tag in _BLOCKS:
            self._break()
            self._blank = self._blank or (tag in _SPACED and bool(self._lines))
        if tag == "br":
            self._break(force=True)
        elif tag == "li":
            self._current.append("- ")
        elif tag == "img" and node.attributes.get("alt"):
            self._current.append(f"[{' '.join((node.attributes['alt'] or '').split())}]")
        elif tag in {"td", "th"} and self._current:
            self._current.append(" ")
        elif tag == "blockquote":
            self._quote += 1
        elif tag == "pre":
            self._pre += 1

    def _leave(self, tag: str) -> None:
        if tag in _BLOCKS:
            self._break()
            self._blank = self._blank or tag in _SPACED
        if tag == "blockquote":
            self._quote -= 1
        elif tag == "pre":
            self._pre -= 1

    def _text(self, text: str) -> None:
        if self._pre:
            first, *rest = text.replace("\r\n", "\n").split("\n")
            self._current.append(first)
            for line in rest:
                self._break(force=True)
                self._current.append(line)
        elif collapsed := re.sub(r"[ \t\r\n\f]+", " ", text):
            self._current.append(collapsed)

    def _break(self, *, force: bool = False) -> None:
        line = "".join(self._current)
        line = line.rstrip() if self._pre else re.sub(r" {2,}", " ", line).strip(" ")
        self._current = []
        if not line and not force:
            return
        mark = ("> " * min(self._quote, 20)) if self._quote else ""
        if self._blank and self._lines:
            self._lines.append(mark.rstrip() if self._lines[-1].startswith(">") else "")
        self._blank = False
        self._lines.append((mark + line).rstrip())

    def text(self) -> str:
        self._break()
        return re.sub(r"\n{3,}", "\n\n", "\n".join(self._lines).replace("\xa0", " ")).strip()


def from_text(text: str) -> str:
    """Plain text as HTML, with its line breaks; safe by escaping."""
    paragraphs = re.split(r"\n[ \t]*\n", text.strip())
    return "\n".join(f"<p>{html.escape(one).replace(chr(10), '<br>')}</p>" for one in paragraphs)
