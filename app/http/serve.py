"""Runs the web application with uvicorn."""

from __future__ import annotations

import uvicorn

from app.logs import configure_logging
from core.settings import settings


def serve() -> None:
    """Until SIGTERM or SIGINT."""
    configure_logging("api")
    uvicorn.run(
        "app.http.main:create_app",
        factory=True,
        host=settings().host,
        port=settings().port,
        loop="uvloop",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=5,
        ws_max_size=64 * 1024,
        proxy_headers=False,
        server_header=False,
    )
