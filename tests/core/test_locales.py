"""The message catalogues: every language says everything, with the same placeholders and the right plural forms."""

import re
from functools import cache
from gettext import GNUTranslations, c2py
from io import BytesIO
from pathlib import Path
from string import Formatter

import pytest
from babel import Locale
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.plurals import get_plural
from babel.messages.pofile import read_po

LOCALES = Path(__file__).parents[2] / "locales"
LANGUAGES = ("ar", "de", "en", "es", "fr", "it", "ja", "ko", "nl", "pl", "pt", "ru", "th", "tr", "zh", "zh_Hant")
DOMAIN = "customer"
UNREVIEWED = "unreviewed"
CLDR_ORDER = ("zero", "one", "two", "few", "many", "other")


@cache
def read(path: Path) -> Catalog:
    """The catalogue in ``path``; raises on anything that is not valid PO syntax."""
    with path.open("rb") as file:
        return read_po(file, domain=DOMAIN, abort_invalid=True)


def catalogue(language: str) -> Catalog:
    return read(LOCALES / language / "LC_MESSAGES" / f"{DOMAIN}.po")


def template() -> Catalog:
    return read(LOCALES / f"{DOMAIN}.pot")


def message_id(message: Message) -> str:
    return message.id if isinstance(message.id, str) else message.id[0]


def entries(source: Catalog) -> dict[str, Message]:
    """Messages by id, without the header."""
    return {message_id(message): message for message in source if message.id}


def forms(message: Message) -> tuple[str, ...]:
    """The translation in each plural form; one form for a message without plural."""
    text = message.string
    return (text,) if isinstance(text, str) else tuple(form or "" for form in text or ())


def placeholders(text: str) -> frozenset[str]:
    """Names in braces; raises ValueError on unbalanced braces."""
    return frozenset(name for _, name, _, _ in Formatter().parse(text) if name is not None)


def header(language: str, field: str) -> str:
    fields: dict[str, str] = dict(catalogue(language).mime_headers)
    return fields[field]


def test_every_folder_is_a_listed_language() -> None:
    assert sorted(path.parts[-3] for path in LOCALES.glob(f"*/LC_MESSAGES/{DOMAIN}.po")) == sorted(LANGUAGES)


def test_the_template_holds_no_wording() -> None:
    assert entries(template())
    assert not [key for key, message in entries(template()).items() if any(forms(message))]


@pytest.mark.parametrize("language", LANGUAGES)
def test_same_ids_as_the_template(language: str) -> None:
    expected = {key: message.pluralizable for key, message in entries(template()).items()}
    assert {key: message.pluralizable for key, message in entries(catalogue(language)).items()} == expected


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_id_occurs_once(language: str) -> None:
    text = (LOCALES / language / "LC_MESSAGES" / f"{DOMAIN}.po").read_text(encoding="utf-8")
    ids = re.findall(r'^msgid "(.*)"$', text, flags=re.MULTILINE)
    assert len(ids) == len(set(ids)) == len(entries(catalogue(language))) + 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_same_placeholders_in_every_form(language: str) -> None:
    english = {key: placeholders(forms(message)[0]) for key, message in entries(catalogue("en")).items()}
    wrong = {
        (key, form): placeholders(form) ^ english[key]
        for key, message in entries(catalogue(language)).items()
        for form in forms(message)
        if placeholders(form) != english[key]
    }
    assert wrong == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_plural_forms_are_complete(language: str) -> None:
    declared = re.match(r"nplurals=(\d+); plural=.+;?$", header(language, "Plural-Forms"))
    assert declared is not None
    assert int(declared[1]) == get_plural(language).num_plurals
    counts = {len(forms(message)) for message in entries(catalogue(language)).values() if message.pluralizable}
    assert counts == {int(declared[1])}


@pytest.mark.parametrize("language", LANGUAGES)
def test_plural_rule_agrees_with_cldr(language: str) -> None:
    """Numbers of one CLDR category get one form, and forms stand in CLDR's order (zero, one, two, few, many, other).

    Several categories may share a form: Turkish nouns stay singular after a number. Numbers up to 200 reach every
    category of these languages but the "many" of millions in Spanish, French, Italian and Portuguese.
    """
    rule = c2py(header(language, "Plural-Forms").partition("plural=")[2].rstrip("; "))
    category = Locale.parse(language).plural_form
    by_category: dict[str, set[int]] = {}
    for number in range(201):
        by_category.setdefault(category(number), set()).add(rule(number))
    assert {name: len(indexes) for name, indexes in by_category.items()} == dict.fromkeys(by_category, 1)
    in_order = [min(by_category[name]) for name in CLDR_ORDER if name in by_category]
    assert in_order == sorted(in_order)


@pytest.mark.parametrize("language", LANGUAGES)
def test_compiled_catalogue_finds_every_message(language: str) -> None:
    """As the application loads it: compiled in memory, looked up by id."""
    compiled = BytesIO()
    write_mo(compiled, catalogue(language))
    compiled.seek(0)
    translations = GNUTranslations(compiled)
    for key, message in entries(catalogue(language)).items():
        if message.pluralizable:
            assert {translations.ngettext(key, key, number) for number in range(201)} == set(forms(message))
        else:
            assert translations.gettext(key) == forms(message)[0]


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_empty_or_fuzzy(language: str) -> None:
    assert catalogue(language).fuzzy is False
    messages = entries(catalogue(language))
    assert [
        key
        for key, message in messages.items()
        if not forms(message) or not all(form.strip() for form in forms(message))
    ] == []
    assert [key for key, message in messages.items() if message.fuzzy] == []
    assert not catalogue(language).obsolete


@pytest.mark.parametrize("language", LANGUAGES)
def test_header_names_the_language_of_the_folder(language: str) -> None:
    text = (LOCALES / language / "LC_MESSAGES" / f"{DOMAIN}.po").read_text(encoding="utf-8")
    assert f'"Language: {language}\\n"' in text
    assert str(catalogue(language).locale) == language
    assert header(language, "Content-Type") == "text/plain; charset=utf-8"


@pytest.mark.parametrize("language", LANGUAGES)
def test_unreviewed_translations_say_so(language: str) -> None:
    marked = {key for key, message in entries(catalogue(language)).items() if UNREVIEWED in message.auto_comments}
    assert marked == (set() if language == "en" else set(entries(catalogue(language))))
