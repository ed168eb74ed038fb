"""What a mail becomes: identity, thread, route, body, files."""

from __future__ import annotations

import base64
import time
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest

from channels.contract import Malformed, MessageReceived
from channels.email import html, tokens
from channels.email.charsets import decode, known_charset
from channels.email.filenames import safe_filename
from channels.email.headers import decode_words, message_ids, parse_addresses
from tests.channels.email.mailbox import ADDRESS, ROUTE, SECRET, channel, mail, message, parsed, raw


def signed(purpose: tokens.Purpose = tokens.Purpose.ROUTE, secret: bytes = SECRET) -> str:
    made = tokens.signed_address(ADDRESS, purpose, ROUTE, secret)
    assert made is not None
    return made


# ------------------------------------------------------------------------ who and where


def test_the_sender_is_from_and_reply_to_is_only_the_way_back() -> None:
    event = message(mail("Reply-To: Boss <boss@elsewhere.test>"))
    assert (event.sender.value, event.sender.name) == ("ann@customer.test", "Ann")
    assert event.route["reply_to"] == "boss@elsewhere.test"
    assert event.facts["reply_to"] == "boss@elsewhere.test"


def test_an_address_posing_as_a_display_name_is_not_the_sender() -> None:
    assert message(mail(sender="ceo@shop.test <mallory@evil.test>")).sender.value == "mallory@evil.test"
    assert message(mail(sender='"ceo@shop.test" <mallory@evil.test>')).sender.value == "mallory@evil.test"


def test_the_others_are_kept_for_an_answer_to_all() -> None:
    event = message(mail("To: support@shop.test, Bob <bob@customer.test>", f"Cc: {signed()}, carl@customer.test"))
    assert event.route["others"] == [
        {"address": "bob@customer.test", "name": "Bob"},
        {"address": "carl@customer.test", "name": None},
    ]
    assert [one.value for one in event.cc] == [ADDRESS, "carl@customer.test"]


def test_without_from_the_envelope_speaks() -> None:
    text = "Subject: Hi\r\nMessage-ID: <a@b.test>\r\n\r\nHello"
    assert message(text, mail_from="ann@customer.test").sender.value == "ann@customer.test"
    with pytest.raises(Malformed):
        parsed(text)


@pytest.mark.parametrize(
    ("value", "address", "name"),
    [
        ("Ann Lee <ann@x.test>", "ann@x.test", "Ann Lee"),
        ("ANN@X.Test", "ann@x.test", None),
        ('"Lee, Ann" <ann@x.test>', "ann@x.test", "Lee, Ann"),
        ("=?utf-8?B?w4RubmE=?= <ann@x.test>", "ann@x.test", "Änna"),
        ("ann@x.test (Ann)", "ann@x.test", "Ann"),
        ("<ann@bücher.test>", "ann@xn--bcher-kva.test", None),
        ("Ann\u202e\u200b <ann@x.test>", "ann@x.test", "Ann"),
    ],
)
def test_addresses_have_one_form(value: str, address: str, name: str | None) -> None:
    (found,) = parse_addresses(value)
    assert (found.value, found.name) == (address, name)


# ------------------------------------------------------------------------------ thread


def test_the_reply_token_comes_first_then_in_reply_to_then_references_from_the_newest() -> None:
    event = message(
        mail("In-Reply-To: <c@shop.test>", "References: <a@customer.test> <b@shop.test>\r\n <c@shop.test>"),
        rcpt_to=[signed()],
    )
    assert event.thread_refs == (f"route:{ROUTE}", "<c@shop.test>", "<b@shop.test>", "<a@customer.test>")


@pytest.mark.parametrize("field", ["To", "Cc", "Delivered-To", "X-Original-To"])
def test_the_token_is_found_wherever_the_address_stands(field: str) -> None:
    assert message(mail(f"{field}: {signed().upper()}")).thread_refs == (f"route:{ROUTE}",)


