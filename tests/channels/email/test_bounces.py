"""Delivery reports, prose bounces, complaints and read receipts become receipts, never messages."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import uuid4

import pytest

from channels.contract import Automation, MessageReceived, ReceiptKind, ReceiptReceived
from channels.email import tokens
from tests.channels.email.mailbox import ADDRESS, SECRET, channel, mail, parsed, raw, receipts

FOLDER = "mail/bounces/flufl_bounce-6.0.0"

DEVIATIONS: dict[str, tuple[list[str], list[str], str]] = {
    "dsn_02.txt": (
        ["zzzzz@example.uk"],
        [],
        "Status 4.4.7: the mail has failed, but nothing says that the address is bad",
    ),
    "simple_44.txt": (
        ["user@example.com"],
        [],
        "4.4.4, the server was busy: the mail has failed, the address may be good",
    ),
    "llnl_01.txt": (
        [],
        ["lastnamenumber@llnl.gov", "user1@example.gov"],
        "the prose shows a sample address of the form that would be valid; it is taken along",
    ),
    "yale_01.txt": ([], [], "only a local name is given; guessing two domains for it could mark a stranger's address"),
}
"""Where we differ on purpose: temporary, permanent, why."""

NAMES = [
    "aol_01",
    "bounce_01",
    "bounce_02",
    "bounce_03",
    "caiwireless_01",
    "dumbass_01",
    "exim_01",
    "groupwise_01",
    "groupwise_02",
    "groupwise_03",
    "hotpop_01",
    "llnl_01",
    "netscape_01",
    "newmailru_01",
    "sendmail_01",
    "sina_01",
    "yale_01",
]
NAMES += [
    f"{kind}_{n:02}"
    for kind, last in (
        ("dsn", 18),
        ("microsoft", 4),
        ("postfix", 5),
        ("qmail", 8),
        ("simple", 45),
        ("smtp32", 7),
        ("yahoo", 13),
    )
    for n in range(1, last + 1)
]


def test_every_case_of_the_corpus_is_listed(material: Path) -> None:
    expected = json.loads((material / FOLDER / "expected_failures.json").read_text())
    assert sorted(expected) == sorted(f"{name}.txt" for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_flufl_corpus(material: Path, name: str) -> None:
    expected = json.loads((material / FOLDER / "expected_failures.json").read_text())[f"{name}.txt"]
    temporary, permanent = ({one.lower() for one in expected[kind]} for kind in ("temporary", "permanent"))
    if f"{name}.txt" in DEVIATIONS:
        temporary, permanent = (set(one) for one in DEVIATIONS[f"{name}.txt"][:2])
    found = receipts((material / FOLDER / "tests/data" / f"{name}.txt").read_bytes())
    assert {one.recipient.value for one in found if one.recipient and not one.permanent} == temporary
    assert {one.recipient.value for one in found if one.recipient and one.permanent} == permanent
    assert all(one.kind is ReceiptKind.FAILED and one.automation is Automation.BOUNCE for one in found)


def test_mail_without_failures_in_the_corpus_is_no_receipt_about_an_address(material: Path) -> None:
    quiet = ["dumbass_01", "groupwise_03", "qmail_08", "simple_43"]
    for name in quiet:
        (event,) = parsed((material / FOLDER / "tests/data" / f"{name}.txt").read_bytes())
        assert isinstance(event, MessageReceived), name


DSN = """From: Mail Delivery System <mailer-daemon@mx.customer.test>
To: support@shop.test
Subject: Undelivered Mail Returned to Sender
Message-ID: <dsn1@mx.customer.test>
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: text/plain

I'm sorry.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.customer.test

{fields}
--b
Content-Type: {kind}

Message-ID: <11111111-2222-4333-8444-555555555555@shop.test>
From: support@shop.test
Subject: Your order

