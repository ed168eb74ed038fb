"""Whole calls: a caller, the fake provider that carries out our TwiML, and the adapter behind a real webhook."""

from __future__ import annotations

from pathlib import Path

import pytest

from channels.contract import (
    CONVERSATION_OVER,
    ActionTaken,
    CallEnded,
    CallStarted,
    Citation,
    Digits,
    MessageReceived,
    OutcomeUnknown,
    Peer,
    ReceiptKind,
    ReceiptReceived,
    Rejected,
    Trust,
    Undeliverable,
)
from channels.twilio.exchange import Doing, Status, Team
from channels.twilio.fake import Trouble
from channels.twilio.wave_file import Sound
from channels.voice.dialogue import ROUNDS_MAX, ROUNDS_TO_OFFER
from tests.channels.voice.house import CALLER, CLICK, SILENCE, SPEECH, TEAM, House, Phone, said

SOURCE = Citation(title="Returns", url="https://shop.test/help/returns")


async def test_a_call_is_greeted_by_a_machine_that_says_so(phone: Phone, house: House) -> None:
    call = await phone.call()
    assert call.heard() == [
        said("en", "greeting", company="Bird & Seed"),
        said("en", "ai_notice"),
        said("en", "ask"),
    ]
    assert {(one.language, one.voice) for one in call.said} == {("en-US", "Polly.Joanna-Neural")}
    (started,) = house.of(CallStarted)
    assert (started.conversation, started.sender.value) == (call.sid, CALLER)
    assert started.sender.kind == "phone"
    assert started.sender.trust is Trust.PROVIDER


async def test_two_questions_are_answered_in_one_call(phone: Phone, house: House) -> None:
    call = await phone.call()
    await phone.ask(call)
    first = house.message
    assert first.text == ""
    assert first.conversation == call.sid
    assert first.language == "en"
    assert [(one.spoken, one.content_type, one.filename) for one in first.attachments] == [
        (True, "audio/wav", "question-1.wav")
    ]
    assert call.heard()[-1] in {said("en", f"filler_{n}") for n in range(1, 5)}
    sent = await phone.answer("Thirty days.")
    assert call.heard()[-2:] == ["Thirty days.", said("en", "next")]
    await phone.ask(call)
    assert house.message.route["turn"] == 2
    assert house.message.attachments[0].filename == "question-2.wav"
    (receipt,) = house.of(ReceiptReceived)
    assert (receipt.kind, receipt.message_id) == (ReceiptKind.DELIVERED, sent.external_id)
    second = await phone.answer("Yes.")
    assert second.external_id != sent.external_id
    await phone.hang_up(call)
    (ended,) = house.of(CallEnded)
    assert (ended.conversation, ended.reason) == (call.sid, "completed")
    assert len(house.of(MessageReceived)) == 2


async def test_the_recording_is_fetched_with_the_accounts_login_even_when_it_is_late(
    phone: Phone, house: House
) -> None:
    call = await phone.call()
    phone.calls.late = 1
    await phone.ask(call)
    adapter = house.adapter()
    content = b"".join([piece async for piece in adapter.download(house.message.attachments[0])])
    await adapter.aclose()
    assert content == SPEECH.wav()


async def test_no_recording_is_fetched_from_strangers(house: House) -> None:
    from channels.contract import Attachment

    adapter = house.adapter()
    for url in ("https://evil.test/x.wav", "http://127.0.0.1:1/x.wav", "https://twilio.com.evil.test/RE.wav", ""):
        pieces = adapter.download(Attachment(filename="x.wav", content_type="audio/wav", url=url))
        with pytest.raises(Rejected, match="not fetched"):
            await anext(pieces)
    await adapter.aclose()


# ---------------------------------------------------------------------------------------------------- languages


async def test_the_callers_known_language_is_spoken(phone: Phone, house: House) -> None:
    house.peer = Peer(language="de")
    house.changes["languages"] = ("en", "fr")
    call = await phone.call()
    assert call.heard()[0] == said("de", "greeting", company="Bird & Seed")
    assert {one.language for one in call.said} == {"de-DE"}


async def test_an_unknown_caller_chooses_a_language_by_key(phone: Phone, house: House) -> None:
    house.changes["languages"] = ("en", "de", "zh-Hant")
    call = await phone.call()
    assert [(one.text, one.language) for one in call.said] == [
        (said("en", "menu_item", digit=1), "en-US"),
        (said("de", "menu_item", digit=2), "de-DE"),
        (said("zh-Hant", "menu_item", digit=3), "cmn-TW"),
    ]
    await phone.press(call, "3")
    assert call.heard()[-1] == said("zh-Hant", "ask")
    await phone.ask(call)
    assert house.message.language == "zh-Hant"
    assert [one.digits for one in house.of(Digits)] == ["3"]


