"""A small installation with something behind every door, and everybody who may knock."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from core.accounts.service import connect
from core.blobs import blobs
from core.db import transaction
from core.delivery.models import Delivery, DeliveryState
from core.ids import new_id
from core.intake.models import Raw, RawState
from core.jobs.models import Job, JobState, Lane
from core.knowledge.articles import ArticleInput, save_article
from core.people.access import Scope
from core.people.accounts import audit, start_reset
from core.people.models import Role, Session
from core.people.visitors import open_visitor
from core.tickets.models import AttachmentRow, Author, Handoff
from core.tickets.replies import Reply, post_note, post_reply
from tests.factories import contacts, people, tickets
from tests.factories.accounts import account
from tests.factories.birds import song


@dataclass
class World:
    """Ids of what there is, and tokens of who there is."""

    ids: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    """Session tokens and API keys by name."""
    secrets: list[str] = field(default_factory=list)
    """What nobody but the right ones may ever find in an answer."""


async def seed() -> World:
    """Everything hangs on a ticket of a private team, whose contact is customer A."""
    world = World()
    mark = new_id().hex
    async with transaction() as session:
        pigeon = await account(session, "pigeon", password="swordfish-" + mark)
        mail = await connect(
            session, "email", "Support",
            {"address": f"help-{mark}@fernweh.example", "smtp_host": "127.0.0.1", "smtp_port": 1, "smtp_security": "none"},
            public_key=f"lab-{mark}",
        )  # fmt: skip
        widget = await connect(session, "chat_widget", "Chat", {}, public_key=f"chat-{mark}")
        await session.flush()
        admin = await people.user(session, Role.ADMIN, password=people.PASSWORD)
        member, outsider, victim = [await people.user(session) for _ in range(3)]
        owner_of_ticket = await contacts.contact(session)
        other = await contacts.contact(session)
        customer_a = await people.user(session, Role.CUSTOMER, contact_id=owner_of_ticket[0].id)
        customer_b = await people.user(session, Role.CUSTOMER, contact_id=other[0].id)
        team = await people.team(session, member, private=True)

        made = await tickets.ticket(
            session, pigeon, contact=owner_of_ticket, handoff=Handoff.REVIEW, team_id=team.id, text=f"question {mark}"
        )
        draft = await tickets.draft(session, made, f"draft {mark}")
        note = await post_note(
            session, made.ticket, author_id=member.id, author_name="Member", text=f"note notword{mark}"
        )
        reply = await post_reply(
            session, made.ticket, Reply(author=Author.AI, author_name="Robin", text=f"answer {mark}")
        )
        delivery = (await session.scalars(sa.select(Delivery).where(Delivery.message_id == reply.id))).one()
        delivery.state, delivery.doubtful = DeliveryState.HELD, True
        files = {}
        for name, message in (("attachment", made.message), ("note_attachment", note)):
            files[name] = AttachmentRow(
                id=new_id(), message_id=message.id, filename=f"{name}.txt", content_type="text/plain", size=4,
                sha256=hashlib.sha256(b"file").digest(), blob_key=await blobs().put(f"file {mark}".encode()), inline=False,
            )  # fmt: skip
            session.add(files[name])
        upload = AttachmentRow(
            id=new_id(), uploader_id=member.id, filename="upload.txt", content_type="text/plain", size=4,
            sha256=hashlib.sha256(b"file").digest(), blob_key=await blobs().put(f"file {mark}".encode()), inline=False,
        )  # fmt: skip
        session.add(upload)
        raw = Raw(
            id=new_id(), account_id=pigeon.id, external_id=f"raw-{mark}", order_key=f"tree-{mark}",
            body=song(), size=2, sha256=b"0" * 32, content_type="application/json", state=RawState.QUARANTINED,
            reason="malformed", error=f"raw {mark}",
        )  # fmt: skip
        dead = Job(id=new_id(), lane=Lane.BULK, name="knowledge.embed", args={"mark": mark}, state=JobState.DEAD)
        session.add_all([raw, dead])
        article = await save_article(
            session,
            ArticleInput(key=f"nests-{mark}", locale="en", title=f"Nests {mark}", body=f"How to build nests, {mark}."),
        )
        key, _ = await people.key(session, Role.AGENT)
        audit(session, f"user:{admin.id}", "seeded", f"thing:{mark}")
        for name, someone in (
            ("admin", admin), ("member", member), ("outsider", outsider),
            ("customer_a", customer_a), ("customer_b", customer_b), ("expired", admin),
        ):  # fmt: skip
            world.tokens[name] = await people.signed_in(session, someone)
        newest = sa.select(Session.id).where(Session.user_id == admin.id).order_by(Session.id.desc()).limit(1)
        await session.execute(
            sa.update(Session).where(Session.id.in_(newest)).values(expires_at=datetime.now(UTC) - timedelta(seconds=1))
        )
        _, world.tokens["revoked"] = await people.key(session, revoked=True)
        _, world.tokens["admin_key"] = await people.key(session)
        _, world.tokens["agent_key"] = await people.key(session, Role.AGENT)
        for scope in Scope:
            _, world.tokens[f"without {scope}"] = await people.key(session, scopes=[s for s in Scope if s is not scope])
        world.tokens["visitor"], visitor = await open_visitor(
            session, widget.id, token=None, name="Vera", language="en"
        )
        started = await start_reset(session, victim.email)
        assert started is not None
        world.tokens["reset"] = started[1]
        world.ids = {
            name: str(value)
            for name, value in {
                "ticket_id": made.ticket.id, "message_id": draft.id, "note_id": note.id, "contact_id": owner_of_ticket[0].id,
                "account_id": pigeon.id, "mail_account_id": mail.id, "widget_account_id": widget.id,
                "attachment_id": files["attachment"].id, "note_attachment_id": files["note_attachment"].id,
                "upload_id": upload.id, "article_id": article.id, "delivery_id": delivery.id, "raw_id": raw.id,
                "job_id": dead.id, "user_id": victim.id, "key_id": key.id, "team_id": team.id,
                "admin_email": admin.email, "public_key": f"chat-{mark}", "mark": mark, "conversation": visitor.conversation,
            }.items()
        }  # fmt: skip
        world.secrets = [str(made.ticket.id), mark]
    return world


async def snapshot(world: World) -> list[object]:
    """What would differ if a refused request had done something after all."""
    async with transaction() as session:
        return [
            (await session.execute(sa.text(f"SELECT count(*), max(xmin::text::bigint) FROM {table}"))).one()
            for table in (
                "tickets", "messages", "ticket_events", "attachments", "deliveries", "contacts", "identities",
                "channel_accounts", "articles", "raws", "jobs", "users", "teams",
            )
        ]  # fmt: skip
