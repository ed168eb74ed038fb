"""Octets to text: the declared charset, else a detected one, else with replacement. Never raises."""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

from charset_normalizer import from_bytes

_ALIASES = {
    # Superset tables, as browsers use them (WHATWG Encoding): senders label the larger set by the smaller one's name.
    "iso8859-1": "cp1252",
    "ascii": "utf-8",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "big5": "big5hkscs",
}
_SPELLINGS = {
    "ks_c_5601": "cp949",
    "ks_c_5601_1987": "cp949",
    "ansi": "cp1252",
    "x_sjis": "cp932",
    "x_gbk": "gb18030",
    "x_euc_jp": "euc_jp",
    "iso_8859_8_i": "iso8859-8",
    "iso_8859_8_e": "iso8859-8",
    "unicode_1_1_utf_7": "utf-7",
    "utf_8mb4": "utf-8",
    "default": "utf-8",
}
_NOT_TEXT = frozenset({"punycode", "idna", "unicode_escape", "raw_unicode_escape", "mbcs", "oem", "undefined"})
_SAMPLE = 16 * 1024
_DETECTABLE = 20
"""Fewer octets than this say nothing about their charset."""


@lru_cache(maxsize=256)
def known_charset(declared: str) -> str | None:
    """Python's codec for a declared charset; None for unknown ones and for codecs that are no charsets (`zlib`, `punycode`)."""
    name = re.sub(r"[^a-z0-9]+", "_", declared.strip().strip("\"'").lower()).strip("_")
    if not name or len(name) > 40:
        return None
    name = re.sub(r"^(?:windows|win)_?(?=125\d)", "cp", name)
    try:
        info = codecs.lookup(_SPELLINGS.get(name, name))
    except (LookupError, ValueError):
        return None
    if info.name.replace("-", "_") in _NOT_TEXT or not info._is_text_encoding:
        return None
    return _ALIASES.get(info.name, info.name)


def decode(data: bytes, declared: str | None = None) -> str:
    """Text of `data`; control characters that no mail needs become U+FFFD."""
    return _CONTROLS.sub("\ufffd", _decode(data, declared))


_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def _decode(data: bytes, declared: str | None) -> str:
    charset = known_charset(declared) if declared else None
    if charset and charset.startswith("iso2022"):
        # Stateful escapes of ASCII octets: detection cannot know better than the label.
        return data.decode(charset, "replace")
    for candidate in (charset, "utf-8"):
        if candidate:
            try:
                return data.decode(candidate)
            except (UnicodeError, ValueError):
                continue
    if charset and (charset != "utf-8" or len(data) < _DETECTABLE):
        return data.decode(charset, "replace")
    best = from_bytes(data[:_SAMPLE]).best()
    return data.decode(best.encoding if best and known_charset(best.encoding) else "cp1252", "replace")
