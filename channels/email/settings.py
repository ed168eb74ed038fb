"""What an admin enters to connect a mailbox; the JSON schema of this model draws the form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, JsonValue, SecretStr, field_validator, model_validator

from channels.email.addresses import normalise_address
from channels.email.providers import PRESETS, Endpoints, Provider, filled


class Incoming(StrEnum):
    """Where mail is fetched from, besides the built-in SMTP receiver, which always accepts for the address."""

    NONE = "none"
    IMAP = "imap"


class Security(StrEnum):
    """How a connection is encrypted."""

    TLS = "tls"
    STARTTLS = "starttls"
    NONE = "none"


class SignatureOn(StrEnum):
    """Which of our mails carry the signature."""

    ALL = "all"
    PEOPLE = "people"
    """Only what a person wrote: not the AI's answers, not automatic notes."""


_OAUTH: Final = ("google", "microsoft", "custom")
"""Providers at whose own page the owner lets us in."""


def _when(*providers: str) -> dict[str, JsonValue]:
    """For the form: the field belongs to these providers only."""
    return {"when": {"provider": list(providers)}}


class EmailSettings(BaseModel):
    """One support address: how its mail comes in, and how answers go out.

    In the JSON schema, `authorise` says for which values of a field the account is connected at the provider's own
    page, `when` for which values of another field a field is of use, and `hidden` that the form leaves it out.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        title="E-mail account",
        json_schema_extra={"authorise": {"provider": list(_OAUTH)}},
    )

    address: str = Field(
        title="Support address", description="The address that customers write to and answers come from."
    )
    display_name: str = Field(
        default="",
        max_length=200,
        title="Display name",
        description="Shown beside the address, such as the shop's name.",
    )
    sender_name: str = Field(
        default="{agent} ({company})",
        max_length=100,
        title="Name of the sender",
        description="{agent} is who answers, {company} the display name: such as {agent} at {company}, or {company} alone.",
    )
    provider: Provider = Field(
        default=Provider.PASSWORD,
        title="Login",
        description="Password, or the provider's own page: Google and Microsoft 365 take no passwords any more.",
    )
    client_id: str = Field(
        default="",
        max_length=500,
        title="Client ID",
        description="Of the app that you have registered with the provider.",
        json_schema_extra=_when(*_OAUTH),
    )
    client_secret: SecretStr = Field(
        default=SecretStr(""),
        title="Client secret",
        description="Of the same app. Empty for an app without one.",
        json_schema_extra=_when(*_OAUTH),
    )
    tenant: str = Field(
        default="common",
        pattern=r"^[A-Za-z0-9.-]{1,100}$",
        title="Microsoft tenant",
        description="Directory (tenant) ID or domain; `common` where the app is for all tenants.",
        json_schema_extra=_when("microsoft"),
    )
    authorize_url: str = Field(
        default="",
        title="Authorization address",
        description="Where the owner signs in. Google's and Microsoft's are known.",
        json_schema_extra=_when("custom"),
    )
    exchange_url: str = Field(
        default="",
        title="Token address",
        description="Where codes and refresh tokens are exchanged. Google's and Microsoft's are known.",
        json_schema_extra=_when("custom"),
    )
    scopes: str = Field(
        default="",
        max_length=1000,
        title="Scopes",
        description="What is asked for, separated by spaces. Google's and Microsoft's are known.",
        json_schema_extra=_when("custom"),
    )
    grant: SecretStr = Field(
        default=SecretStr(""),
        title="Tokens",
        description="What the provider gave when the owner let us in. Looked after by the channel itself.",
        json_schema_extra={"hidden": True},
    )
    incoming: Incoming = Field(
        default=Incoming.NONE,
        title="Fetch mail from",
        description="Choose IMAP to read an existing mailbox. Mail sent to the built-in SMTP receiver always arrives.",
    )
    imap_host: str = Field(default="", title="IMAP host", description="Name of the server that holds the mailbox.")
    imap_port: int = Field(default=993, ge=1, le=65535, title="IMAP port", description="993 for TLS, 143 for STARTTLS.")
    imap_security: Security = Field(
        default=Security.TLS, title="IMAP encryption", description="TLS unless the provider says otherwise."
    )
    imap_user: str = Field(default="", title="IMAP user", description="Mostly the whole address.")
    imap_password: SecretStr = Field(
        default=SecretStr(""), title="IMAP password", description="An app password where the provider offers one."
    )
    imap_folder: str = Field(
        default="INBOX", title="IMAP folder", description="The folder that is read. Nothing is deleted."
    )
    imap_history_days: int = Field(
        default=3,
        ge=0,
        le=3650,
        title="Days of history",
        description="How many days of older mail are taken over when the mailbox is connected. All later mail is.",
    )
    smtp_host: str = Field(
        default="localhost", title="SMTP host", description="Name of the server that sends the answers."
    )
    smtp_port: int = Field(
        default=587,
        ge=1,
        le=65535,
        title="SMTP port",
        description="587 for STARTTLS, 465 for TLS, 25 for a relay nearby.",
    )
    smtp_security: Security = Field(
        default=Security.STARTTLS, title="SMTP encryption", description="STARTTLS unless the provider says otherwise."
    )
    smtp_user: str = Field(default="", title="SMTP user", description="Leave empty for a relay that asks for no login.")
    smtp_password: SecretStr = Field(
        default=SecretStr(""), title="SMTP password", description="An app password where the provider offers one."
    )
    dkim_selector: str = Field(
        default="",
        title="DKIM selector",
        description="Name of the key in DNS. Empty if the mail server signs by itself.",
    )
    dkim_domain: str = Field(
        default="", title="DKIM domain", description="The domain that signs; empty means the domain of the address."
    )
    dkim_private_key: SecretStr | None = Field(
        default=None, title="DKIM private key", description="The RSA private key in PEM form."
    )
    plus_addressing: bool = Field(
        default=True,
        title="Signed reply addresses",
        description="Answers ask for replies to name+token@…, which finds the ticket even when a mail program drops the thread. "
        "Turn it off where the provider does not deliver plus addresses.",
    )
    tagged_return_path: bool = Field(
        default=False,
        title="Tagged return path",
        description="Undeliverable mail comes back to name+token@…, which names the failed message beyond doubt. "
        "Only for mail servers that allow such an envelope sender.",
    )
    authserv_id: str = Field(
        default="",
        title="Trusted Authentication-Results",
        description="The name by which your mail provider signs its Authentication-Results header. Used for mail by IMAP and LMTP only.",
    )
    signature: str = Field(
        default="", max_length=4000, title="Signature", description="Added below every answer, in plain text."
    )
    signature_on: SignatureOn = Field(
        default=SignatureOn.ALL,
        title="Signature on",
        description="All answers, or only those that a person wrote.",
    )

    @model_validator(mode="before")
    @classmethod
    def _filled(cls, values: Any) -> Any:
        return filled(values) if isinstance(values, Mapping) else values

    @field_validator("address")
    @classmethod
    def _address(cls, value: str) -> str:
        return normalise_address(value)

    @field_validator("sender_name")
    @classmethod
    def _sender_name(cls, value: str) -> str:
        if not value.strip() or set(re.findall(r"\{[^{}]*\}|[{}]", value)) - {"{agent}", "{company}"}:
            raise ValueError("only {agent} and {company} can stand in braces")
        return value.strip()

    @field_validator("authorize_url", "exchange_url")
    @classmethod
    def _endpoint(cls, value: str) -> str:
        if not value:
            return value
        parts = urlsplit(value)
        nearby = parts.hostname in {"localhost", "127.0.0.1", "::1"}
        if not parts.hostname or parts.username or not (parts.scheme == "https" or (nearby and parts.scheme == "http")):
            raise ValueError("an address by HTTPS is needed")
        return value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.provider is not Provider.PASSWORD and not self.client_id:
            raise ValueError("a login at the provider's page needs a client ID")
        if self.provider is Provider.CUSTOM and not (self.authorize_url and self.exchange_url):
            raise ValueError("a provider of your own needs its authorization and token addresses")
        if self.incoming is Incoming.IMAP and not (self.imap_host and self.imap_user):
            raise ValueError("IMAP needs a host and a user")
        if self.dkim_private_key is not None and not self.dkim_selector:
            raise ValueError("a DKIM key needs a selector")
        return self

    @property
    def domain(self) -> str:
        """The domain of the support address, lower-case."""
        return self.address.rpartition("@")[2]

    @property
    def endpoints(self) -> Endpoints | None:
        """The authorization server; None for accounts with a password."""
        if self.provider is Provider.PASSWORD:
            return None
        preset = PRESETS.get(self.provider)
        known = preset.endpoints if preset else Endpoints("", "", ())
        return Endpoints(
            self.authorize_url or known.authorize_url.replace("{tenant}", self.tenant),
            self.exchange_url or known.token_url.replace("{tenant}", self.tenant),
            tuple(self.scopes.split()) or known.scopes,
            known.parameters,
        )
