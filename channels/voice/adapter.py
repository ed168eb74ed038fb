"""The telephone, by Twilio: callbacks in, TwiML out; an answer is one request that gives the live call its next document."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from channels.contract import (
    CONVERSATION_OVER,
    Attachment,
    Checked,
    Context,
    Inbound,
    Malformed,
    Outbound,
    Peer,
    RawInbound,
    Rejected,
    Sent,
    Undeliverable,
    WebhookReply,
)
from channels.egress import fetch
from channels.twilio.client import TwilioClient
from channels.twilio.errors import code_of
from channels.twilio.signature import verify
from channels.voice import parse
from channels.voice.backfill import recordings_since
from channels.voice.dialogue import NOTHING, Dialogue
from channels.voice.settings import VoiceSettings
from channels.voice.state import RETRIES, At, Step, mark_of

DOCUMENT_MAX = 4000
"""Characters of TwiML that Twilio takes with the request that changes a call."""
RECORDING_MAX = 64 * 1024 * 1024
"""Bytes: more than an hour of telephone sound."""
_HOSTS = frozenset({"api.twilio.com", ".twilio.com"})
_CALL = re.compile(r"CA[0-9a-fA-F]{32}")
_NOT_FOUND = code_of(20404)
_TURNS = 1000
_NOT_YET = (0.2, 0.5, 1.0, 2.0)
"""Seconds between attempts to fetch a recording that is announced and not there."""


class Channel:
    """One telephone number (`Adapter`, `Webhook`, `Media`, `Backfill`)."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.settings: VoiceSettings = context.settings
        self._client = TwilioClient(self.settings.account_sid, self.settings.auth_token, self.settings.api_url)
        self._dialogue = Dialogue(context)

    # ------------------------------------------------------------------ the account

    async def check(self) -> Checked:
        found = await self._number()
        missing: list[str] = []
        if not getattr(found, "capabilities", None) or not found.capabilities.get("voice"):
            missing.append("This number cannot take calls: choose a number with voice at Twilio.")
        if found.voice_url != self._entrance:
            missing.append("Calls do not come here yet: save the account again to connect the number.")
        if not self.settings.team_number:
            missing.append("Without a team's number, callers who need a person leave a message.")
        return Checked(identity=self.settings.number, missing=tuple(missing))

    async def subscribe(self) -> None:
        """Points the number's calls, and the news of their end, here. Doing it again changes nothing."""
        found = await self._number()
        entrance, ended = self._entrance, Step(At.STATUS).url(self.context.hook_url)
        await self._client.call(
            lambda sdk: sdk.incoming_phone_numbers(found.sid).update_async(
                voice_url=entrance,
                voice_method="POST",
                status_callback=ended,
                status_callback_method="POST",
            ),
            repeatable=True,
        )

    async def unsubscribe(self) -> None:
        """Leaves a number alone that has been pointed elsewhere meanwhile."""
        found = await self._number()
        if found.voice_url != self._entrance:
            return
        await self._client.call(
            lambda sdk: sdk.incoming_phone_numbers(found.sid).update_async(voice_url="", status_callback=""),
            repeatable=True,
        )

    @property
    def _entrance(self) -> str:
        """Where calls come in."""
        return f"{self.context.hook_url}{RETRIES}"

    async def _number(self) -> Any:
        found = await self._client.call(
            lambda sdk: sdk.incoming_phone_numbers.list_async(phone_number=self.settings.number, limit=1),
            repeatable=True,
        )
        if not found:
            raise Rejected(f"{self.settings.number} is not a number of this Twilio account", code="number_unknown")
        return found[0]

    async def aclose(self) -> None:
        await self._client.aclose()

    # ------------------------------------------------------------------ inbound

    def verify(self, raw: RawInbound) -> None:
        verify(raw, self.settings.auth_token)

    def parse(self, raw: RawInbound) -> Sequence[Inbound]:
        return parse.events(parse.read(raw), self.context.secret)

    def identify(self, raw: RawInbound, events: Sequence[Inbound]) -> RawInbound:
        """What belongs to one call keeps its order; two calls do not wait for each other."""
        callback = parse.read(raw)
        return replace(raw, external_id=parse.raw_id(callback), order_key=callback.call)

    def respond(self, raw: RawInbound, events: Sequence[Inbound], peer: Peer) -> WebhookReply:
        """Never waits, and never leaves a caller with an error: what cannot be understood begins anew."""
        try:
            document = self._dialogue.reply(parse.read(raw), peer)
        except Malformed:
            document = self._dialogue.anew() if urlsplit(str(raw.transport.get("url") or "")).query else NOTHING
        return WebhookReply(body=document.encode(), content_type="text/xml; charset=utf-8")

    async def list_since(self, since: datetime) -> Sequence[RawInbound]:
        """Recordings that no callback may have told of, after an outage of ours."""
        raws = await recordings_since(
            self._client, self.settings.number, since, self.context.hook_url, self.context.secret
        )
        return [self.identify(raw, ()) for raw in raws]

    async def download(self, attachment: Attachment) -> AsyncIterator[bytes]:
        """A recording, with the account's credentials, from Twilio alone.

        Twilio announces a recording a moment before it can be fetched: one that is not there yet is asked for again.
        """
        for pause in (*_NOT_YET, None):
            try:
                async for piece in self._pieces(attachment.url or ""):
                    yield piece
            except Rejected as error:
                if error.code != "media_gone" or pause is None:
                    raise
                await asyncio.sleep(pause)
            else:
                return

    def _pieces(self, url: str) -> AsyncIterator[bytes]:
        login = f"{self.settings.account_sid}:{self.settings.auth_token.get_secret_value()}"
        return fetch(
            url,
            hosts=_HOSTS,
            trusted=(self.settings.api_url,),
            headers={"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"},
            limit=RECORDING_MAX,
        )

    # ------------------------------------------------------------------ outbound

    async def send(self, message: Outbound) -> Sent:
        """Says an answer into the running call.

        Saying it twice would be heard twice, and Twilio cannot be asked what a call was told: what is in doubt is
        OutcomeUnknown. A call that has ended is Undeliverable with the code `conversation_over`.
        """
        call = str(message.route.get("call_sid") or "")
        if not _CALL.fullmatch(call):
            raise Rejected("there is no call to answer into", code="no_call")
        document = self._document(message, call)
        try:
            await self._client.call(lambda sdk: sdk.calls(call).update_async(twiml=document))
        except Rejected as error:
            if error.code == _NOT_FOUND:
                raise Undeliverable("Twilio no longer knows the call", code=CONVERSATION_OVER) from error
            raise
        return Sent(external_id=f"{call}:{mark_of(message.key)}")

    def _document(self, message: Outbound, call: str) -> str:
        """The answer as TwiML; without its sources where it would be too long with them. Raises Rejected."""
        turn = message.route.get("turn")
        route = {
            "turn": turn if isinstance(turn, int) and 0 <= turn < _TURNS else 1,
            "language": str(message.route.get("language") or message.language or self.settings.language),
            "offered": message.route.get("offered") is True,
            "number": str(message.route.get("number") or ""),
        }
        for one in (message, message.model_copy(update={"citations": ()})):
            document = self._dialogue.answer(one, call, **route)  # type: ignore[arg-type]
            if len(document) <= DOCUMENT_MAX:
                return document
        raise Rejected(f"the answer is too long to be said: {len(message.text)} characters", code="text_too_long")
