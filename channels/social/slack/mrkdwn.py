"""Slack's own markup, read into plain text and written from Markdown. Pure text work, no network."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from pydantic import JsonValue

_TAG = re.compile(r"<([^<>\n]{1,3000})>")
_ENTITY = re.compile(r"&(amp|lt|gt);")
_ENTITIES = {"amp": "&", "lt": "<", "gt": ">"}

_CODE = re.compile(r"(```.{0,40000}?```|`[^`\n]{1,1000}`)", re.DOTALL)
_HEADING = re.compile(r"^#{1,6} {1,4}(\S[^\n]{0,300})$", re.MULTILINE)
_BOLD = re.compile(r"\*\*(?=\S)([^*\n]{1,1000}?)(?<=\S)\*\*")
_STRIKE = re.compile(r"~~(?=\S)([^~\n]{1,1000}?)(?<=\S)~~")
_LINK = re.compile(r"\[([^\[\]\n]{1,300})\]\((https?://[^\s()<>|]{1,2000})\)|(https?://[^\s<>|]{1,2000})")
_TRAILING = ".,;:!?)'\"*_~"


def plain(text: str) -> str:
    """What a reader sees of a message's text: mentions and links resolved, entities decoded, emoji codes kept.

    https://docs.slack.dev/messaging/formatting-message-text/
    """
    return _unescape(_TAG.sub(lambda found: _tag(found[1]), text))


def without_mention(text: str, user: str | None) -> str:
    """The text without the mention of `user` that it begins with."""
    return re.sub(rf"^\s*<@{re.escape(user)}(\|[^>]*)?>[\s,:]*", "", text) if user else text


def mentions(text: str) -> list[str]:
    """The ids of the users whom a text mentions, each once."""
    return list(dict.fromkeys(re.findall(r"<@([UW][A-Z0-9]{2,})(?:\|[^>]*)?>", text)))


def escape(text: str) -> str:
    """So that no character of `text` is markup that addresses people or makes links."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def link(url: str, label: str) -> str:
    """A link of Slack's. Characters that would end it are encoded."""
    safe = escape(url).replace("|", "%7C").replace(" ", "%20")
    return f"<{safe}|{escape(label).replace('|', '/')}>" if label else f"<{safe}>"


def from_markdown(text: str) -> str:
    """Markdown in Slack's markup: headings, bold, strike-through, links. Code stays; everything else stands as written."""
    pieces = _CODE.split(text)
    return "".join(escape(one) if index % 2 else _prose(one) for index, one in enumerate(pieces))


def split(text: str, limit: int) -> list[str]:
    """Markup in parts of at most `limit` characters, cut at line ends, else spaces; no tag and no entity is cut.

    Joined they are the text again.
    """
    parts: list[str] = []
    while len(text) > limit:
        cut = text.rfind("\n", limit // 3, limit) + 1 or text.rfind(" ", limit // 3, limit) + 1 or limit
        for opening, closing, longest in (("<", ">", 3000), ("&", ";", 5)):
            begun = text.rfind(opening, max(0, cut - longest), cut)
            if begun > 0 and text.find(closing, begun, begun + longest) >= cut:
                cut = begun
        parts.append(text[:cut])
        text = text[cut:]
    return [*parts, text] if text else parts


def from_blocks(blocks: Sequence[Mapping[str, JsonValue]]) -> str:
    """The text in Block Kit blocks, in Slack's markup, for messages that carry no text beside them."""
    return "\n".join(filter(None, ("".join(_block(one)) for one in blocks)))


def _tag(inside: str) -> str:
    target, _bar, label = inside.partition("|")
    match target[:1]:
        case "@" | "#":
            return target[0] + (label.lstrip("@#") or target[1:])
        case "!":
            if target.startswith("!date^"):
                return label
            name = target[1:].partition("^")[0]
            return label if label.startswith("@") else f"@{label or name}"
    shown = target.removeprefix("mailto:").removeprefix("tel:")
    if not label or label in (target, shown):
        return shown
    if re.sub(r"^https?://|/$", "", target) == label.rstrip("/"):
        return label
    return f"{label} ({shown})"


def _unescape(text: str) -> str:
    return _ENTITY.sub(lambda found: _ENTITIES[found[1]], text)


def _prose(text: str) -> str:
    out: list[str] = []
    end = 0
    for found in _LINK.finditer(text):
        out.append(_marks(text[end : found.start()]))
        if found[1]:
            out.append(link(found[2], found[1]))
        else:
            url = found[3].rstrip(_TRAILING)
            out.append(link(url, "") + escape(found[3][len(url) :]))
        end = found.end()
    out.append(_marks(text[end:]))
    return "".join(out)


def _marks(text: str) -> str:
    text = _HEADING.sub(lambda found: f"*{found[1].strip('*# ')}*", escape(text))
    return _STRIKE.sub(r"~\1~", _BOLD.sub(r"*\1*", text))


def _block(node: JsonValue | Mapping[str, JsonValue]) -> Iterator[str]:
    if isinstance(node, list):
        for one in node:
            yield from _block(one)
        return
    if not isinstance(node, Mapping):
        return
    kind = str(node.get("type", ""))
    if kind in _LEAVES:
        yield _LEAVES[kind](node)
    elif kind == "rich_text_list":
        elements = node.get("elements")
        for one in elements if isinstance(elements, list) else []:
            yield f"\n• {''.join(_block(one))}"
        yield "\n"
    else:
        for part in ("text", "elements", "fields"):
            yield from _block(node.get(part))


def _field(name: str, before: str = "", after: str = "") -> Callable[[Mapping[str, JsonValue]], str]:
    return lambda node: f"{before}{escape(str(node.get(name) or ''))}{after}"


_LEAVES: Mapping[str, Callable[[Mapping[str, JsonValue]], str]] = {
    "text": _field("text"),
    "plain_text": _field("text"),
    "mrkdwn": lambda node: str(node.get("text") or ""),
    "link": lambda node: link(str(node.get("url") or ""), str(node.get("text") or "")),
    "user": _field("user_id", "<@", ">"),
    "channel": _field("channel_id", "<#", ">"),
    "usergroup": _field("usergroup_id", "<!subteam^", ">"),
    "broadcast": _field("range", "<!", ">"),
    "emoji": _field("name", ":", ":"),
    "date": _field("fallback"),
    "image": _field("alt_text"),
}
"""https://docs.slack.dev/reference/block-kit/blocks/rich-text-block, and the texts of other blocks."""
