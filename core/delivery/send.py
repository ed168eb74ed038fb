"""The job of one delivery: first-in-first-out per route, one lease, one request, and every end accounted for."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from channels import registry
from channels.contract import (
    CONVERSATION_OVER,
    Address,
    Attachment,
    AuthFailed,
    Capabilities,
    Citation,
    Context,
    Lookup,
    Outbound,
    OutcomeUnknown,
    Rejected,
    Retryable,
    Sent,
)
from core.accounts.models import AccountState, ChannelAccount
from core.accounts.service import context_of, set_state, spec_of
from core.blobs import blobs
from core.contacts.models import Identity
from core.db import transaction
from core.delivery.follow_up import write_instead
from core.delivery.models import UNFINISHED, Delivery, DeliveryState
from core.delivery.queue import enqueue_delivery
from core.delivery.receipts import failed
from core.failpoints import failpoint
from core.jobs.models import Lane
from core.jobs.registry import Again, LostLease, Run, job
from core.jobs.worker import backoff
from core.settings import settings
from core.tickets.events import Kind, locked, record
from core.tickets.links import public_link
from core.tickets.models import (
    AttachmentRow,
    Author,
    Direction,
    Handoff,
    Message,
    Route,
    ThreadRef,
    Ticket,
)

log = logging.getLogger(__name__)

_REQUEST_TIMEOUT = 60.0
"""Seconds after which a provider's answer is no longer waited for: what it did is unknown then."""


@dataclass(frozen=True, slots=True)
class _Leased:
    """A delivery that this attempt may send."""

    delivery: Delivery
    channel: str
    capabilities: Capabilities
    context: Context
    outbound: Outbound


@job("deliver.send", lane=Lane.DELIVER)
async def send(run: Run, *, delivery_id: str) -> None:
    try:
        leased = await _lease(run, UUID(delivery_id))
    except Exception as error:
        # A file that is gone, a setting that cannot be read: the message fails in the open, and the next one may go.
        if isinstance(error, LostLease) or run.attempt < run.max_attempts:
            raise
        async with run.transaction(finish=True) as session:
            await _give_up(session, UUID(delivery_id), "internal_error", type(error).__name__)
        return
    if leased is not None:
        await _deliver(run, leased)


async def _deliver(run: Run, leased: _Leased) -> None:
    await failpoint("deliver.claimed")
    adapter = registry.build(leased.channel, leased.context)
    try:
        async with asyncio.timeout(_REQUEST_TIMEOUT):
            sent: Sent | None = None
            if leased.delivery.doubtful and isinstance(adapter, Lookup) and leased.delivery.started_at is not None:
                sent = await adapter.find_sent(leased.outbound.key, leased.delivery.started_at, leased.outbound)
            if sent is None:
                await failpoint("deliver.before_send")
                sent = await adapter.send(leased.outbound)
    except TimeoutError:
        await _doubt(run, leased, "the provider did not answer in time")
    except OutcomeUnknown as error:
        await _doubt(run, leased, str(error))
    except Retryable as error:
        await _later(run, leased, error)
    except Rejected as error:
        await _failed(run, leased, error.code, str(error))
    except AuthFailed as error:
        await _park(run, leased, error)
    except Exception as error:
        # A fault of ours. It may have struck before or after the request, so the next attempt counts as doubtful.
        if run.attempt < run.max_attempts:
            raise
        await _failed(run, leased, "internal_error", type(error).__name__)
    else:
        await failpoint("deliver.accepted")
        await _mark_sent(run, leased, sent)
        await failpoint("deliver.marked")
    finally:
        await adapter.aclose()


# ---------------------------------------------------------------------------------------------------- before sending


async def _lease(run: Run, delivery_id: UUID) -> _Leased | None:
    """Marks the delivery as being sent, or settles it without sending and returns None.

    What ends here ends together with its job: whoever wakes the delivery later finds either both or neither, so
    a wake-up is never lost and one delivery never has two jobs.
    """
    async with transaction() as session:
        delivery = await session.get(Delivery, delivery_id)
        if delivery is None:
            return None
        ticket = await locked(session, delivery.ticket_id)
        await session.refresh(delivery, with_for_update=True)
        leased = await _leased(session, ticket, delivery)
        if leased is None:
            await run.finish(session)
        return leased


