"""A customer's mail that somebody has forwarded: who wrote it first, when and what.

All of it is what the forwarding mail says and nothing that anybody has proven: it is offered to the agents as a
claim, and moves no ticket to another requester by itself. Works line by line on a bounded head of the text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from enum import StrEnum

from pydantic import JsonValue

from channels.contract import Address, Malformed
from channels.email import headers, mime
from channels.email.tokens import without_token
from channels.email.tree import children

_LINES_MAX = 4000
_LINE_MAX = 1000
_BLOCK_LINES = 14
_TEXT_MAX = 20_000
_OWN_WORDS_MAX = 60
"""Lines above the forwarded mail: what comes further below is a quote in a conversation."""

_PREFIX = re.compile(
    r"\s*[\[(]?\s*(?:fwd?|wg|tr|rv|enc|i|fs|vs|vb|doorst|pd|vl|yml|ilt|пересл?|fwd?\s?\(\d+\)|转发|轉寄|轉送|転送|전달)\s?[:：\])]",
    re.IGNORECASE,
)
_REPLY = re.compile(r"\s*(?:re|aw|sv|antw|odp|ref|rif|res|ynt|回复|答复|回覆)(?:\[\d+\])?\s?[:：]", re.IGNORECASE)
_MARK = re.compile(
    r"[-_*=]{2,}\s?(?:Forwarded (?:message|by .{1,100})|Weitergeleitete Nachricht|Message transféré|Mensaje reenviado"
    r"|Messaggio inoltrato|Mensagem (?:encaminhada|reencaminhada)|Doorgestuurd bericht|Vidarebefordrat meddelande"
    r"|Videresendt (?:meddelelse|melding|besked)|Välitetty viesti|Wiadomość przekazana(?: dalej)?|Přeposlaná zpráva|Přeposlaný e-mail"
    r"|Továbbított üzenet|Mesaj redirecționat|Пересылаемое сообщение|Перенаправленное сообщение|Переслане повідомлення"
    r"|Προωθημένο μήνυμα|Yönlendirilen ileti|İletilen ileti|رسالة معاد توجيهها|הודעה שהועברה|转发的邮件|转发邮件|轉寄郵件|転送メッセージ"
    r"|전달된 메일|전달된 메시지|ข้อความที่ถูกส่งต่อ|अग्रेषित संदेश)\s?[-_*=]{2,}\Z"
    r"|(?:Begin forwarded message|Anfang der weitergeleiteten (?:Nachricht|E-Mail)|Début du message (?:réexpédié|transféré)"
    r"|Inicio del mensaje reenviado|Inizio (?:del )?messaggio inoltrato|Início da mensagem (?:reencaminhada|encaminhada)"
    r"|Begin doorgestuurd bericht|Vidarebefordrat brev|Videresendt besked|Videresendt melding|Välitetty viesti alkaa"
    r"|Początek przekazywanej wiadomości|Začátek přeposílané zprávy|Начало (?:переадресованного|пересылаемого) сообщения"
    r"|Yönlendirilmiş ileti başlangıcı|下面是被转发的邮件|開始轉寄訊息|転送されたメッセージ|전달된 메시지)\s?[:：]\Z",
    re.IGNORECASE,
)


class _Field(StrEnum):
    FROM = "from"
    DATE = "date"
    SUBJECT = "subject"
    OTHER = "other"


_WORDS = {
    _Field.FROM: "from von de da från fra van od lähettäjä от від kimden gönderen feladó από de la 发件人 寄件者 寄件人 差出人 送信元 보낸사람 من מאת จาก प्रेषक",
    _Field.DATE: "date sent datum gesendet envoyé envoyéle fecha enviado enviadoel data inviato enviada enviadaem enviadaa verzonden skickat "
    "sendt dato päivämäärä päiväys lähetetty wysłano odesláno дата отправлено надіслано tarih gönderildi gönderilmetarihi dátum elküldve ημερομηνία "
    "data: trimis 日期 发送时间 发送日期 寄件日期 日付 送信日時 날짜 보낸날짜 تاريخ התאריך תאריך วันที่ दिनांक",
    _Field.SUBJECT: "subject betreff objet asunto oggetto assunto onderwerp ämne emne aihe temat předmět тема konu tárgy θέμα subiect 主题 主旨 標題 件名 제목 "
    "موضوع הנושא נושא เรื่อง विषय",
    _Field.OTHER: "to an à a para per aan till til vastaanottaja do komu кому kime címzett προς către 收件人 收件者 宛先 받는사람 إلى אל cc kopie copie cópia "
    "kopia kopio копия bilgi bcc reply-to antwortan répondreà responder 抄送 副本 참조 organization organisation importance wichtigkeit "
    "attachments anlagen message-id resent-from user-agent return-path newsgroups priority",
}
_LABELS = {word: field for field, words in _WORDS.items() for word in words.split()}
_LINE = re.compile(r"(?P<label>[^\s:：@<>\d][^:：@<>\d]{0,28}?)\s{0,3}[:：]\s*(?P<value>.*)\Z")


@dataclass(frozen=True, slots=True)
class Forwarded:
    """Who wrote first, by the word of who has forwarded it."""

    sender: Address
    date: datetime | None = None
    subject: str | None = None
    text: str = ""

    def fact(self) -> dict[str, JsonValue]:
        """`{"from": {"address", "name"}, "date", "subject", "text", "trust"}`; `trust` is always `claimed`."""
        return {
            "from": {"address": self.sender.value, "name": self.sender.name},
            "date": self.date.isoformat() if self.date else None,
            "subject": self.subject,
            "text": self.text,
            "trust": self.sender.trust.value,
        }


def find(message: Message, *, subject: str, text: str, forwarder: str, own: str) -> Forwarded | None:
    """The mail inside, if this one forwards another. `forwarder` and `own` (our address) are never its author."""
    if _REPLY.match(subject):
        return None  # an answer to a forwarded mail quotes it, and forwards nothing
    prefixed = bool(_PREFIX.match(subject[:200]))
    found = _in_text(text, prefixed=prefixed) or _attached(message, prefixed=prefixed, text=text)
    if found is None or without_token(found.sender.value) in {forwarder, without_token(forwarder), own}:
        return None
    return found


# ----------------------------------------------------------------------------------------------- in the text


def _in_text(text: str, *, prefixed: bool) -> Forwarded | None:
    lines = [line[:_LINE_MAX] for line in text.split("\n", _LINES_MAX)[:_LINES_MAX]]
    start, marked = _start(lines, prefixed=prefixed)
    if start is None or not (prefixed or marked):
        return None
    depth = 1 if _bare(lines[start]).startswith(">") else 0
    lines = [_unquoted(line) if depth else line for line in lines]
    fields, end = _block(lines, start)
    sender = next(iter(headers.parse_addresses(fields.get(_Field.FROM, ""))), None)
    if sender is None:
        return None
    return Forwarded(
        sender,
        _date(fields.get(_Field.DATE, "")),
        headers.one_line(fields.get(_Field.SUBJECT, ""))[:998] or None,
        _body(lines[end:]),
    )


def _start(lines: Sequence[str], *, prefixed: bool) -> tuple[int | None, bool]:
    """The first line of the block of fields, and whether a mark stands above it."""
    for at, line in enumerate(lines[: _OWN_WORDS_MAX * 4]):
        bare = _bare(line)
        if len(bare) <= 160 and _MARK.match(bare.strip("* ")):
            after = next(
                (n for n in range(at + 1, min(at + 6, len(lines))) if _unquoted(_bare(lines[n])).strip()), None
            )
            return (after, True) if after is not None and _is_block(lines, after) else (None, False)
        if prefixed and at < _OWN_WORDS_MAX and _is_block(lines, at):
            return at, False
    return None, False


def _is_block(lines: Sequence[str], at: int) -> bool:
    """Whether fields begin here: a sender, and a date or a subject, in whatever order."""
    if _field(lines[at]) is None:
        return False
    fields, _end = _block([_unquoted(line) for line in lines[at : at + _BLOCK_LINES]], 0)
    return "@" in fields.get(_Field.FROM, "") and bool({_Field.DATE, _Field.SUBJECT} & fields.keys())


def _block(lines: Sequence[str], start: int) -> tuple[dict[_Field, str], int]:
    """The fields from here on, and the line after them."""
    fields: dict[_Field, str] = {}
    end, last = start, None
    for at in range(start, min(start + _BLOCK_LINES, len(lines))):
        found = _field(lines[at])
        if found is not None:
            last, value = found
            fields.setdefault(last, value)
        elif not lines[at].strip():
            if fields.get(_Field.FROM) or at - start > 1:
                end = at
                break
        elif last is not None and _continues(lines[at], fields.get(last, "")):
            fields[last] = f"{fields[last]} {lines[at].strip()}"
        else:
            end = at
            break
        end = at + 1
    return fields, end


def _continues(line: str, value: str) -> bool:
    """Programs put a long address or an empty field's value on the next line."""
    return not value or line[:1] in " \t" or bool(re.match(r"\s*<?[^\s<>@]+@[^\s<>@]+>?,?;?\s*\Z", line))


