"""The widget's socket: durable before it is acknowledged, and each visitor alone with their conversation."""

from __future__ import annotations

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from core.accounts.service import change, get
from core.db import transaction
from core.intake.models import Raw
from core.jobs.models import Job, Lane
from core.tickets.events import locked
from core.tickets.models import Author, Handoff, Ticket
from core.tickets.replies import Reply, post_note, post_reply
from tests.app.http.sockets import Closed, Socket, connected
from tests.app.http.world import World
from tests.core.conftest import Work
from tests.factories import tickets


async def _visitor(client: httpx.AsyncClient, world: World) -> str:
    answer = await client.post(f"/api/widget/{world.ids['public_key']}/session", json={"language": "en"})
    assert answer.status_code == 200
    return str(answer.json()["token"])


def _url(world: World) -> str:
    return f"/api/widget/{world.ids['public_key']}/live"


async def _hello(socket: Socket, token: str) -> None:
    await socket.send(type="hello", token=token)
    await socket.until(type="ready")


async def _say(web: FastAPI, world: World, token: str, client_id: str, text: str) -> None:
    async with connected(web, _url(world)) as socket:
        await _hello(socket, token)
        await socket.send(type="message", client_id=client_id, text=text)
        await socket.until(type="accepted", client_id=client_id)


async def _ticket_of(text: str) -> Ticket:
    async with transaction() as session:
        return (await session.scalars(sa.select(Ticket).where(Ticket.preview == text))).one()


async def test_a_visitor_never_sees_another_visitors_conversation(
    web: FastAPI, client: httpx.AsyncClient, world: World, work: Work
) -> None:
    one, other = await _visitor(client, world), await _visitor(client, world)
    # Both browsers choose the same id for their message: that makes it neither the other's nor a repeat.
    await _say(web, world, one, "client-id-1", "I am one")
    await _say(web, world, other, "client-id-1", "I am the other")
    await work(Lane.INTAKE)
    for token, mine, theirs in ((one, "I am one", "I am the other"), (other, "I am the other", "I am one")):
        async with connected(web, _url(world)) as socket:
            await socket.send(type="hello", token=token)
            ready = await socket.until(type="ready")
        assert [message["text"] for message in ready["messages"]] == [mine]
        assert theirs not in str(socket.heard)

    ticket = await _ticket_of("I am one")
    async with connected(web, _url(world)) as mine_socket, connected(web, _url(world)) as other_socket:
        await _hello(mine_socket, one)
        await _hello(other_socket, other)
        async with transaction() as session:
            found = await locked(session, ticket.id)
            await post_note(session, found, author_id=None, author_name="Member", text="a note inside")
            first = (
                await session.scalars(sa.select(tickets.Message).where(tickets.Message.ticket_id == ticket.id))
            ).first()
            assert first is not None
            await tickets.draft(session, tickets.Made(found, None, None, None, first), "a draft inside")  # type: ignore[arg-type]
            await post_reply(session, found, Reply(author=Author.SYSTEM, text="for one alone"))
        async with transaction() as session:
            theirs_ticket = await locked(session, (await _ticket_of("I am the other")).id)
            await post_reply(session, theirs_ticket, Reply(author=Author.SYSTEM, text="for the other alone"))
        await work(Lane.DELIVER)
        for socket, said in ((mine_socket, "for one alone"), (other_socket, "for the other alone")):
            while (await socket.until(type="message"))["message"]["text"] != said:
                pass
    for socket, strange in ((mine_socket, "for the other alone"), (other_socket, "for one alone")):
        assert strange not in str(socket.heard)
        assert "inside" not in str(socket.heard)


@pytest.mark.parametrize(
    "token",
    ["", "x", "\x00", "x" * 100, "admin", "visitor of another widget"],
)
async def test_no_token_opens_what_is_not_its_own(web: FastAPI, world: World, token: str) -> None:
    told = world.tokens.get(token, token)
    with pytest.raises(Closed) as closed:  # noqa: PT012 - the door closes anywhere in the conversation
        async with connected(web, _url(world)) as socket:
            await socket.send(type="hello", token=told)
            await socket.receive()
    assert closed.value.code == 4401
    async with connected(web, _url(world)) as socket:
        await _hello(socket, world.tokens["visitor"])


@pytest.mark.parametrize(
    "said", ["", "{", "[]", '{"type": "message"}', '{"type": "hello"}', '{"type":"hello","token":"\\ud800"}']
)
async def test_whoever_does_not_say_hello_is_shown_out(web: FastAPI, world: World, said: str) -> None:
    with pytest.raises(Closed) as closed:  # noqa: PT012 - the door closes anywhere in the conversation
        async with connected(web, _url(world)) as socket:
            await socket.send_text(said)
            await socket.receive()
    assert closed.value.code in (4400, 4401)


