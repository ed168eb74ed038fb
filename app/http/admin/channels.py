"""Channel accounts: what can be connected, what is, and whether it works."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter
from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncSession

from app.http.access import ReadChannels, WriteChannels
from app.http.idempotency import Once
from app.http.shapes import In, Line, Out, Page
from channels import registry
from channels.contract import Authenticity, AuthFailed, Capabilities, ChannelError, Ingress, Webhook
from core.accounts import service
from core.accounts.models import AccountState, ChannelAccount
from core.accounts.verifications import verifications
from core.db import transaction
from core.delivery.send import unpark
from core.ids import new_token
from core.people.accounts import audit
from core.settings import settings

log = logging.getLogger(__name__)
router = APIRouter(tags=["channels"])


class ChannelType(BaseModel):
    id: str
    title: str
    icon: str
    peer_kind: str
    ingress: list[Ingress]
    capabilities: Capabilities
    settings_schema: dict[str, Any]
    """JSON schema of the settings; secrets have `writeOnly`."""


class ChannelOut(Out):
    id: UUID
    channel: str
    name: str
    settings: dict[str, Any]
    secrets: list[str]
    """Names of the secrets that are set; their values are never shown."""
    state: AccountState
    error: str | None
    error_at: datetime | None
    last_in_at: datetime | None
    last_out_at: datetime | None
    public_key: str | None
    webhook_url: str | None
    created_at: datetime


class NewChannel(In):
    channel: Annotated[str, Field(max_length=50)]
    name: Line
    settings: dict[str, Any] = Field(default_factory=dict)


class ChannelChange(In):
    name: Line | None = None
    settings: dict[str, Any] | None = None
    """What is given is changed; secrets that are not given stay."""
    enabled: bool | None = None


class CheckOut(BaseModel):
    ok: bool
    identity: str | None = None
    missing: list[str] = []
    code: str | None = None
    detail: str | None = None


class VerificationOut(BaseModel):
    id: UUID
    """The raw's."""
    received_at: datetime
    sender: str
    sender_name: str | None
    authenticity: Authenticity
    """Whether the sender is who it claims to be; of a forged one neither code nor link is shown."""
    subject: str | None
    code: str | None
    link: str | None
    """By HTTPS, and to the sender's own host."""


def channel_out(account: ChannelAccount) -> ChannelOut:
    spec = service.spec_of(account.channel)
    hidden = service.secret_fields(registry.settings_model(account.channel))
    given = service.settings_of(account)
    webhook = f"{settings().base_url}/hooks/{account.channel}/{account.id}"
    return ChannelOut.model_validate(
        {
            **{
                name: getattr(account, name)
                for name in ChannelOut.model_fields
                if name not in ("secrets", "webhook_url")
            },
            "secrets": sorted(name for name in hidden if getattr(given, name)),
            "webhook_url": webhook if Ingress.WEBHOOK in spec.ingress else None,
        }
    )


@router.get("/channel-types")
async def channel_types(_principal: ReadChannels) -> Page[ChannelType]:
    """Every channel that can be connected, with the form for its settings."""
    return Page(
        items=[
            ChannelType(
                id=spec.id,
                title=spec.title,
                icon=spec.icon,
                peer_kind=spec.peer_kind,
                ingress=sorted(spec.ingress),
                capabilities=spec.capabilities,
                settings_schema=registry.settings_model(spec.id).model_json_schema(),
            )
            for spec in registry.specs().values()
        ]
    )


@router.get("/channels")
async def list_channels(_principal: ReadChannels) -> Page[ChannelOut]:
    """Connected accounts with their health."""
    async with transaction() as session:
        rows = await session.scalars(sa.select(ChannelAccount).order_by(ChannelAccount.created_at))
        return Page(items=[channel_out(row) for row in rows])


@router.post("/channels", status_code=201)
async def connect_channel(body: NewChannel, principal: WriteChannels, once: Once) -> ChannelOut:
    """Connects an account. Test it with `check` afterwards."""

    async def act(session: AsyncSession) -> ChannelOut:
        account = await service.connect(session, body.channel, body.name, body.settings, public_key=new_token()[:22])
        audit(session, principal.ref, "channel.connected", f"channel:{account.id}", channel=body.channel)
        await session.refresh(account)
        return channel_out(account)

    return await once(principal, body, ChannelOut, act)


@router.get("/channels/{account_id}")
async def get_channel(account_id: UUID, _principal: ReadChannels) -> ChannelOut:
    async with transaction() as session:
        return channel_out(await service.get(session, account_id))


@router.patch("/channels/{account_id}")
async def change_channel(account_id: UUID, body: ChannelChange, principal: WriteChannels) -> ChannelOut:
    async with transaction() as session:
        account = await service.get(session, account_id)
        await service.change(session, account, name=body.name, values=body.settings)
        if body.enabled is not None:
            account.state = AccountState.CONNECTED if body.enabled else AccountState.DISABLED
            account.error = account.error_at = None
            if body.enabled:
                await unpark(session, account.id)
        audit(
            session,
            principal.ref,
            "channel.changed",
            f"channel:{account.id}",
            fields=sorted(body.settings or ()),
            enabled=body.enabled,
        )
        await session.flush()
        await session.refresh(account)
        shown = channel_out(account)
    if body.enabled is False:
        await _leave(account)
    return shown


async def _leave(account: ChannelAccount) -> None:
    """Tells the provider to send nothing any more. Whether it listens or not, the account is off."""
    try:
        async with service.adapter_of(account) as adapter:
            if isinstance(adapter, Webhook):
                await adapter.unsubscribe()
    except ChannelError as error:
        log.warning("account %s: the provider could not be told that it is off (%s)", account.id, error.code)


@router.post("/channels/{account_id}/check")
async def check_channel(account_id: UUID, principal: WriteChannels) -> CheckOut:
    """Tests the connection. A success reconnects the account and sends what was parked."""
    async with transaction() as session:
        account = await service.get(session, account_id)
    try:
        async with service.adapter_of(account) as adapter:
            checked = await adapter.check()
    except ChannelError as error:
        state = AccountState.RECONNECT if isinstance(error, AuthFailed) else AccountState.TRANSIENT
        async with transaction() as session:
            await service.set_state(session, account_id, state, str(error))
        return CheckOut(ok=False, code=error.code, detail=str(error))
    async with transaction() as session:
        await service.set_state(session, account_id, AccountState.CONNECTED)
        await unpark(session, account_id)
        audit(session, principal.ref, "channel.checked", f"channel:{account_id}")
    return CheckOut(ok=True, identity=checked.identity, missing=list(checked.missing))


@router.get("/channels/{account_id}/verifications")
async def list_verifications(account_id: UUID, _principal: WriteChannels) -> Page[VerificationOut]:
    """Mails of the last seven days by which other services ask who owns the address, newest first. For admins only."""
    return Page(
        items=[
            VerificationOut(
                id=one.raw_id,
                received_at=one.received_at,
                sender=one.verification.sender.value,
                sender_name=one.verification.sender.name,
                authenticity=one.authenticity,
                subject=one.verification.subject,
                code=one.verification.code,
                link=one.verification.link,
            )
            for one in await verifications(account_id)
        ]
    )
