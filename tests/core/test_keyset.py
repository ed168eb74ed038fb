"""Cursors: a list is walked through once, whatever comes in meanwhile; what is no cursor is an error of the caller."""

from __future__ import annotations

import base64
import contextlib
import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from core import keyset
from core.contacts.models import Organisation
from core.db import transaction
from core.errors import Invalid
from core.ids import new_id

KINDS = [datetime.fromisoformat, UUID]
START = datetime(2026, 1, 1, tzinfo=UTC)


def packed(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


async def _add(minutes: int) -> str:
    async with transaction() as session:
        name = new_id().hex
        session.add(Organisation(id=new_id(), name=name, domains=[], created_at=START + timedelta(minutes=minutes)))
        return name


async def _page(cursor: str | None, size: int, descending: bool) -> tuple[list[str], str | None]:
    statement = keyset.after(
        sa.select(Organisation),
        [(Organisation.created_at, datetime.fromisoformat), (Organisation.id, UUID)],
        cursor,
        descending=descending,
    ).limit(size)
    async with transaction() as session:
        rows = list(await session.scalars(statement))
    following = keyset.encode([rows[-1].created_at.isoformat(), rows[-1].id]) if len(rows) == size else None
    return [row.name for row in rows], following


@pytest.mark.parametrize("descending", [True, False])
async def test_pages_hold_every_row_once_while_others_come_in(db: None, descending: bool) -> None:
    # Several rows share a time, so the id has to decide.
    known = [await _add(number // 3) for number in range(20)]
    seen, cursor = await _page(None, 3, descending)
    while cursor is not None:
        await _add(1000 if descending else -1000)  # before what was seen: never on a later page
        names, cursor = await _page(cursor, 3, descending)
        seen += names
    assert sorted(seen) == sorted(known)
    assert len(seen) == len(set(seen))


async def test_numbers_beyond_32_bits_are_compared_as_they_are(db: None) -> None:
    from core.intake.models import Raw

    cursor = keyset.encode([2**40])
    async with transaction() as session:
        assert list(await session.scalars(keyset.after(sa.select(Raw.seq), [(Raw.seq, int)], cursor))) == []


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "%%%", "é", packed({}), packed([]), packed(["a"]), packed([1, 2]), packed(["2026-01-01", "no uuid"]),
     packed(["yesterday", str(UUID(int=1))]), packed(["a", "b", "c"]), packed(None), "W1tbW1tbW1tb" * 20],
)  # fmt: skip
def test_what_is_no_cursor_is_invalid(cursor: str) -> None:
    with pytest.raises(Invalid) as error:
        keyset.read(cursor, KINDS)
    assert error.value.code == "cursor_invalid"


@settings(max_examples=300, derandomize=True, deadline=None, database=None)
@given(cursor=st.text(max_size=80))
def test_no_text_at_all_breaks_the_reader(cursor: str) -> None:
    with contextlib.suppress(Invalid):
        keyset.read(cursor, KINDS)


def test_a_cursor_says_what_was_put_in() -> None:
    at, row = datetime(2026, 5, 1, 12, 0, 0, 123456, tzinfo=UTC), new_id()
    assert keyset.read(keyset.encode([at.isoformat(), row]), KINDS) == [at, row]
