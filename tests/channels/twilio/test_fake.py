"""The fake provider keeps Twilio's rules, so that what passes here passes there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from pydantic import SecretStr

from channels.contract import AuthFailed, Rejected, Undeliverable
from channels.sms.harness import Hook
from channels.twilio.client import TwilioClient
from channels.twilio.fake import FakeTwilio, Trouble
from channels.twilio.signature import verify

PEER, OURS = "+14155550177", "+14155550100"


@pytest.fixture
async def fake(tmp_path: Path) -> AsyncIterator[FakeTwilio]:
    one = FakeTwilio(tmp_path)
    await one.start()
    yield one
    await one.stop()


@pytest.fixture
async def hook(fake: FakeTwilio) -> AsyncIterator[Hook]:
    async with AsyncExitStack() as stack:
        one = Hook()
        await one.start()
        stack.push_async_callback(one.stop)
        fake.numbers.set(OURS, sms_url=one.url)
        yield one


def _client(fake: FakeTwilio) -> TwilioClient:
    return TwilioClient(fake.account_sid, fake.auth_token, fake.url)


async def _text(fake: FakeTwilio, callback: str | None = None, to: str = PEER) -> str:
    made = await _client(fake).call(
        lambda sdk: sdk.messages.create_async(to=to, from_=OURS, body="Hello", status_callback=callback)
    )
    return str(made.sid)


def _statuses(hook: Hook) -> list[str]:
    return [parse_qs(raw.body.decode())["MessageStatus"][0] for raw in hook.caught]


async def test_status_callbacks_are_signed_and_tell_the_whole_way(fake: FakeTwilio, hook: Hook) -> None:
    await _text(fake, f"{hook.url}?key=a")
    await fake.settle()
    assert _statuses(hook) == ["queued", "sent", "delivered"]
    for raw in hook.caught:
        verify(raw, fake.auth_token)


async def test_what_does_not_arrive_ends_undelivered_with_its_code(fake: FakeTwilio, hook: Hook) -> None:
    fake.messages.outcomes[PEER] = 30005
    await _text(fake, hook.url)
    await fake.settle()
    assert _statuses(hook)[-1] == "undelivered"
    assert parse_qs(hook.caught[-1].body.decode())["ErrorCode"] == ["30005"]


@pytest.mark.parametrize(
    ("trouble", "expected"),
    [
        (Trouble.DUPLICATE, ["queued", "queued", "sent", "sent", "delivered", "delivered"]),
        (Trouble.OUT_OF_ORDER, ["sent", "queued", "delivered"]),
    ],
)
async def test_callbacks_come_twice_or_change_places(
    fake: FakeTwilio, hook: Hook, trouble: Trouble, expected: list[str]
) -> None:
    fake.misbehave(trouble)
    await _text(fake, hook.url)
    await fake.settle()
    fake.misbehave(Trouble.NONE)
    await fake.settle()
    assert _statuses(hook) == expected


async def test_retries_follow_the_fragment_and_the_fallback_gets_what_failed(fake: FakeTwilio, hook: Hook) -> None:
    hook.statuses = [500, 500]
    answer = await fake.post_signed(f"{hook.url}#rc=3&rp=5xx", {"a": "b"})
    assert (answer.status, len(hook.caught)) == (200, 3)
    hook.caught.clear()
    hook.statuses = [500]
    assert (await fake.post_signed(hook.url, {"a": "b"})).status == 500
    assert len(hook.caught) == 1, "an answer, even a bad one, is not asked for again"
    hook.caught.clear()
    fake.numbers.set(OURS, sms_fallback_url=hook.url)
    hook.statuses = [503]
    await fake.messages.receive(PEER, "Hi")
    assert [parse_qs(raw.body.decode()).get("ErrorCode") for raw in hook.caught] == [None, ["11200"]]


async def test_nobody_there_is_no_answer(fake: FakeTwilio) -> None:
    assert (await fake.post_signed("http://127.0.0.1:9/", {"a": "b"})).status == 0


async def test_stop_ends_and_start_resumes_what_we_may_send(fake: FakeTwilio, hook: Hook) -> None:
    await fake.messages.receive(PEER, "Stop")
    with pytest.raises(Undeliverable) as refused:
        await _text(fake)
    assert refused.value.code == "twilio_21610"
    await _text(fake, to="+14155550178")
    await fake.messages.receive(PEER, "START")
    await _text(fake)
    replies = [row["body"] for row in fake.messages.all(PEER) if row["direction"] == "outbound-reply"]
    assert len(replies) == 2


async def test_a_webhooks_plain_text_would_be_sent_to_the_customer(fake: FakeTwilio, hook: Hook) -> None:
    hook.body, hook.content_type = "ok", "text/plain"
    await fake.messages.receive(PEER, "Hi")
    assert [row["body"] for row in fake.messages.all(PEER)] == ["Hi", "ok"]


async def test_it_is_the_same_provider_after_a_restart(fake: FakeTwilio, hook: Hook) -> None:
    sid = await _text(fake)
    await fake.messages.receive(PEER, "stop", files=[("a.png", "image/png", b"PNG")])
    await fake.settle()
    before = [dict(row) for row in fake.messages.all()]
    with fake.ledger.path.open("a") as ledger:
        ledger.write('{"kind": "message", "half')
    again = FakeTwilio(fake.folder)
    assert [dict(row) for row in again.messages.all()] == before
    assert again.numbers.row(OURS) is not None
    assert again.numbers.hooks(OURS)[0] == hook.url
    assert sid in {row["sid"] for row in again.messages.all()}
    await again.start()
    try:
        with pytest.raises(Undeliverable):
            await _text(again)
    finally:
        await again.stop()


async def test_lists_come_in_pages_newest_first(fake: FakeTwilio) -> None:
    sids = [await _text(fake) for _time in range(5)]
    listed = await _client(fake).call(lambda sdk: sdk.messages.list_async(to=PEER, page_size=2))
    assert [one.sid for one in listed] == sids[::-1]


async def test_refusals_of_what_is_not_right(fake: FakeTwilio) -> None:
    for wrong, code in (
        ({"to": "+1", "from_": OURS, "body": "x"}, "twilio_21211"),
        ({"to": PEER, "body": "x"}, "twilio_21603"),
        ({"to": PEER, "from_": "+14155559999", "body": "x"}, "twilio_21606"),
        ({"to": PEER, "from_": OURS}, "twilio_21619"),
        ({"to": PEER, "from_": OURS, "body": "x" * 1601}, "twilio_21617"),
        ({"to": PEER, "from_": OURS, "media_url": ["ftp://x"]}, "twilio_21620"),
    ):
        with pytest.raises(Rejected) as refused:
            await _client(fake).call(lambda sdk, wrong=wrong: sdk.messages.create_async(**wrong))
        assert refused.value.code == code
    assert not list(fake.messages.all())


async def test_many_at_once_lose_nothing(fake: FakeTwilio, hook: Hook) -> None:
    sids = await asyncio.gather(*[_text(fake, hook.url) for _time in range(20)])
    await fake.settle()
    assert len(set(sids)) == 20
    assert _statuses(hook).count("delivered") == 20


async def test_what_we_send_as_an_address_is_fetched_or_fails(fake: FakeTwilio, hook: Hook) -> None:
    await fake.messages.receive(PEER, "", files=[("a.png", "image/png", b"PNG")])
    there = parse_qs(hook.caught[-1].body.decode())["MediaUrl0"][0]
    stored = f"{fake.url}/stored-media/{there.rpartition('/')[2]}"
    for url, status in ((stored, "delivered"), (f"{fake.url}/stored-media/none", "failed"), (there, "failed")):
        made = await _client(fake).call(
            lambda sdk, url=url: sdk.messages.create_async(to=PEER, from_=OURS, media_url=[url])
        )
        await fake.settle()
        [row] = [row for row in fake.messages.all() if row["sid"] == made.sid]
        assert row["status"] == status
        assert len(fake.messages.files(made.sid)) == (status == "delivered")


async def test_a_service_takes_what_its_numbers_receive(fake: FakeTwilio, hook: Hook) -> None:
    fake.numbers.set_service(inbound_request_url=f"{hook.url}/service")
    await fake.messages.receive(PEER, "Hi")
    assert str(hook.caught[-1].transport["url"]).endswith("/service")
    assert parse_qs(hook.caught[-1].body.decode())["MessagingServiceSid"] == [fake.numbers.service["sid"]]
    made = await _client(fake).call(
        lambda sdk: sdk.messages.create_async(
            to=PEER, messaging_service_sid=fake.numbers.service["sid"], body="x", status_callback=hook.url
        )
    )
    assert (made.status, made.from_) == ("accepted", None)
    await fake.settle()
    assert (await _client(fake).call(lambda sdk: sdk.messages(made.sid).fetch_async())).from_ == OURS


async def test_strangers_are_not_let_in(fake: FakeTwilio) -> None:
    with pytest.raises(AuthFailed):
        await TwilioClient(fake.account_sid, SecretStr("guessed"), fake.url).call(lambda sdk: sdk.messages.list_async())
    with pytest.raises(AuthFailed):
        await TwilioClient("AC" + "1" * 32, fake.auth_token, fake.url).call(lambda sdk: sdk.messages.list_async())
