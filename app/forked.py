"""The parts of the house as forks of one process that has loaded the code already.

What is loaded before the fork is shared by all parts as long as nobody changes it, and is loaded once. Only on Linux:
elsewhere a fork without exec is not safe, and the parts are started as programs of their own.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import os
import random
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path

from app.embedded import die_with_parent
from core.settings import settings

possible = sys.platform.startswith("linux")

_SHARED = (
    "app.handlers",
    "app.http.main",
    "app.listen",
    "core.jobs.broker",
    "core.jobs.worker",
    "aiohttp",
    "uvicorn.protocols.http.httptools_impl",
    "uvicorn.protocols.websockets.websockets_impl",
    "sqlalchemy.dialects.postgresql.psycopg",
)
_PR_SET_NAME = 15


def load() -> None:
    """Loads what the parts have in common. No threads are started by it."""
    for name in _SHARED:
        importlib.import_module(name)
    # What stands now is not looked at by the collector again, so its pages stay shared.
    gc.collect()
    gc.freeze()


class Forked:
    """A child, with the part of `subprocess.Popen` that a supervisor needs."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:
                self.returncode = -signal.SIGKILL
            else:
                if pid:
                    self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Raises subprocess.TimeoutExpired."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (status := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            time.sleep(0.02)
        return status

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


def fork(name: str, part: Callable[[], None], *, environment: Mapping[str, str], log: Path) -> Forked:
    """Runs `part` in a process group of its own; it writes to `log`, and ends when this process does."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return Forked(pid)
    status = 1
    try:
        _begin(name, environment, log)
        part()
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _begin(name: str, environment: Mapping[str, str], log: Path) -> None:
    """Everything that a new program would have of its own."""
    os.setpgid(0, 0)
    arm = die_with_parent(signal.SIGTERM)
    if arm is not None:
        arm()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(_PR_SET_NAME, f"autocrm {name}"[:15].encode())
    inputs = os.open(os.devnull, os.O_RDONLY)
    outputs = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(inputs, 0)
    os.dup2(outputs, 1)
    os.dup2(outputs, 2)
    # The lock on the data folder, the pipes of the servers: they are the supervisor's.
    os.closerange(3, os.sysconf("SC_OPEN_MAX") if os.sysconf("SC_OPEN_MAX") < 65536 else 65536)
    os.environ.clear()
    os.environ.update(environment)
    settings.cache_clear()
    random.seed()
