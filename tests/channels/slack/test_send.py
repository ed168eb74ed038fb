"""What goes out: drawn within Slack's limits, in the right place, once."""

from __future__ import annotations

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
from channels.social.slack.fake_workspace import BOT_USER, SUPPORT_CHANNEL
from channels.social.slack.harness import Harness
from channels.social.slack.mrkdwn import plain


def texts(blocks: list[dict[str, Any]], kind: str) -> list[str]:
    found: list[str] = []
    for block in blocks:
        if block["type"] == kind:
            found += [block["text"]["text"]] if kind == "section" else [one["text"] for one in block["elements"]]
    return found


async def test_an_answer_with_sources_stands_in_its_thread(slack: Harness) -> None:
    ann = slack.fake.workspace.person("ann")
    question = slack.fake.write(ann, "?", channel=SUPPORT_CHANNEL)
    message = slack.outbound(
        "Take **two** of them: https://shop.test/x",
        route={"channel": SUPPORT_CHANNEL, "thread_ts": question.ts},
        automated=True,
        citations=[Citation(title="Doses | all", url="https://help.test/a?x=1&y=2"), Citation(title="<b>")],
    )
    sent = await slack.adapter().send(message)
    (post,) = slack.fake.delivered()
    assert sent.external_id == post.id
    assert post.thread_ts == question.ts
    assert texts(post.blocks, "section") == ["Take *two* of them: <https://shop.test/x>"]
    sources, note = texts(post.blocks, "context")
    assert sources == "slack.sources <https://help.test/a?x=1&amp;y=2|Doses / all> · &lt;b&gt;"
    assert note == "slack.automated"
    assert post.blocks[-1]["elements"][0]["action_id"] == "person"
    assert post.metadata == {"event_type": "autocrm_message", "event_payload": {"key": message.key}}


async def test_a_persons_answer_names_the_person_and_offers_no_button(slack: Harness) -> None:
    await slack.adapter().send(slack.outbound("Hi", author="Kim <3"))
    (post,) = slack.fake.delivered()
    assert texts(post.blocks, "context") == ["Kim &lt;3"]
    assert [one["type"] for one in post.blocks] == ["section", "context"]


@pytest.mark.parametrize("text", ["ä" * 10_000, "word " * 1_999 + "ends.", "line\n" * 2_000, "&" * 7_900, "<" * 9_000])
async def test_a_text_at_the_limit_arrives_whole(slack: Harness, text: str) -> None:
    await slack.adapter().send(slack.outbound(text, automated=True))
    (post,) = slack.fake.delivered()
    seen = plain(post.shown)
    assert seen == text or (not post.blocks and seen == text + "\n\nslack.automated")
    assert plain(post.text).startswith(text)


@pytest.mark.parametrize("text", ["x" * 40_001, "&" * 8_001])
async def test_a_text_beyond_what_slack_keeps_is_refused(slack: Harness, text: str) -> None:
    with pytest.raises(Rejected, match="too long"):
        await slack.adapter().send(slack.outbound(text))
    assert slack.fake.delivered() == []


async def test_nobody_is_called_by_what_an_answer_quotes(slack: Harness) -> None:
    await slack.adapter().send(slack.outbound("<!channel> <@U123> @here"))
    (post,) = slack.fake.delivered()
    assert post.text == "&lt;!channel&gt; &lt;@U123&gt; @here"
    assert post.blocks[0]["text"]["verbatim"] is True
    (arguments,) = (given for method, given in slack.fake.calls if method == "chat.postMessage")
    assert arguments["unfurl_links"] is arguments["unfurl_media"] is False


async def test_a_conversation_can_be_begun(slack: Harness) -> None:
    ann = slack.fake.workspace.person("ann")
    sent = await slack.adapter().send(slack.outbound("Hello Ann"))
    assert sent.external_id.startswith(f"{slack.fake.workspace.direct(ann.id).id}:")
    raw = await slack.customer_writes("Hello shop")
    (answer,) = slack.adapter().parse(raw)
    assert answer.conversation == slack.recipient().value, "her answer continues what was begun with her address"


@pytest.mark.parametrize("value", ["T1:U0NOBODY1", "T1:", "somebody", f"T0SHOP001:{BOT_USER}"])
async def test_nobody_there(slack: Harness, value: str) -> None:
    with pytest.raises(Undeliverable):
        await slack.adapter().send(slack.outbound(to=Address(kind="slack", value=value)))


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("is_archived", Undeliverable),
        ("not_in_channel", Undeliverable),
        ("user_not_found", Undeliverable),
        ("token_revoked", AuthFailed),
        ("invalid_auth", AuthFailed),
        ("missing_scope", AuthFailed),
        ("msg_too_long", Rejected),
        ("invalid_blocks", Rejected),
        ("something_new", Rejected),
        ("ratelimited", Retryable),
        ("fatal_error", OutcomeUnknown),
        ("internal_error", OutcomeUnknown),
        ("account_inactive", AuthFailed),
    ],
)
async def test_slacks_errors(slack: Harness, code: str, error: type[ChannelError]) -> None:
    slack.fake.refuse = code
    with pytest.raises(error) as raised:
        await slack.adapter().send(slack.outbound())
    assert type(raised.value) is error
    assert len([one for one, _given in slack.fake.calls if one == "chat.postMessage"]) <= 1, "nothing is repeated here"


