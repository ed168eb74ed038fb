"""The body of a Twilio webhook."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

from channels.contract import Malformed, RawInbound

_FIELDS_MAX = 1000


def pairs(body: bytes) -> list[tuple[str, str]]:
    """The fields of an `application/x-www-form-urlencoded` body, in order, repeated and empty ones included.

    Raises Malformed.
    """
    try:
        return parse_qsl(
            body.decode("utf-8"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            errors="strict",
            max_num_fields=_FIELDS_MAX,
        )
    except (ValueError, UnicodeError):
        raise Malformed("the body is no form") from None


def fields(raw: RawInbound) -> Mapping[str, str]:
    """The fields by name; of a repeated one the last. Raises Malformed."""
    return dict(pairs(raw.body))
