"""Forwarded mail: who wrote first is found, offered as a claim, and never believed."""

from __future__ import annotations

from collections.abc import Mapping
from email.message import EmailMessage
from typing import Any

import pytest

from channels.contract import Malformed
from tests.channels.email.mailbox import ADDRESS, channel, mail, message, raw

AGENT = "Alex <alex@shop.test>"


def forwarded(body: str, *fields: str, subject: str = "Fwd: Broken lamp") -> Mapping[str, Any] | None:
    event = message(mail(f"Subject: {subject}", *fields, body=body.replace("\n", "\r\n"), sender=AGENT))
    assert event.sender.value == "alex@shop.test", "the requester changed by itself"
    return event.facts.get("forwarded")  # type: ignore[return-value]


GMAIL = """Please help her.

---------- Forwarded message ---------
From: Ann Customer <ann@customer.test>
Date: Mon, 2 Nov 2026 at 10:15
Subject: Broken lamp
To: Alex <alex@shop.test>
Cc: Bob <bob@customer.test>


My lamp is broken.

Ann
"""
OUTLOOK = """Bitte übernehmen.

Von: Ann Customer <ann@customer.test>
Gesendet: Montag, 2. November 2026 10:15
An: Alex <alex@shop.test>
Betreff: Broken lamp

My lamp is broken.

Ann
"""
OUTLOOK_TEXT = """________________________________
From: Ann Customer [mailto:ann@customer.test]
Sent: 02 November 2026 10:15
To: Alex <alex@shop.test<mailto:alex@shop.test>>
Subject: Broken lamp

My lamp is broken.

Ann
"""
APPLE = """See below.

> Anfang der weitergeleiteten Nachricht:
"""
APPLE_QUOTED = """See below.

Begin forwarded message:

> From: Ann Customer <ann@customer.test>
> Subject: Broken lamp
> Date: 2 November 2026 at 10:15:00 CET
> To: alex@shop.test
>
> My lamp is broken.
>
> Ann
"""
APPLE_BOLD = """Début du message réexpédié :

**De: **Ann Customer <ann@customer.test<mailto:ann@customer.test>>
**Objet: Broken lamp**
**Date: **2 novembre 2026 à 10:15:00 UTC+1
**À: **alex@shop.test

My lamp is broken.

Ann
"""
THUNDERBIRD = """
-------- Weitergeleitete Nachricht --------
Betreff: \tBroken lamp
Datum: \tMon, 2 Nov 2026 10:15:00 +0100
Von: \tAnn Customer <ann@customer.test>
An: \talex@shop.test



My lamp is broken.

Ann
"""
SPANISH = """---------- Mensaje reenviado ----------
De: Ann Customer <ann@customer.test>
Enviado el: lunes, 2 de noviembre de 2026 10:15
Para: alex@shop.test
Asunto: Broken lamp

My lamp is broken.

Ann
"""
CHINESE = """---------- 转发的邮件 ----------
发件人：Ann Customer <ann@customer.test>
发送时间：2026年11月2日 10:15
收件人：alex@shop.test
主题：Broken lamp

My lamp is broken.

Ann
"""
RUSSIAN = """-------- Пересылаемое сообщение --------
От: Ann Customer <ann@customer.test>
Дата: 2 ноября 2026 г.
Тема: Broken lamp
Кому: alex@shop.test

My lamp is broken.

Ann
"""
JAPANESE = """---------- 転送メッセージ ----------
差出人: Ann Customer <ann@customer.test>
送信日時: 2026年11月2日 10:15
件名: Broken lamp

My lamp is broken.

Ann
"""
LONG_ADDRESS = """---------- Forwarded message ---------
From: Ann Customer
 <ann@customer.test>
Date: Mon, 2 Nov 2026 10:15:00 +0100
Subject: Broken
 lamp
To:
alex@shop.test

My lamp is broken.

Ann
"""


@pytest.mark.parametrize(
    ("body", "subject"),
    [
        (GMAIL, "Fwd: Broken lamp"),
        (GMAIL, "Broken lamp"),
        (OUTLOOK, "WG: Broken lamp"),
        (OUTLOOK_TEXT, "FW: Broken lamp"),
        (APPLE_QUOTED, "Fwd: Broken lamp"),
        (APPLE_BOLD, "TR: Broken lamp"),
        (THUNDERBIRD, "Fwd: Broken lamp"),
        (SPANISH, "RV: Broken lamp"),
        (CHINESE, "转发：Broken lamp"),
        (RUSSIAN, "Fwd: Broken lamp"),
        (JAPANESE, "FW: Broken lamp"),
        (LONG_ADDRESS, "[Fwd: Broken lamp]"),
    ],
)
def test_the_forms_of_the_mail_programs(body: str, subject: str) -> None:
    found = forwarded(body, subject=subject)
    assert found is not None
    assert found["from"]["address"] == "ann@customer.test"
    assert found["subject"] == "Broken lamp"
    assert found["text"] == "My lamp is broken.\n\nAnn"
    assert found["trust"] == "claimed"


def test_name_and_date_are_kept_where_they_can_be_read() -> None:
    found = forwarded(THUNDERBIRD)
    assert found is not None
    assert found["from"] == {"address": "ann@customer.test", "name": "Ann Customer"}
    assert found["date"] == "2026-11-02T09:15:00+00:00"
    spanish = forwarded(SPANISH, subject="RV: x")
    assert spanish is not None
    assert spanish["date"] is None


