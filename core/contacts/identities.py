"""From an address on a channel to a person."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from channels.contract import Address, Trust
from core.contacts.models import Contact, Identity
from core.ids import new_id


async def identify(session: AsyncSession, address: Address, language: str | None = None) -> Identity:
    """The identity of `address`, made together with its contact where it is new. Trust only grows."""
    identity = await session.scalar(
        sa.select(Identity).where(Identity.kind == address.kind, Identity.value == address.value)
    )
    if identity is None:
        contact_id = new_id()
        # The unique key decides a race; the loser's contact is never written.
        made = await session.execute(
            sa.text(
                """
                WITH contact AS (
                    INSERT INTO contacts (id, name, language, custom)
                    SELECT :contact_id, :name, :language, '{}'::jsonb
                    WHERE NOT EXISTS (SELECT 1 FROM identities WHERE kind = :kind AND value = :value)
                    RETURNING id
                )
                INSERT INTO identities (id, contact_id, kind, value, name, trust)
                SELECT :id, contact.id, :kind, :value, :name, :trust FROM contact
                ON CONFLICT (kind, value) DO NOTHING
                """
            ),
            {
                "contact_id": contact_id,
                "id": new_id(),
                "name": address.name,
                "language": language,
                "kind": address.kind,
                "value": address.value,
                "trust": address.trust.value,
            },
        )
        if made.rowcount == 0:  # type: ignore[attr-defined]
            await session.execute(sa.delete(Contact).where(Contact.id == contact_id))
        identity = await session.scalar(
            sa.select(Identity).where(Identity.kind == address.kind, Identity.value == address.value)
        )
        assert identity is not None
    elif address.trust.rank > identity.trust.rank:
        identity.trust = address.trust
    if identity.name is None and address.name:
        identity.name = address.name
    return identity


async def contact_of(session: AsyncSession, identity: Identity) -> Contact:
    """The person behind an identity, after all merges."""
    contact = await session.get(Contact, identity.contact_id)
    assert contact is not None
    while contact.merged_into_id is not None:
        merged = await session.get(Contact, contact.merged_into_id)
        assert merged is not None
        contact = merged
    return contact


async def put_identity(session: AsyncSession, contact_id: UUID, kind: str, value: str, trust: Trust) -> bool:
    """Adds an identity to a contact; False where somebody has it already."""
    statement = (
        insert(Identity)
        .values(id=new_id(), contact_id=contact_id, kind=kind, value=value, trust=trust)
        .on_conflict_do_nothing()
        .returning(Identity.id)
    )
    return await session.scalar(statement) is not None
