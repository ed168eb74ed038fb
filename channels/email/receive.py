"""The receiver for all e-mail accounts: 250 only after the commit (RFC 5321 §6.1).

By SMTP one reply answers for every account of a mail; by LMTP (RFC 2033) each recipient has its own, so that a
mail server nearby keeps in its queue just those whose account could not take the mail.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import re
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session

from channels.contract import RawInbound, Resolve, ServerConfig, SinkFor
from channels.email.encryption import ServerCertificate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import JsonValue

log = logging.getLogger(__name__)

_IN_MEMORY = 3
"""One octet of mail is held about three times while it is taken in: as lines, as one piece, in the sink's statement."""
_ADMISSION_SECONDS = 20.0
_SINK_SECONDS = 120.0
_GRACE_SECONDS = 1.0
_IDLE_SECONDS = 300
_WITHOUT_CODE = re.compile(r"(?!220)[245]\d\d (?![245]\.\d{1,3}\.\d)")
_RECIPIENTS_MAX = 100


class ByteBudget:
    """How many octets of mail may be in flight at once; who asks for more waits, for a bounded time."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._free = total
        self._changed = asyncio.Condition()

    async def take(self, wanted: int, seconds: float) -> int:
        """What was reserved, at most the whole budget. Raises TimeoutError."""
        wanted = min(wanted, self._total)
        if self._free >= wanted and not self._changed.locked():
            self._free -= wanted
            return wanted
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(lambda: self._free >= wanted)
            self._free -= wanted
        return wanted

    async def give_back(self, taken: int) -> None:
        self._free += taken
        async with self._changed:
            self._changed.notify_all()


class _Envelope(Envelope):
    """An SMTP transaction, with the accounts that its recipients belong to."""

    def __init__(self) -> None:
        super().__init__()
        self.accounts: dict[str, list[str]] = {}
        self.declared_size: int | None = None


def delivery_id(mail_from: str, rcpt_to: Sequence[str], body: bytes) -> str:
    """The id of a mail that came by SMTP: a client that never saw our 250 repeats the same envelope and the same octets."""
    digest = hashlib.sha256()
    for part in (
        mail_from.encode("utf-8", "surrogateescape"),
        *(r.encode("utf-8", "surrogateescape") for r in sorted(rcpt_to)),
    ):
        digest.update(len(part).to_bytes(4, "big") + part)
    digest.update(body)
    return f"smtp:{digest.hexdigest()}"


class _Handler:
    """aiosmtpd's hooks."""

    protocol = "smtp"

    def __init__(
        self, sink_for: SinkFor, resolve: Resolve, normalise: Callable[[str], str], commits: set[asyncio.Task[None]]
    ) -> None:
        self._sink_for = sink_for
        self._resolve = resolve
        self._normalise = normalise
        self._commits = commits

    async def handle_MAIL(
        self, _server: SMTP, _session: Session, envelope: _Envelope, address: str, options: list[str]
    ) -> str:
        for option in options:
            name, _, value = option.partition("=")
            if name.upper() == "SIZE" and value.isdigit():
                envelope.declared_size = int(value)
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: _Envelope, address: str, options: list[str]
    ) -> str:
        if len(envelope.rcpt_tos) >= _RECIPIENTS_MAX:
            return "452 4.5.3 Too many recipients"
        try:
            account = await self._resolve(self._normalise(address))
        except ValueError:
            return "550 5.1.3 Not a valid address"
        except Exception:
            log.exception("recipient lookup failed")
            return "451 4.3.0 Try again later"
        if account is None:
            return "550 5.1.1 No such recipient here"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        envelope.accounts.setdefault(account, []).append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: _Envelope) -> str:
        body = envelope.original_content or b""
        ends = body.count(b"\r\n")
        if b"\x00" in body or body.count(b"\n") != ends or body.count(b"\r") != ends:
            return "554 5.6.0 NUL, bare CR or bare LF in the message"
        return await self._stored(session, envelope, body)

    async def _stored(self, session: Session, envelope: _Envelope, body: bytes) -> str:
        return await self._taken(session, envelope, list(envelope.accounts), body)

    async def _taken(self, session: Session, envelope: _Envelope, accounts: Sequence[str], body: bytes) -> str:
        """The reply for these accounts: 250 once all of them have the mail."""
        task = asyncio.create_task(self._commit(session, envelope, accounts, body))
        self._commits.add(task)
        task.add_done_callback(self._commits.discard)
        task.add_done_callback(_retrieve)
        try:
            # A client that hangs up now must not tear a half-done commit apart: it will send again, and be a duplicate.
            async with asyncio.timeout(_SINK_SECONDS):
                await asyncio.shield(task)
        except Exception as error:
            log.error("mail not stored: %s", type(error).__name__)
            return "451 4.3.0 Not stored, try again later"
        return "250 2.0.0 OK"

    def _facts(self, session: Session) -> dict[str, JsonValue]:
        facts: dict[str, JsonValue] = {
            "protocol": self.protocol,
            "peer_ip": session.peer[0] if isinstance(session.peer, tuple) else None,
            "helo": session.host_name,
        }
        return {**facts, "tls": True} if session.ssl is not None else facts

    async def _commit(self, session: Session, envelope: _Envelope, accounts: Sequence[str], body: bytes) -> None:
        mail_from = "" if envelope.mail_from in (None, "<>") else str(envelope.mail_from)
        for account in accounts:
            rcpt_to = envelope.accounts[account]
            raw = RawInbound(
                external_id=delivery_id(mail_from, rcpt_to, body),
                body=body,
                content_type="message/rfc822",
                transport={
                    **self._facts(session),
                    "mail_from": _utf8(mail_from),
                    "rcpt_to": [_utf8(r) for r in rcpt_to],
                },
            )
            await self._sink_for(account)([raw])

    async def handle_exception(self, error: Exception) -> str:
        log.error("SMTP session failed: %s", type(error).__name__)
        return "451 4.3.0 Internal error, try again later"


