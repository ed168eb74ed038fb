"""The lab: acting as the customer through the fake providers. Demo only; with production settings it does not exist."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from app.demo.mail import ledger_path, misbehave, wrong
from app.http.access import ReadChannels
from app.http.shapes import In, Page
from channels import registry
from channels.email.fake import CustomerMailbox, Delivered, Misbehaviour, read_ledger
from core.accounts.models import ChannelAccount
from core.accounts.service import get
from core.db import transaction
from core.errors import Invalid, NotFound, Unavailable
from core.settings import settings

router = APIRouter(prefix="/lab", tags=["lab"])


class LabChannel(BaseModel):
    channel: str
    account_id: UUID
    title: str
    address: str
    """The mailbox to write to, or the page to open."""


class LabMail(BaseModel):
    message_id: str
    subject: str
    text: str
    html: str | None
    headers: list[tuple[str, str]]
    received_at: datetime


class LabSend(In):
    from_address: Annotated[str, Field(max_length=254, pattern=r"^[^@\s<>]+@[^@\s<>]+$")]
    from_name: Annotated[str, Field(max_length=200)] = ""
    subject: Annotated[str, Field(max_length=500)] = ""
    text: Annotated[str, Field(min_length=1, max_length=100_000)]
    reply_to_message_id: Annotated[str, Field(max_length=1000)] | None = None


class LabMisbehaviour(In):
    mode: Misbehaviour


class Taken(BaseModel):
    message_id: str


@router.get("/channels")
async def lab_channels(_principal: ReadChannels) -> Page[LabChannel]:
    """The connected accounts that have a fake provider."""
    able = [spec.id for spec in registry.specs().values() if spec.demo]
    async with transaction() as session:
        rows = await session.scalars(
            sa.select(ChannelAccount).where(ChannelAccount.channel.in_(able)).order_by(ChannelAccount.created_at)
        )
        return Page(
            items=[
                LabChannel(
                    channel=row.channel,
                    account_id=row.id,
                    title=row.name,
                    address=row.recipient_key or f"{settings().base_url}/demo/",
                )
                for row in rows
            ]
        )


@router.get("/email/{account_id}/mailbox")
async def mailbox(
    account_id: UUID, _principal: ReadChannels, address: Annotated[str, Query(max_length=254)]
) -> Page[LabMail]:
    """What the shop has sent to this address, exactly as it was delivered."""
    await _email(account_id)
    return Page(items=[_mail(one) for one in read_ledger(ledger_path()) if address.lower() in _lower(one.rcpt_to)])


@router.post("/email/{account_id}/send", status_code=202)
async def send_mail(account_id: UUID, body: LabSend, _principal: ReadChannels) -> Taken:
    """Hands a mail to the shop's receiver by SMTP, as any mail program would."""
    import aiosmtplib

    account = await _email(account_id)
    answering = None
    if body.reply_to_message_id is not None:
        answering = next(
            (one for one in read_ledger(ledger_path()) if one.message_id == body.reply_to_message_id), None
        )
        if answering is None:
            raise NotFound("mail_not_found", "there is no such mail in the mailbox")
    customer = CustomerMailbox(body.from_address, body.from_name)
    assert account.recipient_key is not None
    try:
        mail = customer.compose(account.recipient_key, body.subject, body.text, answering=answering)
        message_id = await customer.write(settings().smtp_host, settings().smtp_port, mail)
    except (ValueError, aiosmtplib.SMTPResponseException) as error:
        raise Invalid("mail_refused", str(error)) from None
    except (aiosmtplib.SMTPException, OSError):
        raise Unavailable("mail_receiver_away", "the mail receiver does not answer; try again in a moment") from None
    return Taken(message_id=message_id)


@router.get("/email/{account_id}/misbehave")
async def get_misbehaviour(account_id: UUID, _principal: ReadChannels) -> LabMisbehaviour:
    await _email(account_id)
    return LabMisbehaviour(mode=wrong())


@router.post("/email/{account_id}/misbehave")
async def set_misbehaviour(account_id: UUID, body: LabMisbehaviour, _principal: ReadChannels) -> LabMisbehaviour:
    """Makes the provider do something wrong until told otherwise."""
    await _email(account_id)
    misbehave(body.mode)
    return body


async def _email(account_id: UUID) -> ChannelAccount:
    async with transaction() as session:
        account = await get(session, account_id)
    if account.recipient_key is None:
        raise NotFound("channel_not_found", "there is no such mailbox")
    return account


def _mail(one: Delivered) -> LabMail:
    return LabMail(
        message_id=one.message_id,
        subject=one.subject,
        text=one.text,
        html=one.html,
        headers=list(one.headers),
        received_at=one.received_at,
    )


def _lower(addresses: tuple[str, ...]) -> set[str]:
    return {address.lower() for address in addresses}
