"""Makes mails, accounts and adapters for the tests of the e-mail channel."""

from __future__ import annotations

from collections.abc import Sequence

from channels.contract import Address, Context, Inbound, MessageReceived, RawInbound, ReceiptReceived
from channels.email.adapter import Channel
from channels.email.settings import EmailSettings, Security

SECRET = bytes(range(32))
ADDRESS = "support@shop.test"
ROUTE = "0190f5a8-1c7e-7c11-8d5e-3f4a5b6c7d8e"


def channel(**changes: object) -> Channel:
    settings = EmailSettings.model_validate({"address": ADDRESS, "smtp_security": Security.NONE, **changes})
    return Channel(Context("account-1", settings, secret=SECRET))


def raw(body: bytes | str, **transport: object) -> RawInbound:
    data = body.encode() if isinstance(body, str) else body
    return RawInbound("test", data, "message/rfc822", transport=transport)  # type: ignore[arg-type]


def mail(*fields: str, body: str = "Hello", sender: str = "Ann <ann@customer.test>") -> str:
    """A mail with these header lines; From, To, Subject and Message-ID are there unless given."""
    given = {one.partition(":")[0].lower() for one in fields}
    usual = (f"From: {sender}", f"To: {ADDRESS}", "Subject: A question", "Message-ID: <m1@customer.test>")
    return "\r\n".join([*(one for one in usual if one.partition(":")[0].lower() not in given), *fields, "", body])


def parsed(body: bytes | str, **transport: object) -> Sequence[Inbound]:
    return channel().parse(raw(body, **transport))


def message(body: bytes | str, **transport: object) -> MessageReceived:
    """The one message in a mail; fails where it is something else."""
    (event,) = parsed(body, **transport)
    assert isinstance(event, MessageReceived), event
    return event


def receipts(body: bytes | str, **transport: object) -> list[ReceiptReceived]:
    return [event for event in parsed(body, **transport) if isinstance(event, ReceiptReceived)]


def customer(value: str = "ann@customer.test", name: str | None = "Ann") -> Address:
    return Address(kind="email", value=value, name=name)
