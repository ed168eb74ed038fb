"""Contacts: people outside."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter, Query
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession

from app.http.access import ReadContacts, WriteContacts
from app.http.idempotency import Once
from app.http.shapes import ContactOut, Cursor, IdentityOut, In, Limit, Line, Page
from channels.contract import Trust
from core import keyset
from core.contacts.identities import put_identity
from core.contacts.models import Contact, Identity
from core.db import transaction
from core.errors import Conflict, NotFound
from core.ids import new_id

router = APIRouter(prefix="/contacts", tags=["contacts"])


class NewIdentity(In):
    kind: Annotated[str, Field(pattern=r"^[a-z_]{1,30}$")]
    value: Line


class NewContact(In):
    name: Line | None = None
    language: Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")] | None = None
    notes: Annotated[str, Field(max_length=20_000)] | None = None
    custom: dict[str, str | int | float | bool | None] = Field(default_factory=dict, max_length=100)
    identities: list[NewIdentity] = Field(default_factory=list, max_length=20)


class ContactChange(In):
    name: Line | None = None
    language: Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")] | None = None
    notes: Annotated[str, Field(max_length=20_000)] | None = None
    custom: dict[str, str | int | float | bool | None] | None = Field(None, max_length=100)
    blocked: bool | None = None


async def contacts_out(session: AsyncSession, contacts: list[Contact]) -> list[ContactOut]:
    identities: dict[UUID, list[IdentityOut]] = {}
    for identity in await session.scalars(
        sa.select(Identity).where(Identity.contact_id.in_([c.id for c in contacts])).order_by(Identity.id)
    ):
        identities.setdefault(identity.contact_id, []).append(IdentityOut.model_validate(identity))
    return [
        ContactOut.model_validate(
            {
                **{name: getattr(contact, name) for name in ContactOut.model_fields if name != "identities"},
                "identities": identities.get(contact.id, []),
            }
        )
        for contact in contacts
    ]


@router.get("")
async def list_contacts(
    _principal: ReadContacts,
    q: Annotated[str | None, Query(max_length=200, description="Part of a name or an address.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[ContactOut]:
    """Contacts, the newest first."""
    statement = sa.select(Contact).where(Contact.merged_into_id.is_(None))
    if q and (words := q.replace("\x00", "").strip().lower()):
        pattern = "%" + words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        by_address = sa.select(Identity.contact_id).where(sa.func.lower(Identity.value).like(pattern))
        statement = statement.where(sa.or_(sa.func.lower(Contact.name).like(pattern), Contact.id.in_(by_address)))
    statement = keyset.after(
        statement, [(Contact.created_at, datetime.fromisoformat), (Contact.id, UUID)], cursor
    ).limit(limit + 1)
    async with transaction() as session:
        rows = list(await session.scalars(statement))
        following = None
        if len(rows) > limit:
            rows = rows[:limit]
            following = keyset.encode([rows[-1].created_at.isoformat(), rows[-1].id])
        return Page(items=await contacts_out(session, rows), next=following)


@router.post("", status_code=201)
async def create_contact(body: NewContact, principal: WriteContacts, once: Once) -> ContactOut:
    """Adds a contact with the addresses that are known; they count as claimed."""

    async def act(session: AsyncSession) -> ContactOut:
        contact = Contact(id=new_id(), name=body.name, language=body.language, notes=body.notes, custom=body.custom)
        session.add(contact)
        await session.flush()
        for identity in body.identities:
            value = identity.value.lower() if identity.kind == "email" else identity.value
            if not await put_identity(session, contact.id, identity.kind, value, Trust.CLAIMED):
                raise Conflict("identity_taken", f"{identity.value} belongs to another contact already")
        await session.refresh(contact)
        return (await contacts_out(session, [contact]))[0]

    return await once(principal, body, ContactOut, act)


@router.get("/{contact_id}")
async def get_contact(contact_id: UUID, _principal: ReadContacts) -> ContactOut:
    async with transaction() as session:
        return (await contacts_out(session, [await _get(session, contact_id)]))[0]


@router.patch("/{contact_id}")
async def change_contact(contact_id: UUID, body: ContactChange, _principal: WriteContacts) -> ContactOut:
    """Changes what is given; `null` clears."""
    async with transaction() as session:
        contact = await _get(session, contact_id)
        for name, value in body.model_dump(exclude_unset=True).items():
            if value is not None or name in ("name", "language", "notes"):
                setattr(contact, name, value)
        await session.flush()
        await session.refresh(contact)
        return (await contacts_out(session, [contact]))[0]


async def _get(session: AsyncSession, contact_id: UUID) -> Contact:
    contact = await session.get(Contact, contact_id)
    if contact is None:
        raise NotFound("contact_not_found", "there is no such contact")
    return contact
