"""A mail provider to test against: a real SMTP server on loopback that takes everything and writes it down.

The ledger is append-only JSON lines, one row per mail accepted, flushed to disk before the 250 is given, so that
another process can read what was delivered. A customer's mail program for the way in is here as well.
"""

from __future__ import annotations

import asyncio
import base64
import email
import json
import os
import re
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.policy import default
from email.utils import format_datetime, make_msgid
from enum import StrEnum
from pathlib import Path
from typing import Self

import aiosmtplib
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

_XOAUTH2 = re.compile(r"user=([^\x01]+)\x01auth=Bearer ([^\x01]+)\x01\x01\Z")


class Misbehaviour(StrEnum):
    """What the provider does wrong until told otherwise."""

    NONE = "none"
    SLOW = "slow"
    """Waits for `pause` before it answers DATA."""
    DEFER = "defer"
    """Answers every mail with 451."""
    REJECT = "reject"
    """Answers every mail with 554."""
    REJECT_RECIPIENT = "reject_recipient"
    """Answers every RCPT with 550."""
    AUTH = "auth"
    """Refuses every login, and every mail without one."""
    SHUT_DOWN = "shut_down"
    """Answers every MAIL with 421."""
    NO_EMPTY_PATH = "no_empty_path"
    """Answers an empty MAIL FROM with 553, as some submission servers do."""
    DROP = "drop"
    """Accepts the mail, writes it down, and hangs up before the reply."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """One mail in the ledger."""

    message_id: str
    mail_from: str
    rcpt_to: tuple[str, ...]
    received_at: datetime
    raw: bytes = field(repr=False)

    @property
    def mail(self) -> EmailMessage:
        parsed = email.message_from_bytes(self.raw, policy=default)
        if not isinstance(parsed, EmailMessage):
            raise TypeError("the default policy makes EmailMessage")
        return parsed

    @property
    def subject(self) -> str:
        return str(self.mail["Subject"] or "")

    @property
    def text(self) -> str:
        part = self.mail.get_body(("plain",))
        return str(part.get_content()).replace("\r\n", "\n").rstrip("\n") if part is not None else ""

    @property
    def html(self) -> str | None:
        part = self.mail.get_body(("html",))
        return str(part.get_content()) if part is not None else None

    @property
    def attachments(self) -> tuple[tuple[str, bytes], ...]:
        """Name and octets of each."""
        return tuple((p.get_filename() or "", p.get_payload(decode=True) or b"") for p in self.mail.iter_attachments())  # type: ignore[misc]

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        return tuple((name, str(value)) for name, value in self.mail.items())


def read_ledger(path: Path) -> list[Delivered]:
    """Every mail written so far, oldest first; a line that is still being written is left out."""
    if not path.exists():
        return []
    rows = []
    for line in path.read_bytes().split(b"\n")[:-1]:
        row = json.loads(line)
        rows.append(
            Delivered(
                message_id=row["message_id"],
                mail_from=row["mail_from"],
                rcpt_to=tuple(row["rcpt_to"]),
                received_at=datetime.fromisoformat(row["received_at"]),
                raw=base64.b64decode(row["raw"]),
            )
        )
    return rows


class FakeMailProvider:
    """`async with FakeMailProvider(ledger) as provider:` and set `smtp_host`, `smtp_port` to `provider.host`, `provider.port`."""

    def __init__(
        self,
        ledger: Path,
        *,
        port: int = 0,
        user: str = "",
        password: str = "",
        pause: float = 0.5,
        tokens: Callable[[str, str], bool] | None = None,
        certificate: ssl.SSLContext | None = None,
        encrypted: bool = False,
    ) -> None:
        """`tokens(user, access token)` opens SASL XOAUTH2; `certificate` offers STARTTLS, or TLS at once if `encrypted`."""
        self.ledger = ledger
        self.host = "127.0.0.1"
        self.port = port
        self.pause = pause
        self.misbehaviour = Misbehaviour.NONE
        self.arrived = asyncio.Condition()
        self.logins: list[str] = []
        """The mechanisms of the logins that were tried."""
        self._user, self._password = user, password
        self._tokens, self._certificate, self._encrypted = tokens, certificate, encrypted
        self._server: asyncio.Server | None = None
        self._sessions: set[_Session] = set()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.stop()

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self.ledger.parent.mkdir(parents=True, exist_ok=True)
        self._server = await loop.create_server(
            lambda: _Session(self, loop), self.host, self.port, ssl=self._certificate if self._encrypted else None
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            for session in list(self._sessions):
                session.hang_up()
            self._server = None

    def delivered(self) -> list[Delivered]:
        return read_ledger(self.ledger)

    def mailbox(self, address: str) -> list[Delivered]:
        """The mails that this outside address has got, oldest first."""
        wanted = address.lower()
        return [one for one in self.delivered() if wanted in (r.lower() for r in one.rcpt_to)]

    async def wait_for(self, count: int, seconds: float = 10) -> list[Delivered]:
        """The ledger once it holds `count` mails. Raises TimeoutError."""
        async with asyncio.timeout(seconds), self.arrived:
            await self.arrived.wait_for(lambda: len(self.delivered()) >= count)
        return self.delivered()

    def login_ok(self, login: bytes, password: bytes) -> bool:
        if self.misbehaviour is Misbehaviour.AUTH:
            return False
        if self._tokens is not None:
            return False
        return not self._user or (login.decode(), password.decode()) == (self._user, self._password)

    @property
    def takes_tokens(self) -> bool:
        return self._tokens is not None

    def token_ok(self, user: str, token: str) -> bool:
        return self.misbehaviour is not Misbehaviour.AUTH and self._tokens is not None and self._tokens(user, token)

    @property
    def certificate(self) -> ssl.SSLContext | None:
        """What STARTTLS offers."""
        return None if self._encrypted else self._certificate

    @property
    def wants_login(self) -> bool:
        return bool(self._user) or self._tokens is not None or self.misbehaviour is Misbehaviour.AUTH

    async def write_down(self, envelope: Envelope) -> None:
        raw = envelope.original_content or b""
        row = {
            "message_id": str(email.message_from_bytes(raw, policy=default)["Message-ID"] or "").strip(),
            "mail_from": "" if envelope.mail_from in (None, "<>") else envelope.mail_from,
            "rcpt_to": envelope.rcpt_tos,
            "received_at": datetime.now(UTC).isoformat(),
            "raw": base64.b64encode(raw).decode("ascii"),
        }
        line = json.dumps(row).encode() + b"\n"
        await asyncio.to_thread(_append, self.ledger, line)
        async with self.arrived:
            self.arrived.notify_all()


def _append(path: Path, line: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(handle, line)
        os.fsync(handle)
    finally:
        os.close(handle)


class _Handler:
    def __init__(self, provider: FakeMailProvider) -> None:
        self._provider = provider

    async def handle_MAIL(
        self, _server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self._provider.misbehaviour is Misbehaviour.SHUT_DOWN:
            return "421 4.3.2 Shutting down"
        if self._provider.misbehaviour is Misbehaviour.NO_EMPTY_PATH and address == "<>":
            return "553 5.1.7 Sender address required"
        if self._provider.wants_login and not session.authenticated:
            return "530 5.7.0 Authentication required"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self._provider.misbehaviour is Misbehaviour.REJECT_RECIPIENT:
            return "550 5.1.1 No such user"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:
        wrong = self._provider.misbehaviour
        if wrong is Misbehaviour.DEFER:
            return "451 4.7.1 Greylisted, try again later"
        if wrong is Misbehaviour.REJECT:
            return "554 5.7.1 Refused"
        if wrong is Misbehaviour.SLOW:
            await asyncio.sleep(self._provider.pause)
        await self._provider.write_down(envelope)
        if wrong is Misbehaviour.DROP and server.transport is not None:
            server.transport.abort()  # type: ignore[attr-defined]
        return "250 2.0.0 OK"


class _Session(SMTP):
    def __init__(self, provider: FakeMailProvider, loop: asyncio.AbstractEventLoop) -> None:
        self._provider = provider

        def authenticate(
            _server: SMTP, _session: Session, _envelope: Envelope, mechanism: str, data: object
        ) -> AuthResult:
            provider.logins.append(mechanism)
            ok = isinstance(data, LoginPassword) and provider.login_ok(data.login, data.password)
            return AuthResult(success=ok, handled=ok)

        super().__init__(
            _Handler(provider),
            data_size_limit=50 * 1024 * 1024,
            enable_SMTPUTF8=True,
            hostname="provider.test",
            ident="ESMTP",
            auth_require_tls=False,
            authenticator=authenticate,
            tls_context=provider.certificate,
            auth_exclude_mechanism=("LOGIN", "PLAIN") if provider.takes_tokens else ("XOAUTH2",),
            loop=loop,
        )
        self._open = provider._sessions

    async def auth_XOAUTH2(self, _server: SMTP, args: list[str]) -> AuthResult:
        """A refusal comes as a challenge that holds JSON; the client's empty answer brings the reply."""
        self._provider.logins.append("XOAUTH2")
        found = _XOAUTH2.match(base64.b64decode(args[1]).decode("utf-8", "replace")) if len(args) == 2 else None
        if found and self._provider.token_ok(found[1], found[2]):
            return AuthResult(success=True, auth_data=LoginPassword(found[1].encode(), b""))
        await self.challenge_auth('{"status":"401","schemes":"bearer","scope":"mail"}')
        return AuthResult(success=False, handled=False)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._open.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._open.discard(self)
        super().connection_lost(error)

    def hang_up(self) -> None:
        if self.transport is not None:
            self.transport.abort()  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class CustomerMailbox:
    """A customer with a mail program: writes to a support address and answers what came back."""

    address: str
    name: str = ""

    def compose(
        self,
        to: str,
        subject: str,
        text: str,
        *,
        html: str | None = None,
        attachments: Sequence[tuple[str, str, bytes]] = (),
        answering: Delivered | None = None,
        headers: Sequence[tuple[str, str]] = (),
    ) -> EmailMessage:
        """A mail as a usual program writes it; `answering` quotes, threads and follows Reply-To. Attachments: name, type, octets."""
        mail = EmailMessage(policy=SMTP_POLICY)
        mail["From"] = f'"{self.name}" <{self.address}>' if self.name else self.address
        mail["Date"] = format_datetime(datetime.now(UTC))
        mail["Message-ID"] = make_msgid(domain=self.address.rpartition("@")[2])
        if answering is not None:
            original = answering.mail
            to = str(original["Reply-To"] or original["From"])
            subject = subject or str(original["Subject"])
            subject = subject if subject.lower().startswith("re:") else f"Re: {subject}"
            mail["In-Reply-To"] = answering.message_id
            mail["References"] = " ".join(filter(None, (str(original["References"] or ""), answering.message_id)))
            quoted = "\n".join(f"> {line}".rstrip() for line in answering.text.splitlines())
            text = f"{text}\n\nOn {original['Date']}, {original['From']} wrote:\n{quoted}"
        mail["To"] = to
        mail["Subject"] = subject
        for name, value in headers:
            mail[name] = value
        mail.set_content(text, charset="utf-8")
        if html is not None:
            mail.add_alternative(html, subtype="html", charset="utf-8")
        for name, content_type, content in attachments:
            main, _, sub = content_type.partition("/")
            mail.add_attachment(content, main, sub, filename=name)
        return mail

    async def write(self, host: str, port: int, mail: EmailMessage, *, rcpt_to: Sequence[str] = ()) -> str:
        """Hands the mail to the receiver at host and port and gives its Message-ID. Raises aiosmtplib's errors."""
        recipients = list(rcpt_to) or [one.addr_spec for one in mail["To"].addresses]
        await aiosmtplib.send(
            mail,
            sender=self.address,
            recipients=recipients,
            hostname=host,
            port=port,
            start_tls=False,
            local_hostname="customer.test",
        )
        return str(mail["Message-ID"])
