"""Sentences by id, language and number."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core import i18n

HEAD = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n"Plural-Forms: {plural}\\n"\n\n'
GERMANIC = "nplurals=2; plural=(n != 1);"
POLISH = "nplurals=3; plural=(n==1 ? 0 : n%10>=2 && n%10<=4 && (n%100<10 || n%100>=20) ? 1 : 2);"


def catalogue(folder: Path, tag: str, plural: str, body: str) -> None:
    path = folder / tag / "LC_MESSAGES"
    path.mkdir(parents=True)
    (path / "customer.po").write_text(HEAD.format(plural=plural) + body, encoding="utf-8")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    catalogue(
        tmp_path, "en", GERMANIC,
        'msgid "hello"\nmsgstr "Hello {name}"\n\nmsgid "only.english"\nmsgstr "Only here"\n\n'
        'msgid "files"\nmsgid_plural "files"\nmsgstr[0] "{n} file"\nmsgstr[1] "{n} files"\n',
    )  # fmt: skip
    catalogue(
        tmp_path, "pl", POLISH,
        'msgid "files"\nmsgid_plural "files"\nmsgstr[0] "{n} plik"\nmsgstr[1] "{n} pliki"\nmsgstr[2] "{n} plików"\n',
    )  # fmt: skip
    catalogue(tmp_path, "pt", GERMANIC, 'msgid "hello"\nmsgstr "Olá {name}"\n')
    catalogue(tmp_path, "zh", "nplurals=1; plural=0;", 'msgid "hello"\nmsgstr "你好，{name}"\n')
    catalogue(tmp_path, "zh_Hant", "nplurals=1; plural=0;", 'msgid "hello"\nmsgstr "您好，{name}"\n')
    monkeypatch.setattr(i18n, "FOLDER", tmp_path)
    i18n.reload()
    yield tmp_path
    i18n.reload()
    i18n.be_strict(False)


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "Hello Ada"),
        ("pt-BR", "Olá Ada"),
        ("pt_BR", "Olá Ada"),
        ("zh", "你好，Ada"),
        ("zh-CN", "你好，Ada"),
        ("zh-TW", "您好，Ada"),
        ("zh-Hant-HK", "您好，Ada"),
        ("sw", "Hello Ada"),
        (None, "Hello Ada"),
    ],
)
def test_the_nearest_language_speaks(language: str | None, said: str) -> None:
    assert i18n.text(language, "hello", name="Ada") == said


@pytest.mark.parametrize(("n", "said"), [(1, "1 plik"), (3, "3 pliki"), (5, "5 plików"), (22, "22 pliki")])
def test_numbers_follow_the_rules_of_the_language(n: int, said: str) -> None:
    assert i18n.text("pl", "files", n=n) == said


def test_a_gap_borrows_from_english_along_the_rules_of_english() -> None:
    assert i18n.text("pt", "files", n=2) == "2 files"
    assert i18n.text("zh", "only.english") == "Only here"


def test_an_unknown_id_is_loud(caplog: pytest.LogCaptureFixture) -> None:
    assert i18n.text("en", "no.such.id") == ""
    assert "no.such.id" in caplog.text
    i18n.be_strict()
    with pytest.raises(i18n.MissingText):
        i18n.text("en", "no.such.id")


def test_a_missing_placeholder_is_loud(caplog: pytest.LogCaptureFixture) -> None:
    assert i18n.text("en", "hello") == ""
    assert "name" in caplog.text
    i18n.be_strict()
    with pytest.raises(i18n.MissingText):
        i18n.text("en", "hello")


def test_strict_finds_a_gap_in_a_language_that_has_a_catalogue() -> None:
    i18n.be_strict()
    with pytest.raises(i18n.MissingText):
        i18n.text("pt", "only.english")
    assert i18n.text("sw", "only.english") == "Only here"


def test_values_are_put_in_as_they_are() -> None:
    assert i18n.text("en", "hello", name="{name} {0.__class__}") == "Hello {name} {0.__class__}"


def test_languages_start_with_english() -> None:
    assert i18n.languages() == ("en", "pl", "pt", "zh", "zh-Hant")


@pytest.mark.parametrize(
    ("code", "reader", "name"),
    [
        ("en", "nl", "Engels"),
        ("de", "en", "German"),
        ("ja", "zh-TW", "日文"),
        ("pt-BR", "en", "Portuguese"),
        ("xx", "en", "xx"),
    ],
)
def test_languages_have_names_in_other_languages(code: str, reader: str, name: str) -> None:
    assert i18n.language_name(code, reader) == name


def test_direction() -> None:
    assert i18n.right_to_left("ar-EG")
    assert not i18n.right_to_left("de")
    assert not i18n.right_to_left(None)
