"""The stage of a fault campaign: an installation of its own, the providers beside it, faults, and the judge.

The providers run here, outside the house, and keep ledgers of their own: what they say was sent, was sent.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiosmtplib
import psycopg

from app.embedded import Postgres, Valkey
from benchmarks.webhooks import Door, door
from channels.email.fake import CustomerMailbox, FakeMailProvider
from channels.lab import Act, Lab, Verb
from channels.sms.lab import Lab as SmsLab
from channels.social.slack.fake import FakeSlack
from channels.social.slack.lab import SlackLab
from channels.social.telegram.lab import TelegramLab
from tests.house import ROOT, House

SUPPORT = "help@fernweh.example"
QUESTION = "How do I return a tent?"
MAIL = "email"


@dataclass
class Outcome:
    """What a campaign found. Anything but zero under `lost`, `duplicated`, `disordered`, `unaccounted`, `dead_jobs` is a failure."""

    name: str
    seed: int
    messages: int
    faults: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    lost: int = 0
    duplicated: int = 0
    disordered: int = 0
    unaccounted: int = 0
    """Raws that ended in none of the four states."""
    in_doubt: int = 0
    """Deliveries of which nobody knew for a while whether the provider had them, and which were settled by themselves."""
    held: int = 0
    """Those that nobody can settle but a person: Telegram's."""
    dead_jobs: int = 0
    by_channel: dict[str, dict[str, int]] = field(default_factory=dict)
    details: dict[str, int] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        return not (self.lost or self.duplicated or self.disordered or self.unaccounted or self.dead_jobs)


