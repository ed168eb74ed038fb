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
ALL = ("ar", "de", "en", "es", "fr", "it", "ja", "ko", "nl", "pl", "pt", "ru", "th", "tr", "zh", "zh_Hant")
LANGUAGES: dict[str, tuple[str, ...]] = {
    "customer": ALL,
    "slack": ALL,
    "sms": ALL,
    "telegram": ALL,
    "voice": ALL,
    "inbox": ("ar", "de", "en", "es", "fr", "ja"),
}
"""Per catalogue, the languages that have it."""
CASES = [(domain, language) for domain, languages in LANGUAGES.items() for language in languages]
each = pytest.mark.parametrize(("domain", "language"), CASES)
UNREVIEWED = "unreviewed"
CLDR_ORDER = ("zero", "one", "two", "few", "many", "other")


@cache
def read(path: Path) -> Catalog:
    """The catalogue in ``path``; raises on anything that is not valid PO syntax."""
    with path.open("rb") as file:
        return read_po(file, domain=path.stem, abort_invalid=True)


def catalogue(domain: str, language: str) -> Catalog:
    return read(LOCALES / language / "LC_MESSAGES" / f"{domain}.po")


def template(domain: str) -> Catalog:
    return read(LOCALES / f"{domain}.pot")


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


def header(domain: str, language: str, field: str) -> str:
    fields: dict[str, str] = dict(catalogue(domain, language).mime_headers)
    return fields[field]


@pytest.mark.parametrize("domain", LANGUAGES)
def test_every_folder_is_a_listed_language(domain: str) -> None:
    found = sorted(path.parts[-3] for path in LOCALES.glob(f"*/LC_MESSAGES/{domain}.po"))
    assert found == sorted(LANGUAGES[domain])


@pytest.mark.parametrize("domain", LANGUAGES)
def test_the_template_holds_no_wording(domain: str) -> None:
    assert entries(template(domain))
    assert not [key for key, message in entries(template(domain)).items() if any(forms(message))]


@each
def test_same_ids_as_the_template(domain: str, language: str) -> None:
    expected = {key: message.pluralizable for key, message in entries(template(domain)).items()}
    assert {key: message.pluralizable for key, message in entries(catalogue(domain, language)).items()} == expected


@each
def test_an_id_occurs_once(domain: str, language: str) -> None:
    text = (LOCALES / language / "LC_MESSAGES" / f"{domain}.po").read_text(encoding="utf-8")
    ids = re.findall(r'^msgid "(.*)"$', text, flags=re.MULTILINE)
    assert len(ids) == len(set(ids)) == len(entries(catalogue(domain, language))) + 1


@each
def test_same_placeholders_in_every_form(domain: str, language: str) -> None:
    english = {key: placeholders(forms(message)[0]) for key, message in entries(catalogue(domain, "en")).items()}
    wrong = {
        (key, form): placeholders(form) ^ english[key]
        for key, message in entries(catalogue(domain, language)).items()
        for form in forms(message)
        if placeholders(form) != english[key]
    }
    assert wrong == {}


@each
def test_plural_forms_are_complete(domain: str, language: str) -> None:
    declared = re.match(r"nplurals=(\d+); plural=.+;?$", header(domain, language, "Plural-Forms"))
    assert declared is not None
    assert int(declared[1]) == get_plural(language).num_plurals
    counts = {len(forms(message)) for message in entries(catalogue(domain, language)).values() if message.pluralizable}
    assert counts <= {int(declared[1])}


@each
def test_plural_rule_agrees_with_cldr(domain: str, language: str) -> None:
    """Numbers of one CLDR category get one form, and forms stand in CLDR's order (zero, one, two, few, many, other).

    Several categories may share a form: Turkish nouns stay singular after a number. Numbers up to 200 reach every
    category of these languages but the "many" of millions in Spanish, French, Italian and Portuguese.
    """
    rule = c2py(header(domain, language, "Plural-Forms").partition("plural=")[2].rstrip("; "))
    category = Locale.parse(language).plural_form
    by_category: dict[str, set[int]] = {}
    for number in range(201):
        by_category.setdefault(category(number), set()).add(rule(number))
    assert {name: len(indexes) for name, indexes in by_category.items()} == dict.fromkeys(by_category, 1)
    in_order = [min(by_category[name]) for name in CLDR_ORDER if name in by_category]
    assert in_order == sorted(in_order)


@each
def test_compiled_catalogue_finds_every_message(domain: str, language: str) -> None:
    """As the application loads it: compiled in memory, looked up by id."""
    compiled = BytesIO()
    write_mo(compiled, catalogue(domain, language))
    compiled.seek(0)
    translations = GNUTranslations(compiled)
    for key, message in entries(catalogue(domain, language)).items():
        if message.pluralizable:
            assert {translations.ngettext(key, key, number) for number in range(201)} == set(forms(message))
        else:
            assert translations.gettext(key) == forms(message)[0]


@each
def test_nothing_is_empty_or_fuzzy(domain: str, language: str) -> None:
    assert catalogue(domain, language).fuzzy is False
    messages = entries(catalogue(domain, language))
    assert [
        key
        for key, message in messages.items()
        if not forms(message) or not all(form.strip() for form in forms(message))
    ] == []
    assert [key for key, message in messages.items() if message.fuzzy] == []
    assert not catalogue(domain, language).obsolete


@each
def test_header_names_the_language_of_the_folder(domain: str, language: str) -> None:
    text = (LOCALES / language / "LC_MESSAGES" / f"{domain}.po").read_text(encoding="utf-8")
    assert f'"Language: {language}\\n"' in text
    assert str(catalogue(domain, language).locale) == language
    assert header(domain, language, "Content-Type") == "text/plain; charset=utf-8"


@each
def test_unreviewed_translations_say_so(domain: str, language: str) -> None:
    marked = {
        key for key, message in entries(catalogue(domain, language)).items() if UNREVIEWED in message.auto_comments
    }
    assert marked == (set() if language == "en" else set(entries(catalogue(domain, language))))


USED = re.compile(r"""\b(?:t|has)\(\s*(?:"([a-z_]+\.[a-z_.]+)"|`([a-z_]+\.[a-z_.]*)\$\{[^`]*`)""")
BUILT = ("error.", "reason.", "event.", "author.", "composer.", "draft.")
"""Beginnings of ids that the inbox puts together in more than one way."""


def test_the_inbox_asks_for_texts_that_exist_and_has_no_others() -> None:
    known = set(entries(catalogue("inbox", "en")))
    whole: set[str] = set()
    begun: set[str] = set(BUILT)
    for path in (LOCALES.parent / "web" / "src").rglob("*.ts*"):
        for found in USED.finditer(path.read_text(encoding="utf-8")):
            whole.add(found[1]) if found[1] else begun.add(found[2])
    assert whole - known == set()
    assert [start for start in begun if not any(key.startswith(start) for key in known)] == []
    assert [key for key in known - whole if not key.startswith(tuple(begun))] == []
