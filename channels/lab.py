"""What a fake provider offers to the demo's lab: acting as the customer, and seeing what the customer sees.

A channel folder that names a `Lab` in its card can be tried without an account anywhere: the demo runs
the fake on loopback, connects an account to it, and the lab speaks through it. The adapter cannot tell
it from the real provider.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue


class Verb(StrEnum):
    """What a customer can do."""

    WRITE = "write"
    EDIT = "edit"
    DELETE = "delete"
    REACT = "react"
    CALL = "call"
    SPEAK = "speak"
    PRESS = "press"
    HANG_UP = "hang_up"


class Misbehaviour(StrEnum):
    """What the provider does wrong until told otherwise."""

    NONE = "none"
    SLOW = "slow"
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    REPLY_LOST = "reply_lost"
    """The message is accepted, and the connection cut before the answer."""
    DUPLICATE = "duplicate"
    """Every event is delivered twice."""
    OUT_OF_ORDER = "out_of_order"
    """Two events change places."""


class Refused(Exception):
    """The act is not possible; the text says why, for people."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_bytes="base64", val_json_bytes="base64")


class File(_Value):
    filename: str
    content_type: str
    content: bytes = Field(repr=False)


class Act(_Value):
    """One thing that the customer does."""

    verb: Verb
    who: str
    """The customer's address: a mail address, an E.164 number, a user's handle."""
    name: str = ""
    subject: str = ""
    text: str = ""
    """What is written, the reaction, or the keys pressed."""
    target: str | None = None
    """The id of the line that is answered, edited, deleted or reacted to."""
    files: tuple[File, ...] = ()


class Line(_Value):
    """One thing that the customer's screen or ear got, or gave."""

    id: str
    mine: bool
    """True for what the customer gave."""
    text: str
    html: str | None = None
    subject: str | None = None
    at: datetime
    spoken: bool = False
    language: str | None = None
    """BCP 47, where the provider was told."""
    thread: str | None = None
    """The id of the line that began the thread."""
    state: str | None = None
    """Such as `edited`, `deleted`, or of a call: `ringing`, `speaking`, `listening`, `waiting`, `ended`."""
    files: tuple[str, ...] = ()
    """File names."""
    actions: tuple[str, ...] = ()
    """Labels of buttons and links shown with it."""
    headers: tuple[tuple[str, str], ...] = ()
    """The wire's own headers, for those who want to look inside."""


class Lab(ABC):
    """Constructed as `Class(folder)`; keeps an append-only ledger under it and serves on 127.0.0.1, a port the system chooses."""

    verbs: ClassVar[frozenset[Verb]] = frozenset({Verb.WRITE})
    misbehaviours: ClassVar[frozenset[Misbehaviour]] = frozenset(Misbehaviour)

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    async def start(self) -> None: ...

    @abstractmethod
    async def stop(self) -> None: ...

    @property
    @abstractmethod
    def address(self) -> str:
        """What the customer writes to or calls."""

    @abstractmethod
    def connection(self) -> Mapping[str, JsonValue]:
        """Settings that connect an account to this provider, secrets in the clear. Valid after `start`."""

    def hooks_at(self, url: str) -> None:  # noqa: B027, not every provider calls back
        """Where the account's webhooks are; called after the account is connected, and at each start."""

    def server_at(self, host: str, port: int) -> None:  # noqa: B027, few channels have a server of their own
        """Where the channel's own server (`Ingress.SERVER`) listens for customers."""

    @abstractmethod
    async def act(self, act: Act) -> str:
        """Does it and returns the id of the new or changed line. Raises Refused."""

    @abstractmethod
    def lines(self, who: str) -> Sequence[Line]:
        """The customer's side of the conversation, oldest first."""

    @abstractmethod
    def misbehave(self, how: Misbehaviour) -> None: ...
