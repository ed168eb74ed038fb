"""A shop with a help centre, a mailbox and a widget, served by the processes of a real installation."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest

from channels.email.fake import CustomerMailbox, Delivered, FakeMailProvider
from core.accounts.service import connect
from core.db import transaction
from tests.conftest import Servers
from tests.house import ROOT, House, house

SUPPORT = "help@fernweh.example"


@dataclass
class Shop:
    """The running shop, and the provider whose ledger says what customers got."""

    house: House
    provider: FakeMailProvider
    mail_account: UUID
    widget_account: UUID
    widget_key: str = "chat"

    async def write(self, mailbox: CustomerMailbox, subject: str, text: str, answering: Delivered | None = None) -> str:
        """A customer's mail, handed to the receiver; returns its Message-ID."""
        mail = mailbox.compose(SUPPORT, subject, text, answering=answering)
        return await mailbox.write("127.0.0.1", self.house.smtp_port, mail)


@pytest.fixture(scope="session")
def help_centre(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with the demo's articles and their vectors, to be copied."""
    name = "template_help_centre"
    url = servers.create_database(name=name)
    environment = {
        **os.environ,
        "DATABASE_URL": url,
        "REDIS_URL": servers.redis_url,
        "AUTOCRM_REDIS_NAMESPACE": name,
        "AUTOCRM_DATA": str(tmp_path_factory.mktemp("help-centre")),
    }
    command = [sys.executable, "-m", "app.cli", "kb", "import", str(ROOT / "app/demo/help_centre")]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, timeout=120)
    return name


@pytest.fixture
def template(request: pytest.FixtureRequest, servers: Servers) -> str:
    """The help centre for those who have a shop, an empty database for the others."""
    if "shop" in request.fixturenames:
        return str(request.getfixturevalue("help_centre"))
    return servers.template


@pytest.fixture
async def shop(db: None, environment: dict[str, str], tmp_path: Path) -> AsyncIterator[Shop]:
    """With a gateway; a test starts the worker (and the API) as it needs them."""
    async with FakeMailProvider(tmp_path / "ledger.jsonl") as provider, house(environment, tmp_path / "logs") as made:
        async with transaction() as session:
            mail = await connect(
                session,
                "email",
                "Support",
                {
                    "address": SUPPORT,
                    "display_name": "Fernweh & Field",
                    "smtp_host": provider.host,
                    "smtp_port": provider.port,
                    "smtp_security": "none",
                },
            )
            widget = await connect(session, "chat_widget", "Chat", {}, public_key="chat")
            ids = mail.id, widget.id
        made.start("gateway")
        await made.until_open(made.smtp_port, "gateway")
        yield Shop(made, provider, *ids)
