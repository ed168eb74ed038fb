"""The Messages resource of the fake provider: what we send, what customers write, and what becomes of either."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import aiohttp
from aiohttp import web

from channels.twilio.fake import Refusal
from channels.twilio.pages import new_sid, now, page

if TYPE_CHECKING:
    from channels.twilio.fake import FakeTwilio

BODY_MAX = 1600
MEDIA_MAX = 10
MEDIA_BYTES_MAX = 5 * 1024 * 1024
_E164 = re.compile(r"\+[1-9]\d{6,14}|\d{3,8}")
_PRICE = 0.0079


class Keyword(StrEnum):
    """What Twilio sends as `OptOutType` where Advanced Opt-Out is on."""

    STOP = "STOP"
    START = "START"
    HELP = "HELP"


KEYWORDS: Mapping[str, Keyword] = MappingProxyType(
    {
        **dict.fromkeys("STOP STOPALL UNSUBSCRIBE CANCEL END QUIT REVOKE OPTOUT ARRET".split(), Keyword.STOP),
        **dict.fromkeys(("START", "YES", "UNSTOP"), Keyword.START),
        **dict.fromkeys(("HELP", "INFO"), Keyword.HELP),
    }
)
"""Only a message that is the one word, in capitals or not."""
ANSWERS: Mapping[Keyword, str] = MappingProxyType(
    {
        Keyword.STOP: "No further messages will come from this number. Reply START to receive them again.",
        Keyword.START: "Messages from this number will reach you again. Reply STOP to end them.",
        Keyword.HELP: "Reply STOP to end messages from this number. Rates of your carrier apply.",
    }
)


class Messages:
    """Create, fetch, list, media. `outcomes` maps a recipient to the error code with which its messages end undelivered."""

    def __init__(self, fake: FakeTwilio, segments: Callable[[str], int]) -> None:
        self._fake = fake
        self._segments = segments
        self.outcomes: dict[str, int] = {}
        self.answers_keywords = True
        """Whether the provider answers STOP, START and HELP itself, as it does unless told otherwise."""
        self.advanced_opt_out = False
        """Whether webhooks carry `OptOutType`."""
        self.flowing = True
        """Whether what is sent goes on its way; False leaves it queued."""
        self._rows: dict[str, dict[str, Any]] = {}
        self._media: dict[str, list[dict[str, Any]]] = {}
        self._opted_out: set[tuple[str, str]] = set()
        for row in fake.ledger.rows("message", "message_changed", "media", "opt_out", "opt_in"):
            self._replay(row)
        router, base = fake.app.router, f"{fake.api}/Messages"
        router.add_post(f"{base}.json", self._create)
        router.add_get(f"{base}.json", self._list)
        router.add_get(f"{base}/{{sid}}.json", self._fetch)
        router.add_get(f"{base}/{{sid}}/Media.json", self._media_list)
        router.add_get(f"{base}/{{sid}}/Media/{{media}}.json", self._media_fetch)
        router.add_get(f"{base}/{{sid}}/Media/{{media}}", self._media_content)
        router.add_get("/stored-media/{media}", self._stored)

    def _replay(self, row: Mapping[str, Any]) -> None:
        match row["kind"]:
            case "message":
                self._rows[row["message"]["sid"]] = row["message"]
            case "message_changed":
                self._rows[row["sid"]].update(row["changes"])
            case "media":
                self._media.setdefault(row["message"], []).append(row["media"])
            case "opt_out":
                self._opted_out.add((row["number"], row["peer"]))
            case "opt_in":
                self._opted_out.discard((row["number"], row["peer"]))

    # ------------------------------------------------------------------ seen from outside the wire

    def all(self, peer: str | None = None) -> Iterator[Mapping[str, Any]]:
        """Every message resource, oldest first; with `peer`, those to or from this number."""
        for row in list(self._rows.values()):
            if peer is None or peer in (row["to"], row["from"]):
                yield row

    def files(self, sid: str) -> tuple[str, ...]:
        """The file names that came with a message."""
        return tuple(one["filename"] for one in self._media.get(sid, ()))

    async def receive(
        self, peer: str, body: str, *, to: str | None = None, files: Sequence[tuple[str, str, bytes]] = ()
    ) -> str:
        """A customer's message: `(filename, content type, octets)` for each file. Calls the webhook; returns the SID."""
        number = to or self._fake.numbers.all[0]
        row = self._row(new_sid("MM" if files else "SM"), "inbound", peer, number, body, len(files))
        row.update(status="received", date_sent=now())
        self._keep(row)
        for filename, content_type, content in files:
            self._keep_media(row["sid"], filename, content_type, content)
        keyword = KEYWORDS.get(body.strip().upper())
        if keyword is not None and self.answers_keywords:
            self._obey(keyword, number, peer)
        url, fallback = self._fake.numbers.hooks(number)
        if url:
            form = self.form(row["sid"])
            answer = await self._fake.announce(url, form)
            if answer is not None and not 200 <= answer.status < 300 and fallback:
                answer = await self._fake.post_signed(fallback, {**form, "ErrorCode": "11200", "ErrorUrl": url})
            if answer is not None and answer.status == 200:
                for text in replies(answer.body, answer.content_type):
                    self._send(self._row(new_sid("SM"), "outbound-reply", number, peer, text, 0), None, ())
        return str(row["sid"])

    def form(self, sid: str) -> dict[str, str]:
        """The fields of the webhook for an inbound message."""
        row = self._rows[sid]
        fields = {
            "ToCountry": "US",
            "ToState": "CA",
            "SmsMessageSid": sid,
            "NumMedia": row["num_media"],
            "ToCity": "",
            "FromZip": "",
            "SmsSid": sid,
            "FromState": "",
            "SmsStatus": "received",
            "FromCity": "",
            "Body": row["body"],
            "FromCountry": "US",
            "To": row["to"],
            "ToZip": "",
            "NumSegments": row["num_segments"],
            "MessageSid": sid,
            "AccountSid": row["account_sid"],
            "From": row["from"],
            "ApiVersion": "2010-04-01",
        }
        if self._fake.numbers.service["inbound_request_url"]:
            fields["MessagingServiceSid"] = self._fake.numbers.service["sid"]
        for at, media in enumerate(self._media.get(sid, ())):
            fields[f"MediaContentType{at}"] = media["content_type"]
            fields[f"MediaUrl{at}"] = f"{self._fake.url}{media['uri'].removesuffix('.json')}"
        keyword = KEYWORDS.get(row["body"].strip().upper())
        if self.advanced_opt_out and keyword is not None:
            fields["OptOutType"] = keyword.value
        return fields

    def _obey(self, keyword: Keyword, number: str, peer: str) -> None:
        if keyword is Keyword.STOP:
            self._opted_out.add((number, peer))
            self._fake.ledger.append("opt_out", number=number, peer=peer)
        elif keyword is Keyword.START:
            if (number, peer) not in self._opted_out:
                return
            self._opted_out.discard((number, peer))
            self._fake.ledger.append("opt_in", number=number, peer=peer)
        self._send(self._row(new_sid("SM"), "outbound-reply", number, peer, ANSWERS[keyword], 0), None, ())

    # ------------------------------------------------------------------ on its way

    def _send(self, row: dict[str, Any], callback: str | None, media: Sequence[str]) -> None:
        self._keep(row)
        if self.flowing:
            self._fake.background(self._flow(row, callback, media))

    async def _flow(self, row: dict[str, Any], callback: str | None, media: Sequence[str]) -> None:
        await self._tell(row, callback, {"status": "queued"})
        for url in media:
            if not await self._collect(row["sid"], url):
                await self._tell(row, callback, {"status": "failed", "error_code": 11200, "date_sent": now()})
                return
        service = self._fake.numbers.all[0] if row["from"] is None else row["from"]
        await self._tell(row, callback, {"status": "sent", "date_sent": now(), "from": service})
        error = self.outcomes.get(row["to"])
        if error is not None:
            message = "The message did not reach the handset."
            await self._tell(row, callback, {"status": "undelivered", "error_code": error, "error_message": message})
            return
        price = f"-{_PRICE * int(row['num_segments']):.5f}"
        await self._tell(row, callback, {"status": "delivered", "price": price})

    async def _tell(self, row: dict[str, Any], callback: str | None, changes: dict[str, Any]) -> None:
        changes["date_updated"] = now()
        row.update(changes)
        self._fake.ledger.append("message_changed", sid=row["sid"], changes=changes)
        if callback:
            fields = {
                "SmsSid": row["sid"],
                "SmsStatus": row["status"],
                "MessageStatus": row["status"],
                "To": row["to"],
                "MessageSid": row["sid"],
                "AccountSid": row["account_sid"],
                "From": row["from"] or "",
                "ApiVersion": "2010-04-01",
            }
            if row["messaging_service_sid"]:
                fields["MessagingServiceSid"] = row["messaging_service_sid"]
            if row["error_code"] is not None:
                fields["ErrorCode"] = str(row["error_code"])
            await self._fake.announce(callback, fields)

    async def _collect(self, sid: str, url: str) -> bool:
        """Fetches a MediaUrl as Twilio does; False where there is nothing to be had."""
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as session,
                session.get(url) as answer,
            ):
                content = await answer.content.read(MEDIA_BYTES_MAX + 1)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return False
        if answer.status != 200 or len(content) > MEDIA_BYTES_MAX:
            return False
        disposition = answer.content_disposition
        name = (disposition and disposition.filename) or answer.url.name or "file"
        self._keep_media(sid, name, answer.content_type, content)
        return True

    # ------------------------------------------------------------------ routes

    async def _create(self, request: web.Request) -> web.Response:
        form = await request.post()
        to, sender, service = (str(form.get(key, "")) for key in ("To", "From", "MessagingServiceSid"))
        body, media = str(form.get("Body", "")), [str(one) for one in form.getall("MediaUrl", [])]
        if not to:
            raise Refusal(400, 21604, "A 'To' phone number is required.")
        if not _E164.fullmatch(to):
            raise Refusal(400, 21211, f"The 'To' number {to} is not a valid phone number.")
        if not sender and not service:
            raise Refusal(400, 21603, "A 'From' phone number is required.")
        if sender and sender not in self._fake.numbers.all:
            raise Refusal(400, 21606, f"The 'From' phone number {sender} is not a valid, SMS-capable number of yours.")
        if service and service != self._fake.numbers.service["sid"]:
            raise Refusal(404, 20404, "The requested resource was not found")
        if not body and not media:
            raise Refusal(400, 21619, "A text message body or media urls must be specified.")
        if len(body) > BODY_MAX:
            raise Refusal(400, 21617, "The concatenated message body exceeds the 1600 character limit.")
        if len(media) > MEDIA_MAX:
            raise Refusal(400, 21623, "Number of media files exceeds allowed limit.")
        if any(not one.startswith(("http://", "https://")) for one in media):
            raise Refusal(400, 21620, "Invalid media URL(s)")
        if (sender or self._fake.numbers.all[0], to) in self._opted_out:
            raise Refusal(400, 21610, "Attempt to send to unsubscribed recipient")
        row = self._row(new_sid("MM" if media else "SM"), "outbound-api", sender or None, to, body, len(media))
        row["messaging_service_sid"] = service or None
        row["status"] = "accepted" if service else "queued"
        created = dict(row)
        callback = str(form.get("StatusCallback", "")) or self._fake.numbers.service["status_callback"]
        self._send(row, callback, media)
        return web.json_response(created, status=201)

    async def _fetch(self, request: web.Request) -> web.Response:
        return web.json_response(self._by_sid(request))

    async def _list(self, request: web.Request) -> web.Response:
        query = request.query
        rows = [row for row in self._rows.values() if _wanted(row, query)]
        return page(request, "messages", rows[::-1])

    async def _media_list(self, request: web.Request) -> web.Response:
        rows = self._media.get(self._by_sid(request)["sid"], [])
        return page(request, "media_list", [_public(one) for one in rows])

    async def _media_fetch(self, request: web.Request) -> web.Response:
        return web.json_response(_public(self._media_row(request)))

    async def _media_content(self, request: web.Request) -> web.Response:
        raise web.HTTPTemporaryRedirect(f"{self._fake.url}/stored-media/{self._media_row(request)['sid']}")

    async def _stored(self, request: web.Request) -> web.StreamResponse:
        for rows in self._media.values():
            for row in rows:
                if row["sid"] == request.match_info["media"]:
                    return web.FileResponse(self._folder / row["sid"], headers={"Content-Type": row["content_type"]})
        raise web.HTTPNotFound

    def _by_sid(self, request: web.Request) -> dict[str, Any]:
        row = self._rows.get(request.match_info["sid"])
        if row is None:
            raise web.HTTPNotFound
        return row

    def _media_row(self, request: web.Request) -> dict[str, Any]:
        for row in self._media.get(self._by_sid(request)["sid"], []):
            if row["sid"] == request.match_info["media"]:
                return row
        raise web.HTTPNotFound

    # ------------------------------------------------------------------ rows

    @property
    def _folder(self) -> Any:
        return self._fake.folder / "media"

    def _row(self, sid: str, direction: str, sender: str | None, to: str, body: str, media: int) -> dict[str, Any]:
        uri = f"{self._fake.api}/Messages/{sid}"
        return {
            "account_sid": self._fake.account_sid,
            "api_version": "2010-04-01",
            "body": body,
            "date_created": now(),
            "date_sent": None,
            "date_updated": now(),
            "direction": direction,
            "error_code": None,
            "error_message": None,
            "from": sender,
            "messaging_service_sid": None,
            "num_media": str(media),
            "num_segments": str(self._segments(body)),
            "price": None,
            "price_unit": "USD",
            "sid": sid,
            "status": "queued",
            "subresource_uris": {"media": f"{uri}/Media.json"},
            "to": to,
            "uri": f"{uri}.json",
        }

    def _keep(self, row: dict[str, Any]) -> None:
        self._rows[row["sid"]] = row
        self._fake.ledger.append("message", message=row)

    def _keep_media(self, message: str, filename: str, content_type: str, content: bytes) -> None:
        sid = new_sid("ME")
        self._folder.mkdir(exist_ok=True)
        (self._folder / sid).write_bytes(content)
        row = {
            "account_sid": self._fake.account_sid,
            "content_type": content_type,
            "date_created": now(),
            "date_updated": now(),
            "filename": filename,
            "parent_sid": message,
            "sid": sid,
            "uri": f"{self._fake.api}/Messages/{message}/Media/{sid}.json",
        }
        self._media.setdefault(message, []).append(row)
        self._fake.ledger.append("media", message=message, media=row)


