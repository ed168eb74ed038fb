"""Saving, versioning, archiving, listing and importing articles."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from core.db import transaction
from core.errors import Invalid, NotFound
from core.ids import new_id
from core.knowledge.articles import EMBED_JOB, ArticleInput, archive, save_article
from core.knowledge.importing import import_folder, read_folder
from core.knowledge.models import Article, ArticleState, Chunk, Visibility
from core.knowledge.queries import find_article, get_article, get_version, list_articles, list_versions, translations

pytestmark = pytest.mark.usefixtures("db")

RETURNS = ArticleInput(key="returns", locale="en", title="Returns", body="You may return items.", tags=("orders",))


async def save(article: ArticleInput) -> Article:
    async with transaction() as session:
        return await save_article(session, article)


async def count(sql: str) -> int:
    async with transaction() as session:
        return int(await session.scalar(sa.text(sql)) or 0)


async def jobs() -> int:
    return await count(f"SELECT count(*) FROM jobs WHERE name = '{EMBED_JOB}'")


async def test_a_new_article_has_a_version_passages_and_a_job() -> None:
    row = await save(RETURNS)
    assert (row.version, row.state, row.visibility) == (1, ArticleState.PUBLISHED, Visibility.PUBLIC)
    async with transaction() as session:
        chunk = (await session.scalars(sa.select(Chunk))).one()
        assert (chunk.text, chunk.version, chunk.public, chunk.locale) == ("You may return items.", 1, True, "en")
        assert "'return':1A" in chunk.search
    assert await jobs() == 1


async def test_saving_the_same_again_changes_nothing() -> None:
    first = await save(RETURNS)
    second = await save(RETURNS)
    assert (second.id, second.version, second.updated_at) == (first.id, 1, first.updated_at)
    assert await jobs() == 1
    assert await count("SELECT count(*) FROM article_versions") == 1


async def test_other_tags_keep_the_version_and_the_passages() -> None:
    await save(RETURNS)
    before = await count("SELECT count(*) FROM chunks")
    row = await save(RETURNS.model_copy(update={"tags": ("a", "b")}))
    assert (row.version, row.tags) == (1, ["a", "b"])
    assert await count("SELECT count(*) FROM chunks") == before
    assert await jobs() == 1


async def test_a_new_text_is_a_new_version_and_the_old_one_stays_readable() -> None:
    row = await save(RETURNS)
    row = await save(RETURNS.model_copy(update={"body": "You may return items within 30 days."}))
    assert row.version == 2
    async with transaction() as session:
        assert [v.version for v in await list_versions(session, row.id)] == [2, 1]
        assert (await get_version(session, row.id, 1)).body == "You may return items."
        with pytest.raises(NotFound):
            await get_version(session, row.id, 3)
        chunks = list(await session.scalars(sa.select(Chunk)))
    assert [(c.version, c.text) for c in chunks] == [(2, "You may return items within 30 days.")]
    assert await jobs() == 2


async def test_drafts_and_archived_articles_have_no_passages() -> None:
    row = await save(RETURNS.model_copy(update={"state": ArticleState.DRAFT}))
    assert await count("SELECT count(*) FROM chunks") == 0
    await save(RETURNS)
    assert await count("SELECT count(*) FROM chunks") == 1
    async with transaction() as session:
        assert (await archive(session, row.id)).state is ArticleState.ARCHIVED
    assert await count("SELECT count(*) FROM chunks") == 0
    async with transaction() as session:
        with pytest.raises(NotFound):
            await archive(session, new_id())


async def test_an_article_needs_text() -> None:
    with pytest.raises(Invalid):
        await save(RETURNS.model_copy(update={"body": "<!-- nothing -->\n\n   "[17:]}))
    assert await count("SELECT count(*) FROM articles") == 0


@pytest.mark.parametrize(
    "wrong",
    [{"key": "a b"}, {"locale": "english"}, {"url": "javascript:alert(1)"}, {"title": ""}, {"colour": "red"}],
)
def test_what_cannot_be_an_article_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ArticleInput.model_validate({**RETURNS.model_dump(), **wrong})


async def test_lists_scroll_without_gaps_and_hide_what_is_internal() -> None:
    for number in range(7):
        await save(RETURNS.model_copy(update={"key": f"k{number}"}))
    await save(RETURNS.model_copy(update={"key": "secret", "visibility": Visibility.INTERNAL}))
    seen: list[str] = []
    after = None
    while True:
        async with transaction() as session:
            page = await list_articles(session, limit=3, after=after)
        seen += [a.key for a in page.articles]
        after = page.next
        if after is None:
            break
    assert seen == [f"k{number}" for number in range(6, -1, -1)]
    async with transaction() as session:
        assert len((await list_articles(session, include_internal=True)).articles) == 8
        assert len((await list_articles(session, tag="orders", locale="en", key="k3")).articles) == 1
        assert not (await list_articles(session, locale="de")).articles
        secret = await find_article(session, "secret", "en")
        assert secret is not None
        with pytest.raises(NotFound):
            await get_article(session, secret.id)
        assert (await get_article(session, secret.id, include_internal=True)).key == "secret"


async def test_translations_share_the_key() -> None:
    await save(RETURNS)
    await save(RETURNS.model_copy(update={"locale": "de", "title": "Rückgabe"}))
    async with transaction() as session:
        assert list(await translations(session, "returns")) == ["de", "en"]


def write(folder: Path, name: str, text: str | bytes) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


async def test_a_folder_is_imported_and_again_only_what_changed(tmp_path: Path) -> None:
    write(tmp_path, "en/returns.md", "---\ntitle: Returns\ntags: [a, b]\nurl: https://x.example/r\n---\nYou may.")
    write(tmp_path, "de/returns.md", "# Rückgabe\n\nSie dürfen.")
    write(tmp_path, "README.md", "not an article")
    write(tmp_path, ".git/x.md", "neither")
    seen = [p async for p in import_folder(tmp_path)]
    assert [(p.done, p.total, p.key, p.locale, p.version) for p in seen] == [
        (1, 2, "returns", "de", 1),
        (2, 2, "returns", "en", 1),
    ]
    write(tmp_path, "de/returns.md", "# Rückgabe\n\nSie dürfen immer.")
    seen = [p async for p in import_folder(tmp_path)]
    assert [p.version for p in seen] == [2, 1]
    async with transaction() as session:
        german = await find_article(session, "returns", "de")
        english = await find_article(session, "returns", "en")
    assert german is not None
    assert english is not None
    assert (german.title, german.body) == ("Rückgabe", "Sie dürfen immer.")
    assert (english.tags, english.url) == (["a", "b"], "https://x.example/r")


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("en/a.md", "---\ntitle: [oops\n---\nText", "en/a.md: the front matter is not valid YAML"),
        ("en/a.md", "No title", "en/a.md: no title"),
        ("a.md", "---\ntitle: A\n---\nText", "a.md: no locale"),
        ("en/a.md", "---\ntitle: A\n---\n", "en/a.md: no text"),
        ("en/a.md", b"\xff\xfe\x00", "en/a.md: not UTF-8"),
        ("en/a.md", "---\ntitle: A\nkey: 'a b'\n---\nText", "en/a.md: key:"),
        ("en/a.md", "---\ntitle: A\nstate: gone\n---\nText", "en/a.md: 'gone' is not a valid ArticleState"),
    ],
)
async def test_a_faulty_file_is_named_in_one_line_and_nothing_is_imported(
    tmp_path: Path, name: str, text: str | bytes, complaint: str
) -> None:
    folder = tmp_path / "kb"
    write(folder, "en/0-good.md", "# Good\n\nText.")
    write(folder, name, text)
    with pytest.raises(Invalid) as caught:
        [_ async for _ in import_folder(folder)]
    assert str(caught.value).startswith(complaint)
    assert "\n" not in str(caught.value)
    assert await count("SELECT count(*) FROM articles") == 0


async def test_two_files_for_one_article_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "en/a.md", "# A\n\nText.")
    write(tmp_path, "en/sub/a.md", "# A\n\nText.")
    with pytest.raises(Invalid, match="already in"):
        [_ async for _ in import_folder(tmp_path)]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="no such folder"):
        list(read_folder(tmp_path / "nowhere"))
