"""From a customer's question to an answer with its sources, or to a person.

No database connection is held while a model works.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from ai import confidence as sure
from ai.composers import chat, extractive
from ai.composers.frame import Citation, Frame, Written, handoff_frame, plain_frame
from ai.guard import gives_orders
from ai.language import identify
from ai.person import wants_person
from ai.providers.openai_compatible import ChatModel, ModelFailed, chat_model
from ai.providers.vector_server import embedder as remote_embedder
from ai.providers.vectors import Embedder
from ai.query import Query, greeting_only, prepare
from ai.retrieval import Passage, embed_query, same_language, search
from core.db import transaction
from core.i18n import has_text, text
from core.settings import settings

log = logging.getLogger(__name__)


class Decision(StrEnum):
    """What to do with an answer."""

    SEND = "send"
    REVIEW = "review"
    """It is written, but a person should look at it before it goes out."""
    ASK = "ask"
    """There is no question yet: ask for it."""
    HANDOFF = "handoff"
    """A person answers; the text only says so."""
    SILENCE = "silence"
    """Nothing is to be said: the customer has only thanked. The text is empty."""


class Reason(StrEnum):
    """Why."""

    ANSWERED = "answered"
    PERSON_REQUESTED = "person_requested"
    NOTHING_FOUND = "nothing_found"
    UNSURE = "unsure"
    NOT_COVERED = "not_covered"
    """The model has read the passages and found no answer in them."""
    NO_QUESTION = "no_question"
    """A greeting or thanks, and nothing else."""
    NOT_HEARD = "not_heard"
    """What was spoken could not be understood."""
    SUSPICIOUS = "suspicious"
    """The question gives orders to the machine that reads it."""


@dataclass(frozen=True, slots=True)
class Turn:
    """An earlier message of the conversation."""

    customer: bool
    text: str


class Speech(StrEnum):
    """What became of a spoken message."""

    UNDERSTOOD = "understood"
    SILENT = "silent"
    """Nothing was said, or nothing that makes words."""
    LOST = "lost"
    """Nobody could listen to it."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a customer wrote, and what is known of them."""

    text: str
    subject: str | None = None
    language: str | None = None
    """The contact's language as known so far; the text may say otherwise."""
    first: bool = True
    """Whether the answer will be our first message to them."""
    name: str | None = None
    history: Sequence[Turn] = ()
    """Oldest first, without this message."""
    brief: bool = False
    """On a channel where one chats: no greeting by name, no closing."""
    sources: bool = True
    """Whether the sources stand in the text of the answer."""
    to_person: bool = False
    """A person was asked for by other means than words (a key press, a button)."""
    speech: Speech = Speech.UNDERSTOOD
    """What became of a spoken message; a written one is understood."""
    room: int | None = None
    """Characters that the channel has room for; the sources say the rest."""
    live: bool = False
    """The customer waits on the line: nothing can be held for review, and something has to be said."""


@dataclass(frozen=True, slots=True)
class Answer:
    decision: Decision
    reason: Reason
    text: str
    html: str
    citations: tuple[Citation, ...]
    confidence: float
    """0 to 1: the chance that the cited article answers the question."""
    language: str
    """BCP 47 of the answer's own words."""
    composer: str | None
    """`chat:<model>`, `extractive`, or `extractive:<why the model failed>`; None where nothing was composed."""
    draft: str | None = None
    """With HANDOFF: what could have been answered, for the agent's eyes only; `citations` are its sources."""
    timings: dict[str, float] = field(default_factory=dict)
    """Seconds spent per step."""


class _Clock:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, step: str) -> None:
        now = time.perf_counter()
        self.seconds[step] = round(now - self._last, 5)
        self._last = now


@dataclass(frozen=True, slots=True)
class _Draft:
    """An answer that has been written, and by whom."""

    written: Written
    citations: Sequence[Citation]
    composer: str
    covered: bool = True
    """False where a model has read the passages and found no answer in them."""


