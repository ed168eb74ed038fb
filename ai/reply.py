"""The job that answers a customer's message, or sees that a person does."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from ai.answer import Answer, Decision, Question, Speech, Turn, answer
from channels.contract import Automation, Capabilities, TextUnit
from core.accounts.models import ChannelAccount
from core.accounts.service import spec_of
from core.contacts.models import Contact
from core.db import transaction
from core.delivery.typing import Way, typing_to, way_of
from core.failpoints import failpoint
from core.i18n import text
from core.ids import new_id
from core.jobs.models import Lane
from core.jobs.registry import Run, job
from core.settings import settings
from core.tickets import handoff
from core.tickets.events import Kind, locked, record
from core.tickets.models import (
    AttachmentRow,
    Author,
    Direction,
    Handoff,
    Hearing,
    Message,
    Route,
    Status,
    Ticket,
)
from core.tickets.replies import Reply, post_reply

log = logging.getLogger(__name__)

_TRIES = 3
"""Attempts at an answer before a person gets the ticket."""
_HISTORY = 6
"""Earlier messages the engine is shown."""
_SPOKEN = 600
"""Characters, about forty seconds."""
_TEXTED = 300
"""Characters: two segments of an SMS in the plainest letters, five in others."""
_PER_HOUR = 20
"""Automatic messages on one ticket in an hour: a loop that carries no marks ends here."""


@job("ai.reply", lane=Lane.AI)
async def reply(run: Run, *, ticket_id: str, message_id: str) -> None:
    ticket, message = UUID(ticket_id), UUID(message_id)
    async with transaction() as session:
        question = await _question(session, ticket, message)
    if question is None:
        return
    await failpoint("ai.claimed")
    if run.attempt > _TRIES:
        async with run.transaction(finish=True) as session:
            handoff.queue(session, await locked(session, ticket), "ai_failed", Author.SYSTEM)
        return
    with typing_to(question.way):
        answered = await answer(question.asked)
    await failpoint("ai.composed")
    async with run.transaction(finish=True) as session:
        # Read again under the ticket's lock: much may have happened while the answer was made.
        if await _question(session, ticket, message) is not None:
            await _act(session, await locked(session, ticket), message, answered, question.asked, run.correlation_id)
    await failpoint("ai.replied")


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is to be answered, and which way its answer will go."""

    asked: Question
    way: Way | None


async def _question(session: AsyncSession, ticket_id: UUID, message_id: UUID) -> _Asked | None:
    """What is to be answered, or None where the AI has no business answering."""
    ticket = await locked(session, ticket_id)
    message = await session.get(Message, message_id)
    if message is None or ticket.handoff is not Handoff.AI or ticket.status in (Status.CLOSED, Status.SPAM):
        return None
    if message.automation is not Automation.NONE or message.deleted_at is not None:
        return None
    earlier = list(
        await session.scalars(
            sa.select(Message)
            .where(Message.ticket_id == ticket_id, Message.direction != Direction.NOTE, Message.draft.is_(False))
            .order_by(Message.created_at.desc(), Message.id.desc())
            .limit(50)
        )
    )
    position = next((index for index, other in enumerate(earlier) if other.id == message_id), None)
    if position is None:
        return None
    if any(other.direction is Direction.IN and other.automation is Automation.NONE for other in earlier[:position]):
        return None  # the customer has written again: the newer message's job answers both
    if any(other.direction is Direction.OUT and other.in_reply_to_id == message_id for other in earlier):
        return None
    if await _looping(session, ticket):
        handoff.queue(session, ticket, "too_many_automatic_replies", Author.SYSTEM)
        return None
    # What the customer has said since our last word is one question.
    unanswered = [message]
    for other in earlier[position + 1 :]:
        if other.direction is Direction.OUT:
            break
        if other.automation is Automation.NONE:
            unanswered.append(other)
    contact = await session.get_one(Contact, ticket.contact_id)
    route = await session.get(Route, message.route_id) if message.route_id else None
    account = await session.get(ChannelAccount, route.account_id) if route else None
    capabilities = spec_of(account.channel if account else ticket.channel).capabilities
    asked = Question(
        text="\n".join(other.text for other in reversed(unanswered)).strip(),
        subject=message.subject,
        language=message.language or ticket.language or contact.language,
        brief=capabilities.chat_like or capabilities.live_audio,
        speech=await _speech(session, unanswered),
        room=_room(capabilities),
        live=capabilities.live_audio,
        sources=not capabilities.citations,
        first=not any(other.direction is Direction.OUT for other in earlier),
        name=contact.name,
        history=[
            Turn(customer=other.direction is Direction.IN, text=other.text)
            for other in reversed(earlier[position + len(unanswered) : position + len(unanswered) + _HISTORY])
        ],
    )
    way = await way_of(session, account, route) if account and route and capabilities.typing else None
    return _Asked(asked, way)


