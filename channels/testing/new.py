"""`python -m channels.testing.new NAME` makes a channel folder to fill in; `group/NAME` puts it below a group.

What it makes imports and is found by the registry. Its conformance checks fail, each with the name of
the function to write next, until it does what its card says.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from string import Template

import channels

_SCAFFOLD = Path(__file__).parent / "scaffold"


class BadName(ValueError):
    """The name cannot be a folder of a channel, or is taken."""


def create(name: str, root: Path | None = None) -> Path:
    """Makes the folder below `root` (the `channels` package) and returns it. Raises BadName."""
    root = root or Path(next(iter(channels.__path__)))
    *groups, last = name.split("/")
    if (
        len(groups) > 1
        or not all(re.fullmatch(r"[a-z][a-z0-9_]{0,30}", one) for one in (*groups, last))
        or last == "testing"
    ):
        raise BadName(
            f"{name!r} is no name for a channel: lower-case letters, digits and _, such as whatsapp or social/mastodon"
        )
    folder = root.joinpath(*groups, last)
    if folder.exists():
        raise BadName(f"{folder} is there already")
    values = {
        "id": last,
        "title": last.replace("_", " ").capitalize(),
        "package": ".".join(["channels", *groups, last]),
        "path": "/".join(["channels", *groups, last]),
    }
    (folder / "samples").mkdir(parents=True)
    for group in range(len(groups)):
        init = root.joinpath(*groups[: group + 1]) / "__init__.py"
        if not init.exists():
            init.write_text("", "utf-8")
    for template in sorted(_SCAFFOLD.glob("*.txt")):
        text = Template(template.read_text("utf-8")).substitute(values)
        (folder / template.name.removesuffix(".txt")).write_text(text, "utf-8")
    return folder


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m channels.testing.new", description="Make a channel folder to fill in."
    )
    parser.add_argument("name", help="such as whatsapp, or social/mastodon")
    try:
        folder = create(parser.parse_args(arguments).name)
    except BadName as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(f"{folder}\nNext: pytest tests/channels/test_conformance.py -k {folder.name}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
