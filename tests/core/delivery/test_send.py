"""Every end of a delivery: sent once, in order, or accounted for in the open."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest
import sqlalchemy as sa

from channels.contract import (
    AuthFailed,
    ChannelError,
    Outbound,
    OutcomeUnknown,
    ReceiptKind,
    ReceiptReceived,
    Rejected,
    Retryable,
    Undeliverable,
)
from core.accounts.models import AccountState, ChannelAccount
from core.accounts.service import set_state
from core.blobs import blobs
from core.contacts.identities import identify
from core.db import transaction
from core.delivery.models import Delivery, DeliveryState
from core.delivery.receipts import apply_receipt
from core.delivery.send import settle, unpark
from core.errors import Invalid
from core.jobs.models import Job, Lane
from core.people.models import User
from core.tickets import handoff
from core.tickets.events import locked
from core.tickets.links import linked, public_link
from core.tickets.models import AttachmentRow, Author, Handoff, Message, Status, Ticket, TicketEvent
from core.tickets.replies import Reply, post_reply
from tests.core.conftest import Work
from tests.factories import contacts, people, tickets
from tests.factories.accounts import account
from tests.factories.birds import Sky

LONG = "The first sentence is here. The second one follows it soon. And the third ends the whole story at last."


class Post:
    """A ticket on a channel, and what is sent by it."""

    def __init__(self, made: tickets.Made, account_id: UUID, user: User) -> None:
        self.made, self.account_id, self.user = made, account_id, user

    async def reply(self, text: str, author: Author = Author.USER, **more: object) -> UUID:
        async with transaction() as session:
            ticket = await locked(session, self.made.ticket.id)
            who = self.user.id if author is Author.USER else None
            return (await post_reply(session, ticket, Reply(author=author, author_id=who, text=text, **more))).id  # type: ignore[arg-type]

    async def deliveries(self, message_id: UUID | None = None) -> list[Delivery]:
        async with transaction() as session:
            statement = sa.select(Delivery).order_by(Delivery.seq)
            if message_id is not None:
                statement = statement.where(Delivery.message_id == message_id)
            return list(await session.scalars(statement))

    async def states(self) -> list[str]:
        return [delivery.state.value for delivery in await self.deliveries()]

    async def ticket(self) -> Ticket:
        async with transaction() as session:
            return await session.get_one(Ticket, self.made.ticket.id)

    async def told(self) -> list[str]:
        """The states that the timeline tells of."""
        async with transaction() as session:
            rows = await session.scalars(
                sa.select(TicketEvent.data["state"].astext)
                .where(TicketEvent.ticket_id == self.made.ticket.id, TicketEvent.kind == "delivery.changed")
                .order_by(TicketEvent.seq)
            )
            return list(rows)

    async def receipt(self, kind: ReceiptKind, **more: object) -> UUID | None:
        async with transaction() as session:
            found = await session.get_one(ChannelAccount, self.account_id)
            receipt = ReceiptReceived(external_id="r", kind=kind, **more)  # type: ignore[arg-type]
            return await apply_receipt(session, found, receipt)

    async def customer_writes(self, text: str = "One more thing") -> None:
        async with transaction() as session:
            ticket = await locked(session, self.made.ticket.id)
            await tickets.inbound(session, ticket, self.made.route, self.made.contact, text)


async def post_by(channel: str, **more: object) -> Post:
    async with transaction() as session:
        made_account = await account(session, channel)
        user = await people.user(session)
        made = await tickets.ticket(session, made_account, **more)  # type: ignore[arg-type]
    return Post(made, made_account.id, user)


@pytest.fixture
async def post(sky: Sky, db: None) -> Post:
    return await post_by("pigeon")


async def test_a_reply_goes_the_way_the_message_came(post: Post, sky: Sky, work: Work) -> None:
    await post.reply("In the oak.")
    await work(Lane.DELIVER)
    (sent,) = sky.ledger
    (delivery,) = await post.deliveries()
    assert (sent.key, sent.text, sent.to.value) == (str(delivery.id), "In the oak.", post.made.identity.value)
    assert (sent.route, sent.reply_to) == ({"tree": 1}, post.made.message.external_id)
    assert (sent.automated, delivery.state, delivery.attempts) == (False, DeliveryState.SENT, 1)
    assert (await post.ticket()).first_response_at is not None
    assert await post.told() == ["sent"]


async def test_first_in_first_out_per_route_also_while_the_first_is_retried(post: Post, sky: Sky, work: Work) -> None:
    sky.script.extend([Retryable("busy"), Retryable("busy", after=2), None])
    for text in ("one", "two", "three"):
        await post.reply(text)
    await work(Lane.DELIVER)
    assert sky.texts() == ["one", "two", "three"]
    assert [delivery.attempts for delivery in await post.deliveries()] == [3, 1, 1]


async def test_routes_do_not_wait_for_each_other(post: Post, sky: Sky, work: Work) -> None:
    async with transaction() as session:
        found = await session.get_one(ChannelAccount, post.account_id)
        other = Post(await tickets.ticket(session, found), found.id, post.user)
    held = asyncio.Event()

    async def slow(message: Outbound) -> None:
        if message.text == "slow":
            await held.wait()
        else:
            held.set()

    sky.on_send = slow
    await post.reply("slow")
    await other.reply("quick")
    await work(Lane.DELIVER)
    assert sky.texts() == ["quick", "slow"]


async def test_a_delivery_has_one_job_however_often_it_is_woken(post: Post, sky: Sky, work: Work) -> None:
    """The first one's end wakes the second, whose own job still waits: two jobs would each take the other for dead."""
    async with transaction() as session:
        ticket = await locked(session, post.made.ticket.id)
        for text in ("one", "two"):
            await post_reply(session, ticket, Reply(author=Author.USER, author_id=post.user.id, text=text))
    _first, second = await post.deliveries()
    async with transaction() as session:  # the second's job is late: the worker has no free slot yet
        job = sa.update(Job).where(Job.unique_key == f"deliver.send:{second.id}")
        await session.execute(job.values(due_at=sa.func.now() + sa.text("interval '1 hour'")))
    from core.jobs.worker import drain

    await drain(Lane.DELIVER)
    async with transaction() as session:
        assert await session.scalar(sa.select(sa.func.count()).select_from(Job)) == 1
    await work(Lane.DELIVER)
    assert sky.texts() == ["one", "two"]
    assert [delivery.doubtful for delivery in await post.deliveries()] == [False, False]


