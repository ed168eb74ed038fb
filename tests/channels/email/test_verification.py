"""What a verification mail asks for: its code, and a link to the sender's own house or none."""

from __future__ import annotations

import pytest

from channels.contract import Authenticity, MessageReceived, Verification, Verifies
from channels.email.verification import find_code, find_link
from tests.channels.email.mailbox import ADDRESS, channel, mail, raw

GOOGLE = "forwarding-noreply@google.com"
GOOGLE_LINK = "https://mail-settings.google.com/mail/vf-%5BANGjdJ8xyz%5D-abc_DEF"
GOOGLE_CANCEL = "https://mail-settings.google.com/mail/uf-%5BANGjdJ8xyz%5D-abc_DEF"
GOOGLE_TEXT = f"""owner@gmail.example has requested to automatically forward mail to your email
address {ADDRESS}.
Confirmation code: 123456789

To allow owner@gmail.example to automatically forward mail to your address,
please click the link below to confirm the request:

{GOOGLE_LINK}

If you accidentally clicked the link, but you do not want to allow this, click this link to cancel this verification:
{GOOGLE_CANCEL}

To learn more, please visit: https://support.google.com/mail/bin/answer.py?answer=184973
"""


def read(
    body: str, *fields: str, sender: str, subject: str, authenticity: Authenticity = Authenticity.UNKNOWN
) -> Verification | None:
    adapter = channel()
    inbound = raw(mail(f"Subject: {subject}", *fields, body=body.replace("\n", "\r\n"), sender=sender))
    events = [
        event.model_copy(update={"authenticity": authenticity}) if isinstance(event, MessageReceived) else event
        for event in adapter.parse(inbound)
    ]
    assert isinstance(adapter, Verifies)
    return adapter.verification(inbound, events)


def test_a_forwarding_confirmation_of_gmail() -> None:
    found = read(GOOGLE_TEXT, sender=GOOGLE, subject="(#123456789) Gmail Forwarding Confirmation")
    assert found is not None
    assert (found.sender.value, found.code, found.link) == (GOOGLE, "123456789", GOOGLE_LINK)


@pytest.mark.parametrize(
    ("sender", "subject", "body", "code", "link"),
    [
        (
            "account-security-noreply@accountprotection.microsoft.com",
            "Microsoft account security code",
            "Security code: 4821907\n\nIf you didn't request this, https://account.live.com/report tell us.",
            "4821907",
            None,
        ),
        (
            "noreply@fastmail.com",
            "Please verify your email address",
            "Click https://app.fastmail.com/verify/abc-def to confirm.\nHelp: https://www.fastmail.help/x",
            None,
            "https://app.fastmail.com/verify/abc-def",
        ),
        (
            "noreply@zoho.com",
            "Confirm your email forwarding",
            "Your confirmation code is AB12CD\nor open https://mail.zoho.com/mail/confirmForward.do?digest=xyz&t=1.",
            "AB12CD",
            "https://mail.zoho.com/mail/confirmForward.do?digest=xyz&t=1",
        ),
        (
            "no-reply@shopsystem.test",
            "Bestätigen Sie Ihre E-Mail-Adresse",
            "Ihr Bestätigungscode: 551-902\nhttps://login.shopsystem.test/bestaetigen?token=1",
            "551-902",
            "https://login.shopsystem.test/bestaetigen?token=1",
        ),
        (
            "no-reply@shop2.test",
            "Your verification code",
            "Hi,\n\n  883120  \n\nUse it within 10 minutes.",
            "883120",
            None,
        ),
        (
            "no-reply@shop2.test",
            "739211 is your shop2 code",
            "Enter the code above. 12 people like you.",
            "739211",
            None,
        ),
        ("no-reply@shop2.test", "验证码", "您的验证码：665544，请勿泄露", "665544", None),
    ],
)
def test_codes_and_links_of_other_services(
    sender: str, subject: str, body: str, code: str | None, link: str | None
) -> None:
    found = read(body, sender=sender, subject=subject)
    assert found is not None
    assert (found.code, found.link) == (code, link)


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.test/mail/vf-confirm",
        "https://google.com.evil.test/verify",
        "https://evil.test/?u=https://mail-settings.google.com/mail/vf-1",
        "https://mail-settings.google.com@evil.test/verify",
        "https://mail-settings.google.com:8443/verify",
        "https://user:pass@mail-settings.google.com/verify",
        "http://mail-settings.google.com/mail/vf-1",
        "javascript:alert('https://mail-settings.google.com/verify')",
        "https://mail-settings.google.com\\@evil.test/verify",
        "https://xgoogle.com/verify",
        "https://goog1e.com/verify",
        "https://mail-settings.gооgle.com/verify",
        "https://127.0.0.1/verify",
        "https://[::1]/verify",
        "https://google/verify",
        "https:///verify",
        "https://.google.com/verify",
        "https://%67oogle.com/verify",
        "data:text/html,https://mail-settings.google.com/verify",
    ],
)
def test_links_that_lead_elsewhere_are_not_shown(link: str) -> None:
    body = f"Confirmation code: 123456789\n\n{link}\n"
    found = read(body, sender=GOOGLE, subject="(#123456789) Gmail Forwarding Confirmation")
    assert found is not None
    assert found.code == "123456789"
    assert found.link is None
    assert (
        find_link("", f'<p><a href="{link}">https://mail-settings.google.com/verify</a></p>', ("google.com",)) is None
    )


def test_a_link_in_html_counts_by_where_it_leads() -> None:
    page = (
        '<a href="https://evil.test/verify">https://mail-settings.google.com/verify</a>'
        f'<a href="{GOOGLE_LINK.replace("%5B", "%5b")}">Confirm</a>'
    )
    found = read(page, "Content-Type: text/html; charset=utf-8", sender=GOOGLE, subject="Gmail Forwarding Confirmation")
    assert found is not None
    assert found.link == GOOGLE_LINK.replace("%5B", "%5b")


def test_of_several_links_that_may_mean_anything_none_is_chosen() -> None:
    assert find_link("https://a.test/one https://a.test/two", "", ("a.test",)) is None
    assert find_link("https://a.test/one https://a.test/help", "", ("a.test",)) == "https://a.test/one"
    assert find_link("https://a.test/unsubscribe?verify=1", "", ("a.test",)) is None


def test_of_a_forged_sender_nothing_but_its_name_is_shown() -> None:
    found = read(
        GOOGLE_TEXT,
        sender=GOOGLE,
        subject="(#123456789) Gmail Forwarding Confirmation",
        authenticity=Authenticity.FAIL,
    )
    assert found is not None
    assert (found.code, found.link, found.sender.value) == (None, None, GOOGLE)


def test_a_customers_mail_is_no_verification() -> None:
    body = "Confirmation code: 123456789 https://customer.test/verify"
    assert read(body, sender="ann@customer.test", subject="Gmail Forwarding Confirmation") is None


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "bomb",
    [
        "https://mail-settings.google.com/" * 20_000,
        "code " * 100_000,
        "code:" + " " * 200_000,
        "A1B2-" * 100_000,
        '<a href="https://google.com/verify">' * 20_000,
        "1234567" * 50_000,
    ],
)
def test_hostile_mails_cost_no_more_than_their_length(bomb: str) -> None:
    assert read(bomb, sender=GOOGLE, subject="Gmail Forwarding Confirmation") is not None
    find_code(bomb[:998], bomb)
    find_link(bomb, bomb, ("google.com",))
