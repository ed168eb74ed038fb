"""An answer as a mail: rendered, signed, handed to the account's mail server."""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from dataclasses import dataclass
from email.headerregistry import Address as MailAddress
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime, localtime
from functools import partial
from typing import TYPE_CHECKING, Any

import aiosmtplib
import dkim

from channels.contract import Address, AuthFailed, Outbound, OutcomeUnknown, Rejected, Retryable, Sent, Undeliverable
from channels.email import html, tokens
from channels.email.addresses import normalise_address
from channels.email.filenames import safe_filename
from channels.email.headers import message_ids, one_line
from channels.email.oauth import Access
from channels.email.settings import EmailSettings, Security, SignatureOn

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

log = logging.getLogger(__name__)


class _Policy(EmailPolicy):
    """The library's policy for SMTP, but for fields of message ids: it would encode a long id, and so break the thread."""

    def fold(self, name: str, value: Any) -> str:
        if name.lower() in {"message-id", "in-reply-to", "references"}:
            return f"{name}: " + f"{self.linesep} ".join(str(value).split()) + self.linesep
        return str(super().fold(name, value))

    def fold_binary(self, name: str, value: Any) -> bytes:
        return self.fold(name, value).encode("utf-8" if self.utf8 else "ascii", "surrogateescape")


_SMTP = _Policy(linesep="\r\n", cte_type="7bit")
_SMTPUTF8 = _Policy(linesep="\r\n", cte_type="7bit", utf8=True)

_CONNECT_SECONDS = 20.0
_REPLY_SECONDS = 60.0
_DATA_SECONDS = 300.0
_REFERENCES_MAX = 30
_LOGIN_WANTED = frozenset({530, 534, 535, 538})
_RE = re.compile(r"(?:re|aw|sv|antw|odp|vs|ref|rif|res|ynt|回复|答复|回覆)(?:\[\d+\])?\s*[:：]", re.IGNORECASE)
_SIGNED_FIELDS = b"from to cc subject date message-id in-reply-to references reply-to mime-version content-type auto-submitted".split()


def message_id(key: str, domain: str) -> str:
    """`<key@domain>`: the same for every attempt, so that the recipient's server sees one mail. Raises Rejected."""
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,128}", key):
        raise Rejected("the message's key cannot stand in a Message-ID", code="bad_key")
    return f"<{key}@{domain}>"


def reply_subject(subject: str | None, *, is_reply: bool) -> str:
    """One line; a reply is prefixed once, whatever language the other side's prefix has."""
    clean = one_line(subject or "")[:900]
    return f"Re: {clean}".rstrip() if is_reply and not _RE.match(clean) else clean


def _mailbox(address: str, name: str | None) -> MailAddress:
    local, _, domain = normalise_address(address).rpartition("@")
    return MailAddress(display_name=one_line(name or "")[:200], username=local, domain=domain)


def _mailboxes(many: Iterable[Address]) -> tuple[MailAddress, ...]:
    return tuple(_mailbox(one.value, one.name) for one in many)


def recipient(message: Outbound) -> Address:
    """Where the mail goes: to Reply-To where the one who is answered asked for that, else to the address given."""
    route = message.route
    asked = route.get("reply_to")
    if isinstance(asked, str) and asked and message.to.value == route.get("from"):
        name = route.get("reply_to_name")
        return Address(kind="email", value=asked, name=name if isinstance(name, str) else None)
    return message.to


def sender_name(author: str | None, settings: EmailSettings) -> str:
    """The name beside our address: agent and company in the account's own arrangement, or the one of them there is."""
    if not author or not settings.display_name:
        return author or settings.display_name
    names = {"{agent}": author, "{company}": settings.display_name}
    # In one pass: what stands in a name is never read as a place for another.
    return re.sub(r"\{agent\}|\{company\}", lambda found: names[found[0]], settings.sender_name)


def render(message: Outbound, settings: EmailSettings, secret: bytes) -> EmailMessage:
    """The whole mail. Every field is set through the library's policy, which refuses line breaks. Raises Rejected."""
    try:
        return _render(message, settings, secret)
    except (ValueError, IndexError, TypeError) as error:
        raise Rejected("this message cannot be written as a mail", code="unrenderable") from error


