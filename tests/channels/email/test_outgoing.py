"""Answers as mails: what stands in them, how they are handed over, and what each failure means."""

from __future__ import annotations

import asyncio
import base64
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from uuid import uuid4

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from channels.contract import (
    Attachment,
    AuthFailed,
    MessageReceived,
    Outbound,
    OutcomeUnknown,
    Rejected,
    Retryable,
    Sent,
    Undeliverable,
)
from channels.email import tokens
from channels.email.adapter import Channel
from channels.email.fake import CustomerMailbox, FakeMailProvider, Misbehaviour
from tests.channels.email.mailbox import ADDRESS, ROUTE, SECRET, channel, customer, raw


@pytest.fixture
async def provider(tmp_path: Path) -> AsyncIterator[FakeMailProvider]:
    async with FakeMailProvider(tmp_path / "ledger.jsonl") as running:
        yield running


def account(provider: FakeMailProvider, **changes: object) -> Channel:
    return channel(smtp_host=provider.host, smtp_port=provider.port, **changes)


def answer(**changes: object) -> Outbound:
    values: dict[str, object] = {
        "key": str(uuid4()),
        "to": customer(),
        "subject": "A question",
        "text": "Here you are.",
        **changes,
    }
    return Outbound.model_validate(values)


async def test_a_reply_threads_and_carries_a_signed_reply_address(provider: FakeMailProvider) -> None:
    message = answer(
        reply_to="<m2@customer.test>", thread_refs=("<m1@customer.test>", "<m2@customer.test>"), route_id=ROUTE
    )
    sent = await account(provider, display_name="Shop").send(message)
    assert sent.external_id == f"<{message.key}@shop.test>"
    (mail,) = provider.mailbox("ann@customer.test")
    assert mail.message_id == sent.external_id
    assert mail.mail_from == ADDRESS
    fields = dict(mail.headers)
    assert fields["From"] == f"Shop <{ADDRESS}>"
    assert fields["Subject"] == "Re: A question"
    assert fields["In-Reply-To"] == "<m2@customer.test>"
    assert fields["References"] == "<m1@customer.test> <m2@customer.test>"
    assert tokens.read_token(mail.mail["Reply-To"].addresses[0].addr_spec, tokens.Purpose.ROUTE, SECRET) == ROUTE
    assert "Auto-Submitted" not in fields
    assert mail.text == "Here you are."
    assert mail.html is not None
    assert "<p>Here you are.</p>" in mail.html


async def test_the_customers_answer_comes_back_with_the_route(provider: FakeMailProvider) -> None:
    adapter = account(provider)
    await adapter.send(answer(route_id=ROUTE, text="Which size?"))
    (ours,) = provider.delivered()
    reply = CustomerMailbox("ann@customer.test", "Ann").compose("", "", "Large.", answering=ours)
    (event,) = adapter.parse(raw(reply.as_bytes()))
    assert isinstance(event, MessageReceived)
    assert event.thread_refs[:2] == (f"route:{ROUTE}", ours.message_id)
    assert event.text == "Large."
    assert event.conversation == f"route:{ROUTE}"


async def test_an_automatic_answer_says_so_and_has_no_return_path(provider: FakeMailProvider) -> None:
    await account(provider, tagged_return_path=True).send(answer(automated=True))
    (mail,) = provider.delivered()
    assert mail.mail_from == ""
    fields = dict(mail.headers)
    assert fields["Auto-Submitted"] == "auto-replied"
    assert fields["X-Auto-Response-Suppress"] == "All"
    assert fields["X-Loop"] == ADDRESS


async def test_a_server_that_knows_no_empty_return_path_gets_our_address(provider: FakeMailProvider) -> None:
    provider.misbehaviour = Misbehaviour.NO_EMPTY_PATH
    await account(provider).send(answer(automated=True))
    (mail,) = provider.delivered()
    assert mail.mail_from == ADDRESS
    assert dict(mail.headers)["Auto-Submitted"] == "auto-replied"


async def test_a_tagged_return_path_carries_the_key(provider: FakeMailProvider) -> None:
    message = answer()
    await account(provider, tagged_return_path=True).send(message)
    (mail,) = provider.delivered()
    assert tokens.read_token(mail.mail_from, tokens.Purpose.BOUNCE, SECRET) == message.key


