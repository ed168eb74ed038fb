"""The demo's fake providers: one per channel that has a `Lab`, all in the gateway process.

Each has an account connected to it. The lab's pages reach them through a Unix socket below the data folder: the
web server and the gateway are two processes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import sqlalchemy as sa
from aiohttp import web
from pydantic import ValidationError

from channels import registry
from channels.contract import ChannelSpec
from channels.lab import Act, Lab, Misbehaviour, Refused
from core.accounts.models import ChannelAccount
from core.accounts.service import change, connect, context_of
from core.db import transaction
from core.errors import Invalid, NotFound, Unavailable
from core.settings import settings

log = logging.getLogger(__name__)

_FILES_MAX = 30 * 1024 * 1024
LAB_KEY = "lab-"
"""What the public keys of the labs' accounts begin with: it is how they are found again."""


def lab_key(channel: str) -> str:
    return f"{LAB_KEY}{channel}"


def _socket() -> Path:
    return settings().data / "run" / "labs.sock"


class Labs:
    """The running fake providers by the account that is connected to them."""

    def __init__(self) -> None:
        self.by_account: dict[UUID, Lab] = {}
        self.wrong: dict[UUID, Misbehaviour] = {}

    def of(self, request: web.Request) -> tuple[UUID, Lab]:
        try:
            account_id = UUID(request.match_info["account_id"])
            return account_id, self.by_account[account_id]
        except (KeyError, ValueError):
            raise web.HTTPNotFound from None

    async def act(self, request: web.Request) -> web.Response:
        _account_id, lab = self.of(request)
        try:
            act = Act.model_validate_json(await request.read())
            if act.verb not in lab.verbs:
                raise Refused(f"{act.verb.value} is not possible here")
            return web.json_response({"id": await lab.act(act)})
        except ValidationError as error:
            return web.json_response({"refused": str(error.errors()[0]["msg"])}, status=422)
        except Refused as refused:
            return web.json_response({"refused": str(refused)}, status=422)

    async def lines(self, request: web.Request) -> web.Response:
        _account_id, lab = self.of(request)
        found = lab.lines(request.query.get("who", ""))
        return web.json_response({"items": [line.model_dump(mode="json") for line in found]})

    async def about(self, request: web.Request) -> web.Response:
        account_id, lab = self.of(request)
        return web.json_response(
            {
                "address": lab.address,
                "verbs": sorted(lab.verbs),
                "misbehaviours": sorted(lab.misbehaviours),
                "misbehaviour": self.wrong.get(account_id, Misbehaviour.NONE),
            }
        )

    async def misbehave(self, request: web.Request) -> web.Response:
        account_id, lab = self.of(request)
        how = Misbehaviour((await request.json())["mode"])
        if how not in lab.misbehaviours:
            return web.json_response({"refused": f"{how.value} is not possible here"}, status=422)
        lab.misbehave(how)
        self.wrong[account_id] = how
        return web.json_response({"mode": how})


async def serve_labs(ready: asyncio.Event) -> None:
    """Runs until cancelled; sets `ready` once every provider answers."""
    labs = Labs()
    async with AsyncExitStack() as stack:
        for spec in registry.specs().values():
            if spec.lab is not None:
                account_id, lab = await _start(stack, spec)
                labs.by_account[account_id] = lab
        await _serve(stack, labs)
        log.info("%d labs", len(labs.by_account))
        ready.set()
        await asyncio.Event().wait()


async def _start(stack: AsyncExitStack, spec: ChannelSpec) -> tuple[UUID, Lab]:
    assert spec.lab is not None
    lab: Lab = registry.load(spec.lab)(settings().data / "demo" / spec.id)
    lab.folder.mkdir(parents=True, exist_ok=True)
    await lab.start()
    stack.push_async_callback(lab.stop)
    lab.server_at(settings().smtp_host, settings().smtp_port)
    async with transaction() as session:
        account = await session.scalar(
            sa.select(ChannelAccount).where(ChannelAccount.public_key == lab_key(spec.id)).with_for_update()
        )
        if account is None:
            name = f"{spec.title} (lab)"
            account = await connect(session, spec.id, name, lab.connection(), public_key=lab_key(spec.id))
        elif any(dict(account.settings).get(name) != value for name, value in _shown(lab).items()):
            await change(session, account, values=lab.connection())
        hook = context_of(account).hook_url
        account_id = account.id
    lab.hooks_at(hook)
    return account_id, lab


def _shown(lab: Lab) -> Mapping[str, Any]:
    """What the account says of its provider in the clear: its addresses, which change with every start."""
    return {name: value for name, value in lab.connection().items() if name.endswith(("_url", "_port", "_host"))}


async def _serve(stack: AsyncExitStack, labs: Labs) -> None:
    application = web.Application(client_max_size=_FILES_MAX)
    application.add_routes(
        [
            web.get("/{account_id}", labs.about),
            web.post("/{account_id}/acts", labs.act),
            web.get("/{account_id}/lines", labs.lines),
            web.post("/{account_id}/misbehaviour", labs.misbehave),
        ]
    )
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    path = _socket()
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    await web.UnixSite(runner, str(path)).start()


# -------------------------------------------------------------------------------------------- from the web server


@asynccontextmanager
async def _client() -> AsyncIterator[aiohttp.ClientSession]:
    """Raises Unavailable where the gateway does not run."""
    connector = aiohttp.UnixConnector(str(_socket()))
    timeout = aiohttp.ClientTimeout(total=20)
    try:
        async with aiohttp.ClientSession("http://labs", connector=connector, timeout=timeout) as client:
            yield client
    except (aiohttp.ClientConnectionError, TimeoutError):
        raise Unavailable("lab_away", "the lab's providers do not answer; try again in a moment") from None


async def ask(account_id: UUID, path: str = "", **query: str) -> dict[str, Any]:
    """Raises NotFound, Unavailable."""
    async with _client() as client, client.get(f"/{account_id}{path}", params=query) as answer:
        return await _understood(answer)


async def tell(account_id: UUID, path: str, body: str) -> dict[str, Any]:
    """Raises NotFound, Invalid with the provider's reason, Unavailable."""
    headers = {"content-type": "application/json"}
    async with _client() as client, client.post(f"/{account_id}{path}", data=body, headers=headers) as answer:
        return await _understood(answer)


async def _understood(answer: aiohttp.ClientResponse) -> dict[str, Any]:
    if answer.status == 404:
        raise NotFound("channel_not_found", "this account has no lab")
    found: dict[str, Any] = await answer.json()
    if answer.status == 422:
        raise Invalid("lab_refused", found["refused"])
    return found
