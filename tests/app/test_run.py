"""`autocrm run`, as a newcomer and as a bad day see it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
import pytest

from app.embedded import free_port
from tests.conftest import Servers
from tests.house import ROOT


@dataclass
class Tree:
    """A supervised tree on a data folder of its own."""

    data: Path
    port: int = field(default_factory=free_port)
    smtp_port: int = field(default_factory=free_port)
    process: subprocess.Popen[str] | None = None

    def start(self, **environment: str) -> subprocess.Popen[str]:
        inherited = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "run"],
            cwd=ROOT,
            env={
                **inherited,
                "AUTOCRM_DATA": str(self.data),
                "AUTOCRM_PORT": str(self.port),
                "AUTOCRM_SMTP_PORT": str(self.smtp_port),
                **environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        return self.process

    def screen(self, seconds: float = 90) -> str:
        """What was printed once it is ready."""
        assert self.process is not None
        assert self.process.stdout is not None
        lines = []
        deadline = time.monotonic() + seconds
        for line in self.process.stdout:
            lines.append(line)
            assert time.monotonic() < deadline, lines
            if "Ctrl-C stops everything" in line:
                break
        return "".join(lines)

    def family(self) -> list[psutil.Process]:
        assert self.process is not None
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
        if self.process is not None and self.process.stdout is not None:
            self.process.stdout.close()


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Tree]:
    made = Tree(tmp_path / "data")
    yield made
    made.end()


def test_it_starts_shows_one_screen_survives_kill_9_and_ctrl_c_ends_it(tree: Tree) -> None:
    tree.start()
    screen = tree.screen()
    assert f"http://127.0.0.1:{tree.port}/" in screen
    assert "admin@fernweh.example" in screen
    assert str(tree.smtp_port) in screen
    password = (tree.data / "keys" / "demo-login").read_text()
    assert password in screen
    with httpx.Client(base_url=f"http://127.0.0.1:{tree.port}/api/v1") as client:
        signed = client.post("/session", json={"email": "admin@fernweh.example", "password": password})
        assert signed.status_code == 201, signed.text
        assert client.get("/ready").json() == {"ready": True, "database": "ok", "redis": "ok"}

    family = tree.family()
    assert len(family) > 5
    assert tree.process is not None
    tree.process.kill()
    tree.process.wait()
    _gone, alive = psutil.wait_procs(family, timeout=20)
    assert not alive, [process.cmdline() for process in alive]

    tree.start()
    assert "admin@fernweh.example" in tree.screen()
    family = tree.family()
    tree.process.send_signal(signal.SIGINT)
    assert tree.process.wait(30) == 0
    _gone, alive = psutil.wait_procs(family, timeout=5)
    assert not alive, [process.cmdline() for process in alive]


def test_a_part_that_dies_is_started_again(tree: Tree) -> None:
    tree.start()
    tree.screen()
    api = next(process for process in tree.family() if process.name() == "autocrm api")
    api.kill()
    deadline = time.monotonic() + 30
    while True:
        try:
            if httpx.get(f"http://127.0.0.1:{tree.port}/api/v1/ready", timeout=2).json()["ready"]:
                break
        except httpx.HTTPError:
            pass
        assert time.monotonic() < deadline, "the API did not come back"
        time.sleep(0.1)


def test_outside_servers_need_no_other_change(tree: Tree, servers: Servers) -> None:
    url = servers.create_database()
    try:
        tree.start(DATABASE_URL=url, REDIS_URL=servers.redis_url, AUTOCRM_REDIS_NAMESPACE="outside")
        assert "admin@fernweh.example" in tree.screen()
        names = " ".join(" ".join(process.cmdline()) for process in tree.family())
        assert "valkey-server" not in names
        assert "pginstall" not in names
    finally:
        tree.end()
        servers.drop_database(url)


def _refusal(tree: Tree, **environment: str) -> str:
    process = tree.start(**environment)
    output, _ = process.communicate(timeout=60)
    assert process.returncode in (1, 2), output
    lines = [line for line in output.strip().splitlines() if line.strip()]
    assert len(lines) == 1, output
    return lines[0]


def test_a_taken_port_gives_one_line_and_a_way_out(tree: Tree) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", tree.port))
        taken.listen()
        line = _refusal(tree)
    assert str(tree.port) in line
    assert "AUTOCRM_PORT" in line


def test_a_wrong_database_gives_one_line_and_a_way_out(tree: Tree) -> None:
    line = _refusal(tree, DATABASE_URL=f"postgresql://nobody:secret-word@127.0.0.1:{free_port()}/nothing")
    assert "DATABASE_URL" in line
    assert "secret-word" not in line


def test_a_wrong_redis_gives_one_line_and_a_way_out(tree: Tree, servers: Servers) -> None:
    line = _refusal(
        tree, DATABASE_URL=servers.postgres_url, REDIS_URL=f"redis://:secret-word@127.0.0.1:{free_port()}/0"
    )
    assert "REDIS_URL" in line
    assert "secret-word" not in line


def test_a_data_folder_that_cannot_be_written_gives_one_line_and_a_way_out(tree: Tree, tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    line = _refusal(tree, AUTOCRM_DATA=str(in_the_way / "data"))
    assert "AUTOCRM_DATA" in line


def test_a_setting_that_makes_no_sense_gives_one_line(tree: Tree) -> None:
    line = _refusal(tree, AUTOCRM_PORT="eighty")
    assert "AUTOCRM_PORT" in line


def test_production_has_no_lab_and_no_demo(tree: Tree) -> None:
    tree.start(AUTOCRM_MODE="production")
    screen = tree.screen()
    assert "/lab" not in screen
    base = f"http://127.0.0.1:{tree.port}"
    assert httpx.get(f"{base}/api/v1/lab/channels").status_code in (401, 404)
    assert "/api/v1/lab/channels" not in httpx.get(f"{base}/api/v1/openapi.json").json()["paths"]
