"""Mail addresses: one normal form, so that equal people have equal values."""

from __future__ import annotations

import re

_UNSAFE = re.compile(r"[\x00-\x20\x7f-\xa0<>(),;:\\\"\[\]\u2028\u2029\u200b-\u200f\ufeff]")
_IDNA_DOTS = re.compile("[\u3002\uff0e\uff61]")


def normalise_address(value: str) -> str:
    """Lower-case `local@domain` with the domain in its ASCII form (RFC 5890).

    The local part is lower-cased too: RFC 5321 permits case there, no provider of note uses it.
    Raises ValueError for what cannot stand safely on an SMTP command line or in a header.
    """
    local, at, domain = value.strip().rpartition("@")
    domain = _IDNA_DOTS.sub(".", domain).strip().rstrip(".").lower()
    if not at or not local or not domain or len(local.encode("utf-8", "replace")) > 128 or len(domain) > 253:
        raise ValueError("not a mail address")
    if "@" in local or _UNSAFE.search(local) or _UNSAFE.search(domain):
        raise ValueError("not a mail address")
    if not domain.isascii():
        try:
            domain = domain.encode("idna").decode("ascii")
        except UnicodeError:
            raise ValueError("not a mail address") from None
    try:
        local.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("not a mail address") from None
    return f"{local.lower()}@{domain}"
