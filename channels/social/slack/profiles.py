"""Facts that take a request: who a user is, what a channel is called. Remembered for a while, as messages come in rows."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from pydantic import JsonValue

from channels.contract import ChannelError, Inbound, MessageReceived
from channels.social.slack.api import Api
from channels.social.slack.parse import BY_NAME
from channels.social.slack.settings import SlackSettings

log = logging.getLogger(__name__)

_FRESH = 600.0
_KNOWN_MAX = 5_000
_NAMES_MAX = 10
"""Mentioned people of one message whose names are looked up."""


class _Memory:
    """Answers by account and id, the oldest forgotten first."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str, str], tuple[float, dict[str, Any]]] = OrderedDict()

    def get(self, key: tuple[str, str, str]) -> dict[str, Any] | None:
        until, value = self._known.get(key, (0.0, {}))
        return value if until > time.monotonic() else None

    def put(self, key: tuple[str, str, str], value: dict[str, Any]) -> None:
        self._known[key] = time.monotonic() + _FRESH, value
        self._known.move_to_end(key)
        while len(self._known) > _KNOWN_MAX:
            self._known.popitem(last=False)


_memory = _Memory()


async def enrich(events: Sequence[Inbound], api: Api, account: str, settings: SlackSettings) -> list[Inbound]:
    """Messages with names, addresses and languages; without those of channels whose name is not chosen."""
    account = f"{account} {settings.api_url}"
    done: list[Inbound] = []
    for event in events:
        if not isinstance(event, MessageReceived):
            done.append(event)
            continue
        if event.facts.get(BY_NAME) and not await _chosen(event, api, account, settings):
            continue
        done.append(await _told(event, api, account))
    return done


async def _chosen(event: MessageReceived, api: Api, account: str, settings: SlackSettings) -> bool:
    """Whether the channel is a support channel by its name. In doubt it is: a message too many is better than one lost."""
    try:
        channel = await _asked(api, account, "conversations.info", "channel", str(event.facts.get("channel")))
    except ChannelError as error:
        log.warning("the name of a Slack channel could not be found (%s); its message is kept", error.code)
        return True
    return str(channel.get("name", "")).lower() in settings.channel_names


async def _told(event: MessageReceived, api: Api, account: str) -> MessageReceived:
    facts: dict[str, JsonValue] = {name: value for name, value in event.facts.items() if name != BY_NAME}
    sender, language, text, route = event.sender, event.language, event.text, dict(event.route)
    mentioned = facts.get("mentions")
    ids = [str(one) for one in mentioned][:_NAMES_MAX] if isinstance(mentioned, list) else []
    asked = [sender.value.rpartition(":")[2], *ids]
    answers = await asyncio.gather(
        *(_asked(api, account, "users.info", "user", one, include_locale=True) for one in asked),
        return_exceptions=True,
    )
    for who, user in zip(asked, answers, strict=True):
        if isinstance(user, ChannelError):
            log.info("a Slack user's profile could not be read (%s)", user.code)
            continue
        if isinstance(user, BaseException):
            raise user
        if who != asked[0]:
            text = re.sub(rf"@{re.escape(who)}\b", f"@{_name(user)}".replace("\\", "\\\\"), text)
            continue
        sender = sender.model_copy(update={"name": _name(user)})
        language = user.get("locale") or language
        if email := (user.get("profile") or {}).get("email"):
            facts["email"] = email
        if user.get("tz"):
            facts["time_zone"] = user["tz"]
        if language:
            route["language"] = language
    return event.model_copy(
        update={"sender": sender, "language": language, "text": text, "facts": facts, "route": route}
    )


async def _asked(api: Api, account: str, method: str, field: str, who: str, **further: bool) -> dict[str, Any]:
    key = (account, method, who)
    known = _memory.get(key)
    if known is None:
        answer = await api.call(method, {field: who, **further})
        known = answer.get(field) if isinstance(answer.get(field), dict) else {}
        _memory.put(key, known or {})
    return known or {}


def _name(user: dict[str, Any]) -> str:
    profile = user.get("profile") or {}
    names = (profile.get("display_name"), profile.get("real_name"), user.get("real_name"), user.get("name"))
    return str(next((one for one in names if one), user.get("id", "")))[:200]