async def test_who_chooses_no_language_hears_the_menu_twice_and_then_the_accounts(phone: Phone, house: House) -> None:
    house.changes |= {"languages": ("en", "de"), "language": "de"}
    call = await phone.call()
    await phone.press(call, "9")
    assert call.heard()[-1] == said("de", "ask"), "a key without a language is no answer"
    again = await phone.call()
    await phone.wait(5)
    assert len(again.heard()) == 4
    await phone.wait(5)
    assert again.heard()[-1] == said("de", "ask")


async def test_a_call_goes_on_in_the_language_of_its_answers(phone: Phone, house: House) -> None:
    call = await phone.call()
    await phone.ask(call)
    await phone.answer("Dreißig Tage.", language="de")
    answer, after = call.said[-2:]
    assert (answer.text, answer.language, answer.voice) == ("Dreißig Tage.", "de-DE", "Polly.Vicki-Neural")
    assert (after.text, after.language) == (said("de", "next"), "de-DE")
    await phone.ask(call)
    assert house.message.language == "de"


async def test_a_language_without_sentences_is_addressed_in_english_by_an_english_voice(
    phone: Phone, house: House
) -> None:
    house.changes["language"] = "sv"
    call = await phone.call()
    assert {one.language for one in call.said} == {"en-US"}
    await phone.ask(call)
    await phone.answer("Trettio dagar.", language="sv")
    assert (call.said[-2].language, call.said[-2].voice) == ("sv-SE", "")
    assert call.said[-1].language == "en-US"


# ---------------------------------------------------------------------------------------------------- silence


async def test_silence_is_asked_twice_and_then_ends_well(phone: Phone, house: House) -> None:
    call = await phone.call()
    await phone.wait(1 + 4)
    assert call.heard()[-1] == said("en", "silence_1")
    await phone.wait(1 + 4)
    assert call.heard()[-1] == said("en", "silence_2")
    await phone.wait(1 + 4)
    assert call.heard()[-1] == said("en", "silence_end")
    await phone.wait(3 + 6)
    assert call.heard()[-1] == said("en", "goodbye")
    assert call.status is Status.COMPLETED
    assert house.of(MessageReceived) == []


async def test_a_person_can_be_asked_for_after_silence(phone: Phone, house: House) -> None:
    house.changes["team_number"] = TEAM
    call = await phone.call()
    await phone.wait(15)
    await phone.press(call, "0")
    assert call.rung == [TEAM]


@pytest.mark.parametrize("sound", [SILENCE, CLICK], ids=["silence", "a click"])
async def test_noise_is_no_question(phone: Phone, house: House, sound: object) -> None:
    call = await phone.call()
    await phone.to_the_tone()
    await phone.speak(call, sound)  # type: ignore[arg-type]
    assert call.heard()[-1] == said("en", "silence_1")
    assert house.of(MessageReceived) == []


# ---------------------------------------------------------------------------------------------------- waiting


async def test_nobody_waits_in_silence(phone: Phone) -> None:
    call = await phone.call()
    await phone.ask(call)
    for _second in range(60):
        before = len(call.heard())
        await phone.wait(6)
        if not call.live or call.doing is Doing.LISTENING:
            break
        assert len(call.heard()) > before, "six seconds without a word"


async def test_a_long_wait_is_excused_and_other_ways_are_offered(phone: Phone, house: House) -> None:
    call = await phone.call()
    await phone.ask(call)
    await phone.wait(4 * (ROUNDS_TO_OFFER - 1))
    assert call.heard()[-2:] == [said("en", "wait_long"), said("en", "wait_offer")]
    await phone.press(call, "1")
    assert [one.action for one in house.of(ActionTaken)] == ["text_answer"]
    assert call.heard()[-1] == said("en", "texted")
    assert not call.live
    with pytest.raises(Undeliverable) as raised:
        await house.answer("Thirty days.")
    assert raised.value.code == CONVERSATION_OVER


@pytest.mark.parametrize(
    ("caller", "peer"), [("+266696687", Peer()), (CALLER, Peer(opted_out=True))], ids=["withheld", "opted out"]
)
async def test_who_takes_no_texts_is_offered_none(phone: Phone, house: House, caller: str, peer: Peer) -> None:
    house.peer = peer
    call = await phone.call(caller)
    await phone.ask(call)
    await phone.wait(4 * (ROUNDS_TO_OFFER - 1))
    assert call.heard()[-1] == said("en", "wait_offer_person")
    await phone.press(call, "1")
    assert house.of(ActionTaken) == []


