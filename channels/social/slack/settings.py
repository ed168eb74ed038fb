"""What an admin enters to connect a Slack workspace; the JSON schema of this model draws the form."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

API_URL = "https://slack.com/api/"
_CHANNEL_ID = re.compile(r"[CG][A-Z0-9]{6,}")


class Mode(StrEnum):
    """How Slack hands over what happens."""

    HTTP = "http"
    """Slack calls us: the address of this installation must be reachable from the internet."""
    SOCKET = "socket"
    """We keep a connection open: nothing needs to be reachable."""


class SlackSettings(BaseModel):
    """One Slack app in one workspace."""

    model_config = ConfigDict(frozen=True, extra="forbid", title="Slack workspace")

    mode: Mode = Field(
        default=Mode.HTTP,
        title="Connection",
        description="HTTP where Slack can reach this installation; socket mode behind a firewall.",
    )
    bot_token: SecretStr = Field(
        title="Bot token", description="Starts with xoxb-. Under OAuth & Permissions, after the app is installed."
    )
    signing_secret: SecretStr = Field(
        default=SecretStr(""),
        title="Signing secret",
        description="Under Basic Information. Proves that an event comes from Slack. Needed for HTTP.",
    )
    app_token: SecretStr = Field(
        default=SecretStr(""),
        title="App token",
        description="Starts with xapp-, with the scope connections:write. Under Basic Information. Needed for socket mode.",
    )
    channels: tuple[str, ...] = Field(
        default=(),
        title="Support channels",
        description="Ids or names of channels in which every message counts. Elsewhere mentions and direct messages do.",
    )
    api_url: str = Field(
        default=API_URL, title="API address", description="Change it only for a gateway or a test server of your own."
    )

    @field_validator("channels")
    @classmethod
    def _channels(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        cleaned = (one.strip().lstrip("#") for one in value)
        return tuple(dict.fromkeys(one if _CHANNEL_ID.fullmatch(one) else one.lower() for one in cleaned if one))

    @field_validator("api_url")
    @classmethod
    def _api_url(cls, value: str) -> str:
        parts = urlsplit(value.strip())
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            raise ValueError("the API address is a plain http or https address")
        return value.strip().rstrip("/") + "/"

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not self.bot_token.get_secret_value().strip():
            raise ValueError("a bot token is needed")
        if self.mode is Mode.HTTP and not self.signing_secret.get_secret_value().strip():
            raise ValueError("HTTP needs the signing secret")
        if self.mode is Mode.SOCKET and not self.app_token.get_secret_value().strip():
            raise ValueError("socket mode needs an app token")
        return self

    @property
    def channel_ids(self) -> frozenset[str]:
        """The support channels that are given by id."""
        return frozenset(one for one in self.channels if _CHANNEL_ID.fullmatch(one))

    @property
    def channel_names(self) -> frozenset[str]:
        """The support channels that are given by name, lower-case, without `#`."""
        return frozenset(self.channels) - self.channel_ids
