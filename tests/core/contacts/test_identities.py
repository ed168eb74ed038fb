"""From addresses to people: one contact per address, also in a race; trust only grows."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
import sqlalchemy as sa

from channels.contract import Trust
from core.contacts.identities import contact_of, identify, put_identity
from core.contacts.models import Contact, Identity
from core.db import transaction
from core.ids import new_id
from tests.factories import contacts


async def test_a_stranger_who_comes_ten_times_at_once_is_one_contact(db: None) -> None:
    async def come() -> object:
        async with transaction() as session:
            return (await identify(session, contacts.address("finch"))).contact_id

    assert len(set(await asyncio.gather(*(come() for _ in range(10))))) == 1
    async with transaction() as session:
        assert await session.scalar(sa.select(sa.func.count()).select_from(Contact)) == 1
        assert await session.scalar(sa.select(sa.func.count()).select_from(Identity)) == 1


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        (Trust.CLAIMED, Trust.PROVIDER, Trust.PROVIDER),
        (Trust.VERIFIED, Trust.CLAIMED, Trust.VERIFIED),
        (Trust.PROVIDER, Trust.VERIFIED, Trust.VERIFIED),
    ],
)
async def test_trust_only_grows(db: None, first: Trust, second: Trust, kept: Trust) -> None:
    for trust in (first, second):
        async with transaction() as session:
            await identify(session, contacts.address("finch", trust=trust))
    async with transaction() as session:
        assert (await session.scalars(sa.select(Identity.trust))).one() is kept


async def test_the_same_value_of_another_kind_is_another_person(db: None) -> None:
    async with transaction() as session:
        one, _ = await contacts.contact(session, "finch")
        other, _ = await contacts.contact(session, "finch", kind="email")
    assert one.id != other.id


async def test_the_person_behind_an_address_is_found_through_all_merges(db: None) -> None:
    async with transaction() as session:
        chain = [await contacts.contact(session) for _ in range(3)]
        for (before, _), (after, _) in pairwise(chain):
            before.merged_into_id = after.id
        await session.flush()
        assert (await contact_of(session, chain[0][1])).id == chain[2][0].id


async def test_an_address_is_given_to_one_contact(db: None) -> None:
    async with transaction() as session:
        one, other = Contact(id=new_id(), custom={}), Contact(id=new_id(), custom={})
        session.add_all([one, other])
        await session.flush()
        assert await put_identity(session, one.id, "email", "a@b.example", Trust.CLAIMED)
        assert not await put_identity(session, other.id, "email", "a@b.example", Trust.CLAIMED)
