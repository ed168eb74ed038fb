"""The SMTP receiver: 250 means stored, and nothing else does."""

from __future__ import annotations

import asyncio
import smtplib
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

import aiosmtplib
import pytest

from channels.contract import Cursor, MessageReceived, RawInbound, ServerConfig, Stored
from channels.email import tokens
from channels.email.adapter import Channel
from channels.email.fake import CustomerMailbox
from channels.email.receive import ByteBudget
from tests.channels.email.mailbox import ADDRESS, ROUTE, SECRET, channel, mail


@dataclass
class Core:
    """What stands behind the receiver: accounts by address, and what they have stored."""

    accounts: dict[str, str] = field(default_factory=lambda: {ADDRESS: "a1", "sales@shop.test": "a2"})
    stored: list[tuple[str, RawInbound]] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    gate: asyncio.Event | None = None
    entered: asyncio.Event = field(default_factory=asyncio.Event)
    most_at_once: int = 0
    at_once: int = 0

    async def resolve(self, recipient: str) -> str | None:
        if recipient == "broken@shop.test":
            raise ConnectionError("database away")
        return self.accounts.get(recipient)

    def sink_for(self, account: str) -> Callable[..., object]:
        async def sink(raws: Sequence[RawInbound], cursor: Cursor | None = None) -> Stored:
            self.entered.set()
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            try:
                if self.gate is not None:
                    await self.gate.wait()
                if account in self.broken:
                    raise ConnectionError("disk full")
                known = {(a, r.external_id) for a, r in self.stored}
                self.stored.extend((account, raw) for raw in raws)
                return Stored.DUPLICATE if {(account, r.external_id) for r in raws} <= known else Stored.STORED
            finally:
                self.at_once -= 1

        return sink


@asynccontextmanager
async def receiver(core: Core, **config: int) -> AsyncIterator[int]:
    ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    settings = ServerConfig(hostname="mx.shop.test", **config)  # type: ignore[arg-type]
    task = asyncio.create_task(Channel.serve(settings, core.sink_for, core.resolve, ready.set_result))  # type: ignore[arg-type]
    try:
        yield await ready
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.wait_for(task, 2)


async def hand_over(port: int, body: bytes, *recipients: str, sender: str = "ann@customer.test") -> str:
    async with aiosmtplib.SMTP(
        hostname="127.0.0.1", port=port, start_tls=False, local_hostname="customer.test"
    ) as client:
        _refused, response = await client.sendmail(sender, list(recipients) or [ADDRESS], body)
        return response


async def test_a_mail_is_stored_with_the_facts_of_its_envelope() -> None:
    core = Core()
    async with receiver(core) as port:
        await CustomerMailbox("ann@customer.test", "Ann").write(
            "127.0.0.1", port, CustomerMailbox("ann@customer.test").compose(ADDRESS, "Hi 😀", "שלום")
        )
    ((account, stored),) = core.stored
    assert account == "a1"
    assert stored.content_type == "message/rfc822"
    assert stored.transport == {
        "protocol": "smtp",
        "peer_ip": "127.0.0.1",
        "helo": "customer.test",
        "mail_from": "ann@customer.test",
        "rcpt_to": [ADDRESS],
    }
    (event,) = channel().parse(stored)
    assert isinstance(event, MessageReceived)
    assert (event.subject, event.text) == ("Hi 😀", "שלום")


async def test_250_is_given_only_after_the_commit() -> None:
    core = Core(gate=asyncio.Event())
    async with receiver(core) as port:
        sending = asyncio.create_task(hand_over(port, mail().encode()))
        await core.entered.wait()
        assert not sending.done()
        assert core.gate is not None
        core.gate.set()
        assert "OK" in await sending


async def test_a_sink_that_fails_means_451_and_the_next_attempt_is_stored() -> None:
    core = Core(broken={"a1"})
    async with receiver(core) as port:
        with pytest.raises(aiosmtplib.SMTPDataError) as error:
            await hand_over(port, mail().encode())
        assert error.value.code == 451
        assert core.stored == []
        core.broken.clear()
        await hand_over(port, mail().encode())
    assert len(core.stored) == 1


