"""The newest words of a mail apart from the quote and the signature below. Folded, never deleted.

Works line by line with anchored patterns on short spans, so that hostile text costs no more than its length;
libraries for this match whole bodies with nested repetition, which a stranger can make run for hours.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_ATTRIBUTION_LINES = 4
_ATTRIBUTION_CHARS = 500
_SIGNATURE_LINES = 25

_WROTE = re.compile(
    r"\b(?:wrote|writes|schrieb|schreibt|geschrieben|a écrit|écrit|escribió|escribio|ha scritto|scritto|escreveu|schreef|geschreven"
    r"|napisał|napisała|napisał\(a\)|pisze|написал|написала|написав|пишет|пише|skrev|kirjoitti|írta|napsal|napsala|napísal|yazdı"
    r"|έγραψε|a scris|je napisao|đã viết|menulis|a écrit|va escriure|parašė|rakstīja|kirjutas)(?!\w)"
    r"|写道|寫道|書きました|のメール|님이 작성|작성:|כתב|كتب|ने लिखा|เขียน",
    re.IGNORECASE,
)
_INTRO = re.compile(
    r"(?:On|Am|Le|El|Il|Em|Op|Dnia|W dniu|Den|På|Dne|Dňa|Em|La|Pe|Στις|Vào|Pada|Il giorno|Em|Dana|В|A|Il|Le)\s"
    r"|\d{1,4}[./年-]\s?\d{1,2}|\d{4}-\d\d|(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun|Mo|Di|Mi|Do|Fr|Sa|So|Пн|Вт|Ср|Чт|Пт|Сб|Вс)[a-z]{0,6}[.,]",
)
_GMAIL_OLD = re.compile(r"\d{4}[/-]\d{1,2}[/-]\d{1,2} [^<>]{0,100}<[^<>\s]{3,200}@[^<>\s]{1,200}>:?\Z")
_FORWARDED = re.compile(
    r"(?:Begin forwarded message|Anfang der weitergeleiteten Nachricht|Début du message (?:réexpédié|transféré)"
    r"|Inicio del mensaje reenviado|Inizio messaggio inoltrato|Begin doorgestuurd bericht|Начало переадресованного сообщения)\s?:\Z",
    re.IGNORECASE,
)
_SEPARATOR = re.compile(
    r"[-_*=]{2,}\s?(?:Original Message|Original Appointment|Forwarded (?:message|by .{1,100})|Reply Message"
    r"|Ursprüngliche Nachricht|Originalnachricht|Original-Nachricht|Weitergeleitete Nachricht"
    r"|Message d['’]origine|Message original|Message transféré|Mensaje original|Mensaje reenviado|Messaggio originale"
    r"|Messaggio inoltrato|Mensagem original|Mensagem encaminhada|Oorspronkelijk bericht|Doorgestuurd bericht"
    r"|Oprindelig meddelelse|Ursprungligt meddelande|Opprinnelig melding|Wiadomość oryginalna|Oryginalna wiadomość"
    r"|Původní zpráva|Исходное сообщение|Пересылаемое сообщение|Orijinal İleti|原始邮件|原始郵件|转发的邮件|元のメッセージ|원본 메시지)"
    r"\s?[-_*=]{2,}\Z",
    re.IGNORECASE,
)
_FROM = re.compile(
    r"(?:From|Von|De|Da|Från|Fra|Van|Od|Lähettäjä|От|Від|Kimden|Gönderen|Feladó|Από|Från|发件人|寄件者|寄件人|差出人|보낸 사람|من|מאת)\s?[:：]",
    re.IGNORECASE,
)
_LABEL = re.compile(
    r"(?:Sent|Date|To|Cc|Subject|Reply-To|Gesendet|Datum|An|Betreff|Kopie|Envoyé|Envoyé le|À|A|Objet|Enviado(?: el)?|Fecha|Para|Asunto"
    r"|Inviato|Data|Oggetto|Enviada(?: em)?|Assunto|Verzonden|Aan|Onderwerp|Skickat|Till|Ämne|Sendt|Til|Emne|Wysłano|Do|Temat"
    r"|Odesláno|Komu|Předmět|Отправлено|Дата|Кому|Тема|Gönderildi|Kime|Konu|Lähetetty|Vastaanottaja|Aihe"
    r"|发送时间|发送日期|日期|收件人|抄送|主题|寄件日期|收件者|主旨|送信日時|宛先|件名|보낸 날짜|받는 사람|제목)\s?[:：]",
    re.IGNORECASE,
)
_RULE = re.compile(r"[-_–—*=]{10,}\Z")
# Only what names a device or a mail program: "Sent with DHL" and "Gesendet mit Hermes" are a customer's own words.
_PROGRAM = (
    r"(?:my|mein\w*|mon|ma|mi|mio|mia|meu|minha|mijn|min|mit|mojego|mého|моего|iPhone|iPad|iOS|Android|Outlook|Mail|Yahoo|Proton\w*|Sparrow|Spark"
    r"|Airmail|Thunderbird|Superhuman|Windows|Gmail|Samsung|Galaxy|Huawei|Xiaomi|GMX|WEB\.DE|T-Online|BlackBerry|Nokia|Zoho|Mailspring)\b"
)
_DEVICE = re.compile(
    r"(?:Sent from (?:my|the) \S+(?: \S+){0,3}"
    rf"|(?:Sent (?:with|via|using|from)|Gesendet (?:von|mit|aus|über)|Envoyé (?:de|depuis|à partir de|avec)|Enviado (?:desde|do|pelo|de|con)"
    rf"|Inviato da(?:l|lla|llo)?|Verzonden (?:vanaf|met|via|vanuit|van)|Skickat från|Sendt fra|Lähetetty|Wysła(?:ne|no) z|Odesláno z"
    rf"|Отправлено (?:с|из)|Надіслано з) {_PROGRAM}[^,.;:!?]{{0,60}}"
    r"|(?:Get Outlook for|Télécharger Outlook pour|Obtener Outlook para|Obter o Outlook para|Scarica Outlook per|Outlook für \S+ beziehen).{0,60}"
    r"|Von meine[mr] .{1,40} gesendet|Diese Nachricht wurde von meinem .{1,80}gesendet"
    r"|发自我的.{1,40}|從我的.{1,40}|iPhone\s?から送信|私の.{1,30}から送信|나의 .{1,30}에서 보냄|.{1,20} cihazımdan gönderildi|iPhone.{0,4}dan gönderildi"
    r"|نُ?رسل من .{1,40})[.!]?\Z",
    re.IGNORECASE,
)
_DASH_NAME = re.compile(r"[-–—][^\W\d_][\w.'’]*(?: [^\W\d_][\w.'’]*){0,3}\Z")


@dataclass(frozen=True, slots=True)
class Folded:
    """A body cut in three. `text` is what was written now; the others are None where there was none."""

    text: str
    quoted: str | None = None
    signature: str | None = None


def fold(text: str) -> Folded:
    """Cuts off what a mail program added: the quote, wherever it is below or wholly above, and the signature.

    Quotes between answers stay in the text, for the answers make no sense without them. A forward without
    a word of its own stays whole.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    cut = _hard_cut(lines)
    kept, below = lines[:cut], lines[cut:]
    if not any(line.strip() for line in kept):
        kept, below = lines, []
    quotes: list[list[str]] = [below] if below else []
    signatures: list[list[str]] = []
    for _round in range(8):
        kept = _without_blank_end(kept)
        start = _trailing_quote(kept)
        if start < len(kept):
            quotes.insert(0, kept[start:])
            kept = kept[:start]
            continue
        start = _trailing_signature(kept)
        if start < len(kept):
            signatures.insert(0, kept[start:])
            kept = kept[:start]
            continue
        break
    if end := _leading_quote(kept):
        quotes.insert(0, kept[:end])
        kept = kept[end:]
    body = _joined(kept)
    if not body and signatures and not quotes:
        return Folded(_joined(lines))
    return Folded(body, _joined(*quotes) or None, _joined(*signatures) or None)


