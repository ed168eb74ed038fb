"""Calls and recordings in the form of Twilio's REST API (2010-04-01)."""

from __future__ import annotations

from datetime import datetime
from email.utils import format_datetime
from typing import Any

from channels.twilio.exchange import Recording
from channels.twilio.live_call import LiveCall

VERSION = "2010-04-01"
_CALL_PARTS = {
    "notifications": "Notifications",
    "recordings": "Recordings",
    "payments": "Payments",
    "events": "Events",
    "siprec": "Siprec",
    "streams": "Streams",
    "transcriptions": "Transcriptions",
    "user_defined_message_subscriptions": "UserDefinedMessageSubscriptions",
    "user_defined_messages": "UserDefinedMessages",
}


def _when(moment: datetime | None) -> str | None:
    return format_datetime(moment) if moment is not None else None


def call_resource(call: LiveCall, account: str, number_sid: str | None) -> dict[str, Any]:
    """The Call resource."""
    uri = f"/{VERSION}/Accounts/{account}/Calls/{call.sid}"
    ended = call.finished
    return {
        "sid": call.sid,
        "date_created": _when(call.started),
        "date_updated": _when(ended or call.started),
        "parent_call_sid": None,
        "account_sid": account,
        "to": call.called,
        "to_formatted": call.called,
        "from": call.caller,
        "from_formatted": call.caller,
        "phone_number_sid": number_sid,
        "status": call.status.value,
        "start_time": _when(call.started),
        "end_time": _when(ended),
        "duration": str(round((ended - call.started).total_seconds())) if ended else None,
        "price": None,
        "price_unit": "USD",
        "direction": "inbound",
        "answered_by": None,
        "api_version": VERSION,
        "forwarded_from": None,
        "group_sid": None,
        "caller_name": None,
        "queue_time": "0",
        "trunk_sid": None,
        "uri": f"{uri}.json",
        "subresource_uris": {name: f"{uri}/{part}.json" for name, part in _CALL_PARTS.items()},
    }


def recording_resource(recording: Recording, account: str, address: str) -> dict[str, Any]:
    """The Recording resource; `address` is where its sound is."""
    uri = f"/{VERSION}/Accounts/{account}/Recordings/{recording.sid}"
    return {
        "account_sid": account,
        "api_version": VERSION,
        "call_sid": recording.call,
        "conference_sid": None,
        "channels": 1,
        "date_created": _when(recording.made),
        "date_updated": _when(recording.made),
        "start_time": _when(recording.made),
        "price": None,
        "price_unit": "USD",
        "duration": str(recording.seconds),
        "sid": recording.sid,
        "source": "RecordVerb",
        "status": "completed",
        "error_code": None,
        "uri": f"{uri}.json",
        "encryption_details": None,
        "subresource_uris": {
            "add_on_results": f"{uri}/AddOnResults.json",
            "transcriptions": f"{uri}/Transcriptions.json",
        },
        "media_url": address,
    }
