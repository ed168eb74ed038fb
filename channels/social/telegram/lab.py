"""The fake Telegram as the demo's lab runs it: people write to the bot, alone or in a group, and press its buttons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from pydantic import JsonValue

from channels import lab
from channels.lab import Act, Line, Misbehaviour, Refused, Verb
from channels.social.telegram.entities import markup
from channels.social.telegram.fake import BOT_TOKEN, FakeTelegram
from channels.social.telegram.fake_world import BOT_ID, BOT_NAME, Json
from channels.social.telegram.shapes import Entity

_BLOCK, _RESTART = "block", "restart"


class TelegramLab(lab.Lab):
    """`who` is a user name. With a subject such as `#Garden club` one writes into that group, else to the bot alone.

    Pressing `block` or `restart` without a target is the button of the app itself, beneath the chat.
    """

    verbs: ClassVar[frozenset[Verb]] = frozenset({Verb.WRITE, Verb.EDIT, Verb.REACT, Verb.PRESS})

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.fake = FakeTelegram(folder)

    async def start(self) -> None:
        await self.fake.start()

    async def stop(self) -> None:
        await self.fake.stop()

    @property
    def address(self) -> str:
        return f"@{BOT_NAME}"

    def connection(self) -> Mapping[str, JsonValue]:
        return {"bot_token": BOT_TOKEN, "mode": "polling", "api_url": self.fake.url}

    def misbehave(self, how: Misbehaviour) -> None:
        self.fake.misbehave(how)

    # ------------------------------------------------------------------ what people do

    async def act(self, act: Act) -> str:
        if not act.who.strip():
            raise Refused("Somebody has to do it: give a user name.")
        user = self.fake.world.user(act.who, act.name)
        match act.verb:
            case Verb.WRITE:
                return _id(await self._write(act, user))
            case Verb.EDIT:
                message = self._target(act)
                if message["from"]["id"] != user["id"]:
                    raise Refused("Only one's own messages can be edited.")
                if not act.text.strip():
                    raise Refused("An edited message needs a text.")
                await self.fake.edit(message, act.text)
            case Verb.REACT:
                message = self._target(act)
                await self.fake.react(user, message, act.text.split()[:1])
            case Verb.PRESS:
                return await self._press(act, user)
            case _:
                raise Refused("Nobody can do that on Telegram.")
        return _id(message)

    async def _write(self, act: Act, user: Json) -> Json:
        if not act.text.strip() and not act.files:
            raise Refused("A message needs a text or a file.")
        answers = self._target(act) if act.target is not None else None
        where: dict[str, Any] = {"answers": answers}
        if answers is not None:
            where["chat"] = answers["chat"]
        elif act.subject.startswith("#"):
            where["chat"] = self.fake.world.group(act.subject[1:].strip() or "Group")
        if not act.files:
            return await self.fake.write(user, act.text, **where)
        if len(act.files) > 10:
            raise Refused("An album has at most 10 files.")
        if len(act.files) > 1:
            files = [(one.filename, one.content_type, one.content) for one in act.files]
            return (await self.fake.album(user, files, act.text))[0]
        one = act.files[0]
        return await self.fake.send_file(user, one.filename, one.content_type, one.content, caption=act.text, **where)

    async def _press(self, act: Act, user: Json) -> str:
        wanted = act.text.strip().lower()
        if act.target is None:
            if wanted not in (_BLOCK, _RESTART):
                raise Refused("Without a message, only block or restart can be pressed.")
            await self.fake.block(user, blocked=wanted == _BLOCK)
            return str(user["id"])
        message = self._target(act)
        for button in _buttons(message):
            if "callback_data" in button and wanted in ("", button["text"].lower(), button["callback_data"].lower()):
                await self.fake.press(user, message, button["callback_data"])
                return _id(message)
        raise Refused("This message has no such button.")

    def _target(self, act: Act) -> Json:
        chat, _colon, number = (act.target or "").rpartition(":")
        try:
            return self.fake.world.messages[int(chat), int(number)]
        except (KeyError, ValueError):
            raise Refused("There is no such message.") from None

    # ------------------------------------------------------------------ what people see

    def lines(self, who: str) -> Sequence[Line]:
        user = self.fake.world.user(who)
        groups = {one["chat"]["id"] for one in self.fake.world.messages.values() if one["from"]["id"] == user["id"]}
        seen = groups | {user["id"]}
        return [self._line(one, user) for one in self.fake.world.messages.values() if one["chat"]["id"] in seen]

    def _line(self, message: Json, user: Json) -> Line:
        text = str(message.get("text") or message.get("caption") or "")
        marks = message.get("entities") or message.get("caption_entities") or ()
        file = self.fake.world.file_of(message)
        answered = message.get("reply_to_message")
        key = (message["chat"]["id"], message["message_id"], user["id"])
        reactions = " ".join(str(one.get("emoji") or one["type"]) for one in self.fake.world.reactions.get(key, ()))
        return Line(
            id=_id(message),
            mine=message["from"]["id"] == user["id"],
            text=text,
            html=markup(text, [Entity.model_validate(one) for one in marks]),
            at=datetime.fromtimestamp(message["date"], UTC),
            spoken="voice" in message,
            thread=_id(answered) if answered else None,
            state="edited" if "edit_date" in message else None,
            files=(file.name,) if file is not None else (),
            actions=tuple(str(one["text"]) for one in _buttons(message)),
            headers=(
                ("chat", str(message["chat"].get("title") or "private")),
                ("from", BOT_NAME if message["from"]["id"] == BOT_ID else str(message["from"].get("username", ""))),
                ("message_id", str(message["message_id"])),
                *((("reactions", reactions),) if reactions else ()),
                *(("link", str(one["url"])) for one in _buttons(message) if "url" in one),
            ),
        )


def _id(message: Json) -> str:
    return f"{message['chat']['id']}:{message['message_id']}"


def _buttons(message: Json) -> list[Json]:
    return [one for row in message.get("reply_markup", {}).get("inline_keyboard", ()) for one in row]
