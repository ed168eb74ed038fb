"""Mailboxes at providers that take no passwords: tokens, their renewal, and what each failure means.

The authorization server is a strict fake on loopback; the IMAP server is a real Dovecot that asks it about every token.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import logging
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import aiohttp
import pytest
from pydantic import JsonValue, ValidationError

from channels.contract import AuthFailed, Authorise, Change, Context, Outbound, Rejected, Retryable
from channels.email.adapter import Channel
from channels.email.fake import FakeMailProvider
from channels.email.fake import Misbehaviour as Wrong
from channels.email.fake_oauth import FakeAuthorizationServer, Misbehaviour
from channels.email.oauth import Grant
from channels.email.settings import EmailSettings
from tests.channels.email.dovecot import Server, running
from tests.channels.email.mailbox import ADDRESS, SECRET, customer
from tests.channels.email.test_imap import Inbox, listening, numbered

REDIRECT = "https://desk.shop.test/api/v1/oauth/callback"
VERIFIER = "a-verifier-that-nobody-else-knows-0123456789-abcdefg"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


class Kept:
    """An account's settings as the core keeps them: one change at a time, seen by all processes."""

    def __init__(self, settings: EmailSettings) -> None:
        self.settings = settings
        self.changes = 0
        self._lock = asyncio.Lock()

    async def keep(self, change: Change | Mapping[str, JsonValue]) -> Any:
        async with self._lock:
            values = change if isinstance(change, Mapping) else await change(self.settings)
            if values:
                self.changes += 1
                self.settings = EmailSettings.model_validate({**self.settings.model_dump(), **values})
            return self.settings

    def adapter(self) -> Channel:
        """As another process builds it: from the settings as they stand now."""
        return Channel(Context("account-1", self.settings, secret=SECRET, keep=self.keep))


@pytest.fixture
async def server() -> AsyncIterator[FakeAuthorizationServer]:
    async with FakeAuthorizationServer(redirect_uri=REDIRECT) as one:
        yield one


@asynccontextmanager
async def mails(server: FakeAuthorizationServer, folder: Path) -> AsyncIterator[FakeMailProvider]:
    async with FakeMailProvider(folder / "ledger.jsonl", tokens=server.lets_in) as provider:
        yield provider


def account(server: FakeAuthorizationServer, **changes: object) -> Kept:
    return Kept(
        EmailSettings.model_validate({"address": ADDRESS, "smtp_security": "none", **server.settings(), **changes})
    )


async def signed_in(server: FakeAuthorizationServer, kept: Kept) -> None:
    """As an admin does it: to the consent page, back with a code, the code for tokens."""
    code = await consent(kept.adapter())
    await kept.keep(await kept.adapter().authorised(code, REDIRECT, VERIFIER))


async def consent(adapter: Channel, **expected: str) -> str:
    assert isinstance(adapter, Authorise)
    async with (
        aiohttp.ClientSession() as browser,
        browser.get(adapter.authorisation(REDIRECT, "state-1", CHALLENGE), allow_redirects=False) as response,
    ):
        back = urlsplit(response.headers["Location"])
    query = {name: values[0] for name, values in parse_qs(back.query).items()}
    assert query["state"] == "state-1"
    assert f"{back.scheme}://{back.netloc}{back.path}" == REDIRECT
    return query["code"]


def answer() -> Outbound:
    return Outbound(key=str(uuid4()), to=customer(), subject="A question", text="Here you are.")


# ------------------------------------------------------------------------------------------------ signing in


async def test_who_signs_in_can_send(server: FakeAuthorizationServer, tmp_path: Path) -> None:
    async with mails(server, tmp_path) as provider:
        kept = account(server, smtp_host=provider.host, smtp_port=provider.port)
        with pytest.raises(AuthFailed) as error:
            await kept.adapter().send(answer())
        assert error.value.code == "oauth_missing"
        await signed_in(server, kept)
        await kept.adapter().send(answer())
        assert len(provider.delivered()) == 1
        assert set(provider.logins) == {"XOAUTH2"}
    assert server.consented[0]["login_hint"] == ADDRESS
    assert server.consented[0]["scope"] == "mail offline_access"


async def test_a_code_works_once(server: FakeAuthorizationServer) -> None:
    kept = account(server)
    code = await consent(kept.adapter())
    await kept.adapter().authorised(code, REDIRECT, VERIFIER)
    with pytest.raises(AuthFailed) as error:
        await kept.adapter().authorised(code, REDIRECT, VERIFIER)
    assert error.value.code == "oauth_code_refused"


