"""B1: mails of 4 KB over 8 connections; 250 is said after the commit. Bare: aiosmtpd that throws everything away."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import sqlalchemy as sa

from app.embedded import free_port
from benchmarks.report import SEED, Report, side_by_side
from benchmarks.stage import ROOT, Stage
from core.accounts.service import connect
from core.db import transaction
from core.intake.models import Raw
from tests.house import until

SUPPORT = "help@fernweh.example"
CONNECTIONS = 8
SIZE = 4096


def mails(count: int) -> list[bytes]:
    """Octets ready for DATA, each of `SIZE`, no two alike."""
    dice = random.Random(SEED)
    made = []
    for number in range(count):
        head = (
            f"From: Jane <jane{number}@customer.example>\r\nTo: {SUPPORT}\r\nSubject: Return {number}\r\n"
            f"Message-ID: <{dice.getrandbits(96):x}@customer.example>\r\n\r\n"
        ).encode()
        line = b"How do I return a tent that I bought two weeks ago, please? " * 1
        body = (line.strip() + b"\r\n") * ((SIZE - len(head)) // (len(line) + 1))
        made.append(head + body + b".\r\n")
    return made


async def _converse(port: int, share: Sequence[bytes]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def say(octets: bytes, expected: bytes) -> None:
        writer.write(octets)
        line = await reader.readline()
        while line[3:4] == b"-":
            line = await reader.readline()
        if not line.startswith(expected):
            raise RuntimeError(f"the receiver says {line!r}")

    await say(b"", b"220")
    await say(b"EHLO bench.test\r\n", b"250")
    for mail in share:
        await say(b"MAIL FROM:<jane@customer.example> SIZE=4096\r\n", b"250")
        await say(f"RCPT TO:<{SUPPORT}>\r\n".encode(), b"250")
        await say(b"DATA\r\n", b"354")
        await say(mail, b"250")
    await say(b"QUIT\r\n", b"221")
    writer.close()


async def speed(port: int, wanted: Sequence[bytes]) -> float:
    """Mails per second, until the last 250."""
    begun = time.perf_counter()
    await asyncio.gather(*(_converse(port, wanted[one::CONNECTIONS]) for one in range(CONNECTIONS)))
    return len(wanted) / (time.perf_counter() - begun)


@asynccontextmanager
async def bare() -> AsyncIterator[int]:
    """The port of an aiosmtpd under uvloop, in a process of its own."""
    port = free_port()
    process = subprocess.Popen(  # noqa: ASYNC220 - starting it takes a millisecond
        [sys.executable, "-m", "benchmarks.bare_smtp", str(port)], cwd=ROOT
    )
    try:
        await until(lambda: is_open(port), "the bare receiver listens")
        yield port
    finally:
        process.terminate()
        process.wait(10)


def is_open(port: int) -> bool:
    import socket

    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


async def measure(stage: Stage, *, repeats: int, quick: bool, scale: float) -> Report:
    count = max(CONNECTIONS, int(4000 * scale))
    stock = mails(count * (repeats + 1))
    async with stage.house() as house, bare() as bare_port:
        async with transaction() as session:
            await connect(session, "email", "Support", {"address": SUPPORT, "smtp_host": "127.0.0.1", "smtp_port": 1})
        house.start("listen")
        await house.until_open(house.smtp_port, "listen")
        await speed(house.smtp_port, [stock.pop() for _ in range(min(count, 200))])
        await speed(bare_port, stock[: min(count, 200)])
        sent = min(count, 200)

        async def ours() -> float:
            nonlocal sent
            wanted = [stock.pop() for _ in range(count)] if len(stock) >= count else stock
            sent += len(wanted)
            return await speed(house.smtp_port, wanted)

        sample = stock[:count]
        found = await side_by_side(repeats, ours, lambda: speed(bare_port, sample))
        async with transaction() as session:
            stored = await session.scalar(sa.select(sa.func.count()).select_from(Raw))
        if stored != sent:
            raise RuntimeError(f"{sent} mails were accepted and {stored} stored")
    return Report(
        "smtp-durable",
        "B1 smtp-durable: 4 KB mail, 8 connections, 250 after the commit",
        found.figures("mails", goal=0.60, bare="aiosmtpd no-op"),
        repeats,
        {"mails": count, "octets": SIZE, "connections": CONNECTIONS},
        quick,
        {"accepted": sent, "stored": int(stored or 0)},
    )
