"""The e-mail channel on the conformance kit's bench: our own receiver in front, a fake mail provider behind."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

from pydantic import BaseModel

from channels.contract import Address, Cursor, RawInbound, ServerConfig, Sink, Stored
from channels.email.adapter import Channel
from channels.email.fake import CustomerMailbox, FakeMailProvider, Misbehaviour
from channels.email.settings import EmailSettings
from channels.testing import harness
from channels.testing.harness import Delivered, Fault

_USER, _PASSWORD = "support@shop.test", "correct-horse-battery"
_UNUSED: Mapping[str, str] = MappingProxyType(
    {
        "imap_password": "never-used-imap-password",
        "client_secret": "never-used-client-secret",
        "grant": '{"refresh": "never-used-refresh-token"}',
    }
)
"""Secrets that a mailbox with a password has no use for, and must hide just the same."""
_FAULTS: Mapping[Fault | None, Misbehaviour] = MappingProxyType(
    {
        None: Misbehaviour.NONE,
        Fault.RATE_LIMITED: Misbehaviour.DEFER,
        Fault.SERVER_ERROR: Misbehaviour.SHUT_DOWN,
        Fault.REFUSED: Misbehaviour.REJECT,
        Fault.UNKNOWN_RECIPIENT: Misbehaviour.REJECT_RECIPIENT,
        Fault.BAD_CREDENTIALS: Misbehaviour.AUTH,
        Fault.CUT_AFTER_ACCEPT: Misbehaviour.DROP,
    }
)


class Harness(harness.Harness):
    """Sends through `FakeMailProvider`; customers write to the real SMTP receiver."""

    why_not: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"arrivals": "mailboxes are read from a real Dovecot, in the tests of imap.py"}
    )

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._provider = FakeMailProvider(folder / "ledger.jsonl", user=_USER, password=_PASSWORD)

    async def start(self) -> None:
        await self._provider.start()

    async def stop(self) -> None:
        await self._provider.stop()

    def adapter_class(self) -> type[Channel]:
        return Channel

    def settings(self) -> EmailSettings:
        return self._settings()

    def secrets(self) -> Sequence[str]:
        return (_PASSWORD, *_UNUSED.values())

    def bad_settings(self) -> BaseModel:
        return self._settings(smtp_password=_PASSWORD[::-1])

    def unreachable_settings(self) -> BaseModel:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return self._settings(smtp_port=probe.getsockname()[1])

    def _settings(self, **changes: object) -> EmailSettings:
        values: dict[str, object] = {
            "address": _USER,
            "display_name": "Shop",
            "smtp_host": self._provider.host,
            "smtp_port": self._provider.port or 25,
            "smtp_security": "none",
            "smtp_user": _USER,
            "smtp_password": _PASSWORD,
            **_UNUSED,
        }
        return EmailSettings.model_validate({**values, **changes})

    def recipient(self) -> Address:
        return Address(kind="email", value="ann@customer.test", name="Ann")

    def misbehave(self, fault: Fault | None) -> None:
        self._provider.misbehaviour = _FAULTS[fault]

    def delivered(self) -> Sequence[Delivered]:
        return [Delivered(one.message_id, one.text) for one in self._provider.delivered()]

    async def customer_writes(self, text: str) -> RawInbound:
        stored: list[RawInbound] = []

        async def sink(raws: Sequence[RawInbound], cursor: Cursor | None = None) -> Stored:
            stored.extend(raws)
            return Stored.STORED

        async def resolve(recipient: str) -> str | None:
            return "account-1" if recipient == _USER else None

        def sink_for(_account: str) -> Sink:
            return sink

        ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        server = asyncio.create_task(Channel.serve(ServerConfig(), sink_for, resolve, ready.set_result))
        try:
            customer = CustomerMailbox("ann@customer.test", "Ann")
            await customer.write("127.0.0.1", await ready, customer.compose(_USER, "A question", text))
        finally:
            server.cancel()
            with suppress(asyncio.CancelledError):
                await server
        return stored[0]

    def junk(self) -> Sequence[bytes]:
        return (b"X-Mailer: nobody\r\n\r\nx", b"From: a@b.test\r\n" + b"X: y\r\n" * 60_000)
