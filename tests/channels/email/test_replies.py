"""Quotes and signatures fold away; what the customer wrote now stays."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from channels.email.replies import fold
from tests.channels.email.mailbox import message

GITHUB = json.loads((Path(__file__).parent / "expected" / "github_replies.json").read_text())
TALON = [
    "android",
    "aol",
    "apple_mail",
    "apple_mail_2",
    "comcast",
    "gmail",
    "hotmail",
    "iphone",
    "outlook",
    "sparrow",
    "thunderbird",
    "yahoo",
]


@pytest.mark.parametrize("name", sorted(GITHUB))
def test_github_corpus(material: Path, name: str) -> None:
    wanted = GITHUB[name]
    folded = fold((material / "mail/reply-parsing/github_email_reply_parser/test/emails" / name).read_text("utf-8"))
    assert folded.text.startswith(wanted["starts"])
    assert folded.text.endswith(wanted["ends"])
    assert (folded.quoted or "").startswith(wanted["quoted"])
    assert bool(folded.quoted) == bool(wanted["quoted"])
    assert (folded.signature or "").startswith(wanted["signature"])
    assert bool(folded.signature) == bool(wanted["signature"])


def test_every_github_mail_has_an_expectation(material: Path) -> None:
    folder = material / "mail/reply-parsing/github_email_reply_parser/test/emails"
    assert {one.name for one in folder.glob("*.txt")} == set(GITHUB)


@pytest.mark.parametrize("name", TALON)
def test_talon_corpus(material: Path, name: str) -> None:
    """Their reply is ours with the signature put back: they cut signatures in a second step."""
    folder = material / "mail/reply-parsing/mailgun_talon"
    wanted = json.loads((folder / "expected_standard_replies.json").read_text())[f"{name}.eml"]
    event = message((folder / f"tests/fixtures/standard_replies/{name}.eml").read_bytes())
    assert f"{event.text} {event.signature or ''}".split() == wanted.split()
    assert event.quoted


@pytest.mark.parametrize(
    "attribution",
    [
        "On Mon, 2 Apr 2012 at 18:26, Ann Lee <ann@x.test> wrote:",
        "Am 02.04.2012 um 18:26 schrieb Ann Lee <ann@x.test>:",
        "Am Mo., 2. Apr. 2012 um 18:26 Uhr schrieb Ann Lee\n<ann@x.test>:",
        "Le lun. 2 avr. 2012 à 18:26, Ann Lee <ann@x.test> a écrit :",
        "El lun, 2 abr 2012 a las 18:26, Ann Lee (<ann@x.test>) escribió:",
        "Il giorno lun 2 apr 2012 alle ore 18:26 Ann Lee <ann@x.test> ha scritto:",
        "Em seg., 2 de abr. de 2012 às 18:26, Ann Lee <ann@x.test> escreveu:",
        "Op ma 2 apr. 2012 om 18:26 schreef Ann Lee <ann@x.test>:",
        "W dniu pon., 2.04.2012 o 18:26 Ann Lee <ann@x.test> napisał(a):",
        "Den mån 2 apr. 2012 kl 18:26 skrev Ann Lee <ann@x.test>:",
        "пн, 2 апр. 2012 г. в 18:26, Ann Lee <ann@x.test> написал:\n",
        "2 Nis 2012 Pzt, saat 18:26 tarihinde Ann Lee <ann@x.test> şunu yazdı:",
        "2012年4月2日(月) 18:26 Ann Lee <ann@x.test> のメール:",
        "Ann Lee <ann@x.test> 于2012年4月2日周一 18:26写道：",
        "2012년 4월 2일 (월) 오후 6:26, Ann Lee <ann@x.test>님이 작성:",
        "\u202bבתאריך יום ב׳, 2 באפר׳ 2012 ב-18:26 מאת \u202aAnn Lee\u202c\u200f <\u202aann@x.test\u202c\u200f>:\u202c כתב 1:",
        "2012/4/2 Ann Lee <ann@x.test>",
    ],
)
def test_attributions_of_many_languages(attribution: str) -> None:
    folded = fold(f"Thank you!\n\n{attribution}\n> Hi Ann\n> bye")
    assert folded.text == "Thank you!"
    assert folded.quoted is not None
    assert folded.quoted.endswith("> bye")


@pytest.mark.parametrize(
    "block",
    [
        "From: Shop <s@x.test>\nSent: Monday, April 2, 2012 6:26 PM\nTo: Ann\nSubject: Order\n\nDear Ann",
        "Von: Shop <s@x.test>\nGesendet: Montag, 2. April 2012 18:26\nAn: Ann\nBetreff: Bestellung\n\nHallo Ann",
        "De : Shop <s@x.test>\nEnvoyé : lundi 2 avril 2012 18:26\nÀ : Ann\nObjet : Commande\n\nBonjour",
        "De: Shop <s@x.test>\nEnviado: lunes, 2 de abril de 2012 18:26\nPara: Ann\nAsunto: Pedido\n\nHola",
        "Da: Shop <s@x.test>\nInviato: lunedì 2 aprile 2012 18:26\nA: Ann\nOggetto: Ordine\n\nSalve",
        "Van: Shop <s@x.test>\nVerzonden: maandag 2 april 2012 18:26\nAan: Ann\nOnderwerp: Bestelling\n\nBeste",
        "От: Shop <s@x.test>\nОтправлено: 2 апреля 2012 г. 18:26\nКому: Ann\nТема: Заказ\n\nПривет",
        "发件人: Shop <s@x.test>\n发送时间: 2012年4月2日 18:26\n收件人: Ann\n主题: 订单\n\n您好",
        "-----Ursprüngliche Nachricht-----\nVon: Shop\n\nHallo",
        "________________________________\nFrom: Shop <s@x.test>\nDate: Monday\nTo: Ann\nSubject: x\n\nDear",
    ],
)
def test_header_blocks_of_many_languages(block: str) -> None:
    folded = fold(f"It is broken.\n\n{block}")
    assert folded.text == "It is broken."
    assert folded.quoted is not None
    assert folded.quoted.split() == block.split()


@pytest.mark.parametrize(
    "line",
    [
        "Sent from my iPhone",
        "Von meinem iPhone gesendet",
        "Gesendet von Outlook für Android",
        "Envoyé de mon iPhone",
        "Enviado desde mi iPhone",
        "Inviato da iPhone",
        "Verzonden vanaf mijn iPhone",
        "Отправлено с iPhone",
        "发自我的 iPhone",
        "iPhoneから送信",
        "Get Outlook for iOS<https://aka.ms/o0ukef>",
    ],
)
def test_what_phones_add_is_a_signature(line: str) -> None:
    assert fold(f"Where is it?\n\n{line}") == fold(f"Where is it?\n\n{line}\n")
    assert fold(f"Where is it?\n\n{line}").text == "Where is it?"
    assert fold(f"Where is it?\n\n{line}").signature == line


@pytest.mark.parametrize(
    "words", ["Sent with DHL yesterday", "Gesendet mit Hermes", "Sent from China last week", "Enviado por correo"]
)
def test_how_a_parcel_was_sent_is_no_signature(words: str) -> None:
    assert fold(f"Where is it?\n\n{words}").text == f"Where is it?\n\n{words}"


def test_answers_between_quotes_keep_the_quotes() -> None:
    text = "On 1 May 2020, Shop <s@x.test> wrote:\n> Colour?\n\nRed.\n\n> Size?\n\nLarge."
    assert fold(text).text == text


def test_an_answer_below_the_quote() -> None:
    folded = fold("On 1 May 2020, Shop <s@x.test> wrote:\n> Colour?\n> Size?\n\nRed, large.")
    assert folded.text == "Red, large."
    assert folded.quoted is not None


def test_a_bare_forward_stays_whole() -> None:
    text = (
        "---------- Forwarded message ---------\nFrom: Shop <s@x.test>\nDate: Monday\nTo: Ann\nSubject: x\n\nYour order"
    )
    assert fold(text).text == text


def test_an_empty_answer_does_not_take_the_quote_for_words() -> None:
    folded = fold("\n\nOn 1 May 2020, Shop <s@x.test> wrote:\n> Colour?\n")
    assert folded.text == ""
    assert folded.quoted is not None


def test_nothing_is_lost() -> None:
    text = "Hi\n\n-- \nAnn\n\nOn 1 May 2020, Shop <s@x.test> wrote:\n> Colour?\n> Size?"
    folded = fold(text)
    together = f"{folded.text}\n{folded.signature}\n{folded.quoted}"
    assert together.split() == text.split()


def test_a_sentence_about_writing_is_no_attribution() -> None:
    text = "My colleague wrote:\nplease send 3 of them.\nThanks"
    assert fold(text).text == text


@pytest.mark.parametrize(
    "hostile",
    [
        "On 1 wrote:\n> x\n" * 20_000,
        ">" * 500_000,
        "On " + "a " * 200_000 + "wrote:",
        "From: a\n" * 50_000,
        "-- \n" * 50_000,
        "a\n\n" * 100_000,
    ],
    ids=["attributions", "angles", "long", "labels", "delimiters", "paragraphs"],
)
def test_hostile_text_costs_no_more_than_its_length(hostile: str) -> None:
    """Bounded by processor time, generously: repetition that backtracks would take hours."""
    started = time.process_time()
    fold(hostile)
    assert time.process_time() - started < 20