@pytest.mark.parametrize("channel", ["pigeon", "raven", "owl"])
async def test_many_replies_under_load_go_once_and_in_order(sky: Sky, db: None, work: Work, channel: str) -> None:
    post = await post_by(channel)
    texts = [f"number {number}" for number in range(25)]

    async def a_moment(message: Outbound) -> None:
        await asyncio.sleep(0)

    sky.on_send = a_moment
    for text in texts:
        await post.reply(text)
    await work(Lane.DELIVER)
    assert sky.texts() == texts
    assert set(await post.states()) == {"sent"}


async def test_a_long_text_goes_in_parts_in_order(post: Post, sky: Sky, work: Work) -> None:
    await post.reply(LONG)
    await work(Lane.DELIVER)
    assert sky.texts() == [
        "The first sentence is here. The second one follows it soon.",
        "And the third ends the whole story at last.",
    ]


@pytest.mark.parametrize("by", ["a person took over", "the customer wrote"])
async def test_an_answer_of_the_ai_that_was_overtaken_is_cancelled(post: Post, sky: Sky, work: Work, by: str) -> None:
    await post.reply(LONG, Author.AI)
    if by == "the customer wrote":
        await post.customer_writes()
    else:
        async with transaction() as session:
            handoff.take_over(session, await locked(session, post.made.ticket.id), post.user.id)
    await post.reply("I am a person.")
    await work(Lane.DELIVER)
    assert sky.texts() == ["I am a person."]
    assert await post.states() == ["cancelled", "cancelled", "sent"]


async def test_an_answer_that_a_provider_refused_for_now_is_cancelled_too(post: Post, sky: Sky, work: Work) -> None:
    async def takes_over(message: Outbound) -> None:
        sky.on_send = None
        async with transaction() as session:
            handoff.take_over(session, await locked(session, post.made.ticket.id), post.user.id)

    sky.on_send = takes_over
    sky.script.append(Retryable("busy"))
    await post.reply("I am a robot.", Author.AI)
    await work(Lane.DELIVER)
    assert (sky.texts(), await post.states()) == ([], ["cancelled"])


