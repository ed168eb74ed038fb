"""Users, API keys, the audit log."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession

from app.http.access import ReadOperation, ReadPeople, WritePeople
from app.http.idempotency import Once
from app.http.shapes import Cursor, In, Limit, Line, Out, Page, UserBrief
from core import keyset
from core.db import transaction
from core.errors import Conflict, NotFound
from core.people import accounts
from core.people.access import Scope
from core.people.models import ApiKey, Audit, Role, Session, User

router = APIRouter()


class UserOut(UserBrief):
    active: bool
    language: str
    created_at: datetime


class NewUser(In):
    email: Annotated[str, Field(max_length=320)]
    name: Line
    role: Role
    password: Annotated[str, Field(max_length=1000)] | None = None
    contact_id: UUID | None = None
    language: Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")] = "en"


class UserChange(In):
    name: Line | None = None
    role: Role | None = None
    active: bool | None = None
    language: Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")] | None = None


class KeyOut(Out):
    id: UUID
    name: str
    role: Role
    scopes: list[str]
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


class NewKey(In):
    name: Line
    role: Role
    scopes: list[Scope] = Field(default_factory=list)


class KeyMade(KeyOut):
    token: str
    """Shown this once."""


class AuditOut(Out):
    id: UUID
    actor: str
    action: str
    object: str
    data: dict[str, Any]
    created_at: datetime


@router.get("/users", tags=["people"])
async def list_users(principal: ReadPeople, cursor: Cursor = None, limit: Limit = 100) -> Page[UserBrief]:
    """Colleagues, by age."""
    statement = keyset.after(
        sa.select(User).where(User.role != Role.CUSTOMER, User.active), [(User.id, UUID)], cursor, descending=False
    ).limit(limit + 1)
    async with transaction() as session:
        rows = list(await session.scalars(statement))
    following = keyset.encode([rows[limit - 1].id]) if len(rows) > limit else None
    return Page(items=[UserBrief.model_validate(row) for row in rows[:limit]], next=following)


@router.post("/users", status_code=201, tags=["people"])
async def create_user(body: NewUser, principal: WritePeople, once: Once) -> UserOut:
    """Adds a user. Without a password they set one by the reset link."""

    async def act(session: AsyncSession) -> UserOut:
        user = await accounts.create_user(session, **body.model_dump())
        accounts.audit(session, principal.ref, "user.created", f"user:{user.id}", role=user.role.value)
        await session.refresh(user)
        return UserOut.model_validate(user)

    return await once(principal, body, UserOut, act)


@router.patch("/users/{user_id}", tags=["people"])
async def change_user(user_id: UUID, body: UserChange, principal: WritePeople) -> UserOut:
    """Changes a user; taking the role or the access away ends their sessions."""
    async with transaction() as session:
        user = await session.get(User, user_id, with_for_update=True)
        if user is None:
            raise NotFound("user_not_found", "there is no such user")
        values = {name: value for name, value in body.model_dump(exclude_unset=True).items() if value is not None}
        if user.id == principal.id and (values.get("active") is False or values.get("role", user.role) != user.role):
            raise Conflict("own_access", "you cannot take your own access away")
        for name, value in values.items():
            setattr(user, name, value)
        if "role" in values or values.get("active") is False:
            await session.execute(sa.delete(Session).where(Session.user_id == user.id))
        accounts.audit(session, principal.ref, "user.changed", f"user:{user.id}", fields=sorted(values))
        await session.flush()
        return UserOut.model_validate(user)


@router.get("/keys", tags=["people"])
async def list_keys(_principal: WritePeople) -> Page[KeyOut]:
    """API keys; their tokens are not kept."""
    async with transaction() as session:
        rows = await session.scalars(sa.select(ApiKey).order_by(ApiKey.id.desc()).limit(500))
        return Page(items=[KeyOut.model_validate(row) for row in rows])


@router.post("/keys", status_code=201, tags=["people"])
async def create_key(body: NewKey, principal: WritePeople) -> KeyMade:
    """Makes a key. Its token is shown this once."""
    async with transaction() as session:
        key, token = await accounts.create_key(session, name=body.name, role=body.role, scopes=body.scopes)
        accounts.audit(session, principal.ref, "key.created", f"key:{key.id}", role=key.role.value, scopes=key.scopes)
        await session.refresh(key)
        return KeyMade.model_validate({**KeyOut.model_validate(key).model_dump(), "token": token})


@router.delete("/keys/{key_id}", status_code=204, tags=["people"])
async def revoke_key(key_id: UUID, principal: WritePeople) -> None:
    async with transaction() as session:
        done = await session.execute(
            sa.update(ApiKey).where(ApiKey.id == key_id, ApiKey.revoked_at.is_(None)).values(revoked_at=sa.func.now())
        )
        if done.rowcount != 1:  # type: ignore[attr-defined]
            raise NotFound("key_not_found", "there is no such key")
        accounts.audit(session, principal.ref, "key.revoked", f"key:{key_id}")


@router.get("/audit", tags=["operation"])
async def list_audit(_principal: ReadOperation, cursor: Cursor = None, limit: Limit = 50) -> Page[AuditOut]:
    """Who did what to settings, people and secrets, the newest first."""
    statement = keyset.after(sa.select(Audit), [(Audit.id, UUID)], cursor).limit(limit + 1)
    async with transaction() as session:
        rows = list(await session.scalars(statement))
    following = keyset.encode([rows[limit - 1].id]) if len(rows) > limit else None
    return Page(items=[AuditOut.model_validate(row) for row in rows[:limit]], next=following)
