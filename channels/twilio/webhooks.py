"""How the fake provider calls back: signed, within Twilio's time limits, retried by Twilio's rules.

https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides: 5 s to connect, 15 s in all, one retry when
the connection fails; a fragment of the URL (`#rc=3&rp=all`) asks for more.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl, urldefrag
from uuid import uuid4

import aiohttp
from pydantic import SecretStr

from channels.twilio.ledger import Ledger
from channels.twilio.signature import sign

Form = Mapping[str, str] | Iterable[tuple[str, str]]

_TOTAL_S = 15.0
_CONNECT_S = 5.0


class Answer(NamedTuple):
    """What a webhook answered; status 0 where it did not (Twilio's error 11200)."""

    status: int
    body: bytes
    content_type: str


class Caller:
    """Posts to webhooks as Twilio does."""

    def __init__(self, auth_token: SecretStr, ledger: Ledger) -> None:
        self._auth_token = auth_token
        self._ledger = ledger

    async def post(self, url: str, form: Form) -> Answer:
        """One event, with its retries; each attempt is a row of the ledger."""
        target, fragment = urldefrag(url)
        retries, policies = _overrides(fragment)
        pairs = list(form.items()) if isinstance(form, Mapping) else list(form)
        headers = {
            "X-Twilio-Signature": sign(self._auth_token, target, pairs),
            "I-Twilio-Idempotency-Token": str(uuid4()),
            "User-Agent": "TwilioProxy/1.1",
            "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
        }
        until = time.monotonic() + _TOTAL_S
        body = aiohttp.FormData(pairs)()
        answer, failed = Answer(0, b"", ""), ""
        for attempt in range(retries + 1):
            answer, failed = await _once(target, body, headers, until - time.monotonic())
            self._ledger.append("webhook", url=target, attempt=attempt, status=answer.status, form=pairs)
            if not failed or failed not in policies or time.monotonic() >= until:
                break
        return answer


async def _once(url: str, body: aiohttp.payload.Payload, headers: Mapping[str, str], left: float) -> tuple[Answer, str]:
    """The answer, and by which retry policy it failed: `ct`, `rt`, `4xx`, `5xx`, or nothing."""
    timeout = aiohttp.ClientTimeout(total=max(left, 0.1), sock_connect=_CONNECT_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(url, data=body, headers=headers, allow_redirects=False) as got,
        ):
            answer = Answer(got.status, await got.read(), got.headers.get("Content-Type", ""))
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        await asyncio.sleep(0)
        return Answer(0, b"", ""), "ct"
    except (aiohttp.ClientError, TimeoutError, OSError):
        return Answer(0, b"", ""), "rt"
    kind = f"{got.status // 100}xx"
    return answer, kind if kind in ("4xx", "5xx") else ""


def _overrides(fragment: str) -> tuple[int, frozenset[str]]:
    """How many retries, and after which failures."""
    given = dict(parse_qsl(fragment))
    count = given.get("rc", "1")
    policies = frozenset(given.get("rp", "ct").split(","))
    if "all" in policies:
        policies = frozenset({"ct", "rt", "4xx", "5xx"})
    return (min(int(count), 5) if count.isdigit() else 1), policies