@pytest.mark.parametrize(
    "subject", ["Re: Order", "RE: Order", "AW: Order", "re : Order", "回复：Order", "Re[2]: Order"]
)
async def test_a_subject_is_prefixed_once(provider: FakeMailProvider, subject: str) -> None:
    await account(provider).send(answer(subject=subject, reply_to="<m1@customer.test>"))
    (mail,) = provider.delivered()
    assert mail.subject == subject


async def test_a_first_message_has_no_prefix(provider: FakeMailProvider) -> None:
    await account(provider).send(answer(subject="Your order"))
    (mail,) = provider.delivered()
    assert mail.subject == "Your order"


async def test_the_same_key_twice_is_one_message_id(provider: FakeMailProvider) -> None:
    message = answer()
    first, second = await account(provider).send(message), await account(provider).send(message)
    assert first.external_id == second.external_id
    assert len({mail.message_id for mail in provider.delivered()}) == 1


@pytest.mark.parametrize(
    "text",
    [
        "Grüße 😀👩‍👩‍👧",
        "שלום עולם, مرحبا",
        "你好，世界。こんにちは 안녕하세요",
        "line\n.\n..dots\nFrom here",
        "x" * 5000,
        "tab\tand  spaces",
    ],
    ids=["emoji", "right-to-left", "cjk", "dots", "long line", "spaces"],
)
async def test_every_text_arrives_unchanged(provider: FakeMailProvider, text: str) -> None:
    await account(provider).send(answer(text=text, subject=text.split("\n", maxsplit=1)[0][:60]))
    (mail,) = provider.delivered()
    assert mail.text.replace("\r\n", "\n") == text
    assert mail.subject == " ".join(text.split("\n", maxsplit=1)[0][:60].split())


@pytest.mark.parametrize(
    "evil",
    ["x\r\nBcc: evil@x.test", "x\nBcc: evil@x.test", "x\rBcc: evil@x.test", "x\u2028Bcc: evil@x.test", "x\x0bBcc: a"],
)
async def test_line_breaks_in_values_add_no_field(provider: FakeMailProvider, evil: str) -> None:
    message = answer(
        subject=evil,
        author=evil,
        to=customer(name=evil),
        attachments=(Attachment(filename=evil, content_type="text/plain", content=b"x"),),
        language=evil,
    )
    await account(provider, display_name="Shop").send(message)
    (mail,) = provider.delivered()
    assert mail.rcpt_to == ("ann@customer.test",)
    assert "bcc" not in {name.lower() for part in mail.mail.walk() for name, _value in part.items()}
    assert b"\nBcc" not in mail.raw


@pytest.mark.parametrize("field", ["reply_to", "key"])
async def test_line_breaks_in_ids_are_refused_or_dropped(provider: FakeMailProvider, field: str) -> None:
    message = answer(**{field: "<a@b>\r\nBcc: <evil@x.test>"})
    try:
        await account(provider).send(message)
    except Rejected:
        assert provider.delivered() == []
    else:
        assert b"\nBcc" not in provider.delivered()[0].raw


@pytest.mark.parametrize(
    "address", ["ann@customer.test>\r\nRCPT TO:<evil@x.test", "ann", "a b@x.test", "<ann@x.test>", ""]
)
async def test_a_bad_address_is_refused_before_anything_is_sent(provider: FakeMailProvider, address: str) -> None:
    with pytest.raises(Rejected):
        await account(provider).send(answer(to=customer(address)))
    assert provider.delivered() == []


async def test_long_ids_of_others_stay_readable(provider: FakeMailProvider) -> None:
    long = f"<{'x' * 180}@{'y' * 60}.test>"
    await account(provider).send(answer(reply_to=long, thread_refs=("<a@b.test>", long)))
    (mail,) = provider.delivered()
    assert f"In-Reply-To: {long}\r\n".encode() in mail.raw
    assert all(len(line) <= 998 for line in mail.raw.split(b"\r\n"))


