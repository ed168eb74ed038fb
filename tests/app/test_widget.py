"""The chat widget on real processes: two of the API, the visitor on the one that did not take the message."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx
import pytest
import sqlalchemy as sa
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from app.embedded import free_port
from core.db import transaction
from core.people.accounts import create_key
from core.people.models import Role
from core.tickets.models import Message, Ticket
from tests.app.conftest import Shop


class Visitor:
    """A browser with the widget open."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.cursor: int | None = None

    async def until(self, kind: str, seconds: float = 20, **wanted: object) -> dict[str, Any]:
        """The next frame of this kind with these values, in it or in its message; others are passed over."""
        async with asyncio.timeout(seconds):
            while True:
                frame = json.loads(await self.socket.recv())
                self.cursor = frame.get("cursor", self.cursor)
                inner = {**frame, **frame.get("message", {})} if isinstance(frame.get("message"), dict) else frame
                if frame["type"] == kind and all(inner.get(name) == value for name, value in wanted.items()):
                    return frame

    async def say(self, text: str, client_id: str | None = None) -> str:
        client_id = client_id or str(uuid4())
        await self.socket.send(json.dumps({"type": "message", "client_id": client_id, "text": text}))
        return client_id


@asynccontextmanager
async def visiting(port: int, token: str, cursor: int | None = None) -> AsyncIterator[Visitor]:
    async with connect(f"ws://127.0.0.1:{port}/api/widget/chat/live") as socket:
        await socket.send(json.dumps({"type": "hello", "token": token, "cursor": cursor}))
        yield Visitor(socket)


@pytest.fixture
async def ports(shop: Shop) -> tuple[int, int]:
    """Two API processes over one database."""
    found = (free_port(), free_port())
    for number, port in enumerate(found):
        shop.house.start("api", f"api{number}", AUTOCRM_PORT=str(port))
    for number, port in enumerate(found):
        await shop.house.until_open(port, f"api{number}")
    return found


async def token(port: int, **body: object) -> str:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        answer = await client.post("/api/widget/chat/session", json=body)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["token"])


async def test_a_question_is_answered_from_the_help_centre_to_every_window_of_the_visitor(
    shop: Shop, ports: tuple[int, int]
) -> None:
    shop.house.start("worker")
    mine = await token(ports[0], language="en")
    async with visiting(ports[0], mine) as here, visiting(ports[1], mine) as there:
        await here.until("ready")
        await there.until("ready")
        client_id = await here.say("How do I return a tent?")
        await here.until("accepted", client_id=client_id)
        await there.until("message", author="you", client_id=client_id)
        answer = await there.until("message", author="ai")
        assert answer["message"]["citations"][0]["url"].endswith("/en/returns")
        await here.until("message", author="ai")
    async with visiting(ports[1], mine) as again:
        history = (await again.until("ready"))["messages"]
        assert [message["author"] for message in history] == ["you", "ai"]


async def test_a_person_takes_over_on_the_other_process_and_the_ai_is_silent(
    shop: Shop, ports: tuple[int, int]
) -> None:
    shop.house.start("worker")
    async with transaction() as session:
        _key, secret = await create_key(session, name="test", role=Role.ADMIN)
    mine = await token(ports[0])
    agent = httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{ports[1]}/api/v1", headers={"Authorization": f"Bearer {secret}"}
    )
    async with agent, visiting(ports[0], mine) as visitor:
        await visitor.until("ready")
        await visitor.say("How do I return a tent?")
        await visitor.until("message", author="ai")
        ticket = (await agent.get("/tickets")).json()["items"][0]
        posted = await agent.post(f"/tickets/{ticket['id']}/replies", json={"text": "A person here."})
        assert posted.status_code == 201, posted.text
        await visitor.until("state", handoff="human")
        assert (await visitor.until("message", author="agent"))["message"]["text"] == "A person here."
        await visitor.say("And how long does the refund take?")
        await visitor.until("message", author="you")
        # The lane is empty again and nobody but the person has spoken.
        async with transaction() as session:
            assert await session.scalar(sa.text("SELECT count(*) FROM jobs WHERE name = 'ai.reply'")) == 0


async def test_a_cut_connection_resumes_without_a_gap_and_a_repeated_message_counts_once(
    shop: Shop, ports: tuple[int, int]
) -> None:
    shop.house.start("worker")
    mine = await token(ports[0])
    async with visiting(ports[0], mine) as visitor:
        await visitor.until("ready")
        client_id = await visitor.say("How do I return a tent?")
        await visitor.until("accepted", client_id=client_id)
        await visitor.until("message", author="you")
        cursor = visitor.cursor
    await asyncio.sleep(3)  # the answer is given while nobody is there
    async with visiting(ports[1], mine, cursor) as visitor:
        await visitor.until("ready")
        await visitor.until("message", author="ai")
        await visitor.say("How do I return a tent?", client_id)
        await visitor.until("accepted", client_id=client_id)
        await visitor.say("Thanks, one more: do you ship to Norway?")
        await visitor.until("message", author="you")
    async with transaction() as session:
        asked = await session.scalar(
            sa.select(sa.func.count()).select_from(Message).where(Message.external_id == client_id)
        )
        assert asked == 1
        assert await session.scalar(sa.select(sa.func.count()).select_from(Ticket)) == 1


@pytest.mark.parametrize("sent", ["", " \n ", "x" * 8001, "y" * 60_000])
async def test_what_is_no_message_gets_a_clear_error_and_the_connection_stays(
    shop: Shop, ports: tuple[int, int], sent: str
) -> None:
    mine = await token(ports[0])
    async with visiting(ports[0], mine) as visitor:
        await visitor.until("ready")
        client_id = await visitor.say(sent)
        error = await visitor.until("error", client_id=client_id)
        assert error["code"] in ("message_empty", "message_too_long")
        assert error["detail"]
        client_id = await visitor.say("a real message")
        await visitor.until("accepted", client_id=client_id)


async def test_junk_forged_tokens_and_a_megabyte_are_refused(shop: Shop, ports: tuple[int, int]) -> None:
    mine = await token(ports[0])
    async with visiting(ports[0], "forged") as visitor:
        with pytest.raises(ConnectionClosed) as closed:
            await visitor.until("ready")
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4401
    async with visiting(ports[0], mine) as visitor:
        await visitor.until("ready")
        await visitor.socket.send("[[[[")
        assert (await visitor.until("error"))["code"] == "frame_invalid"
        await visitor.socket.send(json.dumps({"type": "message", "client_id": "abcdefgh", "text": "z" * 1_000_000}))
        with pytest.raises(ConnectionClosed) as closed:
            await visitor.until("accepted")
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009
