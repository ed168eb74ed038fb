"""The number's side at Twilio: whether it is there, what it can do, and where its messages go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from channels.contract import Checked, Context, Rejected
from channels.sms.peers import is_phone
from channels.sms.settings import SmsSettings
from channels.twilio.client import API_URL, TwilioClient


async def check(client: TwilioClient, settings: SmsSettings, context: Context) -> Checked:
    """Raises AuthFailed for a wrong token, Rejected where account, number or service cannot send."""
    account = await client.call(lambda sdk: sdk.api.v2010.accounts(settings.account_sid).fetch_async())
    if str(account.status) != "active":
        raise Rejected(
            f"the Twilio account is {account.status}: reopen it in the Twilio console", code="account_inactive"
        )
    missing = list(_addresses(settings, context))
    if settings.messaging_service_sid:
        service = await _service(client, settings)
        if not service.use_inbound_webhook_on_number and service.inbound_request_url != context.hook_url:
            missing.append("Incoming texts do not reach AutoCRM yet. Connect the webhook of the messaging service.")
        return Checked(identity=str(service.friendly_name), missing=tuple(missing))
    if not is_phone(settings.number):
        missing.append(
            "The webhook of a short code is set in the Twilio console. Enter the address of this channel there."
        )
        return Checked(identity=settings.number, missing=tuple(missing))
    number = await _number(client, settings)
    if number is None:
        raise Rejected(f"the number {settings.number} does not belong to this Twilio account", code="unknown_number")
    missing += _shortcomings(number, context.hook_url)
    return Checked(identity=settings.number, missing=tuple(missing))


def _addresses(settings: SmsSettings, context: Context) -> Iterator[str]:
    if settings.api_url == API_URL and urlsplit(context.public_url).scheme != "https":
        yield "Twilio reaches AutoCRM by HTTPS only. Set a public HTTPS address."


def _shortcomings(number: Any, hook_url: str) -> Iterator[str]:
    capabilities = number.capabilities or {}
    if not _able(capabilities, "sms"):
        yield "This number cannot receive or send texts. Choose one with SMS in the Twilio console."
    elif not _able(capabilities, "mms"):
        yield "This number cannot send pictures. They go as links."
    if number.sms_application_sid:
        yield "A TwiML app takes the texts of this number. Remove it in the Twilio console."
    elif number.sms_url != hook_url:
        yield "Incoming texts do not reach AutoCRM yet. Connect the webhook of the number."


def _able(capabilities: Any, what: str) -> bool:
    """The SDK gives the capabilities as a mapping."""
    return bool(capabilities.get(what, capabilities.get(what.upper(), False)))


async def subscribe(client: TwilioClient, settings: SmsSettings, hook_url: str) -> None:
    """The same address stands as fallback too: Twilio then asks a second time where the first attempt failed."""
    await _point(client, settings, hook_url)


async def unsubscribe(client: TwilioClient, settings: SmsSettings, hook_url: str) -> None:
    if settings.messaging_service_sid:
        if (await _service(client, settings)).inbound_request_url == hook_url:
            await _point(client, settings, "")
        return
    number = await _number(client, settings) if is_phone(settings.number) else None
    if number is not None and number.sms_url == hook_url:
        await _point(client, settings, "")


async def _point(client: TwilioClient, settings: SmsSettings, url: str) -> None:
    if settings.messaging_service_sid:
        await client.call(
            lambda sdk: sdk.messaging.v1.services(settings.messaging_service_sid).update_async(
                inbound_request_url=url, inbound_method="POST", fallback_url=url, use_inbound_webhook_on_number=False
            ),
            repeatable=True,
        )
        return
    if not is_phone(settings.number):
        return  # a short code's webhook is set by hand, as check() says
    number = await _number(client, settings)
    if number is None:
        raise Rejected(f"the number {settings.number} does not belong to this Twilio account", code="unknown_number")
    await client.call(
        lambda sdk: sdk.incoming_phone_numbers(number.sid).update_async(
            sms_url=url, sms_method="POST", sms_fallback_url=url, sms_fallback_method="POST"
        ),
        repeatable=True,
    )


async def _number(client: TwilioClient, settings: SmsSettings) -> Any:
    found = await client.call(lambda sdk: sdk.incoming_phone_numbers.list_async(phone_number=settings.number, limit=20))
    # The filter finds parts of numbers too.
    return next((one for one in found if one.phone_number == settings.number), None)


async def _service(client: TwilioClient, settings: SmsSettings) -> Any:
    return await client.call(lambda sdk: sdk.messaging.v1.services(settings.messaging_service_sid).fetch_async())
