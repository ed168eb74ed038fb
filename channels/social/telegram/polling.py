"""Long polling: updates are stored together with the offset that confirms them, and only then confirmed."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from channels.contract import Context, RawInbound, Retryable, Sink, Stored
from channels.social.telegram.api import Api
from channels.social.telegram.parse import BOT, identify
from channels.social.telegram.shapes import ALLOWED

log = logging.getLogger(__name__)

WAIT = 30
"""Seconds for which Telegram keeps a question open while there is nothing to tell."""
_LOST_MAX = 3
"""Questions in a row that may end without an answer, which happens on any line, before the line counts as down."""
_PAUSE = 1.0

Afterwards = Callable[[RawInbound], Awaitable[None]]
"""What is to be done about an update once it is stored, and must not fail."""


async def listen(api: Api, context: Context, sink: Sink, afterwards: Afterwards) -> None:
    """Runs until cancelled. Raises ChannelError, or what the sink raises: the same updates come again then."""
    name = (await api.call(lambda bot: bot.get_me())).username
    offset = _offset(context)
    lost = 0
    while True:
        try:
            updates = await _updates(api, offset)
        except Retryable as error:
            lost += 1
            if lost >= _LOST_MAX or error.after or error.code != Retryable.code:
                raise
            await asyncio.sleep(_PAUSE)
            continue
        lost = 0
        if not updates:
            continue
        raws = [as_raw(one, name) for one in updates]
        # It follows what came, even backwards: after a week of silence Telegram begins at a new number of its choice.
        offset = max(_numbers(updates)) + 1
        if await sink(raws, cursor={"offset": offset}) is Stored.STORED:
            for raw in raws:
                await afterwards(raw)


async def _updates(api: Api, offset: int | None) -> list[Any]:
    given: dict[str, Any] = {"allowed_updates": list(ALLOWED)}
    if offset is not None:
        given["offset"] = offset
    updates = await api.call(lambda bot: bot.updates(timeout=WAIT, **given))
    if not isinstance(updates, list) or (updates and not _numbers(updates)):
        # Without a number nothing of it can be confirmed: asking on would bring the same for ever.
        raise Retryable("Telegram's updates have no numbers", code="updates_unreadable")
    return updates


def _numbers(updates: Sequence[Any]) -> list[int]:
    found = (one.get("update_id") for one in updates if isinstance(one, dict))
    return [one for one in found if isinstance(one, int) and not isinstance(one, bool)]


def _offset(context: Context) -> int | None:
    """None lets Telegram begin with the oldest that was never confirmed."""
    kept = context.cursor.get("offset")
    return kept if isinstance(kept, int) else None


def as_raw(update: Any, name: str | None) -> RawInbound:
    return identify(
        RawInbound(
            external_id="",
            body=json.dumps(update, ensure_ascii=False).encode("utf-8", "replace"),
            content_type="application/json",
            transport={"by": "polling", BOT: name},
        )
    )
