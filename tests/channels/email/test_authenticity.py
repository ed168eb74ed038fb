"""Who is believed to have written a mail, judged over a real DNS wire."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

import dkim
import dns.resolver
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from channels.contract import Authenticity, MessageReceived
from channels.email.adapter import Channel
from tests.channels.email.mailbox import channel, mail, raw
from tests.channels.email.nameserver import nameserver, txt

PEER = "8.8.4.4"
SPF = {("customer.test", "TXT"): txt("v=spf1 ip4:8.8.4.0/24 -all")}
REJECT = {("_dmarc.customer.test", "TXT"): txt("v=DMARC1; p=reject")}
Records = Mapping[tuple[str, str], Sequence[str]]


def keys() -> tuple[bytes, Records]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private, {
        ("s1._domainkey.customer.test", "TXT"): txt("v=DKIM1; k=rsa; p=" + base64.b64encode(public).decode())
    }


PRIVATE, KEY = keys()


def signed(text: str, domain: str = "customer.test", **options: object) -> bytes:
    body = text.encode()
    return (
        bytes(dkim.sign(body, b"s1", domain.encode(), PRIVATE, include_headers=[b"from", b"subject"], **options)) + body
    )


async def judged(
    resolver: dns.resolver.Resolver,
    body: bytes,
    monkeypatch: pytest.MonkeyPatch,
    *,
    settings: Mapping[str, object] | None = None,
    **transport: object,
) -> MessageReceived:
    monkeypatch.setattr(Channel, "resolver", resolver)
    adapter = channel(**(settings or {}))
    inbound = raw(
        body,
        **{
            "protocol": "smtp",
            "peer_ip": PEER,
            "helo": "mx.customer.test",
            "mail_from": "ann@customer.test",
            **transport,
        },
    )
    (event,) = await adapter.enrich(adapter.parse(inbound), inbound)
    assert isinstance(event, MessageReceived)
    return event


@pytest.mark.parametrize(
    ("records", "transport", "authenticity", "spf"),
    [
        ({**SPF, **REJECT}, {}, Authenticity.PASS, "pass"),
        (SPF, {}, Authenticity.PASS, "pass"),
        ({**SPF, **REJECT}, {"peer_ip": "9.9.9.9"}, Authenticity.FAIL, "fail"),
        (SPF, {"peer_ip": "9.9.9.9"}, Authenticity.FAIL, "fail"),
        ({("customer.test", "TXT"): txt("v=spf1 ~all")}, {}, Authenticity.UNKNOWN, "softfail"),
        ({("evil.test", "TXT"): txt("v=spf1 +all"), **REJECT}, {"mail_from": "x@evil.test"}, Authenticity.FAIL, "pass"),
        ({("evil.test", "TXT"): txt("v=spf1 +all")}, {"mail_from": "x@evil.test"}, Authenticity.UNKNOWN, "pass"),
        ({**SPF, **REJECT}, {"peer_ip": "127.0.0.1"}, Authenticity.UNKNOWN, "none"),
        ({**SPF, **REJECT}, {"peer_ip": "10.1.2.3"}, Authenticity.UNKNOWN, "none"),
        (
            {("mx.customer.test", "TXT"): txt("v=spf1 ip4:8.8.4.4 -all"), **REJECT},
            {"mail_from": ""},
            Authenticity.PASS,
            "pass",
        ),
        ({("customer.test", "TXT"): txt("v=spf1 include:customer.test -all")}, {}, Authenticity.UNKNOWN, "permerror"),
    ],
)
async def test_spf_and_its_alignment(
    monkeypatch: pytest.MonkeyPatch,
    records: Records,
    transport: Mapping[str, object],
    authenticity: Authenticity,
    spf: str,
) -> None:
    async with nameserver(records) as (resolver, _asked):
        event = await judged(resolver, mail().encode(), monkeypatch, **transport)
    assert (event.authenticity, event.facts["spf"]) == (authenticity, spf)


async def test_a_signature_of_the_senders_domain_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    async with nameserver({**KEY, **REJECT}) as (resolver, _asked):
        event = await judged(resolver, signed(mail()), monkeypatch, peer_ip="9.9.9.9", mail_from="list@lists.test")
    assert (event.authenticity, event.facts["dkim"], event.facts["dmarc"]) == (Authenticity.PASS, "pass", "pass")


async def test_a_changed_mail_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    async with nameserver({**KEY, **REJECT}) as (resolver, _asked):
        event = await judged(resolver, signed(mail()).replace(b"Hello", b"Pay me"), monkeypatch, peer_ip="9.9.9.9")
    assert event.authenticity is Authenticity.FAIL


async def test_a_signature_of_another_domain_proves_nothing_about_this_one(monkeypatch: pytest.MonkeyPatch) -> None:
    records = {("s1._domainkey.evil.test", "TXT"): next(iter(KEY.values())), **REJECT}
    async with nameserver(records) as (resolver, _asked):
        event = await judged(resolver, signed(mail(), "evil.test"), monkeypatch, mail_from="x@evil.test")
    assert (event.authenticity, event.facts["dkim"]) == (Authenticity.FAIL, "pass")


async def test_a_signature_over_part_of_the_body_vouches_for_none_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async with nameserver({**KEY, **REJECT}) as (resolver, _asked):
        event = await judged(resolver, signed(mail(), length=True) + b"\r\nPay me", monkeypatch, peer_ip="9.9.9.9")
    assert event.authenticity is Authenticity.FAIL


@pytest.mark.parametrize(
    ("policy", "authenticity"),
    [("v=DMARC1; p=reject", Authenticity.PASS), ("v=DMARC1; p=reject; adkim=s; aspf=s", Authenticity.FAIL)],
)
async def test_a_sister_domain_counts_unless_the_policy_is_strict(
    monkeypatch: pytest.MonkeyPatch, policy: str, authenticity: Authenticity
) -> None:
    records = {
        ("s1._domainkey.mail.customer.test", "TXT"): next(iter(KEY.values())),
        ("_dmarc.customer.test", "TXT"): txt(policy),
    }
    async with nameserver(records) as (resolver, _asked):
        event = await judged(
            resolver, signed(mail(), "mail.customer.test"), monkeypatch, peer_ip="9.9.9.9", mail_from=""
        )
    assert event.authenticity is authenticity


async def test_two_senders_are_a_trick(monkeypatch: pytest.MonkeyPatch) -> None:
    async with nameserver({**SPF, **REJECT}) as (resolver, _asked):
        body = mail("From: ann@customer.test", "From: ceo@shop.test").encode()
        assert (await judged(resolver, body, monkeypatch)).authenticity is Authenticity.FAIL
        body = mail(sender="ann@customer.test, ceo@shop.test").encode()
        assert (await judged(resolver, body, monkeypatch)).authenticity is Authenticity.FAIL


async def test_a_silent_nameserver_leaves_the_sender_unverified_and_is_not_asked_again_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("channels.email.authenticity._ONE_QUESTION_SECONDS", 0.2)
    async with nameserver({}, silent=True) as (resolver, asked):
        event = await judged(resolver, signed(mail()), monkeypatch)
        first = len(asked)
        assert event.authenticity is Authenticity.UNKNOWN
        assert (await judged(resolver, signed(mail()), monkeypatch)).authenticity is Authenticity.UNKNOWN
        assert len(asked) == first


async def test_mail_that_claims_nothing_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    async with nameserver({}) as (resolver, asked):
        event = await judged(resolver, mail().encode(), monkeypatch, peer_ip="127.0.0.1")
    assert event.authenticity is Authenticity.UNKNOWN
    assert asked == []


IMAP = {"incoming": "imap", "imap_host": "h", "imap_user": "u", "authserv_id": "mx.provider.test"}


@pytest.mark.parametrize(
    ("fields", "authenticity"),
    [
        (
            (
                "mx.provider.test; spf=pass smtp.mailfrom=customer.test; dmarc=pass (p=REJECT) header.from=customer.test",
            ),
            Authenticity.PASS,
        ),
        (("mx.provider.test; dkim=fail; dmarc=fail header.from=customer.test",), Authenticity.FAIL),
        (("evil.test; dmarc=pass header.from=customer.test",), Authenticity.UNKNOWN),
        (("mx.provider.test.evil.test; dmarc=pass header.from=customer.test",), Authenticity.UNKNOWN),
        (("mx.provider.test; dmarc=pass header.from=other.test",), Authenticity.UNKNOWN),
        (
            (
                "mx.provider.test; dmarc=fail header.from=customer.test",
                "mx.provider.test; dmarc=pass header.from=customer.test",
            ),
            Authenticity.FAIL,
        ),
        (("mx.provider.test 1; none",), Authenticity.UNKNOWN),
        ((), Authenticity.UNKNOWN),
    ],
)
async def test_of_fetched_mail_only_the_mailboxes_own_receiver_is_believed(
    monkeypatch: pytest.MonkeyPatch, fields: tuple[str, ...], authenticity: Authenticity
) -> None:
    async with nameserver({}) as (resolver, asked):
        body = mail(*(f"Authentication-Results: {one}" for one in fields)).encode()
        event = await judged(resolver, body, monkeypatch, settings=IMAP, protocol="imap")
    assert event.authenticity is authenticity
    assert asked == []


async def test_a_result_in_mail_by_smtp_is_only_a_strangers_word(monkeypatch: pytest.MonkeyPatch) -> None:
    async with nameserver(REJECT) as (resolver, _asked):
        body = mail("Authentication-Results: mx.provider.test; dmarc=pass header.from=customer.test").encode()
        event = await judged(
            resolver, body, monkeypatch, settings={"authserv_id": "mx.provider.test"}, peer_ip="127.0.0.1"
        )
    assert event.authenticity is Authenticity.UNKNOWN


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "v=1",
        "v=1; a=rsa-sha256; d=; s=; b=; bh=; h=",
        "v=1; a=x; d=customer.test; s=s1; b=!!; bh=!!; h=from",
        "=" * 5_000,
        "v=1;" * 5_000,
    ],
)
async def test_hostile_signatures_cost_nothing(monkeypatch: pytest.MonkeyPatch, signature: str) -> None:
    async with nameserver(KEY) as (resolver, _asked):
        event = await judged(resolver, mail(f"DKIM-Signature: {signature}").encode(), monkeypatch, peer_ip="127.0.0.1")
    assert event.authenticity is Authenticity.UNKNOWN
