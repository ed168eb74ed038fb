"""Requests of Slack's: their signature, and what they are answered."""

from __future__ import annotations

import json

from slack_sdk.signature import Clock, SignatureVerifier

from channels.contract import Malformed, RawInbound, Unverified, WebhookReply
from channels.social.slack.settings import SlackSettings
from channels.social.slack.shapes import Callback, read


def verify(raw: RawInbound, settings: SlackSettings, clock: Clock) -> None:
    """HMAC over the raw body, at most five minutes old: https://docs.slack.dev/authentication/verifying-requests-from-slack

    Raises Unverified.
    """
    secret = settings.signing_secret.get_secret_value()
    if not secret.strip():
        raise Unverified("this account has no signing secret")
    try:
        genuine = SignatureVerifier(secret, clock).is_valid_request(raw.body, dict(raw.headers))
    except (ValueError, TypeError, OverflowError):
        genuine = False  # a time that is no number, a body or a signature that is no text
    if not genuine:
        raise Unverified("the signature is not Slack's, or older than five minutes")


def respond(raw: RawInbound) -> WebhookReply:
    """The challenge where Slack asks whether the address is ours; else an empty yes."""
    try:
        data = read(raw)
    except Malformed:
        return WebhookReply()
    if isinstance(data, Callback) and data.type == "url_verification":
        body = json.dumps({"challenge": data.challenge or ""}).encode()
        return WebhookReply(body=body, content_type="application/json")
    return WebhookReply()