def test_forged_tokens_count_for_nothing() -> None:
    good = signed()
    for bad in (
        signed(secret=b"x" * 32),
        signed(tokens.Purpose.BOUNCE),
        good.replace("+ru", "+bu"),
        good[:12] + "a" + good[13:],
        "support+ruaaaa@shop.test",
    ):
        assert message(mail(), rcpt_to=[bad]).thread_refs == ()


@pytest.mark.parametrize("name", [ROUTE, "42", "straße"])
def test_tokens_give_back_what_they_were_given(name: str) -> None:
    address = tokens.signed_address(ADDRESS, tokens.Purpose.ROUTE, name, SECRET)
    assert address is not None
    assert tokens.read_token(address.swapcase(), tokens.Purpose.ROUTE, SECRET) == name
    assert tokens.without_token(address) == ADDRESS
    assert len(address.rpartition("@")[0]) <= 64


def test_a_name_too_long_for_an_address_gets_none() -> None:
    assert tokens.signed_address(ADDRESS, tokens.Purpose.ROUTE, "x" * 60, SECRET) is None
    assert tokens.signed_address("a" * 40 + "@shop.test", tokens.Purpose.ROUTE, ROUTE, SECRET) is None


def test_a_subject_never_threads() -> None:
    assert message(mail("Subject: Re: [#123] ticket")).thread_refs == ()


def test_one_thread_is_one_conversation() -> None:
    first = message(mail())
    second = message(
        mail(
            "Message-ID: <m2@customer.test>",
            "In-Reply-To: <x@shop.test>",
            "References: <m1@customer.test> <x@shop.test>",
        )
    )
    assert first.conversation == second.conversation == "<m1@customer.test>"


def test_the_event_has_the_message_id_and_without_one_a_hash() -> None:
    assert message(mail()).external_id == "<m1@customer.test>"
    text = mail("Message-ID: ")
    assert message(text).external_id == message(text).external_id
    assert message(text).external_id != message(text + "!").external_id


@pytest.mark.parametrize(
    ("value", "ids"),
    [
        ("<a@b> <c@d>", ["<a@b>", "<c@d>"]),
        ("<a@b>,<a@b>", ["<a@b>"]),
        ("a@b.test", ["<a@b.test>"]),
        ("Your message of Monday <a@b>", ["<a@b>"]),
        ("", []),
        ("<" * 10_000, []),
    ],
)
def test_message_ids(value: str, ids: list[str]) -> None:
    assert message_ids(value) == ids


def test_endless_references_keep_the_root_and_the_nearest() -> None:
    event = message(mail("References: " + " ".join(f"<{n}@x.test>" for n in range(5_000))))
    assert len(event.thread_refs) == 100
    assert event.thread_refs[0] == "<4999@x.test>"
    assert event.thread_refs[-1] == "<0@x.test>"


# -------------------------------------------------------------------------------- body


def test_html_alone_becomes_text_too() -> None:
    event = message(
        mail("Content-Type: text/html; charset=utf-8", body="<h1>Hi</h1><p>one<br>two</p><ul><li>a<li>b</ul>")
    )
    assert event.text == "Hi\n\none\ntwo\n\n- a\n- b"
    assert event.html is not None


def test_quotes_of_html_fold_like_those_of_text() -> None:
    body = '<p>Thanks!</p><div class="gmail_quote">On Mon, 2 Nov 2026 at 11:00, Shop &lt;support@shop.test&gt; wrote:<br><blockquote>Which one?</blockquote></div>'
    event = message(mail("Content-Type: text/html; charset=utf-8", body=body))
    assert event.text == "Thanks!"
    assert event.quoted is not None
    assert "Which one?" in event.quoted


