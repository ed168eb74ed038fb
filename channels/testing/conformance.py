"""The checks that every channel passes. A test module subclasses `Conformance` and gives it a `bench` per channel."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from channels.contract import (
    AuthFailed,
    Backfill,
    ChannelError,
    ChannelSpec,
    Cursor,
    Enrich,
    Ingress,
    Listen,
    Lookup,
    Malformed,
    Media,
    MessageReceived,
    Poll,
    RawInbound,
    Retryable,
    Sent,
    Server,
    Stored,
    TextUnit,
    Typing,
    Unverified,
    Webhook,
)
from channels.registry import adapter_class, settings_model
from channels.testing.harness import ERRORS, Fault, Harness, NotWritten, harness_class
from channels.testing.loopback import watched
from channels.testing.samples import golden, samples

JUNK: tuple[bytes, ...] = (
    b"",
    b"\x00",
    b"\xff\xfe\x00\x01" * 100,
    b"{",
    b"null",
    b"[]",
    b'{"a": ' * 2_000,
    b"[" * 100_000,
    b"<" * 10_000,
    b"%PDF-1.7\n\x00\x01\x02",
    b"a" * 100_000,
    b"a=b&" * 10_000,
    "😀\u202e\u0000".encode(),
    b"GET / HTTP/1.1\r\n\r\n",
)
TEXTS = {
    "emoji": "Hello 😀 👩‍👩‍👧 🇺🇳",
    "right-to-left": "שלום עולם — مرحبا بالعالم",
    "cjk": "你好，世界。こんにちは 안녕하세요",
}
_SECRET_NAMES = re.compile(r"password|secret|token|private_key|api_key|signing", re.IGNORECASE)


@dataclass
class Bench:
    """A channel under test, its provider running."""

    spec: ChannelSpec
    harness: Harness

    def needs(self, check: str, given: object) -> bool:
        """True where the harness gives what a check needs; a reason excuses it, silence fails."""
        if given is not None:
            return True
        reason = self.harness.why_not.get(check)
        if not reason:
            pytest.fail(f"the harness of {self.spec.id!r} gives no {check} and no reason under why_not[{check!r}]")
        return False


@asynccontextmanager
async def bench(spec: ChannelSpec, folder: Path) -> AsyncIterator[Bench]:
    """Starts a channel's provider; fails clearly where the folder is not filled in, or when anything left loopback."""
    try:
        harness = harness_class(spec)(folder)
        with watched() as outside:
            await harness.start()
            try:
                yield Bench(spec, harness)
            finally:
                await harness.stop()
    except NotWritten as error:
        pytest.fail(f"{spec.id}: {error}", pytrace=False)
    assert not outside, f"{spec.id} left loopback: {outside}"


