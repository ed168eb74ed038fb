"""What full-text search sees of a text: normalised words, cut where the script writes no spaces.

PostgreSQL's parser knows neither Chinese, Japanese and Thai word borders nor the joining signs of
Devanagari, so those are settled here, in the same way for articles and for questions.
"""

from __future__ import annotations

import re
import unicodedata

_CONFIGURATIONS = {
    "ar": "arabic", "ca": "catalan", "da": "danish", "de": "german", "el": "greek", "en": "english",
    "es": "spanish", "eu": "basque", "fi": "finnish", "fr": "french", "ga": "irish", "hi": "hindi",
    "hu": "hungarian", "hy": "armenian", "id": "indonesian", "it": "italian", "lt": "lithuanian",
    "nb": "norwegian", "ne": "nepali", "nl": "dutch", "nn": "norwegian", "no": "norwegian",
    "pt": "portuguese", "ro": "romanian", "ru": "russian", "sr": "serbian", "sv": "swedish",
    "ta": "tamil", "tr": "turkish", "yi": "yiddish",
}  # fmt: skip

_RUN = re.compile(
    r"(?P<han>[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f々〆]+)"
    r"|(?P<kata>[\u30a0-\u30ff]+)"
    r"|(?P<hira>[\u3041-\u309f]+)"
    r"|(?P<thai>[\u0e01-\u0e3a\u0e40-\u0e4e]+)"
    # Vowel signs of the Indic scripts, of Lao, Burmese and Khmer are marks, which \w leaves out.
    r"|(?P<word>(?:[^\W_]|[\u0300-\u036f\u0900-\u0963\u0966-\u0dff\u0e80-\u0eff\u1000-\u109f\u1780-\u17d3])+"
    r"(?:['’](?:[^\W_])+)*)",
)
_UNWRITTEN = re.compile(r"[\u0610-\u061a\u064b-\u065f\u0670\u0640\u093c\u094d\u200b-\u200f\u2060\ufeff\u00ad]")
"""Arabic vowel signs and tatweel, Devanagari nukta and virama, invisible joiners: writers leave them out."""
_ACCENTS = re.compile(r"([a-z])[\u0300-\u036f]+")
_LETTERS = str.maketrans({"ß": "ss", "ł": "l", "ø": "o", "ı": "i", "đ": "d"})
_ARABIC = str.maketrans({"أ": "ا", "إ": "ا", "آ": "ا", "ى": "ي", "ئ": "ي", "ؤ": "و", "ة": "ه"})


def configuration(locale: str | None) -> str:
    """The PostgreSQL text search configuration for a locale; `simple` where there is no stemmer."""
    return _CONFIGURATIONS.get((locale or "").replace("_", "-").split("-")[0].lower(), "simple")


def without_signs(text: str) -> str:
    """Compatibility-composed, without the signs that writers leave out. Case stays."""
    return _UNWRITTEN.sub("", unicodedata.normalize("NFKC", text)).translate(_ARABIC)


def normalise(text: str) -> str:
    """`without_signs`, and lower-case."""
    return without_signs(text).casefold()


def unaccented(word: str) -> str:
    """The word as somebody types it without the accents of their keyboard. Non-Latin letters stay."""
    plain = _ACCENTS.sub(r"\1", unicodedata.normalize("NFD", word))
    return unicodedata.normalize("NFC", plain).translate(_LETTERS)


def _grams(run: str, size: int) -> list[str]:
    return [run] if len(run) <= size else [run[i : i + size] for i in range(len(run) - size + 1)]


def words(text: str) -> list[str]:
    """The words in order, with repeats: Han and kana as pairs of signs, Thai as triples."""
    found: list[str] = []
    for match in _RUN.finditer(normalise(text)):
        run = match.group()
        if match.lastgroup in ("han", "hira"):
            found += _grams(run, 2)
        elif match.lastgroup == "kata":
            found.append(run)
            found += _grams(run, 3) if len(run) > 4 else []
        elif match.lastgroup == "thai":
            found += _grams(run, 3)
        else:
            found.append(run)
    return found


def indexed(text: str) -> str:
    """What goes into `Chunk.words`: every word, and its unaccented spelling where that differs."""
    out = []
    for word in words(text):
        out.append(word)
        plain = unaccented(word)
        if plain != word:
            out.append(plain)
    return " ".join(out)
