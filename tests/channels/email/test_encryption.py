"""Real TLS in every direction: into our receiver, out to a provider, and to a mailbox."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest
import uvloop

from channels.contract import Outbound, Rejected, ServerConfig
from channels.email.adapter import Channel
from channels.email.encryption import ServerCertificate
from channels.email.fake import FakeMailProvider
from tests.channels.email import certificates
from tests.channels.email.certificates import Certificate
from tests.channels.email.dovecot import Server, running
from tests.channels.email.mailbox import ADDRESS, channel, customer, mail
from tests.channels.email.test_imap import Inbox, account, listening, numbered
from tests.channels.email.test_receive import Core


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificates.made(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def trusted(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> Certificate:
    """This process trusts the test's authority, as a machine trusts those that it was installed with."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.authority))
    return certificate


# ------------------------------------------------------------------------------------------------ our receiver


@asynccontextmanager
async def receiver(core: Core, certificate: Path, key: Path | None) -> AsyncIterator[int]:
    ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    settings = ServerConfig(hostname="mx.shop.test", certificate=certificate, certificate_key=key)
    task = asyncio.create_task(Channel.serve(settings, core.sink_for, core.resolve, ready.set_result))  # type: ignore[arg-type]
    try:
        yield await ready
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.wait_for(task, 2)


def encrypted(port: int, context: ssl.SSLContext, body: str = "Hello") -> str:
    """Hands over a mail under STARTTLS; the protocol that was agreed upon."""
    with smtplib.SMTP("127.0.0.1", port, local_hostname="customer.test", timeout=10) as client:
        client.starttls(context=context)
        client.sendmail("ann@customer.test", [ADDRESS], mail(body=body).encode())
        assert isinstance(client.sock, ssl.SSLSocket)
        return client.sock.version() or ""


async def test_mail_comes_in_under_starttls(certificate: Certificate) -> None:
    core = Core()
    async with receiver(core, certificate.certificate, certificate.key) as port:
        version = await asyncio.to_thread(encrypted, port, certificate.client())
        assert version in {"TLSv1.2", "TLSv1.3"}
        assert core.stored[0][1].transport["tls"] is True
        assert core.stored[0][1].transport["helo"] == "customer.test"

        def plain() -> None:
            with smtplib.SMTP("127.0.0.1", port, local_hostname="customer.test") as client:
                client.sendmail("ann@customer.test", [ADDRESS], mail(body="plain").encode())

        await asyncio.to_thread(plain)
    assert "tls" not in core.stored[1][1].transport


def test_mail_comes_in_under_starttls_on_the_loop_of_the_gateway(certificate: Certificate) -> None:
    async def scenario() -> Core:
        core = Core()
        async with receiver(core, certificate.certificate, certificate.key) as port:
            await asyncio.to_thread(encrypted, port, certificate.client(), "x" * 60 + "\r\n" + "y\r\n" * 50_000)
        return core

    core = uvloop.run(scenario())
    assert core.stored[0][1].transport["tls"] is True
    assert len(core.stored[0][1].body) > 150_000


async def test_without_a_certificate_nothing_is_offered() -> None:
    ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    core = Core()
    task = asyncio.create_task(Channel.serve(ServerConfig(), core.sink_for, core.resolve, ready.set_result))  # type: ignore[arg-type]
    port = await ready

    def offered() -> bool:
        with smtplib.SMTP("127.0.0.1", port) as client:
            client.ehlo()
            return client.has_extn("starttls")

    assert not await asyncio.to_thread(offered)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_what_was_sent_before_the_encryption_does_not_count_after_it(certificate: Certificate) -> None:
    """Commands that somebody in between pushes in behind STARTTLS (CVE-2011-0411) are thrown away."""
    core = Core()
    async with receiver(core, certificate.certificate, certificate.key) as port:

        def attack() -> bytes:
            with smtplib.SMTP("127.0.0.1", port, local_hostname="customer.test", timeout=10) as client:
                client.ehlo()
                assert client.sock is not None
                client.sock.sendall(b"STARTTLS\r\nMAIL FROM:<evil@x.test>\r\n")
                client.getreply()
                client.sock = certificate.client().wrap_socket(client.sock, server_hostname="127.0.0.1")
                client.file = None  # type: ignore[attr-defined]
                client.ehlo()
                return client.docmd("RCPT", f"TO:<{ADDRESS}>")[1]

        with suppress(OSError, smtplib.SMTPException):  # it may as well hang up
            assert b"MAIL" in await asyncio.to_thread(attack)
    assert core.stored == []