class HastySlack(SlackLab):
    """Slack with its waits cut to a fifth: 0.6 s for an answer; retries at once, after 12 s, after a minute."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.fake = FakeSlack(folder, scale=0.2)


LABS: Mapping[str, Callable[[Path], Lab]] = {"sms": SmsLab, "slack": HastySlack, "telegram": TelegramLab}


def handle(channel: str, number: int) -> str:
    """The customer `number` as the channel names people."""
    return f"+1415{2_000_000 + number}" if channel == "sms" else f"c{number}"


class Bench:
    """An installation of its own in a temporary folder: mail, and the channels of `labs`."""

    def __init__(
        self,
        seed: int,
        labs: Mapping[str, Callable[[Path], Lab]] | None = None,
        settings: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        """`settings` differ, by channel, from those that the lab asks for."""
        self.folder = Path(tempfile.mkdtemp(prefix="autocrm-faults-"))
        self.folder.chmod(0o755)
        self.random = random.Random(seed)
        self.postgres = Postgres(self.folder / "data")
        self.valkey = Valkey(self.folder / "data")
        self.provider = FakeMailProvider(self.folder / "ledger.jsonl")
        self.labs: dict[str, Lab] = {name: made(self.folder / f"lab-{name}") for name, made in (labs or {}).items()}
        self.doors: dict[str, Door] = {}
        """Where the webhooks of each channel go."""
        self._settings = settings or {}
        self.url = ""
        self.faults: Counter[str] = Counter()
        self.written: list[tuple[str, int]] = []
        """Channel and number of every customer, each of whom writes once."""

    async def __aenter__(self) -> Bench:
        self.url, redis_url = self.postgres.start(), self.valkey.start()
        environment = {
            "DATABASE_URL": self.url,
            "REDIS_URL": redis_url,
            "AUTOCRM_DATA": str(self.folder / "data"),
            "AUTOCRM_JOB_LEASE": "3",
            "AUTOCRM_SPEECH_MODEL": "off",
        }
        self.house = House(environment, self.folder)
        environment["AUTOCRM_PUBLIC_URL"] = self.house.url
        os.environ.update(environment)
        await self._furnish()
        for part in ("gateway", "worker", *(["api"] if self.labs else [])):
            self.house.start(part)
        await self.house.until_open(self.house.smtp_port, "gateway")
        if self.labs:
            await self.house.until_open(self.house.port, "api")
        return self

    async def _furnish(self) -> None:
        """The database, the help centre with its vectors, and an account of each channel."""
        from ai.embedding import embed_missing
        from ai.providers.vectors import LocalEmbedder
        from core.accounts.service import connect, context_of
        from core.db import dispose, transaction
        from core.knowledge.importing import import_folder
        from core.migrate import migrate
        from core.settings import settings

        settings.cache_clear()
        migrate(self.url)
        async for _progress in import_folder(ROOT / "app/demo/help_centre"):
            pass
        await embed_missing(LocalEmbedder())
        await self.provider.start()
        smtp = {"smtp_host": self.provider.host, "smtp_port": self.provider.port, "smtp_security": "none"}
        async with transaction() as session:
            await connect(session, MAIL, "Support", {"address": SUPPORT, **smtp})
        for name, lab in self.labs.items():
            lab.folder.mkdir(parents=True, exist_ok=True)
            await lab.start()
            values = {**lab.connection(), **self._settings.get(name, {})}
            async with transaction() as session:
                account = await connect(session, name, name, values)
                self.doors[name] = door(account, values)
                lab.hooks_at(context_of(account).hook_url)
        await dispose()

    async def __aexit__(self, *_error: object) -> None:
        self.house.stop()
        for lab in self.labs.values():
            await lab.stop()
        await self.provider.stop()
        self.valkey.stop()
        self.postgres.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    # ------------------------------------------------------------------------------------------------------- faults

    async def kill_part(self, name: str) -> None:
        if name in self.house.processes:
            self.house.kill(name)
        self.faults[f"kill {name}"] += 1
        await asyncio.sleep(self.random.uniform(0, 0.5))
        self.house.start(name)

    async def crash_postgres(self) -> None:
        self.postgres.kill()
        self.faults["crash PostgreSQL"] += 1
        await asyncio.sleep(self.random.uniform(0, 0.5))
        await asyncio.to_thread(self.postgres.start)

    async def restart_valkey(self) -> None:
        self.valkey.kill()
        self.faults["crash Valkey"] += 1
        await asyncio.sleep(self.random.uniform(0, 2))
        await asyncio.to_thread(self.valkey.start)

    async def flush_valkey(self) -> None:
        import redis.asyncio as aioredis

        client = aioredis.Redis.from_url(os.environ["REDIS_URL"])
        await client.flushall()
        await client.aclose()
        self.faults["FLUSHALL"] += 1

    async def stop_valkey(self, seconds: float) -> None:
        assert self.valkey.process is not None
        self.valkey.process.send_signal(signal.SIGSTOP)
        self.faults[f"Valkey silent {seconds:.0f} s"] += 1
        await asyncio.sleep(seconds)
        self.valkey.process.send_signal(signal.SIGCONT)

    # ----------------------------------------------------------------------------------------------------- messages

    async def write(self, channel: str, number: int, deadline: float) -> None:
        """One customer's only message."""
        self.written.append((channel, number))
        if channel == MAIL:
            await self._mail(number, deadline)
        else:
            await self.labs[channel].act(Act(verb=Verb.WRITE, who=handle(channel, number), text=QUESTION))

    async def _mail(self, number: int, deadline: float) -> None:
        """Offered again with the same bytes until it is accepted, as a mail server would."""
        customer = CustomerMailbox(f"c{number}@customer.example", f"Customer {number}")
        mail = customer.compose(SUPPORT, "Return", QUESTION)
        while True:
            try:
                await asyncio.wait_for(customer.write("127.0.0.1", self.house.smtp_port, mail), 10)
                return
            except (OSError, TimeoutError, aiosmtplib.SMTPException):
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.2)

    async def until_heard(self, seconds: float) -> bool:
        """Whether every message written gets into a ticket in time."""
        return await self._until("SELECT count(*) FROM messages WHERE direction = 'in'", len(self.written), seconds)

    async def settled(self, seconds: float) -> bool:
        """Whether every job ends in time."""
        return await self._until("SELECT -count(*) FROM jobs WHERE state = 'ready'", 0, seconds)

    async def _until(self, question: str, least: int, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                (found,) = self.ask(question)[0]
                if found >= least:
                    return True
            except psycopg.Error:
                pass  # it is being started again
            await asyncio.sleep(0.2)
        return False

    def ask(self, question: str) -> list[tuple[Any, ...]]:
        """Rows of the product's database."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            return list(connection.execute(question).fetchall())

    # -------------------------------------------------------------------------------------------------------- judging

    def _answers(self, channel: str, numbers: Sequence[int]) -> list[int]:
        """How many different messages the provider delivered to each of these customers."""
        if channel == MAIL:
            mails = {mail.message_id: mail.rcpt_to[0].lower() for mail in self.provider.delivered()}
            counts = Counter(mails.values())
            return [counts[f"c{number}@customer.example"] for number in numbers]
        heard = [self.labs[channel].lines(handle(channel, number)) for number in numbers]
        return [len({line.id for line in lines if not line.mine}) for lines in heard]

    def judge(self, outcome: Outcome) -> None:
        """Counts what the providers delivered against what customers wrote; each is to have one answer."""
        held: dict[str, int] = {}
        for channel, state, count in self.ask(
            "SELECT channel, deliveries.state, count(*) FROM deliveries JOIN channel_accounts ON "
            "channel_accounts.id = account_id WHERE doubtful OR deliveries.state = 'held' GROUP BY 1, 2"
        ):
            if state == "held":
                held[channel] = count
            elif state in ("sent", "delivered", "read"):
                outcome.in_doubt += count
        for channel in sorted({channel for channel, _number in self.written}):
            numbers = [number for other, number in self.written if other == channel]
            counts = self._answers(channel, numbers)
            silent = sum(count == 0 for count in counts)
            found = {
                "messages": len(numbers),
                "lost": max(0, silent - held.get(channel, 0)),
                "duplicated": sum(max(0, count - 1) for count in counts),
                "held": held.get(channel, 0),
            }
            outcome.by_channel[channel] = found
            outcome.lost += found["lost"]
            outcome.duplicated += found["duplicated"]
            outcome.held += found["held"]
        outcome.unaccounted, outcome.dead_jobs, outcome.disordered = self.ask(
            "SELECT (SELECT count(*) FROM raws WHERE state = 'received'), (SELECT count(*) FROM jobs WHERE state = 'dead'), "
            "(SELECT count(*) FROM (SELECT ticket_id FROM ticket_events GROUP BY ticket_id "
            " HAVING max(seq) <> count(*)) AS gaps)"
        )[0]
        outcome.faults = dict(self.faults)
