"""What an evaluation found, as a table and as a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Report:
    name: str
    """Of the file, too."""
    title: str
    rows: tuple[Mapping[str, str | float], ...]
    """All with the same columns, in order; shares from 0 to 1."""

    def table(self) -> str:
        """For a terminal: columns aligned, shares with three places."""
        head = list(self.rows[0]) if self.rows else []
        cells = [head, *([_shown(row[name]) for name in head] for row in self.rows)]
        widths = [max(len(line[at]) for line in cells) for at in range(len(head))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells]
        return "\n".join([f"{self.name}: {self.title}", *lines])

    def write(self, folder: Path) -> Path:
        """`<name>.json` in `folder`; returns its path."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}.json"
        content = {"name": self.name, "title": self.title, "rows": [dict(row) for row in self.rows]}
        path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        return path


def _shown(value: str | float) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
