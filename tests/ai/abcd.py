"""ABCD's agent guidelines as a help centre that nobody here wrote or tuned on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from core.knowledge.articles import ArticleInput


def _plain(text: str) -> str:
    return re.sub(r"\[([^\]]+)\]", r"\1", text).strip()


def articles(material: Path) -> Iterator[ArticleInput]:
    """One article per subflow; its key is `flow.subflow` in lower case with dashes."""
    guidelines = json.loads((material / "support/abcd/data/guidelines.json").read_text(encoding="utf-8"))
    for flow, content in guidelines.items():
        for name, subflow in content["subflows"].items():
            body = [_plain(line) for line in subflow["instructions"]]
            for action in subflow["actions"]:
                body.append(f"## {_plain(action['button'])}\n\n{_plain(action['text'])}")
                body += [f"- {_plain(line)}" for line in action["subtext"]]
            yield ArticleInput(
                key=re.sub(r"[^a-z0-9.]+", "-", f"{flow}.{name}".lower()),
                locale="en",
                title=f"{flow}: {name}",
                body="\n\n".join(body).replace("\n\n- ", "\n- "),
                tags=(content["description"],),
            )
