"""R5: webhooks of three channels, each one to five times, at once and shuffled. Each message is kept once, on its own ticket."""

from __future__ import annotations

import time

from benchmarks.campaign import LABS, Bench, Outcome
from benchmarks.webhooks import By, Doors, Sender, pour
from channels.social.slack.lab import SlackLab
from channels.social.telegram.lab import TelegramLab

_CONNECTIONS = 32
_EACH = 3
"""Messages of one customer on one channel: one conversation."""
_WAVE = 5_000
"""Requests signed together: Slack's signature is good for five minutes."""

# What came of our own answers (status callbacks, our own posts) is told by webhooks too, and not counted.
_RAWS = "SELECT count(*) FROM raws WHERE convert_from(body, 'UTF8') ~ 'tent.*two.weeks' AND external_id !~ ':[a-z]+$'"
_TICKETS = """
    SELECT channel, identities.value, count(DISTINCT messages.ticket_id), count(*), count(DISTINCT messages.text)
    FROM messages JOIN routes ON routes.id = messages.route_id
    JOIN channel_accounts ON channel_accounts.id = routes.account_id
    JOIN identities ON identities.id = routes.identity_id
    WHERE messages.direction = 'in' GROUP BY 1, 2
"""


def _sender(bench: Bench, number: int) -> Sender:
    """A customer whom the fake providers know, so that answers arrive."""
    slack, telegram = bench.labs["slack"], bench.labs["telegram"]
    assert isinstance(slack, SlackLab)
    assert isinstance(telegram, TelegramLab)
    person = slack.fake.workspace.person(f"c{number}")
    user = telegram.fake.world.user(f"c{number}")
    return Sender(f"+1415{2_000_000 + number}", person.id, slack.fake.workspace.direct(person.id).id, int(user["id"]))


async def r5(seed: int, quick: bool) -> Outcome:
    """The repeats are the same bytes, as the providers send them again."""
    distinct = 450 if quick else 20_000
    outcome = Outcome("R5 repeated webhooks", seed, distinct)
    begun = time.monotonic()
    ways = list(By)
    async with Bench(seed, LABS, {By.TELEGRAM: {"mode": "webhook"}}) as bench:
        doors = Doors(bench.house.url, {by: bench.doors[by] for by in ways})
        senders = [_sender(bench, number) for number in range(-(-distinct // (_EACH * len(ways))))]
        copies = [number for number in range(distinct) for _ in range(bench.random.randint(1, 5))]
        bench.random.shuffle(copies)
        for start in range(0, len(copies), _WAVE):
            made = {
                number: doors.request(ways[number % len(ways)], number, senders[number // (_EACH * len(ways))])
                for number in set(copies[start : start + _WAVE])
            }
            await pour(bench.house.port, [made[number] for number in copies[start : start + _WAVE]], _CONNECTIONS)
        bench.faults["repeated"] = len(copies) - distinct
        (raws,) = bench.ask(_RAWS)[0]
        await bench.settled(120 + distinct / 5)
        outcome.lost = max(0, distinct - raws)
        outcome.duplicated = max(0, raws - distinct)
        rows = bench.ask(_TICKETS)
        messages = sum(row[3] for row in rows)
        wrong = sum(row[2] != 1 or row[3] != row[4] for row in rows)
        expected = len({(number % len(ways), number // (_EACH * len(ways))) for number in range(distinct)})
        outcome.lost += max(0, distinct - messages)
        outcome.duplicated += max(0, messages - distinct) + wrong + abs(len(rows) - expected)
        bench.judge(outcome)
        outcome.details = {
            "requests": len(copies), "raws": raws, "messages": messages, "conversations": len(rows),
            "conversations expected": expected, "conversations not on one ticket": wrong,
        }  # fmt: skip
    outcome.seconds = round(time.monotonic() - begun, 1)
    return outcome
