"""A help centre that is imported and embedded once per run, and the sentence vectors in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from ai.embedding import embed_missing
from ai.providers.vectors import LocalEmbedder
from core import db as database_module
from core.i18n import be_strict
from core.knowledge.importing import import_folder
from core.settings import settings
from tests.conftest import Servers

HELP_CENTRE = Path(__file__).resolve().parents[2] / "app" / "demo" / "help_centre"
QUESTIONS = Path(__file__).resolve().parent / "questions"


@pytest.fixture(autouse=True)
def strict_texts() -> Iterator[None]:
    be_strict()
    yield
    be_strict(False)


@pytest.fixture(scope="session")
def embedder() -> LocalEmbedder:
    return LocalEmbedder(threads=2)


async def fill(folder: Path, embedder: LocalEmbedder) -> None:
    """Imports a folder of articles into the database of the settings, with vectors."""
    async for _ in import_folder(folder):
        pass
    await embed_missing(embedder)


@pytest.fixture(scope="session")
def help_centre_url(servers: Servers, embedder: LocalEmbedder) -> Iterator[str]:
    """A database with the demo's help centre. Tests read it only."""
    url = servers.create_database()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", url)
        settings.cache_clear()

        async def prepare() -> None:
            await fill(HELP_CENTRE, embedder)
            await database_module.dispose()

        asyncio.run(prepare())
    settings.cache_clear()
    yield url
    servers.drop_database(url)


@pytest.fixture
async def help_centre(help_centre_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Transactions of this test read the demo's help centre."""
    monkeypatch.setenv("DATABASE_URL", help_centre_url)
    monkeypatch.setenv("AUTOCRM_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("AUTOCRM_AI_BASE_URL", raising=False)
    settings.cache_clear()
    yield
    await database_module.dispose()
    settings.cache_clear()
