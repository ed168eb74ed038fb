"""The fake Slack as the demo's lab runs it: a person in the workspace writes, edits, reacts and presses buttons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from pydantic import JsonValue

from channels import lab
from channels.lab import Act, Line, Misbehaviour, Refused, Verb
from channels.social.slack import mrkdwn
from channels.social.slack.fake import APP_TOKEN, BOT_TOKEN, SIGNING_SECRET, FakeSlack
from channels.social.slack.fake_workspace import BOT_USER, SUPPORT_CHANNEL, Person, Post


class SlackLab(lab.Lab):
    """`who` is a handle. Without `target` one writes to the app directly, or with the subject `#support` into that channel."""

    verbs: ClassVar[frozenset[Verb]] = frozenset({Verb.WRITE, Verb.EDIT, Verb.DELETE, Verb.REACT, Verb.PRESS})

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.fake = FakeSlack(folder)

    async def start(self) -> None:
        await self.fake.start()

    async def stop(self) -> None:
        await self.fake.stop()

    @property
    def address(self) -> str:
        return "@support"

    def connection(self) -> Mapping[str, JsonValue]:
        return {
            "mode": "http",
            "bot_token": BOT_TOKEN,
            "signing_secret": SIGNING_SECRET,
            "app_token": APP_TOKEN,
            "channels": [SUPPORT_CHANNEL],
            "api_url": self.fake.api_url,
        }

    def hooks_at(self, url: str) -> None:
        self.fake.events.hooks_at(url)

    def misbehave(self, how: Misbehaviour) -> None:
        self.fake.misbehave(how)

    async def act(self, act: Act) -> str:
        if not act.who.strip():
            raise Refused("Somebody has to do it: give a handle.")
        person = self.fake.workspace.person(act.who, act.name)
        match act.verb:
            case Verb.WRITE:
                return self._write(act, person).id
            case Verb.EDIT:
                post = self._own(act, person)
                if not act.text.strip():
                    raise Refused("An edited message needs a text.")
                self.fake.edit(post, act.text)
            case Verb.DELETE:
                post = self._own(act, person)
                self.fake.delete(post)
            case Verb.REACT:
                post = self._target(act)
                self.fake.react(person, post, act.text.strip().strip(":") or "thumbsup")
            case Verb.PRESS:
                post = self._target(act)
                self._press(act, person, post)
            case _:
                raise Refused("Nobody can do that on Slack.")
        return post.id

    def _write(self, act: Act, person: Person) -> Post:
        if not act.text.strip() and not act.files:
            raise Refused("A message needs a text or a file.")
        channel, thread = None, None
        if act.target is not None:
            root = self._target(act)
            channel, thread = root.channel, root.thread_ts or root.ts
        elif act.subject.startswith("#"):
            channel = self.fake.workspace.room(act.subject[1:].strip().lower()).id
        files = [(one.filename, one.content_type, one.content) for one in act.files]
        spoken = len(files) == 1 and files[0][1].startswith("audio/")
        text = act.text.replace("@support", f"<@{BOT_USER}>")
        return self.fake.write(person, text, channel=channel, thread=thread, files=files, spoken=spoken)

    def _press(self, act: Act, person: Person, post: Post) -> None:
        for block in post.blocks:
            for one in block.get("elements", ()):
                if one.get("action_id") and act.text in ("", one["action_id"], one["text"]["text"]):
                    self.fake.press(person, post, one["action_id"])
                    return
        raise Refused("This message has no such button.")

    def _target(self, act: Act) -> Post:
        post = self.fake.workspace.posts.get(act.target or "")
        if post is None or post.deleted:
            raise Refused("There is no such message.")
        return post

    def _own(self, act: Act, person: Person) -> Post:
        post = self._target(act)
        if post.user != person.id:
            raise Refused("Only one's own messages can be changed.")
        return post

    def lines(self, who: str) -> Sequence[Line]:
        workspace = self.fake.workspace
        person = workspace.known(who)
        if person is None:
            return []
        direct = workspace.direct(person.id).id
        mine = {(one.channel, one.thread_ts or one.ts) for one in workspace.posts.values() if one.user == person.id}
        return [
            self._line(one, person)
            for one in sorted(workspace.posts.values(), key=lambda one: one.ts)
            if one.channel == direct or (one.channel, one.thread_ts or one.ts) in mine
        ]

    def _line(self, post: Post, person: Person) -> Line:
        notes = [
            mrkdwn.plain(one["text"])
            for block in post.blocks
            if block.get("type") == "context"
            for one in block["elements"]
        ]
        labels = [
            one["text"]["text"] for block in post.blocks for one in block.get("elements", ()) if one.get("action_id")
        ]
        author = self.fake.workspace.people.get(post.user)
        return Line(
            id=post.id,
            mine=post.user == person.id,
            text="" if post.deleted else "\n".join([mrkdwn.plain(post.shown), *notes]).strip(),
            at=datetime.fromtimestamp(float(post.ts), UTC),
            thread=f"{post.channel}:{post.thread_ts}" if post.thread_ts else None,
            state="deleted" if post.deleted else "edited" if post.edited else None,
            files=tuple(self.fake.workspace.files[one].name for one in post.files),
            actions=tuple(labels),
            headers=(
                ("channel", post.channel),
                ("ts", post.ts),
                ("user", author.handle if author else post.user),
                *((("reactions", " ".join(post.reactions)),) if post.reactions else ()),
            ),
        )
