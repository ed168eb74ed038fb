"""`/api/v1/live`: the timeline of every ticket that one may see, as it happens, resumed by cursor."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Annotated, Literal
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter, Query, WebSocket, WebSocketDisconnect
from pydantic import BaseModel, ValidationError

from app.http.access import live_principal, recognise
from app.http.live import Fleeting, LiveEvent, events_after, feed, newest_event
from app.http.shapes import EventOut
from core.db import transaction
from core.errors import AutoCRMError
from core.people.access import Principal, Scope, require, visible_tickets
from core.people.models import Role, Team
from core.tickets.events import Kind
from core.tickets.models import Route, Ticket

router = APIRouter()

_CATCH_UP = 2000
"""Events a client may have missed; one that was away longer loads its lists anew."""
_CUSTOMERS = frozenset({Kind.CREATED, Kind.REOPENED, Kind.MESSAGE, Kind.REPLY, Kind.EDITED, Kind.DELETED})
"""What a customer hears of: that something was said. The timeline itself is for people inside."""
_CHECK_EVERY = 30.0
"""Seconds between two looks whether the client may still be here."""


async def _hidden_teams(principal: Principal) -> frozenset[UUID]:
    if principal.role is Role.ADMIN:
        return frozenset()
    async with transaction() as session:
        private = await session.scalars(sa.select(Team.id).where(Team.private))
        return frozenset(private) - principal.team_ids


def may_see(principal: Principal, hidden: frozenset[UUID], found: LiveEvent | Fleeting) -> bool:
    """As `visible_tickets` and `visible_messages` decide it for rows."""
    if principal.role is Role.ADMIN:
        return True
    if principal.role is Role.CUSTOMER:
        if principal.contact_id is None or found.contact_id != principal.contact_id or found.inside_only:
            return False
        return isinstance(found, LiveEvent) and found.event.kind in _CUSTOMERS
    return found.team_id not in hidden or found.assignee_id == principal.id


@router.websocket("/live")
async def live(
    websocket: WebSocket, cursor: Annotated[int | None, Query(ge=0, description="Id of the last event seen.")] = None
) -> None:
    try:
        principal = await live_principal(websocket)
        require(principal, Scope.TICKETS_READ)
    except AutoCRMError as error:
        await websocket.accept()
        await websocket.close(4401 if error.status == 401 else 4403, error.code)
        return
    await websocket.accept()
    hidden = await _hidden_teams(principal)
    async with feed.subscribe() as queue:
        newest = await newest_event()
        if cursor is None or newest - cursor > _CATCH_UP:
            await websocket.send_json({"type": "hello", "cursor": newest, "complete": cursor is None})
        else:
            await websocket.send_json({"type": "hello", "cursor": cursor, "complete": True})
            for found in await events_after(cursor, limit=_CATCH_UP + 500):
                await _send(websocket, principal, hidden, found)
        reading = asyncio.create_task(_read(websocket, principal))
        watching = asyncio.create_task(_watch(websocket, principal))
        try:
            while True:
                getting = asyncio.create_task(queue.get())
                done, _ = await asyncio.wait({getting, reading, watching}, return_when=asyncio.FIRST_COMPLETED)
                if getting not in done:
                    getting.cancel()
                    break
                found_or_end = getting.result()
                if found_or_end is None:
                    await websocket.close(1013, "come again with your cursor")
                    break
                await _send(websocket, principal, hidden, found_or_end)
        except (WebSocketDisconnect, RuntimeError):
            pass  # the client has gone; it comes again with its cursor
        finally:
            for task in (reading, watching):
                task.cancel()
            await asyncio.gather(reading, watching, return_exceptions=True)


async def _send(
    websocket: WebSocket, principal: Principal, hidden: frozenset[UUID], found: LiveEvent | Fleeting
) -> None:
    if not may_see(principal, hidden, found):
        return
    if isinstance(found, Fleeting):
        if found.payload.get("from") != "agent" and principal.inside:
            await websocket.send_json({**found.payload, "ticket_id": str(found.ticket_id)})
    else:
        event = EventOut.model_validate(found.event).model_dump(mode="json")
        if not principal.inside:
            event |= {"data": {}, "actor_id": None}
        await websocket.send_json({"type": "event", "cursor": found.event.id, "event": event})


class _Typing(BaseModel):
    """The only thing that clients say: whether somebody types an answer to a ticket."""

    type: Literal["typing"]
    ticket_id: UUID
    active: bool


async def _read(websocket: WebSocket, principal: Principal) -> None:
    """Takes what clients say; their end ends the connection."""
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        while True:
            text = await websocket.receive_text()
            try:
                said = _Typing.model_validate_json(text)
            except ValidationError:
                continue  # a ping, or a newer client than this server
            await _typing(principal, said)


async def _typing(principal: Principal, said: _Typing) -> None:
    if not principal.inside or Scope.TICKETS_WRITE not in principal.scopes:
        return
    async with transaction() as session:
        row = (
            await session.execute(
                sa.select(Ticket, Route.conversation)
                .join(Route, Route.ticket_id == Ticket.id)
                .where(Ticket.id == said.ticket_id, Route.active, visible_tickets(principal))
                .limit(1)
            )
        ).one_or_none()
    if row is not None:
        ticket, conversation = row
        payload = {"type": "typing", "active": said.active, "name": principal.name, "from": "agent"}
        await feed.publish(
            Fleeting(conversation, ticket.id, ticket.contact_id, ticket.team_id, ticket.assignee_id, payload)
        )


async def _watch(websocket: WebSocket, principal: Principal) -> None:
    """Ends the connection of a session or key that has been ended meanwhile."""
    while True:
        await asyncio.sleep(_CHECK_EVERY)
        try:
            found = await recognise(websocket, method="POST")
        except AutoCRMError:
            found = None
        if found is None or found.role is not principal.role or found.team_ids != principal.team_ids:
            with contextlib.suppress(RuntimeError):
                await websocket.close(4401, "sign in again")
            return