def _field(line: str) -> tuple[_Field, str] | None:
    found = _LINE.match(_unquoted(_bare(line)).lstrip("*_ \t"))
    if found is None:
        return None
    label = re.sub(r"[\s*_]+", "", found["label"]).lower()
    field = _LABELS.get(label)
    return (field, _plain(found["value"])) if field is not None else None


def _plain(value: str) -> str:
    """Without the marks of bold type, and with an address written once: `Ann <a@b<mailto:a@b>>`, `Ann [mailto:a@b]`."""
    value = re.sub(r"<mailto:[^<>]{1,320}>", "", value.replace("*", ""))
    return re.sub(r"\[mailto:([^\[\]\s]{1,320})\]", r"<\1>", value).strip("_ \t")


def _bare(line: str) -> str:
    return line.strip().replace("\u200e", "").replace("\u200f", "").replace("\xa0", " ")


def _unquoted(line: str) -> str:
    return re.sub(r"\A\s{0,3}> ?", "", line)


def _body(lines: Sequence[str]) -> str:
    return "\n".join(line.rstrip() for line in lines).strip("\n")[:_TEXT_MAX].rstrip()


def _date(value: str) -> datetime | None:
    """Where it is written as mails write dates; a date in words of some language is none."""
    try:
        when = parsedate_to_datetime(value[:200])
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        pass
    try:
        when = datetime.fromisoformat(value[:40].strip())
        return when.astimezone(UTC) if when.tzinfo else None
    except ValueError:
        return None


# ------------------------------------------------------------------------------------------------- as a file


def _attached(message: Message, *, prefixed: bool, text: str) -> Forwarded | None:
    """The one mail that is attached (RFC 2046 §5.2.1). Several are a collection, and one to a long text is an annex."""
    mails = _embedded(message)
    if len(mails) != 1 or not (prefixed or len(text.strip()) <= 300):
        return None
    inner = mails[0]
    sender = next(iter(headers.addresses(inner, "from")), None)
    if sender is None:
        return None
    try:
        inside = mime.read_content(inner).text
    except Malformed:
        inside = ""
    subject = headers.text_value(inner, "subject")[:998] or None
    return Forwarded(sender, headers.date_value(inner), subject, inside[:_TEXT_MAX].rstrip())


def _embedded(message: Message) -> list[Message]:
    """Attached mails, not those inside of them. The tree is bounded already, when it is read."""
    found: list[Message] = []
    waiting = [message]
    while waiting:
        part = waiting.pop()
        if mime.content_type(part) == "message/rfc822":
            found += children(part)[:1]
        else:
            waiting += children(part)
    return found
