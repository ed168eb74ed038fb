"""What an admin is told of an account."""

from __future__ import annotations

from uuid import UUID

import pytest

from channels.contract import AuthFailed, RawInbound, Retryable
from core.accounts.health import examine
from core.accounts.models import AccountState
from core.accounts.service import get, set_state
from core.db import transaction
from core.errors import NotFound
from core.ids import new_id
from core.intake.receive import receive
from core.jobs.models import Lane
from core.tickets.models import Author
from core.tickets.replies import Reply, post_reply
from tests.core.conftest import Work
from tests.factories import tickets
from tests.factories.accounts import account
from tests.factories.birds import Sky, raw


@pytest.fixture
async def account_id(sky: object, db: None) -> UUID:
    async with transaction() as session:
        return (await account(session, "magpie")).id


async def test_an_account_that_works_needs_nothing(account_id: UUID, sky: Sky, work: Work) -> None:
    sky.listed = [raw("m1")]
    await receive(account_id, sky.listed)
    await work(Lane.INTAKE)
    found = await examine(account_id)
    assert (found.ok, found.identity, found.mend) == (True, "oak", ())
    assert found.last_in_at is not None
    assert found.last_out_at is None
    assert found.reconciliation is not None
    assert (found.reconciliation.theirs, found.reconciliation.missing) == (1, 0)
    assert (found.backlog.raws, found.backlog.quarantined, found.backlog.deliveries, found.backlog.held) == (0, 0, 0, 0)


async def test_what_the_provider_has_and_we_do_not_is_counted(account_id: UUID, sky: Sky) -> None:
    sky.listed = [raw("m1"), raw("m2")]
    await receive(account_id, [raw("m2")])
    found = await examine(account_id)
    assert found.reconciliation is not None
    assert (found.reconciliation.theirs, found.reconciliation.missing) == (2, 1)
    assert found.backlog.raws == 1
    assert not found.ok
    assert "never arrived by themselves" in found.mend[-1]


async def test_what_waits_is_counted(account_id: UUID, sky: Sky, work: Work) -> None:
    await receive(account_id, [RawInbound("x", b'{"do": "malformed"}', order_key="a")])
    await work(Lane.INTAKE)
    async with transaction() as session:
        made = await tickets.ticket(session, await get(session, account_id))
        await post_reply(session, made.ticket, Reply(author=Author.USER, text="In the oak."))
    found = await examine(account_id)
    assert (found.backlog.quarantined, found.backlog.deliveries) == (1, 1)
    assert [one for one in found.mend if "not understood" in one]


@pytest.mark.parametrize(
    ("error", "words"),
    [(AuthFailed("the password is wrong"), "new credentials"), (Retryable("no answer"), "keep trying")],
)
async def test_trouble_comes_with_a_way_out(account_id: UUID, sky: Sky, error: Exception, words: str) -> None:
    sky.check = error
    found = await examine(account_id)
    assert (found.ok, found.identity, found.reconciliation) == (False, None, None)
    assert str(error) in found.mend[0]
    assert words in found.mend[0]


async def test_a_disabled_account_is_left_alone(account_id: UUID, sky: Sky) -> None:
    sky.check = AuthFailed("would be asked")
    async with transaction() as session:
        await set_state(session, account_id, AccountState.DISABLED)
    found = await examine(account_id)
    assert (found.state, found.ok, found.identity) == (AccountState.DISABLED, True, None)


async def test_an_unknown_account_is_not_found(account_id: UUID) -> None:
    with pytest.raises(NotFound):
        await examine(new_id())
