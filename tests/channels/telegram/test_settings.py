"""What an admin may enter."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from channels.registry import spec
from channels.social.telegram.fake import BOT_TOKEN
from channels.social.telegram.fake_world import BOT_ID
from channels.social.telegram.settings import API_URL, Mode, TelegramSettings


def test_a_token_is_enough() -> None:
    settings = TelegramSettings.model_validate({"bot_token": f" {BOT_TOKEN}\n"})
    assert settings.bot_token.get_secret_value() == BOT_TOKEN
    assert (settings.mode, settings.api_url, settings.bot_id) == (Mode.POLLING, API_URL, BOT_ID)
    assert settings.hosted


@pytest.mark.parametrize(
    "token", ["", "x", "12345", ":abc", "1:short", f"bot{BOT_TOKEN}", f"{BOT_TOKEN}/../x", "1:" + "é" * 35]
)
def test_what_is_no_token_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(ValidationError) as raised:
        TelegramSettings.model_validate({"bot_token": token})
    assert len(token) < 2 or token not in str(raised.value)


@pytest.mark.parametrize(
    "url", ["api.telegram.org", "ftp://a.example", "https://u:p@a.example", "https://a.example?x=1", ""]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        TelegramSettings.model_validate({"bot_token": BOT_TOKEN, "api_url": url})


def test_a_server_of_ones_own() -> None:
    settings = TelegramSettings.model_validate({"bot_token": BOT_TOKEN, "api_url": "http://10.0.0.5:8081/"})
    assert settings.api_url == "http://10.0.0.5:8081"
    assert not settings.hosted


def test_the_card_is_honest() -> None:
    """What is in doubt can be neither repeated nor looked up, nobody can be written to first, and nothing is acknowledged."""
    can = spec("telegram").capabilities
    assert (can.idempotent_send, can.lookup_sent, can.can_initiate, can.receipts) == (False,) * 4