async def test_the_answer_ends_the_wait_whenever_it_comes(phone: Phone) -> None:
    call = await phone.call()
    await phone.ask(call)
    await phone.wait(4 * (ROUNDS_TO_OFFER + 2))
    await phone.answer("Here it is.")
    assert call.heard()[-2:] == ["Here it is.", said("en", "next")]


async def test_an_endless_wait_becomes_a_message_for_people(phone: Phone, house: House) -> None:
    call = await phone.call()
    await phone.ask(call)
    await phone.wait(4 * ROUNDS_MAX)
    assert call.heard()[-2:] == [said("en", "sorry"), said("en", "voicemail")]
    assert [one.action for one in house.of(ActionTaken)] == ["person"], "no answer may break into the message"
    await phone.speak(call)
    assert house.message.to_person


async def test_other_keys_in_the_wait_change_nothing(phone: Phone, house: House) -> None:
    call = await phone.call()
    await phone.ask(call)
    await phone.press(call, "1")
    await phone.press(call, "7")
    assert call.doing is Doing.WAITING
    assert [one.digits for one in house.of(Digits)] == ["1", "7"]
    assert house.of(ActionTaken) == []


# ---------------------------------------------------------------------------------------------------- people


async def test_zero_rings_the_team(phone: Phone, house: House) -> None:
    house.changes["team_number"] = TEAM
    phone.calls.teams[TEAM] = (Team.ANSWERED, 30)
    call = await phone.call()
    await phone.press(call, "0")
    assert call.doing is Doing.DIALLING
    assert call.heard()[-1] == said("en", "connecting")
    assert [(one.action, one.conversation) for one in house.of(ActionTaken)] == [("person", call.sid)]
    await phone.wait(30)
    assert call.status is Status.COMPLETED
    assert [(one.action, one.value) for one in house.of(ActionTaken)][-1] == ("dialled", "completed")


@pytest.mark.parametrize("result", [Team.NO_ANSWER, Team.BUSY, Team.FAILED])
async def test_a_team_that_cannot_answer_gets_a_message(phone: Phone, house: House, result: Team) -> None:
    house.changes["team_number"] = TEAM
    phone.calls.teams[TEAM] = (result, 2)
    call = await phone.call()
    await phone.press(call, "0")
    await phone.wait(25 if result is Team.NO_ANSWER else 2)
    assert call.heard()[-2:] == [said("en", "no_answer"), said("en", "voicemail")]
    await phone.speak(call)
    assert house.message.to_person
    assert house.message.attachments[0].filename == "message.wav"
    assert call.heard()[-1] == said("en", "voicemail_thanks")
    assert not call.live


async def test_zero_after_speaking_keeps_what_was_said(phone: Phone, house: House) -> None:
    call = await phone.call()
    await phone.to_the_tone()
    call.speak(SPEECH, finished=False)
    await phone.calls.settled()
    await phone.press(call, "0")
    assert house.message.to_person
    assert [one.action for one in house.of(ActionTaken)] == ["person"]
    assert call.heard()[-1] == said("en", "voicemail"), "without a team's number a message is taken"


async def test_zero_works_in_the_wait_and_after_an_answer(phone: Phone, house: House) -> None:
    house.changes["team_number"] = TEAM
    call = await phone.call()
    await phone.ask(call)
    await phone.press(call, "0")
    assert call.rung == [TEAM]
    other = await phone.call()
    await phone.ask(other)
    await phone.answer("Thirty days.")
    await phone.press(other, "0")
    assert other.rung == [TEAM]


async def test_the_team_is_not_rung_out_of_hours(phone: Phone, house: House) -> None:
    house.changes["team_number"] = TEAM
    house.peer = Peer(open_now=False)
    call = await phone.call()
    await phone.press(call, "0")
    assert call.rung == []
    assert call.heard()[-2:] == [said("en", "closed"), said("en", "voicemail")]


@pytest.mark.parametrize("owner", ["queue", "human"])
async def test_who_calls_again_about_a_persons_case_gets_that_team(phone: Phone, house: House, owner: str) -> None:
    house.changes["team_number"] = TEAM
    house.peer = Peer(handoff=owner)
    call = await phone.call()
    assert call.heard()[-2:] == [said("en", "with_person"), said("en", "connecting")]
    assert call.rung == [TEAM]


