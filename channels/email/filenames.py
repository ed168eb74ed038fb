"""Names for files from strangers."""

from __future__ import annotations

import re
import unicodedata

_EXTENSIONS = {
    "text/plain": ".txt",
    "text/html": ".html",
    "text/calendar": ".ics",
    "text/csv": ".csv",
    "text/vcard": ".vcf",
    "text/x-vcard": ".vcf",
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "image/svg+xml": ".svg",
    "application/pdf": ".pdf",
    "application/zip": ".zip",
    "application/ms-tnef": ".dat",
    "application/pgp-signature": ".asc",
    "application/pgp-encrypted": ".asc",
    "application/pkcs7-signature": ".p7s",
    "application/pkcs7-mime": ".p7m",
    "audio/mpeg": ".mp3",
    "audio/ogg": ".ogg",
    "audio/wav": ".wav",
    "video/mp4": ".mp4",
    "message/rfc822": ".eml",
    "message/delivery-status": ".txt",
}


def safe_filename(name: str, fallback: str) -> str:
    """A name that can be shown and saved: no path, no control, direction or zero-width character, at most 150 characters."""
    name = unicodedata.normalize("NFC", name.encode("utf-8", "replace").decode())
    name = "".join(" " if c in "\t\r\n" else c for c in name if unicodedata.category(c) not in {"Cf", "Cs", "Co"})
    name = "".join(c for c in name if unicodedata.category(c) not in {"Cc", "Zl", "Zp"})
    name = re.split(r"[/\\\u2044\u2215\u29f8\uff0f\uff3c]", name)[-1]
    name = re.sub(r'[<>:"|?*]', "_", " ".join(name.split())).strip(". ")
    if not name:
        return fallback
    if len(name) > 150:
        stem, dot, extension = name.rpartition(".")
        name = f"{stem[: 149 - len(extension)]}.{extension}" if dot and len(extension) <= 10 else name[:150]
    return name


def invented_name(kind: str, number: int) -> str:
    """A name for a file that came without one, from its content type and its place in the mail."""
    return f"attachment-{number}{_EXTENSIONS.get(kind, '.txt' if kind.startswith('text/') else '.bin')}"
