"""The web application, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import FileResponse
from starlette.staticfiles import StaticFiles

import app.handlers  # noqa: F401 - jobs are enqueued here under the names registered there
from app.http import hooks, lab, problems
from app.http.admin import channels, health, knowledge, oauth, operation, people
from app.http.agent import attachments, contacts, live, session, tickets
from app.http.live import feed
from app.http.portal import texts
from app.http.widget import live as widget_live
from app.http.widget import session as widget_session
from core.db import dispose
from core.errors import NotFound
from core.settings import settings

ROOT = Path(__file__).resolve().parent.parent.parent
WEB = ROOT / "web" / "dist"
WIDGET = ROOT / "widget" / "dist"
SITE = ROOT / "app" / "demo" / "site"

# Styles may be inline (libraries set positions), scripts may not. Mails may show remote images after a click.
_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob: http: https:; "
    "connect-src 'self' ws: wss:; frame-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'self'"
)


@asynccontextmanager
async def _lifespan(_app: FastAPI) -> AsyncIterator[None]:
    await feed.start()
    yield
    await feed.stop()
    await dispose()


def api_router() -> APIRouter:
    """Everything under `/api/v1`."""
    api = APIRouter(prefix="/api/v1")
    for part in (
        session.router,
        tickets.router,
        contacts.router,
        attachments.router,
        channels.router,
        health.router,
        oauth.router,
        knowledge.router,
        operation.router,
        people.router,
        texts.router,
        live.router,
    ):
        api.include_router(part)
    if settings().demo:
        api.include_router(lab.router)
    return api


def create_app() -> FastAPI:
    made = FastAPI(
        title="AutoCRM",
        version="1",
        lifespan=_lifespan,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        description="Every message one ticket, every answer with its sources.",
    )
    problems.install(made)
    document = made.openapi
    made.openapi = cache(lambda: problems.documented(document()))  # type: ignore[method-assign]
    made.include_router(api_router())
    made.include_router(hooks.router)
    made.include_router(attachments.links, include_in_schema=False)
    made.include_router(widget_session.router, include_in_schema=False)
    made.include_router(widget_live.router)
    _pages(made)

    @made.middleware("http")
    async def guard(request: Request, call: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await call(request)
        headers = response.headers
        headers.setdefault("X-Content-Type-Options", "nosniff")
        headers.setdefault("Referrer-Policy", "same-origin")
        headers.setdefault("Content-Security-Policy", _POLICY)
        if request.url.path.startswith("/api/"):
            headers.setdefault("Cache-Control", "no-store")
        return response

    return made


def _pages(made: FastAPI) -> None:
    """The browser parts: widget, demo site, API pages, and the inbox for every other address."""

    @made.get("/api/docs", include_in_schema=False)
    async def docs() -> FileResponse:
        path = WEB / "api-docs" / "index.html"
        if not path.is_file():
            raise NotFound("page_not_built", "the API pages have not been built: run `make build`")
        return FileResponse(path, headers={"Cache-Control": "no-cache"})

    @made.get("/widget/widget.js", include_in_schema=False)
    async def widget() -> FileResponse:
        path = WIDGET / "widget.js"
        if not path.is_file():
            raise NotFound("page_not_built", "the widget has not been built: run `make build`")
        return FileResponse(
            path,
            media_type="text/javascript",
            headers={
                "Access-Control-Allow-Origin": "*",
                "Cross-Origin-Resource-Policy": "cross-origin",
                "Cache-Control": "public, max-age=300",
            },
        )

    if settings().demo and SITE.is_dir():
        made.mount("/demo", StaticFiles(directory=SITE, html=True), name="demo")

    @made.get("/{path:path}", include_in_schema=False)
    async def inbox(path: str) -> FileResponse:
        if path.startswith(("api/", "hooks/", "widget/", "demo/")):
            raise NotFound("page_not_found", "there is no such page")
        found = (WEB / path).resolve()
        if path and found.is_file() and found.is_relative_to(WEB):
            caching = "public, max-age=31536000, immutable" if "/assets/" in f"/{path}" else "no-cache"
            return FileResponse(found, headers={"Cache-Control": caching})
        if not (WEB / "index.html").is_file():
            raise NotFound("page_not_built", "the inbox has not been built: run `make build`")
        return FileResponse(WEB / "index.html", headers={"Cache-Control": "no-cache"})