def _render(message: Outbound, settings: EmailSettings, secret: bytes) -> EmailMessage:
    mail = EmailMessage(policy=_SMTP)
    is_reply = message.reply_to is not None or bool(message.thread_refs)
    mail["From"] = _mailbox(settings.address, sender_name(message.author, settings))
    mail["To"] = _mailbox(recipient(message).value, recipient(message).name)
    if message.cc:
        mail["Cc"] = _mailboxes(message.cc)
    own_name = message.route.get("subject")
    subject = message.subject or (own_name if isinstance(own_name, str) else "")
    mail["Subject"] = reply_subject(subject, is_reply=is_reply)
    mail["Date"] = format_datetime(localtime())
    mail["Message-ID"] = message_id(message.key, settings.domain)
    _thread(mail, message)
    if settings.plus_addressing and message.route_id:
        signed = tokens.signed_address(settings.address, tokens.Purpose.ROUTE, message.route_id, secret)
        if signed:
            mail["Reply-To"] = _mailbox(signed, settings.display_name)
    mail["X-Loop"] = settings.address
    if message.automated:
        mail["Auto-Submitted"] = "auto-replied"
        mail["X-Auto-Response-Suppress"] = "All"
    if message.language and re.fullmatch(r"[A-Za-z0-9-]{2,35}", message.language):
        mail["Content-Language"] = message.language
    _fill(mail, message, settings)
    return mail


def _thread(mail: EmailMessage, message: Outbound) -> None:
    answered = message_ids(message.reply_to or "")[:1]
    chain = [one for ref in message.thread_refs for one in message_ids(ref)[:1] if not ref.startswith("route:")]
    chain = [one for one in dict.fromkeys(chain) if one not in answered] + answered
    if len(chain) > _REFERENCES_MAX:
        chain = [chain[0], *chain[-(_REFERENCES_MAX - 1) :]]
    if answered or chain:
        mail["In-Reply-To"] = (answered or chain[-1:])[0]
        mail["References"] = " ".join(chain)


def _fill(mail: EmailMessage, message: Outbound, settings: EmailSettings) -> None:
    text = message.text.replace("\r\n", "\n").replace("\r", "\n").strip("\n")
    shown = message.html if message.html is not None else html.from_text(text)
    if settings.signature.strip() and not (settings.signature_on is SignatureOn.PEOPLE and message.automated):
        text = f"{text}\n\n-- \n{settings.signature.strip()}"
        shown = f'{shown}\n<div class="signature">-- <br>{html.from_text(settings.signature)}</div>'
    mail.set_content(text + "\n", charset="utf-8", cte=_text_encoding(text))
    mail.add_alternative(shown + "\n", subtype="html", charset="utf-8", cte=_text_encoding(shown))
    body = mail.get_body(("html",))
    inline = [one for one in message.attachments if one.inline and one.content_id and one.content is not None]
    for one in inline:
        main, sub = _split_type(one.content_type)
        body.add_related(  # type: ignore[union-attr]
            one.content,
            main,
            sub,
            filename=safe_filename(one.filename, "image"),
            disposition="inline",
            cid=f"<{one_line(one.content_id or '')}>",
        )
    for one in message.attachments:
        if one in inline:
            continue
        if one.content is None:
            raise Rejected("an attachment has no content", code="attachment_missing")
        main, sub = _split_type(one.content_type)
        mail.add_attachment(one.content, main, sub, filename=safe_filename(one.filename, "attachment"))


def _text_encoding(text: str) -> str:
    ascii_share = sum(c.isascii() for c in text[:4096]) / max(1, min(len(text), 4096))
    return "quoted-printable" if ascii_share > 0.7 else "base64"


def _split_type(content_type: str) -> tuple[str, str]:
    main, _, sub = content_type.partition("/")
    if main in {"text", "message", "multipart"} or not re.fullmatch(r"[a-z]+/[a-z0-9.+-]+", content_type):
        # A text part would be re-encoded and a message part read again: files travel as the octets they are.
        return "application", "octet-stream"
    return main, sub


