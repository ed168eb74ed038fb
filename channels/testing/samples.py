"""Golden samples: bytes in a folder, and the events they must become.

A sample is `NAME.json` in a channel's `samples/`::

    {"body": "NAME.eml", "content_type": "message/rfc822", "headers": {}, "transport": {}, "events": [...]}

`body` names a file beside it, or stands in the file itself as `"text"`. `python -m channels.testing.samples CHANNEL`
writes the events of every sample anew; read the difference before you keep it.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from channels.contract import ChannelSpec, Event, Inbound, Malformed, RawInbound
from channels.testing.harness import folder_of


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample and what it must become; `events` is `[{"malformed": code}]` for what no event comes of."""

    name: str
    raw: RawInbound
    events: list[dict[str, Any]]


def folder(spec: ChannelSpec) -> Path:
    module = importlib.import_module(folder_of(spec))
    return Path(str(module.__file__)).parent / "samples"


def samples(spec: ChannelSpec) -> list[Sample]:
    """Every sample of a channel, by name."""
    return [_read(path) for path in sorted(folder(spec).glob("*.json"))]


def _read(path: Path) -> Sample:
    data = json.loads(path.read_text("utf-8"))
    body = (path.parent / data["body"]).read_bytes() if "body" in data else data["text"].encode()
    raw = RawInbound(
        external_id=data.get("external_id", path.stem),
        body=body,
        content_type=data.get("content_type", "application/octet-stream"),
        headers=data.get("headers", {}),
        transport=data.get("transport", {}),
    )
    return Sample(path.stem, raw, data.get("events", []))


def golden(adapter: Any, raw: RawInbound) -> list[dict[str, Any]]:
    """The events of a raw in the form that a sample keeps: fields at their default left out, files as a hash."""
    try:
        events: Sequence[Inbound] = adapter.parse(raw)
    except Malformed as error:
        return [{"malformed": error.code}]
    return [_plain(event) for event in events]


def _plain(event: Event) -> dict[str, Any]:
    dumped = event.model_dump(mode="python", exclude_defaults=True)
    return {"type": getattr(event, "type", type(event).__name__), **_jsonable(dumped)}


def _jsonable(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"sha256": hashlib.sha256(value).hexdigest(), "size": len(value)}
    if isinstance(value, dict):
        return {str(key): _jsonable(one) for key, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_jsonable(one) for one in value]
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return value if value is None or isinstance(value, (bool, int, float)) else str(value)


def main(arguments: Sequence[str]) -> int:
    """Writes the events of all samples of the channels named."""
    from channels.registry import spec as spec_of
    from channels.testing.harness import harness_class

    for name in arguments:
        spec = spec_of(name)
        with tempfile.TemporaryDirectory() as scratch:
            harness = harness_class(spec)(Path(scratch))
            for path in sorted(folder(spec).glob("*.json")):
                data = json.loads(path.read_text("utf-8"))
                data["events"] = golden(harness.adapter(harness.settings()), _read(path).raw)
                path.write_text(json.dumps(data, ensure_ascii=False, indent=2) + "\n", "utf-8")
                sys.stdout.write(f"{path.name}: {len(data['events'])} events\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
