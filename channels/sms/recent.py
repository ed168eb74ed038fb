"""What this process has lately asked Twilio to send, so that a send in doubt can be told from others.

Twilio keeps no idempotency key. What is remembered here may be lost at any moment: then less can be told, never wrongly.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

_KEPT = 4096
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Print:
    """Enough of a message to know it again at Twilio's."""

    to: str
    body: str
    media: int

    @classmethod
    def of(cls, to: str, body: str, media: int) -> Print:
        """The text itself is not kept, only its hash."""
        return cls(to, hashlib.sha256(body.strip().encode()).hexdigest(), media)


class Recent:
    """By account and key, the newest few thousand."""

    def __init__(self, kept: int = _KEPT) -> None:
        self._kept = kept
        self._prints: OrderedDict[tuple[str, str], Print] = OrderedDict()
        self._sids: OrderedDict[tuple[str, str], str] = OrderedDict()

    def asked(self, account: str, key: str, what: Print) -> None:
        """Before the request goes out."""
        self._keep(self._prints, (account, key), what)

    def accepted(self, account: str, key: str, sid: str) -> None:
        self._keep(self._sids, (account, key), sid)

    def print_of(self, account: str, key: str) -> Print | None:
        return self._prints.get((account, key))

    def taken(self, account: str, key: str) -> frozenset[str]:
        """The SIDs that are known to belong to other keys."""
        return frozenset(sid for (of, other), sid in self._sids.items() if of == account and other != key)

    def others(self, account: str, key: str) -> Sequence[Print]:
        """What was asked under other keys and is in doubt as well."""
        return [
            what
            for (of, other), what in self._prints.items()
            if of == account and other != key and (of, other) not in self._sids
        ]

    def _keep(self, store: OrderedDict[tuple[str, str], _Value], key: tuple[str, str], value: _Value) -> None:
        store[key] = value
        store.move_to_end(key)
        while len(store) > self._kept:
            store.popitem(last=False)


RECENT = Recent()
"""One for the process: an adapter lives for one delivery."""
