"""Whether a sentence is borne out by what it cites: true ones stay, those of other articles go."""

from __future__ import annotations

import random
from collections import defaultdict

import pytest

from ai.composers.chat import Line, supported
from ai.providers.vectors import LocalEmbedder
from ai.retrieval import Passage
from core.ids import new_id
from core.knowledge.chunking import chunk
from core.knowledge.importing import read_folder
from core.knowledge.sentences import sentences
from tests.ai.conftest import HELP_CENTRE


def passages() -> dict[tuple[str, str], list[Passage]]:
    """Locale and key → the article's passages."""
    found: dict[tuple[str, str], list[Passage]] = defaultdict(list)
    for _, article in read_folder(HELP_CENTRE):
        for position, piece in enumerate(chunk(article.body)):
            passage = Passage(
                chunk_id=new_id(), article_id=new_id(), key=article.key, version=1, locale=article.locale,
                title=article.title, heading=piece.heading, text=piece.text, url=None, position=position,
                cosine=None, overlap=0.0, titled=0.0,
            )  # fmt: skip
            found[article.locale, article.key].append(passage)
    return found


@pytest.mark.parametrize(
    ("language", "least_stopped", "most_lost"),
    [("de", 0.95, 0.05), ("es", 0.95, 0.05), ("fr", 0.95, 0.05), ("ar", 0.95, 0.05), ("ja", 0.90, 0.08)],
)
async def test_translated_sentences_stay_and_foreign_ones_go(
    embedder: LocalEmbedder, language: str, least_stopped: float, most_lost: float
) -> None:
    """The help centre's own translations stand in for a model's true sentences about English passages."""
    library = passages()
    choice = random.Random(7)
    english = sorted(key for locale, key in library if locale == "en")
    kept, lost, stopped, passed = 0, 0, 0, 0
    for (locale, key), own in library.items():
        if locale != language:
            continue
        said = [s for passage in own for s in sentences(passage.text) if len(s) > 20]
        right = library["en", key]
        wrong = library["en", choice.choice([other for other in english if other != key])]
        for source, good in ((right, True), (wrong, False)):
            lines = [Line(s, tuple(range(1, len(source) + 1))) for s in said]
            verdicts = await supported(lines, source, embedder, language)
            kept, lost = kept + sum(verdicts) * good, lost + (len(said) - sum(verdicts)) * good
            passed, stopped = passed + sum(verdicts) * (not good), stopped + (len(said) - sum(verdicts)) * (not good)
    assert kept + lost > 100
    report = f"{language}: true lost {lost / (kept + lost):.3f}, false stopped {stopped / (stopped + passed):.3f}"
    print(report)  # noqa: T201
    assert lost / (kept + lost) <= most_lost, report
    assert stopped / (stopped + passed) >= least_stopped, report


async def test_a_sentence_without_citation_or_with_a_new_figure_is_not_supported(embedder: LocalEmbedder) -> None:
    source = passages()["en", "returns"]
    lines = [
        Line("You may send back almost anything within 30 days.", (1,)),
        Line("You may send back almost anything within 90 days.", (1,)),
        Line("You may send back almost anything within 30 days.", ()),
    ]
    assert await supported(lines, source, embedder, "en") == [True, False, False]
