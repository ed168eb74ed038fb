"""Understanding a message before anything is looked up: language, greeting and sign-off, a wish for a person."""

from __future__ import annotations

import pytest

from ai.language import identify
from ai.person import wants_person
from ai.query import greeting_only, prepare, strip


@pytest.mark.parametrize(
    ("text", "hint", "language"),
    [
        ("Where is my parcel?", None, "en"),
        ("Wo ist mein Paket?", "en", "de"),
        ("passwort vergessen", None, "de"),
        ("annuler ma commande svp", None, "fr"),
        ("¿Dónde está mi pedido?", None, "es"),
        ("Onde está a minha encomenda?", None, "pt"),
        ("Dov'è il mio pacco?", None, "it"),
        ("Waar blijft mijn pakket?", None, "nl"),
        ("Gdzie jest moja paczka?", None, "pl"),
        ("Siparişim nerede kaldı?", None, "tr"),
        ("Где моя посылка?", None, "ru"),
        ("Де моя посилка? Її досі немає", None, "uk"),
        ("أين طلبي؟", "en", "ar"),
        ("मेरा ऑर्डर कहाँ है", "en", "hi"),
        ("返品はいつまでできますか？", None, "ja"),
        ("iPhone 케이스 반품하고 싶어요", None, "ko"),
        ("พัสดุของฉันอยู่ที่ไหน", None, "th"),
        ("请问怎么退货", None, "zh"),
        ("我要退貨，請問運費多少？", None, "zh-Hant"),
        ("Jak mohu vrátit zboží?", None, "cs"),
        ("ok", "de", "de"),
        ("tracking?", "fr", "fr"),
        ("12345", None, None),
        ("12345", "ja", "ja"),
        ("https://example.org/a?b=wo-ist", "es", "es"),
        ("WO IST MEINE BESTELLUNG?", None, "de"),
    ],
)
def test_language(text: str, hint: str | None, language: str | None) -> None:
    assert identify(text, hint) == language


@pytest.mark.parametrize(
    "text",
    [
        "I want to speak to a human", "can i talk to a real person please", "human please", "agent",
        "Ich möchte mit einem Mitarbeiter sprechen", "je veux parler à un conseiller", "Quiero hablar con una persona",
        "quero falar com um atendente", "Voglio parlare con un operatore", "Ik wil een medewerker spreken",
        "chcę porozmawiać z człowiekiem", "insanla konuşmak istiyorum", "соедините с оператором", "أريد التحدث مع موظف",
        "मुझे किसी इंसान से बात करनी है", "人間と話したいです", "転人工".replace("転", "转"), "상담원 연결해주세요",
        "ขอคุยกับเจ้าหน้าที่",
    ],
)  # fmt: skip
def test_a_wish_for_a_person_is_understood(text: str) -> None:
    assert wants_person(text)


@pytest.mark.parametrize(
    "text",
    [
        "The agent at the shop told me I could return it",
        "How many people work here?",
        "I need a person-sized sleeping bag",
        "Can I transfer my points to another person?",
        "Können mehrere Personen mit einem Konto bestellen?",
        "Une personne de plus peut-elle utiliser la carte ?",
        "お一人様何点まで買えますか",
    ],
)
def test_people_in_a_question_are_no_wish_for_a_person(text: str) -> None:
    assert not wants_person(text)


@pytest.mark.parametrize(
    ("message", "core"),
    [
        ("Hi there,\n\nWhere is my order?\n\nThanks,\nAda", "Where is my order?"),
        ("Hallo zusammen, wo ist mein Paket? Danke, Jens", "wo ist mein Paket?"),
        ("> earlier\n> text\nHow do I pay?\n-- \nAda\nFernweh", "How do I pay?"),
        ("How do I pay?\n\nOn Mon, 3 May 2026 at 10:00 Robin wrote:\n> hello", "How do I pay?"),
        ("こんにちは。返品したいです。よろしくお願いします。", "返品したいです。"),
        ("Hello", ""),
        ("Thanks!\nBut where is my order?", "Thanks! But where is my order?"),
        ("Hidden costs?", "Hidden costs?"),
        ("Hi-vis jacket in XL?", "Hi-vis jacket in XL?"),
    ],
)
def test_greeting_quote_and_sign_off_go(message: str, core: str) -> None:
    assert strip(message) == core


@pytest.mark.parametrize("text", ["Hello", "Hi!", "Danke schön", "Bonjour", "thanks a lot!", "こんにちは", "👋"])
def test_a_mere_greeting_is_recognised(text: str) -> None:
    assert greeting_only(text)


def test_a_long_message_is_looked_up_whole_and_by_its_questions() -> None:
    query = prepare("We bought two tents in spring. One has a hole now. Do you repair that? And what will it cost?")
    assert query.parts[0] == query.text
    assert query.parts[1:3] == ("Do you repair that?", "And what will it cost?")


def test_the_subject_counts_where_it_says_more() -> None:
    assert prepare("Please help.", "Re: Fwd: Broken zip on tent").text == "Broken zip on tent. Please help."
    assert prepare("I have a broken zip on tent", "broken zip on tent").text == "I have a broken zip on tent"


def test_a_message_without_words_is_empty() -> None:
    assert prepare("??? 👍").empty