@pytest.mark.parametrize(
    "evil",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<svg onload=alert(1)><script>alert(1)</script></svg>",
        "<a href='javascript:alert(1)'>x</a>",
        "<a href='java\nscript:alert(1)'>x</a>",
        "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
        "<iframe src='https://evil.test'></iframe>",
        "<style>@import 'https://evil.test'</style>",
        "<link rel=stylesheet href='https://evil.test'>",
        '<p style="background:url(https://evil.test)">x</p>',
        '<p style="background-image:\\75rl(https://evil.test)">x</p>',
        "<table background='https://evil.test'><tr><td background='https://evil.test'>x</table>",
        "<img src='https://evil.test/p.gif' srcset='https://evil.test/q.gif 2x'>",
        "<img src='//evil.test/p.gif'>",
        "<video src='https://evil.test' poster='https://evil.test'></video>",
        "<form action='https://evil.test'><input name=password></form>",
        "<base href='https://evil.test'>",
        "<meta http-equiv=refresh content='0;url=https://evil.test'>",
        "<object data='https://evil.test'></object><embed src='https://evil.test'>",
        "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
        "<img src='data:image/svg+xml;base64,PHN2Zz4='>",
        "<img data-remote-src='javascript:alert(1)'>",
        "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    ],
)
def test_nothing_runs_and_nothing_loads(evil: str) -> None:
    from selectolax.lexbor import LexborHTMLParser

    clean = html.sanitise(f"<p>before</p>{evil}<p>after</p>")
    tree = LexborHTMLParser(clean)
    assert not tree.css("script,style,iframe,object,embed,form,input,svg,math,link,meta,base,video,noscript")
    for node in tree.css("*"):
        for name, value in node.attributes.items():
            assert not name.startswith("on")
            assert name not in {"background", "srcset", "poster", "action"}
            compact = "".join((value or "").split()).lower()
            if name == "src":
                assert compact.startswith(("cid:", "data:image/png", "data:image/jpeg", "data:image/gif")), value
            if name in {"href", "style", "data-remote-src"}:
                assert "javascript:" not in compact
                assert "url(" not in compact
                assert not compact.startswith("data:")


def test_pictures_from_afar_wait_for_a_click_and_own_ones_stay() -> None:
    clean = html.sanitise(
        "<img src='https://x.test/a.png' alt='A'><img src='cid:b@c'><img src='data:image/png;base64,iVBO'>"
    )
    assert (
        clean
        == '<img alt="A" data-remote-src="https://x.test/a.png"><img src="cid:b@c"><img src="data:image/png;base64,iVBO">'
    )


def test_colours_and_sizes_of_a_mail_stay() -> None:
    assert "color:red" in html.sanitise('<p style="color:red;position:fixed">x</p>').replace(" ", "")


def test_endless_nesting_is_survived() -> None:
    deep = "<div>" * 20_000 + "x"
    started = time.process_time()
    assert "x" in html.to_text(deep)
    html.sanitise(deep)
    assert time.process_time() - started < 20


@pytest.mark.parametrize(
    ("declared", "data", "text"),
    [
        ("utf-8", "Grüße".encode(), "Grüße"),
        ("us-ascii", "Grüße".encode(), "Grüße"),
        ("iso-8859-1", "Preis: 5 €".encode("cp1252"), "Preis: 5 €"),
        ("iso-8859-1", "Grüße".encode("latin-1"), "Grüße"),
        ("utf-8", "Grüße aus Köln, schöne Tage".encode("latin-1"), "Grüße aus Köln, schöne Tage"),
        ("nonsense", "Привет, как дела у вас сегодня".encode("cp1251"), "Привет, как дела у вас сегодня"),
        ("koi8-r", "Привет".encode("koi8-r"), "Привет"),
        ("gb2312", "你好，朕".encode("gb18030"), "你好，朕"),
        ("shift_jis", "①注文".encode("cp932"), "①注文"),
        ("ks_c_5601-1987", "안녕".encode("cp949"), "안녕"),
        ("windows-1256", "مرحبا".encode("cp1256"), "مرحبا"),
        ("iso-8859-8-i", "שלום".encode("iso8859-8"), "שלום"),
        (None, b"plain", "plain"),
        ("zlib", b"plain", "plain"),
        ("punycode", b"plain", "plain"),
    ],
)
def test_charsets(declared: str | None, data: bytes, text: str) -> None:
    assert decode(data, declared) == text


