"""How mailboxes are logged in to, and what is known of the large providers so that nobody has to enter it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any


class Provider(StrEnum):
    """How the account proves itself at its mail servers."""

    PASSWORD = "password"  # noqa: S105, a kind of login
    GOOGLE = "google"
    MICROSOFT = "microsoft"
    CUSTOM = "custom"
    """Any other provider with OAuth 2.0 and SASL XOAUTH2; its addresses are entered."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """An authorization server (RFC 6749 §3) and what is asked of it."""

    authorize_url: str
    token_url: str
    scopes: tuple[str, ...]
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Further parameters of the authorization request."""


@dataclass(frozen=True, slots=True)
class Preset:
    """What fills itself in once the provider is chosen. `{tenant}` stands in Microsoft's addresses."""

    endpoints: Endpoints
    servers: Mapping[str, Any]
    spf: str
    """What a sending domain's SPF record has to include."""


PRESETS: Mapping[Provider, Preset] = MappingProxyType(
    {
        # https://developers.google.com/identity/protocols/oauth2/web-server: only `consent` gives a refresh token each time.
        Provider.GOOGLE: Preset(
            Endpoints(
                "https://accounts.google.com/o/oauth2/v2/auth",
                "https://oauth2.googleapis.com/token",
                ("https://mail.google.com/",),
                {"access_type": "offline", "prompt": "consent"},
            ),
            {
                "imap_host": "imap.gmail.com",
                "imap_port": 993,
                "imap_security": "tls",
                "smtp_host": "smtp.gmail.com",
                "smtp_port": 587,
                "smtp_security": "starttls",
                "authserv_id": "mx.google.com",
            },
            "_spf.google.com",
        ),
        # https://learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth
        Provider.MICROSOFT: Preset(
            Endpoints(
                "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/authorize",
                "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",
                (
                    "https://outlook.office.com/IMAP.AccessAsUser.All",
                    "https://outlook.office.com/SMTP.Send",
                    "offline_access",
                ),
                {"prompt": "select_account"},
            ),
            {
                "imap_host": "outlook.office365.com",
                "imap_port": 993,
                "imap_security": "tls",
                "smtp_host": "smtp.office365.com",
                "smtp_port": 587,
                "smtp_security": "starttls",
                "authserv_id": "",
            },
            "spf.protection.outlook.com",
        ),
    }
)

_HOSTS = ("imap_host", "smtp_host", "authserv_id")


def filled(values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings as given, with what the chosen provider says of itself where nothing else was entered.

    What another provider's preset has left behind counts as not entered.
    """
    given = dict(values)
    provider = str(given.get("provider") or Provider.PASSWORD)
    preset = PRESETS.get(Provider(provider)) if provider in set(Provider) else None
    if preset is not None:
        for side in _HOSTS:
            left = ["", None, "localhost", *(other.servers[side] for other in PRESETS.values())]
            if given.get(side) in left:
                prefix = side.partition("_")[0]
                same = [name for name in preset.servers if name.partition("_")[0] == prefix]
                given |= {name: preset.servers[name] for name in same}
        given.setdefault("incoming", "imap")
    if provider == Provider.PASSWORD:
        given.pop("grant", None)  # tokens that nobody uses are not kept
    else:
        for user in ("imap_user", "smtp_user"):
            given[user] = given.get(user) or given.get("address") or ""
    return given
