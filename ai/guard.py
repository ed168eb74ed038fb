"""What may go in to a model, and what may come out of it. Code, not prompt.

In: customers' text and articles are fenced and marked as data. Out: links only where a cited source has
them, no images, no markup, no invisible signs, no sentence whose figures no source knows.
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

LENGTH_MAX = 4000
"""Characters of an answer; a longer one is a defect, not an answer."""

_EMOJI = "\U0001f000-\U0001faff\u2190-\u21ff\u2300-\u27bf\u2b00-\u2bff\u3030\u303d\u3297\u3299#*0-9\u00a9\u00ae"
_JOINED = re.compile(rf"(?<=[{_EMOJI}\ufe0f\U0001f3fb-\U0001f3ff])\u200d(?=[{_EMOJI}])")
_JOINING_SCRIPTS = (("\u0600", "\u08ff"), ("\u0900", "\u0dff"), ("\u0700", "\u07ff"), ("\u1780", "\u18af"))
"""Where ZWJ and ZWNJ are spelling: Arabic script, the scripts of India and Sri Lanka, Syriac, N'Ko, Khmer, Mongolian."""
_MARKS = "\u200e\u200f\u061c"
_URL = re.compile(
    r"(?:(?:https?|ftps?|file|data|javascript|mailto|tel|sms)\s*:\s*(?://)?|//|www\.)[^\s<>\"'`\]）」】]+"
    r"|(?<![\w@./-])(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+(?:[a-z]{2,24})(?:/[^\s<>\"'`\])]*)?(?![\w-])",
    re.IGNORECASE,
)
_TLD = re.compile(
    r"\.(?:com|net|org|info|biz|io|ai|app|dev|co|me|shop|store|online|site|xyz|top|club|link|click|live|"
    r"eu|uk|de|fr|es|it|nl|pl|pt|ru|jp|cn|kr|tr|th|in|br|us|ca|au|ch|at|be|se|no|dk|fi|cz|ro|gr|hu|ie|mx|ar|ae|sa|eg|"
    r"tw|hk|sg|my|id|vn|ua|il|za|ng|nz|cl|pe|test|example|invalid|local)$",
    re.IGNORECASE,
)
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_IMAGE = re.compile(r"!\[[^\]]*\](?:\([^)]*\)|\[[^\]]*\])|!\[[^\]]*\]")
_LINK = re.compile(r"\[([^\]\n]{0,300})\]\(\s*<?([^)\s>]*)>?[^)]*\)")
_REFERENCE = re.compile(r"^\s{0,3}\[[^\]]+\]:\s*\S+.*$", re.MULTILINE)
_TAG = re.compile(r"<(?:/?[a-zA-Z!?][^>]{0,2000}>|!--.*?-->)", re.DOTALL)
_TRAIL = ".,;:!?…。、，；：！？)]}»”’'\"*_"


def visible(text: str) -> str:
    """The text without signs that nobody sees: tags, selectors, bidirectional controls, zero-width spaces.

    Joiners stay inside emoji and between letters of scripts that spell with them; direction marks stay
    where there is right-to-left text.
    """
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    right_to_left = any(unicodedata.bidirectional(c) in ("R", "AL") for c in text)
    kept = {match.start() for match in _JOINED.finditer(text)}
    out = []
    for at, c in enumerate(text):
        if c in "\n\t":
            out.append(c)
        elif c in "\u200c\u200d":
            before = text[at - 1] if at else ""
            if at in kept or any(low <= before <= high for low, high in _JOINING_SCRIPTS):
                out.append(c)
        elif c in _MARKS:
            if right_to_left:
                out.append(c)
        elif c == "\ufe0f":
            if at and re.match(f"[{_EMOJI}]", text[at - 1]):
                out.append(c)
        elif (
            "\ufe00" <= c <= "\ufe0e"
            or "\U000e0100" <= c <= "\U000e01ef"
            or unicodedata.category(c) in ("Cf", "Cc", "Co", "Cn", "Cs")
            or c in "\u115f\u1160\u3164\uffa0\u2800\u034f"
        ):
            continue
        elif c in "\u2028\u2029":
            out.append("\n")
        else:
            out.append(c)
    return "".join(out)


def _address(url: str) -> str:
    """What two spellings of one address have in common; empty where it is no web address."""
    full = url if "://" in url else f"https://{url.lstrip('/')}"
    try:
        parts = urlsplit(full)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return ""
    if parts.scheme not in ("https", "http") or not host or parts.username or port not in (None, 80, 443):
        return ""
    path = parts.path.rstrip("/") + (f"?{parts.query}" if parts.query else "")
    return f"{host.removeprefix('www.')}{path}"


def _found_urls(text: str) -> list[tuple[int, int, str]]:
    """Start, end and spelling of everything that a client could turn into a link."""
    mails = [match.span() for match in _EMAIL.finditer(text)]
    found = []
    for match in _URL.finditer(text):
        url = match.group().rstrip(_TRAIL)
        bare = not re.match(r"(?:[a-z]+\s*:|//|www\.)", url, re.IGNORECASE)
        if bare and (not _TLD.search(url.split("/")[0]) or any(a <= match.start() < b for a, b in mails)):
            continue
        found.append((match.start(), match.start() + len(url), url))
    return found


