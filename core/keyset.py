"""Keyset cursors: a list goes on after the last row that was seen, however deep."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa

from core.errors import Invalid


def encode(values: Sequence[Any]) -> str:
    """An opaque cursor of a row's sort values."""
    packed = json.dumps([str(value) for value in values]).encode()
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def decode(cursor: str, length: int) -> list[str]:
    """Raises Invalid for anything that `encode` did not make."""
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error, UnicodeDecodeError):
        values = None
    if not isinstance(values, list) or len(values) != length or not all(isinstance(v, str) for v in values):
        raise Invalid("cursor_invalid", "the cursor is not one that this list gave")
    return values


def read(cursor: str, kinds: Sequence[Callable[[str], Any]]) -> list[Any]:
    """The sort values in a cursor, each read by its kind. Raises Invalid."""
    try:
        return [kind(value) for kind, value in zip(kinds, decode(cursor, len(kinds)), strict=True)]
    except (ValueError, TypeError, OverflowError):
        raise Invalid("cursor_invalid", "the cursor is not one that this list gave") from None


def after(
    statement: sa.Select[Any],
    columns: Sequence[tuple[Any, Callable[[str], Any]]],
    cursor: str | None,
    *,
    descending: bool = True,
) -> sa.Select[Any]:
    """`statement` ordered by `columns` (each with the reader of its text), going on after `cursor`."""
    order = [column.desc() if descending else column.asc() for column, _kind in columns]
    if cursor is not None:
        left = sa.tuple_(*(column for column, _kind in columns))
        values = read(cursor, [kind for _column, kind in columns])
        right = sa.tuple_(
            *(sa.literal(value, column.type) for value, (column, _kind) in zip(values, columns, strict=True))
        )
        statement = statement.where(left < right if descending else left > right)
    return statement.order_by(*order)
