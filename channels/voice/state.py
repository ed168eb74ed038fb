"""Where a call stands. It is carried in the address of every callback, which Twilio signs, and nowhere else.

So a call goes on after a restart, and any process can answer the next request.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import parse_qsl, urlencode, urlsplit

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from channels.contract import Malformed

RETRIES = "#rc=2&rp=ct,rt,5xx"
"""Asks Twilio to try twice more, within its 15 seconds, when we cannot be reached or fail: a caller is on the line.

It is the address's fragment: neither sent nor signed (Twilio's "webhook connection overrides").
"""
_NONCE = 12


class At(StrEnum):
    """What a callback is about."""

    CALL = "call"
    """A call comes in. The only one whose address has no parameters."""
    MENU = "menu"
    """A language was to be chosen."""
    TURN = "turn"
    """The caller has spoken."""
    KEPT = "kept"
    """A recording is stored; heard of twice, unless it was cut off by an answer."""
    SILENCE = "silence"
    """The caller has said nothing."""
    KEY = "key"
    """A key was pressed while something was being said."""
    WAIT = "wait"
    """The answer is not there yet."""
    PERSON = "person"
    """A person is to go on."""
    VOICEMAIL = "voicemail"
    """The caller is to leave a message."""
    LEFT = "left"
    """The caller has left a message."""
    DIALLED = "dialled"
    """The team's number was rung, with this result."""
    STATUS = "status"
    """The call has changed its state."""


@dataclass(frozen=True, slots=True)
class Step:
    """A point of the dialogue."""

    at: At = At.CALL
    turn: int = 1
    """Counts the caller's questions, from 1."""
    language: str = ""
    """BCP 47; empty while it is not settled."""
    tries: int = 0
    """How often the caller was asked in vain."""
    waited: int = 0
    """How many rounds of waiting the caller has heard."""
    offered: bool = False
    """Whether a text message was offered: only then is the key 1 a yes."""
    answer: str = ""
    """The mark of the answer that was just said."""
    mail: bool = False
    """For `kept`: whether it is a message left for the team."""
    caller: str = ""
    """For `kept`, whose request does not say who called: the number, sealed."""

    def url(self, hook: str) -> str:
        """The address of the callback."""
        values: dict[str, str | int] = {
            "at": self.at.value,
            "t": self.turn,
            "l": self.language,
            "r": self.tries,
            "w": self.waited,
            "o": int(self.offered),
            "a": self.answer,
            "m": int(self.mail),
            "n": self.caller,
        }
        query = urlencode({name: value for name, value in values.items() if value})
        return f"{hook}?{query}{RETRIES}"


def step_of(url: str) -> Step:
    """The step that an address carries. Raises Malformed for one that no version of this channel has written."""
    try:
        values = dict(parse_qsl(urlsplit(url).query, max_num_fields=30))
        return Step(
            at=At(values.get("at", At.CALL.value)),
            turn=_count(values.get("t", "1"), 1000),
            language=values.get("l", "")[:35],
            tries=_count(values.get("r", "0"), 100),
            waited=_count(values.get("w", "0"), 1000),
            offered=values.get("o") == "1",
            answer=values.get("a", "")[:64],
            mail=values.get("m") == "1",
            caller=values.get("n", "")[:200],
        )
    except ValueError:
        raise Malformed("the callback's address is not one of ours") from None


def _count(value: str, most: int) -> int:
    number = int(value)
    if not 0 <= number <= most:
        raise ValueError(value)
    return number


def mark_of(key: str) -> str:
    """A short name for an answer, the same for every attempt to say it."""
    return hashlib.sha256(key.encode()).hexdigest()[:12]


def seal(number: str, secret: bytes) -> str:
    """A caller's number, unreadable in addresses and so in the logs of proxies. The same number gives the same text."""
    key = _key(secret)
    nonce = hmac.digest(key, number.encode(), "sha256")[:_NONCE]
    sealed = nonce + AESGCM(key).encrypt(nonce, number.encode(), None)
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def unseal(text: str, secret: bytes) -> str:
    """Raises Malformed for what this account has not sealed."""
    try:
        sealed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        return AESGCM(_key(secret)).decrypt(sealed[:_NONCE], sealed[_NONCE:], None).decode()
    except (ValueError, InvalidTag):
        raise Malformed("the caller in the callback's address was not sealed by this account") from None


def _key(secret: bytes) -> bytes:
    return hashlib.sha256(b"voice callback\0" + secret).digest()
