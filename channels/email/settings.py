"""What an admin enters to connect a mailbox; the JSON schema of this model draws the form."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from channels.email.addresses import normalise_address


class Incoming(StrEnum):
    """Where mail is fetched from, besides the built-in SMTP receiver, which always accepts for the address."""

    NONE = "none"
    IMAP = "imap"


class Security(StrEnum):
    """How a connection is encrypted."""

    TLS = "tls"
    STARTTLS = "starttls"
    NONE = "none"


class EmailSettings(BaseModel):
    """One support address: how its mail comes in, and how answers go out."""

    model_config = ConfigDict(frozen=True, extra="forbid", title="E-mail account")

    address: str = Field(
        title="Support address", description="The address that customers write to and answers come from."
    )
    display_name: str = Field(
        default="",
        max_length=200,
        title="Display name",
        description="Shown beside the address, such as the shop's name.",
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
        description="The name by which your mail provider signs its Authentication-Results header. Used for IMAP mailboxes only.",
    )
    signature: str = Field(
        default="", max_length=4000, title="Signature", description="Added below every answer, in plain text."
    )

    @field_validator("address")
    @classmethod
    def _address(cls, value: str) -> str:
        return normalise_address(value)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.incoming is Incoming.IMAP and not (self.imap_host and self.imap_user):
            raise ValueError("IMAP needs a host and a user")
        if self.dkim_private_key is not None and not self.dkim_selector:
            raise ValueError("a DKIM key needs a selector")
        return self

    @property
    def domain(self) -> str:
        """The domain of the support address, lower-case."""
        return self.address.rpartition("@")[2]
