"""What Twilio's failures become."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from channels.contract import (
    CONVERSATION_OVER,
    AuthFailed,
    ChannelError,
    OutcomeUnknown,
    Rejected,
    Retryable,
    Undeliverable,
)
from channels.twilio.client import TwilioClient
from channels.twilio.errors import failure
from channels.twilio.fake import FakeTwilio, Trouble

PEER, OURS = "+14155550177", "+14155550100"


@pytest.fixture
async def fake(tmp_path: Path) -> AsyncIterator[FakeTwilio]:
    one = FakeTwilio(tmp_path)
    await one.start()
    yield one
    await one.stop()


def _client(fake: FakeTwilio, url: str | None = None) -> TwilioClient:
    return TwilioClient(fake.account_sid, fake.auth_token, url or fake.url)


@pytest.mark.parametrize(
    ("method", "status", "number", "error", "code"),
    [
        ("POST", 400, 21211, Undeliverable, "twilio_21211"),
        ("POST", 400, 21614, Undeliverable, "twilio_21614"),
        ("POST", 400, 21610, Undeliverable, "twilio_21610"),
        ("POST", 400, 30003, Undeliverable, "twilio_30003"),
        ("POST", 400, 30007, Rejected, "twilio_30007"),
        ("POST", 400, 21617, Rejected, "twilio_21617"),
        ("POST", 400, 21220, Undeliverable, CONVERSATION_OVER),
        ("POST", 401, 20003, AuthFailed, "twilio_20003"),
        ("POST", 403, 20003, AuthFailed, "twilio_20003"),
        ("GET", 401, None, AuthFailed, "auth_failed"),
        ("POST", 429, 20429, Retryable, "twilio_20429"),
        ("POST", 429, None, Retryable, "retryable"),
        ("POST", 503, 20503, Retryable, "twilio_20503"),
        ("POST", 500, 20500, OutcomeUnknown, "twilio_20500"),
        ("POST", 502, None, OutcomeUnknown, "outcome_unknown"),
        ("POST", 504, None, OutcomeUnknown, "outcome_unknown"),
        ("GET", 504, None, Retryable, "retryable"),
        ("POST", 404, 20404, Rejected, "twilio_20404"),
    ],
)
def test_the_table(method: str, status: int, number: int | None, error: type[ChannelError], code: str) -> None:
    found = failure(method, status, number, "a reason")
    assert type(found) is error
    assert found.code == code


async def test_what_is_cut_after_it_was_sent_is_unknown_but_for_what_may_be_repeated(fake: FakeTwilio) -> None:
    fake.misbehave(Trouble.REPLY_LOST)
    client = _client(fake)
    with pytest.raises(OutcomeUnknown):
        await client.call(lambda sdk: sdk.messages.create_async(to=PEER, from_=OURS, body="x"))
    with pytest.raises(Retryable):
        await client.call(lambda sdk: sdk.messages.create_async(to=PEER, from_=OURS, body="x"), repeatable=True)
    assert len(list(fake.messages.all(PEER))) == 2, "one request is one attempt"


async def test_a_server_that_hangs_up_on_a_question_may_be_asked_again(fake: FakeTwilio) -> None:
    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        client = _client(fake, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        with pytest.raises(Retryable):
            await client.call(lambda sdk: sdk.messages.list_async(limit=1))
        with pytest.raises(OutcomeUnknown):
            await client.call(lambda sdk: sdk.messages.create_async(to=PEER, from_=OURS, body="x"))


async def test_an_answer_that_nobody_understands_leaves_a_post_in_doubt(fake: FakeTwilio) -> None:
    async def nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(nonsense, "127.0.0.1", 0)
    async with server:
        client = _client(fake, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        with pytest.raises(OutcomeUnknown):
            await client.call(lambda sdk: sdk.messages.create_async(to=PEER, from_=OURS, body="x"))
        with pytest.raises(Retryable):
            await client.call(lambda sdk: sdk.messages("SM" + "1" * 32).fetch_async())


async def test_waiting_times_are_honoured_and_nothing_secret_is_said(fake: FakeTwilio) -> None:
    fake.misbehave(Trouble.RATE_LIMITED)
    client = _client(fake)
    with pytest.raises(Retryable) as raised:
        await client.call(lambda sdk: sdk.messages.create_async(to=PEER, from_=OURS, body="x"))
    assert raised.value.after == 2.0
    assert fake.auth_token.get_secret_value() not in f"{raised.value!r} {client!r} {vars(client)}"
