"""What the outside says became of our messages."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from channels.contract import Address, ReceiptKind, ReceiptReceived
from core.accounts.models import ChannelAccount
from core.contacts.models import Identity
from core.delivery.models import Delivery, DeliveryState
from core.tickets import handoff
from core.tickets.events import Kind, locked, record
from core.tickets.models import Author, Status, Ticket

_STATE = {
    ReceiptKind.SENT: DeliveryState.SENT,
    ReceiptKind.DELIVERED: DeliveryState.DELIVERED,
    ReceiptKind.READ: DeliveryState.READ,
    ReceiptKind.FAILED: DeliveryState.FAILED,
}
_IN_DOUBT = {DeliveryState.PENDING: DeliveryState.SENDING, DeliveryState.HELD: DeliveryState.SENDING}
"""A delivery in doubt may have gone out: a receipt settles it."""
_ORDER = [DeliveryState.SENDING, DeliveryState.SENT, DeliveryState.DELIVERED, DeliveryState.READ]


async def apply_receipt(session: AsyncSession, account: ChannelAccount, receipt: ReceiptReceived) -> UUID | None:
    """Applies a receipt; returns the ticket it belongs to, or None where it is not about a message of ours.

    Receipts may come late and out of order: a state only moves forward, and a failure is final.
    """
    delivery = await _delivery(session, account, receipt)
    if receipt.kind is ReceiptKind.FAILED and receipt.recipient is not None and receipt.permanent:
        await _mark_bad(session, receipt.recipient)
    if delivery is None:
        return None
    ticket = await locked(session, delivery.ticket_id)
    if receipt.facts:
        delivery.detail = {**delivery.detail, **receipt.facts}
    state = _STATE[receipt.kind]
    if receipt.kind is ReceiptKind.FAILED and not receipt.permanent:
        record(session, ticket, Kind.DELIVERY, message_id=delivery.message_id, state="delayed", code=receipt.code)
        return ticket.id
    before = _IN_DOUBT.get(delivery.state, delivery.state) if delivery.doubtful else delivery.state
    forward = before in _ORDER and (state is DeliveryState.FAILED or _ORDER.index(state) > _ORDER.index(before))
    if not forward:
        return ticket.id
    delivery.state = state
    if delivery.external_id is None:
        delivery.external_id = receipt.message_id
    delivery.receipt_at = sa.func.now()
    if state is DeliveryState.FAILED:
        delivery.error_code = receipt.code or receipt.automation.value
        delivery.error = receipt.detail
        failed(session, ticket, delivery)
    else:
        record(session, ticket, Kind.DELIVERY, message_id=delivery.message_id, state=state.value)
    return ticket.id


def failed(session: AsyncSession, ticket: Ticket, delivery: Delivery) -> None:
    """A message did not arrive: on the timeline, the ticket open again, a person told."""
    record(
        session,
        ticket,
        Kind.DELIVERY,
        message_id=delivery.message_id,
        state=DeliveryState.FAILED.value,
        code=delivery.error_code,
        error=delivery.error,
    )
    if ticket.status in (Status.PENDING, Status.RESOLVED, Status.CLOSED):
        before, ticket.status = ticket.status, Status.OPEN
        record(session, ticket, Kind.REOPENED, before=before.value, reason="delivery_failed")
    handoff.queue(session, ticket, "delivery_failed", Author.SYSTEM)


async def _delivery(session: AsyncSession, account: ChannelAccount, receipt: ReceiptReceived) -> Delivery | None:
    if receipt.key is not None:
        try:
            delivery_id = UUID(receipt.key)
        except ValueError:
            return None
        found = await session.get(Delivery, delivery_id)
        return found if found is not None and found.account_id == account.id else None
    if receipt.message_id is None:
        return None
    return await session.scalar(
        sa.select(Delivery)
        .where(Delivery.account_id == account.id, Delivery.external_id == receipt.message_id)
        .order_by(Delivery.seq.desc())
        .limit(1)
    )


async def _mark_bad(session: AsyncSession, recipient: Address) -> None:
    await session.execute(
        sa.update(Identity)
        .where(Identity.kind == recipient.kind, Identity.value == recipient.value, Identity.bad_since.is_(None))
        .values(bad_since=sa.func.now())
    )
