"""A database of its own for an evaluation, and filling it."""

from __future__ import annotations

import importlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ai.embedding import embed_missing
from ai.providers.vectors import Embedder
from core.db import transaction
from core.knowledge.articles import ArticleInput, save_article
from core.knowledge.importing import import_folder
from core.migrate import migrate
from core.settings import settings

ROOT = Path(__file__).resolve().parents[2]
HELP_CENTRE = ROOT / "app" / "demo" / "help_centre"
QUESTIONS = ROOT / "tests" / "ai" / "questions"
REPORTS = ROOT / "build" / "reports"


@contextmanager
def database() -> Iterator[None]:
    """A fresh, migrated database in the settings; whatever these named before is left alone."""
    # The embedded server belongs to the floor above, which nothing here may be built on: it is looked up when run.
    embedded: Any = importlib.import_module("app.embedded")
    folder = Path(tempfile.mkdtemp(prefix="autocrm-evals-"))
    folder.chmod(0o755)
    server = embedded.Postgres(folder, fsync=False)
    before = {name: os.environ.get(name) for name in ("DATABASE_URL", "AUTOCRM_DATA", "AUTOCRM_AI_BASE_URL")}
    try:
        url = server.start()
        migrate(url)
        os.environ |= {"DATABASE_URL": url, "AUTOCRM_DATA": str(folder)}
        os.environ.pop("AUTOCRM_AI_BASE_URL", None)
        settings.cache_clear()
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        settings.cache_clear()
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


async def demo(embedder: Embedder) -> None:
    """The demo's help centre, with vectors."""
    async for _ in import_folder(HELP_CENTRE):
        pass
    await embed_missing(embedder)


async def only(articles: Sequence[ArticleInput], embedder: Embedder) -> None:
    """These articles and no others, with vectors."""
    async with transaction() as session:
        await session.execute(sa.text("TRUNCATE articles CASCADE"))
        for article in articles:
            await save_article(session, article)
    await embed_missing(embedder)
    async with transaction() as session:
        await session.execute(sa.text("ANALYZE articles, chunks, chunk_vectors"))