async def test_the_same_mail_again_after_a_lost_250_has_the_same_id() -> None:
    core = Core()
    async with receiver(core) as port:
        for _attempt in range(2):
            await hand_over(port, mail().encode())
        await hand_over(port, mail(body="Another").encode())
        await hand_over(port, mail().encode(), sender="other@customer.test")
    ids = [raw.external_id for _account, raw in core.stored]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3


async def test_an_unknown_recipient_is_refused_at_once() -> None:
    core = Core()
    async with receiver(core) as port:
        with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as error:
            await hand_over(port, mail().encode(), "nobody@shop.test")
        assert error.value.recipients[0].code == 550


async def test_a_lookup_that_fails_is_temporary() -> None:
    core = Core()
    async with receiver(core) as port:
        with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as error:
            await hand_over(port, mail().encode(), "broken@shop.test")
        assert error.value.recipients[0].code == 451


async def test_a_signed_reply_address_finds_its_account_and_its_route() -> None:
    core = Core()
    signed = tokens.signed_address(ADDRESS, tokens.Purpose.ROUTE, ROUTE, SECRET)
    assert signed is not None
    async with receiver(core) as port:
        await hand_over(port, mail().encode(), signed.upper())
    (event,) = channel().parse(core.stored[0][1])
    assert isinstance(event, MessageReceived)
    assert event.thread_refs == (f"route:{ROUTE}",)


async def test_one_mail_to_two_accounts_is_two_rows_before_one_250() -> None:
    core = Core()
    async with receiver(core) as port:
        await hand_over(port, mail().encode(), ADDRESS, "sales@shop.test")
    assert [(account, raw.transport["rcpt_to"]) for account, raw in core.stored] == [
        ("a1", [ADDRESS]),
        ("a2", ["sales@shop.test"]),
    ]


async def test_one_account_that_fails_withholds_the_250_for_all() -> None:
    core = Core(broken={"a2"})
    async with receiver(core) as port:
        with pytest.raises(aiosmtplib.SMTPDataError) as error:
            await hand_over(port, mail().encode(), ADDRESS, "sales@shop.test")
        assert error.value.code == 451


async def test_a_mail_beyond_the_limit_is_refused() -> None:
    core = Core()
    async with receiver(core, message_bytes_max=200_000) as port:
        with pytest.raises(aiosmtplib.SMTPResponseException) as error:
            await hand_over(port, mail(body="x\r\n" * 100_000).encode())
        assert error.value.code == 552
        assert core.stored == []