async def test_half_an_answer_is_never_cancelled(post: Post, sky: Sky, work: Work) -> None:
    async def writes(message: Outbound) -> None:
        sky.on_send = None
        await post.customer_writes()

    sky.on_send = writes
    await post.reply(LONG, Author.AI)
    await work(Lane.DELIVER)
    assert len(sky.texts()) == 2


async def test_an_answer_that_a_person_approved_is_the_persons(post: Post, sky: Sky, work: Work) -> None:
    async with transaction() as session:
        handoff.take_over(session, await locked(session, post.made.ticket.id), post.user.id)
    await post.reply("Approved.", Author.AI, ai={"reviewed_by": str(post.user.id)})
    await work(Lane.DELIVER)
    assert sky.texts() == ["Approved."]


@pytest.mark.parametrize(
    "doubt", [OutcomeUnknown("cut"), TimeoutError(), ValueError("a bug")], ids=["cut", "time", "bug"]
)
@pytest.mark.parametrize("arrived", [True, False], ids=["arrived", "did not arrive"])
@pytest.mark.parametrize(
    ("channel", "sends", "state"),
    [("pigeon", 2, "sent"), ("raven", None, "sent"), ("owl", 1, "held")],
    ids=["idempotent: repeated", "looked up", "neither: held"],
)
async def test_what_is_in_doubt_is_settled_by_what_the_channel_can(
    sky: Sky, db: None, work: Work, channel: str, sends: int | None, state: str, arrived: bool, doubt: Exception
) -> None:
    post = await post_by(channel)
    tries = []

    async def provider(message: Outbound) -> None:
        tries.append(message.key)
        if len(tries) == 1:
            if arrived:
                from channels.contract import Sent

                sky.known[message.key] = Sent(external_id="there")
            raise doubt

    sky.on_send = provider
    await post.reply("one")
    await work(Lane.DELIVER)
    assert await post.states() == [state]
    assert len(tries) == (sends if sends is not None else 1 if arrived else 2)
    assert len(set(tries)) == 1, "one key for every attempt"
    if state == "held":
        assert await post.told() == ["held"]
        await post.reply("two")
        await work(Lane.DELIVER)
        assert sky.texts() == ["two"], "what is held does not block what comes after"


@pytest.mark.parametrize("again", [True, False])
async def test_a_person_settles_what_is_held(sky: Sky, db: None, work: Work, again: bool) -> None:
    post = await post_by("owl")
    sky.script.append(OutcomeUnknown("cut"))
    await post.reply("one")
    await work(Lane.DELIVER)
    async with transaction() as session:
        ticket = await locked(session, post.made.ticket.id)
        delivery = (await session.scalars(sa.select(Delivery))).one()
        await settle(session, delivery, ticket, send_again=again, user_id=post.user.id)
    await work(Lane.DELIVER)
    assert (sky.texts(), await post.states()) == (["one"] if again else [], ["sent"])


async def test_a_receipt_settles_what_is_held(sky: Sky, db: None, work: Work) -> None:
    post = await post_by("owl")
    sky.script.append(OutcomeUnknown("cut"))
    await post.reply("one")
    await work(Lane.DELIVER)
    (delivery,) = await post.deliveries()
    await post.receipt(ReceiptKind.DELIVERED, key=str(delivery.id))
    assert await post.states() == ["delivered"]


async def test_an_attempt_that_died_under_a_disconnected_account_stays_in_doubt(sky: Sky, db: None, work: Work) -> None:
    post = await post_by("owl")
    await post.reply("one")
    async with transaction() as session:  # the worker died between the lease and the mark
        await session.execute(
            sa.update(Delivery).values(state=DeliveryState.SENDING, attempts=1, started_at=sa.func.now())
        )
        await set_state(session, post.account_id, AccountState.RECONNECT, "no")
    await work(Lane.DELIVER)
    assert await post.states() == ["parked"]
    async with transaction() as session:
        await set_state(session, post.account_id, AccountState.CONNECTED)
        await unpark(session, post.account_id)
    await work(Lane.DELIVER)
    assert (sky.texts(), await post.states()) == ([], ["held"]), "never silently sent twice"


