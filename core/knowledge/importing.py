"""Articles from a folder of Markdown files with front matter."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import frontmatter
import yaml  # type: ignore[import-untyped,unused-ignore]
from babel import Locale, UnknownLocaleError
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from core.db import transaction
from core.errors import Invalid
from core.knowledge.articles import ArticleInput, save_article
from core.knowledge.models import ArticleState, Visibility

_HEADING = re.compile(r"\A\s*#\s+(?P<title>[^\n]+)\n+")


class Unit(Protocol):
    """Opens one unit of work."""

    def __call__(self) -> AbstractAsyncContextManager[AsyncSession]: ...


@dataclass(frozen=True, slots=True)
class Progress:
    """One file has been taken in."""

    done: int
    total: int
    path: Path
    key: str
    locale: str
    version: int


def _is_locale(name: str) -> bool:
    try:
        Locale.parse(name.replace("_", "-"), sep="-")
    except (ValueError, UnknownLocaleError):
        return False
    return True


def read_file(path: Path, root: Path) -> ArticleInput:
    """One file as an article: front matter `key, locale, title, url, tags, state, visibility`.

    Left out, the key is the file's name, the locale the nearest folder that is named like one, the
    title the first heading. Raises `Invalid` with one line that starts with the file's name.
    """
    name = path.relative_to(root)
    try:
        post = frontmatter.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise Invalid("article_file", f"{name}: not UTF-8 (byte {error.start})") from error
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        line = f" (line {place.line + 2})" if place else ""
        raise Invalid("article_file", f"{name}: the front matter is not valid YAML{line}") from error
    meta, body = dict(post.metadata), post.content
    title = meta.get("title")
    if title is None and (heading := _HEADING.match(body)):
        title, body = heading["title"].strip(), body[heading.end() :]
    folders = [part for part in reversed((*root.parts[-1:], *name.parts[:-1])) if _is_locale(part)]
    locale = meta.get("locale") or (folders[0] if folders else None)
    if not title:
        raise Invalid("article_file", f"{name}: no title, neither in the front matter nor as a heading")
    if not locale:
        raise Invalid("article_file", f"{name}: no locale, neither in the front matter nor as a folder")
    if not body.strip():
        raise Invalid("article_file", f"{name}: no text")
    listed = meta.get("tags") or []
    tags = listed.split(",") if isinstance(listed, str) else listed if isinstance(listed, list) else [listed]
    try:
        return ArticleInput(
            key=str(meta.get("key") or path.stem),
            locale=str(locale).replace("_", "-"),
            title=str(title),
            body=body,
            url=str(meta["url"]) if meta.get("url") else None,
            tags=tuple(str(tag).strip() for tag in tags),
            state=ArticleState(str(meta.get("state", ArticleState.PUBLISHED))),
            visibility=Visibility(str(meta.get("visibility", Visibility.PUBLIC))),
        )
    except ValueError as error:
        if not isinstance(error, ValidationError):
            raise Invalid("article_file", f"{name}: {error}") from error
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise Invalid("article_file", f"{name}: {field}: {first['msg']}") from error


def read_folder(folder: Path) -> Iterator[tuple[Path, ArticleInput]]:
    """Every `.md` file below the folder in order of names; hidden ones and READMEs are left out."""
    if not folder.is_dir():
        raise Invalid("article_folder", f"{folder}: no such folder")
    for path in sorted(folder.rglob("*.md")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if not hidden and path.stem.lower() != "readme":
            yield path, read_file(path, folder)


async def import_folder(folder: Path, *, unit: Unit = transaction) -> AsyncIterator[Progress]:
    """Reads all files first, so that an error leaves nothing half done, then saves them one by one.

    Running it again changes only what has changed. Raises `Invalid` naming the file.
    """
    articles = list(read_folder(folder))
    if not articles:
        raise Invalid("article_folder", f"{folder}: no .md files")
    seen: dict[tuple[str, str], Path] = {}
    for path, article in articles:
        first = seen.setdefault((article.key, article.locale), path)
        if first is not path:
            raise Invalid(
                "article_file",
                f"{path.relative_to(folder)}: {article.key} ({article.locale}) is already in {first.relative_to(folder)}",
            )
    for done, (path, article) in enumerate(articles, start=1):
        async with unit() as session:
            row = await save_article(session, article)
        yield Progress(done, len(articles), path, row.key, row.locale, row.version)
