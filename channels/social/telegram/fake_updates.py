"""How the fake Telegram hands updates over: by `getUpdates`, or to a webhook that it calls until it is answered well."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

from channels.lab import Misbehaviour
from channels.social.telegram.fake_world import Json, World

_DEFAULT = frozenset({"message", "edited_message", "callback_query", "my_chat_member", "channel_post", "inline_query"})
"""What a bot gets that has never said what it wants: among others, no reactions."""
_HELD = 0.5
"""Seconds for which an update waits for another to change places with."""
TERMINATED = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
WEBHOOK_SET = (
    "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
)


class ApiError(Exception):
    """`{"ok": false, "error_code": code, "description": text}`."""

    def __init__(self, code: int, text: str, **parameters: int) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.parameters = parameters


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call of the webhook."""

    update: int
    status: int


class Updates:
    """`scale` shortens the pauses between two calls of a webhook that fails."""

    def __init__(self, world: World, scale: float = 1.0) -> None:
        self.world = world
        self.scale = scale
        self.how = Misbehaviour.NONE
        self.attempts: list[Attempt] = []
        self.emitted: list[Json] = []
        """Every update, oldest first."""
        self.last_error: tuple[int, str] | None = None
        self.called: Callable[[Json], Awaitable[Any]] | None = None
        """What a webhook's answer asks for is carried out by it."""
        self._changed = asyncio.Condition()
        self.questions = 0
        """How often updates were asked for."""
        self._held: Json | None = None
        self._again: list[Json] = []
        """Confirmed, and told once more all the same."""
        self._repeated = False
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        for name in (self._call_webhook, self._flush):
            task = asyncio.create_task(name())
            self._tasks.add(task)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    # ------------------------------------------------------------------ news

    async def emit(self, **content: Json) -> None:
        """Something has happened: `message=…`, `callback_query=…`."""
        kind = next(iter(content))
        allowed = self.world.state["allowed"]
        if kind not in (_DEFAULT if allowed is None else allowed):
            return
        if self.how is Misbehaviour.OUT_OF_ORDER and self._held is None:
            self._held = content
            return
        self._queue(content)
        if self._held is not None:
            held, self._held = self._held, None
            self._queue(held)
        await self.tell()

    def _queue(self, content: Json) -> None:
        update = {"update_id": self.world.last_update + 1, **content}
        self.world.write("update", update=update)
        self.emitted.append(update)

    async def tell(self) -> None:
        """Wakes whoever waits for updates, or for there to be none."""
        async with self._changed:
            self._changed.notify_all()

    async def _flush(self) -> None:
        while True:
            await asyncio.sleep(_HELD)
            if self._held is not None:
                held, self._held = self._held, None
                self._queue(held)
                await self.tell()

    async def settled(self) -> None:
        """Returns when every update was handed over and confirmed."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self.world.updates and self._held is None and not self._again)

    async def asked(self, times: int) -> None:
        """Returns when updates were asked for that often."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.questions >= times)

    # ------------------------------------------------------------------ polling

    async def get(self, offset: int, limit: int, timeout: float, allowed: list[str] | None) -> list[Json]:
        """Raises ApiError 409 where a webhook is set, or when another question takes this one's place."""
        if self.world.state["webhook"]:
            raise ApiError(409, WEBHOOK_SET)
        if allowed is not None:
            self.world.write("state", state={"allowed": allowed or None})
        async with self._changed:
            self.questions += 1
            mine = self.questions
            self._changed.notify_all()
            if self._repeated:
                self._again, self._repeated = [], False
            self._confirm(offset)
            try:
                async with asyncio.timeout(timeout or 0.001):
                    await self._changed.wait_for(
                        lambda: (
                            self.world.updates or self._again or mine != self.questions or self.world.state["webhook"]
                        )
                    )
            except TimeoutError:
                return []
        if mine != self.questions:
            raise ApiError(409, TERMINATED)
        if self.world.state["webhook"]:
            raise ApiError(409, WEBHOOK_SET)
        self._repeated = bool(self._again)
        return [*self._again, *self.world.updates][:limit]

    def _confirm(self, offset: int) -> None:
        updates = self.world.updates
        gone = updates[:offset] if offset < 0 else [one for one in updates if one["update_id"] < offset]
        if gone:
            self.world.write("confirmed", updates=[one["update_id"] for one in gone])
            if self.how is Misbehaviour.DUPLICATE:
                self._again += gone
            self._changed.notify_all()

    # ------------------------------------------------------------------ the webhook

    async def _call_webhook(self) -> None:
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: self.world.updates and self.world.state["webhook"])
            update = self.world.updates[0]
            pause = 1.0
            while self.world.state["webhook"] and not await self._call(update):
                await asyncio.sleep(pause * self.scale)
                pause = min(pause * 2, 60.0)
            if self.world.state["webhook"] and self.how is Misbehaviour.DUPLICATE:
                await self._call(update)
            if self.world.state["webhook"]:
                self.world.write("confirmed", updates=[update["update_id"]])
            await self.tell()

    async def _call(self, update: Json) -> bool:
        headers = {"X-Telegram-Bot-Api-Secret-Token": self.world.state["secret"]} if self.world.state["secret"] else {}
        body = json.dumps(update, ensure_ascii=False).encode()
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session,
                session.post(
                    self.world.state["webhook"], data=body, headers={**headers, "Content-Type": "application/json"}
                ) as answer,
            ):
                status, reply = answer.status, await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            status, reply = 0, b""
            self.last_error = (update["update_id"], f"Connection failed: {type(error).__name__}")
        self.attempts.append(Attempt(update["update_id"], status))
        if not 200 <= status < 300:
            if status:
                self.last_error = (update["update_id"], f"Wrong response from the webhook: {status}")
            return False
        await self._answered(reply)
        return True

    async def _answered(self, reply: bytes) -> None:
        """An answer may call one method; nobody learns what became of it."""
        try:
            call = json.loads(reply) if reply else {}
        except ValueError:
            return
        if isinstance(call, dict) and "method" in call and self.called is not None:
            await self.called(call)