@pytest.mark.parametrize(
    ("redirect", "verifier", "expired"),
    [
        (REDIRECT, VERIFIER[:-1] + "x", False),
        (REDIRECT, "", False),
        (REDIRECT + "/", VERIFIER, False),
        (REDIRECT, VERIFIER, True),
    ],
)
async def test_a_code_in_wrong_hands_is_worth_nothing(
    server: FakeAuthorizationServer, redirect: str, verifier: str, expired: bool
) -> None:
    adapter = account(server).adapter()
    code = await consent(adapter)
    if expired:
        server.expire_codes()
    with pytest.raises(AuthFailed) as error:
        await adapter.authorised(code, redirect, verifier)
    assert error.value.code == "oauth_code_refused"
    assert code not in str(error.value)


async def test_a_wrong_client_secret_has_a_name(server: FakeAuthorizationServer) -> None:
    adapter = account(server, client_secret="wrong-secret-9").adapter()
    code = await consent(adapter)
    with pytest.raises(AuthFailed) as error:
        await adapter.authorised(code, REDIRECT, VERIFIER)
    assert error.value.code == "oauth_client"
    assert "wrong-secret-9" not in str(error.value)


async def test_without_a_refresh_token_nothing_is_kept(server: FakeAuthorizationServer) -> None:
    adapter = account(server).adapter()
    code = await consent(adapter)
    server.misbehaviour = Misbehaviour.NO_REFRESH_TOKEN
    with pytest.raises(Rejected) as error:
        await adapter.authorised(code, REDIRECT, VERIFIER)
    assert error.value.code == "oauth_no_refresh_token"


async def test_an_account_with_a_password_has_no_page() -> None:
    adapter = Channel(Context("account-1", EmailSettings(address=ADDRESS), secret=SECRET))
    with pytest.raises(Rejected) as error:
        adapter.authorisation(REDIRECT, "state", CHALLENGE)
    assert error.value.code == "oauth_not_set_up"


def test_google_and_microsoft_fill_themselves_in() -> None:
    google = EmailSettings.model_validate({"address": ADDRESS, "provider": "google", "client_id": "c"})
    assert (google.imap_host, google.smtp_host, google.smtp_port) == ("imap.gmail.com", "smtp.gmail.com", 587)
    assert (google.imap_user, google.smtp_user, google.incoming) == (ADDRESS, ADDRESS, "imap")
    url = Channel(Context("a", google)).authorisation(REDIRECT, "s", CHALLENGE)
    query = parse_qs(urlsplit(url).query)
    assert url.startswith("https://accounts.google.com/o/oauth2/v2/auth?")
    assert query["scope"] == ["https://mail.google.com/"]
    assert query["access_type"] == ["offline"]
    assert query["code_challenge_method"] == ["S256"]

    moved = EmailSettings.model_validate({**google.model_dump(), "provider": "microsoft", "tenant": "shop.test"})
    assert (moved.imap_host, moved.smtp_host) == ("outlook.office365.com", "smtp.office365.com")
    assert moved.authserv_id == ""
    url = Channel(Context("a", moved)).authorisation(REDIRECT, "s", CHALLENGE)
    assert url.startswith("https://login.microsoftonline.com/shop.test/oauth2/v2.0/authorize?")
    assert "offline_access" in parse_qs(urlsplit(url).query)["scope"][0]

    own = {**google.model_dump(), "imap_host": "imap.proxy.test", "imap_port": 1993}
    assert EmailSettings.model_validate(own).imap_port == 1993


