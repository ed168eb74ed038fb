"""The gateway process: the channels' servers and listeners, the relay, and in the demo the fake providers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from typing import Any

import uvloop

from app.demo.labs import serve_labs
from app.demo.seed import login_file
from app.listen import serve_channels, watch_accounts
from app.logs import configure_logging
from app.relay import relay
from core.db import dispose
from core.settings import settings

log = logging.getLogger(__name__)


def run(*, listen: bool = True, with_relay: bool = True) -> None:
    """Runs the parts asked for, until SIGTERM or SIGINT."""
    configure_logging("gateway" if listen and with_relay else "listen" if listen else "relay")
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(_main(listen, with_relay))


async def _main(listen: bool, with_relay: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    def ready(channel: str, port: int) -> None:
        log.info("%s listens on port %d", channel, port)

    tasks: list[asyncio.Task[Any]] = []
    if listen:
        tasks.append(asyncio.create_task(serve_channels(ready)))
        providers = asyncio.Event()
        if settings().demo and login_file().exists():  # seeded, and not merely in demo mode
            tasks.append(asyncio.create_task(serve_labs(providers)))
        else:
            providers.set()
        tasks.append(asyncio.create_task(_attend(providers)))
    if with_relay:
        tasks.append(asyncio.create_task(relay()))
    stopping = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait([*tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await dispose()
    for task in done - {stopping}:
        task.result()  # a part that ended by itself ended by an error: the supervisor shall see it


async def _attend(providers: asyncio.Event) -> None:
    """Attends to the accounts once the demo's own providers can be asked."""
    await providers.wait()
    await watch_accounts()
