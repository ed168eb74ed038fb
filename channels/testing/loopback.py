"""Notices every attempt of this process to leave loopback."""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_watchers: list[list[str]] = []
_installed = False


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    if not _watchers or event not in {"socket.connect", "socket.getaddrinfo", "socket.sendto"}:
        return
    address = arguments[1] if event != "socket.getaddrinfo" else (arguments[0],)
    host = address[0] if isinstance(address, tuple) and address else None
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if isinstance(host, str) and not _is_loopback(host):
        for watcher in _watchers:
            watcher.append(f"{event} {host}")


def _is_loopback(host: str) -> bool:
    if host in {"", "localhost"}:
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


@contextmanager
def watched() -> Iterator[list[str]]:
    """The list fills with what was tried. Sees every socket that Python makes, whatever loop or thread it runs in."""
    global _installed  # noqa: PLW0603, an audit hook can be added once and never removed
    if not _installed:
        sys.addaudithook(_audit)
        _installed = True
    seen: list[str] = []
    _watchers.append(seen)
    try:
        yield seen
    finally:
        _watchers.remove(seen)
