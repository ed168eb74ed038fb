"""Reading a mailbox on a real IMAP server, through cuts, renumbering and expunges."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from channels.contract import (
    AuthFailed,
    Context,
    Cursor,
    Malformed,
    MessageReceived,
    RawInbound,
    Rejected,
    Retryable,
    Stored,
)
from channels.email import imap
from channels.email.adapter import Channel
from channels.email.fake import FakeMailProvider
from channels.email.limits import MESSAGE_BYTES_MAX
from tests.channels.email.dovecot import PASSWORD, CuttingProxy, Server, running
from tests.channels.email.mailbox import SECRET, channel, mail


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Server]:
    with (
        tempfile.TemporaryDirectory(prefix="autocrm-imap-", ignore_cleanup_errors=True) as folder,
        running(Path(folder) / "d") as one,
    ):
        yield one


@pytest.fixture
def server(dovecot: Server) -> Server:
    """The server with an empty mailbox."""
    return replace(dovecot, user=f"u{uuid4().hex}")


def account(server: Server, cursor: Cursor | None = None, **changes: object) -> Channel:
    made = channel(
        **{
            "incoming": "imap",
            "imap_host": "127.0.0.1",
            "imap_port": server.port,
            "imap_security": "none",
            "imap_user": server.user,
            "imap_password": PASSWORD,
            **changes,
        }
    )
    return Channel(Context("account-1", made.settings, cursor=cursor or {}, secret=SECRET))


def numbered(number: int, body: str = "Hello") -> bytes:
    return mail(f"Subject: mail {number}", f"Message-ID: <m{number}@customer.test>", body=body).encode()


@dataclass
class Inbox:
    """A core that stores what it is given, once."""

    rows: dict[str, RawInbound] = field(default_factory=dict)
    cursors: list[Cursor] = field(default_factory=list)
    failing: bool = False
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def sink(self, raws: Sequence[RawInbound], cursor: Cursor | None = None) -> Stored:
        if self.failing:
            raise ConnectionError("database away")
        new = [one for one in raws if one.external_id not in self.rows]
        self.rows.update({one.external_id: one for one in raws})
        if cursor is not None:
            self.cursors.append(cursor)
        async with self.changed:
            self.changed.notify_all()
        return Stored.STORED if new or not raws else Stored.DUPLICATE

    async def holds(self, count: int) -> None:
        async with asyncio.timeout(20), self.changed:
            await self.changed.wait_for(lambda: len(self.rows) >= count)

    def subjects(self) -> list[str]:
        events = [channel().parse(row)[0] for row in self.rows.values()]
        return sorted(event.subject or "" for event in events if isinstance(event, MessageReceived))


@asynccontextmanager
async def listening(adapter: Channel, inbox: Inbox) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(adapter.listen(inbox.sink))
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, Retryable):
            await asyncio.wait_for(task, 2)


async def everything(adapter: Channel, cursor: Cursor) -> tuple[list[RawInbound], Cursor]:
    found: list[RawInbound] = []
    while True:
        raws, after = await adapter.poll(cursor)
        found += raws
        if after == cursor or not raws:
            return found, after
        cursor = after


async def test_poll_gives_all_mails_once_and_leaves_no_mark(server: Server) -> None:
    server.append(*(numbered(n) for n in range(45)))
    adapter = account(server)
    raws, cursor = await everything(adapter, {})
    assert len(raws) == len({raw.external_id for raw in raws}) == 45
    assert cursor["uid"] == 45
    assert await everything(adapter, cursor) == ([], cursor)
    assert all(b"\\Seen" not in flags for flags in server.flags().values())
    assert raws[0].transport == {
        "protocol": "imap",
        "folder": "INBOX",
        "uidvalidity": cursor["uidvalidity"],
        "uid": 1,
        "size": len(numbered(0)),
    }
    assert raws[0].body == numbered(0)


async def test_mails_that_somebody_has_read_come_all_the_same(server: Server) -> None:
    server.append(numbered(1))
    with server.client() as client:
        client.select_folder("INBOX")
        client.add_flags([1], [b"\\Seen"])
    raws, _cursor = await everything(account(server), {})
    assert len(raws) == 1


async def test_listen_takes_what_is_there_and_what_comes(server: Server) -> None:
    server.append(numbered(1))
    inbox = Inbox()
    async with listening(account(server), inbox):
        await inbox.holds(1)
        await asyncio.to_thread(server.append, numbered(2))
        await inbox.holds(2)
    assert inbox.subjects() == ["mail 1", "mail 2"]
    assert [cursor["uid"] for cursor in inbox.cursors] == sorted(cursor["uid"] for cursor in inbox.cursors)  # type: ignore[type-var]


async def test_listen_goes_on_where_the_cursor_stands(server: Server) -> None:
    server.append(numbered(1), numbered(2))
    first, second = Inbox(), Inbox()
    async with listening(account(server), first):
        await first.holds(2)
    server.append(numbered(3))
    async with listening(account(server, cursor=first.cursors[-1]), second):
        await second.holds(1)
    assert second.subjects() == ["mail 3"]


async def test_listen_stops_within_two_seconds_while_idle(server: Server) -> None:
    inbox = Inbox()
    server.append(numbered(1))
    task = asyncio.create_task(account(server).listen(inbox.sink))
    await inbox.holds(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 2)


async def test_a_sink_that_fails_leaves_the_cursor_where_it_was(server: Server) -> None:
    server.append(numbered(1))
    inbox = Inbox(failing=True)
    with pytest.raises(ConnectionError):
        await account(server).listen(inbox.sink)
    assert inbox.cursors == []
    inbox.failing = False
    async with listening(account(server), inbox):
        await inbox.holds(1)


async def test_a_cut_in_the_middle_of_a_mail_loses_and_doubles_nothing(server: Server) -> None:
    server.append(*(numbered(n, body="x" * 20_000) for n in range(30)))
    inbox = Inbox()
    async with CuttingProxy(server.port) as proxy:
        for cut_after in (10_000, 100_000, 300_000, 450_000):
            proxy.cut_after, proxy.passed = cut_after, 0
            cursor = inbox.cursors[-1] if inbox.cursors else {}
            with pytest.raises(Retryable):
                await account(replace(server, port=proxy.port), cursor=cursor).listen(inbox.sink)
        proxy.cut_after = None
        async with listening(
            account(replace(server, port=proxy.port), cursor=inbox.cursors[-1] if inbox.cursors else {}), inbox
        ):
            await inbox.holds(30)
    assert len(inbox.rows) == 30
    assert {len(row.body) for row in inbox.rows.values()} == {
        len(numbered(1, body="x" * 20_000)),
        len(numbered(10, body="x" * 20_000)),
    }


async def test_a_cut_while_idle_is_noticed_at_once(server: Server) -> None:
    server.append(numbered(1))
    inbox = Inbox()
    async with CuttingProxy(server.port) as proxy:
        task = asyncio.create_task(account(replace(server, port=proxy.port)).listen(inbox.sink))
        await inbox.holds(1)
        proxy.cut()
        with pytest.raises(Retryable):
            await asyncio.wait_for(task, 20)


async def test_a_connection_that_has_gone_silent_is_noticed(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imap, "_READ_SECONDS", 0.5)
    monkeypatch.setattr(imap, "_IDLE_SECONDS", 0.5)
    monkeypatch.setattr(imap.Mailbox.wait, "__defaults__", (0.5,))
    server.append(numbered(1))
    inbox = Inbox()
    async with CuttingProxy(server.port) as proxy:
        task = asyncio.create_task(account(replace(server, port=proxy.port)).listen(inbox.sink))
        await inbox.holds(1)
        proxy.silent = True
        with pytest.raises(Retryable):
            await asyncio.wait_for(task, 20)


async def test_the_waits_add_up_to_less_than_a_minute() -> None:
    assert imap._IDLE_SECONDS + imap._READ_SECONDS <= 60


async def test_a_new_uidvalidity_is_read_anew_and_recognised(server: Server) -> None:
    server.append(numbered(1), numbered(2))
    before, cursor = await everything(account(server), {})
    server.renumber()
    server.append(numbered(3))
    after, renumbered = await everything(account(server), cursor)
    assert renumbered["uidvalidity"] != cursor["uidvalidity"]
    assert {raw.external_id for raw in before} < {raw.external_id for raw in after}
    assert len({raw.external_id for raw in after}) == 3


async def test_gaps_and_expunged_mails(server: Server) -> None:
    server.append(*(numbered(n) for n in range(1, 6)))
    server.expunge(2, 3, 5)
    raws, cursor = await everything(account(server), {})
    assert [raw.transport["uid"] for raw in raws] == [1, 4]
    server.append(numbered(6))
    raws, _cursor = await everything(account(server), cursor)
    assert [raw.transport["uid"] for raw in raws] == [6]


async def test_history_before_the_account_began_is_not_taken_over(server: Server) -> None:
    with server.client() as client:
        client.append("INBOX", numbered(1), msg_time=datetime.now(UTC) - timedelta(days=30))
        client.append("INBOX", numbered(2))
    raws, _cursor = await everything(account(server, imap_history_days=7), {})
    assert [raw.transport["uid"] for raw in raws] == [2]


async def test_a_mail_beyond_the_limit_is_seen_as_such(server: Server) -> None:
    big = numbered(1, body="x" * 100 + "\r\n" + "y" * MESSAGE_BYTES_MAX)
    server.append(big, numbered(2))
    adapter = account(server)
    raws, _cursor = await everything(adapter, {})
    assert len(raws) == 2
    with pytest.raises(Malformed) as error:
        adapter.parse(raws[0])
    assert error.value.code == "mail_too_large"
    assert isinstance(adapter.parse(raws[1])[0], MessageReceived)


async def test_a_wrong_password_and_a_wrong_folder_have_names(server: Server) -> None:
    with pytest.raises(AuthFailed) as auth:
        await account(server, imap_password="wrong-secret").listen(Inbox().sink)
    assert "wrong-secret" not in str(auth.value)
    with pytest.raises(Rejected) as folder:
        await account(server, imap_folder="Nowhere").poll({})
    assert "Nowhere" in str(folder.value)


async def test_check_covers_both_ways(server: Server, tmp_path: Path) -> None:
    async with FakeMailProvider(tmp_path / "ledger") as provider:
        ways = {"smtp_host": provider.host, "smtp_port": provider.port}
        assert (await account(server, **ways).check()).identity == "support@shop.test"
        with pytest.raises(AuthFailed):
            await account(server, imap_password="wrong", **ways).check()


async def test_an_unreachable_server_is_tried_again() -> None:
    async with CuttingProxy(0) as proxy:
        nobody = Server(proxy.port, Path())
    with pytest.raises(Retryable):
        await account(nobody).poll({})


async def test_an_account_without_imap_has_nothing_to_poll_and_nothing_to_hear() -> None:
    adapter = channel()
    assert await adapter.poll({"uid": 3}) == ([], {"uid": 3})
    task = asyncio.create_task(adapter.listen(Inbox().sink))
    await asyncio.sleep(0)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 2)
