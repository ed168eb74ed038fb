"""A fake Twilio with a telephone exchange, a small house behind it, and a caller."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from channels.twilio.calls import Calls
from channels.twilio.clock import HandClock
from channels.twilio.fake import FakeTwilio
from tests.channels.voice.house import NUMBER, House, Phone, strict_texts


@pytest.fixture
async def phone(tmp_path: Path) -> AsyncIterator[Phone]:
    fake, clock = FakeTwilio(tmp_path, numbers=(NUMBER,)), HandClock()
    calls = Calls(fake, clock=clock)
    house = House(fake)
    await fake.start()
    await house.start()
    try:
        adapter = house.adapter()
        await adapter.subscribe()
        await adapter.aclose()
        with strict_texts():
            yield Phone(fake, calls, clock, house)
        assert calls.problems() == []
    finally:
        await fake.stop()
        await house.stop()


@pytest.fixture
def house(phone: Phone) -> House:
    return phone.house
