"""QUESTIONS: the demo's help centre, asked what it answers and what it does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ai.answer import Decision, Question, answer
from ai.evals.questions import Asked, halves, read_questions
from ai.evals.report import Report
from ai.evals.stage import QUESTIONS, demo
from ai.providers.vectors import Embedder


@dataclass(frozen=True, slots=True)
class _Outcome:
    asked: Asked
    sent: bool
    key: str | None
    """Of the article that comes first, sent or not."""

    @property
    def right(self) -> bool:
        return self.asked.key is not None and self.key == self.asked.key


async def _outcome(asked: Asked, embedder: Embedder) -> _Outcome:
    given = await answer(Question(asked.text), embedder=embedder)
    return _Outcome(asked, given.decision is Decision.SEND, given.citations[0].key if given.citations else None)


def _row(name: str, locale: str, outcomes: Sequence[_Outcome]) -> dict[str, str | float]:
    sent = [outcome for outcome in outcomes if outcome.sent]
    return {
        "set": name,
        "language": locale,
        "n": len(outcomes),
        "first right": sum(o.right for o in outcomes) / len(outcomes),
        "sent": len(sent) / len(outcomes),
        "right of sent": sum(o.right for o in sent) / len(sent) if sent else "-",
        "false answers": sum(not o.right for o in sent),
    }


async def run(embedder: Embedder, *, quick: bool) -> Report:
    await demo(embedder)
    near, far = halves(read_questions(QUESTIONS / "outside.jsonl"))
    sets = {
        "development": read_questions(QUESTIONS / "development.jsonl"),
        "held out": read_questions(QUESTIONS / "held_out.jsonl"),
        "outside, development": near + read_questions(QUESTIONS / "outside_development.jsonl"),
        "outside, held out": far,
    }
    rows = []
    for name, questions in sets.items():
        outcomes = [await _outcome(asked, embedder) for asked in questions[:: 4 if quick else 1]]
        rows.append(_row(name, "all", outcomes))
        locales = dict.fromkeys(outcome.asked.locale for outcome in outcomes)
        rows += [_row(name, locale, [o for o in outcomes if o.asked.locale == locale]) for locale in locales]
    return Report("QUESTIONS", "The demo's help centre, without a chat model", tuple(rows))
