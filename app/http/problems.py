"""Errors over HTTP: problem details (RFC 9457) with a stable `code`."""

from __future__ import annotations

import json
import logging
from typing import Any

import psycopg
import sqlalchemy as sa
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from channels.contract import AuthFailed, ChannelError, Retryable
from core.errors import AutoCRMError

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"


class Problem(BaseModel):
    """RFC 9457, with our `code` and its parameters."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    params: dict[str, Any] = {}
    errors: list[dict[str, Any]] = []


def problem(
    status: int, code: str, title: str, detail: str, *, headers: dict[str, str] | None = None, **extra: Any
) -> JSONResponse:
    body = {
        "type": f"urn:autocrm:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        **extra,
    }
    return _ProblemResponse(body, status_code=status, headers=headers)


class _ProblemResponse(JSONResponse):
    media_type = MEDIA_TYPE

    def render(self, content: Any) -> bytes:
        # A problem may quote what the client sent, and that may be text which is no Unicode (a lone surrogate).
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def documented(schema: dict[str, Any]) -> dict[str, Any]:
    """The OpenAPI document with problems as the body of every error."""
    reference = {"content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
    schemas = schema["components"]["schemas"]
    schemas["Problem"] = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for operations in schema["paths"].values():
        for operation in operations.values():
            operation["responses"].pop("422", None)
            operation["responses"]["4XX"] = {"description": "Refused, with the reason", **reference}
            operation["responses"].setdefault("503", {"description": "Not available just now", **reference})
    return schema


def install(app: FastAPI) -> None:
    """Every error of the house leaves as a problem."""

    @app.exception_handler(AutoCRMError)
    async def ours(_request: Request, error: AutoCRMError) -> JSONResponse:
        params = {name: value for name, value in error.params.items() if isinstance(value, (str, int, float, list))}
        headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else None
        return problem(
            error.status, error.code, error.title, error.detail or error.title, params=params, headers=headers
        )

    @app.exception_handler(ChannelError)
    async def channel(_request: Request, error: ChannelError) -> JSONResponse:
        status = 422 if isinstance(error, AuthFailed) else 503 if isinstance(error, Retryable) else 422
        return problem(status, error.code, "The channel's provider refused", str(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        errors = [{"at": list(map(str, item["loc"])), "message": item["msg"]} for item in error.errors()]
        detail = "; ".join(f"{'.'.join(item['at'])}: {item['message']}" for item in errors[:5])
        return problem(422, "request_invalid", "Invalid request", detail, errors=errors)

    @app.exception_handler(HTTPException)
    async def http(_request: Request, error: HTTPException) -> JSONResponse:
        return problem(
            error.status_code, f"http_{error.status_code}", str(error.detail), str(error.detail),
            headers=dict(error.headers or {}),
        )  # fmt: skip

    @app.exception_handler(sa.exc.DataError)
    async def unstorable(request: Request, error: sa.exc.DataError) -> JSONResponse:
        # A NUL in a text, a number beyond its column: well-formed, and nothing that we can keep or look for.
        log.info("%s %s: %s", request.method, request.url.path, type(error.orig).__name__)
        return problem(422, "value_unstorable", "Invalid request", "A value holds what cannot be stored.")

    @app.exception_handler(sa.exc.IntegrityError)
    async def clash(request: Request, error: sa.exc.IntegrityError) -> JSONResponse:
        log.info("%s %s: %s", request.method, request.url.path, type(error.orig).__name__)
        if isinstance(error.orig, psycopg.errors.ForeignKeyViolation):
            return problem(422, "reference_unknown", "Invalid request", "An id in the request names nothing.")
        if isinstance(error.orig, psycopg.errors.UniqueViolation):
            return problem(409, "taken_meanwhile", "Conflict", "Somebody else was quicker; look again.")
        raise error

    @app.exception_handler(sa.exc.TimeoutError)
    @app.exception_handler(sa.exc.OperationalError)
    @app.exception_handler(psycopg.OperationalError)
    async def away(_request: Request, error: Exception) -> JSONResponse:
        log.warning("the database does not answer: %s", type(error).__name__)
        return problem(
            503, "database_away", "Not available", "The database does not answer; try again in a moment.",
            headers={"Retry-After": "2"},
        )  # fmt: skip

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return problem(500, "internal_error", "Internal error", "Something went wrong on our side; it has been logged.")
