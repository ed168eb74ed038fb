"""Office hours: what is written, and when somebody is there."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from core.hours import open_now, parse_hours
from core.settings import settings

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def hours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOCRM_OFFICE_HOURS", "mon-fri 09:00-17:00; sat 10:00-12:30; fri-mon 20:00-21:00")
    monkeypatch.setenv("AUTOCRM_OFFICE_ZONE", "Europe/Berlin")
    settings.cache_clear()


@pytest.mark.parametrize(
    ("day", "hour", "minute", "open_"),
    [
        (16, 9, 0, True), (16, 8, 59, False), (20, 16, 59, True), (20, 17, 0, False),  # Monday, Friday
        (21, 12, 29, True), (21, 12, 30, False), (22, 12, 0, False),  # Saturday, Sunday
        (22, 20, 30, True), (16, 20, 30, True), (17, 20, 30, False),  # over the week's end
    ],
)  # fmt: skip
def test_somebody_is_there_by_the_clock_of_the_office(
    hours: None, day: int, hour: int, minute: int, open_: bool
) -> None:
    there = datetime(2026, 11, day, hour, minute, tzinfo=BERLIN)
    assert open_now(there) is open_
    assert open_now(there.astimezone(ZoneInfo("Asia/Tokyo"))) is open_


def test_without_hours_somebody_is_always_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AUTOCRM_OFFICE_HOURS", raising=False)
    settings.cache_clear()
    assert open_now(datetime(2026, 11, 22, 3, 0, tzinfo=BERLIN))


@pytest.mark.parametrize("wrong", ["nine to five", "mon 9-17", "funday 09:00-17:00", "mon-fri 09:00"])
def test_hours_that_are_not_understood_are_named(wrong: str) -> None:
    with pytest.raises(ValueError, match="not understood"):
        parse_hours(wrong)