@pytest.mark.parametrize(
    "codec", ["hex", "base64", "zlib", "bz2", "rot13", "punycode", "idna", "unicode_escape", "undefined", "x" * 500]
)
def test_codecs_that_are_no_charsets_are_not_used(codec: str) -> None:
    assert known_charset(codec) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("=?utf-8?Q?a_b=3D?=", "a b="),
        ("=?utf-8?B?w6Q=?= =?utf-8?B?w7Y=?=", "äö"),
        ("=?utf-8?Q?=F0=9F?= =?utf-8?Q?=98=80?=", "😀"),
        ("=?utf-8?B?w6?=", "\ufffd"),
        ("=?bogus?Q?x?=", "x"),
        ("=?utf-8?X?x?=", "=?utf-8?X?x?="),
        ("a =?utf-8*en?Q?b?= c", "a b c"),
        ("=?" * 10_000, "=?" * 10_000),
    ],
)
def test_encoded_words(value: str, text: str) -> None:
    assert decode_words(value) == text


def test_a_message_of_several_texts_is_read_in_order() -> None:
    mixed = EmailMessage()
    mixed["From"], mixed["To"], mixed["Subject"], mixed["Message-ID"] = "a@b.test", ADDRESS, "x", "<x@y.test>"
    mixed.set_content("one")
    mixed.add_attachment(b"file", "application", "pdf", filename="f.pdf")
    mixed.attach(_text_part("two"))
    event = message(mixed.as_bytes())
    assert event.text == "one\n\ntwo"
    assert [one.filename for one in event.attachments] == ["f.pdf"]


def _text_part(text: str) -> EmailMessage:
    part = EmailMessage()
    part.set_content(text)
    return part


# ------------------------------------------------------------------------------- files


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\x\\a.pdf", "a.pdf"),
        ("a\u202egpj.exe", "agpj.exe"),
        ("in\u200bvoice.p\u200cdf", "invoice.pdf"),
        ("a\x00b\r\n.txt", "ab .txt"),
        (".htaccess", "htaccess"),
        ("...", "fallback"),
        ("", "fallback"),
        ("a" * 300 + ".pdf", "a" * 146 + ".pdf"),
        ("e\u0301.pdf", "é.pdf"),
        ("a\uff0fb.pdf", "b.pdf"),
        ("x.svg; y", "x.svg; y"),
        ("<b>.html", "_b_.html"),
    ],
)
def test_file_names_are_made_safe_before_anybody_looks_at_them(name: str, safe: str) -> None:
    assert safe_filename(name, "fallback") == safe


def test_a_forwarded_mail_is_kept_as_a_file() -> None:
    outer = EmailMessage()
    outer["From"], outer["To"], outer["Subject"], outer["Message-ID"] = "a@b.test", ADDRESS, "Fwd", "<x@y.test>"
    outer.set_content("see below")
    inner = EmailMessage()
    inner["From"], inner["Subject"] = "c@d.test", "The original/one"
    inner.set_content("inside")
    outer.add_attachment(inner)
    event = message(outer.as_bytes())
    assert event.text == "see below"
    (file,) = event.attachments
    assert (file.filename, file.content_type) == ("one.eml", "message/rfc822")
    assert file.content is not None
    assert b"inside" in file.content


@pytest.mark.parametrize(
    ("kind", "facts"),
    [
        ('multipart/encrypted; protocol="application/pgp-encrypted"; boundary=b', {"encrypted": "pgp"}),
        ('multipart/signed; protocol="application/pgp-signature"; boundary=b', {"signed": "pgp"}),
        ('multipart/signed; protocol="application/pkcs7-signature"; boundary=b', {"signed": "smime"}),
        ("application/pkcs7-mime; smime-type=enveloped-data", {"encrypted": "smime"}),
        ("application/pkcs7-mime; smime-type=signed-data", {"signed": "smime"}),
    ],
)
def test_sealed_mail_is_marked(kind: str, facts: dict[str, str]) -> None:
    event = message(mail(f"Content-Type: {kind}", body="--b\r\n\r\nx\r\n--b--"))
    assert facts.items() <= event.facts.items()


