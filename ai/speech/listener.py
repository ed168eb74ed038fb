"""The process that listens: `python -m ai.speech.listener MODEL_FOLDER THREADS`.

One JSON object per line. In: `{"id", "path", "candidates": [...]}`. Out: `{"id", "done", "of"}` in seconds while it
goes on, then `{"id", "transcript": {...}}` or `{"id", "error": code}`; first of all `{"ready": true}`.

Several files are listened to in turn, a window of at most thirty seconds at a time, so that a caller's sentence does
not wait behind somebody's hour of voicemail. Hostile audio can bring down this process and nothing else.
"""

from __future__ import annotations

import json
import queue
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from faster_whisper import WhisperModel  # type: ignore[import-untyped]

RATE = 16_000
"""Samples per second that Whisper hears."""
_SECONDS_MAX = 4 * 3600
_QUIET = 0.3
"""Seconds of silence put around a recording: a telephone's begins and ends in the middle of a sound."""
_SURE = 0.85
"""Probability from which a language counts that nobody had reckoned with."""
_CLOSE = 2.0
"""Two languages nearer than this are both tried, and the better hearing wins."""

Audio = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True, slots=True)
class Heard:
    language: str
    segments: list[dict[str, Any]]


class Undecodable(Exception):
    """No audio in it that could be read."""


def prepared(path: Path) -> Audio:
    """Mono samples at 16 kHz, as loud as they can be, with silence around. Raises Undecodable."""
    from faster_whisper import decode_audio

    try:
        audio = decode_audio(str(path), sampling_rate=RATE)
    except Exception as error:  # whatever the decoder makes of it: these bytes are no audio
        raise Undecodable(type(error).__name__) from error
    if not isinstance(audio, np.ndarray) or audio.size == 0:
        raise Undecodable("empty")
    audio = audio[: _SECONDS_MAX * RATE]
    loudest = float(np.abs(audio).max())
    if loudest > 0:
        audio = audio * np.float32(0.9 / loudest)
    pad = np.zeros(int(_QUIET * RATE), dtype=np.float32)
    return np.concatenate([pad, audio.astype(np.float32), pad])


def anybody(audio: Audio) -> bool:
    """Whether there is a voice in it: in silence and noise Whisper would hear words that nobody said."""
    from faster_whisper.vad import VadOptions, get_speech_timestamps  # type: ignore[import-untyped]

    return bool(get_speech_timestamps(audio, VadOptions(threshold=0.3, min_speech_duration_ms=100)))


def languages(model: WhisperModel, audio: Audio, candidates: Sequence[str]) -> list[str]:
    """The language spoken, most probable first; a second one where the two are close.

    Candidates are what is known of the speaker. They may be wrong: what is heard beyond doubt counts more.
    """
    first, probability, every = model.detect_language(audio)
    if first in candidates or probability >= _SURE or not candidates:
        known = [first] if first not in candidates else list(candidates)
    else:
        known = list(candidates)
    likely = dict(every)
    ranked = sorted(known, key=lambda code: likely.get(code, 0.0), reverse=True)
    if len(ranked) > 1 and likely.get(ranked[0], 0.0) < _CLOSE * likely.get(ranked[1], 0.0):
        return ranked[:2]
    return ranked[:1]


def listen(model: WhisperModel, audio: Audio, language: str) -> Iterator[Any]:
    """Segments as they are heard; each step takes at most one window of thirty seconds."""
    segments, _info = model.transcribe(
        audio,
        language=language,
        beam_size=5,
        condition_on_previous_text=False,
        vad_filter=len(audio) > 60 * RATE,  # in long recordings there are long silences, in which Whisper invents
        vad_parameters={"min_silence_duration_ms": 1000},
    )
    return iter(segments)


@dataclass
class _Task:
    """One file on its way: a generator of progress that ends with its transcript."""

    id: str
    steps: Iterator[dict[str, Any]]


def _steps(model: WhisperModel, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    audio = prepared(Path(request["path"]))
    total = len(audio) / RATE
    if not anybody(audio):
        yield {"transcript": {"language": None, "seconds": round(total - 2 * _QUIET, 2), "segments": []}}
        return
    tried: list[tuple[float, Heard]] = []
    for language in languages(model, audio, request.get("candidates") or []):
        segments: list[dict[str, Any]] = []
        score, length = 0.0, 0.0
        for segment in listen(model, audio, language):
            if _said(segment):
                segments.append(
                    {
                        "start": round(max(0.0, segment.start - _QUIET), 2),
                        "end": round(max(0.0, segment.end - _QUIET), 2),
                        "text": segment.text.strip(),
                    }
                )
            score += segment.avg_logprob * (segment.end - segment.start)
            length += segment.end - segment.start
            yield {"done": round(segment.end, 1), "of": round(total, 1)}
        tried.append((score / length if length else -10.0, Heard(language, segments)))
    best = max(tried, key=lambda one: one[0])[1]
    yield {
        "transcript": {
            "language": best.language,
            "seconds": round(total - 2 * _QUIET, 2),
            "segments": best.segments,
        }
    }


def _said(segment: Any) -> bool:
    """Whether somebody spoke: over silence and noise Whisper invents a sentence, and half knows it."""
    return not (segment.no_speech_prob > 0.6 and segment.avg_logprob < -0.8) and bool(segment.text.strip())


def _tell(out: IO[str], what: dict[str, Any]) -> None:
    out.write(json.dumps(what, ensure_ascii=False) + "\n")
    out.flush()


def serve(model: WhisperModel, lines: Iterator[str], out: IO[str]) -> None:
    """Answers requests until the input ends."""
    coming: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        for line in lines:
            coming.put(line)
        coming.put(None)

    threading.Thread(target=read, daemon=True).start()
    tasks: deque[_Task] = deque()
    while True:
        while not tasks or not coming.empty():
            line = coming.get()
            if line is None:
                return
            request = json.loads(line)
            # What has just come is begun before the others go on: the short ones are soon done.
            tasks.appendleft(_Task(request["id"], _steps(model, request)))
        task = tasks.popleft()
        try:
            step = next(task.steps)
        except Undecodable:
            _tell(out, {"id": task.id, "error": "speech_undecodable"})
            continue
        except Exception as error:  # one file's trouble is not the others'
            print(f"listening failed: {type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201 - the process's log
            _tell(out, {"id": task.id, "error": "speech_failed"})
            continue
        _tell(out, {"id": task.id, **step})
        if "transcript" not in step:
            tasks.append(task)


def main(folder: str, threads: str) -> None:
    # Whatever a library prints must not stand between the lines of the protocol.
    out, sys.stdout = sys.stdout, sys.stderr
    from faster_whisper import WhisperModel

    model = WhisperModel(folder, device="cpu", compute_type="int8", local_files_only=True, cpu_threads=int(threads))
    _tell(out, {"ready": True})
    serve(model, iter(sys.stdin.readline, ""), out)


if __name__ == "__main__":
    main(*sys.argv[1:])