@pytest.mark.parametrize("error", [Rejected("no"), Undeliverable("nobody"), Rejected("no", code="spam")])
@pytest.mark.parametrize("status", [Status.PENDING, Status.RESOLVED, Status.CLOSED])
async def test_what_cannot_arrive_fails_in_the_open_and_blocks_nothing(
    sky: Sky, db: None, work: Work, error: ChannelError, status: Status
) -> None:
    post = await post_by("pigeon", status=status)
    sky.script.append(error)
    await post.reply("one", Author.AI)
    await work(Lane.DELIVER)
    ticket = await post.ticket()
    assert (ticket.status, ticket.handoff) == (Status.OPEN, Handoff.QUEUE)
    (delivery,) = await post.deliveries()
    assert (delivery.state, delivery.error_code, delivery.error) == (DeliveryState.FAILED, error.code, str(error))
    await post.reply("two")
    await work(Lane.DELIVER)
    assert sky.texts() == ["two"]


async def test_a_provider_that_is_away_too_long_is_a_failure(post: Post, sky: Sky, work: Work) -> None:
    sky.script.extend([Retryable("busy")] * 20)
    await post.reply("one")
    await post.reply("two")
    await work(Lane.DELIVER)
    assert (sky.texts(), await post.states()) == (["two"], ["failed", "sent"])
    assert (await post.deliveries())[0].attempts == 20


async def test_a_file_that_is_gone_fails_its_message_and_no_other(post: Post, sky: Sky, work: Work) -> None:
    first = await post.reply("one")
    async with transaction() as session:
        session.add(
            AttachmentRow(
                id=UUID(int=1),
                message_id=first,
                filename="a",
                content_type="text/plain",
                size=1,
                sha256=b"",
                blob_key="0" * 40,
            )
        )
    await post.reply("two")
    await work(Lane.DELIVER)
    assert (sky.texts(), await post.states()) == (["two"], ["failed", "sent"])
    assert (await post.deliveries())[0].error_code == "internal_error"


async def test_credentials_that_fail_park_everything_until_a_check_succeeds(post: Post, sky: Sky, work: Work) -> None:
    sky.script.append(AuthFailed("password changed"))
    for text in ("one", "two", "three"):
        await post.reply(text)
    await work(Lane.DELIVER)
    assert sky.texts() == []
    assert (await post.states())[0] == "parked"
    async with transaction() as session:
        found = await session.get_one(ChannelAccount, post.account_id)
        assert (found.state, found.error) == (AccountState.RECONNECT, "password changed")
        await set_state(session, post.account_id, AccountState.CONNECTED)
        assert await unpark(session, post.account_id) >= 1
    await work(Lane.DELIVER)
    assert (sky.texts(), set(await post.states())) == (["one", "two", "three"], {"sent"})


# ------------------------------------------------------------------------------------------------------- receipts


@pytest.mark.parametrize(
    ("kinds", "state"),
    [
        ("sent", "sent"), ("delivered", "delivered"), ("delivered sent", "delivered"), ("read delivered sent", "read"),
        ("sent read delivered", "read"), ("failed delivered", "failed"), ("delivered failed", "failed"),
        ("delivered delivered", "delivered"), ("failed failed", "failed"),
    ],
)  # fmt: skip
async def test_receipts_in_any_order_only_move_forward(post: Post, work: Work, kinds: str, state: str) -> None:
    await post.reply("one")
    await work(Lane.DELIVER)
    (delivery,) = await post.deliveries()
    for kind in kinds.split():
        assert await post.receipt(ReceiptKind(kind), message_id=delivery.external_id) == post.made.ticket.id
    assert await post.states() == [state]
    assert len(await post.told()) == len(set(await post.told())), "told once each"


@pytest.mark.parametrize("kind", [ReceiptKind.DELIVERED, ReceiptKind.READ, ReceiptKind.FAILED])
async def test_a_receipt_that_overtakes_the_answer_to_its_own_send_stands(
    post: Post, sky: Sky, work: Work, kind: ReceiptKind
) -> None:
    async def quick(message: Outbound) -> None:
        sky.on_send = None
        await post.receipt(kind, key=message.key)

    sky.on_send = quick
    await post.reply("one")
    await post.reply("two")
    await work(Lane.DELIVER)
    assert await post.states() == [kind.value, "sent"]


