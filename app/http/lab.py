"""The lab: acting as the customer through the fake providers. Demo only; with production settings it does not exist."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter, Query
from pydantic import BaseModel

from app.demo.labs import LAB_KEY, ask, tell
from app.http.access import ReadChannels
from app.http.shapes import In, Page
from channels import registry
from channels.lab import Act, Line, Misbehaviour, Verb
from core.accounts.models import ChannelAccount
from core.db import transaction
from core.errors import NotFound

router = APIRouter(prefix="/lab", tags=["lab"])


class LabChannel(BaseModel):
    channel: str
    account_id: UUID
    title: str
    icon: str
    address: str
    """What the customer writes to, or calls."""
    verbs: list[Verb]
    misbehaviours: list[Misbehaviour]
    misbehaviour: Misbehaviour


class LabMisbehaviour(In):
    mode: Misbehaviour


class Done(BaseModel):
    id: str
    """Of the line that is new or changed."""


@router.get("/channels")
async def lab_channels(_principal: ReadChannels) -> Page[LabChannel]:
    """The accounts that have a fake provider, with what one can do there."""
    async with transaction() as session:
        rows = list(await session.scalars(_lab_accounts().order_by(ChannelAccount.channel)))
    return Page(
        items=[
            LabChannel(
                channel=row.channel,
                account_id=row.id,
                title=registry.spec(row.channel).title,
                icon=registry.spec(row.channel).icon,
                **await ask(row.id),
            )
            for row in rows
        ]
    )


def _lab_accounts() -> sa.Select[ChannelAccount]:
    return sa.select(ChannelAccount).where(ChannelAccount.public_key.startswith(LAB_KEY))


async def _known(account_id: UUID) -> None:
    """Raises NotFound for an account that no fake provider serves."""
    async with transaction() as session:
        if await session.scalar(_lab_accounts().where(ChannelAccount.id == account_id)) is None:
            raise NotFound("channel_not_found", "this account has no lab")


@router.get("/{account_id}/lines")
async def lab_lines(
    account_id: UUID, _principal: ReadChannels, who: Annotated[str, Query(min_length=1, max_length=254)]
) -> Page[Line]:
    """The customer's side of the conversation, oldest first."""
    await _known(account_id)
    return Page[Line].model_validate(await ask(account_id, "/lines", who=who))


@router.post("/{account_id}/acts", status_code=202)
async def lab_act(account_id: UUID, body: Act, _principal: ReadChannels) -> Done:
    """Does one thing as the customer: writes, calls, speaks, presses a key."""
    await _known(account_id)
    return Done.model_validate(await tell(account_id, "/acts", body.model_dump_json()))


@router.post("/{account_id}/misbehaviour")
async def set_misbehaviour(account_id: UUID, body: LabMisbehaviour, _principal: ReadChannels) -> LabMisbehaviour:
    """Makes the provider do something wrong until told otherwise."""
    await _known(account_id)
    return LabMisbehaviour.model_validate(await tell(account_id, "/misbehaviour", body.model_dump_json()))
