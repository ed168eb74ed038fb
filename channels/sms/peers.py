"""Who is at the other end: a phone, a short code, or a sender that is only a name."""

from __future__ import annotations

import re

import phonenumbers

from channels.contract import Address, Trust

KIND = "phone"
_WRITTEN = re.compile(r"\+?[0-9 ().\-/]{1,39}")
_SHORT = re.compile(r"[0-9]{3,8}")
_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 &._+-]{1,11}")


def normalise_number(value: str, country: str | None = None) -> str | None:
    """E.164 for a telephone number, the bare digits for a short code; None for what is neither.

    `country` (two letters) is where a number without + belongs; without it such a number is none.
    """
    value = value.strip()
    if not _WRITTEN.fullmatch(value):
        return None  # `whatsapp:+1415…` belongs to another channel
    if _SHORT.fullmatch(value) and not (country and _possible(value, country)):
        return value
    return _possible(value, country)


def _possible(value: str, country: str | None) -> str | None:
    try:
        parsed = phonenumbers.parse(value, country or None)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(parsed) or parsed.extension:
        return None
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def address(value: str) -> Address | None:
    """The sender or recipient that Twilio names; None where it is no address of this channel.

    A name (`DHL`) is kept in lower case, so that equal senders are equal; it cannot be answered.
    """
    number = normalise_number(value)
    if number is not None:
        return Address(kind=KIND, value=number, trust=Trust.PROVIDER)
    if _NAME.fullmatch(value.strip()):
        return Address(kind=KIND, value=value.strip().lower(), name=value.strip(), trust=Trust.CLAIMED)
    return None


def is_phone(number: str) -> bool:
    """Whether it is a telephone number rather than a short code or a name."""
    return number.startswith("+")


def takes_pictures(ours: str, theirs: str) -> bool:
    """Whether MMS goes between the two: only within the North American numbering plan's United States and Canada."""
    return all(_country(number) in ("US", "CA") for number in (ours, theirs))


def _country(number: str) -> str | None:
    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(number, None))
    except phonenumbers.NumberParseException:
        return None
