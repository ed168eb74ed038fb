"""Signing in and out, and a new password."""

from __future__ import annotations

import logging
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from app.http import limits
from app.http.access import COOKIE, Signed
from app.http.shapes import In
from core.db import transaction
from core.errors import Forbidden
from core.people import accounts, resets
from core.people.access import Principal, Scope
from core.people.models import Role, User
from core.settings import settings

log = logging.getLogger(__name__)
router = APIRouter(tags=["session"])
Password = Annotated[str, Field(min_length=1, max_length=1000)]


class SignIn(In):
    email: Annotated[str, Field(max_length=320)]
    password: Password


class Me(BaseModel):
    id: UUID
    kind: str
    name: str
    email: str | None
    role: Role
    language: str
    scopes: list[Scope]


class ResetRequest(In):
    email: Annotated[str, Field(max_length=320)]


class NewPassword(In):
    token: Annotated[str, Field(min_length=1, max_length=200)]
    """From the link; in the body, because addresses are logged on their way."""
    password: Password


async def _me(principal: Principal) -> Me:
    email, language = None, settings().default_language
    if principal.user_id is not None:
        async with transaction() as session:
            user = await session.get_one(User, principal.user_id)
            email, language = user.email, user.language
    return Me(
        id=principal.id,
        kind=principal.kind,
        name=principal.name,
        email=email,
        role=principal.role,
        language=language,
        scopes=sorted(principal.scopes),
    )


@router.post("/session", status_code=201)
async def sign_in(body: SignIn, request: Request, response: Response) -> Me:
    """Signs in; the session is a cookie that scripts cannot read."""
    caller = request.client.host if request.client else ""
    limits.allow("sign-in", f"{caller} {body.email.lower()}")
    async with transaction() as session:
        _user, token = await accounts.sign_in(session, body.email, body.password)
    limits.forget("sign-in", f"{caller} {body.email.lower()}")
    async with transaction() as session:
        principal = await accounts.by_session(session, token)
    response.set_cookie(
        COOKIE,
        token,
        max_age=settings().session_hours * 3600,
        httponly=True,
        samesite="lax",
        secure=settings().base_url.startswith("https://"),
        path="/",
    )
    return await _me(principal)


@router.get("/session")
async def get_session(principal: Signed) -> Me:
    """Who you are."""
    return await _me(principal)


@router.delete("/session", status_code=204)
async def sign_out(principal: Signed, response: Response) -> None:
    """Ends the session of this cookie."""
    if principal.session_id is None:
        raise Forbidden("no_session", "a key has no session; revoke it instead")
    async with transaction() as session:
        await accounts.sign_out(session, principal.session_id)
    response.delete_cookie(COOKIE, path="/")


@router.post("/password-resets", status_code=202)
async def request_reset(body: ResetRequest) -> dict[str, str]:
    """Mails a link for a new password, if there is such a user. The answer is the same either way."""
    limits.allow("password-reset", body.email.lower())
    async with transaction() as session:
        await resets.request(session, body.email)
    return {"status": "accepted"}


@router.put("/password-resets", status_code=204)
async def finish_reset(body: NewPassword) -> None:
    """Sets the new password and ends all sessions of the user."""
    async with transaction() as session:
        user = await accounts.finish_reset(session, body.token, body.password)
        accounts.audit(session, f"user:{user.id}", "password.reset", f"user:{user.id}")
