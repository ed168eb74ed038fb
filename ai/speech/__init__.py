"""Listening: speech in any file becomes text, by Whisper in a process of its own."""

from ai.speech.model import ready

__all__ = ["ready"]
