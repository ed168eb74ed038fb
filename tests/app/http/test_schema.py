"""The API against its own document: generated requests on seeded ids never break it, and answers are as documented."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import hypothesis
import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.http.main import create_app
from tests.app.http.conftest import bearer
from tests.app.http.world import World, seed

CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 15
"""Generated requests per operation and key, two thirds of them valid by the document."""
NO_PROVIDER = {
    "GET /api/v1/lab/channels",
    "GET /api/v1/lab/{account_id}/lines",
    "POST /api/v1/lab/{account_id}/acts",
    "POST /api/v1/lab/{account_id}/misbehaviour",
}
"""The lab's providers run in a process of their own; here it answers honestly with 503."""
UNREACHABLE = NO_PROVIDER | {
    "POST /api/v1/tickets/{ticket_id}/requester",  # no message of this world was forwarded
    "DELETE /api/v1/session",  # a key has no session
    "POST /api/v1/session",  # passwords cannot be guessed
    "POST /api/v1/channels/{account_id}/authorise",  # the accounts here have passwords
    "GET /api/v1/oauth/callback",  # answers with the way to a page
}


@dataclass
class Served:
    """The application behind a real socket, and a way to run coroutines beside it."""

    url: str
    loop: asyncio.AbstractEventLoop

    def seed(self) -> World:
        return asyncio.run_coroutine_threadsafe(seed(), self.loop).result(60)


@pytest.fixture
def served(environment: dict[str, str], sky: object) -> Iterator[Served]:
    server = uvicorn.Server(
        uvicorn.Config(
            create_app, factory=True, host="127.0.0.1", port=0, log_config=None, lifespan="on", loop="asyncio"
        )
    )
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=lambda: loop.run_until_complete(server.serve()), daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started:
        assert time.monotonic() < deadline, "the application does not start"
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield Served(f"http://127.0.0.1:{port}", loop)
    server.should_exit = True
    thread.join(30)
    loop.close()


def _seeded(case: Any, world: World) -> None:
    """Puts ids that exist in the place of invented ones."""
    ids = dict(world.ids)
    if "/lab/" in case.operation.path:
        ids["account_id"] = ids["mail_account_id"]
    known = {**ids, "language": "en", "domain": "inbox"}
    for name in case.path_parameters or {}:
        case.path_parameters[name] = known[name]
    body = case.body
    if not isinstance(body, dict):
        return
    fitting = {
        "token": world.tokens["reset"],
        "account_id": ids["account_id"], "assignee_id": ids["user_id"], "team_id": ids["team_id"],
        "contact_id": ids["contact_id"], "to_message_id": None, "message_id": None, "version": None,
        "attachment_ids": [],
    }  # fmt: skip
    for name, value in fitting.items():
        if name in body:
            body[name] = value
    if "channel" in body and "settings" in body:
        body |= {"channel": "raven", "settings": {"nest": "elm"}}
    elif "settings" in body:
        body["settings"] = {"nest": "elm"}
    if "cc" in body or "bcc" in body:
        body |= {"cc": ["robin"], "bcc": []}
    if body.get("email") is not None:
        body["email"] = f"x{abs(hash(str(body)))}@house.example"
    if "password" in body:
        body["password"] = "long enough for anybody"
    if "identities" in body:
        body["identities"] = []
    if "body" in body and "locale" in body:
        body |= {"locale": "en", "body": f"Some text. {body['body']}"}


def _knock(world: World, who: str, mode: GenerationMode, statuses: set[int]) -> Callable[[Any], None]:
    """One request, and everything that its answer must be."""

    def knock(case: Any) -> None:
        if mode is GenerationMode.POSITIVE:
            _seeded(case, world)
        response = case.call(headers=bearer(world.tokens[who]))
        statuses.add(response.status_code)
        case.validate_response(response, checks=CHECKS)

    return knock


def _generated(strategy: Any, examples: int, knock: Callable[[Any], None]) -> None:
    @settings(
        max_examples=examples, derandomize=True, database=None, deadline=None,
        suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate],
    )  # fmt: skip
    @given(case=strategy)
    def run(case: Any) -> None:
        knock(case)

    run()


@pytest.mark.timeout(240)
@pytest.mark.parametrize("who", ["admin_key", "agent_key"])
def test_generated_requests_get_documented_answers(served: Served, who: str) -> None:
    schema = schemathesis.openapi.from_url(f"{served.url}/api/v1/openapi.json")
    answers: dict[str, set[int]] = defaultdict(set)
    failures: list[str] = []
    operations = [result.ok() for result in schema.get_all_operations()]
    for operation in operations:
        name = f"{operation.method.upper()} {operation.path}"
        world = served.seed()
        for mode, examples in (
            (GenerationMode.POSITIVE, EXAMPLES * 2 // 3),
            (GenerationMode.NEGATIVE, EXAMPLES - EXAMPLES * 2 // 3),
        ):
            try:
                strategy = operation.as_strategy(generation_mode=mode)
                _generated(strategy, examples, _knock(world, who, mode, answers[name]))
            except hypothesis.errors.Unsatisfiable:
                assert mode is GenerationMode.NEGATIVE, name  # an operation without parameters has no wrong ones
            except BaseExceptionGroup as group:
                failures.append(f"{name}: {[str(error)[:1500] for error in group.exceptions]}")
            except Exception as error:
                failures.append(f"{name}: {type(error).__name__} {str(error)[:1500]}")
    reached = {name for name, statuses in answers.items() if any(200 <= status < 300 for status in statuses)}
    assert failures == [], "\n\n".join(failures)
    broken = {name: statuses for name, statuses in answers.items() if any(status >= 500 for status in statuses)}
    assert broken.keys() <= NO_PROVIDER, broken
    assert not any(500 in statuses for statuses in broken.values())
    assert set(answers) == {f"{op.method.upper()} {op.path}" for op in operations}
    if who == "admin_key":
        missed = set(answers) - reached
        assert missed <= UNREACHABLE, {name: answers[name] for name in missed - UNREACHABLE}
        assert len(reached) >= 0.8 * len(answers)
    else:
        assert len(reached) >= 22, "an agent may do about half of it"
