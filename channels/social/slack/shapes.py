"""What Slack sends, as far as it is read: the Events API's wrapper, its events, and the payload of a pressed button."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from channels.contract import Malformed, RawInbound

_TS = re.compile(r"\d{1,11}(\.\d{1,9})?", re.ASCII)


class _Shape(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class SlackFile(_Shape):
    """https://docs.slack.dev/reference/objects/file-object/"""

    id: str
    name: str | None = None
    title: str | None = None
    mimetype: str | None = None
    size: int | None = None
    subtype: str | None = None
    mode: str | None = None
    url_private: str | None = None
    url_private_download: str | None = None


class Edited(_Shape):
    user: str | None = None
    ts: str = ""


class Shared(_Shape):
    """An attachment of the old kind; of interest only where it is a message that was passed on."""

    is_share: bool = False
    is_msg_unfurl: bool = False
    text: str | None = None


class SlackMessage(_Shape):
    """A message, in an event or in a channel's history."""

    ts: str = ""
    user: str | None = None
    bot_id: str | None = None
    subtype: str | None = None
    team: str | None = None
    user_team: str | None = None
    text: str | None = None
    thread_ts: str | None = None
    parent_user_id: str | None = None
    edited: Edited | None = None
    files: list[SlackFile] = Field(default_factory=list)
    blocks: list[dict[str, JsonValue]] = Field(default_factory=list)
    attachments: list[Shared] = Field(default_factory=list)


class Item(_Shape):
    type: str = ""
    channel: str = ""
    ts: str = ""


class SlackEvent(SlackMessage):
    """The inner event: a message, a change of one, a reaction, or something else."""

    type: str
    channel: JsonValue = None
    channel_type: str | None = None
    event_ts: str = ""
    message: SlackMessage | None = None
    previous_message: SlackMessage | None = None
    deleted_ts: str = ""
    item: Item | None = None
    reaction: str = ""
    tokens: JsonValue = None


class Authorization(_Shape):
    user_id: str | None = None
    is_bot: bool = False


class Callback(_Shape):
    """https://docs.slack.dev/apis/events-api/#callback-field"""

    type: str
    team_id: str | None = None
    enterprise_id: str | None = None
    event_id: str | None = None
    event: SlackEvent | None = None
    authorizations: list[Authorization] | None = None
    challenge: str | None = None

    @property
    def bot(self) -> str | None:
        """Our own user's id in that workspace."""
        return next((one.user_id for one in self.authorizations or () if one.is_bot), None)


class Named(_Shape):
    id: str
    team_id: str | None = None


class Option(_Shape):
    value: str | None = None


class Action(_Shape):
    action_id: str
    action_ts: str = ""
    value: str | None = None
    selected_option: Option | None = None


class Container(_Shape):
    channel_id: str | None = None
    message_ts: str | None = None
    thread_ts: str | None = None


class Pressed(_Shape):
    """https://docs.slack.dev/reference/interaction-payloads/block_actions-payload"""

    type: str
    user: Named
    team: Named | None = None
    channel: Named | None = None
    container: Container = Container()
    actions: list[Action] = Field(default_factory=list)


def read(raw: RawInbound) -> Callback | Pressed:
    """Raises Malformed."""
    try:
        data = _json(raw)
        if not isinstance(data, dict):
            raise Malformed("not an object of Slack's")
        return Pressed.model_validate(data) if data.get("type") == "block_actions" else Callback.model_validate(data)
    except (ValueError, RecursionError, ValidationError) as error:
        raise Malformed(f"not an event of Slack's: {type(error).__name__}") from None


def _json(raw: RawInbound) -> Any:
    text = raw.body.decode("utf-8")
    if raw.content_type.partition(";")[0].strip().lower() == "application/x-www-form-urlencoded":
        text = parse_qs(text, max_num_fields=50).get("payload", [""])[0]
    data = json.loads(text)
    # Half of a surrogate pair is valid JSON, and no character.
    return json.loads(json.dumps(data, ensure_ascii=False).encode("utf-8", "replace")) if "\\u" in text else data


def moment(ts: str | None) -> datetime | None:
    """The time in a message's `ts`, which is seconds since 1970 and its id at once."""
    return datetime.fromtimestamp(float(ts), UTC) if ts and _TS.fullmatch(ts) else None