async def test_a_renewed_certificate_is_shown_without_a_restart(tmp_path: Path) -> None:
    first = certificates.made(tmp_path / "live", serial=11)
    core = Core()
    async with receiver(core, first.certificate, first.key) as port:

        def serial() -> int:
            context = ssl.create_default_context(cafile=str(first.authority))
            with smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
                client.starttls(context=context)
                assert isinstance(client.sock, ssl.SSLSocket)
                found = client.sock.getpeercert()
                assert found is not None
                return int(str(found["serialNumber"]), 16)

        assert await asyncio.to_thread(serial) == 11
        certificates.made(tmp_path / "live", serial=12)
        assert await asyncio.to_thread(serial) == 12
        first.certificate.write_text("half written")
        assert await asyncio.to_thread(serial) == 12


def test_a_certificate_that_cannot_be_read_is_an_error_at_the_start(tmp_path: Path, certificate: Certificate) -> None:
    with pytest.raises(OSError, match="nowhere"):
        ServerCertificate(tmp_path / "nowhere.pem", None)
    with pytest.raises(ssl.SSLError):
        ServerCertificate(certificate.certificate, certificate.authority)
    both = tmp_path / "both.pem"
    both.write_bytes(certificate.key.read_bytes() + certificate.certificate.read_bytes())
    assert ServerCertificate(both, None).context().get_ca_certs() == []


# ----------------------------------------------------------------------------------------------- to a provider


def answer() -> Outbound:
    return Outbound(key=str(uuid4()), to=customer(), subject="A question", text="Here you are.")


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_answers_go_out_encrypted(trusted: Certificate, tmp_path: Path, security: str) -> None:
    async with FakeMailProvider(
        tmp_path / "l", user="u", password="p", certificate=trusted.server(), encrypted=security == "tls"
    ) as provider:
        for host in ("127.0.0.1", "localhost"):
            adapter = channel(
                smtp_host=host, smtp_port=provider.port, smtp_security=security, smtp_user="u", smtp_password="p"
            )
            await adapter.check()
            await adapter.send(answer())
        assert len(provider.delivered()) == 2


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_a_certificate_that_nobody_vouches_for_gets_no_password(
    certificate: Certificate, tmp_path: Path, security: str
) -> None:
    async with FakeMailProvider(
        tmp_path / "l", user="u", password="p", certificate=certificate.server(), encrypted=security == "tls"
    ) as provider:
        adapter = channel(
            smtp_host="127.0.0.1", smtp_port=provider.port, smtp_security=security, smtp_user="u", smtp_password="p"
        )
        with pytest.raises(Rejected) as error:
            await adapter.send(answer())
        assert error.value.code == "smtp_certificate"
        assert provider.logins == []


async def test_a_certificate_of_another_name_gets_no_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = certificates.made(tmp_path, "mail.elsewhere.test")
    monkeypatch.setenv("SSL_CERT_FILE", str(other.authority))
    async with FakeMailProvider(tmp_path / "l", user="u", password="p", certificate=other.server()) as provider:
        adapter = channel(
            smtp_host="127.0.0.1", smtp_port=provider.port, smtp_security="starttls", smtp_user="u", smtp_password="p"
        )
        with pytest.raises(Rejected) as error:
            await adapter.send(answer())
        assert error.value.code == "smtp_certificate"
        assert provider.logins == []


# ------------------------------------------------------------------------------------------------ to a mailbox


@pytest.fixture(scope="module")
def dovecot(certificate: Certificate) -> Iterator[Server]:
    with (
        tempfile.TemporaryDirectory(prefix="autocrm-imap-tls-", ignore_cleanup_errors=True) as folder,
        running(Path(folder) / "d", certificate=certificate) as one,
    ):
        yield one


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_a_mailbox_is_read_encrypted(trusted: Certificate, dovecot: Server, security: str) -> None:
    server = replace(dovecot, user=f"u{uuid4().hex}")
    await asyncio.to_thread(partial(server.append, numbered(1)))
    port = server.tls_port if security == "tls" else server.port
    inbox = Inbox()
    async with listening(account(server, imap_port=port, imap_security=security), inbox):
        await inbox.holds(1)
        await asyncio.to_thread(partial(server.append, numbered(2)))
        await inbox.holds(2)
    assert inbox.subjects() == ["mail 1", "mail 2"]


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_a_mailbox_whose_certificate_nobody_vouches_for_is_not_opened(dovecot: Server, security: str) -> None:
    port = dovecot.tls_port if security == "tls" else dovecot.port
    with pytest.raises(Rejected) as error:
        await account(dovecot, imap_port=port, imap_security=security).poll({})
    assert error.value.code == "imap_certificate"
