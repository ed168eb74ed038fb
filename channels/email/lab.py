"""The lab's mail provider: customers write by SMTP to the house's own receiver, answers land in their mailboxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import aiosmtplib
from pydantic import JsonValue

from channels.email.fake import CustomerMailbox, Delivered, FakeMailProvider
from channels.email.fake import Misbehaviour as Wrong
from channels.lab import Act, Lab, Line, Misbehaviour, Refused, Verb

SUPPORT = "support@fernweh.example"
_WRONG = {
    Misbehaviour.NONE: Wrong.NONE,
    Misbehaviour.SLOW: Wrong.SLOW,
    Misbehaviour.RATE_LIMITED: Wrong.DEFER,
    Misbehaviour.SERVER_ERROR: Wrong.SHUT_DOWN,
    Misbehaviour.REPLY_LOST: Wrong.DROP,
}


class MailLab(Lab):
    """One support mailbox, and a mailbox for everybody who writes to it."""

    verbs: ClassVar = frozenset({Verb.WRITE})
    misbehaviours: ClassVar = frozenset(_WRONG)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._provider = FakeMailProvider(folder / "mail-ledger.jsonl")
        self._server = ("127.0.0.1", 0)
        self._written: dict[str, list[Line]] = {}

    async def start(self) -> None:
        await self._provider.start()

    async def stop(self) -> None:
        await self._provider.stop()

    @property
    def address(self) -> str:
        return SUPPORT

    def connection(self) -> Mapping[str, JsonValue]:
        return {
            "address": SUPPORT,
            "smtp_host": self._provider.host,
            "smtp_port": self._provider.port,
            "smtp_security": "none",
        }

    def server_at(self, host: str, port: int) -> None:
        self._server = (host, port)

    async def act(self, act: Act) -> str:
        answering = None
        if act.target is not None:
            answering = next((one for one in self._provider.delivered() if one.message_id == act.target), None)
            if answering is None:
                raise Refused("there is no such mail in the mailbox")
        customer = CustomerMailbox(act.who, act.name)
        try:
            mail = customer.compose(
                SUPPORT,
                act.subject,
                act.text,
                answering=answering,
                attachments=[(file.filename, file.content_type, file.content) for file in act.files],
            )
            message_id = await customer.write(*self._server, mail)
        except (ValueError, aiosmtplib.SMTPResponseException) as error:
            raise Refused(str(error)) from None
        except (aiosmtplib.SMTPException, OSError):
            raise Refused("the mail receiver does not answer; try again in a moment") from None
        line = Line(
            id=message_id,
            mine=True,
            subject=str(mail["Subject"]),
            text=act.text,
            at=mail["Date"].datetime,
            files=tuple(file.filename for file in act.files),
        )
        self._written.setdefault(act.who.lower(), []).append(line)
        return message_id

    def lines(self, who: str) -> Sequence[Line]:
        written = self._written.get(who.lower(), [])
        return sorted([*written, *map(_line, self._provider.mailbox(who))], key=lambda line: line.at)

    def misbehave(self, how: Misbehaviour) -> None:
        self._provider.misbehaviour = _WRONG[how]


def _line(one: Delivered) -> Line:
    return Line(
        id=one.message_id,
        mine=False,
        subject=one.subject,
        text=one.text,
        html=one.html,
        at=one.received_at,
        files=tuple(name for name, _content in one.attachments),
        headers=one.headers,
    )