def addresses(text: str) -> set[str]:
    """The web addresses and e-mail addresses that stand in a text, spelt alike."""
    return ({_address(url) for _, _, url in _found_urls(text)} | {m.lower() for m in _EMAIL.findall(text)}) - {""}


@dataclass(frozen=True, slots=True)
class Cleaned:
    text: str
    removed: tuple[str, ...]
    """What was taken out, by kind: `image`, `link`, `markup`, `invisible`."""


def clean_output(text: str, *, allowed: Iterable[str]) -> Cleaned:
    """A model's text as plain text fit for a customer.

    `allowed` are texts and addresses of the cited sources; whatever address does not stand in them goes,
    and with it the sentence's line where nothing else is left. Markdown links become their words.
    """
    known: set[str] = set()
    for source in allowed:
        known |= addresses(source)
    removed: list[str] = []
    plain = visible(text)
    if plain != unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n")):
        removed.append("invisible")
    for pattern, kind in ((_IMAGE, "image"), (_REFERENCE, "link"), (_TAG, "markup")):
        plain, count = pattern.subn("", plain)
        removed += [kind] * bool(count)

    def words_of(match: re.Match[str]) -> str:
        if _address(match[2]) in known:
            return match[1] if match[1].strip() == match[2].strip() else f"{match[1]} ({match[2]})"
        removed.append("link")
        return match[1]

    plain = _LINK.sub(words_of, plain)
    for start, end, url in reversed(_found_urls(plain)):
        if _address(url) not in known:
            removed.append("link")
            plain = plain[:start] + plain[end:]
    for match in reversed(list(_EMAIL.finditer(plain))):
        if match.group().lower() not in known:
            removed.append("link")
            plain = plain[: match.start()] + plain[match.end() :]
    plain = re.sub(r"^(\s*)[*+-]\s+", r"\1• ", plain, flags=re.MULTILINE)
    plain = re.sub(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1", r"\2", plain)
    plain = re.sub(r"^#{1,6}\s+", "", plain, flags=re.MULTILINE)
    plain = plain.replace("```", "")
    plain = re.sub(r"\(\s*\)|\[\s*\]|<\s*>", "", plain)
    plain = re.sub(r"[ \t]+", " ", plain)
    plain = re.sub(r" ?\n ?", "\n", plain)
    return Cleaned(re.sub(r"\n{3,}", "\n\n", plain).strip(), tuple(dict.fromkeys(removed)))


def fence(label: str, content: str) -> str:
    """`content` as data for a model, between marks that it cannot forge because it cannot know them."""
    mark = secrets.token_hex(6)
    return f"<<<{label} {mark}\n{visible(content).strip()}\n{mark} {label}>>>"


_NUMBER = re.compile(r"\d+(?:[.,:/\u00a0\u202f ]\d+)*")


def figures(text: str) -> set[str]:
    """The numbers of a text, spelt alike in every script and with every separator."""
    plain = "".join(str(unicodedata.digit(c)) if unicodedata.category(c) == "Nd" else c for c in text)
    return {re.sub(r"\D", "", number).lstrip("0") or "0" for number in _NUMBER.findall(plain)}


_ORDERS = re.compile(
    r"\b(?:ignore|disregard|forget|override)\b.{0,40}\b(?:previous|prior|above|earlier|all|your|the)\b.{0,30}"
    r"\b(?:instructions?|prompts?|rules?|guidelines?|directions?)\b"
    r"|\b(?:reveal|show|print|repeat|output|tell me)\b.{0,30}\b(?:system prompt|your (?:prompt|instructions|rules))\b"
    r"|\byou are (?:now|no longer)\b.{0,60}\b(?:assistant|ai|bot|model|mode|dan|unrestricted|jailbroken)\b"
    r"|\b(?:ignorier|vergiss|missachte)\w*\b.{0,40}\b(?:anweisung|vorgabe|regel|instruktion)\w*"
    r"|\b(?:ignor|oubli)\w+\b.{0,40}\b(?:instructions|consignes|règles)\b"
    r"|\b(?:ignora|olvida|esquece|esqueça|dimentica|ignore)\w*\b.{0,40}\b(?:instrucciones|instruções|istruzioni|reglas|regras|regole)\b"
    r"|忽略.{0,12}(?:指令|指示|说明|提示|規則|规则)|(?:指示|命令|プロンプト).{0,8}(?:無視|忘れ)|игнорир\w+.{0,30}(?:инструкц|правил)\w+"
    r"|تجاهل.{0,20}(?:التعليمات|الاوامر|الأوامر)|(?:지시|명령|규칙).{0,8}무시|(?:talimat|komut|kural)\w*.{0,20}(?:yok say|unut|görmezden)",
    re.IGNORECASE | re.DOTALL,
)


def gives_orders(text: str) -> bool:
    """Whether a message speaks to the machine that reads it rather than to the company."""
    return bool(_ORDERS.search(visible(text)))