async def test_attachments_and_inline_pictures(provider: FakeMailProvider) -> None:
    files = (
        Attachment(filename="Rechnung März.pdf", content_type="application/pdf", content=b"%PDF-1.7\x00\xff"),
        Attachment(filename="notes.txt", content_type="text/plain", content=b"one\ntwo\r\n\xff"),
        Attachment(filename="logo.png", content_type="image/png", content=b"\x89PNG", content_id="logo1", inline=True),
    )
    await account(provider).send(answer(html='<p>See <img src="cid:logo1"></p>', attachments=files))
    (mail,) = provider.delivered()
    assert mail.attachments == (("Rechnung März.pdf", b"%PDF-1.7\x00\xff"), ("notes.txt", b"one\ntwo\r\n\xff"))
    (inline,) = [part for part in mail.mail.walk() if part["Content-ID"] == "<logo1>"]
    assert inline.get_payload(decode=True) == b"\x89PNG"


async def test_copies_are_named_and_blind_copies_are_not(provider: FakeMailProvider) -> None:
    await account(provider).send(
        answer(cc=(customer("bob@customer.test", "Bob"),), bcc=(customer("eve@customer.test", None),))
    )
    (mail,) = provider.delivered()
    assert mail.rcpt_to == ("ann@customer.test", "bob@customer.test", "eve@customer.test")
    assert b"eve@" not in mail.raw


async def test_the_answer_goes_to_reply_to_where_the_sender_asked_for_it(provider: FakeMailProvider) -> None:
    route = {"from": "ann@customer.test", "reply_to": "desk@customer.test", "reply_to_name": "Desk"}
    await account(provider).send(answer(route=route))
    await account(provider).send(answer(route=route, to=customer("carl@customer.test")))
    assert [mail.rcpt_to for mail in provider.delivered()] == [("desk@customer.test",), ("carl@customer.test",)]


async def test_the_signature_is_appended(provider: FakeMailProvider) -> None:
    await account(provider, signature="Your shop\n<b>1</b>").send(answer())
    (mail,) = provider.delivered()
    assert mail.text == "Here you are.\n\n-- \nYour shop\n<b>1</b>"
    assert mail.html is not None
    assert "&lt;b&gt;1&lt;/b&gt;" in mail.html


@pytest.mark.parametrize(
    ("automated", "on", "there"),
    [(False, "all", True), (True, "all", True), (False, "people", True), (True, "people", False)],
)
async def test_the_signature_stands_where_it_is_wanted(
    provider: FakeMailProvider, automated: bool, on: str, there: bool
) -> None:
    await account(provider, signature="Your shop\nMain Street 1", signature_on=on).send(answer(automated=automated))
    (mail,) = provider.delivered()
    assert mail.html is not None
    assert ("-- \nYour shop\nMain Street 1" in mail.text, "Main Street 1" in mail.html) == (there, there)


@pytest.mark.parametrize(
    ("template", "author", "company", "shown"),
    [
        ("{agent} ({company})", "Alex", "Shop", "Alex (Shop)"),
        ("{agent} at {company}", "Alex", "Shop", "Alex at Shop"),
        ("{company}", "Alex", "Shop", "Shop"),
        ("{agent}", "Alex", "Shop", "Alex"),
        ("{agent} at {company}", None, "Shop", "Shop"),
        ("{agent} at {company}", "Alex", "", "Alex"),
        ("{agent} bei {company}", "{company} {agent}", "{agent}", "{company} {agent} bei {agent}"),
        ("{agent} at {company}", "Ann <evil@x.test>", 'Sh"op, Ltd.', 'Ann <evil@x.test> at Sh"op, Ltd.'),
    ],
)
async def test_the_name_of_the_sender_is_arranged_as_set(
    provider: FakeMailProvider, template: str, author: str | None, company: str, shown: str
) -> None:
    await account(provider, display_name=company, sender_name=template).send(answer(author=author))
    (mail,) = provider.delivered()
    (sender,) = mail.mail["From"].addresses
    assert (sender.addr_spec, sender.display_name) == (ADDRESS, shown)