async def test_a_case_taken_over_in_the_middle_of_a_call_goes_to_the_team(phone: Phone, house: House) -> None:
    call = await phone.call()
    house.peer = Peer(handoff="human")
    await phone.ask(call)
    assert call.heard()[-2:] == [said("en", "with_person"), said("en", "voicemail")]


async def test_a_case_handed_over_in_the_wait_goes_to_the_team_unless_an_answer_says_so_first(
    phone: Phone, house: House
) -> None:
    house.changes["team_number"] = TEAM
    call = await phone.call()
    await phone.ask(call)
    house.peer = Peer(handoff="queue")
    await phone.wait(4)
    assert call.rung == [], "the answer that hands over may be on its way"
    await phone.wait(4)
    assert call.heard()[-2:] == [said("en", "last_turn"), said("en", "connecting")]
    assert call.rung == [TEAM]


async def test_without_a_speech_model_a_message_is_taken(phone: Phone, house: House) -> None:
    house.peer = Peer(hears=False)
    call = await phone.call()
    assert call.heard()[-2:] == [said("en", "nobody"), said("en", "voicemail")]
    await phone.speak(call)
    assert house.message.to_person


async def test_an_empty_message_is_none(phone: Phone, house: House) -> None:
    house.peer = Peer(hears=False)
    call = await phone.call()
    await phone.wait(6)
    assert call.heard()[-1] == said("en", "goodbye")
    assert house.of(MessageReceived) == []


async def test_an_answer_can_hand_over(phone: Phone, house: House) -> None:
    house.changes["team_number"] = TEAM
    call = await phone.call()
    await phone.ask(call)
    sent = await phone.answer("I pass you on.", to_person=True)
    assert call.heard()[-2:] == ["I pass you on.", said("en", "connecting")]
    assert call.rung == [TEAM]
    assert [one.message_id for one in house.of(ReceiptReceived)] == [sent.external_id]


async def test_after_many_answers_a_person_takes_over(phone: Phone, house: House) -> None:
    house.changes["max_turns"] = 2
    call = await phone.call()
    await phone.ask(call)
    await phone.answer("One.")
    await phone.ask(call)
    await phone.answer("Two.")
    assert call.heard()[-3:] == ["Two.", said("en", "last_turn"), said("en", "voicemail")]


# ---------------------------------------------------------------------------------------------------- sources


async def test_sources_are_named_and_their_link_is_offered_once(phone: Phone, house: House) -> None:
    call = await phone.call()
    await phone.ask(call)
    await phone.answer("Thirty days.", citations=(SOURCE,))
    assert call.heard()[-4:] == [
        "Thirty days.",
        said("en", "sources", titles="Returns"),
        said("en", "link_offer"),
        said("en", "next"),
    ]
    await phone.press(call, "1")
    assert [one.action for one in house.of(ActionTaken)] == ["follow_up"]
    assert call.heard()[-2:] == [said("en", "follow_up"), said("en", "next")]
    await phone.ask(call)
    await phone.answer("Yes.", citations=(SOURCE,))
    assert said("en", "link_offer") not in call.heard()[-3:]


async def test_no_link_is_offered_to_a_withheld_number(phone: Phone, house: House) -> None:
    call = await phone.call("+266696687")
    assert house.of(CallStarted)[0].sender.value == call.sid
    await phone.ask(call)
    await phone.answer("Thirty days.", citations=(SOURCE,))
    assert said("en", "link_offer") not in call.heard()


async def test_answers_are_spoken_without_addresses_and_marks(phone: Phone) -> None:
    call = await phone.call()
    await phone.ask(call)
    await phone.answer("**Thirty** days.\n\n- See https://shop.test/help?a=1&b=2\n- or [the shop](https://shop.test)")
    assert call.heard()[-2] == "Thirty days. See. or the shop"


# ---------------------------------------------------------------------------------------------------- the end


async def test_who_hangs_up_while_speaking_is_still_heard(phone: Phone, house: House) -> None:
    call = await phone.call()
    await phone.to_the_tone()
    call.speak(SPEECH, finished=False)
    await phone.calls.settled()
    await phone.hang_up(call)
    assert len(house.of(MessageReceived)) == 1
    assert not house.message.to_person
    assert [one.reason for one in house.of(CallEnded)] == ["completed"]


