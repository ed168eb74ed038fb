"""Walking through what stands in Slack: to find a message of ours again, and what was said while we were away."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from channels.contract import RawInbound, Rejected
from channels.social.slack.api import Api
from channels.social.slack.blocks import mark
from channels.social.slack.parse import identify, parse
from channels.social.slack.settings import SlackSettings

KINDS = "public_channel,private_channel,mpim,im"
THREAD_DAYS = 30
"""How old the beginning of a thread may be whose new answers are found: Slack lists threads by their first message only."""
_PAGE = 200
_PAGES_MAX = 100
_DAY = 86_400.0


async def since(api: Api, moment: float, *, mine: bool = False) -> AsyncIterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Every message after `moment` (seconds since 1970) with its conversation, where the bot is a member.

    `mine`: threads in which the bot did not answer may be left out. Raises ChannelError.
    """
    me = (await api.patient("auth.test", {})).get("user_id") if mine else None
    async for channel in api.pages(
        "users.conversations", {"types": KINDS, "exclude_archived": True, "limit": _PAGE}, "channels"
    ):
        if channel.get("is_im") and channel.get("user") == "USLACKBOT":
            continue
        arguments = {
            "channel": channel["id"],
            "oldest": f"{max(0.0, moment - THREAD_DAYS * _DAY):.6f}",
            "limit": _PAGE,
            "include_all_metadata": True,
        }
        try:
            async for message in api.pages("conversations.history", arguments, "messages", _PAGES_MAX):
                if float(message["ts"]) >= moment:
                    yield channel, message
                if float(message.get("latest_reply") or 0) < moment:
                    continue
                repliers = message.get("reply_users") or []
                if me and me not in repliers and len(repliers) == message.get("reply_users_count"):
                    continue
                async for answer in _thread(api, channel["id"], str(message["ts"]), moment):
                    yield channel, answer
        except Rejected:
            continue  # left or archived in the meantime


async def at(api: Api, channel: str, thread: str | None, moment: float) -> AsyncIterator[dict[str, Any]]:
    """The messages of one thread after `moment`, or those of a channel outside threads. Raises ChannelError."""
    if thread is not None:
        async for answer in _thread(api, channel, thread, moment):
            yield answer
        return
    arguments = {"channel": channel, "oldest": f"{max(0.0, moment):.6f}", "limit": _PAGE, "include_all_metadata": True}
    async for message in api.pages("conversations.history", arguments, "messages", _PAGES_MAX):
        yield message


async def _thread(api: Api, channel: str, ts: str, moment: float) -> AsyncIterator[dict[str, Any]]:
    arguments = {
        "channel": channel,
        "ts": ts,
        "oldest": f"{moment:.6f}",
        "limit": _PAGE,
        "include_all_metadata": True,
    }
    async for message in api.pages("conversations.replies", arguments, "messages", _PAGES_MAX):
        if message.get("ts") != ts and float(message["ts"]) >= moment:
            yield message


def key_of(message: dict[str, Any]) -> str | None:
    """Our key, if the message is ours: in its metadata, or in the id of its first block."""
    payload = (message.get("metadata") or {}).get("event_payload") or {}
    if payload.get("key"):
        return str(payload["key"])
    for block in message.get("blocks") or ():
        name = str(block.get("block_id", ""))
        if name.startswith(mark("")):
            return name.removeprefix(mark(""))
    return None


async def missed(api: Api, moment: float, settings: SlackSettings) -> list[RawInbound]:
    """Messages of people since then, oldest first, as the events that Slack would have sent: with the same ids."""
    me = await api.patient("auth.test", {})
    found: dict[str, tuple[float, RawInbound]] = {}
    async for channel, message in since(api, moment):
        raw = identify(_as_event(message, channel, me), ())
        events = parse(raw, settings)
        if events:
            raw = identify(raw, events)
            found[raw.external_id] = float(message["ts"]), raw
    return [raw for _ts, raw in sorted(found.values(), key=lambda one: one[0])]


def _as_event(message: dict[str, Any], channel: dict[str, Any], me: dict[str, Any]) -> RawInbound:
    kind = "im" if channel.get("is_im") else "mpim" if channel.get("is_mpim") else "channel"
    inner = {**message, "type": "message", "channel": channel["id"], "channel_type": kind, "event_ts": message["ts"]}
    body = {
        "type": "event_callback",
        "team_id": me.get("team_id"),
        "event_id": f"history:{channel['id']}:{message['ts']}",
        "event": inner,
        "authorizations": [{"team_id": me.get("team_id"), "user_id": me.get("user_id"), "is_bot": True}],
    }
    return RawInbound(
        external_id="",
        body=json.dumps(body, ensure_ascii=False).encode(),
        content_type="application/json",
        transport={"by": "history"},
    )
