"""Users, their sessions and keys: signing in, being recognised, being let out."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import Conflict, Invalid, NotSignedIn
from core.ids import new_id, new_token, token_hash
from core.people.access import Principal, Scope, allowed
from core.people.models import ApiKey, Audit, PasswordReset, Role, Session, TeamMember, User
from core.settings import settings

_hasher = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
# Checked when there is no such user, so that a stranger cannot tell by the time it takes.
_NOBODY = _hasher.hash("nobody has this password")
PASSWORD_MIN = 10
RESET_HOURS = 2


def _verify(stored: str, password: str) -> bool:
    try:
        return _hasher.verify(stored, password)
    except (VerifyMismatchError, InvalidHashError):
        return False


def hash_password(password: str) -> str:
    """Raises Invalid for one that is too short or absurdly long."""
    if not PASSWORD_MIN <= len(password) <= 1000:
        raise Invalid("password_too_short", f"a password has at least {PASSWORD_MIN} characters", minimum=PASSWORD_MIN)
    return _hasher.hash(password)


async def create_user(
    session: AsyncSession,
    *,
    email: str,
    name: str,
    role: Role,
    password: str | None = None,
    contact_id: UUID | None = None,
    language: str = "en",
) -> User:
    """Raises Invalid, Conflict."""
    email = email.strip().lower()
    if "@" not in email or len(email) > 320:
        raise Invalid("email_invalid", "that is not an e-mail address")
    if await session.scalar(sa.select(User.id).where(User.email == email)):
        raise Conflict("email_taken", "there is a user with that address already")
    user = User(
        id=new_id(),
        email=email,
        name=name,
        role=role,
        contact_id=contact_id,
        language=language,
        password_hash=await asyncio.to_thread(hash_password, password) if password else None,
    )
    session.add(user)
    await session.flush()
    return user


async def sign_in(session: AsyncSession, email: str, password: str) -> tuple[User, str]:
    """The user and the token of a new session. Raises NotSignedIn, without saying which part was wrong."""
    user = await session.scalar(sa.select(User).where(User.email == email.strip().lower(), User.active))
    stored = user.password_hash if user and user.password_hash else _NOBODY
    right = await asyncio.to_thread(_verify, stored, password)
    # Whoever has set no password yet cannot be signed in by any, least of all by the stand-in's.
    if user is None or user.password_hash is None or not right:
        raise NotSignedIn("credentials_wrong", "address or password is wrong")
    return user, await open_session(session, user)


async def open_session(session: AsyncSession, user: User) -> str:
    """A fresh token: one from before the sign-in is never taken over (session fixation)."""
    token = new_token()
    session.add(
        Session(
            id=new_id(),
            user_id=user.id,
            token_hash=token_hash(token),
            expires_at=datetime.now(UTC) + timedelta(hours=settings().session_hours),
        )
    )
    await session.flush()
    return token


async def by_session(session: AsyncSession, token: str) -> Principal:
    """Raises NotSignedIn."""
    row = (
        await session.execute(
            sa.select(User, Session.id)
            .join(Session, Session.user_id == User.id)
            .where(Session.token_hash == token_hash(token), Session.expires_at > sa.func.now(), User.active)
        )
    ).one_or_none()
    if row is None:
        raise NotSignedIn("session_invalid", "sign in again")
    user: User = row[0]
    teams = await session.scalars(sa.select(TeamMember.team_id).where(TeamMember.user_id == user.id))
    return Principal(
        kind="user",
        id=user.id,
        role=user.role,
        name=user.name,
        scopes=allowed(user.role),
        team_ids=frozenset(teams),
        contact_id=user.contact_id,
        session_id=row[1],
    )


async def sign_out(session: AsyncSession, session_id: UUID) -> None:
    await session.execute(sa.delete(Session).where(Session.id == session_id))


async def create_key(
    session: AsyncSession, *, name: str, role: Role, scopes: list[Scope] | None = None
) -> tuple[ApiKey, str]:
    """A new key and its token, which is shown this once only. Raises Invalid for scopes beyond the role."""
    if role is Role.CUSTOMER:
        raise Invalid("key_role_invalid", "a key cannot be a customer")
    beyond = set(scopes or ()) - allowed(role)
    if beyond:
        raise Invalid("key_scopes_beyond_role", f"{role.value} may not: {', '.join(sorted(beyond))}")
    token = "ack_" + new_token()
    key = ApiKey(
        id=new_id(), name=name, token_hash=token_hash(token), role=role, scopes=[s.value for s in scopes or ()]
    )
    session.add(key)
    await session.flush()
    return key, token


async def by_key(session: AsyncSession, token: str) -> Principal:
    """Raises NotSignedIn."""
    key = await session.scalar(
        sa.select(ApiKey).where(ApiKey.token_hash == token_hash(token), ApiKey.revoked_at.is_(None))
    )
    if key is None:
        raise NotSignedIn("key_invalid", "the API key is unknown or revoked")
    # Written at most once a minute: every request would contend for the row otherwise.
    await session.execute(
        sa.update(ApiKey)
        .where(
            ApiKey.id == key.id,
            sa.or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at < sa.func.now() - timedelta(minutes=1)),
        )
        .values(last_used_at=sa.func.now())
    )
    return Principal(kind="key", id=key.id, role=key.role, name=key.name, scopes=allowed(key.role, key.scopes))


async def start_reset(session: AsyncSession, email: str) -> tuple[User, str] | None:
    """A token for a new password, or None for an unknown address; the caller answers alike in both cases."""
    user = await session.scalar(sa.select(User).where(User.email == email.strip().lower(), User.active))
    if user is None:
        return None
    token = new_token()
    session.add(
        PasswordReset(
            id=new_id(),
            user_id=user.id,
            token_hash=token_hash(token),
            expires_at=datetime.now(UTC) + timedelta(hours=RESET_HOURS),
        )
    )
    return user, token


async def finish_reset(session: AsyncSession, token: str, password: str) -> User:
    """Sets the password and ends every session of the user. Raises Invalid."""
    reset = await session.scalar(
        sa.select(PasswordReset)
        .where(
            PasswordReset.token_hash == token_hash(token),
            PasswordReset.used_at.is_(None),
            PasswordReset.expires_at > sa.func.now(),
        )
        .with_for_update()
    )
    if reset is None:
        raise Invalid("reset_invalid", "the link has been used or has expired")
    user = await session.get_one(User, reset.user_id)
    user.password_hash = await asyncio.to_thread(hash_password, password)
    await session.execute(
        sa.update(PasswordReset)
        .where(PasswordReset.user_id == user.id, PasswordReset.used_at.is_(None))
        .values(used_at=sa.func.now())
    )
    await session.execute(sa.delete(Session).where(Session.user_id == user.id))
    return user


def audit(session: AsyncSession, actor: str, action: str, target: str, **data: Any) -> None:
    """Notes who did what to settings, people and secrets. `data` never holds a secret."""
    session.add(Audit(id=new_id(), actor=actor, action=action, object=target, data=data))
