"""When the team can be reached."""

from __future__ import annotations

from datetime import datetime, time
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from core.settings import settings

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Span(NamedTuple):
    """From one day of the week to another (0 is Monday), between two times of the day."""

    first: int
    last: int
    opens: time
    closes: time


@cache
def parse_hours(value: str) -> tuple[Span, ...]:
    """`mon-fri 09:00-17:00; sat 10:00-14:00`. Raises ValueError with the part that is wrong."""
    spans = []
    for part in filter(None, (piece.strip() for piece in value.lower().split(";"))):
        try:
            days, times = part.split()
            first, _, last = days.partition("-")
            opens, closes = (time.fromisoformat(one) for one in times.split("-"))
            spans.append(Span(_DAYS.index(first), _DAYS.index(last or first), opens, closes))
        except ValueError:
            raise ValueError(f"not understood: {part!r}; write it as mon-fri 09:00-17:00") from None
    return tuple(spans)


def open_now(at: datetime | None = None) -> bool:
    """Whether somebody is there, by `office_hours` in `office_zone`; always, where no hours are set."""
    spans = parse_hours(settings().office_hours)
    if not spans:
        return True
    now = (at or datetime.now(ZoneInfo(settings().office_zone))).astimezone(ZoneInfo(settings().office_zone))
    return any(
        (span.first <= now.weekday() <= span.last if span.first <= span.last
         else now.weekday() >= span.first or now.weekday() <= span.last)
        and span.opens <= now.time() < span.closes
        for span in spans
    )  # fmt: skip
