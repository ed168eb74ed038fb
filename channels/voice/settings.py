"""What an admin enters to connect a telephone number; the JSON schema of this model draws the form."""

from __future__ import annotations

import re
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

API_URL = "https://api.twilio.com"
_E164 = re.compile(r"\+[1-9]\d{6,14}")
_TAG = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
MENU_MAX = 9
"""Keys 1 to 9; the 0 is for a person."""


class VoiceSettings(BaseModel):
    """One telephone number."""

    model_config = ConfigDict(frozen=True, extra="forbid", title="Telephone number")

    account_sid: str = Field(
        pattern=r"^AC[0-9a-fA-F]{32}$",
        title="Account SID",
        description="Begins with AC; on the first page of the Twilio console.",
    )
    auth_token: SecretStr = Field(
        title="Auth token", description="Beside the account SID. It also proves that calls really come from Twilio."
    )
    number: str = Field(
        title="Telephone number", description="The Twilio number that customers call, such as +14155550100."
    )
    company: str = Field(
        default="", max_length=100, title="Name said first", description="The company's name, as it is to be spoken."
    )
    greeting: str = Field(
        default="",
        max_length=400,
        title="Extra greeting",
        description="Said after the welcome, such as a legal notice. Heard in calls in the language below only.",
    )
    language: str = Field(
        default="en", title="Language", description="Spoken to callers whose language is not known, such as en or de."
    )
    languages: tuple[str, ...] = Field(
        default=(),
        max_length=MENU_MAX,
        title="Languages to choose from",
        description="With two or more, unknown callers first choose one by a key. Empty: no such menu.",
    )
    team_number: str = Field(
        default="",
        title="Team's number",
        description="Rung when a caller needs a person. Empty: callers leave a message instead.",
    )
    ring_seconds: int = Field(
        default=25, ge=5, le=120, title="Seconds to ring", description="How long the team's number rings."
    )
    max_turns: int = Field(
        default=10,
        ge=1,
        le=50,
        title="Questions per call",
        description="After so many answers the caller is handed to a person.",
    )
    speech_seconds: int = Field(
        default=90, ge=10, le=600, title="Longest question", description="Seconds that a caller can speak in one go."
    )
    voicemail_seconds: int = Field(
        default=180, ge=10, le=3600, title="Longest message", description="Seconds of a message left for the team."
    )
    text_follow_up: bool = Field(
        default=True,
        title="Offer text messages",
        description="Callers may ask for links and late answers by text message. Needs a connected SMS account.",
    )
    api_url: str = Field(
        default=API_URL,
        pattern=r"^https?://[^/\s?#]+$",
        title="API address",
        description="Leave as it is, unless you use a gateway that speaks Twilio's protocol.",
    )

    @field_validator("number", "team_number")
    @classmethod
    def _number(cls, value: str) -> str:
        plain = re.sub(r"[\s().\-/]", "", value)
        if plain and not _E164.fullmatch(plain):
            raise ValueError("a telephone number begins with + and the country code")
        return plain

    @field_validator("language")
    @classmethod
    def _language(cls, value: str) -> str:
        return _tag(value)

    @field_validator("languages")
    @classmethod
    def _languages(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(_tag(one) for one in value))

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not self.number:
            raise ValueError("a telephone number begins with + and the country code")
        if self.team_number == self.number:
            raise ValueError("the team's number cannot be the number that customers call")
        return self


def _tag(value: str) -> str:
    tag = value.strip().replace("_", "-")
    tag = tag[:3].lower() + tag[3:] if "-" not in tag[:3] else tag[:2].lower() + tag[2:]
    if not _TAG.fullmatch(tag):
        raise ValueError("a language is written like en, de or zh-Hant")
    return tag
