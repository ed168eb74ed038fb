"""Which voice speaks which language, by the names that Twilio gives to Amazon's and Google's voices."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from babel.core import get_global


@dataclass(frozen=True, slots=True)
class Voice:
    """What `<Say>` is given. Without a name, Twilio chooses a voice that fits the locale."""

    locale: str
    name: str | None = None


VOICES: Mapping[str, Voice] = MappingProxyType(
    {
        "ar": Voice("ar-AE", "Polly.Hala-Neural"),
        "de": Voice("de-DE", "Polly.Vicki-Neural"),
        "en": Voice("en-US", "Polly.Joanna-Neural"),
        "en-GB": Voice("en-GB", "Polly.Amy-Neural"),
        "es": Voice("es-ES", "Polly.Lucia-Neural"),
        "es-MX": Voice("es-MX", "Polly.Mia-Neural"),
        "fr": Voice("fr-FR", "Polly.Lea-Neural"),
        "it": Voice("it-IT", "Polly.Bianca-Neural"),
        "ja": Voice("ja-JP", "Polly.Kazuha-Neural"),
        "ko": Voice("ko-KR", "Polly.Seoyeon-Neural"),
        "nl": Voice("nl-NL", "Polly.Laura-Neural"),
        "pl": Voice("pl-PL", "Polly.Ola-Neural"),
        "pt": Voice("pt-BR", "Polly.Camila-Neural"),
        "pt-PT": Voice("pt-PT", "Polly.Ines-Neural"),
        "ru": Voice("ru-RU", "Polly.Tatyana"),
        "th": Voice("th-TH", "Google.th-TH-Standard-A"),
        "tr": Voice("tr-TR", "Polly.Burcu-Neural"),
        "zh": Voice("cmn-CN", "Polly.Zhiyu-Neural"),
        "zh-Hant": Voice("cmn-TW", "Google.cmn-TW-Wavenet-A"),
    }
)
_HANT = frozenset({"TW", "HK", "MO"})


def nearest(language: str | None, known: Collection[str]) -> str | None:
    """The tag among `known` that serves a BCP 47 language best: itself, its script, its base; None where none does."""
    if not language:
        return None
    by_lower = {one.lower(): one for one in known}
    parts = language.replace("_", "-").split("-")
    base, regions = parts[0].lower(), {part.upper() for part in parts[1:]}
    tags = ["-".join(parts).lower()]
    if base in ("zh", "cmn"):
        tags.append("zh-hant" if regions & _HANT or "HANT" in regions else "zh")
    tags += [base, "zh" if base == "cmn" else base]
    return next((by_lower[tag] for tag in tags if tag in by_lower), None)


def voice(language: str) -> Voice:
    """The voice of a language; for one without an entry, the locale where most of its speakers are."""
    known = nearest(language, VOICES)
    if known is not None:
        return VOICES[known]
    likely = str(get_global("likely_subtags").get(language.split("-", maxsplit=1)[0].lower(), ""))
    base, _, rest = likely.partition("_")
    region = rest.rpartition("_")[2]
    return Voice(f"{base}-{region}" if base and region else "en-US")