def to_bytes(mail: EmailMessage, settings: EmailSettings) -> bytes:
    """The mail as octets with CRLF, 7-bit, DKIM-signed (RFC 6376) where a key is set. Raises Rejected."""
    unicode_needed = any(
        not str(mail[name] or "").isascii() and not _encodable(mail, name) for name in ("From", "To", "Cc", "Reply-To")
    )
    data = mail.as_bytes(policy=_SMTPUTF8 if unicode_needed else _SMTP)
    if settings.dkim_private_key is None:
        return data
    try:
        signature = dkim.sign(
            data,
            settings.dkim_selector.encode(),
            (settings.dkim_domain or settings.domain).encode(),
            settings.dkim_private_key.get_secret_value().encode(),
            canonicalize=(b"relaxed", b"relaxed"),
            # From is named once more than it stands there, so that nobody can add a second one (RFC 6376 §8.15).
            include_headers=[b"from", *(name for name in _SIGNED_FIELDS if mail[name.decode()] is not None)],
        )
    except Exception:  # dkimpy raises many kinds for a bad key; none of their texts may reach a log, they quote the key
        raise AuthFailed("the DKIM key cannot be used: paste a PEM private key (RSA)", code="dkim_key") from None
    return bytes(signature) + data


def _encodable(mail: EmailMessage, name: str) -> bool:
    return all(one.addr_spec.isascii() for one in mail[name].addresses)


def return_path(message: Outbound, settings: EmailSettings, secret: bytes) -> str:
    """Empty for automatic mail (RFC 3834 §3.3); else the address, tagged with the message's key where that is allowed."""
    if message.automated:
        return ""
    if settings.tagged_return_path:
        return tokens.signed_address(settings.address, tokens.Purpose.BOUNCE, message.key, secret) or settings.address
    return settings.address


def connection(settings: EmailSettings, token: str | None = None) -> aiosmtplib.SMTP:
    user = settings.smtp_user or None

    async def generated() -> str:
        return token or ""

    return aiosmtplib.SMTP(
        hostname=settings.smtp_host,
        port=settings.smtp_port,
        username=user,
        password=settings.smtp_password.get_secret_value() if user and token is None else None,
        oauth_token_generator=generated if user and token is not None else None,
        use_tls=settings.smtp_security is Security.TLS,
        start_tls=settings.smtp_security is Security.STARTTLS,
        local_hostname=settings.domain,
        timeout=_REPLY_SECONDS,
    )


async def connect(settings: EmailSettings, token: str | None = None) -> aiosmtplib.SMTP:
    """A connection, encrypted and logged in as the settings say, by SASL XOAUTH2 where there is an access token.

    Raises AuthFailed, Retryable or Rejected.
    """
    client = connection(settings, token)
    where = f"{settings.smtp_host}:{settings.smtp_port}"
    try:
        await client.connect(timeout=_CONNECT_SECONDS)
        if client.is_ehlo_or_helo_needed:
            await _greet(client)
        return client
    except aiosmtplib.SMTPAuthenticationError as error:
        client.close()
        if error.code < 500 and error.code != 432:
            raise Retryable(f"{where} cannot check the login now ({error.code})", code="smtp_login_deferred") from None
        raise AuthFailed(f"{where} refused the user or the password ({error.code})", code="smtp_login") from None
    except aiosmtplib.SMTPNotSupported:
        client.close()
        raise Rejected(
            f"{where} does not offer the login or the encryption that is set", code="smtp_unsupported"
        ) from None
    except aiosmtplib.SMTPResponseException as error:
        client.close()
        if error.code in _LOGIN_WANTED:
            raise AuthFailed(f"{where} wants a login ({error.code})", code="smtp_login") from None
        if error.code >= 500:
            raise Rejected(f"{where} refused the connection ({error.code})", code="smtp_refused") from None
        raise Retryable(f"{where} is busy ({error.code})", code="smtp_busy") from None
    except (aiosmtplib.SMTPException, OSError, TimeoutError, ValueError) as error:
        client.close()
        if type(error) is aiosmtplib.SMTPException:
            # So it is raised where STARTTLS or AUTH is missing from the server's list.
            raise Rejected(f"{where}: {one_line(str(error))[:200]}", code="smtp_unsupported") from None
        if isinstance(error, ssl.SSLCertVerificationError) or isinstance(error.__cause__, ssl.SSLCertVerificationError):
            raise Rejected(f"{where} shows a certificate that does not hold", code="smtp_certificate") from None
        raise Retryable(f"{where} cannot be reached ({type(error).__name__})", code="smtp_unreachable") from None


async def _greet(client: aiosmtplib.SMTP) -> None:
    try:
        await client.ehlo()
    except aiosmtplib.SMTPHeloError:
        await client.helo()