def talk(port: int, *lines: bytes) -> list[bytes]:
    """What a raw client gets back: one reply for each line, the greeting first."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection, connection.makefile("rb") as answers:
        replies = [answers.readline()]
        for line in lines:
            connection.sendall(line)
            reply = answers.readline()
            while reply[3:4] == b"-":
                reply = answers.readline()
            replies.append(reply)
        return replies


async def test_who_lies_about_the_size_is_stopped_there() -> None:
    core = Core()
    async with receiver(core) as port:
        body = mail(body="x\r\n" * 50_000).encode() + b"\r\n.\r\n"
        lines = (
            b"EHLO x\r\n",
            b"MAIL FROM:<a@x.test> SIZE=10\r\n",
            f"RCPT TO:<{ADDRESS}>\r\n".encode(),
            b"DATA\r\n",
            body,
        )
        replies = await asyncio.to_thread(talk, port, *lines)
        assert replies[-1].startswith(b"552")
        assert core.stored == []


@pytest.mark.parametrize(
    "poison", [b"a\nb\r\n", b"a\rb\r\n", b"a\x00b\r\n", b"a\n.\r\nb\r\n", b"a\r\n.\nMAIL FROM:<x@y.z>\r\n"]
)
async def test_bare_line_ends_and_nul_are_refused(poison: bytes) -> None:
    core = Core()
    async with receiver(core) as port:
        lines = (
            b"EHLO x\r\n",
            b"MAIL FROM:<a@x.test>\r\n",
            f"RCPT TO:<{ADDRESS}>\r\n".encode(),
            b"DATA\r\n",
            mail().encode() + poison + b".\r\n",
        )
        replies = await asyncio.to_thread(talk, port, *lines)
        assert replies[-1].startswith(b"554")
        assert core.stored == []


async def test_the_null_path_is_kept_as_such() -> None:
    core = Core()
    async with receiver(core) as port:
        await hand_over(port, mail().encode(), sender="")
    assert core.stored[0][1].transport["mail_from"] == ""


async def test_international_addresses() -> None:
    core = Core(accounts={"hilfe@xn--mller-kva.test": "a1"})
    async with receiver(core) as port:
        await asyncio.to_thread(partial(_send_utf8, port))
    assert core.stored[0][1].transport["rcpt_to"] == ["Hilfe@müller.test"]
    assert core.stored[0][1].transport["mail_from"] == "jürgen@käufer.test"


def _send_utf8(port: int) -> None:
    with smtplib.SMTP("127.0.0.1", port, local_hostname="customer.test") as client:
        client.ehlo()
        client.sendmail(
            "jürgen@käufer.test", ["Hilfe@müller.test"], mail().encode(), mail_options=["SMTPUTF8", "BODY=8BITMIME"]
        )


async def test_logins_are_not_offered() -> None:
    core = Core()
    async with receiver(core) as port, aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as client:
        await client.ehlo()
        assert not client.supports_extension("auth")
        assert client.supports_extension("smtputf8")
        assert client.supports_extension("size")


async def test_long_lines_of_careless_senders_are_taken() -> None:
    core = Core()
    async with receiver(core) as port:
        await hand_over(port, mail(body="x" * 20_000).encode())
    assert len(core.stored) == 1


async def test_a_dropped_connection_in_mid_mail_stores_nothing() -> None:
    core = Core()
    async with receiver(core) as port:
        lines = (b"EHLO x\r\n", b"MAIL FROM:<a@x.test>\r\n", f"RCPT TO:<{ADDRESS}>\r\n".encode(), b"DATA\r\n")
        await asyncio.to_thread(talk, port, *lines)
        await hand_over(port, mail().encode())
    assert len(core.stored) == 1


async def test_the_byte_budget_bounds_what_is_in_flight() -> None:
    """Room for one mail of unknown size: two clients at once are served one after the other, none is lost."""
    core = Core(gate=asyncio.Event())
    async with receiver(core, message_bytes_max=1000_000, inflight_bytes_max=200_000) as port:
        sending = [asyncio.create_task(hand_over(port, mail(body=f"{n}").encode())) for n in range(4)]
        await core.entered.wait()
        assert core.gate is not None
        core.gate.set()
        await asyncio.gather(*sending)
    assert core.most_at_once == 1
    assert len(core.stored) == 4


async def test_a_budget_that_stays_taken_times_out() -> None:
    budget = ByteBudget(100)
    taken = await budget.take(80, 1)
    with pytest.raises(TimeoutError):
        await budget.take(30, 0.01)
    waiting = asyncio.create_task(budget.take(30, 10))
    await budget.give_back(taken)
    assert await waiting == 30


async def test_a_mail_larger_than_the_whole_budget_takes_all_of_it() -> None:
    budget = ByteBudget(100)
    assert await budget.take(1_000, 1) == 100


async def test_cancelling_closes_port_and_connections_within_two_seconds() -> None:
    core = Core()
    async with receiver(core) as port:
        _reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await _reader.readline()
    assert await _reader.read() == b""
    writer.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_a_commit_under_way_is_finished_when_the_server_stops() -> None:
    core = Core(gate=asyncio.Event())
    async with receiver(core) as port:
        sending = asyncio.create_task(hand_over(port, mail().encode()))
        await core.entered.wait()
        assert core.gate is not None
        asyncio.get_running_loop().call_later(0.05, core.gate.set)
    with suppress(aiosmtplib.SMTPException):
        await sending
    assert len(core.stored) == 1


def test_recipient_keys() -> None:
    assert Channel.recipient_key(channel(address="Support@Shop.Test").settings) == "support@shop.test"
    assert Channel.normalise_recipient("Support@SHOP.test") == "support@shop.test"
    signed = tokens.signed_address(ADDRESS, tokens.Purpose.ROUTE, ROUTE, SECRET)
    assert signed is not None
    assert Channel.normalise_recipient(signed) == ADDRESS
    assert Channel.normalise_recipient("support+eu@shop.test") == "support+eu@shop.test"
