"""The widget's socket. The house is the provider here: a frame is acknowledged once it is stored, and what is
committed is pushed from the timeline, so that it matters to nobody which process a visitor is connected to."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from typing import Annotated, Any, Literal
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from app.http.live import Fleeting, LiveEvent, events_after, feed, newest_event
from app.http.widget.session import check_origin
from channels.contract import Identify, RawInbound
from core.accounts.models import ChannelAccount
from core.accounts.service import adapter_of
from core.contacts.models import Identity
from core.db import transaction
from core.delivery.models import Delivery, DeliveryState
from core.errors import AutoCRMError
from core.intake.receive import receive
from core.people.visitors import Visitor, by_visitor_token, widget_account
from core.settings import settings
from core.tickets.events import Kind
from core.tickets.models import Author, Direction, Handoff, Message, Route, Ticket

log = logging.getLogger(__name__)
router = APIRouter()

_HISTORY = 200
_CATCH_UP = 2000
_BURST, _REFILL = 20, 2.0
"""Frames that a visitor may send at once, and how many more each second."""
_SHOWN = (DeliveryState.SENT, DeliveryState.DELIVERED, DeliveryState.READ)
_AUTHORS = {Author.CONTACT: "you", Author.AI: "ai", Author.USER: "agent", Author.SYSTEM: "system"}


class _Frame(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Hello(_Frame):
    type: Literal["hello"]
    token: Annotated[str, Field(max_length=100)]
    cursor: Annotated[int, Field(ge=0)] | None = None


class Say(_Frame):
    type: Literal["message"]
    client_id: Annotated[str, Field(min_length=8, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]
    text: str


class Typing(_Frame):
    type: Literal["typing"]
    active: bool


class Person(_Frame):
    type: Literal["person"]


class Ping(_Frame):
    type: Literal["ping"]


_frames: TypeAdapter[Say | Typing | Person | Ping] = TypeAdapter(
    Annotated[Say | Typing | Person | Ping, Field(discriminator="type")]
)


@router.websocket("/api/widget/{public_key}/live")
async def live(websocket: WebSocket, public_key: str) -> None:
    await websocket.accept()
    try:
        hello = Hello.model_validate_json(await asyncio.wait_for(websocket.receive_text(), 20))
        async with transaction() as session:
            account = await widget_account(session, public_key)
            check_origin(account, websocket.headers.get("origin"))
            visitor = await by_visitor_token(session, account.id, hello.token)
    except AutoCRMError as error:
        await websocket.close(4401, error.code)
        return
    except (ValidationError, TimeoutError, WebSocketDisconnect, KeyError, sa.exc.DataError):
        with contextlib.suppress(RuntimeError):
            await websocket.close(4400, "hello_expected")
        return
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        await _Chat(websocket, account, visitor).run(hello.cursor)


class _Chat:
    """One visitor's connection."""

    def __init__(self, websocket: WebSocket, account: ChannelAccount, visitor: Visitor) -> None:
        self.websocket = websocket
        self.account = account
        self.visitor = visitor
        self._tickets: set[UUID] = set()
        self._contact: UUID | None = None
        self._allowance, self._refilled = float(_BURST), time.monotonic()
        self._sending = asyncio.Lock()

    async def run(self, cursor: int | None) -> None:
        async with feed.subscribe() as queue:
            newest = await newest_event()
            await self._learn()
            if cursor is None or newest - cursor > _CATCH_UP:
                await self._send(type="ready", cursor=newest, messages=await self._history())
            else:
                await self._send(type="ready", cursor=cursor, messages=[])
                for found in await events_after(cursor, limit=_CATCH_UP + 500):
                    await self._event(found)
            await self._state()
            reading = asyncio.create_task(self._read())
            try:
                while True:
                    getting = asyncio.create_task(queue.get())
                    done, _ = await asyncio.wait({getting, reading}, return_when=asyncio.FIRST_COMPLETED)
                    if getting not in done:
                        getting.cancel()
                        return
                    item = getting.result()
                    if item is None:
                        await self.websocket.close(1013, "come again")
                        return
                    if isinstance(item, Fleeting):
                        await self._fleeting(item)
                    else:
                        await self._event(item)
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)

    # -------------------------------------------------------------------------------------------------- outwards

    async def _send(self, **frame: Any) -> None:
        async with self._sending:
            await self.websocket.send_json(frame)

    async def _learn(self) -> None:
        """Which contact and tickets this conversation has by now."""
        async with transaction() as session:
            self._contact = await session.scalar(
                sa.select(Identity.contact_id).where(Identity.kind == "visitor", Identity.value == self.visitor.visitor)
            )
            rows = await session.scalars(sa.select(Route.ticket_id).where(*self._ours()))
            self._tickets = set(rows)

    def _ours(self) -> tuple[sa.ColumnElement[bool], ...]:
        return Route.account_id == self.account.id, Route.conversation == self.visitor.conversation

    async def _event(self, found: LiveEvent) -> None:
        event = found.event
        if event.kind not in (Kind.MESSAGE, Kind.DELIVERY, Kind.HANDOFF, Kind.CREATED):
            return
        if event.ticket_id not in self._tickets:
            if self._contact is not None and found.contact_id != self._contact:
                return
            await self._learn()
            if event.ticket_id not in self._tickets:
                return
        if event.kind == Kind.HANDOFF:
            await self._send(type="state", handoff=event.data["after"])
        elif event.kind == Kind.MESSAGE or (event.kind == Kind.DELIVERY and event.data.get("state") == "sent"):
            if event.message_id is None:
                return
            for message in await self._history(event.message_id):
                await self._send(type="message", cursor=event.id, message=message)
                if message["author"] == "you" and await self._ai_answers(event.ticket_id):
                    await self._send(type="typing", active=True, name=settings().bot_name)

    async def _ai_answers(self, ticket_id: UUID) -> bool:
        async with transaction() as session:
            return await session.scalar(sa.select(Ticket.handoff).where(Ticket.id == ticket_id)) is Handoff.AI

    async def _state(self) -> None:
        async with transaction() as session:
            handoff = await session.scalar(
                sa.select(Ticket.handoff).join(Route, Route.ticket_id == Ticket.id).where(*self._ours(), Route.active)
            )
        if handoff is not None:
            await self._send(type="state", handoff=handoff.value)

    async def _history(self, message_id: UUID | None = None) -> list[dict[str, Any]]:
        """What the visitor may see: what was said to them, and what they said. Oldest first."""
        sent = sa.exists().where(Delivery.message_id == Message.id, Delivery.state.in_(_SHOWN))
        statement = (
            sa.select(Message)
            .join(Route, Route.id == Message.route_id)
            .where(
                *self._ours(),
                Message.draft.is_(False),
                Message.deleted_at.is_(None),
                sa.or_(Message.direction == Direction.IN, sa.and_(Message.direction == Direction.OUT, sent)),
            )
            .order_by(Message.created_at.desc(), Message.id.desc())
            .limit(_HISTORY)
        )
        if message_id is not None:
            statement = statement.where(Message.id == message_id)
        async with transaction() as session:
            messages = list(await session.scalars(statement))
        return [_shown(message) for message in reversed(messages)]

    async def _fleeting(self, item: Fleeting) -> None:
        if item.conversation == self.visitor.conversation and item.payload.get("from") != "visitor":
            await self._send(type="typing", active=bool(item.payload["active"]), name=str(item.payload.get("name", "")))

    # --------------------------------------------------------------------------------------------------- inwards

    async def _read(self) -> None:
        while True:
            text = await self.websocket.receive_text()
            if not self._allowed():
                await self._error("too_many_messages", "Please wait a moment.", _client_id(text))
                continue
            try:
                frame = _frames.validate_json(text)
            except ValidationError:
                await self._error("frame_invalid", "This is not a frame of the widget.", _client_id(text))
                continue
            match frame:
                case Say():
                    await self._say(frame)
                case Typing():
                    await self._typing(frame.active)
                case Person():
                    await self._store("person", f"person-{time.time_ns()}", "")
                case Ping():
                    pass

    def _allowed(self) -> bool:
        now = time.monotonic()
        self._allowance = min(_BURST, self._allowance + (now - self._refilled) * _REFILL)
        self._refilled = now
        if self._allowance < 1:
            return False
        self._allowance -= 1
        return True

    async def _say(self, frame: Say) -> None:
        text = frame.text.replace("\x00", "")
        if not text.strip():
            await self._error("message_empty", "A message needs a text.", frame.client_id)
        elif len(text) > 8000:
            await self._error("message_too_long", "A message has at most 8,000 characters.", frame.client_id)
        elif await self._store("message", frame.client_id, text):
            await self._send(type="accepted", client_id=frame.client_id)

    async def _store(self, kind: str, client_id: str, text: str) -> bool:
        """Durable, or an error to the visitor; never silence."""
        body = {
            "type": kind,
            "client_id": client_id,
            "conversation": self.visitor.conversation,
            "visitor": self.visitor.visitor,
            "name": self.visitor.name,
            "text": text,
        }
        raw = RawInbound(
            external_id="", body=json.dumps(body).encode(), content_type="application/json",
            transport={"peer_ip": self.websocket.client.host if self.websocket.client else None},
        )  # fmt: skip
        try:
            async with adapter_of(self.account) as adapter:
                assert isinstance(adapter, Identify)
                await receive(self.account.id, [adapter.identify(raw, ())])
        except (sa.exc.SQLAlchemyError, OSError, AutoCRMError) as error:
            log.warning("a chat message could not be stored: %s", type(error).__name__)
            await self._error("not_stored", "Your message could not be stored; it will be sent again.", client_id)
            return False
        return True

    async def _typing(self, active: bool) -> None:
        async with transaction() as session:
            ticket = await session.scalar(
                sa.select(Ticket).join(Route, Route.ticket_id == Ticket.id).where(*self._ours(), Route.active)
            )
        if ticket is not None:
            payload = {"type": "typing", "active": active, "name": self.visitor.name or "", "from": "visitor"}
            await feed.publish(
                Fleeting(
                    self.visitor.conversation, ticket.id, ticket.contact_id, ticket.team_id, ticket.assignee_id, payload
                )
            )

    async def _error(self, code: str, detail: str, client_id: str | None) -> None:
        await self._send(type="error", code=code, client_id=client_id, detail=detail)


def _client_id(text: str) -> str | None:
    """The id of a frame that may be anything, so that the widget knows which message failed."""
    with contextlib.suppress(ValueError, RecursionError):
        frame = json.loads(text[:20_000])
        if isinstance(frame, dict) and isinstance(frame.get("client_id"), str):
            return str(frame["client_id"])[:64]
    return None


def _shown(message: Message) -> dict[str, Any]:
    mine = message.direction is Direction.IN
    return {
        "id": str(message.id),
        "client_id": message.external_id if mine else None,
        "author": _AUTHORS[message.author],
        "name": None if mine else message.author_name,
        "text": message.text,
        "html": None,
        "citations": [{"title": citation["title"], "url": citation.get("url")} for citation in message.citations],
        "at": message.created_at.isoformat(),
    }
