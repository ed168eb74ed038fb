"""The command line: `autocrm run` for everything, or one part by name."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from core.settings import Settings

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)


@app.command()
def run() -> None:
    """Runs everything: servers, API, worker, listeners. Ctrl-C stops it."""
    from app.supervise import Supervisor

    raise typer.Exit(Supervisor(_settings()).run())


def _settings() -> Settings:
    """The settings, or one readable line and the way out."""
    from pydantic import ValidationError

    from core.settings import settings

    try:
        return settings()
    except ValidationError as error:
        for item in error.errors():
            name = str(item["loc"][0]) if item["loc"] else "settings"
            variable = name if name.isupper() else f"AUTOCRM_{name.upper()}"
            typer.echo(f"autocrm: {variable}: {item['msg']}", err=True)
        raise typer.Exit(2) from None


@app.command()
def api() -> None:
    """Runs the web server: inbox, API, widget, webhooks."""
    from app.http.serve import serve

    serve()


@app.command()
def worker() -> None:
    """Runs the Dramatiq worker."""
    from core.settings import settings

    # The consumer's time-out bounds how long a ring may go unheard; 20 ms costs a twentieth of a core when idle.
    os.environ.setdefault("dramatiq_worker_timeout", "20")
    threads = str(settings().worker_threads)
    os.execv(  # noqa: S606 - the worker's own master takes this process's place
        sys.executable,
        [
            sys.executable, "-m", "dramatiq", "app.worker", "--processes", "1", "--threads", threads,
            "--worker-shutdown-timeout", "10000", "--skip-logging",
        ],
    )  # fmt: skip


@app.command()
def gateway() -> None:
    """Runs listeners and relay in one process, as `autocrm run` does."""
    from app.gateway import run as run_gateway

    run_gateway()


@app.command()
def listen() -> None:
    """Runs the channels' servers and listeners."""
    from app.gateway import run as run_gateway

    run_gateway(with_relay=False)


@app.command()
def relay() -> None:
    """Runs the sweep and the local sentence vectors."""
    from app.gateway import run as run_gateway

    run_gateway(listen=False)


@app.command()
def migrate() -> None:
    """Brings the database to the newest schema."""
    from core.migrate import migrate as run_migrations
    from core.settings import settings

    secret = settings().database_url
    if secret is None:
        typer.echo("DATABASE_URL is not set; `autocrm run` migrates the embedded database by itself", err=True)
        raise typer.Exit(2)
    typer.echo(f"database is at revision {run_migrations(secret.get_secret_value())}")


@app.command(hidden=True)
def prepare() -> None:
    """Migrates, and in demo mode seeds. What `autocrm run` does before it starts the parts."""
    import asyncio

    import sqlalchemy as sa

    from core.db import dispose
    from core.migrate import migrate as run_migrations

    found = _settings()
    assert found.database_url is not None
    try:
        run_migrations(found.database_url.get_secret_value())
    except sa.exc.DBAPIError as error:
        typer.echo(str(error.orig).strip().splitlines()[0], err=True)
        raise typer.Exit(1) from None
    if found.demo:
        from app.demo.seed import seed_demo

        async def seed_all() -> None:
            await seed_demo()
            await dispose()

        asyncio.run(seed_all())


@app.command()
def openapi() -> None:
    """Prints the OpenAPI document, from which the inbox's client is generated."""
    import json

    from app.http.main import create_app

    typer.echo(json.dumps(create_app().openapi(), indent=1, sort_keys=True))


def main() -> None:
    app()


if __name__ == "__main__":
    main()
