"""What a demo begins with: a help centre, a mailbox, a widget, a login. Safe to run again."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from app.demo.labs import lab_key
from core.accounts.models import ChannelAccount
from core.accounts.service import connect
from core.db import advisory_lock, transaction
from core.knowledge.importing import import_folder
from core.people.accounts import create_user
from core.people.models import Role, User
from core.settings import settings

HELP_CENTRE = Path(__file__).resolve().parent / "help_centre"
ADMIN = "admin@fernweh.example"
SUPPORT = "support@fernweh.example"
WIDGET_KEY = "demo"


@dataclass(frozen=True, slots=True)
class Login:
    email: str
    password: str


def login_file() -> Path:
    return settings().data / "keys" / "demo-login"


async def seed_demo() -> Login:
    """The demo's contents; returns the login made for this installation."""
    async with transaction() as session:
        await advisory_lock(session, "seed-demo")
        known = await session.scalar(sa.select(User.id).where(User.email == ADMIN))
        if known is None:
            password = "-".join(secrets.token_hex(3) for _ in range(3))
            await create_user(session, email=ADMIN, name="Ada Admin", role=Role.ADMIN, password=password)
            for email, name, role in (
                ("agnes@fernweh.example", "Agnes Agent", Role.AGENT),
                ("rosa@fernweh.example", "Rosa Reviewer", Role.REVIEWER),
            ):
                await create_user(session, email=email, name=name, role=role, password=password)
            path = login_file()
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
            path.write_text(password)
        if not await session.scalar(sa.select(ChannelAccount.id).where(ChannelAccount.public_key == lab_key("email"))):
            await connect(
                session,
                "email",
                "Support mailbox",
                {
                    "address": SUPPORT,
                    "display_name": settings().company,
                    "smtp_host": "127.0.0.1",
                    "smtp_security": "none",
                },
                public_key=lab_key("email"),
            )
        if not await session.scalar(sa.select(ChannelAccount.id).where(ChannelAccount.public_key == WIDGET_KEY)):
            await connect(session, "chat_widget", "Shop chat", {}, public_key=WIDGET_KEY)
    async for _progress in import_folder(HELP_CENTRE):
        pass
    return Login(ADMIN, login_file().read_text())
