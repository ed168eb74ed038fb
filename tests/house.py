"""The whole house for a test: worker, gateway and API as the processes that they are in production."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from app.embedded import free_port

T = TypeVar("T")
ROOT = Path(__file__).resolve().parent.parent


async def until(probe: Callable[[], T | None], what: str, seconds: float = 30) -> T:
    """The first true result of `probe`; fails with `what` when there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        found = probe()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        await asyncio.sleep(0.02)


async def until_async(probe: Callable[[], object], what: str, seconds: float = 30) -> object:
    """As `until`, for a coroutine function."""
    deadline = time.monotonic() + seconds
    while True:
        found = await probe()  # type: ignore[misc]
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        await asyncio.sleep(0.02)


@dataclass
class House:
    """Processes of one installation. `log` is what they wrote."""

    environment: dict[str, str]
    folder: Path
    smtp_port: int = field(default_factory=free_port)
    port: int = field(default_factory=free_port)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, part: str, name: str | None = None, **environment: str) -> subprocess.Popen[bytes]:
        name = name or part
        log = (self.folder / f"{name}.log").open("ab")
        process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", part],
            cwd=ROOT,
            env={
                **os.environ,
                **self.environment,
                "AUTOCRM_SMTP_PORT": str(self.smtp_port),
                "AUTOCRM_PORT": str(self.port),
                **environment,
            },
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        log.close()
        self.processes[name] = process
        return process

    def kill(self, name: str) -> None:
        """As a crash would, with all its children."""
        process = self.processes.pop(name)
        with contextlib.suppress(ProcessLookupError):  # it has died by itself
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    async def until_open(self, port: int, name: str) -> None:
        def probe() -> bool:
            process = self.processes.get(name)
            assert process is None or process.poll() is None, self.log(name)
            with socket.socket() as client:
                return client.connect_ex(("127.0.0.1", port)) == 0

        await until(probe, f"{name} listens on {port}")

    def stop(self) -> None:
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@asynccontextmanager
async def house(environment: dict[str, str], folder: Path) -> AsyncIterator[House]:
    folder.mkdir(exist_ok=True)
    made = House(environment, folder)
    try:
        yield made
    finally:
        made.stop()
