"""What the fake Telegram knows: people, chats, messages and files, in an append-only ledger that outlives a restart."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Json = dict[str, Any]

BOT_ID, BOT_NAME, BOT_TITLE = 7000000001, "shop_support_bot", "Shop support"
BOT: Json = {"id": BOT_ID, "is_bot": True, "first_name": BOT_TITLE, "username": BOT_NAME}

_DETECTED = (
    ("bot_command", re.compile(r"(?<![\w/])/\w{1,32}(?:@\w{1,32})?")),
    ("mention", re.compile(r"(?<![\w@])@\w{3,32}")),
    ("url", re.compile(r"https?://[^\s<>]+")),
)


@dataclass(frozen=True, slots=True)
class StoredFile:
    id: str
    name: str
    content_type: str
    size: int

    @property
    def path(self) -> str:
        """As the Bot API names the place of a file."""
        folder = (
            "voice"
            if self.content_type == "audio/ogg"
            else "photos"
            if self.content_type == "image/jpeg"
            else "documents"
        )
        return f"{folder}/{self.id}{Path(self.name).suffix}"


class World:
    """Messages are kept as the Bot API shows them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.users: dict[str, Json] = {}
        self.chats: dict[int, Json] = {BOT_ID: {"id": BOT_ID, "type": "private"}}
        self.messages: dict[tuple[int, int], Json] = {}
        self.files: dict[str, StoredFile] = {}
        self.blocked: set[int] = set()
        self.deactivated: set[int] = set()
        self.moved: dict[int, int] = {}
        self.reactions: dict[tuple[int, int, int], list[Json]] = {}
        self.updates: list[Json] = []
        """Not yet confirmed, oldest first."""
        self.last_update = 100_000_000
        self.state: Json = {"webhook": "", "secret": "", "allowed": None}
        (folder / "files").mkdir(parents=True, exist_ok=True)
        self._path = folder / "ledger.jsonl"
        self._path.touch()
        for row in self._rows():
            self._apply(row)
        self._ledger = self._path.open("a", encoding="utf-8")

    def close(self) -> None:
        self._ledger.close()

    # ------------------------------------------------------------------ the ledger

    def _rows(self) -> Iterator[Json]:
        content = self._path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole != len(content):
            os.truncate(self._path, whole)  # the half row of a killed process
        for line in content[:whole].decode("utf-8").splitlines():
            yield json.loads(line)

    def write(self, kind: str, **data: Any) -> None:
        """A row is on the disk before anybody is told of it."""
        row = {"kind": kind, "at": time.time(), **data}
        self._ledger.write(json.dumps(row, ensure_ascii=False) + "\n")
        self._ledger.flush()
        os.fsync(self._ledger.fileno())
        self._apply(row)

    def _apply(self, row: Json) -> None:
        match row["kind"]:
            case "user":
                self.users[row["handle"]] = row["user"]
            case "chat":
                self.chats[row["chat"]["id"]] = row["chat"]
            case "message" | "edit":
                message = row["message"]
                self.messages[message["chat"]["id"], message["message_id"]] = message
            case "file":
                self.files[row["id"]] = StoredFile(row["id"], row["name"], row["content_type"], row["size"])
            case "blocked":
                (self.blocked.add if row["blocked"] else self.blocked.discard)(row["user"])
            case "deactivated":
                self.deactivated.add(row["user"])
            case "moved":
                self.moved[row["old"]] = row["new"]
            case "reaction":
                self.reactions[row["chat"], row["message"], row["user"]] = row["reactions"]
            case "update":
                self.updates.append(row["update"])
                self.last_update = max(self.last_update, row["update"]["update_id"])
            case "confirmed":
                gone = set(row["updates"])
                self.updates = [one for one in self.updates if one["update_id"] not in gone]
            case "state":
                self.state = {**self.state, **row["state"]}

    # ------------------------------------------------------------------ people and chats

    def user(self, handle: str, name: str = "", language: str = "en") -> Json:
        """A person, made on first mention. `handle` is what stands behind the @."""
        handle = handle.strip().lstrip("@").lower()
        if handle not in self.users:
            number = int.from_bytes(hashlib.sha256(handle.encode()).digest()[:4], "big") + 1_000_000_000
            first, _space, last = (name or handle.title()).partition(" ")
            user = {"id": number, "is_bot": False, "first_name": first, "username": handle, "language_code": language}
            if last:
                user["last_name"] = last
            self.write("user", handle=handle, user=user)
            self.write("chat", chat={"id": number, "type": "private", "first_name": first, "username": handle})
        return self.users[handle]

    def group(self, title: str, *, kind: str = "supergroup", forum: bool = False) -> Json:
        """A group that the bot is a member of, made on first mention."""
        found = next((one for one in self.chats.values() if one.get("title") == title), None)
        if found is None:
            number = int.from_bytes(hashlib.sha256(title.encode()).digest()[:4], "big")
            number = -(1_000_000_000_000 + number) if kind == "supergroup" else -number
            found = {"id": number, "type": kind, "title": title, **({"is_forum": True} if forum else {})}
            self.write("chat", chat=found)
        return found

    def next_message(self) -> int:
        return max((number for _chat, number in self.messages), default=0) + 1

    def say(self, chat: int, sender: Json, **content: Any) -> Json:
        """A message of anybody's, kept."""
        message = {
            "message_id": self.next_message(),
            "from": sender,
            "date": int(time.time()),
            "chat": self.chats[chat],
            **{name: value for name, value in content.items() if value is not None},
        }
        self.write("message", message=message)
        return message

    # ------------------------------------------------------------------ files

    def file(self, name: str, content_type: str, content: bytes) -> StoredFile:
        number = hashlib.sha256(name.encode() + content + str(len(self.files)).encode()).hexdigest()[:24]
        path = self.folder / "files" / f"AgAD{number}"
        path.write_bytes(content)
        self.write("file", id=path.name, name=name, content_type=content_type, size=len(content))
        return self.files[path.name]

    def content(self, file: StoredFile) -> bytes:
        return (self.folder / "files" / file.id).read_bytes()

    def media(self, kind: str, file: StoredFile) -> Json:
        """A file as a part of a message."""
        named = {"file_id": file.id, "file_unique_id": file.id[-12:], "file_size": file.size}
        match kind:
            case "photo":
                small = {**named, "file_unique_id": f"s{file.id[-11:]}", "width": 90, "height": 60, "file_size": 1}
                return {"photo": [small, {**named, "width": 1280, "height": 853}]}
            case "voice":
                return {"voice": {**named, "duration": 3, "mime_type": "audio/ogg"}}
            case "audio":
                return {"audio": {**named, "duration": 3, "file_name": file.name, "mime_type": file.content_type}}
            case "video":
                shape = {"width": 640, "height": 480, "duration": 3}
                return {"video": {**named, **shape, "file_name": file.name, "mime_type": file.content_type}}
            case _:
                return {"document": {**named, "file_name": file.name, "mime_type": file.content_type}}

    def file_of(self, message: Json) -> StoredFile | None:
        for kind in ("voice", "audio", "video", "document"):
            if kind in message:
                return self.files.get(message[kind]["file_id"])
        return self.files.get(message["photo"][-1]["file_id"]) if "photo" in message else None


def units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def detected(text: str) -> Sequence[Json] | None:
    """The entities that Telegram finds in what people write."""
    found = [
        {"type": kind, "offset": units(text[: one.start()]), "length": units(one[0])}
        for kind, pattern in _DETECTED
        for one in pattern.finditer(text)
    ]
    return sorted(found, key=lambda one: one["offset"]) or None
