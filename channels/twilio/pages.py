"""Lists as Twilio gives them: pages with links to their neighbours."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

_PAGE_MAX = 1000


def new_sid(prefix: str) -> str:
    """A fresh SID: two letters and 32 hexadecimal digits."""
    return prefix + secrets.token_hex(16)


def now() -> str:
    """The present moment in the form of RFC 2822, as every date of the 2010 API is."""
    return format_datetime(datetime.now(UTC).replace(microsecond=0))


def page(request: web.Request, name: str, rows: Sequence[dict[str, Any]]) -> web.Response:
    """The page of `rows` that the request asks for by `Page` and `PageSize`."""
    query = {key: value for key, value in request.query.items() if key not in ("Page", "PageSize", "PageToken")}
    size = max(1, min(_number(request.query.get("PageSize"), 50), _PAGE_MAX))
    number = max(0, _number(request.query.get("Page"), 0))
    start = number * size
    shown = rows[start : start + size]

    def link(which: int) -> str:
        return f"{request.path}?{urlencode({**query, 'PageSize': size, 'Page': which})}"

    return web.json_response(
        {
            name: list(shown),
            "page": number,
            "page_size": size,
            "start": start,
            "end": start + max(len(shown) - 1, 0),
            "uri": link(number),
            "first_page_uri": link(0),
            "previous_page_uri": link(number - 1) if number else None,
            "next_page_uri": link(number + 1) if start + size < len(rows) else None,
        }
    )


def _number(value: str | None, default: int) -> int:
    return int(value) if value is not None and value.isdigit() else default