async def test_nothing_is_said_to_nobody(phone: Phone, house: House) -> None:
    house.changes["team_number"] = TEAM
    call = await phone.call()
    await phone.to_the_tone()
    call.speak(SPEECH, finished=False)
    await phone.calls.settled()
    await phone.hang_up(call)
    ended = [one for one in house.requests if b"CallStatus=completed" in one.body]
    assert len(ended) == 2, "the question, and the end of the call"
    for raw in ended:
        reply = await house.take(raw)
        assert reply.body == b"<Response/>"


async def test_a_call_outlives_a_restart(phone: Phone, house: House) -> None:
    call = await phone.call()
    await phone.ask(call)
    answer = house.outbound("Thirty days.")
    await house.stop()
    await house.start()
    await house.send(answer)
    await phone.calls.settled()
    await phone.ask(call)
    assert house.message.route["turn"] == 2
    await phone.answer("Yes.")
    assert call.heard()[-2] == "Yes."


async def test_real_recordings_pass_through_unchanged(phone: Phone, house: House, material: Path) -> None:
    for path in sorted((material / "speech" / "telephone-8khz").rglob("*.wav"))[:3]:
        call = await phone.call()
        await phone.ask(call, Sound.read(path.read_bytes()))
        adapter = house.adapter()
        content = b"".join([piece async for piece in adapter.download(house.message.attachments[0])])
        await adapter.aclose()
        assert Sound.read(content) == Sound.read(path.read_bytes())
        assert house.message.facts["seconds"] == Sound.read(content).whole_seconds
        await phone.hang_up(call)


async def test_an_answer_after_the_end_is_for_another_way(phone: Phone, house: House) -> None:
    call = await phone.call()
    await phone.ask(call)
    await phone.hang_up(call)
    with pytest.raises(Undeliverable) as raised:
        await house.answer("Thirty days.")
    assert raised.value.code == CONVERSATION_OVER


async def test_an_answer_into_a_call_that_nobody_knows_is_for_another_way(phone: Phone, house: House) -> None:
    await phone.ask(await phone.call())
    with pytest.raises(Undeliverable) as raised:
        await house.answer("Thirty days.", route={"call_sid": "CA" + "0" * 32, "turn": 1})
    assert raised.value.code == CONVERSATION_OVER
    with pytest.raises(Rejected, match="no call"):
        await house.answer("Thirty days.", route={})


async def test_what_an_answer_breaks_into_is_not_lost(phone: Phone, house: House) -> None:
    call = await phone.call()
    await phone.ask(call)
    first = house.outbound("One.")
    await house.send(first)
    await phone.calls.settled()
    await phone.to_the_tone()
    call.speak(SPEECH, finished=False)
    await phone.calls.settled()
    await phone.answer("Something more.")
    assert len(house.of(MessageReceived)) == 2
    assert house.message.sender.value == CALLER
    assert house.message.route["number"] == CALLER


async def test_a_cut_answer_is_in_doubt(phone: Phone, house: House) -> None:
    call = await phone.call()
    await phone.ask(call)
    phone.fake.misbehave(Trouble.REPLY_LOST)
    with pytest.raises(OutcomeUnknown):
        await house.answer("Thirty days.")
    phone.fake.misbehave(Trouble.NONE)
    await phone.calls.settled()
    assert call.heard()[-2] == "Thirty days."


async def test_two_calls_at_once_never_hear_each_other(phone: Phone, house: House) -> None:
    one, two = await phone.call(), await phone.call()
    await phone.to_the_tone()
    await phone.speak(one)
    to_one = house.outbound("For one.")
    await phone.speak(two)
    to_two = house.outbound("For two.")
    await house.send(to_two)
    await house.send(to_one)
    await phone.calls.settled()
    assert "For one." in one.heard()
    assert "For one." not in two.heard()
    assert "For two." in two.heard()


async def test_every_webhook_twice_changes_nothing(phone: Phone, house: House) -> None:
    phone.fake.misbehave(Trouble.DUPLICATE)
    call = await phone.call()
    await phone.ask(call)
    await phone.answer("Thirty days.", citations=(SOURCE,))
    await phone.press(call, "1")
    await phone.hang_up(call)
    kinds = [type(one) for one in house.events]
    assert kinds == [CallStarted, MessageReceived, ReceiptReceived, ActionTaken, CallEnded]


async def test_a_house_that_fails_ends_the_call_and_is_reported(phone: Phone, house: House) -> None:
    house.broken = True
    call = await phone.call()
    assert not call.live
    assert any(one.startswith("11200") for one in phone.calls.problems())
    phone.calls.problems = lambda: []  # type: ignore[method-assign]