async def _leased(session: AsyncSession, ticket: Ticket, delivery: Delivery) -> _Leased | None:
    if delivery.state not in UNFINISHED:
        await _wake_next(session, delivery)  # settled meanwhile, by a receipt perhaps
        return None
    if delivery.state is DeliveryState.SENDING:
        # An earlier attempt died between the lease and the mark: the provider may have it.
        delivery.doubtful = True
    earlier = await session.scalar(
        sa.select(Delivery.id)
        .where(Delivery.route_id == delivery.route_id, Delivery.seq < delivery.seq, Delivery.state.in_(UNFINISHED))
        .limit(1)
    )
    if earlier is not None:
        return None  # the earlier one wakes this one when it is done
    account = await session.get_one(ChannelAccount, delivery.account_id)
    message = await session.get_one(Message, delivery.message_id)
    capabilities = spec_of(account.channel).capabilities
    if account.state in (AccountState.RECONNECT, AccountState.DISABLED):
        delivery.state = DeliveryState.PARKED
        return None
    if not await _begun(session, delivery) and await _overtaken(session, ticket, message):
        await _cancel(session, ticket, message, delivery)
        return None
    if delivery.doubtful and not (capabilities.idempotent_send or capabilities.lookup_sent):
        await _hold(session, ticket, delivery)
        return None
    delivery.state = DeliveryState.SENDING
    delivery.attempts += 1
    if delivery.started_at is None:
        delivery.started_at = sa.func.now()
    outbound = await _outbound(session, delivery, message, ticket)
    await session.flush()
    await session.refresh(delivery)
    return _Leased(delivery, account.channel, capabilities, context_of(account), outbound)


async def _begun(session: AsyncSession, delivery: Delivery) -> bool:
    """Whether the customer has, or may have, a part of the message already: half an answer is worse than a late one."""
    if delivery.doubtful:
        return True
    other = await session.scalar(
        sa.select(Delivery.id)
        .where(
            Delivery.message_id == delivery.message_id,
            Delivery.id != delivery.id,
            sa.or_(Delivery.sent_at.is_not(None), Delivery.doubtful),
        )
        .limit(1)
    )
    return other is not None


async def _overtaken(session: AsyncSession, ticket: Ticket, message: Message) -> bool:
    """Whether an answer of the AI must not go out any more: a person is at it, or the customer has gone on."""
    if message.author is not Author.AI or "reviewed_by" in (message.ai or {}):
        return False  # a person wrote it, or stands for it
    if ticket.handoff is Handoff.HUMAN:
        return True
    newer = await session.scalar(
        sa.select(Message.id)
        .where(
            Message.ticket_id == ticket.id,
            Message.direction == Direction.IN,
            Message.created_at > message.created_at,
            Message.automation == "none",
        )
        .limit(1)
    )
    return newer is not None


async def _cancel(session: AsyncSession, ticket: Ticket, message: Message, delivery: Delivery) -> None:
    delivery.state = DeliveryState.CANCELLED
    record(
        session,
        ticket,
        Kind.DELIVERY,
        message_id=message.id,
        state=DeliveryState.CANCELLED.value,
        reason="human" if ticket.handoff is Handoff.HUMAN else "customer_wrote",
    )
    await _wake_next(session, delivery)


async def _hold(session: AsyncSession, ticket: Ticket, delivery: Delivery) -> None:
    delivery.state = DeliveryState.HELD
    record(session, ticket, Kind.DELIVERY, message_id=delivery.message_id, state=DeliveryState.HELD.value)
    await _wake_next(session, delivery)