async def send(message: Outbound, settings: EmailSettings, secret: bytes, access: Access) -> Sent:
    """One mail transaction. A failure before the mail's octets were sent is certain; one after them is in doubt."""
    mail = render(message, settings, secret)
    data = await asyncio.to_thread(to_bytes, mail, settings)
    if len(data) > 50 * 1024 * 1024:
        raise Rejected("the mail is too large", code="too_large")
    main = normalise_address(recipient(message).value)
    others = list(dict.fromkeys(normalise_address(one.value) for one in (*message.cc, *message.bcc)))
    client = await access.logged_in(partial(connect, settings))
    try:
        path = return_path(message, settings, secret)
        envelope = _Envelope(path, settings.address, main, tuple(one for one in others if one != main), len(data))
        refused = await _open(client, envelope)
        return await _data(client, data, str(mail["Message-ID"]), refused)
    finally:
        await _goodbye(client)


@dataclass(frozen=True, slots=True)
class _Envelope:
    """Who is named to the mail server. `own` replaces an empty sender where the server knows none."""

    sender: str
    own: str
    main: str
    others: tuple[str, ...]
    size: int


async def _open(client: aiosmtplib.SMTP, envelope: _Envelope) -> list[str]:
    """MAIL and RCPT; the copies that were refused. The main recipient must be taken, or nothing is sent."""
    options = [f"SIZE={envelope.size}"] if client.supports_extension("size") else []
    international = not all(one.isascii() for one in (envelope.sender, envelope.main, *envelope.others))
    encoding = "utf-8" if international else "ascii"
    if international:
        if not client.supports_extension("smtputf8"):
            raise Undeliverable("the mail server cannot send to international addresses", code="smtputf8_missing")
        options.append("SMTPUTF8")
    try:
        try:
            await client.mail(envelope.sender, options=options, encoding=encoding)
        except aiosmtplib.SMTPResponseException as error:
            if envelope.sender or error.code < 500 or error.code in _LOGIN_WANTED:
                raise
            # Some submission servers know no empty return path; the fields still say that a machine wrote this.
            await client.mail(envelope.own, options=options, encoding=encoding)
        try:
            await client.rcpt(envelope.main, encoding=encoding)
        except aiosmtplib.SMTPRecipientRefused as error:
            raise _refusal(error, recipient=True) from None
        refused = []
        for other in envelope.others:
            try:
                await client.rcpt(other, encoding=encoding)
            except aiosmtplib.SMTPRecipientRefused:
                refused.append(other)
        return refused
    except aiosmtplib.SMTPResponseException as error:
        raise _refusal(error) from None
    except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
        raise Retryable(f"the mail server hung up ({type(error).__name__})", code="smtp_lost") from None
    except ValueError:
        raise Undeliverable("the address cannot be used", code="bad_address") from None


async def _data(client: aiosmtplib.SMTP, data: bytes, external_id: str, refused: Sequence[str]) -> Sent:
    try:
        response = await client.data(data, timeout=_DATA_SECONDS)
    except aiosmtplib.SMTPResponseException as error:
        raise _refusal(error) from None
    except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
        raise OutcomeUnknown(
            f"cut while the mail was handed over ({type(error).__name__})", code="smtp_in_doubt"
        ) from None
    detail: dict[str, Any] = {"response": one_line(response.message)[:200]}
    if refused:
        detail["refused_copies"] = list(refused)
    return Sent(external_id=external_id, detail=detail)


def _refusal(error: aiosmtplib.SMTPResponseException, *, recipient: bool = False) -> Exception:
    said = one_line(str(error.message))[:200]
    if error.code < 500:
        return Retryable(f"deferred: {error.code} {said}", code=f"smtp_{error.code}")
    if error.code in _LOGIN_WANTED:
        return AuthFailed(f"the mail server wants a login: {error.code} {said}", code="smtp_login")
    if recipient:
        return Undeliverable(f"refused: {error.code} {said}", code=f"smtp_{error.code}")
    return Rejected(f"refused: {error.code} {said}", code=f"smtp_{error.code}")


async def check(settings: EmailSettings, access: Access) -> None:
    """Connects, logs in, asks for nothing. Raises AuthFailed, Retryable or Rejected."""
    client = await access.logged_in(partial(connect, settings))
    await _goodbye(client)


async def _goodbye(client: aiosmtplib.SMTP) -> None:
    try:
        async with asyncio.timeout(2):
            await client.quit()
    except (aiosmtplib.SMTPException, OSError, TimeoutError):
        log.debug("the mail server did not say goodbye")
    finally:
        client.close()
