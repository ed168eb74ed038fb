"""`autocrm run`: everything in one supervised tree.

The supervisor itself stays small: it starts the embedded servers, migrates where needed, starts API, worker and
gateway, shows one screen, and from then on restarts what dies. Children die with it: the kernel tells them on
Linux, and every child watches a pipe that ends when the supervisor does.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from ai.speech.model import off
from ai.speech.model import ready as speech_ready
from app import forked, servers
from app.embedded import EmbeddedError, Postgres, Valkey, die_with_parent
from core.settings import Settings


def _api() -> None:
    from app.http.serve import serve

    serve()


def _worker() -> None:
    from app.worker import run

    run()


def _gateway() -> None:
    from app.gateway import run

    run()


_PARTS: Mapping[str, Callable[[], None]] = {"api": _api, "worker": _worker, "gateway": _gateway}
_READY_TIMEOUT = 90.0
_RESTART_MAX = 30.0
"""Longest wait, in seconds, before a part that keeps dying is started again."""


class StartError(RuntimeError):
    """Why nothing was started, in one readable line with a way out."""


def _port_free(host: str, port: int, name: str, variable: str) -> None:
    if port == 0:
        return
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError:
            raise StartError(
                f"no permission to listen on {name} port {port}: set {variable} to one above 1023"
            ) from None
        except OSError as error:
            raise StartError(
                f"{name} port {port} on {host} cannot be used ({error.strerror}): set {variable} to another"
            ) from None


def _data_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise StartError(
            f"the data folder {folder} cannot be written ({error.strerror}): set AUTOCRM_DATA to another"
        ) from None


@dataclass
class _Child:
    part: str
    process: subprocess.Popen[bytes] | forked.Forked
    started: float
    failures: int = 0
    due: float = 0.0


@dataclass
class Supervisor:
    settings: Settings
    console: Console = field(default_factory=lambda: Console(stderr=True))
    children: dict[str, _Child] = field(default_factory=dict)
    postgres: Postgres | None = None
    valkey: Valkey | None = None
    fetching: subprocess.Popen[bytes] | None = None
    """The process that fetches the speech model."""
    stopping: bool = False
    owns: bool = False
    """Whether this supervisor holds the data folder; only then is there anything of its own to put away."""

    def run(self) -> int:
        """Until Ctrl-C or SIGTERM. Returns the exit status."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask_to_stop)
        begun = time.monotonic()
        try:
            self._check()
            lock = self._lock()
            self.owns = True
            with self.console.status("Starting …") as status:
                environment = self._servers(status.update)
                self._migrate(environment, status.update)
                status.update("Loading …")
                if forked.possible:
                    forked.load()
            # No thread may be running when the parts are forked off, so the spinner rests meanwhile.
            for part in _PARTS:
                self._start(part, environment)
            with self.console.status("Starting API, worker and listeners …"):
                self._await_ready()
            if not self.stopping:
                self._screen(time.monotonic() - begun)
                self._fetch_speech(environment)
            self._watch(environment)
            del lock
        except (StartError, EmbeddedError) as error:
            self.console.print(f"autocrm: {error}", style="red", highlight=False, soft_wrap=True)
            return 1
        finally:
            self._stop()
        return 0

    def _ask_to_stop(self, *_signal: object) -> None:
        self.stopping = True

    def _check(self) -> None:
        _data_folder(self.settings.data)
        _port_free(self.settings.host, self.settings.port, "web", "AUTOCRM_PORT")
        _port_free(self.settings.smtp_host, self.settings.smtp_port, "SMTP", "AUTOCRM_SMTP_PORT")

    def _lock(self) -> object:
        """Two supervisors on one data folder would take each other's servers away."""
        import fcntl

        file = (self.settings.data / "lock").open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StartError(
                f"another `autocrm run` uses {self.settings.data}: stop it, or set AUTOCRM_DATA to another folder"
            ) from None
        return file

    def _servers(self, tell: Callable[[str], None]) -> dict[str, str]:
        environment = {**os.environ, "AUTOCRM_DATA": str(self.settings.data)}
        if self.settings.database_url is None:
            tell("Starting PostgreSQL …")
            self.postgres = Postgres(self.settings.data)
            environment["DATABASE_URL"] = self.postgres.start()
        else:
            environment["DATABASE_URL"] = self.settings.database_url.get_secret_value()
            _reach_postgres(environment["DATABASE_URL"])
        if self.settings.redis_url is None:
            tell("Starting Valkey …")
            self.valkey = Valkey(self.settings.data)
            environment["REDIS_URL"] = self.valkey.start()
        else:
            environment["REDIS_URL"] = self.settings.redis_url.get_secret_value()
            _reach_redis(environment["REDIS_URL"])
        servers.remember(self.settings.data, environment["DATABASE_URL"], environment["REDIS_URL"])
        return environment

    def _migrate(self, environment: dict[str, str], tell: Callable[[str], None]) -> None:
        """In a process of its own, and only where something is to be done: a warm start skips it."""
        if _at_head(environment["DATABASE_URL"], seeded=self.settings.demo):
            return
        tell("Preparing the database" + (" and the demo" if self.settings.demo else "") + " …")
        command = [sys.executable, "-m", "app.cli", "prepare"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            last = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
            raise StartError(f"the database could not be prepared: {last[0]}")

    def _start(self, part: str, environment: dict[str, str], failures: int = 0) -> None:
        log = self.settings.data / "log" / f"{part}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        process: subprocess.Popen[bytes] | forked.Forked
        if forked.possible:
            process = forked.fork(part, _PARTS[part], environment=environment, log=log)
        else:
            with log.open("ab") as output:
                process = subprocess.Popen(
                    [sys.executable, "-m", "app.cli", part], env=environment, process_group=0,
                    stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                )  # fmt: skip
        self.children[part] = _Child(part, process, time.monotonic(), failures)

    def _await_ready(self) -> None:
        deadline = time.monotonic() + _READY_TIMEOUT
        url = f"http://{self.settings.host}:{self.settings.port}/api/v1/ready"
        ports = [(self.settings.smtp_host, self.settings.smtp_port)]
        while not self.stopping:
            for child in self.children.values():
                if child.process.poll() is not None:
                    raise StartError(
                        f"{child.part} ended at once: see {self.settings.data / 'log' / f'{child.part}.log'}"
                    )
            if _answers(url) and all(_listens(*port) for port in ports):
                return
            if time.monotonic() > deadline:
                raise StartError(
                    f"not ready after {_READY_TIMEOUT:.0f} s: see the logs in {self.settings.data / 'log'}"
                )
            time.sleep(0.05)

    def _screen(self, seconds: float) -> None:
        base = self.settings.base_url
        table = Table.grid(padding=(0, 2))
        table.add_column(style="bold")
        table.add_row("Inbox", base + "/")
        if self.settings.demo:
            login = self.settings.data / "keys" / "demo-login"
            table.add_row("Sign in as", f"admin@fernweh.example  /  {login.read_text() if login.exists() else '?'}")
            table.add_row("Demo shop", f"{base}/demo/   (chat with the shop)")
            table.add_row("Lab", f"{base}/lab   (be the customer on every channel)")
            table.add_row(
                "Mail in", f"SMTP {self.settings.smtp_host}:{self.settings.smtp_port}, to support@fernweh.example"
            )
        else:
            table.add_row("Mail in", f"SMTP {self.settings.smtp_host}:{self.settings.smtp_port}")
        table.add_row("API", f"{base}/api/docs")
        table.add_row("Logs", str(self.settings.data / "log"))
        out = Console()
        out.print(
            Panel(
                table, title=f"AutoCRM is ready after {seconds:.1f} s", subtitle="Ctrl-C stops everything", expand=False
            )
        )
        sys.stdout.flush()

    def _fetch_speech(self, environment: dict[str, str]) -> None:
        """The speech model is large and not needed for the first answer: it comes while everything runs already."""
        if off() or speech_ready():
            return
        with (self.settings.data / "log" / "speech.log").open("ab") as output:
            self.fetching = subprocess.Popen(
                [sys.executable, "-m", "app.cli", "speech"], env=environment, process_group=0,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, preexec_fn=die_with_parent(signal.SIGTERM),
            )  # fmt: skip

    def _tell_of_speech(self) -> None:
        """Says once what became of the speech model."""
        if self.fetching is None or (status := self.fetching.poll()) is None:
            return
        self.fetching = None
        if status == 0:
            self.console.print("The speech model is here: calls and voice messages are understood from now on")
        else:
            log = self.settings.data / "log" / "speech.log"
            self.console.print(f"No speech model, so calls go to voicemail; see {log}, and run `autocrm speech` again")

    def _watch(self, environment: dict[str, str]) -> None:
        """Restarts what dies, more slowly the more often it does."""
        while not self.stopping:
            time.sleep(0.2)
            now = time.monotonic()
            self._tell_of_speech()
            for server, name in ((self.postgres, "PostgreSQL"), (self.valkey, "Valkey")):
                if server is not None and server.process is not None and server.process.poll() is not None:
                    self.console.print(f"{name} ended (status {server.process.returncode}); starting it again")
                    server.start()  # on the same port, so that nobody has to be told
            for part, child in list(self.children.items()):
                if child.process.poll() is None:
                    continue
                if child.due == 0.0:
                    child.failures = 0 if now - child.started > 60 else child.failures + 1
                    child.due = now + min(_RESTART_MAX, 0.2 * 2**child.failures)
                    status = child.process.returncode
                    self.console.print(f"{part} ended (status {status}); starting it again")
                if now >= child.due:
                    self._start(part, environment, child.failures)

    def _stop(self) -> None:
        if self.owns:
            servers.forget(self.settings.data)
        for child in self.children.values():
            if child.process.poll() is None:
                child.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + 20
        for child in self.children.values():
            try:
                child.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(child.process.pid, signal.SIGKILL)
                child.process.wait()
        if self.fetching is not None and self.fetching.poll() is None:
            self.fetching.terminate()
            self.fetching.wait()
        for server in (self.valkey, self.postgres):
            if server is not None:
                server.stop()


def _reach_postgres(url: str) -> None:
    import psycopg

    url = url.replace("postgresql+psycopg://", "postgresql://")

    try:
        with psycopg.connect(url, connect_timeout=5) as connection:
            version = connection.info.server_version
            row = connection.execute(
                "SELECT default_version FROM pg_available_extensions WHERE name = 'vector'"
            ).fetchone()
    except psycopg.Error as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise StartError(
            f"DATABASE_URL does not work: {reason}. Correct it, or unset it for the embedded server"
        ) from None
    if version < 180000:
        raise StartError(
            f"DATABASE_URL is PostgreSQL {version // 10000}; 18 or newer is needed. Unset it for the embedded server"
        )
    if row is None:
        raise StartError(
            "the server of DATABASE_URL has no pgvector: install it, or unset DATABASE_URL for the embedded server"
        )


def _reach_redis(url: str) -> None:
    import redis

    try:
        with redis.Redis.from_url(url, socket_connect_timeout=5) as client:
            client.ping()
    except (redis.RedisError, ValueError, OSError) as error:
        raise StartError(f"REDIS_URL does not work: {error}. Correct it, or unset it for the embedded server") from None


def _at_head(url: str, *, seeded: bool) -> bool:
    """Whether the schema is the newest and the demo is there, without loading the ORM."""
    import psycopg

    versions = Path(__file__).resolve().parent.parent / "migrations" / "versions"
    newest = max(path.name.split("_")[0] for path in versions.glob("[0-9]*.py"))
    try:
        with psycopg.connect(url) as connection:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            if row is None or row[0] != newest:
                return False
            return not seeded or connection.execute("SELECT 1 FROM articles LIMIT 1").fetchone() is not None
    except psycopg.errors.UndefinedTable:
        return False


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310 - our own address
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _listens(host: str, port: int) -> bool:
    if port == 0:
        return True
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0
