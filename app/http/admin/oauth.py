"""Connecting an account at the provider's own page, and coming back from there."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import RedirectResponse
from pydantic import BaseModel

from app.http.access import WriteChannels
from core.accounts import authorisation
from core.errors import AutoCRMError

router = APIRouter(tags=["channels"])

PAGE = "/admin/channels"
"""The list of channels in the inbox; an account's own page is below it."""


class AuthoriseOut(BaseModel):
    url: str
    """Where the browser has to go."""


@router.post("/channels/{account_id}/authorise")
async def authorise_channel(account_id: UUID, principal: WriteChannels) -> AuthoriseOut:
    """The provider's page on which the owner lets us in. Good for ten minutes, and for you alone."""
    return AuthoriseOut(url=await authorisation.begin(account_id, principal.ref))


@router.get(
    "/oauth/callback",
    status_code=303,
    response_class=RedirectResponse,
    responses={303: {"description": "To the channel's page, with `connected=1` or an `error` code"}},
)
async def oauth_callback(
    principal: WriteChannels,
    state: Annotated[str, Query(max_length=500)] = "",
    code: Annotated[str, Query(max_length=8000)] = "",
    error: Annotated[str, Query(max_length=200, description="What the provider says went wrong.")] = "",
) -> RedirectResponse:
    """Where the provider sends the browser back to."""
    try:
        ended = await authorisation.finish(state, None if error else code, principal.ref)
    except AutoCRMError as failed:
        ended = authorisation.Ended(None, failed.code)
    page = PAGE if ended.account_id is None else f"{PAGE}/{ended.account_id}"
    outcome = {"error": ended.error} if ended.error else {"connected": "1"}
    # The address we were called by holds the code: no page that follows may learn of it.
    return RedirectResponse(f"{page}?{urlencode(outcome)}", 303, headers={"Referrer-Policy": "no-referrer"})
