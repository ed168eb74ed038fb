"""How an account is: what its provider says, what came and went, what waits, and what we may have missed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from channels.contract import Adapter, AuthFailed, Backfill, ChannelError
from core.accounts.models import AccountState, ChannelAccount
from core.accounts.service import adapter_of
from core.db import transaction
from core.delivery.models import Delivery, DeliveryState
from core.intake.models import Raw, RawState

LOOKED_BACK = timedelta(hours=24)
"""How far the provider's list is compared with ours."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """Counts of what waits."""

    raws: int
    """Received and not yet worked on."""
    quarantined: int
    deliveries: int
    """On their way, or parked until the account is connected again."""
    held: int
    """In doubt: a person decides."""


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Messages to us within the last day, by the provider's list and by ours."""

    theirs: int
    missing: int
    """Listed by the provider and not stored by us; the next look brings them."""


@dataclass(frozen=True, slots=True)
class Health:
    state: AccountState
    ok: bool
    identity: str | None
    """Who we are at the provider; None where it could not be asked."""
    last_in_at: datetime | None
    last_out_at: datetime | None
    backlog: Backlog
    reconciliation: Reconciliation | None
    """None where the provider keeps no list, or could not be asked for it."""
    mend: tuple[str, ...] = field(default=())
    """What to do, in plain sentences; empty where all is well."""


async def examine(account_id: UUID) -> Health:
    """Asks the provider and looks at our own books. Raises NotFound."""
    from core.accounts.service import get

    async with transaction() as session:
        account = await get(session, account_id)
        backlog = await _backlog(session, account_id)
    identity, reconciliation, mend = None, None, list(_ours(account, backlog))
    if account.state is not AccountState.DISABLED:
        async with adapter_of(account) as adapter:
            try:
                checked = await adapter.check()
            except AuthFailed as error:
                mend.insert(0, f"{error}. Enter new credentials, or connect the account again.")
            except ChannelError as error:
                mend.insert(0, f"{error}. We keep trying; check the address and the provider's own status page.")
            else:
                identity = checked.identity
                mend += checked.missing
                reconciliation = await _reconcile(adapter, account_id)
    if reconciliation is not None and reconciliation.missing:
        mend.append(
            f"{reconciliation.missing} messages of the last day never arrived by themselves; they are fetched within "
            "ten minutes. Check that the provider can reach the webhook address."
        )
    return Health(
        state=account.state,
        ok=not mend,
        identity=identity,
        last_in_at=account.last_in_at,
        last_out_at=account.last_out_at,
        backlog=backlog,
        reconciliation=reconciliation,
        mend=tuple(mend),
    )


def _ours(account: ChannelAccount, backlog: Backlog) -> list[str]:
    """What our own books say is wrong."""
    found = []
    if account.state is AccountState.RECONNECT:
        found.append(f"The provider no longer accepts our credentials ({account.error}); replies are parked meanwhile.")
    if backlog.quarantined:
        found.append(f"{backlog.quarantined} messages were not understood: see GET /api/v1/raws?state=quarantined.")
    if backlog.held:
        found.append(f"{backlog.held} deliveries are in doubt: settle them in the inbox.")
    return found


async def _backlog(session: AsyncSession, account_id: UUID) -> Backlog:
    raws = sa.select(
        sa.func.count().filter(Raw.state == RawState.RECEIVED),
        sa.func.count().filter(Raw.state == RawState.QUARANTINED),
    ).where(Raw.account_id == account_id, Raw.state.in_([RawState.RECEIVED, RawState.QUARANTINED]))
    waiting = (DeliveryState.PENDING, DeliveryState.SENDING, DeliveryState.PARKED)
    deliveries = sa.select(
        sa.func.count().filter(Delivery.state.in_(waiting)),
        sa.func.count().filter(Delivery.state == DeliveryState.HELD),
    ).where(Delivery.account_id == account_id, Delivery.state.in_([*waiting, DeliveryState.HELD]))
    received, quarantined = (await session.execute(raws)).one()
    on_their_way, held = (await session.execute(deliveries)).one()
    return Backlog(raws=received, quarantined=quarantined, deliveries=on_their_way, held=held)


async def _reconcile(adapter: Adapter, account_id: UUID) -> Reconciliation | None:
    if not isinstance(adapter, Backfill):
        return None
    try:
        listed = {raw.external_id for raw in await adapter.list_since(datetime.now(UTC) - LOOKED_BACK)}
    except ChannelError:
        return None  # check() has spoken to the provider a moment ago; the list is a courtesy
    async with transaction() as session:
        known = set(
            await session.scalars(
                sa.select(Raw.external_id).where(Raw.account_id == account_id, Raw.external_id.in_(listed))
            )
        )
    return Reconciliation(theirs=len(listed), missing=len(listed - known))