def _joined(*blocks: Sequence[str]) -> str:
    return "\n\n".join(filter(None, ("\n".join(line.rstrip() for line in block).strip("\n") for block in blocks)))


def _without_blank_end(lines: list[str]) -> list[str]:
    end = len(lines)
    while end and not lines[end - 1].strip():
        end -= 1
    return lines[:end]


def _is_quote(line: str) -> bool:
    return line.lstrip(" ").startswith(">")


def _hard_cut(lines: list[str]) -> int:
    """Where a separator, a block of header lines or an attribution without `>` makes all the rest a quote."""
    for at, line in enumerate(lines):
        bare = line.strip()
        if not bare or bare.startswith(">"):
            continue
        if len(bare) <= 160 and (_SEPARATOR.match(bare) or _FORWARDED.match(bare)):
            return _above_rule(lines, at)
        if _is_header_block(lines, at):
            return _above_rule(lines, at)
        if (start := _attribution_start(lines, at)) is not None:
            after = next((lines[n] for n in range(at + 1, len(lines)) if lines[n].strip()), None)
            if after is not None and not _is_quote(after):
                return start
    return len(lines)


def _above_rule(lines: list[str], at: int) -> int:
    """A quote begins at the ruled line above its header block, if there is one."""
    above = at
    while above and not lines[above - 1].strip():
        above -= 1
    return above - 1 if above and _RULE.match(lines[above - 1].strip()) else at


