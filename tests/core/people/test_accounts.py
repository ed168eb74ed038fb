"""Sessions, keys and new passwords."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa

from core.db import transaction
from core.errors import Conflict, Invalid, NotSignedIn
from core.people import accounts
from core.people.access import ALLOWED, Scope, allowed
from core.people.models import ApiKey, PasswordReset, Role, Session, User
from core.people.visitors import by_visitor_token, open_visitor
from tests.factories import people
from tests.factories.accounts import account
from tests.factories.people import PASSWORD


@pytest.fixture
async def user(db: None) -> User:
    async with transaction() as session:
        return await people.user(session, password=PASSWORD)


async def _principal(token: str) -> str:
    async with transaction() as session:
        return (await accounts.by_session(session, token)).ref


async def test_each_sign_in_is_a_new_token_and_none_is_kept_in_clear(user: User) -> None:
    async with transaction() as session:
        tokens = [(await accounts.sign_in(session, user.email.upper() + " ", PASSWORD))[1] for _ in range(3)]
        stored = (
            await session.execute(sa.text("SELECT string_agg(to_jsonb(sessions)::text, '') FROM sessions"))
        ).scalar_one()
    assert len(set(tokens)) == 3
    assert not any(token in stored for token in tokens)
    assert {await _principal(token) for token in tokens} == {f"user:{user.id}"}


@pytest.mark.parametrize("password", ["", "wrong", PASSWORD + " ", PASSWORD.upper()])
async def test_a_wrong_password_and_a_wrong_name_are_the_same_error(user: User, password: str) -> None:
    errors = []
    for email in (user.email, "nobody@house.example", "", "x" * 300):
        async with transaction() as session:
            with pytest.raises(NotSignedIn) as error:
                await accounts.sign_in(session, email, password)
            errors.append((error.value.code, str(error.value)))
    assert len(set(errors)) == 1


async def test_whoever_has_no_password_cannot_sign_in(db: None) -> None:
    async with transaction() as session:
        someone = await people.user(session)
        for password in ("", "nobody has this password", "None"):
            with pytest.raises(NotSignedIn):
                await accounts.sign_in(session, someone.email, password)


@pytest.mark.parametrize("end", ["signed out", "expired", "deactivated"])
async def test_a_session_ends(user: User, end: str) -> None:
    async with transaction() as session:
        token, other = await accounts.open_session(session, user), await accounts.open_session(session, user)
    async with transaction() as session:
        if end == "signed out":
            found = await accounts.by_session(session, token)
            assert found.session_id is not None
            await accounts.sign_out(session, found.session_id)
        elif end == "expired":
            await session.execute(sa.update(Session).values(expires_at=sa.func.now() - timedelta(seconds=1)))
        else:
            await session.execute(sa.update(User).values(active=False))
    with pytest.raises(NotSignedIn):
        await _principal(token)
    if end == "signed out":
        assert await _principal(other) == f"user:{user.id}"


async def test_a_new_password_is_set_once_and_ends_every_session(user: User) -> None:
    async with transaction() as session:
        old = await accounts.open_session(session, user)
        tokens = []
        for _ in range(2):
            started = await accounts.start_reset(session, user.email)
            assert started is not None
            tokens.append(started[1])
    with pytest.raises(Invalid, match="at least"):
        async with transaction() as session:
            await accounts.finish_reset(session, tokens[0], "short")
    async with transaction() as session:
        await accounts.finish_reset(session, tokens[0], "a much better one")
    with pytest.raises(NotSignedIn):
        await _principal(old)
    for token in (*tokens, "invented"):
        with pytest.raises(Invalid) as error:
            async with transaction() as session:
                await accounts.finish_reset(session, token, "yet another one")
        assert error.value.code == "reset_invalid"
    async with transaction() as session:
        await accounts.sign_in(session, user.email, "a much better one")
        with pytest.raises(NotSignedIn):
            await accounts.sign_in(session, user.email, PASSWORD)


async def test_two_uses_of_one_link_at_once_set_one_password(user: User) -> None:
    async with transaction() as session:
        started = await accounts.start_reset(session, user.email)
    assert started is not None

    async def use(password: str) -> None:
        async with transaction() as session:
            await accounts.finish_reset(session, started[1], password)

    results = await asyncio.gather(*(use(f"password number {n}") for n in range(4)), return_exceptions=True)
    assert [type(result) for result in results].count(Invalid) == 3


async def test_a_link_that_has_run_out_is_none(user: User) -> None:
    async with transaction() as session:
        started = await accounts.start_reset(session, user.email)
        assert started is not None
        await session.flush()
        await session.execute(sa.update(PasswordReset).values(expires_at=sa.func.now()))
    with pytest.raises(Invalid):
        async with transaction() as session:
            await accounts.finish_reset(session, started[1], "a new password")


async def test_nobody_gets_a_link_for_an_unknown_or_closed_account(user: User) -> None:
    async with transaction() as session:
        assert await accounts.start_reset(session, "nobody@house.example") is None
        await session.execute(sa.update(User).values(active=False))
        assert await accounts.start_reset(session, user.email) is None


async def test_a_key_is_shown_once_and_counts_until_it_is_revoked(db: None) -> None:
    async with transaction() as session:
        key, token = await people.key(session, Role.AGENT, [Scope.TICKETS_READ])
        stored = (await session.execute(sa.text("SELECT to_jsonb(api_keys)::text FROM api_keys"))).scalar_one()
        assert token not in stored
        assert token not in repr(key)
        found = await accounts.by_key(session, token)
        assert (found.ref, found.scopes, found.user_id) == (f"key:{key.id}", {Scope.TICKETS_READ}, None)
        await session.execute(sa.update(ApiKey).values(revoked_at=sa.func.now()))
        with pytest.raises(NotSignedIn):
            await accounts.by_key(session, token)


@pytest.mark.parametrize("role", [Role.AGENT, Role.REVIEWER])
async def test_a_key_never_may_more_than_its_role(db: None, role: Role) -> None:
    async with transaction() as session:
        for scope in set(Scope) - ALLOWED[role]:
            with pytest.raises(Invalid):
                await people.key(session, role, [scope])
        with pytest.raises(Invalid):
            await people.key(session, Role.CUSTOMER)
    assert allowed(role, [Scope.OPERATION_WRITE.value]) == frozenset()


async def test_an_address_is_one_user(user: User) -> None:
    async with transaction() as session:
        with pytest.raises(Conflict):
            await accounts.create_user(session, email=f" {user.email.upper()}", name="Other", role=Role.AGENT)


async def test_a_visitors_token_is_good_for_its_own_widget_only(sky: object, db: None) -> None:
    async with transaction() as session:
        one, other = await account(session), await account(session, "raven")
        token, visitor = await open_visitor(session, one.id, token=None, name="Vera", language="en")
        await session.flush()
        assert (await by_visitor_token(session, one.id, token)).visitor == visitor.visitor
        with pytest.raises(NotSignedIn):
            await by_visitor_token(session, other.id, token)
        renewed, someone = await open_visitor(session, other.id, token=token, name=None, language=None)
        assert renewed != token
        assert someone.conversation != visitor.conversation
        forged, _ = await open_visitor(session, one.id, token="chosen-by-the-visitor", name=None, language=None)
        assert forged != "chosen-by-the-visitor"
