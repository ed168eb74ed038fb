"""Sending: text by `chat.postMessage`; with files, one message that `files.completeUploadExternal` makes of all."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from channels import egress
from channels.contract import ChannelError, Outbound, OutcomeUnknown, Rejected, Sent, Translate, Undeliverable
from channels.social.slack import history
from channels.social.slack.api import Api
from channels.social.slack.blocks import draw
from channels.social.slack.parse import message_id
from channels.social.slack.settings import SlackSettings

METADATA = "autocrm_message"
"""`event_type` of the metadata that carries our key: https://docs.slack.dev/messaging/message-metadata"""
_UPLOAD_HOSTS = (".slack.com", "slack-files.com")
_SHARED_AFTER = (0.0, 0.3, 0.7, 1.5, 3.0)
"""Seconds between two looks whether Slack has made the message of an upload yet: it does so after its answer."""


async def send(message: Outbound, api: Api, settings: SlackSettings, say: Translate) -> Sent:
    """One visible message. Raises ChannelError."""
    drawn = draw(message, say)
    channel, thread = await _where(message, api)
    if message.attachments:
        return await _with_files(message, drawn.blocks, channel, thread, api, settings)
    answer = await api.call(
        "chat.postMessage",
        {
            "channel": channel,
            "text": drawn.text,
            "blocks": drawn.blocks or None,
            "thread_ts": thread,
            "unfurl_links": False,
            "unfurl_media": False,
            "metadata": {"event_type": METADATA, "event_payload": {"key": message.key}},
        },
        sends=True,
        as_json=True,
    )
    ts, where = answer.get("ts"), answer.get("channel") or channel
    if not isinstance(ts, str) or not ts:
        raise OutcomeUnknown("Slack accepted it without naming it")
    return Sent(external_id=message_id(str(where), ts))


async def _where(message: Outbound, api: Api) -> tuple[str, str | None]:
    """The channel and the thread. A person without a conversation gets the direct chat, which is opened for it."""
    channel, thread = message.route.get("channel"), message.route.get("thread_ts")
    if isinstance(channel, str) and channel:
        return channel, thread if isinstance(thread, str) and thread else None
    peer = message.to.value.rpartition(":")[2]
    if peer[:1] in ("C", "G", "D"):
        return peer, None
    if peer[:1] not in ("U", "W"):
        raise Undeliverable("this is no address of Slack's", code="user_not_found")
    answer = await api.call("conversations.open", {"users": peer})
    opened = (answer.get("channel") or {}).get("id")
    if not isinstance(opened, str) or not opened:
        raise Undeliverable("Slack opens no direct chat with this person", code="user_not_found")
    return opened, None


async def _with_files(
    message: Outbound, blocks: list[dict[str, Any]], channel: str, thread: str | None, api: Api, settings: SlackSettings
) -> Sent:
    """Nothing is visible before the last request, so all but that one may be repeated."""
    files: list[dict[str, str]] = []
    for one in message.attachments:
        if one.content is None:
            raise Rejected(f"the file {one.filename!r} has no content", code="file_missing")
        if not one.content:
            raise Rejected(f"the file {one.filename!r} is empty, which Slack does not take", code="file_empty")
        place = await api.call("files.getUploadURLExternal", {"filename": one.filename, "length": len(one.content)})
        url = str(place.get("upload_url", ""))
        if not egress.allowed(url, _UPLOAD_HOSTS, (settings.api_url,)):
            raise Rejected("Slack's answer names a strange server for files", code="upload_host_refused")
        await api.upload(url, one.content)
        files.append({"id": str(place.get("file_id", "")), "title": one.filename})
    await api.call(
        "files.completeUploadExternal",
        {"files": json.dumps(files), "channel_id": channel, "thread_ts": thread, "blocks": json.dumps(blocks)},
        sends=True,
    )
    names = [one["id"] for one in files]
    ts = await _shared_as(names[0], channel, api)
    return Sent(external_id=message_id(channel, ts) if ts else f"{channel}:{names[0]}", detail={"files": list(names)})


async def _shared_as(file: str, channel: str, api: Api) -> str | None:
    """The `ts` of the message that shows an uploaded file. It is out already: no failure here may have it sent again."""
    for pause in _SHARED_AFTER:
        await asyncio.sleep(pause)
        try:
            shares = ((await api.call("files.info", {"file": file})).get("file") or {}).get("shares") or {}
        except ChannelError:
            continue
        for kind in ("public", "private"):
            for share in (shares.get(kind) or {}).get(channel) or ():
                if share.get("ts"):
                    return str(share["ts"])
    return None


async def find_sent(key: str, since: float, api: Api, message: Outbound | None) -> Sent | None:
    """Looks where the message was to go; without `message` through every conversation that the bot is in.

    `since` is in seconds since 1970. Raises ChannelError where it cannot be done.
    """
    if message is None:
        async for room, found in history.since(api, since, mine=True):
            if history.key_of(found) == key:
                return Sent(external_id=message_id(room["id"], str(found["ts"])))
        return None
    try:
        channel, thread = await _where(message, api)
        async for found in history.at(api, channel, thread, since):
            if history.key_of(found) == key:
                return Sent(external_id=message_id(channel, str(found["ts"])))
    except Undeliverable:
        return None  # nothing can have arrived where nothing can; sending will say why
    return None