async def _outbound(session: AsyncSession, delivery: Delivery, message: Message, ticket: Ticket) -> Outbound:
    route = await session.get_one(Route, delivery.route_id)
    identity = await session.get_one(Identity, route.identity_id)
    answered = await session.get(Message, message.in_reply_to_id) if message.in_reply_to_id else None
    refs = await session.scalars(
        sa.select(ThreadRef.ref)
        .join(Message, Message.id == ThreadRef.message_id)
        .where(ThreadRef.account_id == delivery.account_id, Message.route_id == route.id, Message.id != message.id)
        .order_by(Message.created_at, Message.id)
    )
    files = await session.scalars(sa.select(AttachmentRow).where(AttachmentRow.message_id == message.id))
    last = delivery.part == delivery.parts - 1
    whole = delivery.parts == 1
    return Outbound(
        key=str(delivery.id),
        to=Address(kind=identity.kind, value=identity.value, name=identity.name, trust=identity.trust),
        cc=tuple(Address(kind=identity.kind, value=value) for value in message.recipients.get("cc", ())),
        bcc=tuple(Address(kind=identity.kind, value=value) for value in message.recipients.get("bcc", ())),
        route=route.data,
        route_id=str(route.id),
        reply_to=answered.external_id if answered else None,
        thread_refs=tuple(refs),
        subject=message.subject or ticket.subject,
        text=message.text if delivery.text is None else delivery.text,
        html=message.html if whole else None,
        attachments=tuple([await _file(file) for file in files]) if last else (),
        citations=tuple(Citation(title=citation["title"], url=citation.get("url")) for citation in message.citations)
        if last
        else (),
        language=message.language,
        automated=message.author in (Author.AI, Author.SYSTEM),
        to_person=ticket.handoff in (Handoff.QUEUE, Handoff.HUMAN),
        author=message.author_name or (settings().bot_name if message.author is Author.AI else None),
    )


async def _file(file: AttachmentRow) -> Attachment:
    assert file.blob_key is not None  # ours are stored before they are sent
    return Attachment(
        filename=file.filename,
        content_type=file.content_type,
        size=file.size,
        content=await blobs().get(file.blob_key),
        url=public_link(file.id),
        content_id=file.content_id,
        inline=file.inline,
    )


# ---------------------------------------------------------------------------------------------------- after sending


async def _wake_next(session: AsyncSession, delivery: Delivery) -> None:
    """The next delivery of the route may go now."""
    following = await session.scalar(
        sa.select(Delivery.id)
        .where(
            Delivery.route_id == delivery.route_id,
            Delivery.seq > delivery.seq,
            Delivery.state == DeliveryState.PENDING,
        )
        .order_by(Delivery.seq)
        .limit(1)
    )
    if following is not None:
        await enqueue_delivery(session, following, delivery.account_id)


async def _current(session: AsyncSession, leased: _Leased) -> tuple[Ticket, Delivery]:
    ticket = await locked(session, leased.delivery.ticket_id)
    delivery = await session.get_one(Delivery, leased.delivery.id, with_for_update=True)
    return ticket, delivery


async def _mark_sent(run: Run, leased: _Leased, sent: Sent) -> None:
    async with run.transaction(finish=True) as session:
        ticket, delivery = await _current(session, leased)
        message = await session.get_one(Message, delivery.message_id)
        if delivery.state not in _TOLD:
            delivery.state = DeliveryState.SENT
        delivery.external_id = sent.external_id
        delivery.detail = {**sent.detail, **delivery.detail}  # a receipt may have come first
        delivery.error = delivery.error_code = None
        delivery.sent_at = sa.func.now()
        if message.author in (Author.USER, Author.AI) and ticket.first_response_at is None:
            ticket.first_response_at = sa.func.now()
        await session.execute(
            sa.text(
                "INSERT INTO thread_refs (account_id, ref, ticket_id, message_id) "
                "VALUES (:account, :ref, :ticket, :message) ON CONFLICT DO NOTHING"
            ),
            {
                "account": delivery.account_id,
                "ref": sent.external_id,
                "ticket": ticket.id,
                "message": message.id,
            },
        )
        await session.execute(
            sa.update(ChannelAccount).where(ChannelAccount.id == delivery.account_id).values(last_out_at=sa.func.now())
        )
        record(session, ticket, Kind.DELIVERY, message_id=message.id, state=DeliveryState.SENT.value)
        await _wake_next(session, delivery)


_TOLD = (DeliveryState.DELIVERED, DeliveryState.READ, DeliveryState.FAILED)
"""What a receipt that overtook the provider's own answer has said already, and better."""


