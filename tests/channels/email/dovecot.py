"""A real Dovecot on loopback, and a proxy that cuts connections to it."""

from __future__ import annotations

import asyncio
import os
import pwd
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from imapclient import IMAPClient

from tests.channels.email.certificates import Certificate

PASSWORD = "hunter2"


def required() -> str:
    """The path of the server's program; without it the test is skipped, on CI it fails."""
    program = shutil.which("dovecot") or ("/usr/sbin/dovecot" if Path("/usr/sbin/dovecot").exists() else None)
    if program is None:
        if os.environ.get("CI") == "true":
            pytest.fail("Dovecot is not installed (apt-get install dovecot-imapd)")
        pytest.skip("Dovecot is not installed: tests against a real IMAP server are skipped")
    return program


@dataclass(frozen=True)
class Server:
    """A running server, and the user whose mailbox a test works with: every name has a mailbox of its own."""

    port: int
    folder: Path
    user: str = "nobody"
    tls_port: int = 0
    """With TLS from the first octet; 0 without a certificate."""

    def client(self) -> IMAPClient:
        client = IMAPClient("127.0.0.1", self.port, ssl=False, timeout=10)
        client.login(self.user, PASSWORD)
        return client

    def append(self, *mails: bytes, folder: str = "INBOX") -> None:
        with self.client() as client:
            for mail in mails:
                client.append(folder, mail)

    def expunge(self, *uids: int) -> None:
        with self.client() as client:
            client.select_folder("INBOX")
            client.delete_messages(uids)
            client.expunge()

    def flags(self) -> dict[int, tuple[bytes, ...]]:
        with self.client() as client:
            client.select_folder("INBOX", readonly=True)
            return dict(client.get_flags(client.search()))

    def renumber(self) -> None:
        """A new UIDVALIDITY over the same mails, as after a restore from backup."""
        maildir = self.folder / "mail" / self.user
        uidlist = maildir / "dovecot-uidlist"
        uidlist.write_text(
            re.sub(r" V(\d+) ", lambda found: f" V{int(found[1]) + 1000} ", uidlist.read_text(), count=1)
        )
        for index in maildir.glob("dovecot.index*"):
            index.unlink()


def _encryption(folder: Path, certificate: Certificate | None) -> str:
    if certificate is None:
        return "ssl = no"
    for source in (certificate.certificate, certificate.key):
        shutil.copy(source, folder / source.name)
    return f"ssl = yes\nssl_cert = <{folder}/{certificate.certificate.name}\nssl_key = <{folder}/{certificate.key.name}"


def _tokens(folder: Path, introspection_url: str | None) -> str:
    """Logins by XOAUTH2, each asked of the authorization server. Without it, passwords."""
    if introspection_url is None:
        return f"passdb {{\n  driver = static\n  args = password={PASSWORD}\n}}"
    (folder / "oauth2.conf").write_text(
        f"introspection_mode = get\nintrospection_url = {introspection_url}?token=\n"
        "username_attribute = username\nactive_attribute = active\nactive_value = true\n"
    )
    return (
        "auth_mechanisms = xoauth2 oauthbearer\nauth_cache_size = 0\n"
        f"passdb {{\n  driver = oauth2\n  mechanisms = xoauth2 oauthbearer\n  args = {folder}/oauth2.conf\n}}"
    )


@contextmanager
def running(
    folder: Path, *, certificate: Certificate | None = None, introspection_url: str | None = None
) -> Iterator[Server]:
    """Runs Dovecot as an unprivileged user with its data below `folder`."""
    program = required()
    user = "nobody" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
    account = pwd.getpwnam(user)
    group = subprocess.run(["id", "-gn", user], capture_output=True, text=True, check=True).stdout.strip()
    with socket.socket() as probe, socket.socket() as other:
        probe.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        port, tls_port = probe.getsockname()[1], other.getsockname()[1] if certificate else 0
    for name in ("base", "state", "mail"):
        (folder / name).mkdir(parents=True)
    (folder / "dovecot.conf").write_text(
        f"""
base_dir = {folder}/base
state_dir = {folder}/state
log_path = {folder}/dovecot.log
protocols = imap
listen = 127.0.0.1
{_encryption(folder, certificate)}
disable_plaintext_auth = no
default_internal_user = {user}
default_login_user = {user}
default_internal_group = {group}
first_valid_uid = 1
mail_location = maildir:{folder}/mail/%u
mailbox_idle_check_interval = 1 secs
{_tokens(folder, introspection_url)}
userdb {{
  driver = static
  args = uid={account.pw_uid} gid={account.pw_gid} home={folder}/mail/%u
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""
    )
    if os.getuid() == 0:
        subprocess.run(["chown", "-R", f"{account.pw_uid}:{account.pw_gid}", str(folder)], check=True)
        for parent in folder.parents:
            if parent != Path("/") and parent.stat().st_uid == 0 and not parent.stat().st_mode & 0o001:
                parent.chmod(parent.stat().st_mode | 0o011)
    process = subprocess.Popen([program, "-F", "-c", str(folder / "dovecot.conf")], cwd=folder)
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if time.monotonic() > deadline or process.poll() is not None:
                    log = folder / "dovecot.log"
                    pytest.fail(f"Dovecot does not start: {log.read_text() if log.exists() else 'no log'}")
                time.sleep(0.05)
        yield Server(port, folder, tls_port=tls_port)
    finally:
        process.terminate()
        process.wait(10)


class CuttingProxy:
    """Passes bytes to and from a server; cuts or goes silent on demand."""

    def __init__(self, target: int) -> None:
        self._target = target
        self.port = 0
        self.cut_after: int | None = None
        """Bytes from the server after which every connection is cut."""
        self.silent = False
        self.passed = 0
        self.connections = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> CuttingProxy:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_error: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()

    def cut(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers |= {writer, far_writer}
        await asyncio.gather(
            self._pump(reader, far_writer, counts=False),
            self._pump(far_reader, writer, counts=True),
            return_exceptions=True,
        )
        self._writers -= {writer, far_writer}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counts: bool) -> None:
        try:
            while data := await reader.read(4096):
                if self.silent:
                    continue
                if counts and self.cut_after is not None and self.passed + len(data) > self.cut_after:
                    writer.write(data[: max(0, self.cut_after - self.passed)])
                    await writer.drain()
                    self.cut()
                    return
                self.passed += len(data) if counts else 0
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()
