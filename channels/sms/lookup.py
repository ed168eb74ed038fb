"""Twilio's list of messages: to settle a send in doubt, and to fetch what no webhook has brought.

Twilio has no idempotency keys, and its list does not give back the URL that carries ours. So a message is taken for ours
when recipient, text and number of files are equal, it was made after the delivery was first tried, and it is not known to
be another delivery's. Two equal texts to one person are kept apart by order: a delivery of a route begins only after the
one before it was settled, so the earlier one lies before `since` or is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from urllib.parse import urlencode

from channels.contract import OutcomeUnknown, RawInbound, Sent
from channels.sms.parse import MEDIA_MAX, identify
from channels.sms.recent import Print, Recent
from channels.sms.settings import SmsSettings
from channels.twilio.client import API_URL, TwilioClient

_SECOND = timedelta(seconds=1)
"""Twilio's times are whole seconds."""
_SKEW = timedelta(seconds=60)
_LISTED_MAX = 10_000
_TRIAL = "Sent from your Twilio trial account - "
"""What Twilio sets before the texts of accounts that have not been paid for."""


class _Message(Protocol):
    """What is read of the SDK's message resource."""

    sid: str
    body: str | None
    to: str | None
    from_: str | None
    direction: str
    num_media: str | None
    num_segments: str | None
    messaging_service_sid: str | None
    date_created: datetime | None
    date_sent: datetime | None
    status: str


async def find_sent(
    client: TwilioClient,
    settings: SmsSettings,
    recent: Recent,
    account: str,
    key: str,
    since: datetime,
    wanted: Print | None,
) -> Sent | None:
    """The message that was sent under `key` after `since`, None where Twilio has none.

    Without `wanted` (the process that sent it is gone, and nobody says what it was) only the absence of any unexplained
    message is proof. Raises OutcomeUnknown where it cannot be told.
    """
    wanted = wanted or recent.print_of(account, key)
    taken = recent.taken(account, key)
    found = [
        one
        for one in await _outbound(client, settings, since, to=wanted.to if wanted else None)
        if one.sid not in taken and (wanted is None or _print(one) == wanted)
    ]
    if wanted is None:
        others = recent.others(account, key)
        found = [one for one in found if _print(one) not in others]
        if found:
            raise OutcomeUnknown("texts have been sent since, and none can be told to be this one")
        return None
    if not found:
        return None
    sent = found[0]  # the oldest: an attempt comes before a later, equal text
    recent.accepted(account, key, sent.sid)
    return Sent(external_id=sent.sid, detail=detail(sent))


def detail(message: Any) -> dict[str, Any]:
    """What is kept of an accepted message."""
    segments = str(message.num_segments or "")
    return {"status": str(message.status), **({"segments": int(segments)} if segments.isdigit() else {})}


def _print(message: _Message) -> Print:
    media = message.num_media or "0"
    body = (message.body or "").removeprefix(_TRIAL)
    return Print.of(message.to or "", body, int(media) if media.isdigit() else 0)


async def _outbound(
    client: TwilioClient, settings: SmsSettings, since: datetime, *, to: str | None
) -> Sequence[_Message]:
    """Ours since a moment, oldest first. Not asked for by date of sending: what is still queued has none."""
    filters: dict[str, Any] = {"page_size": 200}
    if to is not None:
        filters["to"] = to
    if settings.number:
        filters["from_"] = settings.number
    found: list[_Message] = []

    async def read(sdk: Any) -> None:
        async for one in await sdk.messages.stream_async(**filters):
            # Only now has Twilio told the time by its own clock.
            begin = (since.astimezone(UTC) + client.ahead).replace(microsecond=0) - _SECOND
            made: datetime | None = one.date_created
            if made is not None and made < begin - _SKEW:
                return  # the list begins with the newest; a minute further back nothing can be of this delivery
            if _is_ours(one, settings) and (made is None or made >= begin):
                found.append(one)

    await client.call(read)
    return found[::-1]


def _is_ours(message: _Message, settings: SmsSettings) -> bool:
    if not str(message.direction).startswith("outbound-api"):
        return False
    return not settings.messaging_service_sid or message.messaging_service_sid == settings.messaging_service_sid


# ---------------------------------------------------------------------------------------------------- what came in


async def list_since(client: TwilioClient, settings: SmsSettings, since: datetime) -> Sequence[RawInbound]:
    """Every message received since a moment, oldest first, in the form and under the id that its webhook has."""
    numbers = {settings.number} if settings.number else set(await _pool(client, settings))
    found: list[RawInbound] = []

    async def read(sdk: Any) -> None:
        for number in sorted(numbers):
            stream = await sdk.messages.stream_async(
                to=number, date_sent_after=since + client.ahead - _SKEW, page_size=200, limit=_LISTED_MAX
            )
            found.extend(
                [
                    await _raw(sdk, client, settings, message)
                    async for message in stream
                    if str(message.direction) == "inbound"
                ]
            )

    await client.call(read)
    # Lists begin with the newest, and many messages share a second: turned round first, so that equal times keep order.
    found.reverse()
    found.sort(key=lambda one: str(one.transport.get("date_sent")))
    return found


async def _pool(client: TwilioClient, settings: SmsSettings) -> Sequence[str]:
    numbers = await client.call(
        lambda sdk: sdk.messaging.v1.services(settings.messaging_service_sid).phone_numbers.list_async(limit=500)
    )
    return [str(one.phone_number) for one in numbers]


async def _raw(sdk: Any, client: TwilioClient, settings: SmsSettings, message: _Message) -> RawInbound:
    form = {
        "MessageSid": message.sid,
        "SmsStatus": "received",
        "From": message.from_ or "",
        "To": message.to or "",
        "Body": message.body or "",
        "NumSegments": message.num_segments or "1",
        "NumMedia": message.num_media or "0",
        "AccountSid": client.account_sid,
    }
    if form["NumMedia"] != "0":
        form |= dict(_media(await sdk.messages(message.sid).media.list_async(limit=MEDIA_MAX), settings))
    transport = {"date_sent": message.date_sent.isoformat() if message.date_sent else None}
    return identify(RawInbound("", urlencode(form).encode(), "application/x-www-form-urlencoded", {}, transport))


def _media(files: Sequence[Any], settings: SmsSettings) -> Iterator[tuple[str, str]]:
    base = settings.api_url or API_URL
    for at, file in enumerate(files):
        yield f"MediaUrl{at}", base + str(file.uri).removesuffix(".json")
        yield f"MediaContentType{at}", str(file.content_type)


def price_facts(message: Any) -> Mapping[str, Any]:
    """Price, currency and segments, as far as Twilio has settled them."""
    facts: dict[str, Any] = {key: value for key, value in detail(message).items() if key == "segments"}
    if message.price is not None:
        facts |= {"price": str(message.price), "currency": str(message.price_unit or "USD").upper()}
    return facts