def _public(media: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in media.items() if key != "filename"}


def _wanted(row: Mapping[str, Any], query: Mapping[str, str]) -> bool:
    """The list's filters; a message without a date of sending passes none of the filters by date."""
    if query.get("To", row["to"]) != row["to"] or query.get("From", row["from"]) != row["from"]:
        return False
    for name in ("DateSent", "DateSent<", "DateSent>"):
        if name in query:
            if row["date_sent"] is None:
                return False
            sent, asked = parsedate_to_datetime(row["date_sent"]), _moment(query[name])
            if name == "DateSent" and sent.date() != asked.date():
                return False
            if (name == "DateSent<" and sent > asked) or (name == "DateSent>" and sent < asked):
                return False
    return True


def _moment(value: str) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise Refusal(400, 20001, f"{value} is not a date") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=parsedate_to_datetime(now()).tzinfo)


def replies(body: bytes, content_type: str) -> list[str]:
    """What the answer to a webhook sends back to the customer: the `<Message>`s of its TwiML, or a plain text whole."""
    if content_type.partition(";")[0].strip() == "text/plain":
        text = body.decode("utf-8", "replace").strip()
        return [text] if text else []
    try:
        root = ElementTree.fromstring(body)  # noqa: S314, our own answer on loopback
    except ElementTree.ParseError:
        return []
    return ["".join(one.itertext()).strip() for one in root.iter("Message")]