def _is_header_block(lines: list[str], at: int) -> bool:
    first = lines[at].strip().strip("*").strip()
    if not _FROM.match(first):
        return False
    labels = 0
    for line in lines[at + 1 : at + 8]:
        labels += bool(_LABEL.match(line.strip().strip("*").strip()))
    return labels >= 2


def _attribution_start(lines: list[str], end: int) -> int | None:
    """The first line of the attribution that ends at `end` (“On … wrote:”), or None."""
    last = lines[end].strip().rstrip("*_ ")
    if not last.endswith((":", "：")) and not _GMAIL_OLD.match(last):
        return None
    if len(last) <= _ATTRIBUTION_CHARS and _GMAIL_OLD.match(last):
        return end
    plausible: int | None = None
    span = ""
    for start in range(end, max(-1, end - _ATTRIBUTION_LINES), -1):
        line = lines[start].strip()
        if not line or _is_quote(line):
            break
        span = f"{line} {span}".strip()
        if len(span) > _ATTRIBUTION_CHARS:
            break
        if not _WROTE.search(span) or not ("@" in span or re.search(r"\d", span)):
            continue
        if _INTRO.match(line.lstrip("*_\"' ")):
            return start
        if plausible is None and "@" in line and start == end:
            plausible = start
    return plausible


def _trailing_quote(lines: list[str]) -> int:
    """Where the quote at the very end begins, its attribution included; the length where there is none."""
    start = len(lines)
    while start and (not lines[start - 1].strip() or _is_quote(lines[start - 1])):
        start -= 1
    if not any(_is_quote(line) for line in lines[start:]):
        # An attribution whose quote was cut away, or that a program wrote without one.
        attribution = _attribution_start(lines, len(lines) - 1) if lines else None
        return len(lines) if attribution is None else attribution
    if start:
        attribution = _attribution_start(lines, start - 1)
        if attribution is not None:
            return attribution
    return start


def _leading_quote(lines: list[str]) -> int:
    """The length of a quote that stands wholly above the answer; 0 where answers stand between quotes."""
    first = next((at for at, line in enumerate(lines) if line.strip()), 0)
    end = first
    for at in range(first, min(first + _ATTRIBUTION_LINES, len(lines))):
        if _attribution_start(lines, at) == first:
            end = at + 1
    begin = end
    while end < len(lines) and (not lines[end].strip() or _is_quote(lines[end])):
        end += 1
    answered = any(line.strip() for line in lines[end:])
    quoted = any(_is_quote(line) for line in lines[begin:end])
    return end if quoted and answered and not any(_is_quote(line) for line in lines[end:]) else 0


def _trailing_signature(lines: list[str]) -> int:
    """Where the signature at the very end begins; the length where there is none."""
    for at in range(len(lines) - 1, max(-1, len(lines) - _SIGNATURE_LINES - 1), -1):
        line = lines[at]
        if _is_quote(line):
            break
        bare = line.strip()
        if bare in {"--", "- --"} or (len(bare) >= 20 and set(bare) == {"_"} and at < len(lines) - 1):
            return at
    last = len(lines) - 1
    for at in range(last, max(-1, last - 3), -1):
        bare = lines[at].strip()
        if bare and len(bare) <= 120 and _DEVICE.match(bare) and (at == 0 or not lines[at - 1].strip() or at < last):
            return at
    if lines and _DASH_NAME.match(lines[last].strip()) and last and not lines[last - 1].strip():
        return last
    return len(lines)
