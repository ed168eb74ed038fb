"""A fake Slack on loopback: Web API, Events API with signatures and retries, socket mode, and the files' host.

It speaks Slack's wire protocol, so that the official SDK talks to it as it would to Slack. What it accepts stands
in an append-only ledger under its folder and is there again after a restart.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aiohttp import web

from channels.lab import Misbehaviour
from channels.social.slack.fake_events import Events, wrapped
from channels.social.slack.fake_web import SlackError, WebApi
from channels.social.slack.fake_workspace import BOT_USER, TEAM, Json, Person, Post, Workspace

BOT_TOKEN, APP_TOKEN = "xoxb-lab-0123456789-bottoken", "xapp-1-LAB-0123456789-apptoken"
SIGNING_SECRET = "lab0123456789abcdef0123456789abc"  # noqa: S105
_SENDS = frozenset({"chat.postMessage", "files.completeUploadExternal"})
_SLOW = 2.0


class FakeSlack:
    """One workspace with the support app installed. `scale` shortens Slack's retry times."""

    def __init__(self, folder: Path, *, scale: float = 1.0) -> None:
        self.workspace = Workspace(folder)
        self.events = Events(SIGNING_SECRET, scale)
        self.api = WebApi(self.workspace, self._told)
        self.events.tickets = self.api.tickets
        self.misbehaviour = Misbehaviour.NONE
        self.refuse: str | None = None
        """An error code with which every send is refused."""
        self.calls: list[tuple[str, Json]] = []
        """Every call of the Web API: method and arguments."""
        self._runner: web.AppRunner | None = None
        self._address = ""

    # ------------------------------------------------------------------ running

    async def start(self) -> None:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/api/{method}", self._call)
        app.router.add_post("/upload/v1/{ticket}", self._upload)
        app.router.add_get("/files-pri/{file}/{tail:.+}", self._download)
        app.router.add_get("/signin", self._signin)
        app.router.add_get("/link/", self.events.link)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self._address = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self.api.base = self._address
        self.events.start()

    async def stop(self) -> None:
        await self.events.stop()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def api_url(self) -> str:
        return f"{self._address}/api/"

    def misbehave(self, how: Misbehaviour) -> None:
        self.misbehaviour = self.events.how = how

    def delivered(self) -> list[Post]:
        """What the app has posted, oldest first."""
        return [one for one in self.workspace.posts.values() if one.by_bot]

    # ------------------------------------------------------------------ what people do

    def write(
        self,
        person: Person,
        text: str,
        *,
        channel: str | None = None,
        thread: str | None = None,
        files: Sequence[tuple[str, str, bytes]] = (),
        spoken: bool = False,
    ) -> Post:
        """A person writes to the app, or into a channel. `text` is what they type; `<@…>` in it mentions."""
        room = channel or self.workspace.direct(person.id).id
        uploads = [
            self.workspace.file(person.id, name, kind, content, "slack_audio" if spoken else None)
            for name, kind, content in files
        ]
        marked = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        marked = marked.replace(f"&lt;@{BOT_USER}&gt;", f"<@{BOT_USER}>")
        post = self.workspace.post(room, person.id, marked, thread_ts=thread, files=[one.id for one in uploads])
        self._told("message", post)
        if f"<@{BOT_USER}>" in marked and self.workspace.rooms[room].kind != "im":
            self._told("app_mention", post)
        return post

    def edit(self, post: Post, text: str) -> None:
        before = self.workspace.post_json(post, self._address)
        marked = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        self.workspace.change(post, text=marked, edited=self.workspace.stamp())
        self._changed(post, "message_changed", message=self.workspace.post_json(post, self._address), previous=before)

    def delete(self, post: Post) -> None:
        before = self.workspace.post_json(post, self._address)
        self.workspace.change(post, deleted=True)
        self._changed(post, "message_deleted", previous=before, deleted_ts=post.ts)

    def react(self, person: Person, post: Post, name: str, *, added: bool = True) -> None:
        kept = [one for one in post.reactions if one != name]
        self.workspace.change(post, reactions=[*kept, name] if added else kept)
        item = {"type": "message", "channel": post.channel, "ts": post.ts}
        self._emit(
            {
                "type": "reaction_added" if added else "reaction_removed",
                "user": person.id,
                "reaction": name,
                "item_user": post.user,
                "item": item,
                "event_ts": self.workspace.stamp(),
            }
        )

    def press(self, person: Person, post: Post, action_id: str) -> None:
        """A person presses a button of a message."""
        elements = [one for block in post.blocks for one in block.get("elements", ()) if one.get("action_id")]
        button = next(one for one in elements if one["action_id"] == action_id)
        container = {"type": "message", "message_ts": post.ts, "channel_id": post.channel, "is_ephemeral": False}
        if post.thread_ts:
            container["thread_ts"] = post.thread_ts
        stamp = self.workspace.stamp()
        payload = {
            "type": "block_actions",
            "user": {"id": person.id, "username": person.handle, "name": person.handle, "team_id": person.team},
            "api_app_id": "A0SUPPORT1",
            "token": "lab-verification-token",
            "container": container,
            "trigger_id": f"{stamp}.trigger",
            "team": {"id": TEAM, "domain": "shop"},
            "channel": {"id": post.channel, "name": self.workspace.rooms[post.channel].name or "directmessage"},
            "message": self.workspace.post_json(post, self._address),
            "actions": [{**button, "type": "button", "block_id": "b", "action_ts": stamp}],
        }
        self.events.emit(payload, interactive=True)

    def uninstall(self) -> None:
        """The admin of the workspace removes the app: its tokens are worth nothing from now on."""
        self.refuse = "account_inactive"
        self._emit({"type": "app_uninstalled", "event_ts": self.workspace.stamp()})

    # ------------------------------------------------------------------ events

    def _told(self, kind: str, post: Post) -> None:
        event = {
            **self.workspace.post_json(post, self._address),
            "type": kind,
            "channel": post.channel,
            "event_ts": post.ts,
        }
        if kind == "message":
            event["channel_type"] = self.workspace.rooms[post.channel].kind
        else:
            event.pop("subtype", None)
        self._emit(event)

    def _changed(self, post: Post, subtype: str, *, previous: Json, **values: Any) -> None:
        stamp = self.workspace.stamp()
        self._emit(
            {
                "type": "message",
                "subtype": subtype,
                "hidden": True,
                "channel": post.channel,
                "channel_type": self.workspace.rooms[post.channel].kind,
                "previous_message": previous,
                "ts": stamp,
                "event_ts": stamp,
                **values,
            }
        )

    def _emit(self, event: Json) -> None:
        self.events.emit(wrapped(event))

    # ------------------------------------------------------------------ HTTP

    async def _call(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        arguments = await _arguments(request)
        self.calls.append((method, arguments))
        expected = APP_TOKEN if method == "apps.connections.open" else BOT_TOKEN
        if request.headers.get("Authorization") != f"Bearer {expected}":
            return web.json_response({"ok": False, "error": "invalid_auth"})
        if self.refuse == "account_inactive":
            return web.json_response({"ok": False, "error": self.refuse})
        sends = method in _SENDS
        if sends and (answer := await self._refusal()) is not None:
            return answer
        try:
            answer_json = await self.api.call(method, arguments)
        except SlackError as error:
            answer_json = {"ok": False, "error": error.code}
        except (ValueError, KeyError, TypeError):
            answer_json = {"ok": False, "error": "invalid_arguments"}
        if sends and self.misbehaviour is Misbehaviour.REPLY_LOST and request.transport is not None:
            request.transport.abort()
        return web.json_response(answer_json, headers={"X-OAuth-Scopes": ",".join(self.api.scopes)})

    async def _refusal(self) -> web.Response | None:
        if self.refuse is not None:
            return web.json_response({"ok": False, "error": self.refuse})
        match self.misbehaviour:
            case Misbehaviour.RATE_LIMITED:
                body = {"ok": False, "error": "ratelimited"}
                return web.json_response(body, status=429, headers={"Retry-After": "30"})
            case Misbehaviour.SERVER_ERROR:
                return web.Response(status=503, text="upstream connect error")
            case Misbehaviour.SLOW:
                await asyncio.sleep(_SLOW)
        return None

    async def _upload(self, request: web.Request) -> web.Response:
        content = await request.read()
        if not self.api.take(request.match_info["ticket"], content):
            return web.Response(status=400, text="bad upload")
        return web.Response(text=f"OK - {len(content)}")

    async def _download(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {BOT_TOKEN}":
            raise web.HTTPFound("/signin?redir=%2Ffiles-pri")
        file = self.workspace.files.get(request.match_info["file"].rpartition("-")[2])
        if file is None:
            raise web.HTTPNotFound
        return web.FileResponse(self.workspace.folder / file.data, headers={"Content-Type": file.mimetype})

    async def _signin(self, _request: web.Request) -> web.Response:
        page = "<!DOCTYPE html><html><head><title>Sign in | Slack</title></head><body></body></html>"
        return web.Response(text=page, content_type="text/html")


async def _arguments(request: web.Request) -> Json:
    arguments: Json = dict(request.query)
    if request.content_type == "application/json":
        try:
            body = json.loads(await request.read() or b"{}")
        except ValueError:
            body = {}
        return {**arguments, **(body if isinstance(body, dict) else {})}
    return {**arguments, **{name: value for name, value in (await request.post()).items() if isinstance(value, str)}}
