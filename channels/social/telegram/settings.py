"""What an admin enters to connect a Telegram bot; the JSON schema of this model draws the form."""

from __future__ import annotations

import re
from enum import StrEnum
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

API_URL = "https://api.telegram.org"
_TOKEN = re.compile(r"(\d{1,16}):[A-Za-z0-9_-]{10,100}")


class Mode(StrEnum):
    """How Telegram hands over what happens. A bot has one way at a time."""

    POLLING = "polling"
    """We ask, and Telegram answers as soon as there is something: nothing needs to be reachable."""
    WEBHOOK = "webhook"
    """Telegram calls us: the address of this installation must be reachable by https."""


class TelegramSettings(BaseModel):
    """One bot."""

    model_config = ConfigDict(frozen=True, extra="forbid", title="Telegram bot", hide_input_in_errors=True)

    bot_token: SecretStr = Field(
        title="Bot token",
        description="From @BotFather: a number, a colon and 35 characters. Whoever has it is the bot.",
    )
    mode: Mode = Field(
        default=Mode.POLLING,
        title="Connection",
        description="Polling works everywhere. A webhook needs this installation to be reachable by https from the internet.",
    )
    groups: bool = Field(
        default=True,
        title="Answer in groups",
        description="In groups, messages that mention the bot, reply to it or give it a command count. Otherwise only private chats do.",
    )
    greeting: bool = Field(
        default=True,
        title="Greet who starts the bot",
        description="Says hello when somebody presses Start or follows a link to the bot; nobody has asked anything by then.",
    )
    person_button: bool = Field(
        default=True,
        title="Offer a person",
        description="Shows a button under automatic answers that asks for a person.",
    )
    api_url: str = Field(
        default=API_URL,
        title="API address",
        description="Change it only for a Bot API server or a test server of your own.",
    )

    @field_validator("bot_token")
    @classmethod
    def _bot_token(cls, value: SecretStr) -> SecretStr:
        token = value.get_secret_value().strip()
        if not _TOKEN.fullmatch(token):
            raise ValueError("this is no bot token: it is a number, a colon and a long word")
        return SecretStr(token)

    @field_validator("api_url")
    @classmethod
    def _api_url(cls, value: str) -> str:
        parts = urlsplit(value.strip())
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            raise ValueError("the API address is a plain http or https address")
        return value.strip().rstrip("/")

    @property
    def bot_id(self) -> int:
        """The bot's own user id: it stands before the colon of its token."""
        return int(self.bot_token.get_secret_value().partition(":")[0])

    @property
    def hosted(self) -> bool:
        """Whether the Bot API is Telegram's own, with its limits."""
        return self.api_url == API_URL
