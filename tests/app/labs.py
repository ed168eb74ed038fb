"""Customers on every channel that has a lab: the fake provider in the test, the house as it is in production."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from channels import registry
from channels.lab import Act, File, Lab, Line, Verb
from core.accounts.service import connect, context_of
from core.db import transaction
from tests.house import House, until


@dataclass
class Customer:
    """Somebody on one channel."""

    lab: Lab
    who: str
    account_id: UUID
    name: str = ""

    async def write(self, text: str, *, target: str | None = None, files: Sequence[File] = ()) -> str:
        return await self.lab.act(
            Act(verb=Verb.WRITE, who=self.who, name=self.name, text=text, target=target, files=tuple(files))
        )

    async def do(self, verb: Verb, text: str = "", *, target: str | None = None) -> str:
        return await self.lab.act(Act(verb=verb, who=self.who, name=self.name, text=text, target=target))

    async def speak(self, recording: Path) -> None:
        """Says what is recorded, as soon as somebody listens."""
        await self.until_state("listening")
        file = File(filename=recording.name, content_type="audio/wav", content=recording.read_bytes())
        await self.lab.act(Act(verb=Verb.SPEAK, who=self.who, files=(file,)))

    async def until_state(self, state: str, seconds: float = 40) -> None:
        def probe() -> bool:
            lines = self.lab.lines(self.who)
            return bool(lines) and lines[-1].state == state

        await until(probe, f"the call is {state}: {[(line.state, line.text) for line in self.lines()]}", seconds)

    def lines(self) -> Sequence[Line]:
        return self.lab.lines(self.who)

    def heard(self) -> list[Line]:
        """What the house has said."""
        return [line for line in self.lines() if not line.mine]

    async def until_heard(self, count: int = 1, seconds: float = 30) -> list[Line]:
        await until(lambda: len(self.heard()) >= count, f"{count} answers on {self.lab.address}", seconds)
        return self.heard()


@asynccontextmanager
async def customer(
    house: House, channel: str, who: str, folder: Path, *, name: str = "", **settings: object
) -> AsyncIterator[Customer]:
    """A customer of a channel whose account is connected to the channel's fake provider."""
    spec = registry.spec(channel)
    assert spec.lab is not None
    lab: Lab = registry.load(spec.lab)(folder / channel)
    lab.folder.mkdir(parents=True, exist_ok=True)
    await lab.start()
    try:
        async with transaction() as session:
            account = await connect(session, channel, spec.title, {**lab.connection(), **settings})
            hook = context_of(account).hook_url
        lab.hooks_at(f"{house.url}/{hook.partition('//')[2].partition('/')[2]}")
        yield Customer(lab, who, account.id, name)
    finally:
        await lab.stop()


async def until_quiet(customer: Customer, seconds: float = 2.0) -> None:
    """Until nothing new has been said for a while: what is repeated would be by then."""
    seen, since = len(customer.heard()), time.monotonic()

    def probe() -> bool:
        nonlocal seen, since
        if len(customer.heard()) != seen:
            seen, since = len(customer.heard()), time.monotonic()
        return time.monotonic() - since > seconds

    await until(probe, "nothing more is said", 30)
