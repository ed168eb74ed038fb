"""Mail handed over by a server nearby (RFC 2033): each recipient has a reply of its own."""

from __future__ import annotations

import asyncio
import smtplib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from app.embedded import free_port
from channels.contract import MessageReceived, ServerConfig
from channels.email import authenticity
from channels.email.adapter import Channel
from tests.channels.email.mailbox import ADDRESS, channel, mail
from tests.channels.email.test_receive import Core, hand_over

SALES = "sales@shop.test"


@asynccontextmanager
async def receiver(core: Core, folder: Path, *, port: int = 0, **config: int) -> AsyncIterator[tuple[Path, int]]:
    """The Unix socket, and the SMTP port beside it."""
    ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    path = folder / "lmtp"
    settings = ServerConfig(hostname="mx.shop.test", lmtp_socket=path, lmtp_port=port, **config)  # type: ignore[arg-type]
    task = asyncio.create_task(Channel.serve(settings, core.sink_for, core.resolve, ready.set_result))  # type: ignore[arg-type]
    try:
        yield path, await ready
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.wait_for(task, 2)


def lmtp(path: Path, *steps: bytes | tuple[bytes, int]) -> list[bytes]:
    """What comes back: the greeting, then one reply for each step, or as many as a step says."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(path))
        with connection.makefile("rb") as answers:
            replies = [answers.readline()]
            for step in steps:
                line, count = step if isinstance(step, tuple) else (step, 1)
                connection.sendall(line)
                for _ in range(count):
                    reply = answers.readline()
                    while reply[3:4] == b"-":
                        reply = answers.readline()
                    replies.append(reply)
            return replies


def envelope(*recipients: str) -> tuple[bytes, ...]:
    return (
        b"LHLO mta.shop.test\r\n",
        b"MAIL FROM:<ann@customer.test>\r\n",
        *(f"RCPT TO:<{one}>\r\n".encode() for one in recipients),
        b"DATA\r\n",
    )


MAIL = mail().encode() + b"\r\n.\r\n"


async def test_each_recipient_has_a_reply_after_its_own_commit(tmp_path: Path) -> None:
    core = Core(broken={"a2"})
    async with receiver(core, tmp_path) as (path, _port):
        steps = (*envelope(ADDRESS, SALES, "Support@Shop.Test"), (MAIL, 3), b"QUIT\r\n")
        replies = await asyncio.to_thread(lmtp, path, *steps)
        assert [reply[:3] for reply in replies[-4:]] == [b"250", b"451", b"250", b"221"]
        assert [account for account, _raw in core.stored] == ["a1"]
        core.broken.clear()
        replies = await asyncio.to_thread(lmtp, path, *envelope(SALES), MAIL)
        assert replies[-1].startswith(b"250")
    assert [account for account, _raw in core.stored] == ["a1", "a2"]


async def test_a_repeat_for_the_one_that_failed_is_no_new_mail_for_the_others(tmp_path: Path) -> None:
    core = Core()
    async with receiver(core, tmp_path) as (path, _port):
        for _ in range(2):
            await asyncio.to_thread(lmtp, path, *envelope(ADDRESS, SALES), (MAIL, 2))
    ids = [raw.external_id for account, raw in core.stored if account == "a1"]
    assert len(ids) == 2
    assert len(set(ids)) == 1


async def test_no_reply_comes_before_the_commit(tmp_path: Path) -> None:
    core = Core(gate=asyncio.Event())
    async with receiver(core, tmp_path) as (path, _port):
        sending = asyncio.create_task(asyncio.to_thread(lmtp, path, *envelope(ADDRESS), MAIL))
        await core.entered.wait()
        assert not sending.done()
        assert core.gate is not None
        core.gate.set()
        assert (await sending)[-1].startswith(b"250")


async def test_an_unknown_recipient_is_refused_and_has_no_reply_after_the_mail(tmp_path: Path) -> None:
    core = Core()
    async with receiver(core, tmp_path) as (path, _port):
        replies = await asyncio.to_thread(
            lmtp, path, *envelope("nobody@shop.test", ADDRESS, "broken@shop.test"), MAIL, b"NOOP\r\n"
        )
    assert [reply[:3] for reply in replies[3:]] == [b"550", b"250", b"451", b"354", b"250", b"250"]


@pytest.mark.parametrize(
    ("body", "reply"),
    [(b"a\nb\r\n.\r\n", b"554"), (b"x" * 79 + b"\r\n", b"552")],
)
async def test_a_mail_that_nobody_can_have_is_refused_for_each(tmp_path: Path, body: bytes, reply: bytes) -> None:
    core = Core()
    async with receiver(core, tmp_path, message_bytes_max=100_000) as (path, _port):
        data = mail().encode() + (body * 2000 + b".\r\n" if reply == b"552" else body)
        replies = await asyncio.to_thread(lmtp, path, *envelope(ADDRESS, SALES), (data, 2), b"NOOP\r\n")
    assert [one[:3] for one in replies[-3:]] == [reply, reply, b"250"]
    assert core.stored == []


async def test_smtp_greetings_are_not_spoken_here_and_lmtp_ones_not_there(tmp_path: Path) -> None:
    core = Core()
    async with receiver(core, tmp_path) as (path, port):
        replies = await asyncio.to_thread(lmtp, path, b"EHLO x\r\n", b"HELO x\r\n", b"MAIL FROM:<a@b.test>\r\n")
        assert [one[:1] for one in replies[1:]] == [b"5", b"5", b"5"]

        def outside() -> int:
            with smtplib.SMTP("127.0.0.1", port) as client:
                return client.docmd("LHLO", "x")[0]

        assert await asyncio.to_thread(outside) == 500
        await hand_over(port, mail().encode())
    assert core.stored[0][1].transport["protocol"] == "smtp"


async def test_a_client_need_not_wait_for_each_reply(tmp_path: Path) -> None:
    """RFC 2033 §5 asks for pipelining and enhanced status codes."""
    core = Core()
    async with receiver(core, tmp_path) as (path, _port):

        def talk() -> list[bytes]:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(10)
                connection.connect(str(path))
                with connection.makefile("rb") as answers:
                    connection.sendall(b"".join(envelope(ADDRESS, "nobody@shop.test", SALES)))
                    before = iter(answers.readline, b"354 End data with <CR><LF>.<CR><LF>\r\n")
                    replies = list(before)
                    connection.sendall(MAIL + b"DATA\r\nNONSENSE\r\nQUIT\r\n")
                    return replies + list(answers)

        replies = await asyncio.to_thread(talk)
    assert replies[1] == b"250-mx.shop.test\r\n"
    offered = {reply[4:].strip() for reply in replies if reply.startswith(b"250-")}
    assert {b"PIPELINING", b"ENHANCEDSTATUSCODES", b"8BITMIME"} <= offered
    after = [reply for reply in replies[1:] if reply[3:4] == b" "][1:]  # behind the last line of the greeting
    assert [reply[:3] for reply in after] == [b"250", b"250", b"550", b"250", b"250", b"250", b"503", b"500", b"221"]
    assert all(reply[4:5] == reply[:1] and reply[5:6] == b"." for reply in after), "a reply without an enhanced code"


async def test_a_real_client_by_port_and_by_socket(tmp_path: Path) -> None:
    core, port = Core(), free_port()
    async with receiver(core, tmp_path, port=port) as (path, _smtp):
        assert path.stat().st_mode & 0o007 == 0, "strangers on this machine must not hand over mail"
        for host, number in ((str(path), 0), ("127.0.0.1", port)):

            def send(host: str, number: int) -> dict[str, tuple[int, bytes]]:
                with smtplib.LMTP(host, number) as client:
                    # Of several replies to one mail this client reads one only; so it names one recipient.
                    return client.sendmail("ann@customer.test", [ADDRESS], mail(body=host).encode())

            assert await asyncio.to_thread(partial(send, host, number)) == {}
    assert len(core.stored) == 2
    assert not path.exists()


async def test_the_server_nearby_is_not_taken_for_the_sender(tmp_path: Path) -> None:
    """SPF asks about the peer; behind LMTP that is the house's own server. Its own verdict counts instead."""
    core = Core()
    async with receiver(core, tmp_path) as (path, _port):
        body = (
            mail("Authentication-Results: mx.shop.test; dmarc=pass header.from=customer.test").encode() + b"\r\n.\r\n"
        )
        await asyncio.to_thread(lmtp, path, *envelope(ADDRESS), body)
    ((_account, raw),) = core.stored
    assert raw.transport == {
        "protocol": "lmtp",
        "peer_ip": None,
        "helo": "mta.shop.test",
        "mail_from": "ann@customer.test",
        "rcpt_to": [ADDRESS],
    }
    (event,) = channel().parse(raw)
    assert isinstance(event, MessageReceived)
    settings = channel(authserv_id="mx.shop.test").settings
    assert authenticity.judge(raw, settings, None).authenticity == "pass"


async def test_a_socket_left_behind_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "lmtp"))
    core = Core()
    async with receiver(core, tmp_path) as (path, _port):
        assert (await asyncio.to_thread(lmtp, path, *envelope(ADDRESS), MAIL))[-1].startswith(b"250")
