"""Who is a machine, and whom no machine may answer."""

from __future__ import annotations

import pytest

from channels.contract import Automation
from tests.channels.email.mailbox import ADDRESS, mail, message


@pytest.mark.parametrize(
    ("field", "automation"),
    [
        ("Auto-Submitted: auto-replied", Automation.AUTO_REPLY),
        ("Auto-Submitted: auto-replied; owner-email=x", Automation.AUTO_REPLY),
        ("Auto-Submitted: auto-generated", Automation.BULK),
        ("Auto-Submitted: auto-notified", Automation.BULK),
        ("Precedence: bulk", Automation.BULK),
        ("Precedence: junk", Automation.BULK),
        ("Precedence: list", Automation.BULK),
        ("Precedence: auto_reply", Automation.AUTO_REPLY),
        ("List-Id: <x.list.test>", Automation.BULK),
        ("List-Unsubscribe: <https://x.test>", Automation.BULK),
        ("X-Autoreply: yes", Automation.AUTO_REPLY),
        ("X-Autorespond: x", Automation.AUTO_REPLY),
        ("Return-Path: <>", Automation.AUTO_REPLY),
        ("Subject: Automatic reply: Your order", Automation.AUTO_REPLY),
        ("Subject: Out of Office: Your order", Automation.AUTO_REPLY),
        ("Subject: Re: Out of office", Automation.AUTO_REPLY),
        ("Subject: Automatische Antwort: Bestellung", Automation.AUTO_REPLY),
        ("Subject: Abwesenheitsnotiz: Bestellung", Automation.AUTO_REPLY),
        ("Subject: Réponse automatique : commande", Automation.AUTO_REPLY),
        ("Subject: Respuesta automática: pedido", Automation.AUTO_REPLY),
        ("Subject: Risposta automatica: ordine", Automation.AUTO_REPLY),
        ("Subject: Автоматический ответ: заказ", Automation.AUTO_REPLY),
        ("Subject: 自动回复: 订单", Automation.AUTO_REPLY),
        ("Subject: 自動返信: 注文", Automation.AUTO_REPLY),
    ],
)
def test_machines_are_known_by_their_fields(field: str, automation: Automation) -> None:
    event = message(mail(field))
    assert event.automation is automation
    assert event.suppress_auto_reply


@pytest.mark.parametrize(
    "field",
    [
        "Auto-Submitted: no",
        "Precedence: normal",
        "X-Priority: 1",
        "Subject: Is your office out of order?",
        "Subject: The automatic reply of your shop is wrong",
        "Return-Path: <ann@customer.test>",
    ],
)
def test_people_are_people(field: str) -> None:
    event = message(mail(field))
    assert event.automation is Automation.NONE
    assert not event.suppress_auto_reply


@pytest.mark.parametrize("wish", ["All", "OOF", "DR, RN, NRN, OOF, AutoReply"])
def test_a_wish_for_silence_silences_us_but_makes_no_machine(wish: str) -> None:
    """Exchange puts it on people's mail too."""
    event = message(mail(f"X-Auto-Response-Suppress: {wish}"))
    assert event.automation is Automation.NONE
    assert event.suppress_auto_reply


def test_the_null_path_is_a_machines() -> None:
    assert message(mail(), mail_from="").automation is Automation.AUTO_REPLY


def test_reports_of_any_kind_get_no_automatic_answer() -> None:
    event = message(mail("Content-Type: multipart/report; report-type=x; boundary=b", body="--b\r\n\r\nx\r\n--b--"))
    assert event.suppress_auto_reply


@pytest.mark.parametrize(
    "fields",
    [
        (f"X-Loop: {ADDRESS}",),
        (f"From: Shop <{ADDRESS}>",),
        ("From: support+rusomethingelse@shop.test", f"X-Loop: {ADDRESS}"),
    ],
)
def test_our_own_mail_coming_back_is_never_answered(fields: tuple[str, ...]) -> None:
    event = message(mail(*fields))
    assert event.automation is Automation.AUTO_REPLY
    assert event.facts["loop"] is True
    assert event.suppress_auto_reply


@pytest.mark.parametrize(
    ("sender", "subject", "body"),
    [
        ("forwarding-noreply@google.com", "(#1) Gmail Forwarding Confirmation", "https://mail.google.com/x"),
        ("forwarding-noreply@google.com", "(#1) Gmail-Weiterleitungsbestätigung", "https://mail.google.com/x"),
        (
            "account-security-noreply@accountprotection.microsoft.com",
            "Microsoft account security code",
            "Security code: 123456",
        ),
        ("no-reply@service.test", "Verify your email address", "https://service.test/verify"),
        ("noreply@service.test", "123456 is your confirmation code", "Your code is 123456"),
        ("no-reply@service.test", "Bitte bestätigen Sie Ihre E-Mail-Adresse", "https://service.test/x"),
        ("no-reply@service.test", "Votre code de vérification", "Code : 482913"),
        ("verify@service.test", "验证码", "您的验证码是 482913"),
    ],
)
def test_proofs_of_ownership_are_set_apart(sender: str, subject: str, body: str) -> None:
    event = message(mail(f"Subject: {subject}", body=body, sender=f"Service <{sender}>"))
    assert event.automation is Automation.VERIFICATION
    assert event.suppress_auto_reply


@pytest.mark.parametrize(
    ("subject", "body"),
    [
        ("Verification code never arrives", "I get no verification code, I tried 123456. https://shop.test/login"),
        ("Please verify my account", "Account 482913 is locked."),
        ("Re: Verify your email address", "I did, and it says 404: https://shop.test/verify"),
    ],
)
def test_people_who_write_about_codes_are_people(subject: str, body: str) -> None:
    assert message(mail(f"Subject: {subject}", body=body)).automation is Automation.NONE
