"""A fake Telegram on loopback: the Bot API with files, long polling and webhooks, and the people who write to the bot.

It speaks the Bot API as Telegram does, so that the official client talks to it as it would to Telegram. What it accepts
stands in an append-only ledger under its folder and is there again after a restart.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from aiohttp import web

from channels.lab import Misbehaviour
from channels.social.telegram.fake_methods import Methods, Upload, bare
from channels.social.telegram.fake_updates import ApiError, Updates
from channels.social.telegram.fake_world import BOT, BOT_ID, Json, World, detected

BOT_TOKEN = f"{BOT_ID}:AAlab0123456789abcdefghijklmnopqrst"
_SLOW = 2.0


class FakeTelegram:
    """One bot and everybody around it. `scale` shortens the pauses before a failing webhook is called again."""

    def __init__(self, folder: Path, *, scale: float = 1.0) -> None:
        self.world = World(folder)
        self.updates = Updates(self.world, scale)
        self.methods = Methods(self.world, self.updates)
        self.updates.called = self._called
        self.misbehaviour = Misbehaviour.NONE
        self.refuse: ApiError | None = None
        """With which every send is refused."""
        self.calls: list[tuple[str, Json]] = []
        """Every call: method and parameters."""
        self._runner: web.AppRunner | None = None
        self.url = ""

    # ------------------------------------------------------------------ running

    async def start(self) -> None:
        app = web.Application(client_max_size=600 * 1024 * 1024)
        app.router.add_route("*", "/bot{token}/{method}", self._call)
        app.router.add_get("/file/bot{token}/{path:.+}", self._download)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self.updates.start()

    async def stop(self) -> None:
        await self.updates.stop()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        self.world.close()

    def misbehave(self, how: Misbehaviour) -> None:
        self.misbehaviour = self.updates.how = how

    def delivered(self) -> list[Json]:
        """What the bot has sent, oldest first."""
        return [one for one in self.world.messages.values() if one["from"]["id"] == BOT_ID]

    # ------------------------------------------------------------------ what people do

    async def write(
        self,
        user: Json,
        text: str,
        *,
        chat: Json | None = None,
        answers: Json | None = None,
        topic: int | None = None,
        **content: Any,
    ) -> Json:
        """A person writes to the bot, or into a chat. `content` has any further field of a message."""
        where = chat or self.world.chats[user["id"]]
        if where["id"] == user["id"] and user["id"] in self.world.blocked:
            await self.block(user, blocked=False)
        marks = {"entities": detected(text), **content}
        if topic is not None:
            marks |= {"message_thread_id": topic, "is_topic_message": True}
        elif answers is not None and where["type"] == "supergroup":
            marks["message_thread_id"] = answers.get("message_thread_id", answers["message_id"])
        if answers is not None:
            marks["reply_to_message"] = bare(answers)
        message = self.world.say(where["id"], user, text=text or None, **marks)
        await self.updates.emit(message=message)
        return message

    async def send_file(
        self, user: Json, name: str, content_type: str, content: bytes, *, caption: str = "", **content_of: Any
    ) -> Json:
        """A person sends a file: a recording as a voice message, a picture as a photo, anything else as it is."""
        kind = {"image/jpeg": "photo", "image/png": "photo", "audio/ogg": "voice", "video/mp4": "video"}.get(
            content_type
        )
        kind = kind or ("audio" if content_type.startswith("audio/") else "document")
        media = self.world.media(kind, self.world.file(name, content_type, content))
        words: Json = {"caption": caption or None, "caption_entities": detected(caption)}
        return await self.write(user, "", entities=None, **media, **words, **content_of)

    async def album(self, user: Json, files: Sequence[tuple[str, str, bytes]], caption: str = "") -> list[Json]:
        group = str(int(time.time() * 1000))
        return [
            await self.send_file(user, *one, caption="" if index else caption, media_group_id=group)
            for index, one in enumerate(files)
        ]

    async def edit(self, message: Json, text: str) -> None:
        changed = {name: value for name, value in message.items() if name not in ("entities", "caption_entities")}
        words = ("caption", "caption_entities") if "caption" in message else ("text", "entities")
        changed |= {words[0]: text, "edit_date": int(time.time())}
        if marks := detected(text):
            changed[words[1]] = list(marks)
        self.world.write("edit", message=changed)
        await self.updates.emit(edited_message=changed)

    async def react(self, user: Json, message: Json, emoji: Sequence[str]) -> None:
        """From now on these are the person's reactions to the message."""
        key = (message["chat"]["id"], message["message_id"], user["id"])
        old = self.world.reactions.get(key, [])
        new = [{"type": "emoji", "emoji": one} for one in emoji]
        self.world.write("reaction", chat=key[0], message=key[1], user=key[2], reactions=new)
        told = {"chat": message["chat"], "message_id": message["message_id"], "user": user, "date": int(time.time())}
        await self.updates.emit(message_reaction={**told, "old_reaction": old, "new_reaction": new})

    async def press(self, user: Json, message: Json, data: str) -> str:
        """A person presses a button. The id of the query, which wants an answer."""
        query = uuid4().hex[:18]
        self.methods.queries.add(query)
        told = {"id": query, "from": user, "message": message, "chat_instance": "1", "data": data}
        await self.updates.emit(callback_query=told)
        return query

    async def block(self, user: Json, *, blocked: bool = True) -> None:
        self.world.write("blocked", user=user["id"], blocked=blocked)
        was, now = ("member", "kicked") if blocked else ("kicked", "member")
        until = {"kicked": {"until_date": 0}, "member": {}}
        told = {
            "chat": self.world.chats[user["id"]],
            "from": user,
            "date": int(time.time()),
            "old_chat_member": {"status": was, "user": BOT, **until[was]},
            "new_chat_member": {"status": now, "user": BOT, **until[now]},
        }
        await self.updates.emit(my_chat_member=told)

    async def upgrade(self, user: Json, group: Json) -> Json:
        """A small group becomes a supergroup, under another number."""
        new = self.world.group(f"{group['title']} ")
        self.world.write("moved", old=group["id"], new=new["id"])
        await self.write(user, "", chat=group, migrate_to_chat_id=new["id"])
        await self.write(user, "", chat=new, migrate_from_chat_id=group["id"])
        return new

    # ------------------------------------------------------------------ HTTP

    async def _call(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        if request.match_info["token"] != BOT_TOKEN:
            return _failed(ApiError(401, "Unauthorized"))
        parameters, uploads = await _parameters(request)
        self.calls.append((method, parameters))
        sends = method.lower().startswith(("send", "edit")) and method.lower() != "sendchataction"
        try:
            if sends:
                await self._refusal()
            result = await self.methods.call(method, parameters, uploads)
        except ApiError as error:
            return _failed(error)
        except (ValueError, KeyError, TypeError, AttributeError):
            return _failed(ApiError(400, "Bad Request: parameters can't be parsed"))
        if sends and self.misbehaviour is Misbehaviour.REPLY_LOST and request.transport is not None:
            request.transport.abort()
        return web.json_response({"ok": True, "result": result})

    async def _called(self, call: Json) -> Any:
        """A method that stands in a webhook's answer."""
        given = {name: value for name, value in call.items() if name != "method"}
        self.calls.append((call["method"], given))
        try:
            return await self.methods.call(call["method"], given, {})
        except ApiError:
            return None

    async def _refusal(self) -> None:
        if self.refuse is not None:
            raise self.refuse
        match self.misbehaviour:
            case Misbehaviour.RATE_LIMITED:
                raise ApiError(429, "Too Many Requests: retry after 30", retry_after=30)
            case Misbehaviour.SERVER_ERROR:
                raise ApiError(503, "Service Unavailable")
            case Misbehaviour.SLOW:
                await asyncio.sleep(_SLOW)

    async def _download(self, request: web.Request) -> web.StreamResponse:
        if request.match_info["token"] != BOT_TOKEN:
            return _failed(ApiError(401, "Unauthorized"))
        found = next((one for one in self.world.files.values() if one.path == request.match_info["path"]), None)
        if found is None:
            return _failed(ApiError(404, "Not Found"))
        return web.Response(body=self.world.content(found), content_type="application/octet-stream")


def _failed(error: ApiError) -> web.Response:
    told: Json = {"ok": False, "error_code": error.code, "description": error.text}
    if error.parameters:
        told["parameters"] = error.parameters
    return web.json_response(told, status=error.code)


async def _parameters(request: web.Request) -> tuple[Json, dict[str, Upload]]:
    given: Json = dict(request.query)
    uploads: dict[str, Upload] = {}
    if request.content_type == "application/json":
        body = json.loads(await request.read() or b"{}")
        return {**given, **(body if isinstance(body, dict) else {})}, uploads
    for name, value in (await request.post()).items():
        if isinstance(value, web.FileField):
            uploads[name] = Upload(value.filename, value.content_type, value.file.read())
        else:
            given[name] = value
    return given, uploads
