"""From Slack's events to neutral ones. Pure: what needs the network is added by `enrich`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pydantic import JsonValue

from channels.contract import (
    ActionTaken,
    Address,
    Attachment,
    Inbound,
    Malformed,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    RawInbound,
    ReactionChanged,
    Trust,
)
from channels.social.slack import mrkdwn
from channels.social.slack.settings import SlackSettings
from channels.social.slack.shapes import Callback, Pressed, SlackEvent, SlackFile, SlackMessage, moment, read

KIND = "slack"
FILE_URL = "slack-file:"
"""Begins the address of a file whose real one has to be asked for (files of other organisations in shared channels)."""
BY_NAME = "by_channel_name"
"""The fact that a message counts only if its channel's name is among the support channels; `enrich` decides."""

_PEOPLE = frozenset({None, "file_share", "thread_broadcast", "me_message"})
"""Subtypes of what people write; all others are told by Slack or by machines."""
_GONE = frozenset({"tombstone", "hidden_by_limit"})


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a message stands."""

    channel: str
    kind: str | None

    @property
    def personal(self) -> bool:
        return self.kind in ("im", "app_home") or (self.kind is None and self.channel.startswith("D"))


def message_id(channel: str, ts: str) -> str:
    """Our external id of a message: Slack's own name for it, the same in events, in history and in answers."""
    return f"{channel}:{ts}"


def parse(raw: RawInbound, settings: SlackSettings) -> list[Inbound]:
    """Raises Malformed. Empty for what is of no interest."""
    data = read(raw)
    if isinstance(data, Pressed):
        return list(_pressed(data))
    if data.type != "event_callback" or data.event is None:
        return []
    event = data.event
    if event.type in ("reaction_added", "reaction_removed"):
        return _reaction(data, event)
    if event.type not in ("message", "app_mention") or not isinstance(event.channel, str) or not event.channel:
        return []
    place = _Place(event.channel, event.channel_type)
    match event.subtype:
        case "message_changed":
            return _changed(data, event, place)
        case "message_deleted":
            return _deleted(data, place, event.previous_message, event.deleted_ts)
    return _message(data, event, place, settings)


def identify(raw: RawInbound, events: Sequence[Inbound]) -> RawInbound:
    """A message is known by its channel and `ts`, so that a mention, which Slack tells twice, is one message.

    What nothing comes of keeps the id of its event: it must not stand in the way of the mention that follows it.
    """
    if events:
        return replace(raw, external_id=events[0].external_id, order_key=events[0].conversation)
    try:
        data = read(raw)
    except Malformed:
        data = None
    if isinstance(data, Callback) and data.event_id:
        return replace(raw, external_id=f"event:{data.event_id}")
    return replace(raw, external_id=f"sha256:{hashlib.sha256(raw.body).hexdigest()}")


def uninstalled(raw: RawInbound) -> bool:
    """Whether this event says that our token is worth nothing from now on."""
    try:
        data = read(raw)
    except Malformed:
        return False
    if isinstance(data, Pressed) or data.event is None:
        return False
    if data.event.type == "tokens_revoked":
        return isinstance(data.event.tokens, dict) and bool(data.event.tokens.get("bot"))
    return data.event.type == "app_uninstalled"


# ------------------------------------------------------------------------------------------------------- messages


def _message(data: Callback, event: SlackEvent, place: _Place, settings: SlackSettings) -> list[Inbound]:
    if event.subtype not in _PEOPLE or not _by_person(data, event) or not event.ts:
        return []
    named = False
    if not (place.personal or _counts(data, event, place, settings)):
        if not settings.channel_names:
            return []
        named = True
    text, files = _text(event, data.bot), [_attachment(one) for one in event.files if one.mode not in _GONE]
    quoted = "\n\n".join(mrkdwn.plain(one.text) for one in event.attachments if one.is_share and one.text)
    if not (text or files or quoted):
        return []
    sender = _person(data, event)
    thread = event.thread_ts or (None if place.personal else event.ts)
    facts: dict[str, JsonValue] = {"channel": place.channel, "event_id": data.event_id}
    if data.enterprise_id:
        facts["enterprise"] = data.enterprise_id
    if data.team_id and sender.value.partition(":")[0] not in (data.team_id, data.enterprise_id):
        facts["other_organisation"] = True
    if people := mrkdwn.mentions(_marked(event, data.bot)):
        facts["mentions"] = list(people)
    if named:
        facts[BY_NAME] = True
    return [
        MessageReceived(
            external_id=message_id(place.channel, event.ts),
            conversation=_conversation(place, event.thread_ts, event.ts, sender.value),
            provider_time=moment(event.ts),
            sender=sender,
            text=text,
            quoted=quoted or None,
            attachments=tuple(files),
            route={"channel": place.channel, **({"thread_ts": thread} if thread else {})},
            thread_refs=(message_id(place.channel, event.thread_ts),) if event.thread_ts else (),
            facts=facts,
        )
    ]


