"""A pigeon post on loopback, with a ledger of the notes it was given."""

from __future__ import annotations

from aiohttp import web

from channels.testing.harness import Fault

TOKEN = "corn-and-water"


class FakeProvider:
    """Runs in the same event loop; can be told to misbehave."""

    def __init__(self) -> None:
        self.notes: dict[str, str] = {}
        """Texts by key, in the order they came."""
        self.fault: Fault | None = None
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        application = web.Application()
        application.add_routes([web.get("/me", self._me), web.post("/notes", self._note)])
        self._runner = web.AppRunner(application)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def _known(self, request: web.Request) -> bool:
        return self.fault is not Fault.BAD_CREDENTIALS and request.headers.get("authorization") == f"Bearer {TOKEN}"

    async def _me(self, request: web.Request) -> web.Response:
        if not self._known(request):
            return web.json_response({}, status=401)
        return web.json_response({"loft": "the house"})

    async def _note(self, request: web.Request) -> web.Response:
        if not self._known(request):
            return web.json_response({}, status=401)
        match self.fault:
            case Fault.RATE_LIMITED:
                return web.json_response({}, status=429, headers={"Retry-After": "3"})
            case Fault.SERVER_ERROR:
                return web.json_response({}, status=503)
            case Fault.REFUSED:
                return web.json_response({}, status=400)
            case Fault.UNKNOWN_RECIPIENT:
                return web.json_response({}, status=404)
        note = await request.json()
        self.notes.setdefault(note["key"], note["text"])
        if self.fault is Fault.CUT_AFTER_ACCEPT and request.transport is not None:
            request.transport.close()
        return web.json_response({"ring": f"ring-{note['key']}"})
