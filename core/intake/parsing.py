"""Parsing where a hostile message can do no harm.

A small message is parsed in a thread of its own. A large one, and one at which a parser has failed before, goes to a
process, which is killed when it takes too long or dies of its own accord; the worker lives on either way. A thread
that hangs cannot be killed: it is left behind, and neither takes a place from others nor keeps the worker from ending.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout

from pebble import ProcessPool

from channels import registry
from channels.contract import Context, Inbound, Malformed, RawInbound

_IN_THREAD_MAX = 64 * 1024
"""Bytes up to which a message is parsed in a thread."""
_TIMEOUT = 20.0
"""Seconds a parser has."""

_pool: ProcessPool | None = None


def _processes() -> ProcessPool:
    global _pool  # noqa: PLW0603 - one pool per process, made when first needed
    if _pool is None or not _pool.active:
        # Forking a process with threads can deadlock; the fork server has none.
        _pool = ProcessPool(max_workers=1, max_tasks=200, context=multiprocessing.get_context("forkserver"))
    return _pool


def _parse(channel: str, context: Context, raw: RawInbound) -> Sequence[Inbound]:
    return registry.build(channel, context).parse(raw)


def _in_thread(channel: str, context: Context, raw: RawInbound) -> Future[Sequence[Inbound]]:
    future: Future[Sequence[Inbound]] = Future()

    def run() -> None:
        try:
            future.set_result(_parse(channel, context, raw))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name=f"parse-{channel}", daemon=True).start()
    return future


async def parse(channel: str, context: Context, raw: RawInbound, *, suspicious: bool = False) -> Sequence[Inbound]:
    """The events in `raw`. Raises Malformed, also when the parser hangs or dies, and whatever a parser's bug raises."""
    if len(raw.body) <= _IN_THREAD_MAX and not suspicious:
        try:
            async with asyncio.timeout(_TIMEOUT):
                return await asyncio.shield(asyncio.wrap_future(_in_thread(channel, context, raw)))
        except TimeoutError:
            raise Malformed(f"the parser took longer than {_TIMEOUT:.0f} s", code="parser_timeout") from None
    future: Future[Sequence[Inbound]] = _processes().schedule(_parse, args=(channel, context, raw), timeout=_TIMEOUT)
    try:
        return await asyncio.wrap_future(future)
    except (TimeoutError, FutureTimeout):
        raise Malformed(f"the parser took longer than {_TIMEOUT:.0f} s", code="parser_timeout") from None
    except Exception as error:
        if type(error).__name__ == "ProcessExpired":
            raise Malformed("the parser's process died", code="parser_died") from error
        raise


def close() -> None:
    """Ends the parser's process."""
    global _pool  # noqa: PLW0603
    if _pool is not None:
        _pool.stop()  # type: ignore[no-untyped-call]
        _pool.join(5)
        _pool = None
