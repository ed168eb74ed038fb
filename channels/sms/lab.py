"""The demo's lab for SMS: a phone that texts the fake Twilio."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import ClassVar

from pydantic import JsonValue

from channels import lab
from channels.lab import Act, Line, Misbehaviour, Refused, Verb
from channels.segments import count
from channels.sms.peers import normalise_number
from channels.twilio.fake import FakeTwilio, Trouble
from channels.twilio.messages import MEDIA_MAX

_LINK = re.compile(r"https?://\S+")


class Lab(lab.Lab):
    """One number, +1 415 555 0100, and any number of customers' phones."""

    verbs: ClassVar[frozenset[Verb]] = frozenset({Verb.WRITE})

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.provider = FakeTwilio(folder, segments=count)

    async def start(self) -> None:
        await self.provider.start()

    async def stop(self) -> None:
        await self.provider.stop()

    @property
    def address(self) -> str:
        return self.provider.numbers.all[0]

    def connection(self) -> Mapping[str, JsonValue]:
        return {
            "account_sid": self.provider.account_sid,
            "auth_token": self.provider.auth_token.get_secret_value(),
            "number": self.address,
            "api_url": self.provider.url,
        }

    def hooks_at(self, url: str) -> None:
        self.provider.numbers.set(self.address, sms_url=url, sms_fallback_url=url)

    async def act(self, act: Act) -> str:
        if act.verb is not Verb.WRITE:
            raise Refused("a phone can only write texts")
        who = normalise_number(act.who)
        if who is None:
            raise Refused("write from a telephone number with + and the country code")
        if not act.text and not act.files:
            raise Refused("an empty text is not sent")
        if len(act.files) > MEDIA_MAX:
            raise Refused(f"a message has at most {MEDIA_MAX} files")
        return await self.provider.messages.receive(
            who, act.text, files=[(one.filename, one.content_type, one.content) for one in act.files]
        )

    def lines(self, who: str) -> Sequence[Line]:
        number = normalise_number(who) or who
        return [self._line(row) for row in self.provider.messages.all(number)]

    def _line(self, row: Mapping[str, str]) -> Line:
        mine = row["direction"] == "inbound"
        return Line(
            id=row["sid"],
            mine=mine,
            text=row["body"],
            at=parsedate_to_datetime(row["date_created"]),
            state=None if mine else row["status"],
            files=self.provider.messages.files(row["sid"]),
            actions=() if mine else tuple(_LINK.findall(row["body"])),
            headers=(("segments", row["num_segments"]), ("direction", row["direction"])),
        )

    def misbehave(self, how: Misbehaviour) -> None:
        self.provider.misbehave(Trouble(how.value))
