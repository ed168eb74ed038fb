"""Reads a mailbox that lives elsewhere: IDLE for speed, a scan every minute for certainty (RFC 3501, RFC 2177).

Nothing in the mailbox is changed: mails are peeked at, `\\Seen` is nobody's state, and how far we have come is a
cursor that the core commits together with the mails. `imapclient` blocks, so it runs in threads; a connection
is woken from outside by closing its socket.
"""

from __future__ import annotations

import asyncio
import hashlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import CapabilityError, IMAPClientAbortError, IMAPClientError, LoginError

from channels.contract import AuthFailed, Cursor, RawInbound, Rejected, Retryable
from channels.email.limits import MESSAGE_BYTES_MAX
from channels.email.oauth import Access
from channels.email.settings import EmailSettings, Incoming, Security

if TYPE_CHECKING:
    from channels.contract import Sink

P = ParamSpec("P")
T = TypeVar("T")

_CONNECT_SECONDS = 15.0
_READ_SECONDS = 18.0
_IDLE_SECONDS = 40.0
"""With the wait for an answer a dead connection is noticed within a minute, far below the 9 minutes after which IDLE is renewed at the latest."""
_BATCH_MAILS = 20
_BATCH_BYTES = MESSAGE_BYTES_MAX
_UIDS_AT_ONCE = 500
_STOP_SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class Position:
    """How far a folder has been read. `since` is the day before which nothing is taken over."""

    folder: str
    uidvalidity: int
    uid: int
    since: str

    @classmethod
    def of(cls, cursor: Cursor, folder: str, uidvalidity: int, history_days: int) -> Position:
        """Where to go on; another folder or UIDVALIDITY begins anew, and known mails are recognised by their content."""
        since = cursor.get("since")
        if not isinstance(since, str) or cursor.get("folder") != folder:
            since = (datetime.now(UTC).date() - timedelta(days=history_days)).isoformat()
        uid = cursor.get("uid")
        same = cursor.get("folder") == folder and cursor.get("uidvalidity") == uidvalidity
        return cls(folder, uidvalidity, uid if same and isinstance(uid, int) else 0, since)

    def cursor(self, uid: int | None = None) -> Cursor:
        return {
            "folder": self.folder,
            "uidvalidity": self.uidvalidity,
            "uid": self.uid if uid is None else uid,
            "since": self.since,
        }


def content_id(body: bytes) -> str:
    """The id of a mail that was fetched: its content, so that no renumbering of the mailbox brings it twice."""
    return f"imap:{hashlib.sha256(body).hexdigest()}"


@contextmanager
def _translated(where: str) -> Iterator[None]:
    try:
        yield
    except LoginError as error:
        said = str(error).upper()
        if "UNAVAILABLE" in said or "INUSE" in said or "LIMIT" in said:
            raise Retryable(f"{where} does not take logins now", code="imap_busy") from None
        raise AuthFailed(f"{where} refused the user or the password", code="imap_login") from None
    except CapabilityError:
        raise Rejected(f"{where} does not offer the encryption that is set", code="imap_unsupported") from None
    except ssl.SSLCertVerificationError:
        raise Rejected(f"{where} shows a certificate that does not hold", code="imap_certificate") from None
    except (IMAPClientAbortError, OSError, EOFError, IMAPClientError, ValueError) as error:
        raise Retryable(f"the connection to {where} failed ({type(error).__name__})", code="imap_lost") from None


