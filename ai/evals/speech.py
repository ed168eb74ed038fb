"""E5: word error rate, language and speed on telephone recordings with known words.

Each recording comes with what a call would know: two candidate languages, of which every third time the first one
named is wrong. The label of the recording is never among what the listener is told beyond that.
"""

from __future__ import annotations

import json
import os
import re
import time
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ai.evals.report import Report
from ai.speech.engine import Engine
from ai.speech.model import NotInstalled, install

QUICK_STEP = 6
"""With --quick, every so-manieth recording."""
_DIGITS = {
    "en": "zero one two three four five six seven eight nine".split(),
    "es": "cero uno dos tres cuatro cinco seis siete ocho nueve".split(),
}
_SHORT = (
    (r"\bi'm\b", "i am"),
    (r"\b(\w+)'re\b", r"\1 are"),
    (r"\b(\w+)'ve\b", r"\1 have"),
    (r"\b(\w+)'ll\b", r"\1 will"),
    (r"\bcan't\b|\bcannot\b", "can not"),
    (r"n't\b", " not"),
)


@dataclass(frozen=True, slots=True)
class Recording:
    path: Path
    language: str
    words: str


@dataclass(frozen=True, slots=True)
class Score:
    """Of one recording."""

    language: str
    errors: int
    words: int
    right_language: bool
    audio: float
    """Seconds."""
    took: float
    """Seconds."""


def recordings(step: int = 1) -> list[Recording]:
    """The telephone recordings; says how to name their folder where it is not there."""
    folder = Path(os.environ.get("AUTOCRM_MATERIAL", "")) / "speech" / "telephone-8khz"
    if not os.environ.get("AUTOCRM_MATERIAL") or not folder.is_dir():
        raise SystemExit(
            "E5 needs recordings: set AUTOCRM_MATERIAL to the folder that has speech/telephone-8khz/ in it"
        )
    listed = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return [Recording(folder / one["file"], one["lang"], one["text"]) for one in listed[::step]]


def words(text: str, language: str) -> list[str]:
    """What is compared: words without case, accents and punctuation, digits and short forms written out.

    The written-down texts of the recordings have no accents, and numbers as they came.
    """
    text = unicodedata.normalize("NFKD", text.lower().replace("\u2019", "'"))
    text = "".join(char for char in text if not unicodedata.combining(char))
    if language == "en":
        text = text.replace("#", " pound ")
        for pattern, long in _SHORT:
            text = re.sub(pattern, long, text)
    text = re.sub(r"\b\d\b", lambda digit: _DIGITS[language][int(digit.group())], text)
    return re.sub(r"[^\w\s]", " ", text).split()


def distance(right: Sequence[str], heard: Sequence[str]) -> int:
    """Fewest insertions, deletions and substitutions (Levenshtein 1966)."""
    row = list(range(len(heard) + 1))
    for at, one in enumerate(right, 1):
        before, row[0] = row[0], at
        for column, other in enumerate(heard, 1):
            before, row[column] = row[column], min(row[column] + 1, row[column - 1] + 1, before + (one != other))
    return row[-1]


def hints(position: int, language: str) -> list[str]:
    """Two candidates, the likelier first; every third time that is the wrong one."""
    other = "es" if language == "en" else "en"
    return [other, language] if position % 3 == 2 else [language, other]


async def listen(found: Sequence[Recording], engine: Engine) -> list[Score]:
    scores = []
    for position, one in enumerate(found):
        content = one.path.read_bytes()
        begun = time.perf_counter()
        transcript = await engine.transcribe(content, hints(position, one.language))
        took = time.perf_counter() - begun
        right = words(one.words, one.language)
        heard = words(" ".join(segment["text"] for segment in transcript["segments"]), one.language)
        scores.append(
            Score(
                language=one.language,
                errors=distance(right, heard),
                words=len(right),
                right_language=transcript["language"] == one.language,
                audio=float(transcript["seconds"]),
                took=took,
            )
        )
    return scores


async def run(*, quick: bool) -> Report:
    """Raises SystemExit where model or recordings are missing."""
    found = recordings(QUICK_STEP if quick else 1)
    try:
        install()
    except NotInstalled as error:
        raise SystemExit(f"E5 needs a speech model: {error}") from None
    engine = Engine()
    try:
        await engine.transcribe(found[0].path.read_bytes(), [])  # loads the model; speed is that of a warm one
        scores = await listen(found, engine)
    finally:
        await engine.aclose()
    rows: list[Mapping[str, str | float]] = []
    for language, count in sorted(Counter(score.language for score in scores).items()):
        own = [score for score in scores if score.language == language]
        rows.append(
            {
                "language": language,
                "recordings": str(count),
                "word error rate": sum(score.errors for score in own) / sum(score.words for score in own),
                "right language": sum(score.right_language for score in own) / count,
                "real-time factor": sum(score.took for score in own) / sum(score.audio for score in own),
            }
        )
    return Report(
        "E5", "speech on the telephone, by the packaged model unless AUTOCRM_SPEECH_MODEL says otherwise", tuple(rows)
    )
