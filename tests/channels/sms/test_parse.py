"""Webhooks of every shape become events, or are set apart; none breaks the parser."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.contract import (
    Automation,
    Malformed,
    MessageReceived,
    PeerChange,
    PeerChanged,
    RawInbound,
    ReceiptKind,
    ReceiptReceived,
)
from channels.sms.parse import identify, parse
from channels.sms.peers import address, normalise_number
from channels.sms.settings import SmsSettings

SID = "SM" + "ab" * 16
SETTINGS = SmsSettings.model_validate(
    {"account_sid": "AC" + "0" * 32, "auth_token": "not-a-real-token", "number": "+14155550100"}
)
TEXT = {"MessageSid": SID, "From": "+14155550177", "To": "+14155550100", "Body": "Hi", "SmsStatus": "received"}
STATUS = {"MessageSid": SID, "To": "+14155550177", "From": "+14155550100", "MessageStatus": "delivered"}


def _raw(form: dict[str, str], url: str = "") -> RawInbound:
    return RawInbound("", urlencode(form).encode(), "application/x-www-form-urlencoded", {}, {"url": url})


def _events(form: dict[str, str], url: str = "") -> list[Any]:
    return list(parse(_raw(form, url), SETTINGS))


@pytest.mark.parametrize(
    "word", ["STOP", "stop", " Stop ", "STOPALL", "unsubscribe", "REVOKE", "optout", "Arrêt", "ARRET"]
)
def test_words_that_only_mean_no_more(word: str) -> None:
    [event] = _events({**TEXT, "Body": word})
    assert isinstance(event, PeerChanged)
    assert event.change is PeerChange.OPTED_OUT
    assert event.peer.value == "+14155550177"


@pytest.mark.parametrize("word", ["Cancel", "END", "quit"])
def test_everyday_words_end_texts_and_are_still_read(word: str) -> None:
    changed, message = _events({**TEXT, "Body": word})
    assert changed.change is PeerChange.OPTED_OUT
    assert message.text == word
    assert message.suppress_auto_reply, "nobody who ended it is answered by a machine"
    assert changed.external_id != message.external_id


@pytest.mark.parametrize("sentence", ["Stop it", "please cancel", "STOP.", "the end", "ST OP", "yes please"])
def test_sentences_are_messages(sentence: str) -> None:
    [event] = _events({**TEXT, "Body": sentence})
    assert isinstance(event, MessageReceived)


def test_twilios_own_verdict_outweighs_the_words() -> None:
    changed, message = _events({**TEXT, "Body": "basta", "OptOutType": "STOP"})
    assert changed.change is PeerChange.OPTED_OUT
    assert message.text == "basta"
    [changed] = _events({**TEXT, "Body": "unstop", "OptOutType": "START"})
    assert changed.change is PeerChange.OPTED_IN
    [message] = _events({**TEXT, "Body": "Hi", "OptOutType": "NONSENSE"})
    assert message.text == "Hi"


def test_yes_is_an_answer_that_also_opts_in() -> None:
    changed, message = _events({**TEXT, "Body": "Yes"})
    assert changed.change is PeerChange.OPTED_IN
    assert not message.suppress_auto_reply


@pytest.mark.parametrize(
    ("count", "files"), [("0", 0), ("1", 1), ("99999999999", 0), ("10", 10), ("11", 10), ("-1", 0), ("٣", 0), ("", 0)]
)
def test_as_many_files_as_there_are(count: str, files: int) -> None:
    media = {f"MediaUrl{at}": f"https://api.twilio.com/m/{at}" for at in range(12)}
    types = {f"MediaContentType{at}": "image/png" for at in range(12)}
    [event] = _events({**TEXT, "NumMedia": count, **media, **types})
    assert len(event.attachments) == files


def test_files_with_hostile_types_and_addresses() -> None:
    [event] = _events(
        {
            **TEXT,
            "NumMedia": "3",
            "MediaUrl0": "file:///etc/passwd",
            "MediaContentType0": "image/png",
            "MediaUrl1": "https://api.twilio.com/m",
            "MediaContentType1": "image/svg+xml; x=\r\nSet-Cookie: a",
            "MediaUrl2": "https://api.twilio.com/n",
            "MediaContentType2": "../../etc",
        }
    )
    assert [one.content_type for one in event.attachments] == ["image/svg+xml", "application/octet-stream"]
    assert [one.filename for one in event.attachments] == ["image-2.svg", "file-3.bin"]


@pytest.mark.parametrize(
    "form",
    [
        {**TEXT, "MessageSid": ""},
        {**TEXT, "MessageSid": "SM123"},
        {**TEXT, "MessageSid": SID + "; DROP"},
        {**TEXT, "From": ""},
        {**TEXT, "From": "+"},
        {**TEXT, "From": "+999999999999999999999"},
        {**TEXT, "From": "whatsapp:+14155550177"},
        {**TEXT, "From": "<script>alert(1)</script>"},
        {"Body": "x"},
    ],
)
def test_without_a_message_or_a_sender_it_is_malformed(form: dict[str, str]) -> None:
    with pytest.raises(Malformed):
        _events(form)
    assert identify(_raw(form)).external_id


@pytest.mark.parametrize("status", ["accepted", "queued", "sending", "sent"])
def test_what_twilio_has_in_hand_is_sent(status: str) -> None:
    key = "019aa000-0000-7000-8000-000000000001"
    [receipt] = _events({**STATUS, "MessageStatus": status}, f"https://x.test/hooks?key={key}")
    assert (receipt.kind, receipt.key, receipt.message_id) == (ReceiptKind.SENT, key, SID)


def test_a_failure_blames_the_number_only_where_it_is_at_fault() -> None:
    for code, bad in (("30005", True), ("30006", True), ("30003", False), ("30007", False), ("", False), ("x", False)):
        [receipt] = _events({**STATUS, "MessageStatus": "undelivered", "ErrorCode": code})
        assert isinstance(receipt, ReceiptReceived)
        assert receipt.kind is ReceiptKind.FAILED
        assert receipt.permanent, "Twilio has given up"
        assert (receipt.recipient is not None) is bad
        assert receipt.code


def test_a_status_that_is_new_to_us_is_nothing() -> None:
    assert _events({**STATUS, "MessageStatus": "teleported"}) == []


def test_a_fallbacks_error_code_is_not_the_messages() -> None:
    [event] = _events({**TEXT, "ErrorCode": "11200", "ErrorUrl": "https://x.test"})
    assert event.text == "Hi"


def test_ids_and_places_in_line() -> None:
    inbound = identify(_raw(TEXT))
    assert (inbound.external_id, inbound.order_key) == (SID, "+14155550177")
    delivered = identify(_raw(STATUS))
    assert (delivered.external_id, delivered.order_key) == (f"{SID}:delivered", "+14155550177")
    sent = identify(_raw({**STATUS, "MessageStatus": "sent"}))
    assert sent.external_id != delivered.external_id


def test_our_own_number_writing_to_itself_is_a_machine() -> None:
    [event] = _events({**TEXT, "From": "+14155550100"})
    assert event.automation is Automation.AUTO_REPLY


@pytest.mark.parametrize(
    ("given_", "country", "expected"),
    [
        ("+1 (415) 555-0177", None, "+14155550177"),
        ("030 123456", "DE", "+4930123456"),
        ("030 123456", None, None),
        ("72345", None, "72345"),
        ("+441632960961", None, "+441632960961"),
        ("DHL", None, None),
        ("+1" + "4" * 60, None, None),
        ("+١٤١٥٥٥٥٠١٧٧", None, None),
    ],
)
def test_numbers(given_: str, country: str | None, expected: str | None) -> None:
    assert normalise_number(given_, country) == expected


def test_senders_that_are_names() -> None:
    name, same = address("DHL Express"), address("dhl express")
    assert name is not None
    assert same is not None
    assert name.value == same.value
    assert address("a name that is too long") is None


fields = st.dictionaries(
    st.sampled_from([*TEXT, *STATUS, "NumMedia", "MediaUrl0", "MediaContentType0", "ErrorCode", "OptOutType", "Price"]),
    st.text(max_size=40) | st.sampled_from([SID, "+14155550177", "delivered", "1"]),
)


@given(fields, st.text(max_size=30))
def test_no_form_breaks_the_parser(form: dict[str, str], url: str) -> None:
    raw = RawInbound(
        "", urlencode(form, errors="replace").encode(), "application/x-www-form-urlencoded", {}, {"url": url}
    )
    assert identify(raw).external_id
    with suppress(Malformed):
        first = parse(raw, SETTINGS)
        assert first == parse(raw, SETTINGS)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_parser(body: bytes) -> None:
    raw = RawInbound("", body, "application/x-www-form-urlencoded")
    assert identify(raw).external_id
    with pytest.raises(Malformed):
        parse(raw, SETTINGS)
