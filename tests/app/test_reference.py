"""The reference pages say what the code does."""

from __future__ import annotations

import re

import pytest

from app.reference import FOLDER, PAGES
from tests.house import ROOT


@pytest.mark.parametrize("name", PAGES)
def test_a_made_page_is_up_to_date(name: str) -> None:
    assert (FOLDER / name).read_text() == PAGES[name](), "run `make docs`"


def test_every_error_code_is_explained() -> None:
    source = "\n".join(path.read_text() for folder in ("core", "app", "ai") for path in (ROOT / folder).rglob("*.py"))
    kinds = "NotFound|Forbidden|NotSignedIn|Invalid|Conflict|KeyReused|TooLarge|TooMany|Unavailable"
    raised = set(re.findall(rf'(?:{kinds})\(\s*"([a-z_]+)"', source))
    explained = set(re.findall(r"^## `([a-z_0-9]+)`", (FOLDER / "errors.md").read_text(), re.MULTILINE))
    assert raised, "no error code was found: does the pattern still fit?"
    assert raised - explained == set(), "explain them in docs/reference/errors.md"
