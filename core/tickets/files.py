"""Names of files from outside."""

from __future__ import annotations

import unicodedata

_MAX = 150


def safe_name(name: str) -> str:
    """A name that is one: no path, no control, format or zero-width characters, never empty, at most 150 characters.

    Normalised before anything is decided by it, so that nothing can hide behind the normalisation.
    """
    name = unicodedata.normalize("NFC", name)
    name = "".join(char for char in name if unicodedata.category(char) not in ("Cc", "Cf", "Co", "Cs", "Zl", "Zp"))
    name = name.replace("\\", "/").rsplit("/", 1)[-1].strip(" .")
    if len(name) > _MAX:
        stem, dot, extension = name.rpartition(".")
        name = (stem or name)[: _MAX - len(extension) - 1] + (dot + extension if dot and len(extension) < 16 else "")
    return name or "file"
