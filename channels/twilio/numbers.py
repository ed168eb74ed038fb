"""The phone numbers of the fake account, its one messaging service, and where their webhooks go."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from aiohttp import web

from channels.twilio.fake import Refusal
from channels.twilio.pages import now, page

if TYPE_CHECKING:
    from channels.twilio.fake import FakeTwilio

_SETTABLE = {
    "SmsUrl": "sms_url",
    "SmsMethod": "sms_method",
    "SmsFallbackUrl": "sms_fallback_url",
    "SmsFallbackMethod": "sms_fallback_method",
    "SmsApplicationSid": "sms_application_sid",
    "VoiceUrl": "voice_url",
    "VoiceMethod": "voice_method",
    "VoiceFallbackUrl": "voice_fallback_url",
    "VoiceFallbackMethod": "voice_fallback_method",
    "VoiceApplicationSid": "voice_application_sid",
    "StatusCallback": "status_callback",
    "StatusCallbackMethod": "status_callback_method",
    "FriendlyName": "friendly_name",
}
_SERVICE_SETTABLE = {
    "InboundRequestUrl": "inbound_request_url",
    "InboundMethod": "inbound_method",
    "FallbackUrl": "fallback_url",
    "StatusCallback": "status_callback",
    "FriendlyName": "friendly_name",
}


class Numbers:
    """IncomingPhoneNumbers, and Services of the messaging API."""

    def __init__(self, fake: FakeTwilio, numbers: tuple[str, ...]) -> None:
        self._fake = fake
        self._rows = {number: self._number(number) for number in numbers}
        self.service = self._service()
        for row in fake.ledger.rows("number", "service"):
            target = self.service if row["kind"] == "service" else self._rows.get(row["number"])
            if target is not None:
                target.update(row["changes"])
        router, base = fake.app.router, f"{fake.api}/IncomingPhoneNumbers"
        router.add_get(f"{base}.json", self._list)
        router.add_get(f"{base}/{{sid}}.json", self._fetch)
        router.add_post(f"{base}/{{sid}}.json", self._update)
        router.add_get("/v1/Services/{sid}", self._fetch_service)
        router.add_post("/v1/Services/{sid}", self._update_service)
        router.add_get("/v1/Services/{sid}/PhoneNumbers", self._pool)

    @property
    def all(self) -> tuple[str, ...]:
        """The account's numbers in E.164."""
        return tuple(self._rows)

    def row(self, number: str) -> dict[str, Any] | None:
        """The resource of a number: `sms_url`, `voice_url`, `status_callback` and so on."""
        return self._rows.get(number)

    def hooks(self, number: str) -> tuple[str, str]:
        """Where a text to the number goes, and where if that fails; empty for nowhere. A service outranks its numbers."""
        if self.service["inbound_request_url"]:
            return self.service["inbound_request_url"], self.service["fallback_url"] or ""
        row = self._rows.get(number, {})
        return row.get("sms_url", ""), row.get("sms_fallback_url", "")

    def set(self, number: str, **changes: str) -> None:
        """As an admin does in the console: `set("+1…", sms_url="https://…")`. Kept in the ledger."""
        self._rows[number].update(changes, date_updated=now())
        self._fake.ledger.append("number", number=number, changes=changes)

    def set_service(self, **changes: str) -> None:
        kept = {name: value or None for name, value in changes.items()}
        self.service.update(kept)
        self._fake.ledger.append("service", changes=kept)

    # ------------------------------------------------------------------ routes

    async def _list(self, request: web.Request) -> web.Response:
        wanted = request.query.get("PhoneNumber")
        rows = [row for number, row in self._rows.items() if wanted is None or wanted in number]
        return page(request, "incoming_phone_numbers", rows)

    async def _fetch(self, request: web.Request) -> web.Response:
        return web.json_response(self._by_sid(request))

    async def _update(self, request: web.Request) -> web.Response:
        row, form = self._by_sid(request), await request.post()
        changes = {_SETTABLE[name]: str(value) for name, value in form.items() if name in _SETTABLE}
        for name, value in changes.items():
            if name.endswith("_url") and value and not value.startswith(("http://", "https://")):
                raise Refusal(400, 21402, f"{name} is not a valid URL")
        self.set(row["phone_number"], **changes)
        return web.json_response(row)

    async def _fetch_service(self, request: web.Request) -> web.Response:
        if request.match_info["sid"] != self.service["sid"]:
            raise web.HTTPNotFound
        return web.json_response(self.service)

    async def _update_service(self, request: web.Request) -> web.Response:
        if request.match_info["sid"] != self.service["sid"]:
            raise web.HTTPNotFound
        form = await request.post()
        self.set_service(
            **{_SERVICE_SETTABLE[key]: str(value) for key, value in form.items() if key in _SERVICE_SETTABLE}
        )
        return web.json_response(self.service)

    async def _pool(self, request: web.Request) -> web.Response:
        if request.match_info["sid"] != self.service["sid"]:
            raise web.HTTPNotFound
        url = f"{self.service['url']}/PhoneNumbers"
        rows = [
            {
                "sid": row["sid"],
                "account_sid": row["account_sid"],
                "service_sid": self.service["sid"],
                "date_created": "2026-01-01T00:00:00Z",
                "date_updated": "2026-01-01T00:00:00Z",
                "phone_number": number,
                "country_code": "US",
                "capabilities": ["MMS", "SMS", "Voice"],
                "url": f"{url}/{row['sid']}",
            }
            for number, row in self._rows.items()
        ]
        meta = {"page": 0, "page_size": 50, "first_page_url": url, "previous_page_url": None, "url": url}
        return web.json_response(
            {"phone_numbers": rows, "meta": {**meta, "next_page_url": None, "key": "phone_numbers"}}
        )

    def _by_sid(self, request: web.Request) -> dict[str, Any]:
        for row in self._rows.values():
            if row["sid"] == request.match_info["sid"]:
                return row
        raise web.HTTPNotFound

    # ------------------------------------------------------------------ what they look like

    def _number(self, number: str) -> dict[str, Any]:
        sid = "PN" + hashlib.md5(number.encode(), usedforsecurity=False).hexdigest()
        return {
            "account_sid": self._fake.account_sid,
            "address_requirements": "none",
            "address_sid": None,
            "api_version": "2010-04-01",
            "beta": False,
            "bundle_sid": None,
            "capabilities": {"mms": True, "sms": True, "voice": True, "fax": False},
            "date_created": now(),
            "date_updated": now(),
            "emergency_address_sid": None,
            "emergency_address_status": "unregistered",
            "emergency_status": "Active",
            "friendly_name": number,
            "identity_sid": None,
            "origin": "twilio",
            "phone_number": number,
            "sid": sid,
            "sms_application_sid": "",
            "sms_fallback_method": "POST",
            "sms_fallback_url": "",
            "sms_method": "POST",
            "sms_url": "",
            "status": "in-use",
            "status_callback": "",
            "status_callback_method": "POST",
            "trunk_sid": None,
            "uri": f"{self._fake.api}/IncomingPhoneNumbers/{sid}.json",
            "voice_application_sid": "",
            "voice_caller_id_lookup": False,
            "voice_fallback_method": "POST",
            "voice_fallback_url": "",
            "voice_method": "POST",
            "voice_receive_mode": "voice",
            "voice_url": "",
        }

    def _service(self) -> dict[str, Any]:
        sid = "MG" + hashlib.md5(self._fake.account_sid.encode(), usedforsecurity=False).hexdigest()
        return {
            "sid": sid,
            "account_sid": self._fake.account_sid,
            "friendly_name": "The fake service",
            "date_created": "2026-01-01T00:00:00Z",
            "date_updated": "2026-01-01T00:00:00Z",
            "inbound_request_url": None,
            "inbound_method": "POST",
            "fallback_url": None,
            "fallback_method": "POST",
            "status_callback": None,
            "sticky_sender": True,
            "mms_converter": True,
            "smart_encoding": False,
            "scan_message_content": "inherit",
            "fallback_to_long_code": False,
            "area_code_geomatch": True,
            "synchronous_validation": False,
            "validity_period": 14400,
            "url": f"https://messaging.twilio.com/v1/Services/{sid}",
            "links": {"phone_numbers": f"https://messaging.twilio.com/v1/Services/{sid}/PhoneNumbers"},
            "usecase": "undeclared",
            "us_app_to_person_registered": False,
            "use_inbound_webhook_on_number": False,
        }
