"""What callers have said while nobody here could hear of it: their recordings are still at Twilio."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from channels.contract import RawInbound
from channels.twilio.client import TwilioClient
from channels.voice.state import At, Step, seal

_MOST = 1000
_FORM = "application/x-www-form-urlencoded"


async def recordings_since(
    client: TwilioClient, number: str, since: datetime, hook: str, secret: bytes
) -> list[RawInbound]:
    """Recordings made by calls to `number`, oldest first, in the form of the callback that should have told of them.

    What was heard of then is known again by its id. The newest thousand at most; raises as `TwilioClient.call` does.
    """
    found = await client.call(
        lambda sdk: sdk.recordings.list_async(date_created_after=since, limit=_MOST, page_size=_MOST), repeatable=True
    )
    callers: dict[str, str | None] = {}
    raws: list[RawInbound] = []
    for one in reversed(found):
        if one.source != "RecordVerb" or one.status != "completed" or not one.call_sid:
            continue
        if one.call_sid not in callers:
            callers[one.call_sid] = await _caller(client, one.call_sid, number)
        caller = callers[one.call_sid]
        if caller is not None:
            raws.append(_raw(one, caller, hook, secret))
    return raws


async def _caller(client: TwilioClient, call: str, number: str) -> str | None:
    """Who called; None where another number was called."""
    made = await client.call(lambda sdk: sdk.calls(call).fetch_async(), repeatable=True)
    return str(made._from or "") if made.to == number else None


def _raw(recording: Any, caller: str, hook: str, secret: bytes) -> RawInbound:
    step = Step(At.KEPT, caller=seal(caller, secret) if caller else "")
    form = {
        "AccountSid": recording.account_sid,
        "CallSid": recording.call_sid,
        "RecordingSid": recording.sid,
        "RecordingUrl": recording.media_url,
        "RecordingStatus": recording.status,
        "RecordingDuration": recording.duration,
        "RecordingSource": recording.source,
    }
    return RawInbound("", urlencode(form).encode(), _FORM, transport={"url": step.url(hook).partition("#")[0]})
