"""What the caller hears next. Every function here gives one whole TwiML document and remembers nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from channels.contract import Citation, Context, Outbound, Peer
from channels.voice.parse import WITHHELD, Callback, language_of
from channels.voice.script import LISTEN_SILENCE, MESSAGE_SILENCE, Line, Lines, Script
from channels.voice.settings import VoiceSettings
from channels.voice.state import At, Step, mark_of, seal
from channels.voice.voices import nearest

TO_DECIDE = 3
"""Seconds in which a key may be pressed once a choice has been said."""
NOTHING = "<Response/>"
TRIES = 2
"""How often a silent caller is asked again."""
ROUND = 4
"""Seconds of quiet in a round of waiting: with what is said, never more than six of dead air."""
ROUNDS_TO_OFFER = 8
"""Rounds of waiting, some 45 seconds, after which the caller is offered another way."""
ROUNDS_MAX = 16
"""Rounds after which the caller is asked to leave a message."""
_FILLERS = 4
_WAITING = 4
_PERSONS = frozenset({"queue", "human"})
_TITLE_MAX = 120
_LISTEN_TO_FIRST = 2


class Dialogue:
    """The telephone's part of a conversation, for one account."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._settings: VoiceSettings = context.settings
        self._lines = Lines(context)

    # ------------------------------------------------------------------ the caller's requests

    def reply(self, callback: Callback, peer: Peer) -> str:
        """The answer to one callback, from what the request and the peer tell alone."""
        step = callback.step
        if step.at in (At.STATUS, At.KEPT) or (callback.over and step.at is not At.DIALLED):
            return NOTHING
        match step.at:
            case At.CALL:
                return self._begin(callback, peer)
            case At.MENU:
                return self._chosen(callback, peer)
            case At.TURN:
                return self._spoken(callback, peer)
            case At.SILENCE:
                return self._silent(callback, peer)
            case At.KEY:
                return self._key(callback, peer)
            case At.WAIT:
                return self._wait(callback, step, peer)
            case At.PERSON:
                return self._person(callback, peer)
            case At.VOICEMAIL:
                return self._voicemail(callback, ["sorry"])
            case At.LEFT:
                return self._left(callback)
            case At.DIALLED:
                return self._dialled(callback)
        return NOTHING

    def anew(self) -> str:
        """For a step that no version of this channel knows: the caller is greeted once more."""
        return Script().go_to(self._context.hook_url).document()

    def _begin(self, callback: Callback, peer: Peer) -> str:
        known = nearest(peer.language, self._context.languages)
        menu = self._settings.languages
        if known is None and len(menu) > 1:
            return self._menu(replace(callback.step, at=At.MENU))
        language = peer.language if known and peer.language else self._settings.language
        return self._welcome(replace(callback, step=replace(callback.step, language=language)), peer)

    def _menu(self, step: Step) -> str:
        lines = [
            self._lines.line(language, "menu_item", digit=digit)
            for digit, language in enumerate(self._settings.languages, 1)
        ]
        script = Script().say_and_hear_keys(lines, self._url(replace(step, tries=0)), seconds=5)
        return script.go_to(self._url(replace(step, tries=step.tries + 1))).document()

    def _chosen(self, callback: Callback, peer: Peer) -> str:
        menu = self._settings.languages
        language = language_of(callback, menu)
        if language is None and callback.step.tries == 1:
            return self._menu(callback.step)
        step = replace(callback.step, language=language or self._settings.language, tries=0)
        return self._welcome(replace(callback, step=step), peer)

    def _welcome(self, callback: Callback, peer: Peer) -> str:
        language = callback.step.language
        company = self._settings.company
        lines = [self._say(callback, "greeting", company=company) if company else self._say(callback, "welcome")]
        if self._settings.greeting and language.split("-")[0] == self._settings.language.split("-")[0]:
            lines.append(Line(self._settings.greeting, language))
        if not peer.hears:
            return self._voicemail(callback, ["nobody"], before=lines)
        if peer.handoff in _PERSONS:
            return self._person(callback, peer, before=[*lines, self._say(callback, "with_person")])
        return self._listen(callback, [*lines, self._say(callback, "ai_notice"), self._say(callback, "ask")])

    def _spoken(self, callback: Callback, peer: Peer) -> str:
        step = replace(callback.step, answer="")
        if callback.to_person:
            return self._person(callback, peer)
        if not callback.recording:
            if callback.follow_up:
                return self._listen(callback, [self._say(callback, "follow_up"), self._say(callback, "next")])
            return self._silent(replace(callback, step=replace(step, tries=step.tries + 1)), peer)
        if not peer.hears:
            return self._voicemail(callback, ["nobody"])
        if peer.handoff in _PERSONS:
            return self._person(callback, peer, before=[self._say(callback, "with_person")])
        filler = self._lines.one_of(step.language, "filler", _FILLERS, callback.call, step.turn)
        return Script().say([filler]).go_to(self._url(replace(step, at=At.WAIT, tries=0, waited=1))).document()

    def _silent(self, callback: Callback, peer: Peer) -> str:
        if callback.to_person:
            return self._person(callback, peer)
        tries = max(1, callback.step.tries)
        if tries <= TRIES:
            return self._listen(callback, [self._say(callback, f"silence_{tries}")], tries=tries)
        return self._last_chance(callback)

    def _last_chance(self, callback: Callback) -> str:
        """A person by key, a message by voice, or a friendly end."""
        step = replace(callback.step, at=At.LEFT, answer="", tries=0)
        script = Script().say_and_hear_keys(
            [self._say(callback, "silence_end")], self._url(replace(step, at=At.KEY)), seconds=3
        )
        return self._take_message(script, callback, step)

    def _key(self, callback: Callback, peer: Peer) -> str:
        step = callback.step
        if callback.to_person:
            return self._person(callback, peer)
        if step.waited:
            if callback.follow_up:
                return Script().say([self._say(callback, "texted")]).hang_up().document()
            return self._wait(callback, replace(step, waited=step.waited + 1, offered=False), peer)
        said = [self._say(callback, "follow_up")] if callback.follow_up else []
        return self._listen(callback, [*said, self._say(callback, "next")])

    def _wait(self, callback: Callback, step: Step, peer: Peer) -> str:
        """One round: something short is said, and keys are heard in the quiet that follows."""
        step = replace(step, at=At.WAIT, answer="")
        if peer.handoff in _PERSONS:
            # Whoever handed over may be about to say so; one round later nobody has, and the caller is taken on.
            if step.tries:
                return self._person(callback, peer, before=[self._say(callback, "last_turn")])
            step = replace(step, tries=1)
        if step.waited > ROUNDS_MAX:
            return Script().go_to(self._url(replace(step, at=At.VOICEMAIL, offered=False))).document()
        if step.waited == ROUNDS_TO_OFFER:
            textable = self._textable(callback) and not peer.opted_out
            offer = self._say(callback, "wait_offer" if textable else "wait_offer_person")
            lines, keys = [self._say(callback, "wait_long"), offer], replace(step, at=At.KEY, offered=textable)
        else:
            # The first round is quiet: something was said just before.
            said = (step.waited - 2) % _WAITING + 1
            lines = [self._say(callback, f"wait_{said}")] if step.waited > 1 else []
            keys = replace(step, at=At.KEY, offered=False)
        script = Script().say_and_hear_keys(lines, self._url(keys), seconds=ROUND)
        return script.go_to(self._url(replace(step, waited=step.waited + 1, offered=False))).document()

    # ------------------------------------------------------------------ people

    def _person(self, callback: Callback, peer: Peer, before: Sequence[Line] = ()) -> str:
        """Rings the team where it can be rung, else takes a message."""
        team = self._settings.team_number
        if not team or not peer.open_now:
            return self._voicemail(callback, [] if peer.open_now else ["closed"], before=before)
        script = Script().say([*before, self._say(callback, "connecting")])
        step = replace(callback.step, at=At.DIALLED, answer="", tries=0, waited=0, offered=False)
        return script.dial(team, self._url(step), self._settings.ring_seconds).document()

    def _dialled(self, callback: Callback) -> str:
        if callback.over:
            return NOTHING
        if callback.values.get("DialCallStatus") in ("completed", "answered"):
            return Script().say([self._say(callback, "goodbye")]).hang_up().document()
        return self._voicemail(callback, ["no_answer"])

    def _voicemail(self, callback: Callback, why: Sequence[str], before: Sequence[Line] = ()) -> str:
        step = replace(callback.step, at=At.LEFT, answer="", tries=0, waited=0, offered=False)
        said = [*before, *(self._say(callback, one) for one in why), self._say(callback, "voicemail")]
        return self._take_message(Script().say(said), callback, step)

    def _take_message(self, script: Script, callback: Callback, step: Step) -> str:
        return (
            script.record(
                self._url(step),
                self._kept(callback, replace(step, mail=True)),
                silence=MESSAGE_SILENCE,
                longest=self._settings.voicemail_seconds,
                keys="#",
            )
            .say([self._say(callback, "goodbye")])
            .hang_up()
            .document()
        )

    def _left(self, callback: Callback) -> str:
        heard = "voicemail_thanks" if callback.recording else "goodbye"
        return Script().say([self._say(callback, heard)]).hang_up().document()

    # ------------------------------------------------------------------ our answers

    def answer(self, message: Outbound, call: str, turn: int, language: str, offered: bool, number: str) -> str:
        """Says an answer, and listens for the next question or hands over. `turn` is the one that is answered.

        The call goes on in the language of the answer: a caller may have changed it in speaking.
        """
        said_in = message.language or language
        if said_in.split("-")[0] != language.split("-", maxsplit=1)[0] and nearest(said_in, self._context.languages):
            language = said_in
        step = Step(At.TURN, turn + 1, language, offered=offered, answer=mark_of(message.key))
        callback = Callback(step, call, {"From": number})
        said, wait = [Line(message.text, said_in)], 1
        if message.to_person or turn >= self._settings.max_turns:
            if not message.to_person:
                said.append(self._say(callback, "last_turn"))
            return Script().say(said).go_to(self._url(replace(step, at=At.PERSON))).document()
        if message.citations:
            said += self._sources(callback, message.citations)
            if not offered and self._textable(callback) and any(one.url for one in message.citations):
                wait = TO_DECIDE
                callback = replace(callback, step=replace(step, offered=True))
                said.append(self._say(callback, "link_offer"))
        return self._listen(callback, [*said, self._say(callback, "next")], answer=step.answer, wait=wait)

    def _sources(self, callback: Callback, citations: Sequence[Citation]) -> list[Line]:
        titles = list(dict.fromkeys(one.title.strip() for one in citations if one.title.strip()))[:_LISTEN_TO_FIRST]
        if not titles or any(len(title) > _TITLE_MAX for title in titles):
            return []
        return [self._say(callback, "sources", titles=", ".join(titles))]

    # ------------------------------------------------------------------ pieces

    def _listen(
        self, callback: Callback, lines: Sequence[Line], tries: int = 0, answer: str = "", wait: int = 1
    ) -> str:
        step = replace(callback.step, at=At.TURN, tries=tries, waited=0, answer=answer)
        return (
            Script()
            .say_and_hear_keys(lines, self._url(replace(step, at=At.KEY)), wait)
            .record(
                self._url(step),
                self._kept(callback, replace(step, answer="")),
                silence=LISTEN_SILENCE,
                longest=self._settings.speech_seconds,
            )
            .go_to(self._url(replace(step, at=At.SILENCE, tries=tries + 1)))
            .document()
        )

    def _say(self, callback: Callback, message_id: str, /, **params: str | int) -> Line:
        return self._lines.line(callback.step.language or self._settings.language, message_id, **params)

    def _textable(self, callback: Callback) -> bool:
        """Whether a text message would reach this caller, as far as can be told."""
        number = callback.values.get("From", "")
        return self._settings.text_follow_up and number.startswith("+") and number not in WITHHELD

    def _kept(self, callback: Callback, step: Step) -> str:
        number = callback.values.get("From", "")
        sealed = seal(number, self._context.secret) if number else ""
        return self._url(replace(step, at=At.KEPT, caller=sealed, tries=0))

    def _url(self, step: Step) -> str:
        return step.url(self._context.hook_url)