def rsa_key() -> tuple[str, bytes]:
    """A private key in PEM and the DNS record of its public half."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)


async def test_dkim_signs_what_is_sent(provider: FakeMailProvider) -> None:
    private, record = rsa_key()
    await account(provider, dkim_selector="s1", dkim_private_key=private).send(
        answer(text="Grüße", reply_to="<m1@customer.test>")
    )
    (mail,) = provider.delivered()
    assert dkim.verify(
        mail.raw, dnsfunc=lambda name, timeout=5: record if name == b"s1._domainkey.shop.test." else None
    )
    assert not dkim.verify(mail.raw.replace(b"A question", b"B question"), dnsfunc=lambda name, timeout=5: record)


async def test_a_bad_dkim_key_asks_for_a_new_one_without_quoting_it(provider: FakeMailProvider) -> None:
    with pytest.raises(AuthFailed) as error:
        await account(provider, dkim_selector="s1", dkim_private_key="TOPSECRET").send(answer())
    assert "TOPSECRET" not in str(error.value)
    assert provider.delivered() == []


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (Misbehaviour.DEFER, Retryable),
        (Misbehaviour.REJECT, Rejected),
        (Misbehaviour.REJECT_RECIPIENT, Undeliverable),
        (Misbehaviour.AUTH, AuthFailed),
        (Misbehaviour.DROP, OutcomeUnknown),
    ],
)
async def test_what_goes_wrong_has_a_name(
    provider: FakeMailProvider, wrong: Misbehaviour, error: type[Exception]
) -> None:
    provider.misbehaviour = wrong
    with pytest.raises(error) as raised:
        await account(provider, smtp_user="u", smtp_password="hunter2").send(answer())
    assert type(raised.value) is error
    assert "hunter2" not in str(raised.value)
    assert len(provider.delivered()) == (wrong is Misbehaviour.DROP)


async def test_a_send_in_doubt_is_repeated_under_the_same_id(provider: FakeMailProvider) -> None:
    message = answer()
    provider.misbehaviour = Misbehaviour.DROP
    with pytest.raises(OutcomeUnknown):
        await account(provider).send(message)
    provider.misbehaviour = Misbehaviour.NONE
    sent = await account(provider).send(message)
    assert {mail.message_id for mail in provider.delivered()} == {sent.external_id}


async def test_a_slow_provider_is_waited_for(provider: FakeMailProvider) -> None:
    provider.misbehaviour, provider.pause = Misbehaviour.SLOW, 0.01
    assert isinstance(await account(provider).send(answer()), Sent)


async def test_an_unreachable_server_is_tried_again(unused_port: int) -> None:
    adapter = channel(smtp_host="127.0.0.1", smtp_port=unused_port)
    with pytest.raises(Retryable):
        await adapter.send(answer())
    with pytest.raises(Retryable) as error:
        await adapter.check()
    assert f"127.0.0.1:{unused_port}" in str(error.value)


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_check_with_good_and_bad_credentials(tmp_path: Path) -> None:
    async with FakeMailProvider(tmp_path / "ledger", user="shop", password="right") as provider:
        assert (await account(provider, smtp_user="shop", smtp_password="right").check()).identity == ADDRESS
        with pytest.raises(AuthFailed) as error:
            await account(provider, smtp_user="shop", smtp_password="wrong").check()
        assert "wrong" not in str(error.value)
        with pytest.raises(AuthFailed):
            await account(provider).send(answer())
        assert isinstance(await account(provider, smtp_user="shop", smtp_password="right").send(answer()), Sent)


async def test_starttls_that_is_not_offered_is_refused(provider: FakeMailProvider) -> None:
    with pytest.raises(Rejected):
        await account(provider, smtp_security="starttls").check()


async def test_the_ledger_is_read_by_another_process(provider: FakeMailProvider) -> None:
    await account(provider).send(answer(subject="Grüße"))
    code = f"from pathlib import Path\nfrom channels.email.fake import read_ledger\nprint(ascii(read_ledger(Path({str(provider.ledger)!r}))[0].subject))"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=subprocess.PIPE)
    output = (await process.communicate())[0].decode()
    assert output.strip() == ascii("Grüße")


async def test_the_mail_is_read_by_a_stranger(provider: FakeMailProvider) -> None:
    """The library that reads is not the one that wrote: a plain parse finds both forms of the text and no defect."""
    await account(provider).send(answer(text="Grüße"))
    (mail,) = provider.delivered()
    parsed = message_from_bytes(mail.raw, policy=default)
    assert parsed.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in parsed.walk()][1:] == ["text/plain", "text/html"]
    assert not parsed.defects
    assert mail.raw.isascii()