async def _later(run: Run, leased: _Leased, error: Retryable) -> None:
    if run.attempt >= run.max_attempts:
        await _failed(run, leased, error.code, str(error))
        return
    async with transaction() as session:
        _ticket, delivery = await _current(session, leased)
        delivery.state = DeliveryState.PENDING
        delivery.error_code, delivery.error = error.code, str(error)
    raise Again(max(error.after, backoff(run.attempt)), str(error))


async def _doubt(run: Run, leased: _Leased, reason: str) -> None:
    """The provider may have it. Settled by the next attempt: repeated, looked up, or held for a person."""
    async with transaction() as session:
        _ticket, delivery = await _current(session, leased)
        delivery.state = DeliveryState.PENDING
        delivery.doubtful = True
        delivery.error_code, delivery.error = "outcome_unknown", reason
    if run.attempt >= run.max_attempts:
        await _failed(run, leased, "outcome_unknown", reason)
        return
    raise Again(backoff(run.attempt), reason)


async def _failed(run: Run, leased: _Leased, code: str, reason: str) -> None:
    async with run.transaction(finish=True) as session:
        if code == CONVERSATION_OVER and await _reached_otherwise(session, leased, reason):
            return
        await _give_up(session, leased.delivery.id, code, reason)


async def _reached_otherwise(session: AsyncSession, leased: _Leased, reason: str) -> bool:
    """Whether the message goes another way, now that the conversation (a call) is over."""
    ticket, delivery = await _current(session, leased)
    message = await session.get_one(Message, delivery.message_id)
    if await write_instead(session, ticket, message, CONVERSATION_OVER) is None:
        return False
    delivery.state = DeliveryState.FAILED
    delivery.error_code, delivery.error = CONVERSATION_OVER, reason
    record(
        session, ticket, Kind.DELIVERY,
        message_id=message.id, state=DeliveryState.FAILED.value, code=CONVERSATION_OVER, error=reason,
    )  # fmt: skip
    await _wake_next(session, delivery)
    return True


async def _give_up(session: AsyncSession, delivery_id: UUID, code: str, reason: str) -> None:
    """On the timeline, the ticket open again, a person told; and the next of the route may go."""
    found = await session.get(Delivery, delivery_id)
    if found is None:
        return
    ticket = await locked(session, found.ticket_id)
    await session.refresh(found, with_for_update=True)
    if found.state in UNFINISHED:
        found.state = DeliveryState.FAILED
        found.error_code, found.error = code, reason
        failed(session, ticket, found)
    await _wake_next(session, found)


async def _park(run: Run, leased: _Leased, error: AuthFailed) -> None:
    async with run.transaction(finish=True) as session:
        ticket, delivery = await _current(session, leased)
        delivery.state = DeliveryState.PARKED
        delivery.error_code, delivery.error = error.code, str(error)
        await set_state(session, delivery.account_id, AccountState.RECONNECT, str(error))
        record(session, ticket, Kind.DELIVERY, message_id=delivery.message_id, state=DeliveryState.PARKED.value)


async def unpark(session: AsyncSession, account_id: UUID) -> int:
    """After a reconnection: everything parked goes its way again. Returns how many."""
    rows = await session.scalars(
        sa.update(Delivery)
        .where(Delivery.account_id == account_id, Delivery.state == DeliveryState.PARKED)
        .values(state=DeliveryState.PENDING)
        .returning(Delivery.id)
    )
    ids = list(rows)
    for delivery_id in ids:
        await enqueue_delivery(session, delivery_id, account_id)
    return len(ids)


async def settle(session: AsyncSession, delivery: Delivery, ticket: Ticket, *, send_again: bool, user_id: UUID) -> None:
    """A person decides about a held delivery: send it again, or take it as sent."""
    delivery.doubtful = False
    if send_again:
        delivery.state = DeliveryState.PENDING
        await enqueue_delivery(session, delivery.id, delivery.account_id)
    else:
        delivery.state = DeliveryState.SENT
    record(
        session,
        ticket,
        Kind.DELIVERY,
        actor=Author.USER,
        actor_id=user_id,
        message_id=delivery.message_id,
        state=delivery.state.value,
        reason="settled",
    )
