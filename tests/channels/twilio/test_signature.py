"""Signatures of webhooks, against Twilio's own vectors and against forgers."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from pydantic import SecretStr

from channels.contract import RawInbound, Unverified
from channels.twilio.signature import HEADER, sign, verify

VECTORS = Path(os.environ.get("AUTOCRM_MATERIAL", "")) / "webhooks" / "signature_vectors.json"
if not VECTORS.exists() and os.environ.get("CI") == "true":
    raise RuntimeError("AUTOCRM_MATERIAL names no folder with webhooks/signature_vectors.json")
TOKEN = SecretStr("a-token-of-the-account")
URL = "https://help.shop.test/hooks/sms/1?key=a"
FORM = [("Body", "Grüße 📦"), ("From", "+14155550177"), ("Empty", ""), ("Twice", "b"), ("Twice", "a")]


def _request(url: str = URL, form: list[tuple[str, str]] | None = None, signature: str | None = None) -> RawInbound:
    signature = signature if signature is not None else sign(TOKEN, URL, FORM)
    body = urlencode(FORM if form is None else form).encode()
    return RawInbound("", body, "application/x-www-form-urlencoded", {HEADER: signature}, {"url": url})


@pytest.mark.skipif(not VECTORS.exists(), reason="AUTOCRM_MATERIAL is not set: Twilio's vectors are not at hand")
def test_twilios_own_vectors() -> None:
    told = json.loads(VECTORS.read_text("utf-8"))["twilio"]
    assert len(told["cases"]) >= 8
    for case in told["cases"]:
        raw = _vector(case)
        if case["valid"]:
            verify(raw, SecretStr(told["auth_token"]))
        else:
            with pytest.raises(Unverified):
                verify(raw, SecretStr(told["auth_token"]))
        with pytest.raises(Unverified):
            verify(raw, SecretStr(told["auth_token"] + "6"))


def _vector(case: dict[str, Any]) -> RawInbound:
    headers = {HEADER: case["signature"]}
    if "body" in case:
        return RawInbound("", case["body"].encode(), "application/json", headers, {"url": case["url"]})
    params = case["params"]
    pairs = [(key, value) for key, value in (params.items() if isinstance(params, dict) else params)]
    return RawInbound("", urlencode(pairs).encode(), "application/x-www-form-urlencoded", headers, {"url": case["url"]})


def test_a_genuine_request_holds_with_and_without_the_port() -> None:
    verify(_request(), TOKEN)
    verify(_request("https://help.shop.test:443/hooks/sms/1?key=a"), TOKEN)
    verify(_request(signature=sign(TOKEN, URL.replace(".test/", ".test:443/"), FORM)), TOKEN)
    v6 = "https://[2001:db8::1]:8443/hooks"
    verify(_request(v6, signature=sign(TOKEN, "https://[2001:db8::1]/hooks", FORM)), TOKEN)


@pytest.mark.parametrize(
    "forged",
    [
        _request(signature=""),
        _request(signature="é"),
        _request(signature=sign(SecretStr("another"), URL, FORM)),
        _request(url="https://help.shop.test/hooks/sms/2?key=a"),
        _request(url="https://help.shop.test/hooks/sms/1?key=b"),
        _request(url="http://help.shop.test/hooks/sms/1?key=a"),
        _request(url="https://evil.test/hooks/sms/1?key=a"),
        _request(url="https://help.shop.test:99999/x"),
        _request(url=""),
        _request(form=[*FORM, ("NumMedia", "1")]),
        _request(form=FORM[1:]),
        _request(form=[(name, value.upper()) for name, value in FORM]),
    ],
    ids=range(12),
)
def test_whatever_is_changed_is_unverified(forged: RawInbound) -> None:
    with pytest.raises(Unverified):
        verify(forged, TOKEN)


def test_a_body_that_is_no_form_needs_its_hash_in_the_signed_url() -> None:
    body = b'{"a": 1}'
    url = f"https://help.shop.test/hooks/sms/1?bodySHA256={hashlib.sha256(body).hexdigest()}"
    headers = {HEADER: sign(TOKEN, url)}
    verify(RawInbound("", body, "application/json", headers, {"url": url}), TOKEN)
    with pytest.raises(Unverified):
        verify(RawInbound("", b'{"a": 2}', "application/json", headers, {"url": url}), TOKEN)
    bare = "https://help.shop.test/hooks/sms/1"
    with pytest.raises(Unverified):
        verify(RawInbound("", body, "application/json", {HEADER: sign(TOKEN, bare)}, {"url": bare}), TOKEN)


def test_an_empty_token_verifies_nothing() -> None:
    with pytest.raises(Unverified):
        verify(_request(signature=sign(SecretStr(""), URL, FORM)), SecretStr(""))
