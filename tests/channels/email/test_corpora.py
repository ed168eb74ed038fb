"""Real and broken mail of three mail libraries: what matters of each is read as a person would read it."""

from __future__ import annotations

import json
import re
from pathlib import Path, PurePath
from typing import Any

import pytest

from channels.contract import Malformed, MessageReceived, ReceiptReceived
from tests.channels.email.mailbox import channel, parsed, raw

EXPECTED = Path(__file__).parent / "expected"
MIKEL: dict[str, dict[str, Any]] = json.loads((EXPECTED / "mikel_mail.json").read_text())
CPYTHON: dict[str, dict[str, Any]] = json.loads((EXPECTED / "cpython_test_email.json").read_text())


def check(body: bytes, wanted: dict[str, Any]) -> None:
    if "malformed" in wanted:
        with pytest.raises(Malformed) as error:
            parsed(body)
        assert error.value.code == wanted["malformed"]
        return
    events = parsed(body)
    if "failed" in wanted:
        found = [one for one in events if isinstance(one, ReceiptReceived)]
        assert [one.recipient.value for one in found if one.recipient] == wanted["failed"]
        assert {one.permanent for one in found} == {wanted["permanent"]}
        assert {one.message_id for one in found} == {wanted["about"]}
        return
    (event,) = events
    assert isinstance(event, MessageReceived)
    assert event.subject == wanted["subject"]
    assert (event.sender.value, event.sender.name) == (wanted["sender"], wanted["name"])
    assert event.text.replace("\n", " ").startswith(wanted["text"])
    assert bool(event.text) == bool(wanted["text"])
    assert (event.html is not None) == wanted["html"]
    assert [one.filename for one in event.attachments] == wanted["attachments"]
    assert event.automation == wanted["automation"]


@pytest.mark.parametrize("name", sorted(MIKEL))
def test_mikel_mail(material: Path, name: str) -> None:
    check((material / "mail/mime/mikel_mail/spec/fixtures" / name).read_bytes(), MIKEL[name])


@pytest.mark.parametrize("name", sorted(CPYTHON))
def test_cpython(material: Path, name: str) -> None:
    check((material / "mail/mime/cpython_test_email" / name).read_bytes(), CPYTHON[name])


def test_no_mail_of_the_tables_corpora_is_left_out(material: Path) -> None:
    def names(folder: Path) -> set[str]:
        return {str(one.relative_to(folder)) for one in folder.rglob("*") if one.suffix in {".eml", ".txt"}}

    assert names(material / "mail/mime/mikel_mail/spec/fixtures") == set(MIKEL)
    assert names(material / "mail/mime/cpython_test_email") == set(CPYTHON)


STALWART = [*(f"legacy/{n:03}.eml" for n in range(54)), *(f"rfc/{n:03}.eml" for n in range(10))]
NO_SENDER = {
    "rfc/001.eml": "From: holds a word and no address",
    "rfc/004.eml": "From: holds a word and no address",
    "rfc/007.eml": "there is no From at all",
    "rfc/008.eml": "there is no From at all",
}
"""A mail that nobody sent cannot become a ticket: it is quarantined, where the corpus is content with parts."""


def alike(ours: str, theirs: str) -> bool:
    """Equal but for white space; where they gave up on a character we may know it, and paths are cut to names."""
    pattern = "".join("." if c == "\ufffd" else re.escape(c) for c in "".join(theirs.split()))
    return re.fullmatch(pattern, "".join(ours.split())) is not None


@pytest.mark.parametrize("name", STALWART)
def test_stalwart(material: Path, name: str) -> None:
    folder = material / "mail/mime/stalwart_mail-parser"
    wanted = json.loads((folder / "expected_flat.json").read_text())[name]
    body = (folder / "resources/eml" / name).read_bytes()
    if name in NO_SENDER:
        with pytest.raises(Malformed) as error:
            parsed(body)
        assert error.value.code == "no_sender"
        return
    (event,) = parsed(body)
    assert isinstance(event, MessageReceived)
    assert alike(event.subject or "", wanted["subject"] or "")
    assert event.sender.value == wanted["from"][0][1].lower()
    assert (event.sender.name or "") == (wanted["from"][0][0] or "")
    assert [one.value for one in event.to] == list(
        dict.fromkeys(address.lower() for _name, address in wanted["to"] or [])
    )
    assert len(event.attachments) == wanted["n_attachments"]
    for ours, theirs in zip(event.attachments, wanted["attachment_names"], strict=True):
        # They leave `C:TEMP` of a Windows path whose backslashes were taken for escapes.
        assert theirs is None or alike(ours.filename, PurePath(theirs).name.removeprefix("C:TEMP"))
    first = wanted["first_text"]
    if first and first.strip() and not first.lstrip().startswith("<"):
        shown = "".join(event.text.split())[:60]
        assert alike(shown, "".join(first.split())[: len(shown)])
        assert shown


def test_every_stalwart_mail_is_listed(material: Path) -> None:
    expected = json.loads((material / "mail/mime/stalwart_mail-parser/expected_flat.json").read_text())
    assert sorted(expected) == sorted(STALWART)


@pytest.mark.parametrize("corpus", ["mime", "bounces", "reply-parsing"])
def test_the_same_octets_give_the_same_events(material: Path, corpus: str) -> None:
    adapter = channel()
    for file in sorted((material / "mail" / corpus).rglob("*")):
        if file.suffix in {".eml", ".txt"}:
            inbound = raw(file.read_bytes())
            try:
                first = adapter.parse(inbound)
            except Malformed:
                continue
            assert list(adapter.parse(inbound)) == list(first), file.name
