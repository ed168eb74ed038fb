"""From what a customer wrote to what is looked for."""

from __future__ import annotations

import re
from dataclasses import dataclass

from core.knowledge.sentences import sentences

PARTS_MAX = 6
"""Most sentences that are looked for on their own."""

_QUOTE = re.compile(r"^\s*(>|\|)")
_ATTRIBUTION = re.compile(r"^\s*(-{2,}.*-{2,}|_{10,}|(On|Am|Le|El|Il|Em|Op|W dniu)\b.{8,120}:)\s*$", re.IGNORECASE)
_SIGNATURE = re.compile(
    r"^--\s?$|^\s*(sent from my|gesendet von meinem|envoyé de mon|enviado desde mi|inviato da)\b", re.IGNORECASE
)
_GREETING = re.compile(
    r"^\s*(?:(?:hi|hello|hey|hiya|dear|good (?:morning|afternoon|evening|day)|greetings|"
    r"hallo|guten (?:tag|morgen|abend)|moin|servus|gr(?:ü|ue)(?:ß|ss) gott|liebes?r?|sehr geehrtes?r?|"
    r"bonjour|bonsoir|salut|ch(?:er|ère)s?|madame|monsieur|hola|buen(?:os|as) (?:d[ií]as|tardes|noches)|estimad[oa]s?|"
    r"ol[áa]|bom dia|boa (?:tarde|noite)|prezad[oa]s?|ciao|salve|buon(?:giorno|asera)|gentil[ei]|"
    r"goede(?:morgen|middag|navond|ndag)|beste|geachte|dzień dobry|cześć|witam|szanowni|merhaba|selam|iyi (?:günler|akşamlar)|sayın|"
    r"здравствуйте|привет|добр(?:ый|ого|ое) (?:день|дня|утро|вечер)|уважаем\w+|"
    r"مرحبا|مرحباً|أهلا|أهلاً|السلام عليكم|صباح الخير|مساء الخير|नमस्ते|नमस्कार|"
    r"สวัสดี(?:ครับ|ค่ะ|คะ)?)(?=$|[\s,!.。،:;–])(?:[ \t]+(?:there|all|team|everyone|zusammen|à tous|a todos|[A-ZÀ-Ý][\w'’.-]+(?: [A-ZÀ-Ý][\w'’.-]+)?))?"
    r"|(?:こんにちは|こんばんは|おはようございます|お世話になって(?:おり)?ます|はじめまして|你好|您好|哈囉|哈喽|안녕하세요|안녕하십니까))"
    r"[\s,!.。、！，،:;–-]*",
    re.IGNORECASE,
)
_CLOSING = re.compile(
    r"^\s*(?:(?:many |thanks|thank you|thx|cheers|regards|(?:kind|best|warm) (?:regards|wishes)|sincerely|yours\b|"
    r"(?:vielen |besten |herzlichen )?dank|danke|(?:mit )?(?:freundlichen|besten|lieben|viele|liebe) gr(?:ü|ue)(?:ß|ss)en?|mfg|lg|"
    r"merci|cordialement|bien à vous|(?:muchas )?gracias|(?:un )?saludos?|atentamente|obrigad[oa]|atenciosamente|cumprimentos|"
    r"grazie|cordiali saluti|distinti saluti|(?:met vriendelijke )?groet(?:en|jes)?|bedankt|alvast bedankt|dank je|"
    r"dziękuję|z góry dziękuję|pozdrawiam|teşekkür\w*|saygılar\w*|спасибо|с уважением|заранее спасибо|"
    r"شكرا|شكراً|مع التحية|تحياتي|धन्यवाद|शुक्रिया|ขอบคุณ\w*)\b[^?]{0,60}"
    r"|(?:よろしくお願い(?:いた)?します|ありがとうございます|谢谢|謝謝|感謝|감사합니다|고맙습니다)[^?？]{0,20})[\s.!。！]*$",
    re.IGNORECASE,
)
_NAME = re.compile(r"^\s*[-–—]?\s*[^\W\d_][\w'’-]*\.?(?: [^\W\d_][\w'’-]*\.?){0,2}\s*$")
_ENDED = re.compile(r"[.!?؟…。！？]\s*$")
_ASKS = re.compile(r"[?？؟;;]\s*$|か[。.]?$|吗[。.]?$|呢[。.]?$|까[.]?$|나요[.]?$")


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for."""

    text: str
    """The message without greeting, quotes and sign-off; never empty where the message was not."""
    parts: tuple[str, ...]
    """Texts to be embedded: the whole, then its most telling sentences."""

    @property
    def empty(self) -> bool:
        return not any(c.isalnum() for c in self.text)


def strip(message: str) -> str:
    """The message without quoted lines, greeting, thanks, sign-off and signature."""
    lines: list[str] = []
    for line in message.replace("\r", "").split("\n"):
        if _SIGNATURE.search(line) or _ATTRIBUTION.match(line):
            break
        if not _QUOTE.match(line):
            lines.append(line)
    # A sign-off stands near the end, and what follows it is a name: short lines that ask nothing.
    for at in range(len(lines) - 1, max(-1, len(lines) - 7), -1):
        named = all(len(line) <= 50 and not _ASKS.search(line) for line in lines[at + 1 :])
        if named and _CLOSING.match(lines[at]) and any(line.strip() for line in lines[:at]):
            lines = lines[:at]
    text = _without_name("\n".join(lines).strip())
    for _ in range(2):
        rest = _GREETING.sub("", text, count=1)
        if rest == text:
            break
        text = rest.strip()
    kept = sentences(text)
    while len(kept) > 1 and _CLOSING.match(kept[-1]):
        kept.pop()
    return " ".join(kept)


def _without_name(text: str) -> str:
    """The text without a last line that is but a name: up to three words, set apart from a finished sentence."""
    before, _newline, last = text.rpartition("\n")
    finished = before.endswith("\n") or _ENDED.search(before)
    return before.strip() if before.strip() and finished and _NAME.match(last) else text


def greeting_only(message: str) -> bool:
    """Whether the message says hello or thanks and nothing else."""
    rest = strip(message)
    return not any(c.isalnum() for c in rest) or bool(_CLOSING.match(rest))


def prepare(message: str, subject: str | None = None) -> Query:
    """Cleans a message and picks what to embed: short ones whole, of long ones also their questions.

    The subject counts where it says more than the message.
    """
    text = strip(message)
    subject = re.sub(r"^\s*((re|fwd?|aw|wg|sv|rv|antw)\s*:\s*)+", "", subject or "", flags=re.IGNORECASE).strip()
    if subject and len(text) < 200 and subject.casefold() not in text.casefold():
        text = f"{subject}. {text}" if text else subject
    found = [sentence for sentence in sentences(text) if sum(c.isalnum() for c in sentence) >= 6]
    asking = [sentence for sentence in found if _ASKS.search(sentence)]
    telling = asking + [sentence for sentence in found if sentence not in asking]
    parts = [text[:600]] if text else []
    if len(found) > 1:
        parts += telling[: PARTS_MAX - 1]
    return Query(text, tuple(dict.fromkeys(parts)))