def _room(capabilities: Capabilities) -> int | None:
    """How much is good to hear at a stretch, or to pay for by the segment."""
    if capabilities.live_audio:
        return _SPOKEN
    return _TEXTED if capabilities.text_unit is TextUnit.SMS_SEGMENTS else None


async def _speech(session: AsyncSession, unanswered: Sequence[Message]) -> Speech:
    """What became of what was spoken, where nothing else was said."""
    if any(message.text.strip() for message in unanswered):
        return Speech.UNDERSTOOD
    hearings = list(
        await session.scalars(
            sa.select(AttachmentRow.hearing).where(
                AttachmentRow.message_id.in_([message.id for message in unanswered]), AttachmentRow.spoken
            )
        )
    )
    if not hearings:
        return Speech.UNDERSTOOD
    return Speech.SILENT if all(hearing is Hearing.DONE for hearing in hearings) else Speech.LOST


async def _looping(session: AsyncSession, ticket: Ticket) -> bool:
    count = await session.scalar(
        sa.select(sa.func.count())
        .select_from(Message)
        .where(
            Message.ticket_id == ticket.id,
            Message.direction == Direction.OUT,
            Message.author == Author.AI,
            Message.created_at > sa.func.now() - timedelta(hours=1),
        )
    )
    return (count or 0) >= _PER_HOUR


async def _act(
    session: AsyncSession,
    ticket: Ticket,
    message_id: UUID,
    answered: Answer,
    asked: Question,
    correlation_id: UUID | None,
) -> None:
    ticket.language = answered.language
    facts: dict[str, Any] = {
        "decision": answered.decision.value,
        "reason": answered.reason.value,
        "confidence": round(answered.confidence, 4),
        "composer": answered.composer,
        "timings": answered.timings,
    }
    citations = [asdict(citation) for citation in answered.citations]
    record(session, ticket, Kind.AI, actor=Author.AI, message_id=message_id, language=answered.language, **facts)
    if answered.decision is Decision.SILENCE:
        return
    if answered.decision is Decision.REVIEW:
        draft = Message(
            id=new_id(),
            ticket_id=ticket.id,
            direction=Direction.OUT,
            author=Author.AI,
            author_name=settings().bot_name,
            text=answered.text,
            html=answered.html,
            language=answered.language,
            citations=citations,
            ai=facts,
            in_reply_to_id=message_id,
            draft=True,
        )
        session.add(draft)
        await session.flush()
        record(session, ticket, Kind.DRAFT, actor=Author.AI, message_id=draft.id)
        handoff.review(session, ticket, answered.reason.value)
        return
    handed_over = answered.decision is Decision.HANDOFF
    # On the line, silence is no courtesy.
    already_told = handed_over and not asked.live and await _told_before(session, ticket.id)
    if not already_told:
        body, html = answered.text, answered.html
        if handed_over and not asked.live:
            body, html = _with_reference(body, html, answered.language, ticket.number)
        await post_reply(
            session,
            ticket,
            Reply(
                author=Author.AI,
                author_name=settings().bot_name,
                text=body,
                html=html,
                language=answered.language,
                citations=() if handed_over else citations,
                ai=facts,
                to_message_id=message_id,
                status=None if handed_over else Status.PENDING,
                correlation_id=correlation_id,
            ),
        )
    if handed_over:
        handoff.queue(session, ticket, answered.reason.value)


def _with_reference(body: str, html: str, language: str, number: int) -> tuple[str, str]:
    """The note with the ticket's number, by which the customer can ask for it."""
    reference = text(language, "handoff.ticket_ref", number=f"#{number}")
    return f"{body}\n\n{reference}", f"{html}<p>{reference}</p>"


async def _told_before(session: AsyncSession, ticket_id: UUID) -> bool:
    """Whether the customer heard within a day that a person will answer: once is courteous, twice is noise."""
    found = await session.scalar(
        sa.select(Message.id)
        .where(
            Message.ticket_id == ticket_id,
            Message.direction == Direction.OUT,
            Message.author == Author.AI,
            Message.ai["decision"].astext == Decision.HANDOFF.value,
            Message.created_at > sa.func.now() - timedelta(days=1),
        )
        .limit(1)
    )
    return found is not None
