"""The courteous frame round an answer, in the customer's language, as plain text and as HTML."""

from __future__ import annotations

import html as markup
import re
from collections.abc import Sequence
from dataclasses import dataclass

from core.i18n import language_name, right_to_left, text
from core.settings import settings


@dataclass(frozen=True, slots=True)
class Citation:
    """Where a statement comes from, exactly enough to find the same text again."""

    title: str
    url: str | None
    article_id: str
    key: str
    version: int
    locale: str
    quote: str


@dataclass(frozen=True, slots=True)
class Frame:
    """To whom and how it is said."""

    language: str | None
    first: bool
    """Whether it opens the conversation: then it greets, and says that an AI answers (EU AI Act, Art. 50)."""
    name: str | None = None
    brief: bool = False
    """As one chats: no greeting by name, no closing."""
    sources: bool = True
    """Whether the sources stand in the text; some channels show them by themselves."""
    room: int | None = None
    """Characters of quoted passages that the channel has room for; None: as many as are good to read."""
    live: bool = False
    """Said on the telephone, where the greeting has been heard and a key rings a person."""


@dataclass(frozen=True, slots=True)
class Written:
    text: str
    html: str


_ITEM = re.compile(r"^(\s*)(?:(•)|(\d{1,3})\.)\s+(.*)$")


def _block_html(block: str) -> str:
    """A block of plain text: lists by their marks, everything else a paragraph. All of it escaped."""
    out: list[str] = []
    kind = ""
    for line in block.split("\n"):
        item = _ITEM.match(line)
        wanted = "" if item is None else "ul" if item[2] else "ol"
        if item is None and kind and line.startswith("  "):
            out[-1] = out[-1].removesuffix("</li>") + "<br>" + markup.escape(line.strip()) + "</li>"
            continue
        if wanted != kind:
            if kind:
                out.append(f"</{kind}>")
            if wanted:
                start = f' start="{item[3]}"' if item and item[3] and item[3] != "1" else ""
                out.append(f"<{wanted}{start}>")
            kind = wanted
        out.append(f"<p>{markup.escape(line)}</p>" if item is None else f"<li>{markup.escape(item[4])}</li>")
    if kind:
        out.append(f"</{kind}>")
    return "".join(out)


def to_html(body: str) -> str:
    """Plain text with blank lines between blocks, as HTML that holds nothing but structure."""
    return "".join(_block_html(block) for block in re.split(r"\n{2,}", body.strip()) if block.strip())


def _wrap(blocks: Sequence[str], language: str | None) -> str:
    direction = "rtl" if right_to_left(language) else "ltr"
    return f'<div dir="{direction}" lang="{markup.escape(language or "en")}">{"".join(blocks)}</div>'


def _opening(frame: Frame) -> list[str]:
    if not frame.first or frame.live:
        return []
    name = (frame.name or "").strip()
    usable = 0 < len(name) <= 40 and not re.search(r"[\d@:/<>\n]", name)
    greeting = (
        text(frame.language, "reply.greeting_name", name=name) if usable else text(frame.language, "reply.greeting")
    )
    notice = text(frame.language, "reply.ai_notice", bot=settings().bot_name, company=settings().company)
    return [notice] if frame.brief else [greeting, notice]


def _ending(frame: Frame) -> list[str]:
    if not frame.first or frame.brief or frame.live:
        return []
    closing = text(frame.language, "reply.closing")
    return [f"{closing}\n{text(frame.language, 'reply.team', company=settings().company)}"]


def _sources(citations: Sequence[Citation], language: str | None) -> tuple[str, str]:
    title = text(language, "reply.sources", n=len(citations))
    lines = [f"• {c.title}: {c.url}" if c.url else f"• {c.title}" for c in citations]
    items = []
    for c in citations:
        name = markup.escape(c.title)
        items.append(f'<li><a href="{markup.escape(c.url)}">{name}</a></li>' if c.url else f"<li>{name}</li>")
    return "\n".join([title, *lines]), f"<p>{markup.escape(title)}</p><ul>{''.join(items)}</ul>"


def answer_frame(body: str, citations: Sequence[Citation], frame: Frame, *, lead_in: bool) -> Written:
    """An answer: greeting and notice where it opens the conversation, body, sources, the offer of a person.

    With `lead_in` a sentence introduces quoted passages, and says so where they are in another language.
    """
    before = _opening(frame)
    if lead_in and frame.room is None:
        foreign = {c.locale for c in citations if c.locale.split("-")[0] != (frame.language or "en").split("-")[0]}
        if foreign:
            name = language_name(sorted(foreign)[0], frame.language)
            before.append(text(frame.language, "reply.lead_in_translated", language=name))
        else:
            before.append(text(frame.language, "reply.lead_in"))
    after = [] if frame.room is not None else [text(frame.language, "reply.person_offer"), *_ending(frame)]
    sources_text, sources_html = _sources(citations, frame.language) if citations and frame.sources else ("", "")
    plain = "\n\n".join(part for part in (*before, body.strip(), sources_text, *after) if part.strip())
    body_html = to_html(body)
    foreign_locale = next((c.locale for c in citations if lead_in and c.locale != frame.language), None)
    if foreign_locale:
        direction = "rtl" if right_to_left(foreign_locale) else "ltr"
        body_html = f'<div dir="{direction}" lang="{markup.escape(foreign_locale)}">{body_html}</div>'
    rich = _wrap(
        [*map(to_html, before), body_html, sources_html, *map(to_html, after)],
        frame.language,
    )
    return Written(plain, rich)


def handoff_frame(message_id: str, frame: Frame) -> Written:
    """The note that a person will answer; it contains no answer."""
    parts = [*_opening(frame), text(frame.language, message_id), *_ending(frame)]
    parts = [part for part in parts if part.strip()]
    return Written("\n\n".join(parts), _wrap([to_html(part) for part in parts], frame.language))


def plain_frame(body: str, frame: Frame) -> Written:
    """One sentence of ours, such as a question back."""
    parts = [part for part in (*_opening(frame), body, *_ending(frame)) if part.strip()]
    return Written("\n\n".join(parts), _wrap([to_html(part) for part in parts], frame.language))
