"""What an admin enters to connect a number at Twilio; the JSON schema of this model draws the form."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Self
from urllib.parse import urlsplit

import phonenumbers
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from channels.sms.peers import normalise_number

_ACCOUNT = re.compile(r"AC[0-9a-fA-F]{32}")
_SERVICE = re.compile(r"MG[0-9a-fA-F]{32}")


class Keywords(StrEnum):
    """Who answers STOP, START and HELP."""

    TWILIO = "twilio"
    AUTOCRM = "autocrm"


class Files(StrEnum):
    """How files go out."""

    AUTO = "auto"
    """As MMS within the United States and Canada, as a link elsewhere."""
    MMS = "mms"
    LINK = "link"


class SmsSettings(BaseModel):
    """One number, or one messaging service with its pool of numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", title="SMS account")

    account_sid: str = Field(
        title="Account SID", description="On the first page of the Twilio console. It begins with AC."
    )
    auth_token: SecretStr = Field(
        min_length=6,
        title="Auth token",
        description="Beside the account SID. It signs in, and proves that webhooks are Twilio's.",
    )
    number: str = Field(
        default="",
        title="Phone number",
        description="The Twilio number that texts come from, such as +14155550100, or a short code.",
    )
    messaging_service_sid: str = Field(
        default="",
        title="Messaging service SID",
        description="Instead of one number: a service that picks one of its pool. It begins with MG.",
    )
    display_name: str = Field(
        default="",
        max_length=60,
        title="Name in texts",
        description="Your shop's name, as it stands in the answers to STOP, START and HELP.",
    )
    default_country: str = Field(
        default="",
        title="Country",
        description="Two letters, such as DE: numbers without + are read as numbers of this country.",
    )
    default_language: str = Field(
        default="en",
        title="Language",
        description="Of the answers to STOP, START and HELP, where the customer's language is not known.",
    )
    keywords: Keywords = Field(
        default=Keywords.TWILIO,
        title="Who answers STOP and HELP",
        description="Twilio does so unless its support has turned that off for your account. Two answers are one too many.",
    )
    files: Files = Field(
        default=Files.AUTO,
        title="Files go out as",
        description="MMS reaches phones in the United States and Canada; elsewhere a file is sent as a link.",
    )
    track_costs: bool = Field(
        default=True,
        title="Fetch prices",
        description="Asks Twilio what each delivered text has cost. One more request per text.",
    )
    api_url: str = Field(
        default="https://api.twilio.com",
        title="API address",
        description="Where Twilio's API is. Change it only for a gateway of your own.",
    )

    @field_validator("account_sid")
    @classmethod
    def _account(cls, value: str) -> str:
        if not _ACCOUNT.fullmatch(value.strip()):
            raise ValueError("an account SID is AC and 32 hexadecimal digits")
        return value.strip()

    @field_validator("messaging_service_sid")
    @classmethod
    def _service(cls, value: str) -> str:
        if value.strip() and not _SERVICE.fullmatch(value.strip()):
            raise ValueError("a messaging service SID is MG and 32 hexadecimal digits")
        return value.strip()

    @field_validator("default_country")
    @classmethod
    def _country(cls, value: str) -> str:
        country = value.strip().upper()
        if country and country not in phonenumbers.SUPPORTED_REGIONS:
            raise ValueError("that is no country's two letters")
        return country

    @field_validator("api_url")
    @classmethod
    def _url(cls, value: str) -> str:
        parts = urlsplit(value)
        if (
            parts.scheme not in ("http", "https")
            or not parts.hostname
            or parts.username
            or parts.query
            or parts.fragment
        ):
            raise ValueError("the API address is like https://api.twilio.com")
        return value.rstrip("/")

    @field_validator("number")
    @classmethod
    def _number(cls, value: str) -> str:
        if not value.strip():
            return ""
        number = normalise_number(value)
        if number is None:
            raise ValueError("the phone number begins with + and the country code")
        return number

    @model_validator(mode="after")
    def _sender(self) -> Self:
        if bool(self.number) == bool(self.messaging_service_sid):
            raise ValueError("enter either a phone number or a messaging service SID")
        return self