Hello
--b--
"""


@pytest.mark.parametrize("kind", ["message/rfc822", "text/rfc822-headers"])
def test_a_delivery_report_names_mail_recipient_and_status(kind: str) -> None:
    fields = "Final-Recipient: rfc822; Ann@Customer.test\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 no such user"
    (event,) = receipts(DSN.format(fields=fields, kind=kind), mail_from="")
    assert event.kind is ReceiptKind.FAILED
    assert event.message_id == "<11111111-2222-4333-8444-555555555555@shop.test>"
    assert event.recipient is not None
    assert event.recipient.value == "ann@customer.test"
    assert (event.code, event.permanent) == ("5.1.1", True)
    assert event.detail is not None
    assert "no such user" in event.detail
    assert event.external_id == "<dsn1@mx.customer.test>"


@pytest.mark.parametrize(
    ("action", "status", "kind", "permanent"),
    [
        ("delayed", "4.4.1", ReceiptKind.FAILED, False),
        ("failed", "4.4.7", ReceiptKind.FAILED, False),
        ("failed", "5.2.2", ReceiptKind.FAILED, True),
        ("delivered", "2.1.5", ReceiptKind.DELIVERED, True),
        ("relayed", "2.1.9", ReceiptKind.DELIVERED, True),
    ],
)
def test_action_and_status_decide(action: str, status: str, kind: ReceiptKind, permanent: bool) -> None:
    fields = f"Final-Recipient: rfc822; ann@customer.test\nAction: {action}\nStatus: {status}"
    (event,) = receipts(DSN.format(fields=fields, kind="message/rfc822"))
    assert (event.kind, event.permanent, event.code) == (kind, permanent, status)


def test_one_report_about_two_recipients_is_two_receipts_with_ids_of_their_own() -> None:
    fields = "\n\n".join(
        f"Final-Recipient: rfc822; {who}@customer.test\nAction: failed\nStatus: 5.1.1" for who in ("ann", "bob")
    )
    first, second = receipts(DSN.format(fields=fields, kind="message/rfc822"))
    assert first.external_id != second.external_id
    assert [one.recipient.value for one in (first, second) if one.recipient] == [
        "ann@customer.test",
        "bob@customer.test",
    ]


def test_a_tagged_return_path_names_the_message_without_any_header_of_it() -> None:
    key = str(uuid4())
    tagged = tokens.signed_address(ADDRESS, tokens.Purpose.BOUNCE, key, SECRET)
    text = mail(
        "Subject: failure notice", body="Sorry, <ann@customer.test>: no such user here", sender="MAILER-DAEMON@mx.test"
    )
    (event,) = channel().parse(raw(text, mail_from="", rcpt_to=[tagged]))
    assert isinstance(event, ReceiptReceived)
    assert event.key == key


def test_a_forged_bounce_token_names_nothing() -> None:
    tagged = tokens.signed_address(ADDRESS, tokens.Purpose.BOUNCE, str(uuid4()), b"another account's secret")
    text = mail(
        "Subject: failure notice", body="Sorry, <ann@customer.test>: no such user here", sender="MAILER-DAEMON@mx.test"
    )
    (event,) = channel().parse(raw(text, mail_from="", rcpt_to=[tagged]))
    assert isinstance(event, ReceiptReceived)
    assert event.key is None


@pytest.mark.parametrize(
    ("subject", "body"),
    [
        ("Undelivered mail?", "Hi, my parcel could not be delivered, see tracking. Regards, ann@customer.test"),
        (
            "Fwd: Undelivered Mail Returned to Sender",
            "I get this when I write to you:\n\n<orders@shop.test>: user unknown",
        ),
        ("Delivery failed", "The courier failed to deliver my order. What now?"),
        ("Re: Delivery problem", "It was not delivered."),
    ],
)
def test_customers_who_write_about_failed_deliveries_are_customers(subject: str, body: str) -> None:
    (event,) = parsed(mail(f"Subject: {subject}", body=body))
    assert isinstance(event, MessageReceived)


ARF = """From: <feedback@isp.test>
To: support@shop.test
Subject: FW: Your order
Message-ID: <arf1@isp.test>
Content-Type: multipart/report; report-type=feedback-report; boundary=b

--b
Content-Type: text/plain

This is an email abuse report.
--b
Content-Type: message/feedback-report

Feedback-Type: {kind}
User-Agent: SomeGenerator/1.0
Version: 1
Original-Rcpt-To: <ann@isp.test>

--b
Content-Type: message/rfc822

Message-ID: <11111111-2222-4333-8444-555555555555@shop.test>
From: support@shop.test

Hello
--b--
"""


def test_a_complaint() -> None:
    (event,) = receipts(ARF.format(kind="abuse"))
    assert event.automation is Automation.COMPLAINT
    assert event.kind is ReceiptKind.FAILED
    assert event.message_id == "<11111111-2222-4333-8444-555555555555@shop.test>"
    assert event.recipient is not None
    assert event.recipient.value == "ann@isp.test"


MDN = """From: Ann <ann@customer.test>
To: support@shop.test
Subject: Read: Your order
Message-ID: <mdn1@customer.test>
Content-Type: multipart/report; report-type=disposition-notification; boundary=b

--b
Content-Type: text/plain

Your message was read.
--b
Content-Type: message/disposition-notification

Final-Recipient: rfc822; ann@customer.test
Original-Message-ID: <11111111-2222-4333-8444-555555555555@shop.test>
Disposition: manual-action/MDN-sent-manually; displayed
--b--
"""


def test_a_read_receipt() -> None:
    (event,) = receipts(MDN)
    assert event.kind is ReceiptKind.READ
    assert event.message_id == "<11111111-2222-4333-8444-555555555555@shop.test>"
