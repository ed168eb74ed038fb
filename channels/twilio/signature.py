"""Whether a webhook is Twilio's (https://www.twilio.com/docs/usage/webhooks/webhooks-security)."""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import parse_qs, urlsplit

from multidict import MultiDict
from pydantic import SecretStr
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

from channels.contract import Malformed, RawInbound, Unverified
from channels.twilio.form import pairs

HEADER = "x-twilio-signature"
_FORM = "application/x-www-form-urlencoded"


def sign(auth_token: SecretStr, url: str, form: list[tuple[str, str]] | None = None) -> str:
    """The signature over exactly this URL and these form fields."""
    validator = RequestValidator(auth_token.get_secret_value())
    return str(validator.compute_signature(url, MultiDict(form or [])))


def verify(raw: RawInbound, auth_token: SecretStr) -> None:
    """Raises Unverified unless the request was signed with the account's auth token.

    The URL is `raw.transport["url"]`, made by us from our own public address. Twilio is known to sign it with or without
    the port, so both hold. A form is signed field by field; any other body by the `bodySHA256` in the signed URL.
    """
    given, url = raw.headers.get(HEADER, ""), str(raw.transport.get("url") or "")
    if not given:
        raise Unverified("the request carries no signature")
    if not url or not auth_token.get_secret_value():
        raise Unverified("there is nothing to check the signature against")
    try:
        form = _signed_fields(raw, url)
        expected = [sign(auth_token, one, form) for one in _spellings(url)]
    except (Malformed, ValueError) as error:
        raise Unverified(f"the signature cannot be checked: {type(error).__name__}") from None
    # Both are always compared, so that the time taken tells nothing.
    holds = [hmac.compare_digest(one.encode(), given.encode("utf-8", "replace")) for one in expected]
    if not any(holds):
        raise Unverified("the signature does not hold")


def _signed_fields(raw: RawInbound, url: str) -> list[tuple[str, str]]:
    if raw.content_type.partition(";")[0].strip().lower() == _FORM:
        return pairs(raw.body)
    if not raw.body:
        return []
    claimed = parse_qs(urlsplit(url).query).get("bodySHA256", [""])[0]
    if not hmac.compare_digest(hashlib.sha256(raw.body).hexdigest().encode(), claimed.lower().encode()):
        raise Unverified("the signed URL names another body")
    return []


def _spellings(url: str) -> tuple[str, str]:
    """The URL without and with its port."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    if parts.port is not None:
        host = host.rpartition(":")[0]
    login = parts.netloc[: -len(parts.netloc.rpartition("@")[2])] if "@" in parts.netloc else ""
    port = parts.port if parts.port is not None else (443 if parts.scheme == "https" else 80)
    bare = parts._replace(netloc=f"{login}{host}").geturl()
    return bare, parts._replace(netloc=f"{login}{host}:{port}").geturl()
