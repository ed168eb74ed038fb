"""Twilio's specification, as Prism can use it to judge answers.

Requests are judged by the specification as it is published, but for one thing: a number's webhook is taken away by
an empty address. Of answers it is stricter than Twilio itself, whose
lists link to their pages by paths, and whose numbers have empty addresses and application ids where none is set; the
specification's own examples do. Exactly that is let through.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def for_prism(published: Path, folder: Path) -> Path:
    """A copy in `folder` in which an answer's `uri` may be a path or empty, and its ids empty."""
    specification = json.loads(published.read_text("utf-8"))
    for path in specification["paths"].values():
        for name, operation in path.items():
            if name in ("get", "post", "delete"):
                _loosen(operation.get("responses", {}))
    _loosen(specification.get("components", {}).get("schemas", {}))
    number = specification["paths"]["/2010-04-01/Accounts/{AccountSid}/IncomingPhoneNumbers/{Sid}.json"]
    _loosen(number["post"]["requestBody"])
    copy = folder / published.name
    copy.write_text(json.dumps(specification), "utf-8")
    return copy


def _loosen(part: Any) -> None:
    if isinstance(part, list):
        for one in part:
            _loosen(one)
    elif isinstance(part, dict):
        if part.get("format") == "uri":
            part["format"] = "uri-reference"
        pattern = part.get("pattern")
        if isinstance(pattern, str) and part.get("nullable") and part.get("minLength") == 34:
            part["pattern"] = f"^$|{pattern}"
            part["minLength"] = 0
        for one in part.values():
            _loosen(one)
