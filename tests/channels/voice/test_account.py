"""The account: connecting the number, testing the connection, and what becomes of Twilio's refusals."""

from __future__ import annotations

from typing import Any

import pytest

from channels.contract import AuthFailed, ChannelError, OutcomeUnknown, Rejected, Retryable, Undeliverable
from channels.twilio.fake import Trouble
from tests.channels.voice.house import NUMBER, TEAM, House, Phone


def row(phone: Phone) -> dict[str, Any]:
    found = phone.fake.numbers.row(NUMBER)
    assert found is not None
    return found


async def test_the_number_leads_here_and_only_once(phone: Phone, house: House) -> None:
    before = row(phone)["voice_url"]
    adapter = house.adapter()
    await adapter.subscribe()
    assert row(phone)["voice_url"] == before
    assert before.partition("#")[0] == house.context.hook_url
    assert row(phone)["status_callback"].startswith(f"{house.context.hook_url}?at=status")
    await adapter.unsubscribe()
    assert row(phone)["voice_url"] == ""
    await adapter.aclose()


async def test_a_number_that_leads_elsewhere_meanwhile_is_left_alone(phone: Phone, house: House) -> None:
    phone.fake.numbers.set(NUMBER, voice_url="https://elsewhere.test/calls")
    adapter = house.adapter()
    await adapter.unsubscribe()
    assert row(phone)["voice_url"] == "https://elsewhere.test/calls"
    assert any("do not come here yet" in one for one in (await adapter.check()).missing)
    await adapter.aclose()


async def test_the_test_says_what_is_missing(phone: Phone, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.changes["team_number"] = TEAM
    adapter = house.adapter()
    assert (await adapter.check()).missing == ()
    monkeypatch.setitem(row(phone), "capabilities", {"voice": False, "sms": True})
    assert any("cannot take calls" in one for one in (await adapter.check()).missing)
    await adapter.aclose()


async def test_a_number_of_somebody_else_is_refused(house: House) -> None:
    house.changes["number"] = "+14155550177"
    adapter = house.adapter()
    with pytest.raises(Rejected, match="not a number of this Twilio account"):
        await adapter.check()
    await adapter.aclose()


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        (Trouble.RATE_LIMITED, Retryable),
        (Trouble.SERVER_ERROR, Retryable),
        (Trouble.REFUSED, Rejected),
        (Trouble.UNKNOWN_RECIPIENT, Undeliverable),
        (Trouble.BAD_CREDENTIALS, AuthFailed),
        (Trouble.REPLY_LOST, OutcomeUnknown),
    ],
)
async def test_a_refusal_becomes_its_error_and_is_asked_once(
    phone: Phone, house: House, trouble: Trouble, error: type[ChannelError]
) -> None:
    call = await phone.call()
    await phone.ask(call)
    phone.fake.misbehave(trouble)
    with pytest.raises(error) as raised:
        await house.answer("Thirty days.")
    assert type(raised.value) is error
    if isinstance(raised.value, Retryable) and trouble is Trouble.RATE_LIMITED:
        assert raised.value.after == 2
    phone.fake.misbehave(Trouble.NONE)
    await phone.calls.settled()
    changes = list(phone.fake.ledger.rows("call_updated"))
    assert len(changes) == (1 if trouble is Trouble.REPLY_LOST else 0)
