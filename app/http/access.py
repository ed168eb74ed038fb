"""Recognising whoever makes a request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request, WebSocket
from starlette.requests import HTTPConnection

from core.db import transaction
from core.errors import Forbidden, NotSignedIn
from core.people.access import Principal, Scope, require
from core.people.accounts import by_key, by_session
from core.settings import settings

COOKIE = "autocrm_session"
_SAFE = {"GET", "HEAD", "OPTIONS"}


def _same_origin(request: HTTPConnection) -> bool:
    """Whether the browser says that one of our own pages sent this. Answers CSRF without a token to carry about."""
    origin = request.headers.get("origin")
    if origin is None:
        return request.headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")
    host = urlsplit(origin).netloc
    return host in (request.headers.get("host"), urlsplit(settings().base_url).netloc)


async def recognise(request: HTTPConnection, *, method: str) -> Principal:
    """The principal of a request or a websocket. Raises NotSignedIn, Forbidden."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        async with transaction() as session:
            return await by_key(session, token.strip())
    cookie = request.cookies.get(COOKIE)
    if not cookie:
        raise NotSignedIn("not_signed_in", "sign in, or send an API key as `Authorization: Bearer`")
    if method not in _SAFE and not _same_origin(request):
        raise Forbidden("cross_site", "this request did not come from one of our own pages")
    async with transaction() as session:
        return await by_session(session, cookie)


async def principal(request: Request) -> Principal:
    return await recognise(request, method=request.method)


async def live_principal(websocket: WebSocket) -> Principal:
    # A websocket is a way in and out: the browser sends cookies with it from any site.
    return await recognise(websocket, method="POST")


Signed = Annotated[Principal, Depends(principal)]


def needs(scope: Scope) -> Callable[[Principal], Awaitable[Principal]]:
    """The dependency of an operation that asks for `scope`."""

    async def check(found: Signed) -> Principal:
        require(found, scope)
        return found

    return check


ReadTickets = Annotated[Principal, Depends(needs(Scope.TICKETS_READ))]
WriteTickets = Annotated[Principal, Depends(needs(Scope.TICKETS_WRITE))]
ReadContacts = Annotated[Principal, Depends(needs(Scope.CONTACTS_READ))]
WriteContacts = Annotated[Principal, Depends(needs(Scope.CONTACTS_WRITE))]
ReadKnowledge = Annotated[Principal, Depends(needs(Scope.KNOWLEDGE_READ))]
WriteKnowledge = Annotated[Principal, Depends(needs(Scope.KNOWLEDGE_WRITE))]
ReadChannels = Annotated[Principal, Depends(needs(Scope.CHANNELS_READ))]
WriteChannels = Annotated[Principal, Depends(needs(Scope.CHANNELS_WRITE))]
ReadPeople = Annotated[Principal, Depends(needs(Scope.PEOPLE_READ))]
WritePeople = Annotated[Principal, Depends(needs(Scope.PEOPLE_WRITE))]
ReadOperation = Annotated[Principal, Depends(needs(Scope.OPERATION_READ))]
WriteOperation = Annotated[Principal, Depends(needs(Scope.OPERATION_WRITE))]
UseAI = Annotated[Principal, Depends(needs(Scope.AI_USE))]
