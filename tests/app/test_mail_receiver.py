"""The gateway's mail receiver as an operator sets it up: LMTP for servers nearby, STARTTLS for everybody."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from app.embedded import free_port
from core.accounts.service import connect
from core.db import transaction
from core.intake.models import Raw
from tests.channels.email import certificates
from tests.channels.email.mailbox import mail
from tests.house import house, until

ADDRESS = "support@shop.test"


def _by_lmtp(host: str, port: int) -> dict[str, tuple[int, bytes]]:
    with smtplib.LMTP(host, port, timeout=20) as client:
        return client.sendmail("ann@customer.test", [ADDRESS], mail(body=f"by {host}").encode())


def _by_starttls(port: int, context: ssl.SSLContext) -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=20, local_hostname="customer.test") as client:
        client.starttls(context=context)
        client.sendmail("ann@customer.test", [ADDRESS], mail(body="by STARTTLS").encode())


async def test_lmtp_and_starttls_as_set_in_the_environment(
    db: None, environment: dict[str, str], tmp_path: Path
) -> None:
    certificate, lmtp_port, path = certificates.made(tmp_path / "tls"), free_port(), tmp_path / "lmtp.sock"
    settings = {
        "AUTOCRM_SMTP_CERT": str(certificate.certificate),
        "AUTOCRM_SMTP_KEY": str(certificate.key),
        "AUTOCRM_LMTP_PORT": str(lmtp_port),
        "AUTOCRM_LMTP_SOCKET": str(path),
    }
    async with transaction() as session:
        await connect(session, "email", "Support", {"address": ADDRESS})
    async with house(environment, tmp_path / "logs") as made:
        made.start("gateway", **settings)
        await made.until_open(made.smtp_port, "gateway")
        await until(path.exists, "LMTP is spoken on the socket, the last to be opened")
        assert await asyncio.to_thread(_by_lmtp, "127.0.0.1", lmtp_port) == {}
        assert await asyncio.to_thread(_by_lmtp, str(path), 0) == {}
        await asyncio.to_thread(partial(_by_starttls, made.smtp_port, certificate.client()))
        # What has been answered with 250 is in the database already.
        async with transaction() as session:
            raws = list(await session.scalars(sa.select(Raw).order_by(Raw.seq)))
    assert [(raw.transport["protocol"], raw.transport.get("tls")) for raw in raws] == [
        ("lmtp", None),
        ("lmtp", None),
        ("smtp", True),
    ]
