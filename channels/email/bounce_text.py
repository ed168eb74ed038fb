"""Reads bounces that are prose: most of those that real mail servers still send."""

from __future__ import annotations

import re
from collections.abc import Iterable, Set
from dataclasses import dataclass

from channels.email.addresses import normalise_address

_DAEMON = re.compile(
    r"mailer-?daemon|postmaster|mail delivery|mail-?delivery|delivery (?:sub)?system|mail administrator|system administrator"
    r"|mail ?system|mdaemon|smtp_mail_service|internet mail (?:delivery|service)|delivery-?(?:reply|status|notification)|mailerdaemon",
)
_SUBJECT = re.compile(
    r"(?:\[[^\]]{1,30}\]\s?)?(?:undeliver(?:able|ed)|returned (?:mail|message|to sender)|(?:e-?)?mail (?:delivery|error|system error|not delivered)"
    r"|delivery (?:failure|failed|status|notification|problem|error|report|delay)|failure notice|message (?:delivery|undeliverable|not delivered)"
    r"|non.?delivery|could not be delivered|unzustellbar|unbekannter? (?:empfänger|benutzer)|échec de (?:remise|la remise)"
    r"|no se puede entregar|mancato recapito|não (?:foi )?entregue|недоставленное|配信不能|退信|delayed mail|warning: (?:could not send|message)"
    r"|user unknown|mail could not|nondeliverable|permanent delivery failure|mail system error|address no longer|e?-?mail (?:account )?(?:address )?(?:closed|invalid|changed)"
    r"|message status - undeliverable|error sending|transient delivery|failed mail|mail delivery|.{0,200}: non remis\b)",
    re.IGNORECASE,
)
_FAILURE = re.compile(
    r"(?:could|can|was|were|is|are|has|have|been|did|does|do|wasn|couldn|isn|will)(?: ?n[o']t|not)? (?:be |been |able to )?(?:not )?(?:be )?(?:deliver|reach|receive|deliverable)"
    r"|unable to (?:be )?(?:deliver|process)|un-?deliver|(?:delivery|transmission) (?:\S+ ){0,5}fail|fail\w* (?:\S+ ){0,3}(?:deliver|recipient|address)|fatal error"
    r"|permanent (?:\S+ )?(?:error|fail)|user unknown|unknown (?:\S+ )?(?:user|recipient|address|account)|no such (?:user|recipient|account|address|mailbox)"
    r"|(?:does not|doesn't|no longer) (?:exist|have|accept|valid|in use|a valid|active|list)|not (?:a )?(?:known|valid|listed|found|exist)|mailbox (?:is )?(?:unavailable|full|disabled|not)"
    r"|over ?quota|exceed\w* (?:\S+ ){0,3}(?:quota|limit|storage)|disk quota|quota exceeded|rejected|refused|not delivered|bounced?\b|non-?delivery|unzustellbar|nicht zugestellt|nicht gefunden"
    r"|gesperrt|konnte nicht|konnten nicht|no (?:se )?(?:ha )?(?:podido|pudo) (?:ser )?entrega|n'a pas pu être|non (?:è|e') stato possibile|não (?:foi|pôde|pode) (?:ser )?entreg"
    r"|returned (?:to sender|undeliv|because)|delayed|not (?:yet )?been delivered|still (?:be )?(?:being )?(?:retr|tr)|will (?:be )?(?:keep |continue )?(?:retr|try)|invalid (?:\S+ ){0,3}(?:address|recipient|user)"
    r"|account (?:has been |is )?(?:disabled|closed|inactive|suspended)|wrong address|no (?:such )?mailbox|error was detected|did not (?:exactly )?match|aborted|postponed|mailbox is full|full mailbox|no matches|无法|失败|退回|不存在|満杯|存在しません|errors? (?:\S+ ){0,4}(?:deliver|address)",
    re.IGNORECASE,
)
_COPY = re.compile(
    r"\s*(?:[-=*_+#]{3,}.{0,20}(?:below|copy|original|returned|unsent|undelivered|message (?:header|text|body)|header|your (?:message|mail)|body of|included|ursprüngliche|beginning of)"
    r"|(?:the )?(?:original|undelivered|returned|unsent|following is (?:a copy|the)) (?:message|mail|e-mail|headers?|text)"
    r"|(?:a copy of|below is|here is a copy|here's a copy|message headers? follow|your (?:original )?message follows|the headers? of|message body follows|original message follows"
    r"|the text of your message|following is|your original (?:message|mail)|return(?:ed)? message follows|the first \d+ lines|included is|attached is|this is a copy))",
    re.IGNORECASE,
)
_HEADER_LINE = re.compile(
    r"(?:Received|Return-Path|X-[A-Za-z-]+|Message-Id|MIME-Version|Delivered-To):\s", re.IGNORECASE
)
_STOP = re.compile(
    r"[-\s]*error detail|.{0,60}information may be of help|(?:please|pls) (?:contact|reply)|for (?:more|further) (?:information|help)"
    r"|if you (?:feel|believe|have questions)",
    re.IGNORECASE,
)
_ENVELOPE_LINE = re.compile(r"\s*(?:To|Cc|From|Subject|Sent|Date):\s", re.IGNORECASE)
_ADDRESS = re.compile(
    r"(?P<sender>(?<!expanded )(?<!generated )from:?\s*<?)?(?P<address>[^\s<>\"'(),;:\[\]=|]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z0-9-]{2,63})",
    re.IGNORECASE,
)
_BARE_NAME = re.compile(r"[ \t]+(?P<name>[A-Za-z0-9][A-Za-z0-9._-]{1,63})\s*\Z")
_TEMPORARY = re.compile(
    r"\bwarning\b|delayed|still (?:be )?(?:being )?(?:retr|try)|will (?:be )?(?:keep |continue )?(?:\w+ )?(?:retr|try)|no(?:t)? (?:need|have) to re-?send|temporar|not yet been|has not been delivered yet"
    r"|do not need to|delivery attempts will continue|try again (?:later|for)|continue to try|postponed",
    re.IGNORECASE,
)
_FINAL = re.compile(
    r"permanent|given up|giving up|gave up|will not (?:be )?(?:re)?tr|no longer (?:be )?tr|could not be delivered for|fatal|too long|expired|no such user|user unknown|unknown user",
    re.IGNORECASE,
)
_STATUS = re.compile(r"(?<![\d.])[45]\.\d{1,3}\.\d{1,3}(?![\d.])|(?<![\d.#:@\[-])[45][0-7]\d(?=[ -])")
_NOTICE_LINES = 200
_NOT_PEOPLE = re.compile(
    r"(?:mailer-?daemon|postmaster|abuse|hostmaster|support|helpdesk|noreply|no-reply)@", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Notice:
    """What a prose bounce says: whom it is about, whether the address is bad, and a code where one stands in it."""

    recipients: tuple[str, ...]
    permanent: bool
    code: str | None
    detail: str | None


def read_notice(
    *, subject: str, sender: str, texts: Iterable[str], null_path: bool, not_recipients: Set[str]
) -> Notice | None:
    """None where it is no bounce. A customer who writes about a bounce is none: a machine must have sent it."""
    machine = bool(_DAEMON.search(sender)) or null_path
    told = bool(_SUBJECT.match(subject))
    if not machine and not told:
        return None
    for text in texts:
        lines = _notice_lines(text)
        body = "\n".join(lines)
        if not _FAILURE.search(body):
            continue
        recipients = _recipients(lines, not_recipients) or _local_names(lines, sender)
        if not recipients and not (machine and told):
            continue
        status = _STATUS.search(body)
        detail = next((line.strip()[:300] for line in lines if _FAILURE.search(line)), None)
        return Notice(
            recipients,
            _is_permanent(subject, body, status[0] if status else None),
            status[0] if status else None,
            detail,
        )
    return None


def _is_permanent(subject: str, body: str, status: str | None) -> bool:
    if _FINAL.search(body):
        return True
    if _TEMPORARY.search(subject) or _TEMPORARY.search(body):
        return False
    return not (status and status.startswith("4") and "." in status)


def _notice_lines(text: str) -> list[str]:
    """The lines above the copy of what was sent."""
    lines: list[str] = []
    headers = 0
    for line in text.split("\n")[: 4 * _NOTICE_LINES]:
        if lines and (_STOP.match(line) or (_COPY.match(line) and any(_ADDRESS.search(one) for one in lines))):
            break
        headers = headers + 1 if _HEADER_LINE.match(line) else headers
        if headers >= 2:
            break
        lines.append(line[:500])
        if len(lines) >= _NOTICE_LINES:
            break
    return lines


def _recipients(lines: list[str], not_recipients: Set[str]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for line in lines:
        if _HEADER_LINE.match(line) or _ENVELOPE_LINE.match(line):
            continue
        for match in _ADDRESS.finditer(line):
            if match["sender"]:
                continue
            try:
                address = normalise_address(match["address"])
            except ValueError:
                continue
            if address not in not_recipients and not _NOT_PEOPLE.match(address):
                found.setdefault(address)
    return tuple(found)


def _local_names(lines: list[str], sender: str) -> tuple[str, ...]:
    """Names without a domain in an indented list: people at the host that reports."""
    host = _ADDRESS.search(sender)
    if host is None or not any("recipient" in line.lower() for line in lines):
        return ()
    domain = host["address"].rpartition("@")[2]
    return tuple(f"{found['name'].lower()}@{domain}" for line in lines if (found := _BARE_NAME.match(line)))
