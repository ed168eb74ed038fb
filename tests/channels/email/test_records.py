"""What `check()` says of the sending domain's DNS, asked over a real DNS wire on loopback."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from channels.email.adapter import Channel
from channels.email.fake import FakeMailProvider
from channels.email.records import advice
from channels.email.settings import EmailSettings
from tests.channels.email.mailbox import channel
from tests.channels.email.nameserver import nameserver, txt

PEM = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PRIVATE = KEY.private_bytes(*PEM).decode()
PUBLIC = base64.b64encode(
    KEY.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
).decode()
BARE = base64.b64encode(
    KEY.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
).decode()
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
SPF = {("shop.test", "TXT"): [*txt("v=spf1 mx ~all"), '"google-site-verification=x"']}
DMARC = {("_dmarc.shop.test", "TXT"): txt("v=DMARC1; p=reject")}
GOOD = {**SPF, **DMARC}
DKIM = {"dkim_selector": "s1", "dkim_private_key": PRIVATE}
Records = Mapping[tuple[str, str], Sequence[str]]


async def said(records: Records, **settings: object) -> list[str]:
    made = EmailSettings.model_validate({"address": "support@shop.test", "smtp_host": "mail.shop.test", **settings})
    async with nameserver(records) as (resolver, _asked):
        return await advice(made, resolver)


async def test_a_domain_in_order_gets_no_advice() -> None:
    assert await said(GOOD) == []
    for value in (PUBLIC, BARE, f"{PUBLIC[:60]} {PUBLIC[60:]}"):
        record = {("s1._domainkey.shop.test", "TXT"): txt(f"v=DKIM1; k=rsa; t=s; p={value}")}
        assert await said({**GOOD, **record}, **DKIM) == []


async def test_a_bare_domain_is_told_every_record() -> None:
    spf, dkim, dmarc = await said({}, **DKIM)
    assert spf.endswith("Create a TXT record at shop.test: v=spf1 a:mail.shop.test ~all")
    assert dkim.endswith(f"Create a TXT record at s1._domainkey.shop.test: v=DKIM1; k=rsa; p={PUBLIC}")
    assert dmarc.endswith("TXT record at _dmarc.shop.test: v=DMARC1; p=none; rua=mailto:support@shop.test")


@pytest.mark.parametrize(
    ("host", "mechanism"),
    [("localhost", "mx"), ("127.0.0.1", "mx"), ("8.8.4.4", "ip4:8.8.4.4"), ("2001:4860::1", "ip6:2001:4860::1")],
)
async def test_the_record_names_the_server_that_sends(host: str, mechanism: str) -> None:
    (spf,) = await said(DMARC, smtp_host=host)
    assert spf.endswith(f"v=spf1 {mechanism} ~all")


@pytest.mark.parametrize(
    ("records", "words"),
    [
        (["v=spf1 mx ~all", "v=spf1 a -all"], "has 2 SPF records"),
        (["v=spf1 mx +all"], "lets everybody send"),
        (["v=spf1 all"], "lets everybody send"),
        (["v=spf10 mx"], "has no SPF record"),
    ],
)
async def test_an_spf_record_that_does_harm_is_named(records: list[str], words: str) -> None:
    (found,) = await said({**DMARC, ("shop.test", "TXT"): [f'"{one}"' for one in records]})
    assert words in found


async def test_a_providers_own_servers_must_be_allowed() -> None:
    google = {"provider": "google", "client_id": "c"}
    (found,) = await said(GOOD, **google)
    assert "Add include:_spf.google.com" in found
    direct = {("shop.test", "TXT"): txt("v=spf1 include:_spf.google.com ~all")}
    assert await said({**DMARC, **direct}, **google) == []
    nested = {
        ("shop.test", "TXT"): txt("v=spf1 include:all.shop.test -all"),
        ("all.shop.test", "TXT"): txt("v=spf1 redirect=_spf.google.com"),
    }
    assert await said({**DMARC, **nested}, **google) == []
    endless = {("shop.test", "TXT"): txt("v=spf1 include:shop.test -all")}
    assert len(await said({**DMARC, **endless}, **google)) == 1
    (none,) = await said(DMARC, provider="microsoft", client_id="c")
    assert none.endswith("v=spf1 include:spf.protection.outlook.com ~all")


@pytest.mark.parametrize("value", ["v=DKIM1; p=", "v=DKIM1; p=notakey", "v=DKIM1", "v=DKIM1; p=" + PUBLIC[::-1]])
async def test_another_key_in_dns_is_named(value: str) -> None:
    (found,) = await said({**GOOD, ("s1._domainkey.shop.test", "TXT"): txt(value)}, **DKIM)
    assert found.startswith("The DKIM record belongs to another key")
    assert found.endswith(f"p={PUBLIC}")


async def test_a_real_other_key_is_another_key() -> None:
    public = OTHER.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    record = {("s1._domainkey.shop.test", "TXT"): txt("v=DKIM1; p=" + base64.b64encode(public).decode())}
    (found,) = await said({**GOOD, **record}, **DKIM)
    assert "another key" in found


async def test_a_key_that_cannot_sign_is_named_and_not_quoted() -> None:
    elliptic = ec.generate_private_key(ec.SECP256R1()).private_bytes(*PEM).decode()
    for key in ("TOPSECRET", elliptic):
        (found,) = await said(GOOD, dkim_selector="s1", dkim_private_key=key)
        assert "cannot be read" in found
        assert key[:40] not in found


async def test_another_signing_domain_is_asked() -> None:
    (found,) = await said(GOOD, **DKIM, dkim_domain="mail.shop.test")
    assert "s1._domainkey.mail.shop.test" in found


async def test_the_policy_of_the_organisation_counts() -> None:
    records = {
        ("help.shop.test", "TXT"): txt("v=spf1 mx ~all"),
        ("_dmarc.shop.test", "TXT"): txt("v=DMARC1; p=none"),
    }
    assert await said(records, address="support@help.shop.test") == []


async def test_a_nameserver_that_is_silent_fails_no_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with FakeMailProvider(tmp_path / "l") as provider, nameserver({}, silent=True) as (resolver, asked):
        monkeypatch.setattr(Channel, "resolver", resolver)
        checked = await channel(smtp_host=provider.host, smtp_port=provider.port).check()
    assert checked.identity == "support@shop.test"
    assert checked.missing == ()
    assert asked


async def test_a_check_tells_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with FakeMailProvider(tmp_path / "l") as provider, nameserver(SPF) as (resolver, _asked):
        monkeypatch.setattr(Channel, "resolver", resolver)
        checked = await channel(smtp_host=provider.host, smtp_port=provider.port).check()
    (dmarc,) = checked.missing
    assert "_dmarc.shop.test" in dmarc


async def test_names_that_stand_in_no_dns_are_not_asked_about() -> None:
    assert await advice(EmailSettings(address="support@shop.test"), None) == []
