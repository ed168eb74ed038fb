"""Users, teams, keys and visitors."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from core.ids import new_id
from core.people.access import Scope
from core.people.accounts import create_key, create_user, open_session
from core.people.models import ApiKey, Role, Team, TeamMember, User

PASSWORD = "correct horse battery"


async def user(
    session: AsyncSession, role: Role = Role.AGENT, *, contact_id: UUID | None = None, password: str | None = None
) -> User:
    name = new_id().hex
    return await create_user(
        session, email=f"{name}@house.example", name=f"{role.value} {name[-4:]}", role=role,
        password=password, contact_id=contact_id,
    )  # fmt: skip


async def signed_in(session: AsyncSession, someone: User) -> str:
    """The token of a new session."""
    return await open_session(session, someone)


async def team(session: AsyncSession, *members: User, private: bool = False) -> Team:
    made = Team(id=new_id(), name=f"Team {new_id().hex}", private=private)
    session.add(made)
    await session.flush()
    session.add_all(TeamMember(team_id=made.id, user_id=member.id) for member in members)
    await session.flush()
    return made


async def key(
    session: AsyncSession, role: Role = Role.ADMIN, scopes: list[Scope] | None = None, *, revoked: bool = False
) -> tuple[ApiKey, str]:
    made, token = await create_key(session, name=f"Key {new_id().hex[-4:]}", role=role, scopes=scopes)
    if revoked:
        made.revoked_at = sa.func.now()
        await session.flush()
    return made, token
