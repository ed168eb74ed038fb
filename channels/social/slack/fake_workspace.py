"""The state behind the fake Slack: people, channels, messages and files, kept as an append-only ledger on disk."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TEAM, TEAM_NAME = "T0SHOP001", "Shop"
BOT_USER, BOT_ID, BOT_NAME, APP = "U0BOTUSER1", "B0BOTUSER1", "support", "A0SUPPORT1"
OTHER_TEAM = "T0PARTNER1"
SUPPORT_CHANNEL = "C0SUPPORT1"

Json = dict[str, Any]


def ident(prefix: str, *parts: str) -> str:
    """An id in Slack's form, the same for the same parts."""
    return prefix + hashlib.sha256("\0".join(parts).encode()).hexdigest()[:9].upper()


@dataclass
class Person:
    """A user of the workspace, or of an organisation that shares a channel with it."""

    id: str
    handle: str
    name: str
    email: str | None = None
    locale: str = "en-US"
    team: str = TEAM

    def as_json(self, *, locale: bool) -> Json:
        blank = dict.fromkeys(("title", "phone", "skype", "status_text", "status_emoji"), "")
        profile = {
            **blank,
            "real_name": self.name,
            "real_name_normalized": self.name,
            "display_name": self.name,
            "display_name_normalized": self.name,
            "avatar_hash": "g0",
            "fields": None,
            "team": self.team,
            **({"email": self.email} if self.email else {}),
        }
        return {
            "id": self.id,
            "team_id": self.team,
            "name": self.handle,
            "real_name": self.name,
            "deleted": False,
            "is_bot": self.id == BOT_USER,
            "is_app_user": False,
            "tz": "Europe/Amsterdam",
            "updated": 1_700_000_000,
            "profile": profile,
            **({"locale": self.locale} if locale else {}),
        }


@dataclass
class Room:
    """A conversation: a channel, or the direct chat with one person."""

    id: str
    name: str = ""
    user: str | None = None
    member: bool = True
    archived: bool = False
    private: bool = False

    @property
    def kind(self) -> str:
        return "im" if self.user else "group" if self.private else "channel"

    def as_json(self) -> Json:
        base: Json = {
            "id": self.id,
            "created": 1_700_000_000,
            "is_archived": self.archived,
            "is_im": bool(self.user),
            "is_org_shared": False,
        }
        if self.user:
            return {**base, "user": self.user, "is_user_deleted": False, "priority": 0}
        told = {"value": "", "creator": "", "last_set": 0}
        flags = dict.fromkeys(("is_general", "is_mpim", "is_group", "is_shared"), False)
        return {
            **base,
            **flags,
            "name": self.name,
            "name_normalized": self.name,
            "creator": BOT_USER,
            "is_channel": True,
            "is_private": self.private,
            "is_member": self.member,
            "topic": told,
            "purpose": told,
        }


@dataclass
class Upload:
    """A file. `data` is the name of its bytes under the ledger's folder."""

    id: str
    name: str
    mimetype: str
    size: int
    data: str
    user: str
    subtype: str | None = None
    title: str = ""
    looks: int = 0
    """How often its facts were asked for: Slack tells where a file is shown only some time after it is."""
    shares: dict[str, str] = field(default_factory=dict)
    """Channel to `ts`."""


@dataclass
class Post:
    """A message as it stands now."""

    channel: str
    ts: str
    user: str
    text: str
    thread_ts: str | None = None
    blocks: list[Json] = field(default_factory=list)
    metadata: Json | None = None
    files: list[str] = field(default_factory=list)
    edited: str | None = None
    deleted: bool = False
    reactions: list[str] = field(default_factory=list)
    language: str | None = None

    @property
    def by_bot(self) -> bool:
        return self.user == BOT_USER

    @property
    def id(self) -> str:
        return f"{self.channel}:{self.ts}"

    @property
    def shown(self) -> str:
        """The text as Slack's own screens show it, in markup: the sections, or the bare text where there are none."""
        sections = [one["text"]["text"] for one in self.blocks if one.get("type") == "section"]
        return "".join(sections) if sections else self.text


