"""What a verification mail asks for: its code, and its link where that leads to the sender's own house.

Anybody can write such a mail. So a link is shown only by HTTPS and only to a host that belongs to the address
in From, and neither link nor code of a mail whose sender is known to be forged.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from urllib.parse import urlsplit

import nh3

from channels.contract import Authenticity, Automation, Inbound, MessageReceived, RawInbound, Verification
from channels.email import mime

_TEXT_MAX = 100_000
_LINKS_MAX = 200
_LINK = re.compile(r"https://[^\s<>\"'\\^`{|}\x00-\x20\x7f-\x9f]{4,4000}")
_WRITTEN = re.compile(r"(?<![^\s<(\[：，。])https://[^\s<>]{4,4000}")
"""A whole word of the text: what begins within another word, or holds what no address may hold, is no link."""
_HOST = re.compile(r"(?=.{4,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}\Z")
_HOUSES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        # Whose mails come from one domain and whose pages stand on another.
        "google.com": ("google.com", "mail-settings.google.com", "mail.google.com"),
        "accounts.google.com": ("google.com",),
        "microsoft.com": ("microsoft.com", "office.com", "live.com", "outlook.com", "microsoftonline.com"),
        "accountprotection.microsoft.com": ("microsoft.com", "live.com"),
        "microsoftonline.com": ("microsoftonline.com", "microsoft.com", "office.com"),
        "outlook.com": ("outlook.com", "live.com", "office.com"),
        "fastmail.com": ("fastmail.com",),
        "fastmailteam.com": ("fastmail.com", "fastmailteam.com"),
        "zoho.com": ("zoho.com",),
        "zohomail.com": ("zoho.com", "zohomail.com"),
        "zoho.eu": ("zoho.eu", "zoho.com"),
        "yahoo.com": ("yahoo.com",),
        "apple.com": ("apple.com", "icloud.com"),
        "gmx.net": ("gmx.net", "gmx.com"),
    }
)
_SPEAKS = re.compile(
    r"confirm|verif|validat|activat|forward|accept|authenti|vf-|token|code=|best[aä]tig|aktivier|valider|conferma|bevestig|potwierd|vf%5b",
    re.IGNORECASE,
)
_AGAINST = re.compile(
    r"unsubscribe|abmelden|privacy|terms|help|support\.|preferences|cancel|revoke|deny|reject|not-me|/uf-|uf%5b|report",
    re.IGNORECASE,
)
_LABEL = (
    r"(?:code|pin|otp|passcode|kod|kód|koodi|código|codigo|codice|cod|Code de confirmation|Bestätigungscode"
    r"|Sicherheitscode|Prüfcode|код|κωδικός|رمز|קוד|验证码|驗證碼|确认码|確認碼|認証コード|確認コード|コード|코드|번호|รหัส|कोड)"
)
_VALUE = r"(?P<code>\d{4,10}|[A-Z0-9]{3,5}(?:-[A-Z0-9]{3,5}){1,3}|(?=[A-Z]{0,11}\d)[A-Z0-9]{5,12})(?![\w-])"
_LABELLED = re.compile(
    rf"{_LABEL}[^\w\n]{{0,12}}(?:(?:is|ist|est|es|è|é|jest)\b[^\w\n]{{0,4}})?\s{{0,40}}{_VALUE}", re.I
)
_BEFORE = re.compile(rf"(?<![\w-]){_VALUE}\s(?:is|ist|est|es)\s(?:your|Ihr|votre|su|tu)\b", re.I)
_IN_SUBJECT = re.compile(r"\(#(?P<code>\d{6,12})\)")
_ALONE = re.compile(r"^[ \t*]*(?P<code>\d{4,10}|[A-Z0-9]{3,5}-[A-Z0-9]{3,5})[ \t*]*$", re.MULTILINE)


def verification(raw: RawInbound, events: Sequence[Inbound]) -> Verification | None:
    """None unless the mail was set apart as a verification. Raises Malformed."""
    event = next((one for one in events if isinstance(one, MessageReceived)), None)
    if event is None or event.automation is not Automation.VERIFICATION:
        return None
    if event.authenticity is Authenticity.FAIL:
        return Verification(sender=event.sender, subject=event.subject)
    content = mime.read_content(mime.read_structure(raw.body))
    text = content.text[:_TEXT_MAX]
    houses = _houses(event.sender.value.rpartition("@")[2])
    return Verification(
        sender=event.sender,
        subject=event.subject,
        code=find_code(event.subject or "", text),
        link=find_link(text, content.html or "", houses),
    )


def _houses(domain: str) -> tuple[str, ...]:
    """The domains whose hosts are the sender's own: those known to belong to it, else its own."""
    for known, hosts in _HOUSES.items():
        if domain == known or domain.endswith(f".{known}"):
            return hosts
    return (domain,)


def find_code(subject: str, text: str) -> str | None:
    """The code that the mail tells its reader to enter."""
    if found := _IN_SUBJECT.search(subject):
        return found["code"]
    plain = _LINK.sub(" ", text)
    for place in (subject, plain):
        for pattern in (_LABELLED, _BEFORE):
            for found in pattern.finditer(place):
                if any(letter.isdigit() for letter in found["code"]):
                    return found["code"]
    return alone["code"] if (alone := _ALONE.search(plain)) else None


def find_link(text: str, shown: str, houses: Sequence[str]) -> str | None:
    """The first link to one of these houses that speaks of confirming; else the only one there is."""
    found = [one for one in dict.fromkeys([*_hrefs(shown), *_written(text)]) if _leads_to(one, houses)]
    speaking = [one for one in found if _SPEAKS.search(one) and not _AGAINST.search(one)]
    if speaking:
        return speaking[0]
    rest = [one for one in found if not _AGAINST.search(one)]
    return rest[0] if len(rest) == 1 else None


def _written(text: str) -> list[str]:
    words = [found[0].rstrip(".,;:!?)]") for found, _n in zip(_WRITTEN.finditer(text), range(_LINKS_MAX), strict=False)]
    return [one for one in words if _LINK.fullmatch(one)]


def _hrefs(shown: str) -> list[str]:
    """The targets of the links in HTML: read by the sanitiser's own parser, not by patterns."""
    links: list[str] = []

    def note(element: str, attribute: str, value: str) -> str | None:
        if element == "a" and attribute == "href" and len(links) < _LINKS_MAX:
            links.append(value)
        return value

    nh3.clean(shown[: 5 * _TEXT_MAX], tags={"a"}, attributes={"a": {"href"}}, attribute_filter=note)
    return [one for one in links if _LINK.fullmatch(one)]


def _leads_to(link: str, houses: Sequence[str]) -> bool:
    """Whether a browser would end up there: HTTPS, the usual port, no user part, a plain name below one of the houses."""
    try:
        parts = urlsplit(link)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return False
    if parts.scheme != "https" or "@" in parts.netloc or port not in (None, 443) or not _HOST.match(host):
        return False
    return any(host == house or host.endswith(f".{house}") for house in houses)
