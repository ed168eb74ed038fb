"""Webhooks as Slack, Twilio (SMS) and Telegram send them: signed with the account's own secrets, ready to be written to a socket."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode, urlsplit
from uuid import UUID

from pydantic import SecretStr

from channels.social.slack.fake_events import signed, wrapped
from channels.social.slack.fake_workspace import TEAM, ident
from channels.social.telegram.webhook import HEADER as TELEGRAM_HEADER
from channels.social.telegram.webhook import secret_token
from channels.twilio.signature import sign
from core.accounts.models import ChannelAccount
from core.accounts.service import connect, context_of
from core.db import transaction

QUESTION = "How do I return a tent that I bought two weeks ago, please?"


class By(StrEnum):
    """The channels whose webhooks are mixed."""

    SMS = "sms"
    SLACK = "slack"
    TELEGRAM = "telegram"


@dataclass(frozen=True, slots=True)
class Sender:
    """One customer, as each of the providers names them."""

    phone: str
    slack_user: str
    slack_channel: str
    telegram: int

    @classmethod
    def numbered(cls, number: int) -> Sender:
        user = ident("U", f"c{number}", TEAM)
        return cls(f"+1415{2_000_000 + number}", user, ident("D", user), 1_000_000_000 + number)


@dataclass(frozen=True, slots=True)
class Door:
    """Where the webhooks of one account go, and what proves them."""

    account_id: UUID
    path: str
    settings: Mapping[str, Any]
    secret_token: str


@dataclass(frozen=True, slots=True)
class Doors:
    """The doors of all three channels. `origin` is the public address, as Twilio signs it."""

    origin: str
    by: Mapping[By, Door]

    def request(self, by: By, number: int, sender: Sender, text: str = QUESTION) -> bytes:
        """The whole HTTP request of the message `number`; the same number is the same message, sent again.

        Slack's signature is good for five minutes.
        """
        door = self.by[by]
        body, headers = {By.SMS: self._sms, By.SLACK: self._slack, By.TELEGRAM: self._telegram}[by](
            door, number, sender, text
        )
        head = [f"POST {door.path} HTTP/1.1", f"Host: {urlsplit(self.origin).netloc}", f"Content-Length: {len(body)}"]
        return "\r\n".join([*head, *(f"{name}: {value}" for name, value in headers.items()), "", ""]).encode() + body

    def _sms(self, door: Door, number: int, sender: Sender, text: str) -> tuple[bytes, dict[str, str]]:
        sid = "SM" + hashlib.md5(f"{number}".encode(), usedforsecurity=False).hexdigest()
        fields = [
            ("ToCountry", "US"), ("ToState", "CA"), ("SmsMessageSid", sid), ("NumMedia", "0"), ("ToCity", ""),
            ("FromZip", ""), ("SmsSid", sid), ("FromState", ""), ("SmsStatus", "received"), ("FromCity", ""),
            ("Body", f"{text} ({number})"), ("FromCountry", "US"), ("To", str(door.settings["number"])), ("ToZip", ""),
            ("NumSegments", "1"), ("MessageSid", sid), ("AccountSid", str(door.settings["account_sid"])),
            ("From", sender.phone), ("ApiVersion", "2010-04-01"),
        ]  # fmt: skip
        token = SecretStr(str(door.settings["auth_token"]))
        return urlencode(fields).encode(), {
            "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
            "X-Twilio-Signature": sign(token, self.origin + door.path, fields),
            "User-Agent": "TwilioProxy/1.1",
        }

    def _slack(self, door: Door, number: int, sender: Sender, text: str) -> tuple[bytes, dict[str, str]]:
        stamp = f"{1_790_000_000 + number // 1000}.{number % 1000:03d}000"
        event = {
            "type": "message", "channel": sender.slack_channel, "channel_type": "im", "user": sender.slack_user,
            "text": f"{text} ({number})", "ts": stamp, "event_ts": stamp, "team": TEAM,
        }  # fmt: skip
        body = json.dumps(wrapped(event)).encode()
        made = signed(str(door.settings["signing_secret"]), body, "application/json")
        return made.body, made.headers

    def _telegram(self, door: Door, number: int, sender: Sender, text: str) -> tuple[bytes, dict[str, str]]:
        person = {"id": sender.telegram, "is_bot": False, "first_name": "Jane", "language_code": "en"}
        message = {
            "message_id": 1_000_000 + number, "from": person, "date": int(time.time()), "text": f"{text} ({number})",
            "chat": {"id": sender.telegram, "type": "private", "first_name": "Jane"},
        }  # fmt: skip
        body = json.dumps({"update_id": 500_000_000 + number, "message": message}).encode()
        return body, {"Content-Type": "application/json", TELEGRAM_HEADER: door.secret_token}


def door(account: ChannelAccount, values: Mapping[str, Any]) -> Door:
    """Of an account that was connected with these settings."""
    context = context_of(account)
    return Door(account.id, urlsplit(context.hook_url).path, values, secret_token(context))


async def open_doors(origin: str, connections: Mapping[By, Mapping[str, Any]]) -> Doors:
    """Connects an account of each channel with these settings, and says where its webhooks go."""
    doors = {}
    for by, values in connections.items():
        async with transaction() as session:
            doors[by] = door(await connect(session, by.value, by.value.title(), values), values)
    return Doors(origin, doors)


CONNECTIONS: Mapping[By, Mapping[str, Any]] = {
    By.SMS: {
        "account_sid": "AC" + "0a" * 16, "auth_token": "bench-auth-token-0123456789abcdef", "number": "+14155550100",
        "api_url": "http://127.0.0.1:9",
    },
    By.SLACK: {
        "mode": "http", "bot_token": "xoxb-bench-token", "signing_secret": "bench0123456789abcdef0123456789ab",
        "channels": ["C0SUPPORT1"], "api_url": "http://127.0.0.1:9/api/",
    },
    By.TELEGRAM: {
        "bot_token": "7000000001:AAbench123456789abcdefghijklmnopqr", "mode": "webhook", "api_url": "http://127.0.0.1:9",
    },
}  # fmt: skip
"""Accounts whose provider is never called: nothing listens at its address."""


class Line:
    """One kept-alive connection of a provider."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def to(cls, port: int) -> Line:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def post(self, request: bytes) -> int:
        """Sends a whole request and reads the whole answer; returns its status."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        status = int(head[9:12])
        lowered = head.lower()
        at = lowered.find(b"content-length:")
        if at >= 0:
            length = int(lowered[at + 15 : lowered.index(b"\r\n", at)])
            if length:
                await self._reader.readexactly(length)
        return status

    def close(self) -> None:
        self._writer.close()


async def pour(port: int, requests: Sequence[bytes], connections: int) -> tuple[float, list[float]]:
    """Sends all over so many connections, each waiting for its answer. Returns seconds in all, and each request's seconds.

    Raises RuntimeError for any answer but 200.
    """
    lines = [await Line.to(port) for _ in range(connections)]
    waiting = iter(requests)
    took: list[float] = []

    async def one(line: Line) -> None:
        for request in waiting:
            begun = time.perf_counter()
            status = await line.post(request)
            took.append(time.perf_counter() - begun)
            if status != 200:
                raise RuntimeError(f"a webhook was answered {status}")

    begun = time.perf_counter()
    try:
        await asyncio.gather(*(one(line) for line in lines))
        return time.perf_counter() - begun, took
    finally:
        for line in lines:
            line.close()
