"""The bare component of B2: FastAPI that keeps each request as one row by psycopg, and answers after the commit."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import psycopg
import uvicorn
from fastapi import FastAPI, Request, Response

TABLE = "CREATE TABLE IF NOT EXISTS bare_hooks (id uuid PRIMARY KEY, body bytea NOT NULL)"
_INSERT = "INSERT INTO bare_hooks (id, body) VALUES (%s, %s)"
_CONNECTIONS = 16


def create_app() -> FastAPI:
    import asyncio

    free: asyncio.Queue[psycopg.AsyncConnection] = asyncio.Queue()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        made = [
            await psycopg.AsyncConnection.connect(os.environ["DATABASE_URL"], autocommit=True, prepare_threshold=2)
            for _ in range(_CONNECTIONS)
        ]
        for connection in made:
            free.put_nowait(connection)
        yield
        for connection in made:
            await connection.close()

    app = FastAPI(lifespan=lifespan)

    @app.post("/hooks/{channel}/{account_id}")
    async def hook(channel: str, account_id: str, request: Request) -> Response:
        body = await request.body()
        connection = await free.get()
        try:
            await connection.execute(_INSERT, (uuid4(), body))
        finally:
            free.put_nowait(connection)
        return Response()

    return app


if __name__ == "__main__":
    uvicorn.run(
        "benchmarks.bare_hook:create_app", factory=True, host="127.0.0.1", port=int(sys.argv[1]), loop="uvloop",
        log_config=None, access_log=False, server_header=False,
    )  # fmt: skip
