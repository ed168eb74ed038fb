"""Requests from outside: which are believed, which are known already, and what is not lost between them."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from channels.contract import ActionTaken, Context, Malformed, MessageReceived, Peer, RawInbound, Unverified
from channels.twilio.signature import HEADER, sign
from channels.twilio.twiml import read
from channels.voice.adapter import Channel
from channels.voice.settings import VoiceSettings
from channels.voice.state import At, Step, seal, step_of, unseal
from tests.channels.voice.house import CALLER, NUMBER, SPEECH, TEAM, House, Phone, said


async def question(phone: Phone) -> RawInbound:
    """A genuine callback that brings a question."""
    await phone.ask(await phone.call())
    return next(one for one in phone.house.requests if step_of(str(one.transport["url"])).at is At.TURN)


def changed(raw: RawInbound, **values: str) -> RawInbound:
    form = dict(parse_qsl(raw.body.decode(), keep_blank_values=True))
    return replace(raw, body=urlencode({**form, **values}).encode())


async def test_a_genuine_request_is_believed_and_nothing_else(phone: Phone, house: House) -> None:
    raw = await question(phone)
    url, adapter = str(raw.transport["url"]), house.adapter()
    adapter.verify(raw)
    form = parse_qsl(raw.body.decode(), keep_blank_values=True)
    forged = [
        replace(raw, headers={}),
        replace(raw, headers={HEADER: "x"}),
        replace(raw, headers={HEADER: sign(SecretStr("another"), url, form)}),
        changed(raw, From="+14155550111"),
        changed(raw, RecordingUrl="http://169.254.169.254/latest"),
        changed(raw, Extra="1"),
        *(
            replace(raw, transport={"url": url.replace(one, other)})
            for one, other in (("t=1", "t=2"), ("l=en", "l=de"), ("at=turn", "at=left"), ("/a1", "/a2"))
        ),
    ]
    for one in forged:
        with pytest.raises(Unverified):
            adapter.verify(one)
        assert (await house.take(one)).status == 403
    await adapter.aclose()


async def test_a_replayed_request_is_known(phone: Phone, house: House) -> None:
    raw = await question(phone)
    before = list(house.events)
    first, again = await house.take(raw), await house.take(raw)
    assert first.body == again.body
    assert house.events == before


@pytest.mark.parametrize("first", ["action", "callback"])
async def test_a_key_pressed_while_speaking_counts_whichever_callback_comes_first(
    phone: Phone, house: House, first: str
) -> None:
    call = await phone.call()
    await phone.to_the_tone()
    call.speak(SPEECH, finished=False)
    await phone.calls.settled()
    await phone.press(call, "0")
    both = [one for one in house.requests if b"RecordingSid" in one.body]
    assert len(both) == 2
    house.raws.clear()
    house.events.clear()
    for raw in both if first == "action" else reversed(both):
        await house.take(raw)
    assert len(house.of(MessageReceived)) == 1
    assert [one.action for one in house.of(ActionTaken)] == ["person"]


async def test_a_recordings_two_callbacks_are_one_raw(phone: Phone, house: House) -> None:
    await question(phone)
    assert len([one for one in house.requests if b"RecordingSid" in one.body]) == 2
    assert len([one for one in house.raws if b"RecordingSid" in one.body]) == 1


async def test_everything_of_a_call_keeps_its_order(phone: Phone, house: House) -> None:
    call = await phone.call()
    await phone.ask(call)
    await phone.answer("Thirty days.")
    await phone.hang_up(call)
    assert len(house.raws) == 4
    assert {one.order_key for one in house.raws} == {call.sid}
    assert len({one.external_id for one in house.raws}) == len(house.raws)


async def test_the_callers_number_stands_in_no_address(phone: Phone, house: House) -> None:
    house.changes["team_number"] = TEAM
    call = await phone.call()
    await phone.ask(call)
    await phone.answer("Thirty days.")
    await phone.ask(call)
    await phone.press(call, "0")
    urls = [str(one.transport["url"]) for one in house.requests]
    assert len(urls) > 5
    for number in (CALLER, NUMBER, TEAM):
        assert not any(number[1:] in url for url in urls)


def test_a_sealed_number_opens_only_for_its_account() -> None:
    sealed = seal(CALLER, b"one")
    assert unseal(sealed, b"one") == CALLER
    assert seal(CALLER, b"one") == sealed
    for text, secret in ((sealed, b"other"), (sealed[:-2], b"one"), ("", b"one"), ("é", b"one"), ("A" * 40, b"one")):
        with pytest.raises(Malformed):
            unseal(text, secret)


@pytest.mark.parametrize("step", [Step(at, 7, "zh-Hant", 2, 5, True, "0123456789ab", True, "x_-9") for at in At])
def test_a_step_survives_its_address(step: Step) -> None:
    assert step_of(step.url("https://shop.test/hooks/voice/a1")) == step


@pytest.mark.parametrize(
    "query", ["at=nowhere", "at=turn&t=x", "at=turn&t=-1", "at=wait&w=99999999", "t=" + "9" * 5000]
)
def test_an_address_of_nobodys_making_is_malformed(query: str) -> None:
    with pytest.raises(Malformed):
        step_of(f"https://shop.test/hooks/voice/a1?{query}")


@given(
    url=st.one_of(st.text(), st.builds("https://x.test/hooks?{}".format, st.text())),
    values=st.dictionaries(
        st.sampled_from("CallSid CallStatus Digits From To RecordingSid RecordingUrl RecordingDuration "
        "RecordingStartTime DialCallStatus StirVerstat".split()),
        st.one_of(st.text(), st.sampled_from(["CA" + "5a" * 16, "RE" + "5a" * 16, "0", "5", "hangup", CALLER])),
    ),
)  # fmt: skip
def test_no_request_makes_the_parser_fall_over(url: str, values: dict[str, str]) -> None:
    body = urlencode({name: value.encode("utf-8", "replace") for name, value in values.items()}).encode()
    raw = RawInbound("x", body, "application/x-www-form-urlencoded", transport={"url": url})
    channel = Channel(
        Context("a1", VoiceSettings(account_sid="AC" + "0a" * 16, auth_token=SecretStr("x"), number=NUMBER))
    )
    with contextlib.suppress(Malformed):
        channel.parse(raw)
    assert read(channel.respond(raw, (), Peer()).body)[1] == []


async def test_a_step_that_nobody_knows_greets_the_caller_again(phone: Phone, house: House) -> None:
    call = await phone.call()
    call.go_to(None, f"{house.context.hook_url}?at=of-another-version&t=4")
    await phone.calls.settled()
    assert call.heard()[-1] == said("en", "ask")
    assert call.heard().count(said("en", "ask")) == 2
    house.events.clear()


async def test_what_was_said_in_an_outage_is_found_afterwards(phone: Phone, house: House) -> None:
    known = await phone.call()
    await phone.ask(known)
    lost = await phone.call("+33612345678")
    await phone.to_the_tone()
    house.broken = True
    await phone.speak(lost)
    assert any(one.startswith("11200") for one in phone.calls.problems())
    phone.calls.problems = lambda: []  # type: ignore[method-assign]
    house.broken = False
    adapter = house.adapter()
    raws = await adapter.list_since(datetime.now(UTC) - timedelta(hours=1))
    new = [one for one in raws if one.external_id not in {stored.external_id for stored in house.raws}]
    assert len(raws) == 2
    (event,) = [event for raw in new for event in adapter.parse(raw)]
    await adapter.aclose()
    assert isinstance(event, MessageReceived)
    assert (event.sender.value, event.conversation) == ("+33612345678", lost.sid)
    assert event.attachments[0].url
