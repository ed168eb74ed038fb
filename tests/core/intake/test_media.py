"""Files that stay at the provider until their message is safe, and speech that waits to be heard."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from ai.speech import job as speech_job
from ai.speech.engine import Unheard
from channels.contract import AuthFailed, RawInbound, Rejected, Retryable
from core.accounts.models import AccountState, ChannelAccount
from core.blobs import blobs
from core.db import transaction
from core.intake.receive import receive
from core.jobs.models import Job, Lane
from core.tickets.models import AttachmentRow, FileState, Handoff, Hearing, Message, Ticket, TicketEvent
from tests.core.conftest import Work
from tests.factories.accounts import account
from tests.factories.birds import Sky, raw

SONG = (
    b"RIFF\x24\x00\x00\x00WAVEfmt "
    + b"\x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00"
)
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(64)


@pytest.fixture
async def account_id(sky: object, db: None) -> UUID:
    async with transaction() as session:
        return (await account(session, "parrot")).id


def _with_file(name: str, content_type: str, *, spoken: bool = False, text: str = "") -> RawInbound:
    file = {"filename": name, "content_type": content_type, "url": f"sky:{name}", "spoken": spoken}
    return raw("m1", text, attachments=[file])


async def _file() -> AttachmentRow:
    async with transaction() as session:
        return (await session.scalars(sa.select(AttachmentRow))).one()


async def _states() -> list[str]:
    """What the timeline says of files, in order."""
    async with transaction() as session:
        rows = await session.scalars(
            sa.select(TicketEvent.data).where(TicketEvent.kind == "file.changed").order_by(TicketEvent.seq)
        )
        return [str(row["state"]) for row in rows]


async def test_a_file_is_fetched_after_its_message_is_safe(account_id: UUID, sky: Sky, work: Work) -> None:
    sky.files["sky:nest.png"] = PICTURE
    await receive(account_id, [_with_file("nest.png", "image/png", text="Look at it")])
    await work(Lane.INTAKE)
    waiting = await _file()
    assert (waiting.state, waiting.blob_key, waiting.filename) == (FileState.FETCHING, None, "nest.png")
    await work(Lane.BULK)
    file = await _file()
    assert (file.state, file.content_type, file.size) == (FileState.READY, "image/png", len(PICTURE))
    assert file.blob_key is not None
    assert await blobs().get(file.blob_key) == PICTURE
    assert await _states() == ["ready"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Rejected("gone", code="media_gone"), "media_gone"),
        (Rejected("elsewhere", code="media_host_refused"), "media_host_refused"),
        (bytes(26 * 1024 * 1024), "media_too_large"),
    ],
)
async def test_a_file_that_is_not_to_be_had_is_said_on_the_ticket(
    account_id: UUID, sky: Sky, work: Work, error: Any, code: str
) -> None:
    sky.files["sky:nest.png"] = error
    await receive(account_id, [_with_file("nest.png", "image/png", text="Look")])
    await work(Lane.INTAKE)
    await work(Lane.BULK)
    file = await _file()
    assert (file.state, file.error_code, file.blob_key) == (FileState.FAILED, code, None)
    assert await _states() == ["failed"]


async def test_a_provider_that_stumbles_is_asked_again(account_id: UUID, sky: Sky, work: Work) -> None:
    sky.files["sky:nest.png"] = Retryable("busy")
    await receive(account_id, [_with_file("nest.png", "image/png", text="Look")])
    await work(Lane.INTAKE)
    async with transaction() as session:
        await session.execute(sa.update(Job).where(Job.name == "media.fetch").values(attempts=3))
    await work(Lane.BULK, rounds=400)
    file = await _file()
    assert (file.state, file.error_code) == (FileState.FAILED, "retryable"), "after the last attempt it is given up"


async def test_credentials_that_fail_mark_the_account(account_id: UUID, sky: Sky, work: Work) -> None:
    sky.files["sky:nest.png"] = AuthFailed("no longer")
    await receive(account_id, [_with_file("nest.png", "image/png", text="Look")])
    await work(Lane.INTAKE)
    await work(Lane.BULK, rounds=400)
    async with transaction() as session:
        assert (await session.get_one(ChannelAccount, account_id)).state is AccountState.RECONNECT
    assert (await _file()).state is FileState.FAILED


class _Ear:
    """Stands where Whisper would; the real one is tested on recordings."""

    def __init__(self, heard: dict[str, Any] | Exception) -> None:
        self.heard = heard
        self.candidates: list[str] = []

    async def transcribe(self, content: bytes, candidates: list[str], _progress: object) -> dict[str, Any]:
        self.candidates = list(candidates)
        if isinstance(self.heard, Exception):
            raise self.heard
        return self.heard


def _words(text: str, language: str = "en") -> dict[str, Any]:
    return {
        "language": language,
        "seconds": 2.0,
        "model": "base",
        "segments": [{"start": 0.0, "end": 2.0, "text": text}],
    }


async def _say(account_id: UUID, sky: Sky, work: Work) -> None:
    sky.files["sky:turn.wav"] = SONG
    await receive(account_id, [_with_file("turn.wav", "audio/x-wav", spoken=True)])
    await work(Lane.INTAKE)


async def _reply_job() -> tuple[int, bool]:
    """Number of AI jobs, and whether one is due."""
    async with transaction() as session:
        rows = (await session.execute(sa.select(Job.due_at <= sa.func.now()).where(Job.name == "ai.reply"))).all()
    return len(rows), any(row[0] for row in rows)


async def test_what_is_said_becomes_the_text_and_only_then_is_answered(
    account_id: UUID, sky: Sky, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    ear = _Ear(_words("¿Cómo devuelvo una tienda?", "es"))
    monkeypatch.setattr(speech_job, "engine", lambda: ear)
    await _say(account_id, sky, work)
    assert await _reply_job() == (1, False), "nobody answers what nobody has heard"
    await work(Lane.SPEECH)
    async with transaction() as session:
        message = (await session.scalars(sa.select(Message))).one()
        ticket = (await session.scalars(sa.select(Ticket))).one()
    assert (message.text, message.language) == ("¿Cómo devuelvo una tienda?", "es")
    assert (ticket.subject, ticket.preview) == (message.text, message.text)
    file = await _file()
    assert file.hearing is Hearing.DONE
    assert file.transcript == ear.heard
    assert await _reply_job() == (1, True)
    assert await _states() == ["ready", "heard"]
    assert len(ear.candidates) > 1, "one guess would be taken for the truth"


async def test_speech_that_nobody_can_hear_goes_to_a_person(
    account_id: UUID, sky: Sky, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speech_job, "engine", lambda: _Ear(Unheard("speech_unavailable")))
    await _say(account_id, sky, work)
    await work(Lane.SPEECH)
    file = await _file()
    assert (file.hearing, file.error_code, file.state) == (Hearing.FAILED, "speech_unavailable", FileState.READY)
    await work(Lane.AI)
    async with transaction() as session:
        ticket = (await session.scalars(sa.select(Ticket))).one()
    assert ticket.handoff is Handoff.QUEUE
    await work(Lane.DELIVER)
    assert len(sky.ledger) == 1
    assert sky.ledger[0].to_person, "on the line a person is rung"


async def test_silence_is_asked_back(account_id: UUID, sky: Sky, work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    silence = {"language": "en", "seconds": 2.0, "model": "base", "segments": []}
    monkeypatch.setattr(speech_job, "engine", lambda: _Ear(silence))
    await _say(account_id, sky, work)
    await work(Lane.SPEECH)
    await work(Lane.AI)
    await work(Lane.DELIVER)
    async with transaction() as session:
        ticket = (await session.scalars(sa.select(Ticket))).one()
    assert ticket.handoff is Handoff.AI
    assert [one.to_person for one in sky.ledger] == [False]
    assert "say it again" in sky.ledger[0].text


async def test_a_stored_source_holds_no_bytes(account_id: UUID, work: Work, tmp_path: Path) -> None:
    await receive(account_id, [_with_file("nest.png", "image/png", text="Look")])
    await work(Lane.INTAKE)
    source = (await _file()).source
    assert source is not None
    assert json.loads(json.dumps(source)) == {
        "filename": "nest.png", "content_type": "image/png", "url": "sky:nest.png", "spoken": False, "inline": False,
    }  # fmt: skip