@pytest.mark.parametrize(
    "wrong",
    [
        {"provider": "google"},
        {"provider": "custom", "client_id": "c"},
        {
            "provider": "custom",
            "client_id": "c",
            "authorize_url": "http://login.test/a",
            "exchange_url": "https://x.test/t",
        },
        {
            "provider": "custom",
            "client_id": "c",
            "authorize_url": "https://x.test",
            "exchange_url": "https://u:p@x.test",
        },
        {"provider": "microsoft", "client_id": "c", "tenant": "x/../y"},
        {"provider": "telepathy", "client_id": "c"},
        {"provider": "google", "client_id": "c", "imap_host": ["a"]},
        {"sender_name": "{agent.__class__}"},
        {"sender_name": "{agent"},
        {"sender_name": " "},
    ],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        EmailSettings.model_validate({"address": ADDRESS, **wrong})


def test_tokens_are_no_field_of_the_form_and_no_part_of_a_repr(server_free: FakeAuthorizationServer) -> None:
    schema = EmailSettings.model_json_schema()
    assert schema["properties"]["grant"]["hidden"] is True
    assert schema["properties"]["grant"]["writeOnly"] is True
    assert schema["authorise"] == {"provider": ["google", "microsoft", "custom"]}
    grant = Grant("refresh-1", "access-1", 0.0, "c")
    settings = account(server_free, **grant.kept()).settings
    assert "refresh-1" not in repr(settings) + repr(grant) + settings.model_dump_json()
    assert "access-1" not in repr(settings) + repr(grant) + settings.model_dump_json()


@pytest.fixture
def server_free() -> FakeAuthorizationServer:
    """Not started: for what needs its addresses alone."""
    return FakeAuthorizationServer()


# ---------------------------------------------------------------------------------------------------- renewal


async def test_an_access_token_is_used_until_shortly_before_its_end(
    server: FakeAuthorizationServer, tmp_path: Path
) -> None:
    async with mails(server, tmp_path) as provider:
        kept = account(server, smtp_host=provider.host, smtp_port=provider.port)
        await signed_in(server, kept)
        for _ in range(3):
            await kept.adapter().send(answer())
        assert [form["grant_type"] for form in server.asked] == ["authorization_code"]
        grant = Grant.of(kept.settings)
        assert grant is not None
        await kept.keep(replace(grant, until=0.0).kept())
        await kept.adapter().send(answer())
        assert [form["grant_type"] for form in server.asked] == ["authorization_code", "refresh_token"]
        newer = Grant.of(kept.settings)
        assert newer is not None
        assert newer.refresh != grant.refresh, "the rotated token was lost"
        assert newer.until - grant.until < 60


async def test_a_token_that_the_mail_server_refuses_is_renewed_once(
    server: FakeAuthorizationServer, tmp_path: Path
) -> None:
    async with mails(server, tmp_path) as provider:
        kept = account(server, smtp_host=provider.host, smtp_port=provider.port)
        await signed_in(server, kept)
        server.expire_access_tokens()
        await kept.adapter().send(answer())
        assert len(server.asked) == 2
        provider.misbehaviour = Wrong.AUTH
        provider.logins.clear()
        with pytest.raises(AuthFailed):
            await kept.adapter().send(answer())
        assert len(server.asked) == 3
        assert len(provider.logins) == 2, "one attempt more, and no further"


async def test_many_at_once_renew_once(server: FakeAuthorizationServer, tmp_path: Path) -> None:
    """A refresh token that comes twice ends the grant at this server, as it does at strict real ones."""
    async with mails(server, tmp_path) as provider:
        kept = account(server, smtp_host=provider.host, smtp_port=provider.port)
        await signed_in(server, kept)
        server.expire_access_tokens()
        await asyncio.gather(*(kept.adapter().send(answer()) for _ in range(6)))
        assert len(provider.delivered()) == 6
        assert [form["grant_type"] for form in server.asked].count("refresh_token") == 1


async def test_what_another_process_has_got_is_used(server: FakeAuthorizationServer, tmp_path: Path) -> None:
    """A listener lives for days with the settings it was begun with; others renew meanwhile."""
    async with mails(server, tmp_path) as provider:
        kept = account(server, smtp_host=provider.host, smtp_port=provider.port)
        await signed_in(server, kept)
        old = kept.adapter()
        for _ in range(3):
            server.expire_access_tokens()
            await kept.adapter().send(answer())
        asked = len(server.asked)
        await old.send(answer())
        assert len(provider.delivered()) == 4
        assert len(server.asked) == asked


async def test_a_server_that_does_not_rotate_keeps_its_refresh_token(
    server: FakeAuthorizationServer, tmp_path: Path
) -> None:
    server.rotates = False
    async with mails(server, tmp_path) as provider:
        kept = account(server, smtp_host=provider.host, smtp_port=provider.port)
        await signed_in(server, kept)
        before = Grant.of(kept.settings)
        for _ in range(2):
            server.expire_access_tokens()
            await kept.adapter().send(answer())
        after = Grant.of(kept.settings)
        assert before is not None
        assert after is not None
        assert (before.refresh, before.access != after.access) == (after.refresh, True)


async def test_without_a_keeper_the_adapter_still_renews(server: FakeAuthorizationServer, tmp_path: Path) -> None:
    async with mails(server, tmp_path) as provider:
        kept = account(server, smtp_host=provider.host, smtp_port=provider.port)
        await signed_in(server, kept)
        server.expire_access_tokens()
        adapter = Channel(Context("account-1", kept.settings, secret=SECRET))
        await adapter.send(answer())
        await adapter.send(answer())
        assert len(server.asked) == 2


async def test_who_takes_our_access_away_is_believed(server: FakeAuthorizationServer, tmp_path: Path) -> None:
    async with mails(server, tmp_path) as provider:
        kept = account(server, smtp_host=provider.host, smtp_port=provider.port)
        await signed_in(server, kept)
        server.revoke_all()
        with pytest.raises(AuthFailed) as error:
            await kept.adapter().send(answer())
        assert error.value.code == "oauth_revoked"
        with pytest.raises(AuthFailed):
            await kept.adapter().check()
        await signed_in(server, kept)
        await kept.adapter().send(answer())
        assert len(provider.delivered()) == 1


@pytest.mark.parametrize(
    ("wrong", "code", "after"),
    [
        (Misbehaviour.BUSY, "oauth_busy", 7.0),
        (Misbehaviour.GARBAGE, "oauth_garbage", 0.0),
        (Misbehaviour.HALF, "oauth_garbage", 0.0),
        (Misbehaviour.CUT, "oauth_unreachable", 0.0),
    ],
)
async def test_an_authorization_server_in_trouble_is_asked_again_later(
    server: FakeAuthorizationServer, tmp_path: Path, wrong: Misbehaviour, code: str, after: float
) -> None:
    async with mails(server, tmp_path) as provider:
        kept = account(server, smtp_host=provider.host, smtp_port=provider.port)
        await signed_in(server, kept)
        before, changes = Grant.of(kept.settings), kept.changes
        server.expire_access_tokens()
        server.misbehaviour = wrong
        with pytest.raises(Retryable) as error:
            await kept.adapter().send(answer())
        assert (error.value.code, error.value.after) == (code, after)
        assert (Grant.of(kept.settings), kept.changes) == (before, changes)
        server.misbehaviour = Misbehaviour.NONE
        await kept.adapter().send(answer())
        assert len(provider.delivered()) == 1


async def test_an_authorization_server_that_is_away_is_asked_again_later(tmp_path: Path) -> None:
    async with FakeAuthorizationServer(redirect_uri=REDIRECT) as server:
        kept = account(server)
        code = await consent(kept.adapter())
    with pytest.raises(Retryable) as error:
        await kept.adapter().authorised(code, REDIRECT, VERIFIER)
    assert error.value.code == "oauth_unreachable"


@pytest.mark.parametrize("access", ["a\x01b", "a b", "a\r\nb", "", "ü", 7, None, "x" * 20_000])
async def test_a_token_that_cannot_stand_in_a_login_is_not_used(
    server: FakeAuthorizationServer, monkeypatch: pytest.MonkeyPatch, access: object
) -> None:
    kept = account(server)
    code = await consent(kept.adapter())
    monkeypatch.setattr(server, "_access_token", lambda family: access)
    with pytest.raises(Retryable) as error:
        await kept.adapter().authorised(code, REDIRECT, VERIFIER)
    assert error.value.code == "oauth_garbage"


async def test_a_grant_of_another_client_is_of_no_use(server: FakeAuthorizationServer) -> None:
    """The refresh token of one server is never shown to another, even if an admin changes the address."""
    kept = account(server)
    await signed_in(server, kept)
    async with FakeAuthorizationServer() as other:
        moved = Kept(EmailSettings.model_validate({**kept.settings.model_dump(), "exchange_url": other.token_url}))
        with pytest.raises(AuthFailed) as error:
            await moved.adapter().send(answer())
        assert error.value.code == "oauth_missing"
        assert other.asked == []


@pytest.mark.parametrize(
    "junk", ["", "x", "{}", "[]", "null", '{"refresh": 1}', '{"refresh":"a","access":"b","until":"z","client":"c"}']
)
def test_a_grant_that_cannot_be_read_is_none(server_free: FakeAuthorizationServer, junk: str) -> None:
    assert Grant.of(account(server_free, grant=junk).settings) is None


async def test_no_token_is_ever_logged(
    server: FakeAuthorizationServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with mails(server, tmp_path) as provider:
        kept = account(server, smtp_host=provider.host, smtp_port=provider.port)
        await signed_in(server, kept)
        server.expire_access_tokens()
        await kept.adapter().send(answer())
        server.revoke_all()
        with pytest.raises(AuthFailed) as error:
            await kept.adapter().send(answer())
    # What the fakes note down for themselves ("mail.log" is the fake SMTP server's) is not ours.
    logged = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith("mail."))
    secret = json.loads(kept.settings.grant.get_secret_value())
    for token in (secret["refresh"], secret["access"], server.client_secret, VERIFIER):
        assert token not in logged + str(error.value)
        assert base64.b64encode(token.encode()).decode()[:20] not in logged


# -------------------------------------------------------------------------------------------- a real IMAP server


@pytest.fixture
async def dovecot(server: FakeAuthorizationServer) -> AsyncIterator[Server]:
    """A real Dovecot that asks the authorization server about every token."""
    with tempfile.TemporaryDirectory(prefix="autocrm-oauth-", ignore_cleanup_errors=True) as folder:
        starting = running(Path(folder) / "d", introspection_url=server.introspection_url)
        one = await asyncio.to_thread(starting.__enter__)
        try:
            yield one
        finally:
            await asyncio.to_thread(starting.__exit__, None, None, None)


def mailbox(server: FakeAuthorizationServer, dovecot: Server, **changes: object) -> Kept:
    ways = {"incoming": "imap", "imap_host": "127.0.0.1", "imap_port": dovecot.port, "imap_security": "none"}
    return account(server, **ways, **changes)


async def _put(server: FakeAuthorizationServer, dovecot: Server, *bodies: bytes) -> None:
    def put() -> None:
        _refresh, access = server.grant()
        from imapclient import IMAPClient

        with IMAPClient("127.0.0.1", dovecot.port, ssl=False, timeout=10) as client:
            client.oauth2_login(ADDRESS, access)
            for body in bodies:
                client.append("INBOX", body)

    await asyncio.to_thread(put)


async def test_a_mailbox_is_read_with_tokens(server: FakeAuthorizationServer, dovecot: Server) -> None:
    kept = mailbox(server, dovecot)
    await signed_in(server, kept)
    await _put(server, dovecot, numbered(1))
    inbox = Inbox()
    async with listening(kept.adapter(), inbox):
        await inbox.holds(1)
        await _put(server, dovecot, numbered(2))
        await inbox.holds(2)
    assert inbox.subjects() == ["mail 1", "mail 2"]


async def test_a_mailbox_that_refuses_a_token_gets_a_new_one(server: FakeAuthorizationServer, dovecot: Server) -> None:
    kept = mailbox(server, dovecot)
    await signed_in(server, kept)
    await _put(server, dovecot, numbered(1))
    server.expire_access_tokens()
    raws, _cursor = await kept.adapter().poll({})
    assert len(raws) == 1
    assert [form["grant_type"] for form in server.asked] == ["authorization_code", "refresh_token"]


async def test_a_mailbox_whose_access_was_taken_away_asks_for_a_person(
    server: FakeAuthorizationServer, dovecot: Server
) -> None:
    kept = mailbox(server, dovecot)
    await signed_in(server, kept)
    server.revoke_all()
    with pytest.raises(AuthFailed) as error:
        await kept.adapter().listen(Inbox().sink)
    assert error.value.code == "oauth_revoked"


async def test_whoever_signs_in_as_somebody_else_is_not_let_in(
    server: FakeAuthorizationServer, dovecot: Server
) -> None:
    server.owner = "boss@shop.test"
    kept = mailbox(server, dovecot)
    await signed_in(server, kept)
    with pytest.raises(AuthFailed) as error:
        await kept.adapter().poll({})
    assert error.value.code == "imap_login"


async def test_a_mail_server_without_xoauth2_says_so(server: FakeAuthorizationServer, tmp_path: Path) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="autocrm-imap-", ignore_cleanup_errors=True) as folder,
        running(Path(folder) / "d") as plain,
    ):
        kept = mailbox(server, plain)
        await signed_in(server, kept)
        with pytest.raises(Rejected) as error:
            await kept.adapter().poll({})
        assert error.value.code == "imap_unsupported"
    async with FakeMailProvider(tmp_path / "l", user=ADDRESS, password="x") as provider:
        kept = account(server, smtp_host=provider.host, smtp_port=provider.port)
        await signed_in(server, kept)
        with pytest.raises(Rejected) as refused:
            await kept.adapter().send(answer())
        assert refused.value.code == "smtp_unsupported"
