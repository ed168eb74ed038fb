"""The fake provider's telephone exchange: the Calls and Recordings resources, and calls that really run.

`Calls(fake)` hangs its routes into a `FakeTwilio` that has not been started yet. A customer's call is begun by `dial`;
what the application answers is carried out verb by verb, and may be replaced at any moment through the REST API.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from channels.twilio.call_resources import VERSION, call_resource, recording_resource
from channels.twilio.clock import Clock, HandClock, RealClock
from channels.twilio.exchange import Pace, Recording, Team
from channels.twilio.fake import FakeTwilio, Refusal, Trouble
from channels.twilio.live_call import LiveCall
from channels.twilio.pages import new_sid, page
from channels.twilio.twiml import NOT_READABLE, read
from channels.twilio.wave_file import Sound

TWIML_MAX = 4000
"""Characters of the `Twiml` parameter."""
_NO_DOCUMENT = 11200
_NOT_XML = 12300
_SOUND = {".wav": "audio/x-wav", "": "audio/x-wav"}


class Calls:
    """Every call of the account, running or over."""

    def __init__(self, fake: FakeTwilio, *, clock: Clock | None = None, pace: Pace | None = None) -> None:
        self.clock = clock or RealClock()
        self.pace = pace or Pace()
        self.teams: dict[str, tuple[Team, float]] = {}
        """What becomes of a dialled number, and after how many seconds; nobody answers where nothing is said."""
        self.late = 0
        """How many times a recording is asked for in vain before it can be fetched."""
        self.running: dict[str, LiveCall] = {}
        self._fake = fake
        self._folder: Path = fake.folder / "recordings"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._in_vain: dict[str, int] = {}
        self._over = {row["call"]: row["resource"] for row in fake.ledger.rows("call_ended")}
        self._recordings = {row["recording"]: row["resource"] for row in fake.ledger.rows("recording")}
        if isinstance(self.clock, HandClock):
            self.clock.settled = self.settled
        router, api = fake.app.router, fake.api
        router.add_get(f"{api}/Calls.json", self._list)
        router.add_get(f"{api}/Calls/{{sid}}.json", self._fetch)
        router.add_post(f"{api}/Calls/{{sid}}.json", self._update)
        router.add_get(f"{api}/Calls/{{sid}}/Recordings.json", self._list_recordings)
        router.add_get(f"{api}/Recordings.json", self._list_recordings)
        router.add_get(f"{api}/Recordings/{{sid:RE[0-9a-f]{{32}}}}.json", self._fetch_recording)
        router.add_get(f"{api}/Recordings/{{sid:RE[0-9a-f]{{32}}}}{{ending:(?:\\.wav)?}}", self._sound)
        fake.app.on_shutdown.append(self._close)

    # ------------------------------------------------------------------ the customer

    def dial(self, caller: str, called: str | None = None) -> LiveCall:
        """Somebody calls; an empty or anonymous `caller` has withheld the number. Raises Refusal for a number without voice URL."""
        called = called or self._fake.numbers.all[0]
        row = self._fake.numbers.row(called)
        if row is None or not row["voice_url"]:
            raise Refusal(404, 21404, f"{called} takes no calls: it has no voice URL")
        call = LiveCall(self, new_sid("CA"), caller, called, row["voice_url"])
        self.running[call.sid] = call
        self.note("call", call=call.sid, caller=caller, called=called)
        task = asyncio.get_running_loop().create_task(call.run())
        self._tasks[call.sid] = task
        task.add_done_callback(lambda _done: self._tasks.pop(call.sid, None))
        return call

    async def settled(self) -> None:
        """Returns when no call can go on by itself, and every callback has been made."""
        while True:
            for call in list(self.running.values()):
                await call.settled()
            await self._fake.settle()
            if all(call.at_rest for call in self.running.values()):
                return

    def problems(self) -> list[str]:
        """What was wrong with the documents so far."""
        return [f"{row['code']} {row['text']}" for row in self._fake.ledger.rows("problem")]

    # ------------------------------------------------------------------ what a running call needs

    async def ask(self, call: LiveCall, url: str, method: str, values: Mapping[str, str]) -> bytes | None:
        if method != "POST":
            self.note("problem", call=call.sid, code=_NO_DOCUMENT, text=f"this provider asks by POST, not by {method}")
        form = {**self._facts(call), **values}
        answer = await self._fake.post_signed(url, form)
        if self._fake.trouble is Trouble.DUPLICATE:
            answer = await self._fake.post_signed(url, form)
        if answer.status != 200:
            self.note("problem", call=call.sid, code=_NO_DOCUMENT, text=f"the application answered {answer.status}")
            return None
        if answer.content_type.partition(";")[0].strip() not in ("text/xml", "application/xml"):
            self.note("problem", call=call.sid, code=_NOT_XML, text=f"the document is {answer.content_type!r}")
            return None
        return answer.body

    async def tell(self, call: LiveCall, url: str, values: Mapping[str, str]) -> None:
        await self._fake.announce(url, {**self._facts(call), **values})

    def keep(self, call: LiveCall, sound: Sound) -> Recording:
        recording = Recording(new_sid("RE"), call.sid, sound, datetime.now(UTC))
        (self._folder / f"{recording.sid}.wav").write_bytes(sound.wav())
        resource = recording_resource(recording, self._fake.account_sid, self.recording_url(recording))
        self._recordings[recording.sid] = resource
        self._in_vain[recording.sid] = self.late
        self.note("recording", call=call.sid, recording=recording.sid, resource=resource)
        return recording

    def recording_url(self, recording: Recording) -> str:
        return f"{self._fake.url}{self._fake.api}/Recordings/{recording.sid}"

    def recorded(self, call: LiveCall, recording: Recording, url: str) -> None:
        if url:
            form = {
                "AccountSid": self._fake.account_sid,
                "CallSid": call.sid,
                "RecordingSid": recording.sid,
                "RecordingUrl": self.recording_url(recording),
                "RecordingStatus": "completed",
                "RecordingDuration": str(recording.seconds),
                "RecordingChannels": "1",
                "RecordingStartTime": format_datetime(recording.made),
                "RecordingSource": "RecordVerb",
                "ErrorCode": "0",
            }
            self._fake.background(self._fake.announce(url, form))

    def note(self, kind: str, **facts: object) -> None:
        self._fake.ledger.append(kind, **facts)

    def team(self, number: str) -> tuple[Team, float]:
        return self.teams.get(number, (Team.NO_ANSWER, 0.0))

    async def ended(self, call: LiveCall) -> None:
        row = self._fake.numbers.row(call.called) or {}
        resource = call_resource(call, self._fake.account_sid, row.get("sid"))
        self._over[call.sid] = resource
        self.note("call_ended", call=call.sid, caller=call.caller, status=call.status.value, resource=resource)
        if url := row.get("status_callback"):
            values = {
                "CallDuration": resource["duration"],
                "Duration": "1",
                "SequenceNumber": "0",
                "CallbackSource": "call-progress-events",
                "Timestamp": format_datetime(datetime.now(UTC)),
            }
            await self.tell(call, url, values)
        self.running.pop(call.sid, None)

    def _facts(self, call: LiveCall) -> dict[str, str]:
        """What Twilio says of a call with every request about it."""
        return {
            "AccountSid": self._fake.account_sid,
            "ApiVersion": VERSION,
            "CallSid": call.sid,
            "CallStatus": call.status.value,
            "Called": call.called,
            "Caller": call.caller,
            "Direction": "inbound",
            "From": call.caller,
            "To": call.called,
        }

    async def _close(self, _app: web.Application) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # ------------------------------------------------------------------ routes

    async def _list(self, request: web.Request) -> web.Response:
        rows = [*self._over.values(), *map(self._resource, self.running.values())]
        wanted = {
            "from": request.query.get("From"),
            "to": request.query.get("To"),
            "status": request.query.get("Status"),
        }
        found = [row for row in rows if all(value is None or row[name] == value for name, value in wanted.items())]
        return page(request, "calls", found[::-1])

    async def _fetch(self, request: web.Request) -> web.Response:
        return web.json_response(self._by_sid(request))

    async def _update(self, request: web.Request) -> web.Response:
        self._by_sid(request)
        form = {name: str(value) for name, value in (await request.post()).items()}
        call = self.running.get(request.match_info["sid"])
        if call is None or not call.live:
            raise Refusal(400, 21220, "Call is not in-progress. Cannot redirect.")
        document, url = form.get("Twiml"), form.get("Url")
        if document is not None and url is not None:
            raise Refusal(400, 20001, "Only one of Url and Twiml can be given")
        if document is not None:
            if len(document) > TWIML_MAX:
                raise Refusal(400, 20001, f"Twiml is longer than {TWIML_MAX} characters")
            for problem in read(document)[1]:
                if problem.code == NOT_READABLE:
                    raise Refusal(400, NOT_READABLE, problem.text)
            self.note("call_updated", call=call.sid, twiml=document)
            call.go_to(document.encode())
        elif url is not None:
            self.note("call_updated", call=call.sid, url=url)
            call.go_to(None, url, form.get("Method", "POST"))
        elif form.get("Status") == "completed":
            self.note("call_updated", call=call.sid, status="completed")
            call.hang_up()
        else:
            raise Refusal(400, 21218, "Nothing of the call is to be changed")
        return web.json_response(self._resource(call))

    async def _list_recordings(self, request: web.Request) -> web.Response:
        call = request.match_info.get("sid") or request.query.get("CallSid")
        since = request.query.get("DateCreated>")
        after = datetime.fromisoformat(since.replace("Z", "+00:00")) if since else datetime.min.replace(tzinfo=UTC)
        rows = [
            row
            for row in self._recordings.values()
            if call in (None, row["call_sid"]) and parsedate_to_datetime(row["date_created"]) >= after
        ]
        return page(request, "recordings", rows[::-1])

    async def _fetch_recording(self, request: web.Request) -> web.Response:
        row = self._recordings.get(request.match_info["sid"])
        if row is None:
            raise web.HTTPNotFound
        return web.json_response(row)

    async def _sound(self, request: web.Request) -> web.Response:
        sid = request.match_info["sid"]
        if sid not in self._recordings:
            raise web.HTTPNotFound
        if self._in_vain.get(sid, 0) > 0:
            self._in_vain[sid] -= 1
            raise web.HTTPNotFound
        content = (self._folder / f"{sid}.wav").read_bytes()
        return web.Response(body=content, content_type=_SOUND[request.match_info["ending"]])

    def _by_sid(self, request: web.Request) -> dict[str, Any]:
        sid = request.match_info["sid"]
        if sid in self.running:
            return self._resource(self.running[sid])
        if sid not in self._over:
            raise web.HTTPNotFound
        found: dict[str, Any] = self._over[sid]
        return found

    def _resource(self, call: LiveCall) -> dict[str, Any]:
        row = self._fake.numbers.row(call.called) or {}
        return call_resource(call, self._fake.account_sid, row.get("sid"))