class Workspace:
    """Everything that Slack knows. Each change is a line of the ledger before it is answered."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._ledger = folder / "ledger.jsonl"
        self._last = 0
        self.people: dict[str, Person] = {}
        self.rooms: dict[str, Room] = {}
        self.posts: dict[str, Post] = {}
        self.files: dict[str, Upload] = {}
        self.people[BOT_USER] = Person(BOT_USER, BOT_NAME, "Support")
        self.rooms[SUPPORT_CHANNEL] = Room(SUPPORT_CHANNEL, "support")
        if self._ledger.exists():
            for line in self._ledger.read_text("utf-8").splitlines():
                self._apply(json.loads(line))

    def record(self, kind: str, **values: Any) -> None:
        """Writes one change down, then makes it."""
        line = {"kind": kind, **values}
        with self._ledger.open("a", encoding="utf-8") as ledger:
            ledger.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._apply(line)

    def _apply(self, line: Json) -> None:
        values = {name: value for name, value in line.items() if name != "kind"}
        match line["kind"]:
            case "person":
                self.people[values["id"]] = Person(**values)
            case "room":
                self.rooms[values["id"]] = Room(**values)
            case "file":
                self.files[values["id"]] = Upload(**values)
            case "shared":
                self.files[values["file"]].shares[values["channel"]] = values["ts"]
            case "post":
                post = Post(**values)
                self.posts[post.id] = post
                self._last = max(self._last, int(post.ts.replace(".", "")))
            case "changed":
                post = self.posts[values.pop("post")]
                for name, value in values.items():
                    setattr(post, name, value)

    def stamp(self) -> str:
        """A `ts` that nothing else has, later than all before."""
        self._last = max(self._last + 1, time.time_ns() // 1_000)
        return f"{self._last // 1_000_000}.{self._last % 1_000_000:06d}"

    def person(self, handle: str, name: str = "", *, team: str = TEAM, locale: str = "en-US") -> Person:
        """The user with that handle, who joins if there is none."""
        key = ident("U", handle.lower(), team)
        if key not in self.people:
            email = handle if "@" in handle else f"{handle.lower()}@customer.test"
            shown = name or handle.partition("@")[0].title()
            self.record("person", id=key, handle=handle, name=shown, email=email, locale=locale, team=team)
        return self.people[key]

    def known(self, handle: str) -> Person | None:
        """The user with that handle, if there is one."""
        return self.people.get(ident("U", handle.lower(), TEAM))

    def direct(self, user: str) -> Room:
        """The direct chat between the app and a user."""
        key = ident("D", user)
        if key not in self.rooms:
            self.record("room", id=key, user=user)
        return self.rooms[key]

    def room(self, name: str, *, private: bool = False, member: bool = True) -> Room:
        """The channel with that name, made if there is none."""
        for one in self.rooms.values():
            if one.name == name:
                return one
        key = ident("C", name)
        self.record("room", id=key, name=name, private=private, member=member)
        return self.rooms[key]

    def post(self, channel: str, user: str, text: str, **values: Any) -> Post:
        ts = self.stamp()
        self.record("post", channel=channel, ts=ts, user=user, text=text, **values)
        for file in values.get("files", ()):
            self.record("shared", file=file, channel=channel, ts=ts)
        return self.posts[f"{channel}:{ts}"]

    def change(self, post: Post, **values: Any) -> None:
        self.record("changed", post=post.id, **values)

    def file(self, user: str, name: str, mimetype: str, content: bytes, subtype: str | None = None) -> Upload:
        key = ident("F", user, name, str(time.time_ns()))
        (self.folder / f"{key}.bin").write_bytes(content)
        self.record(
            "file",
            id=key,
            name=name,
            title=name,
            mimetype=mimetype,
            size=len(content),
            data=f"{key}.bin",
            user=user,
            subtype=subtype,
        )
        return self.files[key]

    def thread(self, channel: str, ts: str) -> list[Post]:
        """The answers below a message, oldest first."""
        return [one for one in self.posts.values() if one.channel == channel and one.thread_ts == ts and one.ts != ts]

    def file_json(self, file: Upload, base: str) -> Json:
        address = f"{base}/files-pri/{TEAM}-{file.id}/{file.name}"
        told = {
            "id": file.id,
            "name": file.name,
            "title": file.title,
            "mimetype": file.mimetype,
            "size": file.size,
            "user": file.user,
            "mode": "hosted",
            "url_private": address,
            "url_private_download": address.replace(f"{file.id}/", f"{file.id}/download/"),
        }
        return {**told, **({"subtype": file.subtype} if file.subtype else {})}

    def post_json(self, post: Post, base: str, *, metadata: bool = False) -> Json:
        """A message as history, events and answers show it."""
        author = self.people.get(post.user)
        told: Json = {
            "type": "message",
            "user": post.user,
            "text": post.text,
            "ts": post.ts,
            "team": author.team if author else TEAM,
        }
        if author and author.team != TEAM:
            told |= {"user_team": author.team, "source_team": author.team}
        if post.by_bot:
            told |= {"bot_id": BOT_ID, "app_id": APP}
        if post.blocks:
            told["blocks"] = post.blocks
        if post.files:
            told["files"] = [self.file_json(self.files[one], base) for one in post.files]
            told["subtype"] = "file_share"
        if post.edited:
            told["edited"] = {"user": post.user, "ts": post.edited}
        if metadata and post.metadata:
            told["metadata"] = post.metadata
        if post.reactions:
            told["reactions"] = [{"name": one, "count": 1, "users": [post.user]} for one in post.reactions]
        answers = [one for one in self.thread(post.channel, post.ts) if not one.deleted]
        if post.thread_ts:
            told["thread_ts"] = post.thread_ts
            root = self.posts.get(f"{post.channel}:{post.thread_ts}")
            if root is not None and root is not post:
                told["parent_user_id"] = root.user
        if answers:
            users = list(dict.fromkeys(one.user for one in answers))
            told |= {
                "thread_ts": post.ts,
                "reply_count": len(answers),
                "reply_users": users,
                "reply_users_count": len(users),
                "latest_reply": answers[-1].ts,
                "subscribed": True,
            }
        return told
