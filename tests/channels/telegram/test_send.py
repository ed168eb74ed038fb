"""Sending: where it goes, in which form, and what each failure becomes."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from channels.contract import (
    Address,
    Attachment,
    AuthFailed,
    ChannelError,
    Citation,
    OutcomeUnknown,
    Rejected,
    Retryable,
    Undeliverable,
)
from channels.lab import Misbehaviour
from channels.social.telegram.fake import BOT_TOKEN, FakeTelegram
from channels.social.telegram.fake_updates import ApiError
from channels.social.telegram.harness import Harness

PICTURE = b"\xff\xd8\xff\xe0" + b"0" * 200
TERMS = Citation(title="Terms 😀", url="https://shop.example/terms")


def file(name: str, content_type: str, content: bytes = b"content", **more: Any) -> Attachment:
    return Attachment(filename=name, content_type=content_type, content=content, **more)


def sends(telegram: Harness) -> list[str]:
    return [method for method, _given in telegram.fake.calls if method.startswith("send")]


def identity(message: dict[str, Any]) -> str:
    return f"{message['chat']['id']}:{message['message_id']}"


# ------------------------------------------------------------------------------------------------------------ where to


async def test_it_answers_the_message(telegram: Harness) -> None:
    question = await telegram.fake.write(telegram.ann(), "Where is it?")
    sent = await telegram.adapter().send(telegram.outbound("Here", reply_to=identity(question)))
    (message,) = telegram.fake.delivered()
    assert sent.external_id == identity(message)
    assert message["reply_to_message"]["message_id"] == question["message_id"]


@pytest.mark.parametrize("reply_to", ["{chat}:999", "555:1", "nonsense", "", "{chat}:x"])
async def test_a_message_that_is_gone_keeps_nothing_from_being_sent(telegram: Harness, reply_to: str) -> None:
    question = await telegram.fake.write(telegram.ann(), "of this chat, and of no other")
    assert question["message_id"] == 1
    named = reply_to.format(chat=telegram.ann()["id"])
    await telegram.adapter().send(telegram.outbound("Here", reply_to=named))
    assert "reply_to_message" not in telegram.fake.delivered()[0]


async def test_into_a_group_and_the_chain_goes_on(telegram: Harness) -> None:
    """What Telegram says of a reply to the answer is parsed into the same conversation as the question."""
    fake, adapter = telegram.fake, telegram.adapter()
    club, bob = fake.world.group("Garden club"), fake.world.user("bob")
    question = await fake.write(telegram.ann(), "@shop_support_bot when?", chat=club)
    (asked,) = adapter.parse(telegram.raw(fake.updates.emitted[-1]))
    await adapter.send(telegram.outbound("At nine", route=asked.route, reply_to=asked.external_id, automated=True))
    answer = fake.delivered()[0]
    assert answer["chat"]["id"] == club["id"]
    await fake.write(bob, "and on Sundays?", chat=club, answers=answer)
    (again,) = adapter.parse(telegram.raw(fake.updates.emitted[-1]))
    assert again.conversation == asked.conversation == f"{club['id']}:{question['message_id']}"
    assert again.thread_refs == (identity(answer),)
    button = answer["reply_markup"]["inline_keyboard"][0][0]
    await fake.press(bob, answer, button["callback_data"])
    (pressed,) = adapter.parse(telegram.raw(fake.updates.emitted[-1]))
    assert (pressed.action, pressed.conversation) == ("person", asked.conversation)


async def test_into_a_topic(telegram: Harness) -> None:
    fake, adapter = telegram.fake, telegram.adapter()
    forum = fake.world.group("Workshop", forum=True)
    topic = fake.world.say(forum["id"], telegram.ann(), forum_topic_created={"name": "Tools", "icon_color": 1})
    await fake.write(telegram.ann(), "@shop_support_bot blunt", chat=forum, topic=topic["message_id"], answers=topic)
    (asked,) = adapter.parse(telegram.raw(fake.updates.emitted[-1]))
    await adapter.send(telegram.outbound("Sharpen it", route=asked.route))
    assert fake.delivered()[0]["message_thread_id"] == topic["message_id"]
    gone = {**asked.route, "message_thread_id": 999}
    with pytest.raises(Undeliverable) as raised:
        await adapter.send(telegram.outbound("x", route=gone))
    assert raised.value.code == "topic_gone"


async def test_a_group_that_moved_is_followed(telegram: Harness) -> None:
    small = telegram.fake.world.group("Family", kind="group")
    question = await telegram.fake.write(telegram.ann(), "@shop_support_bot hi", chat=small)
    new = await telegram.fake.upgrade(telegram.ann(), small)
    message = telegram.outbound("Hello", route={"chat_id": small["id"]}, reply_to=identity(question))
    sent = await telegram.adapter().send(message)
    assert sent.external_id.startswith(f"{new['id']}:")
    assert len(telegram.fake.delivered()) == 1


@pytest.mark.parametrize("value", ["ann", "", "@ann", "12; drop"])
async def test_what_is_no_address_is_undeliverable(telegram: Harness, value: str) -> None:
    with pytest.raises(Undeliverable):
        await telegram.adapter().send(telegram.outbound("x", to=Address(kind="telegram", value=value)))
    assert telegram.fake.calls == []


# ---------------------------------------------------------------------------------------------------------- which form


async def test_sources_are_buttons_and_a_person_is_offered(telegram: Harness) -> None:
    await telegram.adapter().send(telegram.outbound("So it is", citations=[TERMS], automated=True))
    (message,) = telegram.fake.delivered()
    assert message["text"] == "So it is"
    assert message["reply_markup"]["inline_keyboard"] == [
        [{"text": "Terms 😀", "url": "https://shop.example/terms"}],
        [{"text": "telegram.person", "callback_data": "person"}],
    ]


@pytest.mark.parametrize("changes", [{"automated": False}, {"automated": True, "to_person": True}])
async def test_a_person_is_not_offered_where_one_answers(telegram: Harness, changes: dict[str, bool]) -> None:
    await telegram.adapter().send(telegram.outbound("x", **changes))
    assert "reply_markup" not in telegram.fake.delivered()[0]


@pytest.mark.parametrize("url", [None, "http://localhost:8000/a/1", "javascript:x", "ftp://a.example", "https://"])
async def test_sources_without_an_address_of_use_are_named(telegram: Harness, url: str | None) -> None:
    await telegram.adapter().send(telegram.outbound("So it is", citations=[Citation(title="Terms", url=url)]))
    (message,) = telegram.fake.delivered()
    assert message["text"] == "So it is\n\ntelegram.sources Terms"
    assert "reply_markup" not in message


async def test_an_address_that_telegram_dislikes_costs_only_the_button(
    telegram: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("channels.social.telegram.outgoing._public", lambda url: True)
    message = telegram.outbound(
        "So it is", citations=[Citation(title="Terms", url="http://localhost/x")], automated=True
    )
    await telegram.adapter().send(message)
    assert [one["text"] for one in telegram.fake.delivered()] == ["So it is\n\ntelegram.sources Terms"]
    assert sends(telegram) == ["sendMessage", "sendMessage"]


async def test_html_is_used_where_there_is_some(telegram: Harness) -> None:
    await telegram.adapter().send(telegram.outbound("Hello *you*", html="<p>Hello <b>you</b></p>"))
    (message,) = telegram.fake.delivered()
    assert (message["text"], message["entities"]) == ("Hello you", [{"type": "bold", "offset": 6, "length": 3}])


@pytest.mark.parametrize(
    ("attachment", "method", "kind"),
    [
        (file("a.jpg", "image/jpeg", PICTURE), "sendPhoto", "photo"),
        (file("a.pdf", "application/pdf"), "sendDocument", "document"),
        (file("a.gif", "image/gif", b"GIF89a"), "sendDocument", "document"),
        (file("a.ogg", "audio/ogg"), "sendVoice", "voice"),
        (file("a.mp3", "audio/mpeg", spoken=True), "sendVoice", "voice"),
        (file("a.mp3", "audio/mpeg"), "sendDocument", "document"),
        (file("😀 ½.pdf", "application/pdf"), "sendDocument", "document"),
    ],
)
async def test_a_file_goes_with_its_caption(telegram: Harness, attachment: Attachment, method: str, kind: str) -> None:
    text = "see **this** 😀"
    sent = await telegram.adapter().send(telegram.outbound(text, attachments=[attachment], citations=[TERMS]))
    (message,) = telegram.fake.delivered()
    assert sends(telegram) == [method]
    assert sent.external_id == identity(message)
    assert message["caption"] == "see this 😀"
    assert message["caption_entities"] == [{"type": "bold", "offset": 4, "length": 4}]
    assert kind in message
    assert message["reply_markup"]["inline_keyboard"][0][0]["url"] == TERMS.url
    stored = telegram.fake.world.file_of(message)
    assert stored is not None
    assert telegram.fake.world.content(stored) == attachment.content
    assert stored.name == attachment.filename


async def test_several_files_are_one_album(telegram: Harness) -> None:
    pictures = [file(f"{one}.jpg", "image/jpeg", PICTURE + bytes([one])) for one in range(3)]
    sent = await telegram.adapter().send(telegram.outbound("both sides", attachments=pictures))
    messages = telegram.fake.delivered()
    assert sends(telegram) == ["sendMediaGroup"]
    assert len({one["media_group_id"] for one in messages}) == 1
    assert all("photo" in one for one in messages)
    assert [one.get("caption") for one in messages] == ["both sides", None, None]
    assert sent.external_id == identity(messages[0])
    assert sent.detail == {"messages": [identity(one) for one in messages]}


async def test_files_of_several_kinds_are_an_album_of_files(telegram: Harness) -> None:
    files = [file("a.jpg", "image/jpeg", PICTURE), file("a.ogg", "audio/ogg"), file("a.txt", "text/plain")]
    await telegram.adapter().send(telegram.outbound("all of it", attachments=files, citations=[TERMS]))
    messages = telegram.fake.delivered()
    assert all("document" in one for one in messages)
    assert messages[-1]["caption"] == "all of it\n\ntelegram.sources Terms 😀"
    assert messages[-1]["caption_entities"] == [{"type": "text_link", "offset": 28, "length": 8, "url": TERMS.url}]


async def test_what_is_no_picture_goes_as_a_file(telegram: Harness) -> None:
    await telegram.adapter().send(telegram.outbound("x", attachments=[file("a.png", "image/png", b"no picture")]))
    assert sends(telegram) == ["sendPhoto", "sendDocument"]
    assert "document" in telegram.fake.delivered()[0]


@pytest.mark.parametrize(("length", "requests"), [(512, 1), (513, 2)])
async def test_a_text_too_long_for_a_caption_follows_its_files(telegram: Harness, length: int, requests: int) -> None:
    text = "😀" * length
    sent = await telegram.adapter().send(telegram.outbound(text, attachments=[file("a.pdf", "application/pdf")]))
    messages = telegram.fake.delivered()
    assert len(sends(telegram)) == len(messages) == requests
    assert messages[-1].get("text", messages[-1].get("caption")) == text
    assert sent.external_id == identity(messages[-1])
    if requests == 2:
        assert sent.detail == {"messages": [identity(messages[1]), identity(messages[0])]}


async def test_files_that_went_without_their_text_are_not_sent_again(telegram: Harness) -> None:
    """The text fails with what could be tried again; trying again would show the files twice."""
    original = telegram.fake.methods._methods["sendMessage"]

    async def refused(_given: Any, _uploads: Any) -> Any:
        raise ApiError(429, "Too Many Requests: retry after 30", retry_after=30)

    telegram.fake.methods._methods["sendMessage"] = refused
    message = telegram.outbound("x" * 2000, attachments=[file("a.pdf", "application/pdf")])
    with pytest.raises(OutcomeUnknown, match="files were sent"):
        await telegram.adapter().send(message)
    telegram.fake.methods._methods["sendMessage"] = original
    telegram.fake.misbehave(Misbehaviour.RATE_LIMITED)
    with pytest.raises(Retryable):
        await telegram.adapter().send(message)
    assert len(telegram.fake.delivered()) == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"text": ""}, "empty"),
        ({"text": "   "}, "empty"),
        ({"text": "😀" * 2049}, "too_long"),
        ({"attachments": [file("a.txt", "text/plain", b"")]}, "file_empty"),
        ({"attachments": [Attachment(filename="a.txt", content_type="text/plain")]}, "file_missing"),
        ({"attachments": [file("a.txt", "text/plain")] * 11}, "too_many_files"),
        ({"attachments": [file("a.bin", "application/zip", bytes(50_000_001))]}, "too_large"),
    ],
)
async def test_what_telegram_would_refuse_is_not_sent(telegram: Harness, changes: dict[str, Any], code: str) -> None:
    with pytest.raises(Rejected) as raised:
        await telegram.adapter().send(telegram.outbound(**{"text": "x", **changes}))
    assert raised.value.code == code
    assert telegram.fake.calls == []


# ------------------------------------------------------------------------------------------------------------ failures


@pytest.mark.parametrize(
    ("refusal", "error", "code"),
    [
        (ApiError(403, "Forbidden: bot was blocked by the user"), Undeliverable, "blocked"),
        (ApiError(403, "Forbidden: user is deactivated"), Undeliverable, "blocked"),
        (ApiError(403, "Forbidden: bot was kicked from the supergroup chat"), Undeliverable, "not_in_chat"),
        (ApiError(403, "Forbidden: bot can't initiate conversation with a user"), Undeliverable, "not_started"),
        (ApiError(400, "Bad Request: chat not found"), Undeliverable, "chat_not_found"),
        (
            ApiError(400, "Bad Request: not enough rights to send text messages to the chat"),
            Undeliverable,
            "not_allowed",
        ),
        (ApiError(400, "Bad Request: can't parse entities"), Rejected, "bad_request"),
        (ApiError(413, "Request Entity Too Large"), Rejected, "too_large"),
        (ApiError(401, "Unauthorized"), AuthFailed, "auth_failed"),
        (ApiError(404, "Not Found"), AuthFailed, "auth_failed"),
        (ApiError(429, "Too Many Requests: retry after 7", retry_after=7), Retryable, "retryable"),
        (ApiError(503, "Service Unavailable"), Retryable, "retryable"),
        (ApiError(500, "Internal Server Error"), OutcomeUnknown, "outcome_unknown"),
        (ApiError(502, "Bad Gateway"), OutcomeUnknown, "outcome_unknown"),
        (ApiError(504, "Gateway Timeout"), OutcomeUnknown, "outcome_unknown"),
    ],
)
async def test_a_refusal_becomes_its_error(
    telegram: Harness, refusal: ApiError, error: type[ChannelError], code: str
) -> None:
    telegram.fake.refuse = refusal
    with pytest.raises(error) as raised:
        await telegram.adapter().send(telegram.outbound("x"))
    assert type(raised.value) is error
    assert raised.value.code == code
    if isinstance(raised.value, Retryable) and refusal.code == 429:
        assert raised.value.after == 7
    assert len(sends(telegram)) == 1


async def test_who_blocked_the_bot_is_told_of_and_can_come_back(telegram: Harness) -> None:
    adapter = telegram.adapter()
    await telegram.fake.block(telegram.ann())
    (gone,) = adapter.parse(telegram.raw(telegram.fake.updates.emitted[-1]))
    with pytest.raises(Undeliverable) as raised:
        await adapter.send(telegram.outbound("x"))
    assert raised.value.code == "blocked"
    await telegram.fake.write(telegram.ann(), "back again")
    (back,) = adapter.parse(telegram.raw(telegram.fake.updates.emitted[-2]))
    assert [gone.change, back.change] == ["blocked", "unblocked"]
    await adapter.send(telegram.outbound("welcome back"))


async def test_a_cut_after_the_request_is_in_doubt(telegram: Harness) -> None:
    telegram.fake.misbehave(Misbehaviour.REPLY_LOST)
    with pytest.raises(OutcomeUnknown):
        await telegram.adapter().send(telegram.outbound("x"))
    assert [one["text"] for one in telegram.fake.delivered()] == ["x"]
    assert sends(telegram) == ["sendMessage"], "the client tries nothing again by itself"


async def test_what_was_never_sent_is_tried_again(telegram: Harness) -> None:
    with pytest.raises(Retryable):
        await telegram.adapter(telegram.unreachable_settings()).send(telegram.outbound("x"))


Answer = Callable[[], web.Response]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (lambda: web.Response(text="<html>moved</html>", status=301), Rejected),
        (lambda: web.Response(text="<html>no such page</html>", status=404), Rejected),
        (lambda: web.Response(text="<html>bad gateway</html>", status=502), OutcomeUnknown),
        (lambda: web.Response(text="too many", status=429), Retryable),
        (lambda: web.Response(text="not json"), OutcomeUnknown),
        (lambda: web.json_response({"ok": True}), OutcomeUnknown),
        (lambda: web.json_response({"ok": True, "result": {"message_id": "x"}}), OutcomeUnknown),
        (lambda: web.json_response([]), OutcomeUnknown),
    ],
)
async def test_a_server_that_is_no_bot_api(telegram: Harness, answer: Answer, error: type[ChannelError]) -> None:
    async def handle(_request: web.Request) -> web.Response:
        return answer()

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    settings = telegram.with_settings(api_url=f"http://127.0.0.1:{runner.addresses[0][1]}")
    adapter = telegram.adapter(settings)
    with pytest.raises(error) as raised:
        await adapter.send(telegram.outbound("x"))
    assert type(raised.value) is error
    await adapter.aclose()
    await runner.cleanup()


async def test_the_token_is_shown_nowhere(telegram: Harness, caplog: pytest.LogCaptureFixture) -> None:
    """Not in logs, in no error, nor in what caused it."""
    caplog.set_level(logging.DEBUG)
    shown: list[str] = []
    for settings in (telegram.settings(), telegram.bad_settings(), telegram.unreachable_settings()):
        for refusal in (None, ApiError(400, f"Bad Request: strange token {BOT_TOKEN}"), ApiError(502, "Bad Gateway")):
            telegram.fake.refuse = refusal
            adapter = telegram.adapter(settings)
            for call in (adapter.send(telegram.outbound("x")), adapter.check(), adapter.subscribe()):
                error: BaseException | None = None
                try:
                    await call
                except ChannelError as raised:
                    error = raised
                while error is not None:
                    shown += [str(error), repr(error), str(vars(error))]
                    error = error.__cause__ or error.__context__
            shown += [repr(adapter), str(vars(adapter))]
            await adapter.aclose()
    told = "\n".join([*shown, caplog.text])
    secret = BOT_TOKEN.partition(":")[2]
    assert len(shown) > 10
    assert "bot…" in caplog.text
    assert secret not in told
    assert secret[::-1] not in told


async def test_typing_is_shown_and_never_fails(telegram: Harness) -> None:
    adapter = telegram.adapter()
    await adapter.typing(telegram.recipient(), {"chat_id": telegram.ann()["id"]})
    await adapter.typing(telegram.recipient(), {})
    await adapter.typing(Address(kind="telegram", value="5"), {"chat_id": "nowhere"})
    await adapter.typing(telegram.recipient(), {"chat_id": []})
    await adapter.aclose()
    await telegram.adapter(telegram.unreachable_settings()).typing(telegram.recipient(), {})
    assert telegram.fake.methods.actions == [(telegram.ann()["id"], "typing")] * 2


# ------------------------------------------------------------------------------------------------------------ the fake


async def _refused(telegram: Harness, **given: str) -> str:
    with pytest.raises(ApiError) as raised:
        await telegram.fake.methods.call("sendMessage", {"chat_id": str(telegram.ann()["id"]), **given}, {})
    return raised.value.text


@pytest.mark.parametrize(
    ("text", "mark", "said"),
    [
        ("a😀b", (2, 1), "begins in a middle"),
        ("a😀b", (1, 1), "ends in a middle"),
        ("a😀b", (1, 4), "ends after the end"),
        ("a😀b", (5, 1), "begins after the end"),
        ("a😀b", (0, 0), "incorrect offset"),
        ("a😀b", (-1, 1), "incorrect offset"),
    ],
)
async def test_the_fake_minds_marks(telegram: Harness, text: str, mark: tuple[int, int], said: str) -> None:
    entity = {"type": "bold", "offset": mark[0], "length": mark[1]}
    assert said in await _refused(telegram, text=text, entities=json.dumps([entity]))


async def test_the_fake_minds_lengths_and_buttons(telegram: Harness) -> None:
    assert "too long" in await _refused(telegram, text="😀" * 2049)
    assert "empty" in await _refused(telegram, text=" \n ")
    button = {"inline_keyboard": [[{"text": "x", "url": "http://localhost/"}]]}
    assert "invalid" in await _refused(telegram, text="x", reply_markup=json.dumps(button))
    assert "not found" in await _refused(telegram, text="x", reply_parameters='{"message_id": 999}')


async def test_the_fakes_ledger_outlives_it(telegram: Harness, tmp_path: Path) -> None:
    await telegram.adapter().send(telegram.outbound("kept", attachments=[file("a.pdf", "application/pdf")]))
    await telegram.fake.write(telegram.ann(), "unread")
    before = telegram.fake.world
    ledger = telegram.folder / "telegram" / "ledger.jsonl"
    ledger.write_bytes(ledger.read_bytes() + b'{"kind": "message", "mess')
    again = FakeTelegram(telegram.folder / "telegram").world
    assert (again.messages, again.users, again.chats) == (before.messages, before.users, before.chats)
    assert again.updates == before.updates
    assert again.last_update == before.last_update
    stored = again.file_of(next(iter(again.messages.values())))
    assert stored is not None
    assert again.content(stored) == b"content"
    again.close()
