"""The command line: `autocrm run` for everything, or one part by name."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from core.settings import Settings

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
kb = typer.Typer(no_args_is_help=True, help="The help centre.")
key = typer.Typer(no_args_is_help=True, help="API keys.")
user = typer.Typer(no_args_is_help=True, help="Users.")
app.add_typer(kb, name="kb")
app.add_typer(key, name="key")
app.add_typer(user, name="user")


def _settings() -> Settings:
    """The settings, or one readable line each and the way out."""
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


@contextmanager
def _at_hand() -> Iterator[Settings]:
    """Servers that answer, or one readable line and the way out."""
    import psycopg
    import sqlalchemy as sa

    from app.embedded import EmbeddedError
    from app.servers import at_hand
    from core.errors import AutoCRMError

    _settings()
    try:
        with at_hand() as found:
            yield found
    except (EmbeddedError, AutoCRMError) as error:
        typer.echo(f"autocrm: {error}", err=True)
        raise typer.Exit(1) from None
    except (sa.exc.DBAPIError, psycopg.Error) as error:
        reason = str(getattr(error, "orig", error)).strip().splitlines()[0]
        typer.echo(f"autocrm: the database says: {reason}", err=True)
        raise typer.Exit(1) from None


def _wait(work: Coroutine[Any, Any, None]) -> None:
    async def act() -> None:
        from core.db import dispose

        try:
            await work
        finally:
            await dispose()

    asyncio.run(act())


@app.command()
def run() -> None:
    """Runs everything: servers, API, worker, listeners. Ctrl-C stops it."""
    from app.supervise import Supervisor

    raise typer.Exit(Supervisor(_settings()).run())


@app.command()
def api() -> None:
    """Runs the web server: inbox, API, widget, webhooks."""
    from app.http.serve import serve

    serve()


@app.command()
def worker() -> None:
    """Runs the Dramatiq worker."""
    from app.worker import run as run_worker

    run_worker()


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
def speech() -> None:
    """Fetches the speech model chosen by AUTOCRM_SPEECH_MODEL, where it is not there yet."""
    from ai.speech.model import NotInstalled, install

    _settings()
    try:
        typer.echo(f"the speech model is in {install()}")
    except (NotInstalled, OSError) as error:
        typer.echo(f"autocrm: {error}", err=True)
        raise typer.Exit(1) from None


@app.command()
def migrate() -> None:
    """Brings the database to the newest schema."""
    from core.migrate import head

    with _at_hand():
        typer.echo(f"the database is at revision {head()}")


@app.command()
def doctor() -> None:
    """Says what is well and what is not, and how to mend it."""
    from app.doctor import examine

    with _at_hand():
        findings = asyncio.run(examine())
    for finding in findings:
        typer.echo(f"{'ok  ' if finding.ok else 'BAD '} {finding.name}: {finding.detail}")
    raise typer.Exit(0 if all(finding.ok for finding in findings) else 1)


@app.command()
def seed(tickets: Annotated[int, typer.Option(min=1, max=5_000_000, help="How many tickets of the past.")]) -> None:
    """Fills a realistic past: contacts, tickets, messages, timelines."""
    from rich.progress import track

    from app.demo.history import Fill

    with _at_hand() as found:
        assert found.database_url is not None
        steps = Fill(found.database_url.get_secret_value(), tickets)
        for _batch in track(steps, description="Writing tickets", total=steps.batches):
            pass
    typer.echo(f"{tickets} tickets written")


@kb.command("import")
def kb_import(folder: Annotated[Path, typer.Argument(help="Markdown files with front matter.")]) -> None:
    """Takes a folder of articles in; running it again changes only what has changed."""
    from rich.progress import Progress as Bar

    from core.knowledge.importing import import_folder

    with _at_hand(), Bar() as bar:
        task = bar.add_task("Importing", total=None)

        async def act() -> None:
            async for progress in import_folder(folder):
                bar.update(task, completed=progress.done, total=progress.total, description=progress.path.name)
            bar.update(task, description="Embedding")
            await _embed()

        _wait(act())
    typer.echo("imported")


async def _embed() -> None:
    """Vectors at once, so that the articles can be asked when the command ends."""
    from ai.embedding import embed_missing
    from ai.providers.vector_server import embedder as remote
    from ai.providers.vectors import LocalEmbedder
    from core.errors import Unavailable

    try:
        await embed_missing(remote())
    except Unavailable:
        await embed_missing(LocalEmbedder())


@key.command("create")
def key_create(
    role: Annotated[str, typer.Option(help="admin, agent or reviewer.")],
    name: Annotated[str, typer.Option(help="What the key is for.")] = "command line",
    scope: Annotated[list[str] | None, typer.Option(help="Limits the key; may be given several times.")] = None,
) -> None:
    """Makes an API key; it stands alone on the last line, and is shown this once."""
    from core.db import transaction
    from core.people.access import Scope
    from core.people.accounts import audit, create_key
    from core.people.models import Role

    try:
        wanted, scopes = Role(role), [Scope(one) for one in scope or ()]
    except ValueError as error:
        typer.echo(f"autocrm: {error}; roles are admin, agent, reviewer; scopes: {', '.join(Scope)}", err=True)
        raise typer.Exit(2) from None

    async def act() -> None:
        async with transaction() as session:
            made, token = await create_key(session, name=name, role=wanted, scopes=scopes)
            audit(session, "system", "key.created", f"key:{made.id}", role=wanted.value)
        typer.echo(token)

    with _at_hand():
        _wait(act())


@user.command("create")
def user_create(
    email: Annotated[str, typer.Option()],
    name: Annotated[str, typer.Option()],
    role: Annotated[str, typer.Option(help="admin, agent or reviewer.")] = "agent",
) -> None:
    """Adds a user; asks for the password, so that it stands in no history of commands."""
    from core.db import transaction
    from core.people.accounts import audit, create_user
    from core.people.models import Role

    password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)

    async def act() -> None:
        async with transaction() as session:
            made = await create_user(session, email=email, name=name, role=Role(role), password=password)
            audit(session, "system", "user.created", f"user:{made.id}", role=role)

    with _at_hand():
        _wait(act())
    typer.echo(f"{email} may sign in")


@app.command(hidden=True)
def prepare() -> None:
    """Migrates, and in demo mode seeds. What `autocrm run` does before it starts the parts."""
    with _at_hand() as found:
        if found.demo:
            from app.demo.seed import seed_demo

            async def act() -> None:
                await seed_demo()

            _wait(act())


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