class Mailbox:
    """One blocking connection with one folder selected. Every method raises a ChannelError."""

    def __init__(self, settings: EmailSettings) -> None:
        self._settings = settings
        self._where = f"{settings.imap_host}:{settings.imap_port}"
        self._closed = threading.Event()
        self._client: IMAPClient | None = None
        self._uidvalidity = 0
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="imap")
        """A thread of its own: a mailbox that idles must not hold one of the few that the event loop shares out."""

    def open(self, token: str | None = None) -> None:
        """Connects, logs in, selects the folder without leaving a mark in it. With a token by SASL XOAUTH2."""
        settings = self._settings
        with _translated(self._where):
            client = IMAPClient(
                settings.imap_host,
                settings.imap_port,
                ssl=settings.imap_security is Security.TLS,
                timeout=SocketTimeout(_CONNECT_SECONDS, _READ_SECONDS),
            )
            self._client = client
            if self._closed.is_set():
                raise OSError("closed while it was being opened")
            if settings.imap_security is Security.STARTTLS:
                client.starttls(ssl.create_default_context())
            if token is None:
                client.login(settings.imap_user, settings.imap_password.get_secret_value())
            elif client.has_capability("AUTH=XOAUTH2"):
                client.oauth2_login(settings.imap_user, token)
            else:
                raise Rejected(f"{self._where} does not take access tokens (XOAUTH2)", code="imap_unsupported")
            try:
                selected = client.select_folder(settings.imap_folder, readonly=True)
            except IMAPClientAbortError:
                raise
            except IMAPClientError:
                raise Rejected(f"{self._where} has no folder {settings.imap_folder!r}", code="imap_folder") from None
            self._uidvalidity = int(selected[b"UIDVALIDITY"])

    def batch(self, cursor: Cursor) -> tuple[list[RawInbound], Cursor, bool]:
        """The next mails, the cursor that belongs after them, and whether there are more."""
        client = self._connected()
        position = Position.of(cursor, self._settings.imap_folder, self._uidvalidity, self._settings.imap_history_days)
        with _translated(self._where):
            # A range that ends in * always gives the last mail, however old: so the numbers are compared once more.
            # A folder that is read for the first time, or renumbered, is read from the day on which the account began.
            wanted = ["UID", f"{position.uid + 1}:*", "SINCE", date.fromisoformat(position.since)]
            uids = sorted(uid for uid in client.search(wanted) if uid > position.uid)
            if not uids:
                return [], position.cursor(), False
            sizes = {
                uid: int(data.get(b"RFC822.SIZE", 0))
                for uid, data in client.fetch(uids[:_UIDS_AT_ONCE], ["RFC822.SIZE"]).items()
            }
            chosen = self._chosen(uids[:_UIDS_AT_ONCE], sizes)
            raws = [raw for uid in chosen if uid in sizes and (raw := self._fetch(client, uid, sizes[uid]))]
        return raws, position.cursor(chosen[-1]), len(chosen) < len(uids)

    @staticmethod
    def _chosen(uids: Sequence[int], sizes: dict[int, int]) -> list[int]:
        """As many as fit one batch; at least one."""
        chosen: list[int] = []
        total = 0
        for uid in uids:
            total += min(sizes.get(uid, 0), MESSAGE_BYTES_MAX)
            if chosen and (len(chosen) >= _BATCH_MAILS or total > _BATCH_BYTES):
                break
            chosen.append(uid)
        return chosen

    def _fetch(self, client: IMAPClient, uid: int, size: int) -> RawInbound | None:
        """One mail; None where it has been expunged meanwhile. Of one too large, just enough to be seen as too large."""
        item = "BODY.PEEK[]" if size <= MESSAGE_BYTES_MAX else f"BODY.PEEK[]<0.{MESSAGE_BYTES_MAX + 1}>"
        data = client.fetch([uid], [item]).get(uid, {})
        body = next(
            (value for key, value in data.items() if key.startswith(b"BODY[") and isinstance(value, bytes)), None
        )
        if body is None:
            return None
        return RawInbound(
            external_id=content_id(body),
            body=body,
            content_type="message/rfc822",
            transport={
                "protocol": "imap",
                "folder": self._settings.imap_folder,
                "uidvalidity": self._uidvalidity,
                "uid": uid,
                "size": size,
            },
        )

    def wait(self, seconds: float = _IDLE_SECONDS) -> None:
        """Returns when the server has news, or after `seconds`. Raises Retryable when the connection is dead."""
        client = self._connected()
        with _translated(self._where):
            if not client.has_capability("IDLE"):
                self._closed.wait(seconds)
                client.noop()
                return
            client.idle()
            try:
                client.idle_check(timeout=seconds)
            finally:
                if not self._closed.is_set():
                    # On a dead connection this is what times out.
                    client.idle_done()

    def wake(self) -> None:
        """Makes whatever blocks return at once; the connection is gone. Safe from any thread."""
        self._closed.set()
        client = self._client
        if client is not None:
            with suppress(OSError, AttributeError):
                client.socket().shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Says goodbye, if anybody listens."""
        self._closed.set()
        self.thread.shutdown(wait=False)
        client, self._client = self._client, None
        if client is not None:
            with suppress(IMAPClientError, OSError, ValueError):
                client.logout()
            with suppress(IMAPClientError, OSError, AttributeError):
                client.shutdown()

    def _connected(self) -> IMAPClient:
        if self._client is None or self._closed.is_set():
            raise Retryable("the mailbox is not open", code="imap_lost")
        return self._client


async def _in_thread(mailbox: Mailbox, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Runs blocking work of a mailbox; when cancelled, wakes it and waits until its thread has let go."""
    running = asyncio.get_running_loop().run_in_executor(mailbox.thread, partial(work, *args, **kwargs))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        mailbox.wake()
        await asyncio.wait([running], timeout=_STOP_SECONDS)
        if running.done() and not running.cancelled():
            running.exception()
        raise


async def opened(settings: EmailSettings, access: Access) -> Mailbox:
    """A mailbox that is logged in to and has its folder selected. Raises AuthFailed, Retryable or Rejected."""

    async def attempt(token: str | None) -> Mailbox:
        mailbox = Mailbox(settings)
        try:
            await _in_thread(mailbox, mailbox.open, token)
        except BaseException:
            await _closed(mailbox)
            raise
        return mailbox

    return await access.logged_in(attempt)


async def _closed(mailbox: Mailbox) -> None:
    """Waits a moment for the goodbye; the rest goes on by itself."""
    closing = asyncio.ensure_future(asyncio.to_thread(mailbox.close))
    await asyncio.wait([closing], timeout=_STOP_SECONDS)


async def check(settings: EmailSettings, access: Access) -> None:
    """Logs in and opens the folder. Raises AuthFailed, Retryable or Rejected."""
    await _closed(await opened(settings, access))


async def poll(settings: EmailSettings, cursor: Cursor, access: Access) -> tuple[Sequence[RawInbound], Cursor]:
    """One batch after the cursor. Called again with the new cursor, it gives the next."""
    if settings.incoming is not Incoming.IMAP:
        return [], cursor
    mailbox = await opened(settings, access)
    try:
        raws, after, _more = await _in_thread(mailbox, mailbox.batch, cursor)
        return raws, after
    finally:
        await asyncio.to_thread(mailbox.close)


async def listen(settings: EmailSettings, cursor: Cursor, sink: Sink, access: Access) -> None:
    """Runs until cancelled: everything after the cursor, then whatever comes. A cursor is advanced only by a sink that returned."""
    if settings.incoming is not Incoming.IMAP:
        await asyncio.get_running_loop().create_future()
    mailbox = await opened(settings, access)
    try:
        while True:
            more = True
            while more:
                raws, after, more = await _in_thread(mailbox, mailbox.batch, cursor)
                if raws or dict(after) != dict(cursor):
                    await sink(raws, after)
                    cursor = after
            await _in_thread(mailbox, mailbox.wait)
    finally:
        mailbox.wake()
        await _closed(mailbox)
