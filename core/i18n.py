"""Sentences in the reader's language, from the gettext catalogues under `locales/`.

Message ids are stable dotted names (`reply.greeting`), so English is a catalogue like any other.
A language without a sentence borrows it along its chain: `pt-BR` → `pt` → `en`, `zh-TW` → `zh-Hant` → `zh` → `en`.
"""

from __future__ import annotations

import io
import logging
from functools import cache
from gettext import GNUTranslations
from pathlib import Path
from string import Formatter

from babel import Locale, UnknownLocaleError
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

log = logging.getLogger(__name__)

FOLDER = Path(__file__).resolve().parent.parent / "locales"
SOURCE = "en"
_HANT = frozenset({"tw", "hk", "mo"})
_RTL = frozenset({"ar", "arc", "dv", "fa", "he", "ks", "ku", "ps", "sd", "ug", "ur", "yi"})


class MissingText(LookupError):
    """A message id or a placeholder that no catalogue of the chain can fill. Raised only when strict."""


class _Gaps:
    """What is done about them, for the whole process."""

    raised = False


def be_strict(on: bool = True) -> None:
    """Makes gaps raise `MissingText` (tests) rather than fall back to English and log (production)."""
    _Gaps.raised = on


def chain(language: str | None) -> list[str]:
    """The BCP 47 tags to try for a language, nearest first, always ending with English."""
    parts = (language or SOURCE).replace("_", "-").split("-")
    base = parts[0].lower()
    script = next((part.title() for part in parts[1:] if len(part) == 4 and part.isalpha()), None)
    region = next((part.upper() for part in parts[1:] if len(part) == 2 and part.isalpha()), None)
    if base == "zh" and script is None and region is not None:
        script = "Hant" if region.lower() in _HANT else "Hans"
    wanted = [
        f"{base}-{script}-{region}" if script and region else None,
        f"{base}-{region}" if region else None,
        f"{base}-{script}" if script else None,
        base,
        {"nb": "no", "nn": "no", "no": "nb"}.get(base),
        SOURCE,
    ]
    return list(dict.fromkeys(tag for tag in wanted if tag))


@cache
def _catalogue(tag: str) -> tuple[GNUTranslations, ...]:
    """Every domain of one language, compiled in memory; empty where the language has no folder."""
    found = []
    for path in sorted((FOLDER / tag.replace("-", "_") / "LC_MESSAGES").glob("*.po")):
        compiled = io.BytesIO()
        with path.open("rb") as file:
            write_mo(compiled, read_po(file, locale=tag.replace("-", "_")))
        compiled.seek(0)
        found.append(GNUTranslations(compiled))
    return tuple(found)


@cache
def languages() -> tuple[str, ...]:
    """BCP 47 tags of the languages that have a catalogue of their own, English first."""
    tags = (path.parent.name.replace("_", "-") for path in FOLDER.glob("*/LC_MESSAGES"))
    return tuple(sorted(set(tags), key=lambda tag: (tag != SOURCE, tag)))


def reload() -> None:
    """Forgets what was read, so that changed catalogues count."""
    _catalogue.cache_clear()
    languages.cache_clear()


def _lookup(tag: str, message_id: str, n: int | None) -> str | None:
    for translations in _catalogue(tag):
        if n is None:
            found = translations.gettext(message_id)
        else:
            found = translations.ngettext(message_id, message_id, n)
            if found == message_id:
                found = translations.gettext(message_id)
        if found != message_id:
            return found
    return None


def has_text(message_id: str) -> bool:
    """Whether English knows the id."""
    return _lookup(SOURCE, message_id, None) is not None or _lookup(SOURCE, message_id, 1) is not None


def text(language: str | None, message_id: str, /, n: int | None = None, **params: object) -> str:
    """The sentence `message_id` in `language`, its `{placeholders}` filled from `params` (and `n`).

    `n` chooses the plural form by the rules of the language the sentence is found in.
    """
    values = {key: str(value) for key, value in params.items()}
    if n is not None:
        values.setdefault("n", str(n))
    tags = chain(language)
    if _Gaps.raised and tags[0] in languages() and _lookup(tags[0], message_id, n) is None and len(tags) == 2:
        raise MissingText(f"{tags[0]}: no text for {message_id!r}")
    for tag in tags:
        template = _lookup(tag, message_id, n)
        if template is None:
            continue
        missing = [name for _, name, _, _ in Formatter().parse(template) if name and name not in values]
        if not missing:
            return template.format_map(values)
        if _Gaps.raised:
            raise MissingText(f"{tag}: {message_id!r} needs {missing}")
        log.error("the text %s of %s needs %s, which was not given", message_id, tag, missing)
    if _Gaps.raised:
        raise MissingText(f"no language of {tags} has a text for {message_id!r}")
    log.error("no language of %s has a usable text for %s", tags, message_id)
    return ""


def language_name(code: str, in_language: str | None) -> str:
    """The name of a language as readers of another write it; the code itself where Unicode CLDR has none."""
    for tag in chain(in_language):
        try:
            name = Locale.parse(code, sep="-").get_language_name(Locale.parse(tag, sep="-"))
        except (UnknownLocaleError, ValueError):
            continue
        if name:
            return name
    return code


def right_to_left(language: str | None) -> bool:
    """Whether the language is written from right to left."""
    return (language or SOURCE).replace("_", "-").split("-")[0].lower() in _RTL


def negotiate(language: str | None) -> str:
    """The nearest language that has a catalogue of its own."""
    return next((tag for tag in chain(language) if tag in languages()), SOURCE)


@cache
def browser_catalogue(tag: str, domain: str) -> dict[str, str | list[str]]:
    """One domain of one language for a browser: text by id, a list of forms where it is plural.

    The entry `""` holds the plural rule as gettext writes it. Texts that the language lacks are English.
    """
    found: dict[str, str | list[str]] = {}
    for source in (SOURCE, tag):
        path = FOLDER / source.replace("-", "_") / "LC_MESSAGES" / f"{domain}.po"
        if not path.is_file():
            continue
        with path.open("rb") as file:
            catalogue = read_po(file, locale=source.replace("-", "_"))
        rule = dict(catalogue.mime_headers).get("Plural-Forms", "")
        for message in catalogue:
            if not message.id:
                found[""] = rule
            elif isinstance(message.id, tuple):
                found[message.id[0]] = [str(form) for form in message.string or ()]
            elif message.string:
                found[str(message.id)] = str(message.string)
    return found