class Conformance:
    """Subclass as `Test…` where a fixture `bench` gives a Bench for every channel."""

    # ------------------------------------------------------------------ the business card

    async def test_the_card_says_what_is_there(self, bench: Bench) -> None:
        spec, adapter = bench.spec, bench.harness.adapter()
        assert re.fullmatch(r"[a-z][a-z0-9_]{0,30}", spec.id)
        assert spec.title
        assert adapter_class(spec.id) is bench.harness.adapter_class()
        assert spec.ingress or not bench.harness.has_provider
        for ingress, protocol in (
            (Ingress.WEBHOOK, Webhook),
            (Ingress.POLL, Poll),
            (Ingress.LISTEN, Listen),
            (Ingress.SERVER, Server),
        ):
            assert (ingress in spec.ingress) == isinstance(adapter, protocol), (
                f"{ingress} is declared or implemented, not both"
            )
        assert spec.capabilities.typing == isinstance(adapter, Typing)
        assert spec.capabilities.lookup_sent == isinstance(adapter, Lookup)
        for optional in (Backfill, Enrich, Media):
            if isinstance(adapter, optional):
                assert callable(
                    getattr(adapter, {Backfill: "list_since", Enrich: "enrich", Media: "download"}[optional])
                )
        assert (spec.capabilities.attachments_max > 0) == (spec.capabilities.attachment_bytes_max > 0)
        await adapter.aclose()

    async def test_the_settings_draw_a_form(self, bench: Bench) -> None:
        model = settings_model(bench.spec.id)
        assert model.model_config.get("frozen"), "settings are frozen"
        for name, field in model.model_fields.items():
            assert field.title, f"{name} has no title"
            assert field.description, f"{name} has no description"
        model.model_json_schema()

    async def test_secrets_are_secret(self, bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
        settings = bench.harness.settings()
        for name in type(settings).model_fields:
            if _SECRET_NAMES.search(name):
                value = getattr(settings, name)
                assert value is None or isinstance(value, SecretStr), f"{name} is not a SecretStr"
        caplog.set_level(logging.DEBUG)
        shown = [repr(settings), str(settings), settings.model_dump_json(), repr(bench.harness.context())]
        adapter = bench.harness.adapter()
        shown += [repr(adapter), str(vars(adapter))]
        with suppress(ChannelError):
            await adapter.check()
        with suppress(ChannelError):
            await adapter.send(bench.harness.outbound())
        for bad in (bench.harness.bad_settings(), bench.harness.unreachable_settings()):
            if bad is not None:
                try:
                    await bench.harness.adapter(bad).check()
                except ChannelError as error:
                    shown += [str(error), repr(error)]
        await adapter.aclose()
        everything = "\n".join([*shown, caplog.text])
        secrets = bench.harness.secrets()
        assert all(len(one) >= 6 for one in secrets), "secrets in a harness are long enough to be found"
        for one in secrets:
            assert one not in everything, "a secret was shown"

    # ------------------------------------------------------------------ inbound

    async def test_samples_become_their_golden_events(self, bench: Bench) -> None:
        found = samples(bench.spec)
        assert found, f"{bench.spec.id} has no samples"
        for sample in found:
            adapter = bench.harness.adapter()
            assert sample.events, (
                f"{sample.name} has no golden events: python -m channels.testing.samples {bench.spec.id}"
            )
            assert golden(adapter, sample.raw) == sample.events, sample.name
            assert golden(bench.harness.adapter(), sample.raw) == sample.events, (
                f"{sample.name} is not parsed alike twice"
            )

    async def test_junk_is_malformed_or_nothing(self, bench: Bench) -> None:
        adapter = bench.harness.adapter()
        known = samples(bench.spec)
        shape = known[0].raw if known else RawInbound("x", b"")
        for body in (*JUNK, *bench.harness.junk()):
            with suppress(Malformed):
                events = adapter.parse(RawInbound("junk", body, shape.content_type, shape.headers, shape.transport))
                assert not events, f"{body[:40]!r} became {events!r}"

    async def test_truncated_samples_never_crash(self, bench: Bench) -> None:
        adapter = bench.harness.adapter()
        for sample in samples(bench.spec):
            body = sample.raw.body
            for cut in range(0, len(body), max(1, len(body) // 60)):
                with suppress(Malformed):
                    adapter.parse(
                        RawInbound("cut", body[:cut], sample.raw.content_type, sample.raw.headers, sample.raw.transport)
                    )

    async def test_a_replay_has_the_same_ids(self, bench: Bench) -> None:
        raw = await bench.harness.customer_writes("Where is my order?")
        first, second = (bench.harness.adapter().parse(raw) for _time in range(2))
        assert first
        assert [event.external_id for event in first] == [event.external_id for event in second]
        assert raw.external_id

    @pytest.mark.parametrize("kind", sorted(TEXTS))
    async def test_what_a_customer_writes_arrives_unchanged(self, bench: Bench, kind: str) -> None:
        raw = await bench.harness.customer_writes(TEXTS[kind])
        events = [event for event in bench.harness.adapter().parse(raw) if isinstance(event, MessageReceived)]
        if bench.spec.capabilities.live_audio:
            # What is spoken is written down later, by whoever listens.
            assert [[file.spoken for file in event.attachments] for event in events] == [[True]]
        else:
            assert [event.text for event in events] == [TEXTS[kind]]
        assert events[0].sender.value

    async def test_forged_webhooks_are_unverified(self, bench: Bench) -> None:
        if Ingress.WEBHOOK not in bench.spec.ingress:
            assert not bench.harness.forged()
            return
        adapter = bench.harness.adapter()
        genuine = bench.harness.signed()
        assert genuine is not None, "a webhook channel shows a genuine request"
        adapter.verify(genuine)
        forged = bench.harness.forged()
        assert len(forged) >= 3, "no signature, another key's, another body's"
        for raw in forged:
            with pytest.raises(Unverified):
                adapter.verify(raw)

    async def test_polling_is_monotonic_and_loses_nothing_in_a_crash(self, bench: Bench) -> None:
        if Ingress.POLL not in bench.spec.ingress:
            return
        begin = await bench.harness.arrivals(5)
        if not bench.needs("arrivals", begin):
            return
        assert begin is not None
        seen: dict[str, RawInbound] = {}
        cursor: Cursor = begin
        for _round in range(20):
            # The first answer is thrown away, as a crash before the commit would: the same cursor gives the same again.
            lost, _lost_cursor = await bench.harness.adapter(cursor=cursor).poll(cursor)
            raws, after = await bench.harness.adapter(cursor=cursor).poll(cursor)
            assert {one.external_id for one in lost} <= {one.external_id for one in raws}
            assert not any(one.external_id in seen for one in raws), "a cursor goes forward only"
            seen.update({one.external_id: one for one in raws})
            if not raws:
                break
            cursor = after
        assert len(seen) == 5

    async def test_listening_stops_within_two_seconds(self, bench: Bench) -> None:
        if Ingress.LISTEN not in bench.spec.ingress:
            return

        async def sink(raws: Sequence[RawInbound], cursor: Cursor | None = None) -> Stored:
            return Stored.STORED

        task = asyncio.create_task(bench.harness.adapter().listen(sink))
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(task), 0.3)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.wait_for(task, 2)
        assert task.done()

    # ------------------------------------------------------------------ outbound

    @pytest.mark.parametrize("kind", sorted(TEXTS))
    async def test_what_we_write_arrives_unchanged(self, bench: Bench, kind: str) -> None:
        sent = await bench.harness.adapter().send(bench.harness.outbound(TEXTS[kind]))
        assert isinstance(sent, Sent)
        assert sent.external_id
        if bench.harness.has_provider:
            assert [one.text for one in bench.harness.delivered()] == [TEXTS[kind]]

    async def test_a_text_at_the_limit_is_taken(self, bench: Bench) -> None:
        text = longest_text(bench.spec)
        await bench.harness.adapter().send(bench.harness.outbound(text))
        if bench.harness.has_provider:
            assert "".join(one.text for one in bench.harness.delivered()) == text

    async def test_the_same_key_twice_is_one_message(self, bench: Bench) -> None:
        if not bench.spec.capabilities.idempotent_send:
            return
        message = bench.harness.outbound()
        first, second = [await bench.harness.adapter().send(message) for _time in range(2)]
        assert first.external_id == second.external_id
        if bench.harness.has_provider:
            assert len({one.identity for one in bench.harness.delivered()}) == 1

    @pytest.mark.parametrize("fault", list(Fault))
    async def test_a_fault_becomes_its_error(self, bench: Bench, fault: Fault) -> None:
        if not bench.harness.has_provider:
            return
        if not bench.needs(fault.value, True if fault in bench.harness.faults else None):
            return
        bench.harness.misbehave(fault)
        adapter = bench.harness.adapter()
        with pytest.raises(ERRORS[fault]) as raised:
            await adapter.send(bench.harness.outbound())
        assert type(raised.value) is ERRORS[fault], f"{fault} became {type(raised.value).__name__}"
        await adapter.aclose()
        bench.harness.misbehave(None)
        assert isinstance(await bench.harness.adapter().send(bench.harness.outbound()), Sent), (
            "well again, and still not sending"
        )

    async def test_a_send_in_doubt_can_be_looked_up(self, bench: Bench) -> None:
        if not bench.spec.capabilities.lookup_sent or Fault.CUT_AFTER_ACCEPT not in bench.harness.faults:
            return
        from datetime import UTC, datetime, timedelta

        message = bench.harness.outbound()
        bench.harness.misbehave(Fault.CUT_AFTER_ACCEPT)
        with pytest.raises(ERRORS[Fault.CUT_AFTER_ACCEPT]):
            await bench.harness.adapter().send(message)
        bench.harness.misbehave(None)
        since = datetime.now(UTC) - timedelta(minutes=5)
        assert isinstance(await bench.harness.adapter().find_sent(message.key, since, message), Sent)
        never_sent = bench.harness.outbound("Something else")
        assert await bench.harness.adapter().find_sent(never_sent.key, since, never_sent) is None

    # ------------------------------------------------------------------ the connection test

    async def test_check_says_who_we_are(self, bench: Bench) -> None:
        checked = await bench.harness.adapter().check()
        assert checked.identity

    async def test_check_with_bad_credentials(self, bench: Bench) -> None:
        if bench.harness.has_provider and bench.needs("bad_settings", bad := bench.harness.bad_settings()):
            await _check_fails(bench, bad, AuthFailed)

    async def test_check_with_nobody_there(self, bench: Bench) -> None:
        if bench.harness.has_provider and bench.needs(
            "unreachable_settings", bad := bench.harness.unreachable_settings()
        ):
            await _check_fails(bench, bad, Retryable)


async def _check_fails(bench: Bench, settings: BaseModel | None, error: type[ChannelError]) -> None:
    adapter: Any = bench.harness.adapter(settings)
    with pytest.raises(error) as raised:
        await adapter.check()
    assert len(str(raised.value)) > 10, "the sentence helps"
    await adapter.aclose()


def longest_text(spec: ChannelSpec) -> str:
    """A text exactly at the limit that the capabilities declare; 100,000 characters where there is none."""
    limit, unit = spec.capabilities.text_max, spec.capabilities.text_unit
    if limit is None:
        return "abcdefghi " * 9_999 + "abcdefghij"
    if unit is TextUnit.UTF16:
        return "😀" * (limit // 2) + "a" * (limit % 2)
    if unit is TextUnit.BYTES:
        return "ä" * (limit // 2) + "a" * (limit % 2)
    if unit is TextUnit.SMS_SEGMENTS:
        return "a" * (153 * limit if limit > 1 else 160)
    return "ä" * limit
