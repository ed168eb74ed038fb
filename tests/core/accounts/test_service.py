"""Channel accounts: secrets stay in, what is not given stays, and what is wrong is said in words."""

from __future__ import annotations

import logging

import pytest
import sqlalchemy as sa

from channels.contract import Adapter
from core.accounts.models import AccountState, ChannelAccount
from core.accounts.service import adapter_of, change, connect, context_of, get, set_state, settings_of
from core.db import transaction
from core.errors import Conflict, Invalid, NotFound
from core.ids import new_id
from core.secrets import SealBroken
from tests.factories.accounts import account
from tests.factories.birds import BirdSettings

SECRET = "swordfish-7421"


def settings(of: ChannelAccount) -> BirdSettings:
    found = settings_of(of)
    assert isinstance(found, BirdSettings)
    return found


async def test_secrets_are_nowhere_to_be_read(sky: object, db: None, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with transaction() as session:
        made = await account(session, password=SECRET, nest="elm")
        await change(session, made, values={"nest": "ash"})
    async with transaction() as session:
        row = (
            await session.execute(sa.text("SELECT to_jsonb(channel_accounts)::text FROM channel_accounts"))
        ).scalar_one()
        found = await get(session, made.id)
    adapter: Adapter
    async with adapter_of(found) as adapter:
        shown = [
            repr(found),
            repr(settings_of(found)),
            repr(context_of(found)),
            repr(adapter.context),
            str(found.settings),
        ]
    assert all(SECRET not in text for text in [row, *shown])
    assert SECRET not in caplog.text
    assert settings(found).password.get_secret_value() == SECRET


async def test_a_change_keeps_the_secrets_that_are_not_given(sky: object, db: None) -> None:
    async with transaction() as session:
        made = await account(session, password=SECRET, seed="corn", nest="elm")
        await change(session, made, values={"nest": "ash"})
        assert (settings(made).nest, settings(made).password.get_secret_value()) == ("ash", SECRET)
        await change(session, made, values={"password": "other"})
        seed = settings(made).seed
        assert seed is not None
        assert (settings(made).password.get_secret_value(), seed.get_secret_value()) == ("other", "corn")
        await change(session, made, values={"password": ""})
        assert settings(made).password.get_secret_value() == ""
        assert settings(made).nest == "ash"
        await change(session, made, name="Renamed")
        assert made.name == "Renamed"


async def test_a_seal_holds_for_its_account_only(sky: object, db: None) -> None:
    async with transaction() as session:
        one, other = await account(session, password=SECRET), await account(session, password="other")
        one.sealed = other.sealed
        with pytest.raises(SealBroken):
            settings_of(one)


@pytest.mark.parametrize("values", [{"nest": 1}, {"colour": "red"}, {"password": {"a": 1}}, {"fixed": "perhaps"}])
async def test_what_is_wrong_is_said_without_the_value(sky: object, db: None, values: dict[str, object]) -> None:
    async with transaction() as session:
        with pytest.raises(Invalid) as error:
            await account(session, **values)
        assert next(iter(values)) in str(error.value)
        made = await account(session, password=SECRET)
        with pytest.raises(Invalid) as error:
            await change(session, made, values=values)
        assert SECRET not in str(error.value)
        assert settings(made).password.get_secret_value() == SECRET


async def test_unknown_channels_and_accounts_are_not_found(sky: object, db: None) -> None:
    async with transaction() as session:
        with pytest.raises(NotFound):
            await account(session, "dodo")
        with pytest.raises(NotFound):
            await get(session, new_id())


async def test_an_address_is_connected_once(db: None) -> None:
    mailbox = {"address": "help@x.example", "smtp_host": "127.0.0.1", "smtp_port": 1, "smtp_security": "none"}
    async with transaction() as session:
        first = await connect(session, "email", "One", mailbox)
        with pytest.raises(Conflict):
            await connect(session, "email", "Two", {**mailbox, "address": "HELP@x.example"})
        other = await connect(session, "email", "Three", {**mailbox, "address": "sales@x.example"})
    with pytest.raises(Conflict):
        async with transaction() as session:
            await change(session, await get(session, other.id), values={"address": "help@x.example"})
    async with transaction() as session:
        first = await get(session, first.id)
        first.state = AccountState.DISABLED
    async with transaction() as session:
        await connect(session, "email", "Four", mailbox)


async def test_a_disabled_account_stays_disabled_whatever_the_provider_says(sky: object, db: None) -> None:
    async with transaction() as session:
        made = await account(session)
        made.state = AccountState.DISABLED
    async with transaction() as session:
        await set_state(session, made.id, AccountState.CONNECTED)
    async with transaction() as session:
        assert (await get(session, made.id)).state is AccountState.DISABLED


async def test_each_account_signs_with_a_secret_of_its_own(sky: object, db: None) -> None:
    async with transaction() as session:
        one, other = await account(session), await account(session)
        assert context_of(one).secret != context_of(other).secret
        assert context_of(one).secret == context_of(one).secret
