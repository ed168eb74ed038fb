"""Files are fetched with our token from Slack alone."""

from __future__ import annotations

import pytest

from channels.contract import Attachment, AuthFailed, MessageReceived, Rejected
from channels.social.slack.fake import BOT_TOKEN
from channels.social.slack.harness import Harness


async def received(slack: Harness, name: str, kind: str, content: bytes, *, spoken: bool = False) -> Attachment:
    slack.fake.write(slack.fake.workspace.person("ann"), "", files=[(name, kind, content)], spoken=spoken)
    (event,) = slack.adapter().parse(slack.identified(slack.fake.events.sent[-1]))
    assert isinstance(event, MessageReceived)
    return event.attachments[0]


async def fetched(slack: Harness, attachment: Attachment, **settings: str) -> bytes:
    adapter = slack.adapter(slack.with_settings(**settings))
    return b"".join([piece async for piece in adapter.download(attachment)])


async def test_a_file_arrives_unchanged(slack: Harness) -> None:
    content = bytes(range(256)) * 2_000
    attachment = await received(slack, "ü/..\\x.bin", "application/zip", content)
    assert attachment.size == len(content)
    assert await fetched(slack, attachment) == content


async def test_an_audio_clip_is_speech(slack: Harness) -> None:
    assert (await received(slack, "clip.m4a", "audio/mp4", b"0", spoken=True)).spoken
    assert not (await received(slack, "song.mp3", "audio/mpeg", b"0")).spoken


async def test_a_file_without_address_is_asked_for(slack: Harness) -> None:
    attachment = await received(slack, "a.txt", "text/plain", b"hello")
    file = next(iter(slack.fake.workspace.files))
    assert await fetched(slack, attachment.model_copy(update={"url": f"slack-file:{file}"})) == b"hello"


@pytest.mark.parametrize(("kind", "content"), [("image/png", b"\x89PNG"), ("text/html", b"<!doctype html><p>mine</p>")])
async def test_the_login_page_is_no_file(slack: Harness, kind: str, content: bytes) -> None:
    attachment = await received(slack, "a", kind, content)
    assert await fetched(slack, attachment) == content
    with pytest.raises(AuthFailed):
        await fetched(slack, attachment, bot_token=BOT_TOKEN[::-1])


@pytest.mark.parametrize(
    "url",
    [
        "http://files.slack.com/x",
        "https://files.slack.com.evil.test/x",
        "https://evilslack.com/x",
        "https://169.254.169.254/latest/meta-data",
        "http://127.0.0.1:1/x",
        "https://files.slack.com@evil.test/x",
        "https://files.slack.com:8443/x",
        "file:///etc/passwd",
        "slack-file:F0NOTTHERE",
        "",
    ],
)
async def test_hostile_addresses_are_refused(slack: Harness, url: str) -> None:
    with pytest.raises(Rejected):
        await fetched(slack, Attachment(filename="x", content_type="image/png", url=url))
