"""Text made fit to be heard: no markup, no addresses, only what XML can carry."""

from __future__ import annotations

import re

_URL = re.compile(r"<?\b(?:https?://|www\.)[^\s<>\"'()\[\]]*[^\s<>\"'()\[\].,;:!?]>?", re.IGNORECASE)
_LINK = re.compile(r"!?\[([^\]\n]*)\]\([^)\n]*\)")
_FENCE = re.compile(r"^\s*(?:```|~~~).*$", re.MULTILINE)
_HEADING = re.compile(r"^\s{0,3}#{1,6}\s+(.*?)\s*#*\s*$", re.MULTILINE)
_RULE = re.compile(r"^\s*(?:[-*_]\s*){3,}$", re.MULTILINE)
_BULLET = re.compile(r"^\s*(?:[-*+•]|>)\s+", re.MULTILINE)
_EMPHASIS = re.compile(r"(\*\*|__|~~|`)(\S(?:.*?\S)?)\1", re.DOTALL)
_STAR = re.compile(r"(?<![\w*])\*(\S(?:[^*\n]*?\S)?)\*(?![\w*])")
_HOLLOW = re.compile(r"[(\[（【]\s*[)\]）】]")
_UNSPEAKABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff\ud800-\udfff]")
_ENDS = ".!?…。！？؟:;,，、：；\u0e2f"
_SPACE_BEFORE_STOP = re.compile(r"[ \t]+([.,;!?。，！？])")
_COLON_AT_END = re.compile(r"[:：]\s*$", re.MULTILINE)


def speakable(text: str) -> str:
    """Plain text or light Markdown as one paragraph of speech.

    Links become their titles, bare addresses are left out, lines become sentences. What has none of these
    comes back unchanged.
    """
    text = _UNSPEAKABLE.sub("", text)
    text = _FENCE.sub("", _RULE.sub("", text))
    text = _LINK.sub(r"\1", text)
    without = _URL.sub("", text)
    if without != text:
        without = _COLON_AT_END.sub(".", _HOLLOW.sub("", without))
        text = _SPACE_BEFORE_STOP.sub(r"\1", without)
    text = _BULLET.sub("", _HEADING.sub(r"\1", text))
    text = _STAR.sub(r"\1", _EMPHASIS.sub(r"\2", text))
    lines = [" ".join(line.split()) for line in text.splitlines()]
    spoken = [line for line in lines if line.strip(" .,;:-–—")]
    return " ".join([*(_sentence(line) for line in spoken[:-1]), *spoken[-1:]])


def _sentence(line: str) -> str:
    return line if line[-1] in _ENDS else f"{line}."