async def test_a_receipt_of_another_account_or_of_nothing_is_nobodys(post: Post, work: Work) -> None:
    other = await post_by("raven")
    await post.reply("one")
    await work(Lane.DELIVER)
    (delivery,) = await post.deliveries()
    for named in ({"message_id": delivery.external_id}, {"key": str(delivery.id)}, {"key": "no uuid"}, {}):
        assert await other.receipt(ReceiptKind.FAILED, **named) is None
    assert await post.states() == ["sent"]


async def test_a_hard_bounce_marks_the_address_reopens_and_tells_a_person(sky: Sky, db: None, work: Work) -> None:
    post = await post_by("pigeon", status=Status.RESOLVED)
    await post.reply("one", Author.AI)
    await work(Lane.DELIVER)
    (delivery,) = await post.deliveries()
    who = contacts.address(post.made.identity.value)
    await post.receipt(
        ReceiptKind.FAILED, message_id=delivery.external_id, recipient=who, code="5.1.1", detail="no such bird"
    )
    ticket = await post.ticket()
    assert (ticket.status, ticket.handoff) == (Status.OPEN, Handoff.QUEUE)
    async with transaction() as session:
        assert (await identify(session, who)).bad_since is not None
    assert (await post.deliveries())[0].error_code == "5.1.1"


async def test_a_delay_is_no_failure(post: Post, work: Work) -> None:
    await post.reply("one")
    await work(Lane.DELIVER)
    (delivery,) = await post.deliveries()
    who = contacts.address(post.made.identity.value)
    await post.receipt(ReceiptKind.FAILED, message_id=delivery.external_id, recipient=who, permanent=False)
    async with transaction() as session:
        assert (await identify(session, who)).bad_since is None
    assert (await post.states(), await post.told()) == (["sent"], ["sent", "delayed"])


async def _upload(post: Post, number: int = 5, size: int = 7) -> UUID:
    key = await blobs().put(b"feather")
    file = UUID(int=number)
    async with transaction() as session:
        session.add(
            AttachmentRow(
                id=file, uploader_id=post.user.id, filename="f.txt", content_type="text/plain", size=size,
                sha256=b"", blob_key=key,
            )
        )  # fmt: skip
    return file


async def test_files_go_with_the_last_part(post: Post, sky: Sky, work: Work) -> None:
    await post.reply(LONG, attachment_ids=[await _upload(post)])
    await work(Lane.DELIVER)
    assert [[a.content for a in one.attachments] for one in sky.ledger] == [[], [b"feather"]]
    assert isinstance(post.made.message, Message)


async def test_a_file_has_an_address_that_ends(post: Post, sky: Sky, work: Work) -> None:
    file = await _upload(post)
    await post.reply("Look", attachment_ids=[file])
    await work(Lane.DELIVER)
    url = sky.ledger[0].attachments[0].url or ""
    token = url.rpartition("/files/")[2]
    assert linked(token) == file
    assert linked(token[:-2] + "AA") is None
    assert linked("") is None
    assert linked(public_link(file, now=0).rpartition("/")[2]) is None


async def test_files_that_a_channel_cannot_carry_are_refused_at_once(post: Post, sky: Sky) -> None:
    files = [await _upload(post, number) for number in range(1, 5)]
    with pytest.raises(Invalid, match="at most 3 files"):
        await post.reply("Look", attachment_ids=files)
    large = await _upload(post, 9, 10**6 + 1)
    with pytest.raises(Invalid, match="of at most"):
        await post.reply("Look", attachment_ids=[large])
    assert sky.ledger == []


async def test_where_text_and_files_go_apart_the_text_goes_first(sky: Sky, db: None, work: Work) -> None:
    async with transaction() as session:
        magpie = await account(session, "magpie")
        post = Post(await tickets.ticket(session, magpie), magpie.id, await people.user(session))
    await post.reply("Look", attachment_ids=[await _upload(post)])
    await work(Lane.DELIVER)
    assert [(one.text, len(one.attachments)) for one in sky.ledger] == [("Look", 0), ("", 1)]
