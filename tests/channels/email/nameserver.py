"""A DNS server on loopback with the records a test gives it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import cast

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.resolver
import dns.rrset

Records = Mapping[tuple[str, str], Sequence[str]]


class _Server(asyncio.DatagramProtocol):
    def __init__(self, records: Records, *, silent: bool) -> None:
        self._records = {(name.lower(), kind): values for (name, kind), values in records.items()}
        self._silent = silent
        self.asked: list[str] = []
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name, kind = question.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(question.rdtype)
        self.asked.append(f"{name} {kind}")
        if self._silent:
            return
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        if values := self._records.get((name, kind)):
            response.answer.append(dns.rrset.from_text_list(question.name, 60, "IN", kind, list(values)))
        elif not any(known == name for known, _kind in self._records):
            response.set_rcode(dns.rcode.NXDOMAIN)
        assert self._transport is not None
        self._transport.sendto(response.to_wire(max_size=65535), address)


@asynccontextmanager
async def nameserver(
    records: Records, *, silent: bool = False
) -> AsyncIterator[tuple[dns.resolver.Resolver, list[str]]]:
    """A resolver that asks only this server, and the questions it has got."""
    transport, server = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Server(records, silent=silent), local_addr=("127.0.0.1", 0)
    )
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers = ["127.0.0.1"]
    resolver.port = transport.get_extra_info("sockname")[1]
    resolver.timeout = 0.3
    try:
        yield resolver, server.asked
    finally:
        transport.close()


def txt(value: str) -> list[str]:
    """One TXT record in strings of at most 255 octets."""
    return [" ".join(f'"{value[n : n + 250]}"' for n in range(0, len(value), 250))]