@pytest.mark.parametrize("key", ["nobody", "%00", "a\x00b"])
async def test_a_widget_that_is_none(web: FastAPI, client: httpx.AsyncClient, world: World, key: str) -> None:
    assert (await client.post(f"/api/widget/{key.replace(chr(0), '%00')}/session", json={})).status_code in (404, 422)
    with pytest.raises(Closed):  # noqa: PT012 - the door closes anywhere in the conversation
        async with connected(web, f"/api/widget/{key}/live") as socket:
            await socket.send(type="hello", token=world.tokens["visitor"])
            await socket.receive()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("x" * 2**20, "message_too_long"), ("", "message_empty"), (" \n\t ", "message_empty"), ("\x00", "message_empty"),
        ("x" * 8001, "message_too_long"),
    ],
    ids=["1 MB", "empty", "white", "NUL", "one too many"],
)  # fmt: skip
async def test_what_cannot_be_a_message_is_said_to_be_none(web: FastAPI, world: World, text: str, code: str) -> None:
    async with transaction() as session:
        before = await session.scalar(sa.select(sa.func.count()).select_from(Raw))
    async with connected(web, _url(world)) as socket:
        await _hello(socket, world.tokens["visitor"])
        await socket.send(type="message", client_id="client-id-1", text=text)
        error = await socket.until(type="error")
        assert (error["code"], error["client_id"] in ("client-id-1", None)) == (code, True)
        for junk in ("{", "null", '{"type": "admin"}', '{"type": "message", "client_id": "../../etc", "text": "x"}',
                     '{"type": "message", "client_id": "client-id-1", "text": "\\ud800"}',
                     '{"type": "message", "client_id": "client-id-1", "text": "x", "visitor": "other"}'):  # fmt: skip
            await socket.send_text(junk)
            assert (await socket.until(type="error"))["code"] == "frame_invalid"
        await socket.send(type="message", client_id="client-id-2", text="x" * 8000)
        await socket.until(type="accepted")
    async with transaction() as session:
        assert await session.scalar(sa.select(sa.func.count()).select_from(Raw)) == (before or 0) + 1


async def test_a_message_that_is_sent_again_is_one_message(web: FastAPI, world: World, work: Work) -> None:
    for _ in range(3):
        await _say(web, world, world.tokens["visitor"], "client-id-1", "Only once")
    await work(Lane.INTAKE)
    async with transaction() as session:
        said = sa.select(sa.func.count()).where(tickets.Message.text == "Only once")
        assert await session.scalar(said) == 1


async def test_a_flood_is_slowed_and_nothing_accepted_is_lost(web: FastAPI, world: World, work: Work) -> None:
    async with connected(web, _url(world)) as socket:
        await _hello(socket, world.tokens["visitor"])
        for number in range(40):
            await socket.send(type="message", client_id=f"client-id-{number}", text=f"flood {number}")
        answers = 0
        while answers < 40:
            answers += (await socket.receive())["type"] in ("accepted", "error")
    accepted = [frame for frame in socket.heard if frame["type"] == "accepted"]
    assert 20 <= len(accepted) < 40
    await work(Lane.INTAKE)
    async with transaction() as session:
        said = sa.select(sa.func.count()).where(tickets.Message.text.like("flood %"))
        assert await session.scalar(said) == len(accepted)


async def test_a_button_for_a_person_reaches_the_queue(web: FastAPI, world: World, work: Work) -> None:
    await _say(web, world, world.tokens["visitor"], "client-id-1", "Hello?")
    await work(Lane.INTAKE)
    async with transaction() as session:
        await session.execute(sa.delete(Job))
    async with connected(web, _url(world)) as socket:
        await _hello(socket, world.tokens["visitor"])
        await socket.send(type="person")
        await socket.send(type="message", client_id="client-id-2", text="please")
        await socket.until(type="accepted")
    await work(Lane.INTAKE)
    async with transaction() as session:
        assert await session.scalar(sa.select(Ticket.handoff).where(Ticket.preview == "please")) is Handoff.QUEUE


async def test_only_allowed_sites_show_the_widget(web: FastAPI, client: httpx.AsyncClient, world: World) -> None:
    async with transaction() as session:
        account = await get(session, tickets.UUID(world.ids["widget_account_id"]))
        await change(session, account, values={"allowed_origins": ["https://shop.example"]})
    path = f"/api/widget/{world.ids['public_key']}/session"
    for origin, status in (("https://shop.example", 200), ("https://evil.example", 403), ("null", 403)):
        assert (await client.post(path, json={}, headers={"Origin": origin})).status_code == status
        if status == 403:
            with pytest.raises(Closed):
                async with connected(web, _url(world), {"Origin": origin}) as socket:
                    await _hello(socket, world.tokens["visitor"])
        else:
            async with connected(web, _url(world), {"Origin": origin}) as socket:
                await _hello(socket, world.tokens["visitor"])
