"""The Bot API's own reference between the official client and the fake: requests, answers and updates are judged by it."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from channels.contract import (
    Attachment,
    ChannelError,
    Citation,
    Cursor,
    MessageReceived,
    Peer,
    RawInbound,
    Retryable,
    Stored,
    Undeliverable,
)
from channels.social.telegram.adapter import Channel
from channels.social.telegram.fake import BOT_TOKEN
from channels.social.telegram.fake_updates import ApiError
from channels.social.telegram.harness import Harness
from channels.social.telegram.settings import Mode
from tests.wire.telegram_specification import Judge, Specification, judging

PICTURE = b"\xff\xd8\xff\xe0" + b"0" * 200
TOLD_WRONG: dict[str, list[dict[str, str]]] = {
    "getUpdates": [{"offset": "many"}, {"allowed_updates": '["message", 5]'}, {"allowed_updates": "message"}],
    "setWebhook": [
        {},
        {"url": "https://a.example", "max_connections": "many"},
        {"url": "https://a.example", "secret": "x"},
    ],
    "deleteWebhook": [{"drop_pending_updates": "perhaps"}],
    "getMe": [{"who": "me"}],
    "getWebhookInfo": [{"url": "x"}],
    "getFile": [{}, {"file": "x"}],
    "sendMessage": [
        {"chat_id": "1"},
        {"text": "no chat"},
        {"chat_id": "1", "text": "x", "thread_id": "5"},
        {"chat_id": "1", "text": "x", "message_thread_id": "five"},
        {"chat_id": "1", "text": "x", "entities": '[{"type": "bold", "offset": 0}]'},
        {"chat_id": "1", "text": "x", "entities": '[{"type": "bold", "offset": "0", "length": 1}]'},
        {"chat_id": "1", "text": "x", "entities": '{"type": "bold", "offset": 0, "length": 1}'},
        {"chat_id": "1", "text": "x", "reply_parameters": '{"allow_sending_without_reply": true}'},
        {"chat_id": "1", "text": "x", "reply_markup": '{"inline_keyboard": [{"text": "not in a row"}]}'},
        {"chat_id": "1", "text": "x", "reply_markup": '{"inline_keyboard": [[{"url": "https://a.example"}]]}'},
        {"chat_id": "1", "text": "x", "link_preview_options": '{"disabled": true}'},
    ],
    "sendPhoto": [{"chat_id": "1"}, {"chat_id": "1", "photo": "attach://nothing"}],
    "sendDocument": [{"chat_id": "1"}, {"chat_id": "1", "document": "id", "caption_entities": "[5]"}],
    "sendVoice": [{"chat_id": "1"}, {"chat_id": "1", "voice": "id", "duration": "long"}],
    "sendMediaGroup": [
        {"chat_id": "1"},
        {"chat_id": "1", "media": '[{"type": "photo", "media": "attach://nothing"}]'},
        {"chat_id": "1", "media": '[{"type": "photo", "file": "id"}]'},
    ],
    "sendChatAction": [{"chat_id": "1"}, {"action": "typing"}],
    "answerCallbackQuery": [{}, {"callback_query_id": "1", "show_alert": "perhaps"}],
    "editMessageText": [{"chat_id": "1", "message_id": "one", "text": "x"}],
    "sendTelepathy": [{"chat_id": "1"}],
}
"""Bad requests per method."""


def specification() -> Specification:
    given = os.environ.get("AUTOCRM_MATERIAL")
    if not given:
        if os.environ.get("CI") == "true":
            pytest.fail("AUTOCRM_MATERIAL is not set")
        pytest.skip("AUTOCRM_MATERIAL is not set: the reference of the Bot API is not part of the project")
    return Specification(Path(given) / "specs" / "telegram_api.json")


@dataclass
class Judged:
    telegram: Harness
    judge: Judge

    def adapter(self, cursor: Cursor | None = None, **changes: Any) -> Channel:
        settings = self.telegram.with_settings(api_url=self.judge.url, **changes)
        adapter: Channel = self.telegram.adapter(settings, cursor)
        return adapter


@pytest.fixture
async def judged(tmp_path: Path) -> AsyncIterator[Judged]:
    telegram = Harness(tmp_path)
    await telegram.start()
    async with judging(specification(), telegram.fake.url) as judge:
        yield Judged(telegram, judge)
    await telegram.stop()


def file(name: str, content_type: str, content: bytes = b"content") -> Attachment:
    return Attachment(filename=name, content_type=content_type, content=content)


async def test_what_is_sent_is_what_telegram_expects(judged: Judged) -> None:
    telegram, adapter = judged.telegram, judged.adapter()
    question = await telegram.fake.write(telegram.ann(), "Where is it?")
    answered = f"{question['chat']['id']}:{question['message_id']}"
    source = Citation(title="Terms", url="https://shop.example/terms")
    words = "😀 **bold** and `code`, [terms](https://shop.example/terms)\n```python\nprint()\n```"
    sends = [
        telegram.outbound(words, reply_to=answered, automated=True, citations=[source]),
        telegram.outbound("see **this**", attachments=[file("a.jpg", "image/jpeg", PICTURE)], citations=[source]),
        telegram.outbound("see this", attachments=[file("a.pdf", "application/pdf")], reply_to=answered),
        telegram.outbound("", attachments=[file("a.ogg", "audio/ogg")]),
        telegram.outbound(
            "both", attachments=[file("a.jpg", "image/jpeg", PICTURE), file("b.jpg", "image/jpeg", PICTURE)]
        ),
        telegram.outbound(
            "all", attachments=[file("a.pdf", "application/pdf"), file("b.txt", "text/plain")], citations=[source]
        ),
        telegram.outbound("no picture", attachments=[file("a.png", "image/png", b"text")]),
        telegram.outbound("long " * 500, attachments=[file("a.pdf", "application/pdf")]),
    ]
    for one in sends:
        await adapter.send(one)
    await adapter.typing(telegram.recipient(), {})
    await adapter.aclose()
    assert judged.judge.wrong == []
    assert judged.judge.passed == {
        *("sendMessage", "sendPhoto", "sendDocument", "sendVoice", "sendMediaGroup", "sendChatAction"),
    }
    assert len(telegram.fake.delivered()) == 11


async def test_what_the_fake_offers_besides_is_as_telegrams(judged: Judged) -> None:
    """By the official client: the adapter itself edits nothing."""
    adapter = judged.adapter()
    await adapter.send(judged.telegram.outbound("first"))
    message = judged.telegram.fake.delivered()[0]
    chat, number = message["chat"]["id"], message["message_id"]
    await adapter._api.call(lambda bot: bot.edit_message_text("second", chat_id=chat, message_id=number))
    await adapter.aclose()
    assert judged.judge.wrong == []
    assert judged.telegram.fake.delivered()[0]["text"] == "second"


async def test_in_topics_too(judged: Judged) -> None:
    fake = judged.telegram.fake
    forum = fake.world.group("Workshop", forum=True)
    topic = fake.world.say(
        forum["id"], judged.telegram.ann(), forum_topic_created={"name": "Tools", "icon_color": 7322096}
    )
    route = {"chat_id": forum["id"], "message_thread_id": topic["message_id"], "conversation": f"{forum['id']}:1:2"}
    sent = await judged.adapter().send(judged.telegram.outbound("there", route=route, automated=True))
    assert judged.judge.wrong == []
    message = fake.delivered()[0]
    assert sent.external_id == f"{forum['id']}:{message['message_id']}"
    assert message["message_thread_id"] == topic["message_id"]
    assert judged.judge.specification.wrong(message, ["Message"], "message") == []


async def test_the_connection_by_polling(judged: Judged) -> None:
    """Test, subscribe, poll, answer a button, greet, fetch a file: every answer as the reference has it."""
    telegram = judged.telegram
    seen: list[MessageReceived] = []
    stored = asyncio.Event()
    adapter = judged.adapter()

    async def sink(raws: Sequence[RawInbound], cursor: Cursor | None = None) -> Stored:
        seen.extend(event for raw in raws for event in adapter.parse(raw) if isinstance(event, MessageReceived))
        if len(seen) == 2:
            stored.set()
        return Stored.STORED

    await adapter.check()
    await adapter.subscribe()
    listening = asyncio.create_task(adapter.listen(sink))
    await telegram.fake.write(telegram.ann(), "/start")
    await telegram.fake.send_file(telegram.ann(), "a.pdf", "application/pdf", b"content")
    await stored.wait()
    answer = await adapter.send(telegram.outbound("Hello", automated=True))
    message = telegram.fake.delivered()[-1]
    assert answer.external_id.endswith(f":{message['message_id']}")
    await telegram.fake.press(telegram.ann(), message, "person")
    await telegram.fake.updates.settled()
    (attachment,) = seen[1].attachments
    assert b"".join([piece async for piece in adapter.download(attachment)]) == b"content"
    listening.cancel()
    with suppress(asyncio.CancelledError):
        await listening
    await adapter.aclose()
    assert judged.judge.wrong == []
    assert judged.judge.passed >= {
        *("getMe", "getWebhookInfo", "deleteWebhook", "getUpdates", "getFile", "sendMessage"),
        "answerCallbackQuery",
    }


async def test_the_webhook_is_set_as_telegram_expects(judged: Judged) -> None:
    judged.telegram.fake.methods.plain_http = True
    adapter = judged.adapter(mode=Mode.WEBHOOK)
    await adapter.subscribe()
    assert judged.telegram.fake.world.state["allowed"]
    await adapter.check()
    await adapter.unsubscribe()
    await adapter.aclose()
    assert judged.judge.wrong == []
    assert judged.judge.passed == {"getMe", "setWebhook", "getWebhookInfo", "deleteWebhook"}
    assert judged.telegram.fake.world.state["webhook"] == ""


async def test_what_stands_in_a_webhooks_answer_is_a_call_of_telegrams(judged: Judged) -> None:
    telegram, adapter, judge = judged.telegram, judged.adapter(mode=Mode.WEBHOOK), judged.judge.specification
    sent = await adapter.send(telegram.outbound("Hello", automated=True))
    message = telegram.fake.world.messages[telegram.ann()["id"], int(sent.external_id.partition(":")[2])]
    await telegram.fake.press(telegram.ann(), message, "person")
    await telegram.fake.write(telegram.ann(), "/start")
    calls = [
        json.loads(adapter.respond(telegram.raw(update), (), Peer()).body)
        for update in telegram.fake.updates.emitted[-2:]
    ]
    await adapter.aclose()
    assert [one["method"] for one in calls] == ["answerCallbackQuery", "sendMessage"]
    for one in calls:
        assert judge.wrong_call(one) == []
        assert judge.wrong_call({**one, "more": 1}) != []
        assert judge.wrong_call({"method": one["method"]}) != []


async def test_refusals_have_the_shape_of_telegrams(judged: Judged) -> None:
    telegram, adapter = judged.telegram, judged.adapter()
    small = telegram.fake.world.group("Family", kind="group")
    new = await telegram.fake.upgrade(telegram.ann(), small)
    moved = await adapter.send(telegram.outbound("after you", route={"chat_id": small["id"]}))
    assert moved.external_id.startswith(f"{new['id']}:")
    for error, expected in (
        (ApiError(429, "Too Many Requests: retry after 30", retry_after=30), Retryable),
        (ApiError(403, "Forbidden: bot was blocked by the user"), Undeliverable),
        (ApiError(400, "Bad Request: chat not found"), Undeliverable),
        (ApiError(401, "Unauthorized"), ChannelError),
        (ApiError(503, "Service Unavailable"), Retryable),
    ):
        telegram.fake.refuse = error
        with pytest.raises(expected):
            await adapter.send(telegram.outbound("x"))
    await adapter.aclose()
    assert judged.judge.wrong == []
    assert judged.judge.refusals == {400, 401, 403, 429, 503}


async def test_every_update_has_the_shape_of_telegrams(judged: Judged) -> None:
    telegram, fake = judged.telegram, judged.telegram.fake
    fake.world.write(
        "state",
        state={"allowed": ["message", "edited_message", "callback_query", "message_reaction", "my_chat_member"]},
    )
    ann, bob = telegram.ann(), fake.world.user("bob", "Bob")
    club, forum = fake.world.group("Garden club"), fake.world.group("Workshop", forum=True)
    first = await fake.write(ann, "@shop_support_bot 😀 https://a.example /help", chat=club)
    await fake.write(bob, "and me?", chat=club, answers=first)
    topic = fake.world.say(forum["id"], ann, forum_topic_created={"name": "Tools", "icon_color": 7322096})
    await fake.write(ann, "in a topic", chat=forum, topic=topic["message_id"], answers=topic)
    for name, kind in (
        *(("a.jpg", "image/jpeg"), ("a.ogg", "audio/ogg"), ("a.mp3", "audio/mpeg")),
        *(("a.mp4", "video/mp4"), ("a.pdf", "application/pdf")),
    ):
        await fake.send_file(ann, name, kind, b"content", caption="see @shop_support_bot")
    await fake.album(ann, [("a.jpg", "image/jpeg", b"1"), ("b.jpg", "image/jpeg", b"2")], "both")
    await fake.edit(first, "changed @shop_support_bot")
    sent = await judged.adapter().send(telegram.outbound("Hello", automated=True))
    message = fake.world.messages[int(sent.external_id.partition(":")[0]), int(sent.external_id.partition(":")[2])]
    await fake.react(ann, message, ["👍"])
    await fake.react(ann, message, [])
    await fake.press(ann, message, "person")
    await fake.block(ann)
    await fake.write(ann, "back again")
    await fake.upgrade(ann, fake.world.group("Family", kind="group"))

    assert len(fake.updates.emitted) == 19
    for update in fake.updates.emitted:
        assert judged.judge.specification.wrong_update(update) == []
    for one in fake.world.messages.values():
        assert judged.judge.specification.wrong(one, ["Message"], "message") == []


def test_the_samples_are_updates_of_telegrams() -> None:
    """But for those that are meant to be wrong."""
    judge, folder = specification(), Path(Harness.__module__.replace(".", "/")).parent / "samples"
    root = Path(__file__).parents[2]
    found = {
        path.stem: judge.wrong_update(json.loads(json.loads(path.read_text("utf-8"))["text"]))
        for path in (root / folder).rglob("*.json")
    }
    assert len(found) > 50
    assert {name for name, problems in found.items() if problems} == {"wrong_types", "no_chat"}


@pytest.mark.parametrize(("method", "given"), [(name, one) for name, some in TOLD_WRONG.items() for one in some])
async def test_a_bad_request_never_reaches_the_fake(judged: Judged, method: str, given: dict[str, str]) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{judged.judge.url}/bot{BOT_TOKEN}/{method}", data=given) as answer,
    ):
        assert answer.status == 422, await answer.text()
    assert judged.telegram.fake.calls == []


def _without(name: str) -> Any:
    def spoil(_method: str, answer: Any) -> Any:
        return {**answer, "result": {key: value for key, value in answer["result"].items() if key != name}}

    return spoil


def _with(name: str, value: Any) -> Any:
    return lambda _method, answer: {**answer, "result": {**answer["result"], name: value}}


SPOILS = {
    "no date": _without("date"),
    "no chat": _without("chat"),
    "a text for a number": _with("message_id", "12"),
    "a field nobody knows": _with("ts", 1),
    "an entity without a length": _with("entities", [{"type": "bold", "offset": 0}]),
    "no array": _with("photo", {}),
    "a list for a message": lambda _method, answer: {**answer, "result": [answer["result"]]},
    "no result": lambda _method, _answer: {"ok": True},
    "not ok, and no code": lambda _method, _answer: {"ok": False, "description": "x"},
}


@pytest.mark.parametrize("how", sorted(SPOILS))
async def test_a_wrong_answer_is_noticed(judged: Judged, how: str) -> None:
    judged.judge.spoil = SPOILS[how]
    with pytest.raises(ChannelError):
        await judged.adapter().send(judged.telegram.outbound("x"))
    assert judged.judge.wrong


@pytest.mark.parametrize(
    "change",
    [
        {"message": None},
        {"update_id": "1"},
        {"extra": 1},
        {"edited_message": {"message_id": 1, "date": 1, "chat": {"id": 1, "type": "private"}}},
    ],
)
async def test_a_wrong_update_is_noticed(judged: Judged, change: dict[str, Any]) -> None:
    await judged.telegram.fake.write(judged.telegram.ann(), "hello")
    update = judged.telegram.fake.updates.emitted[-1]
    assert judged.judge.specification.wrong_update(update) == []
    assert judged.judge.specification.wrong_update({**update, **change}) != []


def test_the_reference_is_the_one_meant() -> None:
    assert specification().version == "Bot API 10.1"
