"""`Idempotency-Key` on POST: a repeat gets the first answer, and nothing happens twice.

The answer is kept in the transaction that did the work, so there is never one without the other; a concurrent
repeat waits for the first to end.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

from fastapi import Depends, Header, Request
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from core.db import advisory_lock, transaction
from core.errors import KeyReused
from core.people.access import Principal
from core.people.models import IdempotencyKey

R = TypeVar("R", bound=BaseModel)


class OnceOnly:
    """`await once(principal, body, Kind, act)` runs `act(session)` unless this principal's key has an answer already."""

    def __init__(self, request: Request, key: str | None) -> None:
        self._path = f"{request.method} {request.url.path}"
        self._key = key

    async def __call__(
        self, principal: Principal, body: BaseModel, kind: type[R], act: Callable[[AsyncSession], Awaitable[R]]
    ) -> R:
        """One transaction for the work and the note of its answer. Raises KeyReused for another request's key."""
        async with transaction() as session:
            if self._key is None:
                return await act(session)
            digest = hashlib.sha256(f"{self._path}\n{body.model_dump_json()}".encode()).digest()
            await advisory_lock(session, "idempotency", principal.ref, self._key)
            known = await session.get(IdempotencyKey, (principal.ref, self._key))
            if known is not None:
                if known.request_hash != digest:
                    raise KeyReused("idempotency_key_reused", "this Idempotency-Key was used for another request")
                return kind.model_validate(known.response)
            made = await act(session)
            session.add(
                IdempotencyKey(
                    principal=principal.ref,
                    key=self._key,
                    request_hash=digest,
                    status=201,
                    response=made.model_dump(mode="json"),
                )
            )
            return made


def _once(
    request: Request,
    idempotency_key: Annotated[
        str | None, Header(min_length=1, max_length=200, description="The same key gets the same answer.")
    ] = None,
) -> OnceOnly:
    return OnceOnly(request, idempotency_key)


Once = Annotated[OnceOnly, Depends(_once)]
