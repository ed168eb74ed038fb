"""The methods of the fake Slack's Web API, with Slack's own errors and limits."""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import uuid4

from channels.social.slack.fake_workspace import (
    BOT_ID,
    BOT_NAME,
    BOT_USER,
    TEAM,
    TEAM_NAME,
    Json,
    Post,
    Room,
    Upload,
    Workspace,
)
from channels.social.slack.manifest import SCOPES


class SlackError(Exception):
    """`{"ok": false, "error": code}`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


Told = Callable[[str, Post], None]
"""`told("message", post)`: what has happened is to be told to the app."""


class WebApi:
    """`await call(method, arguments)`. Raises SlackError."""

    def __init__(self, workspace: Workspace, told: Told) -> None:
        self.workspace = workspace
        self.base = ""
        self._told = told
        self.scopes: Sequence[str] = SCOPES
        self.tickets: set[str] = set()
        self.statuses: list[tuple[str, str, str]] = []
        """Channel, thread and text of every status that was set."""
        self.uploads: dict[str, tuple[str, str, int]] = {}
        """By the last part of an upload's address: file id, name, promised length."""
        self.arrived: dict[str, bytes] = {}
        self.page = 100
        self._methods: dict[str, Callable[[Json], Awaitable[Json]]] = {
            "auth.test": self._auth_test,
            "chat.postMessage": self._post_message,
            "chat.update": self._update,
            "conversations.open": self._open,
            "conversations.info": self._info,
            "conversations.list": self._list,
            "users.conversations": self._list,
            "conversations.history": self._history,
            "conversations.replies": self._replies,
            "users.info": self._user,
            "files.info": self._file,
            "files.getUploadURLExternal": self._upload_url,
            "files.completeUploadExternal": self._complete,
            "reactions.add": self._react,
            "apps.connections.open": self._connect,
            "assistant.threads.setStatus": self._status,
        }

    async def call(self, method: str, arguments: Json) -> Json:
        handler = self._methods.get(method)
        if handler is None:
            raise SlackError("unknown_method")
        return {"ok": True, **await handler(arguments)}

    # ------------------------------------------------------------------ who and where

    async def _auth_test(self, _arguments: Json) -> Json:
        return {
            "url": "https://shop.slack.com/",
            "team": TEAM_NAME,
            "user": BOT_NAME,
            "team_id": TEAM,
            "user_id": BOT_USER,
            "bot_id": BOT_ID,
            "is_enterprise_install": False,
        }

    async def _connect(self, _arguments: Json) -> Json:
        ticket = uuid4().hex
        self.tickets.add(ticket)
        return {"url": f"{self.base.replace('http', 'ws', 1)}/link/?ticket={ticket}&app_id=A0SUPPORT1"}

    async def _open(self, arguments: Json) -> Json:
        users = str(arguments.get("users") or "")
        if users not in self.workspace.people or users == BOT_USER:
            raise SlackError("user_not_found")
        return {"channel": {"id": self.workspace.direct(users).id}, "no_op": True, "already_open": True}

    def _room(self, arguments: Json) -> Room:
        room = self.workspace.rooms.get(str(arguments.get("channel") or arguments.get("channel_id") or ""))
        if room is None:
            raise SlackError("channel_not_found")
        return room

    async def _info(self, arguments: Json) -> Json:
        return {"channel": self._room(arguments).as_json()}

    async def _list(self, arguments: Json) -> Json:
        kinds = str(arguments.get("types") or "public_channel").split(",")
        wanted = {"public_channel": "channel", "private_channel": "group", "im": "im"}
        found = [
            one.as_json()
            for one in self.workspace.rooms.values()
            if one.member
            and one.kind in {wanted.get(kind) for kind in kinds}
            and not (one.archived and _true(arguments.get("exclude_archived")))
        ]
        return self._paged("channels", found, arguments)

    async def _user(self, arguments: Json) -> Json:
        person = self.workspace.people.get(str(arguments.get("user") or ""))
        if person is None:
            raise SlackError("user_not_found")
        return {"user": person.as_json(locale=_true(arguments.get("include_locale")))}

    # ------------------------------------------------------------------ messages

    async def _post_message(self, arguments: Json) -> Json:
        channel = str(arguments.get("channel") or "")
        room = self.workspace.direct(channel) if channel in self.workspace.people else self._room(arguments)
        text, blocks = str(arguments.get("text") or ""), _parsed(arguments.get("blocks")) or []
        if not text and not blocks:
            raise SlackError("no_text")
        return self._posted(room, text[:40_000], blocks, arguments)

    def _posted(self, room: Room, text: str, blocks: list[Json], arguments: Json, files: Sequence[str] = ()) -> Json:
        if room.archived:
            raise SlackError("is_archived")
        if not room.member:
            raise SlackError("not_in_channel")
        _judge(blocks)
        thread = str(arguments["thread_ts"]) if arguments.get("thread_ts") else None
        if thread and f"{room.id}:{thread}" not in self.workspace.posts:
            raise SlackError("thread_not_found")
        post = self.workspace.post(
            room.id,
            BOT_USER,
            text,
            thread_ts=thread,
            blocks=blocks,
            metadata=_parsed(arguments.get("metadata")),
            files=list(files),
        )
        self._told("message", post)
        return {"channel": room.id, "ts": post.ts, "message": self.workspace.post_json(post, self.base)}

    async def _update(self, arguments: Json) -> Json:
        post = self.workspace.posts.get(f"{self._room(arguments).id}:{arguments.get('ts')}")
        if post is None or post.deleted:
            raise SlackError("message_not_found")
        if not post.by_bot:
            raise SlackError("cant_update_message")
        text = str(arguments.get("text") or post.text)
        blocks = _parsed(arguments.get("blocks")) or []
        self.workspace.change(post, text=text, blocks=blocks, edited=self.workspace.stamp())
        return {"channel": post.channel, "ts": post.ts, "text": text, "message": {"text": text}}

    async def _history(self, arguments: Json) -> Json:
        room = self._room(arguments)
        if not room.member:
            raise SlackError("not_in_channel")
        oldest = float(arguments.get("oldest") or 0)
        posts = [
            one
            for one in self.workspace.posts.values()
            if one.channel == room.id and not one.deleted and one.thread_ts in (None, one.ts) and float(one.ts) > oldest
        ]
        posts.sort(key=lambda one: one.ts, reverse=True)
        shown = self._shown(posts, arguments)
        answer = self._paged("messages", shown, arguments)
        return {**answer, "pin_count": 0, "channel_actions_ts": None, "channel_actions_count": 0}

    async def _replies(self, arguments: Json) -> Json:
        room, ts = self._room(arguments), str(arguments.get("ts"))
        root = self.workspace.posts.get(f"{room.id}:{ts}")
        if root is None:
            raise SlackError("thread_not_found")
        oldest = float(arguments.get("oldest") or 0)
        answers = [one for one in self.workspace.thread(room.id, ts) if not one.deleted and float(one.ts) > oldest]
        return self._paged("messages", self._shown([root, *answers], arguments), arguments)

    def _shown(self, posts: Sequence[Post], arguments: Json) -> list[Json]:
        metadata = _true(arguments.get("include_all_metadata"))
        return [self.workspace.post_json(one, self.base, metadata=metadata) for one in posts]

    async def _react(self, arguments: Json) -> Json:
        post = self.workspace.posts.get(f"{arguments.get('channel')}:{arguments.get('timestamp')}")
        if post is None:
            raise SlackError("message_not_found")
        if arguments["name"] in post.reactions:
            raise SlackError("already_reacted")
        self.workspace.change(post, reactions=[*post.reactions, arguments["name"]])
        return {}

    async def _status(self, arguments: Json) -> Json:
        room = self._room(arguments)
        if f"{room.id}:{arguments.get('thread_ts')}" not in self.workspace.posts:
            raise SlackError("invalid_thread_ts")
        self.statuses.append((room.id, str(arguments["thread_ts"]), str(arguments.get("status"))))
        return {}

    # ------------------------------------------------------------------ files

    async def _file(self, arguments: Json) -> Json:
        file = self.workspace.files.get(str(arguments.get("file") or ""))
        if file is None:
            raise SlackError("file_not_found")
        file.looks += 1
        shown = self._shares(file) if file.looks > 1 else {}
        return {"file": {**self.workspace.file_json(file, self.base), "shares": shown}, "comments": []}

    def _shares(self, file: Upload) -> Json:
        shares: dict[str, dict[str, list[Json]]] = {}
        for channel, ts in file.shares.items():
            room = self.workspace.rooms[channel]
            kind = "public" if room.kind == "channel" else "private"
            shares.setdefault(kind, {})[channel] = [{"ts": ts, "team_id": TEAM}]
        return shares

    async def _upload_url(self, arguments: Json) -> Json:
        length, name = int(arguments.get("length") or 0), str(arguments.get("filename") or "")
        if length <= 0 or not name:
            raise SlackError("invalid_arguments")
        ticket, file = uuid4().hex, f"F{uuid4().hex[:10].upper()}"
        self.uploads[ticket] = file, name, length
        return {"upload_url": f"{self.base}/upload/v1/{ticket}", "file_id": file}

    def take(self, ticket: str, content: bytes) -> bool:
        """The bytes of a file arrive."""
        promised = self.uploads.get(ticket)
        if promised is None or promised[2] != len(content):
            return False
        self.arrived[promised[0]] = content
        return True

    async def _complete(self, arguments: Json) -> Json:
        files = _parsed(arguments.get("files")) or []
        names = {file: name for file, name, _length in self.uploads.values()}
        blocks = [] if arguments.get("initial_comment") else _parsed(arguments.get("blocks")) or []
        if any(one.get("type") == "markdown" for one in blocks):
            raise SlackError("internal_error")
        if not files or any(one.get("id") not in self.arrived for one in files):
            raise SlackError("file_not_found")
        room = self._room(arguments)
        if not room.member:
            raise SlackError("not_in_channel")
        _judge(blocks)
        told: list[Json] = []
        ids: list[str] = []
        for one in files:
            name, content = names[one["id"]], self.arrived[one["id"]]
            kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
            file = self.workspace.file(BOT_USER, name, kind, content)
            # Slack keeps the id that it gave out before the bytes came.
            self.workspace.files.pop(file.id)
            self.workspace.record("file", **{**_plain(file), "id": one["id"], "title": one.get("title", name)})
            ids.append(one["id"])
            told.append({"id": one["id"], "title": one.get("title", name)})
        text = str(arguments.get("initial_comment") or "") or _fallback(blocks)
        self._posted(room, text, blocks, arguments, ids)
        return {"files": told}

    def _paged(self, field: str, items: list[Json], arguments: Json) -> Json:
        start = int(str(arguments.get("cursor") or "0:").partition(":")[2] or 0)
        limit = min(int(arguments.get("limit") or self.page), self.page)
        rest = start + limit < len(items)
        answer: Json = {field: items[start : start + limit], "has_more": rest}
        answer["response_metadata"] = {"next_cursor": f"next:{start + limit}" if rest else ""}
        return answer