async def answer(question: Question, *, embedder: Embedder | None = None, model: ChatModel | None = None) -> Answer:
    """Answers, asks back, or hands over. Never raises for want of a model; database errors pass through.

    `embedder` and `model` default to those of the settings.
    """
    clock = _Clock()
    told = f"{question.subject or ''}\n{question.text}".strip()
    language = identify(question.text, question.language) or question.language or settings().default_language
    frame = Frame(
        language, question.first, question.name, question.brief, question.sources, question.room, question.live
    )
    clock.lap("language")
    if question.speech is Speech.LOST:
        return _hand_over(Reason.NOT_HEARD, frame, clock)
    if question.speech is Speech.SILENT:
        return _asked(Reason.NOT_HEARD, "speech.again", frame, clock)
    if question.to_person or wants_person(told):
        return _hand_over(Reason.PERSON_REQUESTED, frame, clock)
    query = prepare(question.text, question.subject)
    if greeting_only(question.text) and (question.history or not question.subject):
        return _no_question(question, frame, clock)
    if query.empty:
        return _hand_over(Reason.NOTHING_FOUND, frame, clock)

    vectorizer = embedder or remote_embedder()
    vectors = await embed_query(query, language, vectorizer)
    clock.lap("embed")
    async with transaction() as session:
        passages = await search(session, query, locale=language, embedder=vectorizer, vectors=vectors, limit=20)
    clock.lap("retrieve")
    if not passages:
        return _hand_over(Reason.NOTHING_FOUND, frame, clock)
    sureness = sure.confidence(sure.features(passages, foreign=not same_language(passages[0].locale, language)))
    writer = (model or chat_model()) if sureness >= settings().ai_send_threshold else None
    draft = await _compose(question, query, passages, frame, embedder=vectorizer, writer=writer)
    clock.lap("compose")
    if sureness < settings().ai_send_threshold or not draft.covered:
        return _hand_over(Reason.UNSURE if draft.covered else Reason.NOT_COVERED, frame, clock, sureness, draft)
    suspicious = gives_orders(told)
    if suspicious and question.live:
        return _hand_over(Reason.SUSPICIOUS, frame, clock, sureness, draft)
    return Answer(
        decision=Decision.REVIEW if suspicious else Decision.SEND,
        reason=Reason.SUSPICIOUS if suspicious else Reason.ANSWERED,
        text=draft.written.text,
        html=draft.written.html,
        citations=tuple(draft.citations),
        confidence=sureness,
        language=language,
        composer=draft.composer,
        timings=clock.seconds,
    )


async def _compose(
    question: Question,
    query: Query,
    passages: Sequence[Passage],
    frame: Frame,
    *,
    embedder: Embedder,
    writer: ChatModel | None,
) -> _Draft:
    """By the model where there is one; where it fails in any way, by the passages themselves."""
    written, cited = extractive.compose(passages, frame)
    if writer is None:
        return _Draft(written, cited, "extractive")
    before = [chat.Told(turn.customer, turn.text) for turn in question.history]
    try:
        made, sources = await chat.compose(writer, query.text, passages, frame, embedder=embedder, history=before)
    except chat.NotCovered:
        return _Draft(written, cited, f"chat:{writer.name}", covered=False)
    except ModelFailed as failure:
        log.warning("the model gave no usable answer (%s); answering with passages", failure)
        return _Draft(written, cited, f"extractive:{failure.code}")
    return _Draft(made, sources, f"chat:{writer.name}")


def _hand_over(
    reason: Reason, frame: Frame, clock: _Clock, sureness: float = 0.0, draft: _Draft | None = None
) -> Answer:
    asked = reason is Reason.PERSON_REQUESTED
    spoken = "handoff.live" if frame.live else "handoff.queued"
    note = handoff_frame("handoff.requested" if asked else spoken, frame)
    return Answer(
        decision=Decision.HANDOFF,
        reason=reason,
        text=note.text,
        html=note.html,
        citations=tuple(draft.citations) if draft else (),
        confidence=sureness,
        language=frame.language or settings().default_language,
        composer=None,
        draft=draft.written.text if draft else None,
        timings=clock.seconds,
    )


def _no_question(question: Question, frame: Frame, clock: _Clock) -> Answer:
    """A mere greeting is asked what it is about; thanks and the like in a running conversation need no answer."""
    thanks = bool(question.history) or not question.first
    puzzled = any(mark in question.text for mark in "?？؟")
    if puzzled or not (thanks or has_text("reply.ask")):
        return _hand_over(Reason.NOTHING_FOUND, frame, clock)
    if thanks and not question.live:
        return _asked(Reason.NO_QUESTION, None, frame, clock)
    return _asked(Reason.NO_QUESTION, "reply.ask", frame, clock)


def _asked(reason: Reason, message_id: str | None, frame: Frame, clock: _Clock) -> Answer:
    """Asks back; without a sentence to ask with, nothing is said."""
    note = plain_frame(text(frame.language, message_id), frame) if message_id else Written("", "")
    return Answer(
        decision=Decision.ASK if message_id else Decision.SILENCE,
        reason=reason,
        text=note.text,
        html=note.html,
        citations=(),
        confidence=0.0,
        language=frame.language or settings().default_language,
        composer=None,
        timings=clock.seconds,
    )
