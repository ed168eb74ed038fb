"""The one way out for addresses that came with somebody's message.

An address in a webhook is chosen by whoever wrote the webhook. So it is fetched only from hosts that belong
to the provider, only over names that resolve to public addresses, and only so much of it. What an admin has
configured himself (a self-hosted server, a provider on loopback) is `trusted` and may be private.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import AsyncIterator, Collection, Mapping
from urllib.parse import urljoin, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from channels.contract import AuthFailed, Rejected, Retryable

_HOPS = 4
_PIECE = 64 * 1024


class _Public(AbstractResolver):
    """Gives only addresses of the public internet: checked on the very address that is connected to."""

    def __init__(self) -> None:
        self._inner = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        if not found or not all(_public(one["host"]) for one in found):
            raise Rejected(f"{host} is not a public address", code="media_host_refused")
        return found

    async def close(self) -> None:
        await self._inner.close()


def _public(address: str) -> bool:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(parsed, "ipv4_mapped", None)
    return (mapped or parsed).is_global and not parsed.is_multicast


def allowed(url: str, hosts: Collection[str], trusted: Collection[str] = ()) -> bool:
    """Whether the address is one of `hosts` (exact, or `.suffix` for names below) by HTTPS, or the `trusted` origin.

    `trusted` holds origins such as `http://127.0.0.1:8081`.
    """
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower().rstrip("."), parts.port
    except ValueError:
        return False
    if parts.username or parts.password:
        return False
    if any(_origin(one) == _origin(url) for one in trusted):
        return True
    if parts.scheme != "https" or port not in (None, 443):
        return False
    return any(host == one or (one.startswith(".") and host.endswith(one)) for one in hosts)


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)


async def fetch(
    url: str,
    *,
    hosts: Collection[str],
    trusted: Collection[str] = (),
    headers: Mapping[str, str] | None = None,
    limit: int,
    timeout: float = 30.0,
) -> AsyncIterator[bytes]:
    """The body behind `url`, piece by piece; never more than `limit` bytes.

    `headers` (credentials) go to the first origin alone: a redirect elsewhere is followed without them.
    Raises Rejected (`media_host_refused`, `media_too_large`, `media_gone`), AuthFailed, or Retryable.
    """
    first = _origin(url)
    for _hop in range(_HOPS):
        if not allowed(url, hosts, trusted):
            raise Rejected(f"files are not fetched from {urlsplit(url).hostname}", code="media_host_refused")
        known = any(_origin(one) == _origin(url) for one in trusted)
        connector = aiohttp.TCPConnector(resolver=None if known else _Public())
        try:
            async with (
                aiohttp.ClientSession(
                    connector=connector, timeout=aiohttp.ClientTimeout(total=None, connect=10, sock_read=timeout)
                ) as session,
                session.get(url, headers=headers if _origin(url) == first else None, allow_redirects=False) as answer,
            ):
                if answer.status in (301, 302, 303, 307, 308) and "location" in answer.headers:
                    url = urljoin(url, answer.headers["location"])
                    continue
                _judge(answer)
                if (answer.content_length or 0) > limit:
                    raise Rejected(f"the file is larger than {limit} bytes", code="media_too_large")
                got = 0
                async for piece in answer.content.iter_chunked(_PIECE):
                    got += len(piece)
                    if got > limit:
                        raise Rejected(f"the file is larger than {limit} bytes", code="media_too_large")
                    yield piece
                return
        except aiohttp.ClientError as error:
            raise Retryable(f"the file could not be fetched: {type(error).__name__}") from error
        except TimeoutError as error:
            raise Retryable("the file's server did not answer in time") from error
    raise Rejected("the file's address leads in circles", code="media_host_refused")


def _judge(answer: aiohttp.ClientResponse) -> None:
    if answer.status in (401, 403):
        raise AuthFailed("the provider refuses the file with these credentials")
    if answer.status in (404, 410):
        raise Rejected("the provider no longer has the file", code="media_gone")
    if answer.status == 429 or answer.status >= 500:
        after = answer.headers.get("retry-after", "")
        raise Retryable(f"the provider answered {answer.status}", after=float(after) if after.isdigit() else 0.0)
    if answer.status != 200:
        raise Rejected(f"the provider answered {answer.status}", code="media_refused")
