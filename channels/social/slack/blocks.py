"""What we say, drawn in Block Kit: the text in sections, then sources and who answers, then a button for a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from channels.contract import Outbound, Rejected, Translate
from channels.social.slack import mrkdwn

SECTION_MAX = 3_000
"""Characters of one section: https://docs.slack.dev/reference/block-kit/blocks/section-block"""
BLOCKS_MAX = 50
TEXT_MAX = 40_000
"""Slack cuts off what is longer, without a word."""
_TOGETHER_MAX = 10_500
"""Characters in all blocks. Slack refuses somewhere above 11,000 (`msg_blocks_too_long`) and documents no figure."""
_BUTTON_MAX = 75
_MARK = "autocrm:"


@dataclass(frozen=True, slots=True)
class Drawing:
    """`text` is what notifications and screen readers say, and all there is where `blocks` is empty."""

    text: str
    blocks: list[dict[str, Any]]


def mark(key: str) -> str:
    """The block id by which a message of ours is found again: block ids come back with every message."""
    return f"{_MARK}{key}"


def draw(message: Outbound, say: Translate) -> Drawing:
    """Raises Rejected where it does not fit."""
    marked = mrkdwn.from_markdown(message.text)
    notes = _notes(message, say)
    if not marked.strip() and not notes:
        notes = [mrkdwn.escape(", ".join(one.filename for one in message.attachments))[:SECTION_MAX]]
    if len(marked) + sum(map(len, notes)) > _TOGETHER_MAX:
        text = "\n\n".join(filter(None, [marked, *notes]))
        if len(text) > TEXT_MAX or message.attachments:
            raise Rejected("the text is too long for Slack", code="msg_too_long")
        return Drawing(text, [])
    blocks: list[dict[str, Any]] = [
        {"type": "section", "expand": True, "text": {"type": "mrkdwn", "text": part, "verbatim": True}}
        for part in (mrkdwn.split(marked, SECTION_MAX) if marked.strip() else [])
    ]
    if notes:
        elements = [{"type": "mrkdwn", "text": one, "verbatim": True} for one in notes]
        blocks.append({"type": "context", "elements": elements})
    if message.automated and not message.to_person:
        label = say(message.language, "slack.person")[:_BUTTON_MAX]
        button = {
            "type": "button",
            "action_id": "person",
            "value": message.key,
            "text": {"type": "plain_text", "text": label},
        }
        blocks.append({"type": "actions", "elements": [button]})
    blocks[0]["block_id"] = mark(message.key)
    return Drawing(marked or notes[0], blocks)


def _notes(message: Outbound, say: Translate) -> list[str]:
    notes: list[str] = []
    if message.citations:
        line = mrkdwn.escape(say(message.language, "slack.sources"))
        for index, one in enumerate(message.citations):
            shown = mrkdwn.link(one.url, one.title) if one.url else mrkdwn.escape(one.title)
            if len(line) + len(shown) > SECTION_MAX - 10:
                break
            line += (" · " if index else " ") + shown
        notes.append(line)
    if message.automated:
        notes.append(mrkdwn.escape(say(message.language, "slack.automated")))
    elif message.author:
        notes.append(mrkdwn.escape(message.author)[:200])
    return notes
