"""A forwarded message: its first sender is offered, and answers go there once a person has agreed."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from core.contacts.models import Contact, Identity
from core.db import transaction
from core.errors import Conflict
from core.intake.receive import receive
from core.jobs.models import Lane
from core.people.models import User
from core.tickets.changes import accept_sender, start
from core.tickets.events import locked
from core.tickets.models import Author, Message, Ticket
from core.tickets.replies import Reply, post_reply
from tests.core.conftest import Work
from tests.factories import people, tickets
from tests.factories.accounts import account
from tests.factories.birds import Sky, raw

FACTS = {"forwarded": {"from": {"address": "wren", "name": "Wren"}, "text": "Where is it?"}}


@pytest.fixture
async def made(sky: object, db: None) -> tuple[tickets.Made, User]:
    async with transaction() as session:
        made = await tickets.ticket(session, await account(session))
        made.message.facts = FACTS
        return made, await people.user(session)


async def test_the_requester_changes_only_when_a_person_agrees(
    made: tuple[tickets.Made, User], sky: Sky, work: Work
) -> None:
    found, user = made
    async with transaction() as session:
        await accept_sender(session, found.ticket.id, found.message.id, user.id)
    async with transaction() as session:
        ticket = await session.get_one(Ticket, found.ticket.id)
        contact = await session.get_one(Contact, ticket.contact_id)
        identity = (await session.scalars(sa.select(Identity).where(Identity.contact_id == contact.id))).one()
        assert (contact.name, identity.value, identity.trust) == ("Wren", "wren", "claimed")
        await post_reply(session, await locked(session, ticket.id), Reply(author=Author.USER, text="In the oak."))
    await work(Lane.DELIVER)
    assert [(one.to.value, one.text) for one in sky.ledger] == [("wren", "In the oak.")]
    await receive(found.route.account_id, [raw("m2", "Thanks", sender="wren", conversation="wren")])
    await work(Lane.INTAKE)
    async with transaction() as session:
        assert await session.scalar(sa.select(sa.func.count()).select_from(Ticket)) == 1
        texts = set(await session.scalars(sa.select(Message.text)))
    assert "Thanks" in texts


async def test_twice_is_once(made: tuple[tickets.Made, User]) -> None:
    found, user = made
    for _ in range(2):
        async with transaction() as session:
            await accept_sender(session, found.ticket.id, found.message.id, user.id)
    async with transaction() as session:
        assert (
            await session.scalar(sa.select(sa.func.count()).select_from(Identity).where(Identity.value == "wren")) == 1
        )


async def test_a_message_that_was_not_forwarded_names_nobody(made: tuple[tickets.Made, User]) -> None:
    found, user = made
    async with transaction() as session:
        (await session.get_one(Message, found.message.id)).facts = {}
    with pytest.raises(Conflict, match="nobody else"):
        async with transaction() as session:
            await accept_sender(session, found.ticket.id, found.message.id, user.id)


async def test_the_answer_to_a_conversation_that_we_began_comes_back_to_it(sky: Sky, db: None, work: Work) -> None:
    async with transaction() as session:
        magpie = await account(session, "magpie")
        reply = Reply(author=Author.USER, author_name="Ada", text="Your nest is ready.")
        await start(session, account_id=magpie.id, to="wren", name=None, subject=None, reply=reply)
    await receive(magpie.id, [raw("m1", "Hooray", sender="wren", conversation="wren")])
    await work(Lane.INTAKE)
    async with transaction() as session:
        assert await session.scalar(sa.select(sa.func.count()).select_from(Ticket)) == 1