class _LmtpHandler(_Handler):
    """The same with a reply for each recipient, in the order in which they were named (RFC 2033 §4.2)."""

    protocol = "lmtp"

    async def _stored(self, session: Session, envelope: _Envelope, body: bytes) -> str:
        replies = {
            account: await self._taken(session, envelope, [account], body)
            for account in dict.fromkeys(envelope.accounts)
        }
        owners = {rcpt: account for account, many in envelope.accounts.items() for rcpt in many}
        return "\r\n".join(replies[owners[rcpt]] for rcpt in envelope.rcpt_tos)

    async def handle_EHLO(
        self, _server: SMTP, session: Session, _envelope: _Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return [responses[0], "250-PIPELINING", "250-ENHANCEDSTATUSCODES", *responses[1:]]

    def _facts(self, session: Session) -> dict[str, JsonValue]:
        # Whoever hands over is a server of the house: its address says nothing of where the mail came from.
        return {**super()._facts(session), "peer_ip": None}


def _retrieve(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.exception()


def _utf8(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


class _Session(SMTP):
    """aiosmtpd's protocol, with admission by byte budget before 354 and without AUTH."""

    line_length_limit = 64 * 1024
    """Far above RFC 5321's 1,000 octets: many senders do not fold, and a refused mail helps nobody."""

    def __init__(
        self,
        handler: _Handler,
        config: ServerConfig,
        budget: ByteBudget,
        sessions: set[_Session],
        loop: Any,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(
            handler,
            data_size_limit=config.message_bytes_max,
            enable_SMTPUTF8=True,
            hostname=config.hostname,
            ident="ESMTP",
            timeout=_IDLE_SECONDS,
            auth_exclude_mechanism=("LOGIN", "PLAIN"),
            tls_context=tls,
            loop=loop,
        )
        self._limit = config.message_bytes_max
        self._budget = budget
        self._sessions = sessions

    def _create_envelope(self) -> Envelope:
        return _Envelope()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._sessions.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._sessions.discard(self)
        super().connection_lost(error)

    async def smtp_DATA(self, arg: str) -> None:
        envelope = self.envelope
        declared = envelope.declared_size if isinstance(envelope, _Envelope) else None
        # Who announces a size is held to it (with room for a dishonest few octets); who announces none is charged for the most.
        expected = self._limit if declared is None else min(self._limit, declared + 64 * 1024)
        try:
            taken = await self._budget.take(expected * _IN_MEMORY, _ADMISSION_SECONDS)
        except TimeoutError:
            await self.push("452 4.3.1 Too much mail in flight, try again later")
            return
        try:
            self.data_size_limit = expected
            await super().smtp_DATA(arg)
        finally:
            self.data_size_limit = self._limit
            await asyncio.shield(self._budget.give_back(taken))

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()  # type: ignore[attr-defined]


class _LmtpSession(LMTP, _Session):
    """As many replies to a mail as it has recipients, also where all get the same (RFC 2033 §4.2).

    Replies that are not ours get an enhanced status code too, which §5 asks for (RFC 2034: not in greetings).
    """

    _owed = 0
    _greeting = False

    async def smtp_LHLO(self, arg: str) -> None:
        self._greeting = True
        try:
            await super().smtp_LHLO(arg)
        finally:
            self._greeting = False

    async def push(self, status: str | bytes) -> None:
        text = status.decode() if isinstance(status, bytes) else status
        if not self._greeting and _WITHOUT_CODE.match(text):
            text = f"{text[:4]}{text[0]}.{'5' if text[0] == '5' else '0'}.0 {text[4:]}"
        if self._owed and "\r\n" not in text:
            text = "\r\n".join([text] * self._owed)
        self._owed = len(self.envelope.rcpt_tos) if text.startswith("354") and self.envelope is not None else 0
        await super().push(text)


async def serve(
    config: ServerConfig,
    sink_for: SinkFor,
    resolve: Resolve,
    ready: Callable[[int], None],
    normalise: Callable[[str], str],
) -> None:
    """Runs until cancelled, then closes the port, lets commits under way finish for a moment, and hangs up."""
    loop = asyncio.get_running_loop()
    sessions: set[_Session] = set()
    commits: set[asyncio.Task[None]] = set()
    handler = _Handler(sink_for, resolve, normalise, commits)
    nearby = _LmtpHandler(sink_for, resolve, normalise, commits)
    budget = ByteBudget(config.inflight_bytes_max)
    certificate = ServerCertificate(config.certificate, config.certificate_key) if config.certificate else None

    def from_outside() -> _Session:
        return _Session(handler, config, budget, sessions, loop, certificate.context() if certificate else None)

    def from_nearby() -> _Session:
        return _LmtpSession(nearby, config, budget, sessions, loop)

    servers: list[asyncio.AbstractServer] = []
    try:
        first = await loop.create_server(from_outside, config.host, config.port, backlog=512)
        servers.append(first)
        if config.lmtp_port:
            servers.append(await loop.create_server(from_nearby, config.lmtp_host, config.lmtp_port, backlog=512))
        if config.lmtp_socket is not None:
            servers.append(await _on_socket(from_nearby, config.lmtp_socket))
        ready(first.sockets[0].getsockname()[1])
        await loop.create_future()
    finally:
        for server in servers:
            server.close()
        if config.lmtp_socket is not None:
            config.lmtp_socket.unlink(missing_ok=True)
        if commits:
            _done, late = await asyncio.wait(commits, timeout=_GRACE_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.sleep(0)
        for session in list(sessions):
            session.abort()


async def _on_socket(made: Callable[[], _Session], path: Path) -> asyncio.AbstractServer:
    """A Unix socket for our own user and group. What a killed process has left behind is replaced."""
    before = os.umask(0o117)
    try:
        return await asyncio.get_running_loop().create_unix_server(made, path, backlog=512)
    finally:
        os.umask(before)