def _plain(file: Upload) -> Json:
    return {name: getattr(file, name) for name in ("name", "mimetype", "size", "data", "user", "subtype")}


def _fallback(blocks: Sequence[Json]) -> str:
    """Slack itself makes the text of a message that came as blocks alone."""
    return "".join(one["text"]["text"] for one in blocks if one.get("type") == "section")


def _judge(blocks: Sequence[Json]) -> None:
    """Slack's limits: https://docs.slack.dev/reference/block-kit/blocks"""
    total = 0
    names = [one["block_id"] for one in blocks if "block_id" in one]
    if len(blocks) > 50 or len(names) != len(set(names)) or any(len(one) > 255 for one in names):
        raise SlackError("invalid_blocks")
    for block in blocks:
        match block.get("type"):
            case "section":
                texts = [block["text"]["text"]]
            case "context":
                texts = [one.get("text", "") for one in block["elements"]]
                if not 0 < len(texts) <= 10:
                    raise SlackError("invalid_blocks")
            case "actions":
                texts = [one["text"]["text"] for one in block["elements"]]
                if any(len(one) > 75 for one in texts):
                    raise SlackError("invalid_blocks")
            case _:
                raise SlackError("invalid_blocks")
        if any(not 0 < len(one) <= 3_000 for one in texts):
            raise SlackError("invalid_blocks")
        total += sum(map(len, texts))
    if total > 11_000:
        raise SlackError("msg_blocks_too_long")


def _parsed(value: Any) -> Any:
    """Structured arguments come as JSON, or as JSON in a form field."""
    return json.loads(value) if isinstance(value, str) and value else value


def _true(value: Any) -> bool:
    return value is True or str(value).lower() in ("1", "true")