@pytest.mark.parametrize(
    ("body", "subject"),
    [
        (GMAIL, "Re: Fwd: Broken lamp"),
        (OUTLOOK, "AW: Broken lamp"),
        (OUTLOOK, "Broken lamp"),
        ("Fwd: is what I wanted to ask about.", "Fwd: a question"),
        ("---------- Forwarded message ---------\nnothing follows", "Fwd: x"),
        ("---------- Forwarded message ---------\nFrom: nobody\nDate: today\nSubject: x\n\ny", "Fwd: x"),
        ("From: Ann <ann@customer.test>\nI have a question", "Fwd: x"),
        (APPLE, "Fwd: x"),
        ("Hello\n\n> ---------- Forwarded message ---------\n> From: a <a@b.test>\n> Date: x\n> Subject: y\n", "Hello"),
        (GMAIL.replace("ann@customer.test", "alex@shop.test"), "Fwd: x"),
        (GMAIL.replace("ann@customer.test", ADDRESS), "Fwd: x"),
    ],
)
def test_what_forwards_nothing_is_no_forward(body: str, subject: str) -> None:
    assert forwarded(body, subject=subject) is None


def attached(subject: str, text: str, *inner: EmailMessage) -> bytes:
    outer = EmailMessage()
    outer["From"], outer["To"], outer["Subject"], outer["Message-ID"] = AGENT, ADDRESS, subject, "<f1@shop.test>"
    outer.set_content(text)
    for one in inner:
        outer.add_attachment(one)
    return outer.as_bytes()


def original(number: int = 1) -> EmailMessage:
    one = EmailMessage()
    one["From"], one["To"] = f"Änn <ann{number}@customer.test>", "alex@shop.test"
    one["Subject"], one["Date"] = "Lampe kaputt", "Mon, 02 Nov 2026 10:15:00 +0100"
    one.set_content("Meine Lampe ist kaputt. Grüße")
    return one


def test_an_attached_mail_is_read() -> None:
    found = message(attached("Fwd: Lampe kaputt", "For you.", original())).facts["forwarded"]
    assert found == {
        "from": {"address": "ann1@customer.test", "name": "Änn"},
        "date": "2026-11-02T09:15:00+00:00",
        "subject": "Lampe kaputt",
        "text": "Meine Lampe ist kaputt. Grüße",
        "trust": "claimed",
    }
    assert "forwarded" in message(attached("Lamp", "For you.", original())).facts
    event = message(attached("Fwd: x", "For you.", original()))
    assert event.attachments[0].content_type == "message/rfc822", "the mail itself stays a file"


def test_several_attached_mails_and_an_annex_to_a_long_text_are_no_forward() -> None:
    assert "forwarded" not in message(attached("Fwd: two", "x", original(1), original(2))).facts
    assert "forwarded" not in message(attached("A report", "word " * 200, original())).facts
    nobody = original()
    del nobody["From"]
    assert "forwarded" not in message(attached("Fwd: x", "x", nobody)).facts


def test_a_forward_of_a_forward_gives_the_outer_one() -> None:
    inner = original()
    inner.add_attachment(original(2))
    found = message(attached("Fwd: x", "y", inner)).facts["forwarded"]
    assert isinstance(found, dict)
    assert found["from"] == {"address": "ann1@customer.test", "name": "Änn"}


def test_a_machines_mail_is_no_forward() -> None:
    assert forwarded(GMAIL, "Auto-Submitted: auto-replied") is None
    assert forwarded(GMAIL, "List-Id: <x.list.test>") is None


def test_the_claim_opens_no_door() -> None:
    """The sender, where answers go, and the conversation are those of who has forwarded."""
    event = message(mail("Subject: Fwd: Broken lamp", body=GMAIL.replace("\n", "\r\n"), sender=AGENT))
    assert event.sender.value == "alex@shop.test"
    assert event.route["reply_to"] == "alex@shop.test"
    assert "ann@customer.test" not in str(event.route) + str(event.thread_refs) + str(event.conversation)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "bomb",
    [
        "---------- Forwarded message ---------\n" * 20_000,
        "From: a <a@b.test>\n" * 50_000,
        "From: " + "a <a@b.test>, " * 50_000 + "\nDate: x\nSubject: y\n",
        "---------- Forwarded message ---------\nFrom: " + "<" * 100_000 + "\nDate: x\nSubject: y\n",
        "> " * 200_000 + "From: a@b.test",
        "Begin forwarded message:\n" + ">" * 100_000 + "\n" + ("From" + ":" * 500 + "\n") * 1000,
        "Subject: \n" * 30_000,
        "De :" + " " * 100_000 + "\n" * 100_000,
        "-" * 500_000,
        "[mailto:" * 50_000 + "\nSubject: x",
        "<mailto:" * 50_000,
    ],
)
def test_forward_bombs_cost_no_more_than_their_length(bomb: str) -> None:
    """Nothing is asserted but that it ends: patterns that try again and again would not, within the test's time."""
    forwarded(bomb, subject="Fwd: " + "Fwd: " * 150)


def test_a_mail_in_a_mail_in_a_mail_is_bounded() -> None:
    inner = original()
    for _ in range(40):
        outer = EmailMessage()
        outer["From"], outer["Subject"] = AGENT, "Fwd: deeper"
        outer.set_content("x")
        outer.add_attachment(inner)
        inner = outer
    with pytest.raises(Malformed):
        channel().parse(raw(inner.as_bytes()))
