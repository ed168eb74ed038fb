"""Whether an account works: asked of its provider at the moment, and read from our own books."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel

from app.http.access import ReadChannels
from core.accounts.health import examine
from core.accounts.models import AccountState

router = APIRouter(tags=["channels"])


class BacklogOut(BaseModel):
    raws: int
    """Received and not yet worked on."""
    quarantined: int
    deliveries: int
    """On their way, or parked until the account is connected again."""
    held: int
    """In doubt: a person decides."""


class ReconciliationOut(BaseModel):
    theirs: int
    """Messages of the last day on the provider's list."""
    missing: int
    """Of these, not stored by us yet."""


class HealthOut(BaseModel):
    state: AccountState
    ok: bool
    identity: str | None
    last_in_at: datetime | None
    last_out_at: datetime | None
    backlog: BacklogOut
    reconciliation: ReconciliationOut | None
    """Null where the provider keeps no list, or does not answer."""
    mend: list[str]
    """What to do, in plain sentences; empty where all is well."""


@router.get("/channels/{account_id}/health")
async def channel_health(account_id: UUID, _principal: ReadChannels) -> HealthOut:
    """Credentials, webhooks, what came and went last, what waits, and what we may have missed."""
    return HealthOut.model_validate(asdict(await examine(account_id)))
