"""Twilio's error codes, sorted by what they mean to us (https://www.twilio.com/docs/api/errors)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from channels.contract import CONVERSATION_OVER, AuthFailed, ChannelError, OutcomeUnknown, Rejected, Retryable
from channels.contract import Undeliverable as _Undeliverable

NOT_IN_PROGRESS = 21220
"""The call that was to be changed has ended."""
OPTED_OUT = 21610
"""The recipient has sent STOP."""

BAD_ADDRESS = frozenset({13224, 21211, 21217, 21401, 21421, 21614, 21635, 30005, 30006})
"""The number cannot ever be reached: it is none, is not in service, or takes no texts."""

_UNREACHABLE = BAD_ADDRESS | {OPTED_OUT, 21214, 21612, 30003, 30004, 30008, 30036, 30410}
_CREDENTIALS = frozenset({20003, 20005, 20006, 20008, 20101, 20104, 30002})
_BUSY: Mapping[int, float] = MappingProxyType({14107: 1.0, 20429: 1.0, 21611: 60.0, 30001: 60.0, 20503: 0.0})
"""Codes of a provider that is asked too much, with the seconds to wait where it says none."""


def code_of(number: int) -> str:
    """The stable code under which a Twilio error is kept: `twilio_21610`."""
    return f"twilio_{number}"


def failure(method: str, status: int, number: int | None, text: str, after: float = 0.0) -> ChannelError:
    """The contract's error for an answer of Twilio's API.

    `number` is the error code in its body, None where the body is not Twilio's. A 503 says that the request was not
    taken; after any other 5xx a POST may have been carried out, so it counts as unknown.
    """
    code = code_of(number) if number is not None else None
    sentence = f"Twilio answered {status}: {text}" if text else f"Twilio answered {status}"
    if number == NOT_IN_PROGRESS:
        return _Undeliverable(sentence, code=CONVERSATION_OVER)
    if status == 429 or number in _BUSY:
        return Retryable(sentence, after=after or _BUSY.get(number or 0, 0.0), code=code)
    if status == 503 or (status >= 500 and method != "POST"):
        return Retryable(sentence, after=after, code=code)
    if status >= 500:
        return OutcomeUnknown(sentence, code=code)
    if number in _CREDENTIALS or status == 401 or (status == 403 and number is None):
        return AuthFailed(f"Twilio refuses the account SID or the auth token: {text or status}", code=code)
    if number in _UNREACHABLE:
        return _Undeliverable(sentence, code=code)
    return Rejected(sentence, code=code)