@pytest.mark.parametrize(
    ("status", "kind", "body", "error"),
    [
        (500, "text/html", "<html>", OutcomeUnknown),
        (502, "text/plain", "bad gateway", OutcomeUnknown),
        (503, "text/html", "<html>", Retryable),
        (429, "text/plain", "slow down", Retryable),
        (401, "text/plain", "who?", AuthFailed),
        (404, "text/html", "<html>", Rejected),
        (200, "text/html", "<html>", OutcomeUnknown),
        (200, "text/plain", "ok", OutcomeUnknown),
        (200, "application/json", "{", OutcomeUnknown),
        (200, "application/json", "[]", OutcomeUnknown),
        (200, "application/json", '{"ok": true}', OutcomeUnknown),
        (200, "application/json", '{"ok": false}', OutcomeUnknown),
    ],
)
async def test_answers_that_are_none(
    slack: Harness, status: int, kind: str, body: str, error: type[ChannelError]
) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=status, text=body, content_type=kind)

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    adapter = slack.adapter(slack.with_settings(api_url=f"http://127.0.0.1:{runner.addresses[0][1]}/api/"))
    with pytest.raises(ChannelError) as raised:
        await adapter.send(slack.outbound(route={"channel": SUPPORT_CHANNEL}))
    assert type(raised.value) is error
    await runner.cleanup()


async def test_slack_says_when_to_come_again(slack: Harness) -> None:
    slack.fake.misbehave(Misbehaviour.RATE_LIMITED)
    with pytest.raises(Retryable) as raised:
        await slack.adapter().send(slack.outbound())
    assert raised.value.after == 30


async def test_nobody_at_the_address(slack: Harness) -> None:
    with pytest.raises(Retryable):
        await slack.adapter(slack.unreachable_settings()).send(slack.outbound())


def files(*contents: bytes) -> list[Attachment]:
    return [
        Attachment(filename=f"bill {index}.pdf", content_type="application/pdf", content=one)
        for index, one in enumerate(contents)
    ]


async def test_text_and_files_are_one_message(slack: Harness) -> None:
    question = slack.fake.write(slack.fake.workspace.person("ann"), "?", channel=SUPPORT_CHANNEL)
    message = slack.outbound(
        "Your bills",
        attachments=files(b"%PDF-1", b"%PDF-22"),
        route={"channel": SUPPORT_CHANNEL, "thread_ts": question.ts},
        citations=[Citation(title="Bills", url="https://help.test/bills")],
    )
    sent = await slack.adapter().send(message)
    (post,) = slack.fake.delivered()
    assert sent.external_id == post.id
    assert post.thread_ts == question.ts
    assert texts(post.blocks, "section") == ["Your bills"]
    uploads = [slack.fake.workspace.files[one] for one in post.files]
    assert [one.name for one in uploads] == ["bill 0.pdf", "bill 1.pdf"]
    assert [(slack.fake.workspace.folder / one.data).read_bytes() for one in uploads] == [b"%PDF-1", b"%PDF-22"]


async def test_files_without_a_text(slack: Harness) -> None:
    await slack.adapter().send(slack.outbound("", attachments=files(b"x")))
    (post,) = slack.fake.delivered()
    assert texts(post.blocks, "context") == ["bill 0.pdf"]


@pytest.mark.parametrize("content", [b"", None])
async def test_an_empty_file_is_refused_before_anything_is_sent(slack: Harness, content: bytes | None) -> None:
    broken = Attachment(filename="x", content_type="text/plain", content=content)
    with pytest.raises(Rejected):
        await slack.adapter().send(slack.outbound("Hi", attachments=[broken]))
    assert slack.fake.delivered() == []


async def test_a_message_with_files_in_doubt_is_found_again(slack: Harness) -> None:
    from datetime import UTC, datetime

    message = slack.outbound("Your bill", attachments=files(b"%PDF"))
    slack.fake.misbehave(Misbehaviour.REPLY_LOST)
    with pytest.raises(OutcomeUnknown):
        await slack.adapter().send(message)
    slack.fake.misbehave(Misbehaviour.NONE)
    (post,) = slack.fake.delivered()
    found = await slack.adapter().find_sent(message.key, datetime.now(UTC))
    assert found is not None
    assert found.external_id == post.id


async def test_typing_shows_in_threads_and_is_silent_elsewhere(slack: Harness) -> None:
    question = slack.fake.write(slack.fake.workspace.person("ann"), "?", channel=SUPPORT_CHANNEL)
    adapter, to = slack.adapter(), slack.recipient()
    await adapter.typing(to, {"channel": SUPPORT_CHANNEL, "thread_ts": question.ts, "language": "nl"})
    await adapter.typing(to, {"channel": SUPPORT_CHANNEL, "thread_ts": "1.2"})
    await adapter.typing(to, {"channel": question.channel})
    await slack.adapter(slack.unreachable_settings()).typing(to, {"channel": "C1", "thread_ts": "1.2"})
    assert slack.fake.api.statuses == [(SUPPORT_CHANNEL, question.ts, "slack.typing")]
