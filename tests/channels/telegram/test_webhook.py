"""The webhook: the secret, replays, order, and what is answered at once."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from channels.contract import Context, MessageReceived, Peer, Rejected, Unverified
from channels.lab import Misbehaviour
from channels.social.telegram.adapter import Channel
from channels.social.telegram.fake_world import BOT_NAME
from channels.social.telegram.harness import Harness
from channels.social.telegram.settings import Mode
from channels.social.telegram.webhook import secret_token
from tests.channels.telegram.conftest import House


def channel(house: House) -> Channel:
    context = replace(house.telegram.context(house.settings), channel="telegram", public_url=house.url)
    return Channel(context)


async def test_the_way_of_a_message(telegram: Harness, called: House) -> None:
    adapter = channel(called)
    await adapter.subscribe()
    await adapter.aclose()
    state = telegram.fake.world.state
    assert state["webhook"] == f"{called.url}/hooks/telegram/account-1?bot={BOT_NAME}"
    assert state["secret"] == secret_token(telegram.context())
    assert set(state["allowed"]) == {
        "message",
        "edited_message",
        "callback_query",
        "message_reaction",
        "my_chat_member",
    }
    await telegram.fake.write(telegram.ann(), f"@{BOT_NAME} hello", chat=telegram.fake.world.group("Garden club"))
    await telegram.fake.updates.settled()
    assert called.texts() == ["hello"]
    assert called.refused == 0


async def test_a_changed_secret_is_refused_until_telegram_is_told(telegram: Harness, called: House) -> None:
    await channel(called).subscribe()
    telegram.fake.world.write("state", state={"secret": "0" * 64})
    await telegram.fake.write(telegram.ann(), "hello")
    async with called.changed:
        await called.changed.wait_for(lambda: called.refused)
    assert called.raws == {}
    await channel(called).subscribe()
    await telegram.fake.updates.settled()
    assert called.texts() == ["hello"]


def test_the_secret_belongs_to_the_account(telegram: Harness) -> None:
    ours, theirs = telegram.context(), replace(telegram.context(), secret=bytes(32))
    assert secret_token(ours) != secret_token(theirs)
    adapter = telegram.adapter()
    adapter.verify(telegram.request(secret=secret_token(ours)))
    with pytest.raises(Unverified):
        adapter.verify(telegram.request(secret=secret_token(theirs)))


async def test_without_a_key_of_ours_nothing_is_believed(telegram: Harness) -> None:
    adapter = Channel(replace(telegram.context(telegram.with_settings(mode=Mode.WEBHOOK)), secret=b""))
    for shown in (None, "", "x"):
        with pytest.raises(Unverified):
            adapter.verify(telegram.request(secret=shown))
    with pytest.raises(Rejected):
        await adapter.subscribe()


@pytest.mark.parametrize("mode", list(Mode))
def test_a_genuine_request_is_believed_in_either_mode(telegram: Harness, mode: Mode) -> None:
    telegram.adapter(telegram.with_settings(mode=mode)).verify(telegram.signed())


async def test_what_cannot_be_stored_comes_again_and_replays_are_known(telegram: Harness, called: House) -> None:
    await channel(called).subscribe()
    called.failing = 2
    telegram.fake.misbehave(Misbehaviour.DUPLICATE)
    await telegram.fake.write(telegram.ann(), "first")
    await telegram.fake.write(telegram.ann(), "second")
    await telegram.fake.updates.settled()
    assert called.texts() == ["first", "second"]
    assert [one.status for one in telegram.fake.updates.attempts] == [503, 503, 200, 200, 200, 200]


async def test_an_edit_may_overtake_its_message(telegram: Harness, called: House) -> None:
    await channel(called).subscribe()
    telegram.fake.misbehave(Misbehaviour.OUT_OF_ORDER)
    message = await telegram.fake.write(telegram.ann(), "Where?")
    await telegram.fake.edit(message, "Where is it?")
    await telegram.fake.updates.settled()
    assert [one.type for one in called.events()] == ["message_edited", "message_received"]
    assert {one.order_key for one in called.raws.values()} == {str(telegram.ann()["id"])}


async def test_the_same_update_by_either_way_is_one(telegram: Harness) -> None:
    fetched = await telegram.customer_writes("hello")
    adapter = telegram.adapter()
    told = telegram.request(fetched.body, secret_token(telegram.context()))
    assert adapter.identify(told, ()).external_id == fetched.external_id
    assert adapter.parse(told) == adapter.parse(fetched)


async def test_a_button_and_a_start_are_answered_in_the_reply(telegram: Harness, called: House) -> None:
    await channel(called).subscribe()
    await telegram.adapter().send(telegram.outbound("An answer", automated=True))
    query = await telegram.fake.press(telegram.ann(), telegram.fake.delivered()[0], "person")
    await telegram.fake.write(telegram.ann(), "/start")
    await telegram.fake.updates.settled()
    assert telegram.fake.methods.answered == [query]
    assert [one["text"] for one in telegram.fake.delivered()] == ["An answer", "telegram.greeting"]
    assert not any(method == "answerCallbackQuery" and "method" in given for method, given in telegram.fake.calls)


async def test_who_wants_nothing_is_not_greeted(telegram: Harness, called: House) -> None:
    await channel(called).subscribe()
    called.opted_out = True
    await telegram.fake.write(telegram.ann(), "/start")
    await telegram.fake.updates.settled()
    assert telegram.fake.delivered() == []


def test_the_greeting_is_in_the_persons_language(telegram: Harness) -> None:
    said: list[str | None] = []

    def text(language: str | None, message_id: str, /, n: int | None = None, **params: object) -> str:
        said.append(language)
        return "Hallo"

    context = Context("account-1", telegram.settings(), secret=bytes(32), text=text)
    person = {"id": 5, "is_bot": False, "first_name": "x", "language_code": "de"}
    message = {"message_id": 1, "date": 1, "chat": {"id": 5, "type": "private"}, "from": person, "text": "/start"}
    raw = telegram.request(json.dumps({"update_id": 1, "message": message}))
    reply = Channel(context).respond(raw, (), Peer())
    assert json.loads(reply.body) == {"method": "sendMessage", "chat_id": 5, "text": "Hallo"}
    assert said == ["de"]


async def test_only_our_own_webhook_is_taken_away(telegram: Harness, called: House) -> None:
    state = telegram.fake.world.state
    telegram.fake.world.write("state", state={"webhook": "http://127.0.0.1:9/else"})
    await channel(called).unsubscribe()
    assert telegram.fake.world.state["webhook"] == "http://127.0.0.1:9/else"
    await channel(called).subscribe()
    await channel(called).unsubscribe()
    assert telegram.fake.world.state["webhook"] == state["webhook"] == ""


async def test_the_test_of_the_connection_tells_what_is_missing(telegram: Harness, called: House) -> None:
    adapter = channel(called)
    telegram.fake.world.write("state", state={"webhook": "https://elsewhere.example/secret-path"})
    telegram.fake.methods.me |= {"can_read_all_group_messages": False}
    checked = await adapter.check()
    assert checked.identity == f"@{BOT_NAME}"
    assert any("elsewhere.example" in one for one in checked.missing)
    assert not any("secret-path" in one for one in checked.missing)
    assert any("/setprivacy" in one for one in checked.missing)
    await adapter.subscribe()
    telegram.fake.updates.last_error = (1, "Wrong response from the webhook: 503 Service Unavailable")
    assert any("503 Service Unavailable" in one for one in (await adapter.check()).missing)
    await adapter.aclose()


async def test_a_bot_in_good_order_lacks_nothing(telegram: Harness) -> None:
    assert (await telegram.adapter().check()).missing == ()


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", b"{", b'{"update_id": true}', b'{"update_id": "5"}'])
def test_what_has_no_number_is_known_by_its_bytes(telegram: Harness, body: bytes) -> None:
    adapter = telegram.adapter()
    named = adapter.identify(telegram.request(body), ())
    assert named.external_id.startswith("sha256:")
    assert named.external_id == adapter.identify(telegram.request(body), ()).external_id


def test_a_message_for_the_kit_is_a_message(telegram: Harness) -> None:
    assert not [one for one in telegram.adapter().parse(telegram.signed()) if isinstance(one, MessageReceived)]
