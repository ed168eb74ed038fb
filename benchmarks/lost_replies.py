"""R6: the provider takes a message and its reply is lost, three times in ten. SMS and Slack are looked up; Telegram is held."""

from __future__ import annotations

import random
import time
from pathlib import Path

from benchmarks.campaign import Bench, Outcome
from channels.lab import Misbehaviour
from channels.segments import count
from channels.sms.lab import Lab as SmsLab
from channels.social.slack.fake import FakeSlack
from channels.social.slack.lab import SlackLab
from channels.social.telegram.fake import FakeTelegram
from channels.social.telegram.lab import TelegramLab
from channels.twilio.fake import FakeTwilio, Trouble

SHARE = 0.3
"""Of the replies that are lost."""
_dice = random.Random()


class _Lossy:
    """An attribute that says REPLY_LOST as often as replies are to be lost, each time that it is asked."""

    def __init__(self, lost: Misbehaviour | Trouble, fine: Misbehaviour | Trouble) -> None:
        self._lost, self._fine = lost, fine

    def __get__(self, _fake: object, _kind: type | None = None) -> Misbehaviour | Trouble:
        return self._lost if _dice.random() < SHARE else self._fine

    def __set__(self, _fake: object, _value: object) -> None:
        """What the fake begins with is of no account."""


class _Twilio(FakeTwilio):
    trouble = _Lossy(Trouble.REPLY_LOST, Trouble.NONE)  # type: ignore[assignment]


class _Slack(FakeSlack):
    misbehaviour = _Lossy(Misbehaviour.REPLY_LOST, Misbehaviour.NONE)  # type: ignore[assignment]


class _Telegram(FakeTelegram):
    misbehaviour = _Lossy(Misbehaviour.REPLY_LOST, Misbehaviour.NONE)  # type: ignore[assignment]


class LossySms(SmsLab):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.provider = _Twilio(folder, segments=count)


class LossySlack(SlackLab):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.fake = _Slack(folder)


class LossyTelegram(TelegramLab):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.fake.world.close()
        self.fake = _Telegram(folder)


_LABS = {"sms": LossySms, "slack": LossySlack, "telegram": LossyTelegram}


async def r6(seed: int, quick: bool) -> Outcome:
    """One answer to each of so many customers."""
    messages = 60 if quick else 1_000
    outcome = Outcome("R6 lost replies", seed, messages)
    begun = time.monotonic()
    _dice.seed(seed)
    async with Bench(seed, _LABS) as bench:
        channels = list(bench.labs)
        deadline = begun + 600 + messages
        for number in range(messages):
            await bench.write(channels[number % len(channels)], number, deadline)
        await bench.until_heard(120 + messages / 5)
        await bench.settled(120 + messages)
        bench.judge(outcome)
        outcome.faults["replies lost"] = outcome.in_doubt + outcome.held
        states = bench.ask("SELECT state, count(*) FROM deliveries GROUP BY 1 ORDER BY 1")
        outcome.details = {str(state): number for state, number in states}
    outcome.seconds = round(time.monotonic() - begun, 1)
    return outcome
