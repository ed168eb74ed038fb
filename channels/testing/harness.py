"""What a channel folder tells the conformance kit about itself, in its own `harness.py` as a class `Harness`.

A harness starts the folder's fake provider, hands out settings that point at it, makes it misbehave, and reads
back what it was given. Adapters are never imitated; only providers are.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar
from uuid import uuid4

from pydantic import BaseModel

from channels.contract import (
    Address,
    AuthFailed,
    ChannelError,
    ChannelSpec,
    Context,
    Outbound,
    OutcomeUnknown,
    RawInbound,
    Rejected,
    Retryable,
    Undeliverable,
)


class Fault(StrEnum):
    """What a provider does wrong when asked to send."""

    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    REFUSED = "refused"
    UNKNOWN_RECIPIENT = "unknown_recipient"
    BAD_CREDENTIALS = "bad_credentials"
    CUT_AFTER_ACCEPT = "cut_after_accept"


ERRORS: Mapping[Fault, type[ChannelError]] = MappingProxyType(
    {
        Fault.RATE_LIMITED: Retryable,
        Fault.SERVER_ERROR: Retryable,
        Fault.REFUSED: Rejected,
        Fault.UNKNOWN_RECIPIENT: Undeliverable,
        Fault.BAD_CREDENTIALS: AuthFailed,
        Fault.CUT_AFTER_ACCEPT: OutcomeUnknown,
    }
)
"""The one error that each fault must become."""


class NotWritten(Exception):
    """A part of a harness or an adapter that its author has still to write."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """One message at the provider: its identity there, such that a repeat has the same, and its text."""

    identity: str
    text: str


class Harness(ABC):
    """Subclass it as `Harness` in the folder's `harness.py`. Started and stopped once per test."""

    has_provider: ClassVar[bool] = True
    """False for a channel without an outside provider, where the committed message is the delivery."""
    faults: ClassVar[frozenset[Fault]] = frozenset(Fault)
    """The faults that the provider can show. What is missing needs its reason in `why_not`."""
    why_not: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """Reasons, by fault or check name, for what cannot happen on this channel."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        """A fresh folder, for ledgers and the like."""

    async def start(self) -> None:  # noqa: B027, not every channel has something to start
        """Starts the fake provider on loopback, port 0."""

    async def stop(self) -> None:  # noqa: B027
        """Stops it."""

    @abstractmethod
    def adapter_class(self) -> Any:
        """The folder's adapter class."""

    @abstractmethod
    def settings(self) -> BaseModel:
        """Settings that work against the running provider, with every secret set."""

    @abstractmethod
    def secrets(self) -> Sequence[str]:
        """The secret strings in `settings()`: none may ever be shown."""

    def bad_settings(self) -> BaseModel | None:
        """Settings whose credentials are wrong; None only with a reason under `bad_settings`."""
        return None

    def unreachable_settings(self) -> BaseModel | None:
        """Settings whose server does not answer; None only with a reason under `unreachable_settings`."""
        return None

    @abstractmethod
    def recipient(self) -> Address:
        """Somebody whom the provider can reach."""

    def misbehave(self, fault: Fault | None) -> None:
        """Makes the provider show this fault on every send from now on; None makes it well again."""
        raise NotWritten("misbehave() of the harness is not written")

    def delivered(self) -> Sequence[Delivered]:
        """What has arrived at the provider, oldest first."""
        raise NotWritten("delivered() of the harness is not written")

    @abstractmethod
    async def customer_writes(self, text: str) -> RawInbound:
        """A customer's message, as it reaches the sink by way of the provider's real wire form."""

    def forged(self) -> Sequence[RawInbound]:
        """Webhook requests whose signature does not hold: none, another key's, another body's. Empty without webhooks."""
        return ()

    def signed(self) -> RawInbound | None:
        """A webhook request that is genuine; None without webhooks."""
        return None

    async def arrivals(self, count: int) -> Mapping[str, Any] | None:
        """Puts `count` messages at the provider for `poll` and gives the cursor to begin with; None with a reason under `arrivals`."""
        return None

    def junk(self) -> Sequence[bytes]:
        """Further bytes, beyond the kit's own, that are no message of this channel."""
        return ()

    def route(self) -> Mapping[str, Any]:
        """The route of a conversation in which `send` can answer."""
        return {}

    def context(self, settings: BaseModel | None = None, cursor: Mapping[str, Any] | None = None) -> Context:
        return Context("account-1", settings or self.settings(), cursor=cursor or {}, secret=bytes(range(32)))

    def adapter(self, settings: BaseModel | None = None, cursor: Mapping[str, Any] | None = None) -> Any:
        """A fresh adapter. Typed loosely: a check asks it for protocols that it may not have."""
        return self.adapter_class()(self.context(settings, cursor))

    def outbound(self, text: str = "Hello from the kit", **changes: Any) -> Outbound:
        values: dict[str, Any] = {
            "key": str(uuid4()),
            "to": self.recipient(),
            "text": text,
            "route": self.route(),
            **changes,
        }
        return Outbound.model_validate(values)


def folder_of(spec: ChannelSpec) -> str:
    """The package of a channel: `channels.sms`."""
    return spec.adapter.partition(":")[0].rpartition(".")[0]


def harness_class(spec: ChannelSpec) -> type[Harness]:
    """Raises NotWritten where the folder has none."""
    name = f"{folder_of(spec)}.harness"
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise NotWritten(
            f"the channel {spec.id!r} has no harness: write {name.replace('.', '/')}.py with a class Harness"
        ) from None
    found = getattr(module, "Harness", None)
    if not (isinstance(found, type) and issubclass(found, Harness)):
        raise NotWritten(f"{name} has no class Harness(channels.testing.harness.Harness)")
    return found
