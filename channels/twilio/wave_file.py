"""Recordings as files: how long they are, and whether anything can be heard."""

from __future__ import annotations

import array
import io
import math
import sys
import wave
from dataclasses import dataclass, field

_AUDIBLE = 200
"""Of 32,768: below this, a sample is the line's own noise."""


class NotSound(ValueError):
    """Bytes that are no WAV file with 16-bit samples."""


@dataclass(frozen=True, slots=True)
class Sound:
    """A mono recording of 16-bit samples."""

    samples: bytes = field(repr=False)
    rate: int

    @classmethod
    def read(cls, wav: bytes) -> Sound:
        """Raises NotSound."""
        try:
            with wave.open(io.BytesIO(wav)) as file:
                if file.getsampwidth() != 2 or file.getnchannels() != 1:
                    raise NotSound("a WAV file with one channel of 16 bits is needed")
                return cls(file.readframes(file.getnframes()), file.getframerate())
        except (wave.Error, EOFError) as error:
            raise NotSound(f"not a WAV file: {error}") from None

    @classmethod
    def tone(cls, seconds: float, hertz: float = 440.0, rate: int = 8000) -> Sound:
        """Something to be heard that is not speech; 0 hertz is silence."""
        wave_form = (int(8000 * math.sin(2 * math.pi * hertz * n / rate)) for n in range(int(seconds * rate)))
        return cls(_little_endian(array.array("h", wave_form)), rate)

    def __add__(self, other: Sound) -> Sound:
        if other.rate != self.rate:
            raise NotSound("two recordings of unlike rates cannot be joined")
        return Sound(self.samples + other.samples, self.rate)

    @property
    def seconds(self) -> float:
        return len(self.samples) / 2 / self.rate

    @property
    def whole_seconds(self) -> int:
        """Rounded as the provider tells it."""
        return round(self.seconds)

    @property
    def silent(self) -> bool:
        samples = array.array("h", self.samples)
        if sys.byteorder == "big":
            samples.byteswap()
        return all(-_AUDIBLE < one < _AUDIBLE for one in samples)

    def wav(self) -> bytes:
        buffer = io.BytesIO()
        with wave.open(buffer, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(self.rate)
            file.writeframes(self.samples)
        return buffer.getvalue()


def _little_endian(samples: array.array[int]) -> bytes:
    if sys.byteorder == "big":
        samples.byteswap()
    return samples.tobytes()