def test_inline_pgp_is_marked() -> None:
    assert (
        message(mail(body="-----BEGIN PGP MESSAGE-----\r\n\r\nabc\r\n-----END PGP MESSAGE-----")).facts["encrypted"]
        == "pgp"
    )


def test_a_body_too_long_to_show_becomes_a_file() -> None:
    event = message(mail(body="line\r\n" * 500_000))
    assert event.text == ""
    assert event.attachments[0].filename == "attachment-1.txt"


# ------------------------------------------------------------------------------ limits


def nested(depth: int) -> str:
    lines = []
    for level in range(depth):
        lines += [f"Content-Type: multipart/mixed; boundary=b{level}", "", f"--b{level}"]
    return "\r\n".join(["From: a@b.test", "Message-ID: <a@b.test>", *lines, "", "x"])


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "no_header"),
        (b"just words\r\n", "no_header"),
        (b"From: a@b.test\r\n" + b"X-Y: z\r\n" * 40_000, "header_too_large"),
        (nested(21).encode(), "too_deep"),
        (nested(3_000).encode(), "too_many_parts"),
        (
            b"From: a@b.test\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 600,
            "too_many_parts",
        ),
        (b"From: a@b.test\r\n\r\n" + b"x" * (25 * 1024 * 1024), "mail_too_large"),
        (b"To: a@b.test\r\n\r\nx", "no_sender"),
    ],
    ids=["empty", "no header", "header", "deep", "very deep", "parts", "large", "nobody"],
)
def test_beyond_the_limits_a_mail_is_quarantined(body: bytes, code: str) -> None:
    started = time.process_time()
    with pytest.raises(Malformed) as error:
        parsed(body)
    assert error.value.code == code
    assert time.process_time() - started < 20


def test_up_to_the_limits_it_is_read() -> None:
    assert message(nested(18)).text == "x"
    many = b"From: a@b.test\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 450
    assert isinstance(parsed(many)[0], MessageReceived)


@pytest.mark.parametrize("depth", [300, 1_500])
def test_mails_within_mails_within_mails(depth: int) -> None:
    with pytest.raises(Malformed):
        parsed("From: a@b.test\r\n" + "Content-Type: message/rfc822\r\n\r\n" * depth + "x")


@pytest.mark.parametrize(
    ("value", "when"),
    [
        ("Mon, 2 Nov 2026 10:15:00 +0100", datetime(2026, 11, 2, 9, 15, tzinfo=UTC)),
        ("2 Nov 26 10:15 GMT", datetime(2026, 11, 2, 10, 15, tzinfo=UTC)),
        ("Mon, 2 Nov 2026 10:15:00 -0000", datetime(2026, 11, 2, 10, 15, tzinfo=UTC)),
        ("yesterday", None),
        ("Mon, 99 Nov 2026 10:15:00 +0100", None),
        ("Mon, 2 Nov 99999 10:15:00 +9999", None),
    ],
)
def test_dates(value: str, when: datetime | None) -> None:
    assert message(mail(f"Date: {value}")).provider_time == when


def test_damaged_base64_gives_what_can_be_saved() -> None:
    whole = base64.b64encode(b"Hello, this is damaged").decode()
    event = message(mail("Content-Transfer-Encoding: base64", body=whole[:-3] + "!"))
    assert event.text.startswith("Hello, this is")


def test_language_is_taken_only_where_it_is_one() -> None:
    assert message(mail("Content-Language: de-AT, en")).language == "de-AT"
    assert message(mail("Content-Language: <script>")).language is None


def test_parsing_asks_nobody_and_keeps_nothing() -> None:
    adapter = channel()
    inbound = raw(mail())
    assert adapter.parse(inbound) == adapter.parse(inbound) == channel().parse(inbound)
