"""What the fake provider remembers: append-only JSON lines, read again after a restart."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


class Ledger:
    """One file. A row is on the disk before `append` returns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path.touch()
        self._mend()
        self._file = path.open("a", encoding="utf-8")

    def append(self, kind: str, **data: Any) -> Mapping[str, Any]:
        """Adds a row `{"kind", "at", …}` and gives it back; `at` is ISO 8601 in UTC."""
        row = {"kind": kind, "at": datetime.now(UTC).isoformat(), **data}
        self._file.write(json.dumps(row, ensure_ascii=False) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        return row

    def rows(self, *kinds: str) -> Iterator[dict[str, Any]]:
        """Every row so far, oldest first; only those of `kinds` where some are named."""
        with self.path.open(encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                if not kinds or row["kind"] in kinds:
                    yield row

    def close(self) -> None:
        self._file.close()

    def _mend(self) -> None:
        """Cuts off the half row that a killed process may have left."""
        content = self.path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole != len(content):
            os.truncate(self.path, whole)
