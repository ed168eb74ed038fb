"""The widget's first call: who the visitor is, and what the widget looks like."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from app.http.shapes import In
from core import i18n
from core.accounts.models import ChannelAccount
from core.accounts.service import settings_of
from core.db import transaction
from core.errors import Forbidden
from core.people.visitors import open_visitor, widget_account
from core.settings import settings

router = APIRouter(prefix="/api/widget", tags=["widget"])


class Hello(In):
    token: Annotated[str, Field(max_length=100)] | None = None
    language: Annotated[str, Field(max_length=35, pattern=r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$")] | None = None
    name: Annotated[str, Field(max_length=200)] | None = None


class WidgetConfig(BaseModel):
    company: str
    bot_name: str
    language: str
    rtl: bool
    colour: str
    text_max: int
    texts: dict[str, str | list[str]]


class Welcome(BaseModel):
    token: str
    conversation: str
    config: WidgetConfig


def check_origin(account: ChannelAccount, origin: str | None) -> None:
    """Raises Forbidden for a site that may not show this widget. Our own pages always may."""
    allowed: tuple[str, ...] = getattr(settings_of(account), "allowed_origins", ())
    if allowed and origin is not None and origin not in (*allowed, settings().base_url):
        raise Forbidden("origin_not_allowed", "this site may not show the widget")


def _cors(response: Response, origin: str | None) -> None:
    # The visitor's token goes in the body and never in a cookie, so any site may ask.
    response.headers["Access-Control-Allow-Origin"] = origin or "*"
    response.headers["Access-Control-Allow-Headers"] = "content-type"
    response.headers["Access-Control-Max-Age"] = "86400"
    response.headers["Vary"] = "Origin"


@router.options("/{public_key}/session", include_in_schema=False)
async def preflight(public_key: str, request: Request) -> Response:
    response = Response(status_code=204)
    _cors(response, request.headers.get("origin"))
    return response


@router.post("/{public_key}/session")
async def hello(public_key: str, body: Hello, request: Request, response: Response) -> Welcome:
    """Opens or resumes a visitor's session."""
    _cors(response, request.headers.get("origin"))
    async with transaction() as session:
        account = await widget_account(session, public_key)
        check_origin(account, request.headers.get("origin"))
        token, visitor = await open_visitor(
            session, account.id, token=body.token, name=body.name, language=body.language
        )
        colour = getattr(settings_of(account), "colour", "#0f5c4a")
    language = i18n.negotiate(body.language or visitor.language or settings().default_language)
    return Welcome(
        token=token,
        conversation=visitor.conversation,
        config=WidgetConfig(
            company=settings().company,
            bot_name=settings().bot_name,
            language=language,
            rtl=i18n.right_to_left(language),
            colour=colour,
            text_max=8000,
            texts=_texts(language),
        ),
    )


def _texts(language: str) -> dict[str, Any]:
    catalogue = i18n.browser_catalogue(language, "customer")
    return {name: text for name, text in catalogue.items() if name.startswith("widget.")}
