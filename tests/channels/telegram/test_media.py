"""Files: fetched by their id, from the API's own host alone, and their address is shown to nobody."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from channels.contract import Attachment, AuthFailed, ChannelError, MessageReceived, Rejected, Retryable
from channels.social.telegram.fake import BOT_TOKEN
from channels.social.telegram.harness import Harness
from channels.social.telegram.settings import API_URL

SECRET = BOT_TOKEN.partition(":")[2]


async def fetched(adapter: Any, attachment: Attachment) -> bytes:
    try:
        return b"".join([piece async for piece in adapter.download(attachment)])
    finally:
        await adapter.aclose()


async def sent(telegram: Harness, name: str, content_type: str, content: bytes) -> Attachment:
    await telegram.fake.send_file(telegram.ann(), name, content_type, content)
    (event,) = telegram.adapter().parse(telegram.raw(telegram.fake.updates.emitted[-1]))
    assert isinstance(event, MessageReceived)
    (attachment,) = event.attachments
    return attachment


def named(file_id: str, **more: Any) -> Attachment:
    return Attachment(filename="a", content_type="text/plain", url=f"telegram-file:{file_id}", **more)


@pytest.mark.parametrize(
    ("name", "content_type", "spoken"),
    [("a.jpg", "image/jpeg", False), ("a.ogg", "audio/ogg", True), ("½ 😀.pdf", "application/pdf", False)],
)
async def test_a_file_is_fetched(
    telegram: Harness, caplog: pytest.LogCaptureFixture, name: str, content_type: str, spoken: bool
) -> None:
    caplog.set_level(logging.DEBUG)
    content = bytes(range(256)) * 1_000
    attachment = await sent(telegram, name, content_type, content)
    assert attachment.spoken is spoken
    assert SECRET not in attachment.model_dump_json()
    assert attachment.url is not None
    assert attachment.url.startswith("telegram-file:")
    assert await fetched(telegram.adapter(), attachment) == content
    assert SECRET not in caplog.text


async def _failure(adapter: Any, attachment: Attachment) -> ChannelError:
    with pytest.raises(ChannelError) as raised:
        await fetched(adapter, attachment)
    shown, error = [], raised.value
    walked: BaseException | None = error
    while walked is not None:
        shown += [str(walked), repr(walked)]
        walked = walked.__cause__ or walked.__context__
    assert SECRET not in "".join(shown)
    return error


async def test_a_file_that_is_gone(telegram: Harness) -> None:
    error = await _failure(telegram.adapter(), named("AgADnothing"))
    assert (type(error), error.code) == (Rejected, "media_gone")


async def test_a_file_that_is_gone_from_its_place(telegram: Harness) -> None:
    attachment = await sent(telegram, "a.pdf", "application/pdf", b"x")
    file = telegram.fake.world.files[(attachment.url or "").partition(":")[2]]
    paths = iter([file.path, "elsewhere"])
    original = telegram.fake.methods._methods["getFile"]

    async def moved(given: Any, uploads: Any) -> Any:
        return {**await original(given, uploads), "file_path": next(paths) + "x"}

    telegram.fake.methods._methods["getFile"] = moved
    error = await _failure(telegram.adapter(), attachment)
    assert (type(error), error.code) == (Rejected, "media_gone")


async def test_a_file_that_is_too_large(telegram: Harness) -> None:
    attachment = await sent(telegram, "a.zip", "application/zip", bytes(20_000_001))
    error = await _failure(telegram.adapter(), attachment)
    assert (type(error), error.code) == (Rejected, "media_too_large")
    hosted = telegram.adapter(telegram.with_settings(api_url=API_URL))
    error = await _failure(hosted, named("x", size=20_000_001))
    assert (type(error), error.code) == (Rejected, "media_too_large")


@pytest.mark.parametrize("url", ["https://evil.example/a", "http://127.0.0.1/a", "file:///etc/passwd", "", None])
async def test_no_other_address_is_fetched(telegram: Harness, url: str | None) -> None:
    error = await _failure(telegram.adapter(), Attachment(filename="a", content_type="text/plain", url=url))
    assert (type(error), error.code) == (Rejected, "media_host_refused")
    assert telegram.fake.calls == []


@pytest.mark.parametrize(
    ("path", "error", "code"),
    [
        ("../../bot/getMe", Rejected, "media_host_refused"),
        ("a/../../b", Rejected, "media_host_refused"),
        ("/var/lib/telegram/a", Rejected, "media_local"),
        ("@evil.example/a", Rejected, "media_gone"),
        ("a?b=c#d", Rejected, "media_gone"),
        ("", Retryable, "retryable"),
        (5, Retryable, "retryable"),
        (None, Retryable, "retryable"),
    ],
)
async def test_a_strange_place(telegram: Harness, path: Any, error: type[ChannelError], code: str) -> None:
    async def strange(_given: Any, _uploads: Any) -> Any:
        return {"file_id": "x", "file_unique_id": "x", "file_path": path}

    telegram.fake.methods._methods["getFile"] = strange
    failed = await _failure(telegram.adapter(), named("x"))
    assert (type(failed), failed.code) == (error, code)


async def test_a_token_that_was_revoked(telegram: Harness) -> None:
    attachment = await sent(telegram, "a.pdf", "application/pdf", b"x")
    assert isinstance(await _failure(telegram.adapter(telegram.bad_settings()), attachment), AuthFailed)


async def test_nobody_there(telegram: Harness) -> None:
    assert isinstance(await _failure(telegram.adapter(telegram.unreachable_settings()), named("x")), Retryable)
