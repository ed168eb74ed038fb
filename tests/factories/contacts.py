"""People outside."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from channels.contract import Address, Trust
from core.contacts.identities import contact_of, identify
from core.contacts.models import Contact, Identity
from core.ids import new_id


def address(name: str | None = None, *, kind: str = "bird", trust: Trust = Trust.PROVIDER) -> Address:
    value = name or f"c{new_id().hex[-10:]}"
    return Address(kind=kind, value=value, name=value.title(), trust=trust)


async def contact(session: AsyncSession, name: str | None = None, *, kind: str = "bird") -> tuple[Contact, Identity]:
    identity = await identify(session, address(name, kind=kind))
    return await contact_of(session, identity), identity