def _changed(data: Callback, event: SlackEvent, place: _Place) -> list[Inbound]:
    now, before = event.message, event.previous_message
    if now is None:
        return []
    if now.subtype == "tombstone":
        return _deleted(data, place, before, now.ts)
    if now.subtype not in _PEOPLE or not _by_person(data, now) or now.edited is None:
        # Without `edited`, Slack itself has changed it: a preview was added to a link.
        return []
    text = _text(now, data.bot)
    if before is not None and _text(before, data.bot) == text:
        return []
    return [
        MessageEdited(
            external_id=f"{message_id(place.channel, now.ts)}:edited:{now.edited.ts}",
            conversation=_conversation(place, now.thread_ts, now.ts, _person(data, now).value),
            provider_time=moment(now.edited.ts),
            message_id=message_id(place.channel, now.ts),
            text=text,
        )
    ]


def _deleted(data: Callback, place: _Place, before: SlackMessage | None, ts: str) -> list[Inbound]:
    if not ts or before is None or not _by_person(data, before):
        return []
    event_time = moment(data.event.event_ts) if data.event is not None else None
    return [
        MessageDeleted(
            external_id=f"{message_id(place.channel, ts)}:deleted",
            conversation=_conversation(place, before.thread_ts, ts, _person(data, before).value),
            provider_time=event_time,
            message_id=message_id(place.channel, ts),
        )
    ]


def _reaction(data: Callback, event: SlackEvent) -> list[Inbound]:
    item = event.item
    if item is None or item.type != "message" or not item.channel or not item.ts or not _by_person(data, event):
        return []
    sender, added = _person(data, event), event.type == "reaction_added"
    target = message_id(item.channel, item.ts)
    return [
        ReactionChanged(
            external_id=f"{event.type}:{target}:{event.user}:{event.reaction}:{event.event_ts}",
            conversation=_conversation(_Place(item.channel, None), None, item.ts, sender.value),
            provider_time=moment(event.event_ts),
            message_id=target,
            sender=sender,
            reaction=event.reaction,
            added=added,
        )
    ]


def _pressed(data: Pressed) -> list[Inbound]:
    box = data.container
    channel = box.channel_id or (data.channel.id if data.channel else "")
    if not channel or not box.message_ts:
        return []
    team = data.user.team_id or (data.team.id if data.team else "")
    sender = Address(kind=KIND, value=f"{team}:{data.user.id}", trust=Trust.PROVIDER)
    conversation = _conversation(_Place(channel, None), box.thread_ts, box.message_ts, sender.value)
    return [
        ActionTaken(
            external_id=f"action:{message_id(channel, box.message_ts)}:{data.user.id}:{one.action_id}:{one.action_ts}",
            conversation=conversation,
            provider_time=moment(one.action_ts),
            sender=sender,
            action=one.action_id,
            value=one.value or (one.selected_option.value if one.selected_option else None),
        )
        for one in data.actions
    ]


# ---------------------------------------------------------------------------------------------------------- parts


def _by_person(data: Callback, message: SlackMessage) -> bool:
    return bool(message.user) and not message.bot_id and message.user not in (data.bot, "USLACKBOT")


def _counts(data: Callback, event: SlackEvent, place: _Place, settings: SlackSettings) -> bool:
    return (
        event.type == "app_mention"
        or place.kind == "mpim"
        or place.channel in settings.channel_ids
        or (
            data.bot is not None and (data.bot in mrkdwn.mentions(event.text or "") or event.parent_user_id == data.bot)
        )
    )


def _person(data: Callback, message: SlackMessage) -> Address:
    """User ids are unique within an organisation only, so the organisation stands before them."""
    team = message.user_team or message.team or data.team_id or ""
    return Address(kind=KIND, value=f"{team}:{message.user}", trust=Trust.PROVIDER)


def _conversation(place: _Place, thread: str | None, ts: str, person: str) -> str:
    """A thread is a conversation, and so is a direct chat outside threads, which is named after the person."""
    if thread is None and place.personal:
        return person
    return message_id(place.channel, thread or ts)


def _text(message: SlackMessage, bot: str | None) -> str:
    return mrkdwn.plain(_marked(message, bot)).strip("\n")


def _marked(message: SlackMessage, bot: str | None) -> str:
    """The text in Slack's markup, without the mention by which we are called at its beginning."""
    return mrkdwn.without_mention(message.text or mrkdwn.from_blocks(message.blocks), bot)


def _attachment(file: SlackFile) -> Attachment:
    return Attachment(
        filename=file.name or file.title or file.id,
        content_type=file.mimetype or "application/octet-stream",
        size=file.size,
        url=file.url_private_download or file.url_private or f"{FILE_URL}{file.id}",
        spoken=file.subtype == "slack_audio",
    )
