"""The SMS channel against the fake Twilio: sends in doubt, outages, opt-outs, files, the connection."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from channels.contract import (
    Attachment,
    Context,
    MessageReceived,
    OutcomeUnknown,
    Peer,
    PeerChanged,
    RawInbound,
    ReceiptReceived,
    Rejected,
    Undeliverable,
    Unverified,
)
from channels.lab import Act, File, Misbehaviour, Refused, Verb
from channels.sms.adapter import Channel
from channels.sms.harness import CUSTOMER, Harness
from channels.sms.lab import Lab
from channels.sms.recent import Recent
from channels.sms.settings import SmsSettings
from channels.twilio.fake import Trouble

PICTURE = Attachment(filename="a.png", content_type="image/png", size=4, url="http://127.0.0.1:9/a.png")


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Harness]:
    one = Harness(tmp_path)
    await one.start()
    yield one
    await one.stop()


def _channel(bench: Harness, **changes: object) -> Channel:
    context = Context("account-1", bench._settings(**changes), "sms", public_url=bench.hook.origin, secret=bytes(32))
    return Channel(context)


def _since() -> datetime:
    return datetime.now(UTC) - timedelta(seconds=5)


@pytest.fixture
def restart(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """What a restart of the process forgets."""

    def forget() -> None:
        monkeypatch.setattr("channels.sms.adapter.RECENT", Recent())

    forget()
    return forget


# ---------------------------------------------------------------------------------------------------- in doubt


async def test_a_send_in_doubt_is_found_by_what_it_was(bench: Harness, restart: Callable[[], None]) -> None:
    bench.provider.misbehave(Trouble.REPLY_LOST)
    wanted, other = bench.outbound("Your refund is booked"), bench.outbound("Your refund is late")
    with pytest.raises(OutcomeUnknown):
        await _channel(bench).send(wanted)
    bench.provider.misbehave(Trouble.NONE)
    restart()
    assert await _channel(bench).find_sent(other.key, _since(), other) is None
    found = await _channel(bench).find_sent(wanted.key, _since(), wanted)
    assert found is not None
    assert found.external_id == bench.delivered()[0].identity
    restart()
    elsewhere = wanted.model_copy(update={"to": wanted.to.model_copy(update={"value": "+14155550178"})})
    assert await _channel(bench).find_sent(other.key, _since(), elsewhere) is None
    later = datetime.now(UTC) + timedelta(minutes=1)
    assert await _channel(bench).find_sent(wanted.key, later, wanted) is None, "an older equal text is another one"


async def test_after_a_restart_and_without_the_text_only_silence_is_proof(
    bench: Harness, restart: Callable[[], None]
) -> None:
    assert await _channel(bench).find_sent(str(uuid4()), _since()) is None
    await _channel(bench).send(bench.outbound())
    restart()
    with pytest.raises(OutcomeUnknown):
        await _channel(bench).find_sent(str(uuid4()), _since())


async def test_equal_texts_of_two_deliveries_are_not_taken_for_one(bench: Harness) -> None:
    first, second = bench.outbound("OK"), bench.outbound("OK")
    sent = await _channel(bench).send(first)
    assert await _channel(bench).find_sent(second.key, _since(), second) is None
    bench.provider.misbehave(Trouble.REPLY_LOST)
    with pytest.raises(OutcomeUnknown):
        await _channel(bench).send(second)
    bench.provider.misbehave(Trouble.NONE)
    found = await _channel(bench).find_sent(second.key, _since(), second)
    assert found is not None
    assert found.external_id != sent.external_id


async def test_what_is_still_queued_is_found_too(bench: Harness) -> None:
    bench.provider.messages.flowing = False
    bench.provider.misbehave(Trouble.REPLY_LOST)
    wanted = bench.outbound()
    with pytest.raises(OutcomeUnknown):
        await _channel(bench).send(wanted)
    bench.provider.misbehave(Trouble.NONE)
    assert await _channel(bench).find_sent(wanted.key, _since(), wanted) is not None


async def test_a_receipt_carries_the_key_and_settles_the_doubt_by_itself(bench: Harness) -> None:
    bench.provider.misbehave(Trouble.REPLY_LOST)
    wanted = bench.outbound()
    with pytest.raises(OutcomeUnknown):
        await _channel(bench).send(wanted)
    await bench.provider.settle()
    channel = _channel(bench)
    for raw in bench.hook.caught:
        channel.verify(raw)
    receipts = [event for raw in bench.hook.caught for event in channel.parse(raw)]
    assert [one.key for one in receipts if isinstance(one, ReceiptReceived)] == [wanted.key] * 3


# ---------------------------------------------------------------------------------------------------- outages


async def test_what_no_webhook_brought_is_fetched_and_known_again(bench: Harness) -> None:
    channel, began = _channel(bench), _since()
    await bench.provider.messages.receive(CUSTOMER, "by webhook")
    brought = channel.identify(bench.hook.caught[-1], ())
    bench.hook.statuses = [500]
    await bench.provider.messages.receive(CUSTOMER, "lost", files=[("a.png", "image/png", b"\x89PNG")])
    await channel.send(bench.outbound("not the customer's"))
    fetched = await channel.list_since(began)
    assert len(fetched) == 2
    assert {one.external_id for one in fetched} >= {brought.external_id}
    assert all(one.order_key == CUSTOMER for one in fetched)
    events = [event for raw in fetched for event in channel.parse(raw)]
    assert [event.text for event in events if isinstance(event, MessageReceived)] == ["by webhook", "lost"]
    [lost] = [event for event in events if isinstance(event, MessageReceived) and event.text == "lost"]
    assert lost.provider_time is not None
    assert b"".join([piece async for piece in channel.download(lost.attachments[0])]) == b"\x89PNG"
    assert await channel.list_since(datetime.now(UTC) + timedelta(hours=1)) == []


async def test_a_mutated_webhook_and_one_for_another_account_are_refused(bench: Harness) -> None:
    await bench.provider.messages.receive(CUSTOMER, "Where is it?")
    genuine = bench.hook.caught[-1]
    channel = _channel(bench)
    channel.verify(genuine)
    for changed in (
        replace(genuine, body=genuine.body.replace(b"Where", b"There")),
        replace(genuine, transport={"url": str(genuine.transport["url"]).replace("account-1", "account-2")}),
        replace(genuine, headers={}),
    ):
        with pytest.raises(Unverified):
            channel.verify(changed)
    assert channel.identify(genuine, ()).external_id == channel.identify(genuine, ()).external_id, "a replay is known"


# ---------------------------------------------------------------------------------------------------- files


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.test/a.png",
        "https://api.twilio.com.evil.test/a.png",
        "http://api.twilio.com/a.png",
        "http://169.254.169.254/latest/meta-data",
        "https://user@api.twilio.com/a.png",
        "file:///etc/passwd",
        "",
    ],
)
async def test_files_from_elsewhere_are_refused(bench: Harness, url: str) -> None:
    with pytest.raises(Rejected) as refused:
        async for _piece in _channel(bench).download(Attachment(filename="a", content_type="image/png", url=url)):
            pass
    assert refused.value.code == "media_host_refused"


async def test_pictures_go_as_mms_here_and_as_links_elsewhere(bench: Harness) -> None:
    await _channel(bench).send(bench.outbound("See", attachments=(PICTURE,)))
    abroad = {"kind": "phone", "value": "+4930123456"}
    await _channel(bench).send(bench.outbound("See", to=abroad, attachments=(PICTURE,)))
    document = PICTURE.model_copy(update={"content_type": "application/zip"})
    await _channel(bench).send(bench.outbound("", attachments=(document,)))
    rows = [row for row in bench.provider.messages.all() if row["direction"] == "outbound-api"]
    assert [(row["num_media"], row["body"]) for row in rows] == [
        ("1", "See"),
        ("0", f"See\n{PICTURE.url}"),
        ("0", PICTURE.url),
    ]


# ---------------------------------------------------------------------------------------------------- limits


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"text": "a" * 1531}, "text_too_long"),
        ({"text": "ы" * 671}, "text_too_long"),
        ({"text": "word " * 2000}, "text_too_long"),
        ({"text": ""}, "empty_message"),
        ({"attachments": (PICTURE.model_copy(update={"url": None, "content": b"x"}),)}, "file_without_url"),
        ({"to": {"kind": "phone", "value": "dhl express"}}, "not_a_number"),
    ],
)
async def test_what_cannot_go_is_refused_before_it_is_tried(bench: Harness, changes: dict[str, Any], code: str) -> None:
    with pytest.raises(Rejected) as refused:
        await _channel(bench).send(bench.outbound(**changes))
    assert refused.value.code == code
    assert bench.delivered() == []


async def test_ten_segments_of_either_alphabet_are_taken(bench: Harness) -> None:
    for text in ("a" * 1530, "ы" * 670):
        sent = await _channel(bench).send(bench.outbound(text))
        assert sent.detail["segments"] == 10


# ---------------------------------------------------------------------------------------------------- opt-out


async def test_stop_reaches_us_and_ends_what_we_send(bench: Harness) -> None:
    channel = _channel(bench)
    await bench.provider.messages.receive(CUSTOMER, "STOP")
    [event] = channel.parse(bench.hook.caught[-1])
    assert isinstance(event, PeerChanged)
    with pytest.raises(Undeliverable) as refused:
        await channel.send(bench.outbound())
    assert refused.value.code == "twilio_21610"


@pytest.mark.parametrize(
    ("word", "peer", "answered"),
    [
        ("stop", Peer(), "sms.opted_out Shop"),
        ("help", Peer(), "sms.help Shop"),
        ("start", Peer(), "sms.opted_in Shop"),
        ("yes", Peer(), ""),
        ("yes", Peer(opted_out=True), "sms.opted_in Shop"),
        ("Where is it?", Peer(), ""),
    ],
)
async def test_keywords_are_answered_once_by_whose_turn_it_is(
    bench: Harness, word: str, peer: Peer, answered: str
) -> None:
    await bench.provider.messages.receive(CUSTOMER, word)
    raw = bench.hook.caught[-1]
    ours, twilios = _channel(bench, keywords="autocrm", display_name="Shop"), _channel(bench)
    assert answered in ours.respond(raw, ours.parse(raw), peer).body.decode()
    assert ("<Message>" in ours.respond(raw, ours.parse(raw), peer).body.decode()) is bool(answered)
    assert "<Message>" not in twilios.respond(raw, twilios.parse(raw), peer).body.decode()


async def test_the_answer_to_a_webhook_is_never_sent_to_the_customer(bench: Harness) -> None:
    reply = _channel(bench).respond(RawInbound("", b"\xff"), (), Peer())
    bench.hook.body, bench.hook.content_type = reply.body.decode(), reply.content_type.partition(";")[0]
    await bench.provider.messages.receive(CUSTOMER, "Hi")
    assert [row["body"] for row in bench.provider.messages.all(CUSTOMER)] == ["Hi"]


# ---------------------------------------------------------------------------------------------------- the connection


async def test_connecting_sets_the_webhook_and_leaving_takes_only_ours(bench: Harness) -> None:
    channel, number = _channel(bench), bench.provider.numbers.all[0]
    bench.provider.numbers.set(number, sms_url="https://somebody.else.test/")
    await channel.unsubscribe()
    assert bench.provider.numbers.hooks(number)[0] == "https://somebody.else.test/"
    assert (await channel.check()).missing
    await channel.subscribe()
    assert bench.provider.numbers.hooks(number) == (bench.hook.url, bench.hook.url)
    assert (await channel.check()).missing == ()
    await channel.unsubscribe()
    assert bench.provider.numbers.hooks(number) == ("", "")


async def test_a_number_that_is_not_ours_is_said(bench: Harness) -> None:
    with pytest.raises(Rejected) as refused:
        await _channel(bench, number="+14155559999").check()
    assert refused.value.code == "unknown_number"


async def test_no_callback_to_an_address_that_twilio_would_refuse() -> None:
    values = {"account_sid": "AC" + "0" * 32, "auth_token": "not-a-real-token", "number": "+14155550100"}
    settings = SmsSettings.model_validate(values)
    for url, called in (
        ("http://127.0.0.1:8000", False),
        ("http://localhost:8000", False),
        ("http://10.0.0.8", False),
        ("https://help.shop.com", True),
    ):
        channel = Channel(Context("account-1", settings, "sms", public_url=url))
        assert (channel._callback("k") is not None) is called, url


@pytest.mark.parametrize(
    "wrong",
    [
        {"number": ""},
        {"messaging_service_sid": "MG" + "0" * 32},
        {"number": "4155550100a"},
        {"account_sid": "AC1"},
        {"default_country": "XX"},
        {"api_url": "ftp://x"},
        {"api_url": "https://user:pass@x.test"},
        {"auth_token": ""},
        {"surprise": 1},
    ],
)
def test_settings_that_do_not_hold(wrong: dict[str, object]) -> None:
    values = {"account_sid": "AC" + "0" * 32, "auth_token": "not-a-real-token", "number": "+14155550100"}
    with pytest.raises(ValueError, match="validation error"):
        SmsSettings.model_validate({**values, **wrong})


# ---------------------------------------------------------------------------------------------------- prices, the lab


async def test_the_last_receipt_learns_its_price(bench: Harness) -> None:
    channel = _channel(bench)
    await channel.send(bench.outbound("a" * 200))
    await bench.provider.settle()
    raw = bench.hook.caught[-1]
    [receipt] = await channel.enrich(channel.parse(raw), raw)
    assert isinstance(receipt, ReceiptReceived)
    assert receipt.facts == {"segments": 2, "price": "-0.01580", "currency": "USD"}
    bench.provider.misbehave(Trouble.BAD_CREDENTIALS)
    assert list(await channel.enrich(channel.parse(raw), raw)) == list(channel.parse(raw)), "facts may be missing"


async def test_the_lab_writes_and_shows_the_customers_phone(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    await lab.start()
    try:
        channel = Channel(Context("account-1", SmsSettings.model_validate(lab.connection()), "sms"))
        lab.hooks_at("http://127.0.0.1:9/hooks/sms/account-1")
        picture = File(filename="a.png", content_type="image/png", content=b"PNG")
        line = await lab.act(Act(verb=Verb.WRITE, who="+1 415 555 0177", text="Hi", files=(picture,)))
        await channel.send(Harness(tmp_path / "other").outbound("Hello"))
        await lab.provider.settle()
        shown = lab.lines(CUSTOMER)
        assert [(one.mine, one.text, one.state, one.files) for one in shown] == [
            (True, "Hi", None, ("a.png",)),
            (False, "Hello", "delivered", ()),
        ]
        assert shown[0].id == line
        for wrong in (Act(verb=Verb.WRITE, who="nobody", text="x"), Act(verb=Verb.WRITE, who=CUSTOMER)):
            with pytest.raises(Refused):
                await lab.act(wrong)
        for how in Misbehaviour:
            lab.misbehave(how)
    finally:
        await lab.stop()
