"""What can go wrong, as one tree.

::

    AutoCRMError(code, params)
    ├── NotFound             no such thing, or not for you
    ├── Forbidden            known, but not allowed
    │   └── NotSignedIn      no valid session, key or visitor token
    ├── Invalid              the request cannot mean anything
    ├── Conflict             true a moment ago, no longer
    │   └── KeyReused        the same Idempotency-Key with another request
    ├── TooLarge             more bytes than we take
    ├── TooMany              more often than we allow
    └── Unavailable          a part we need is not answering: try again

`code` is stable and machine-readable, `params` fill the translated sentence. Errors of the
outside world live in `channels.contract` (`ChannelError`).
"""

from __future__ import annotations

from typing import ClassVar


class AutoCRMError(Exception):
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"

    def __init__(self, code: str, detail: str = "", **params: object) -> None:
        super().__init__(detail or code)
        self.code = code
        self.detail = detail
        self.params = params


class NotFound(AutoCRMError):
    status = 404
    title = "Not found"


class Forbidden(AutoCRMError):
    status = 403
    title = "Not allowed"


class NotSignedIn(Forbidden):
    status = 401
    title = "Not signed in"


class Invalid(AutoCRMError):
    status = 422
    title = "Invalid request"


class Conflict(AutoCRMError):
    status = 409
    title = "Conflict"


class KeyReused(Conflict):
    status = 422
    title = "Idempotency key reused"


class TooLarge(AutoCRMError):
    status = 413
    title = "Too large"


class TooMany(AutoCRMError):
    status = 429
    title = "Too many requests"


class Unavailable(AutoCRMError):
    status = 503
    title = "Not available"
