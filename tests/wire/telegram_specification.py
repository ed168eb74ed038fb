"""The Bot API as its own reference declares it, and a judge that stands between the official client and the fake.

The reference is a list of methods and types. Everything it says of shapes is checked: required fields, unknown fields,
types, arrays, unions, nested objects, files that are referred to and files that nobody refers to.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import policy
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

_ARRAY = "Array of "
_TRUTH = {"true": True, "false": False}


class Specification:
    def __init__(self, published: Path) -> None:
        data = json.loads(published.read_text("utf-8"))
        self.version: str = data["version"]
        self.methods: dict[str, Any] = data["methods"]
        self.types: dict[str, Any] = data["types"]

    # ------------------------------------------------------------------ values

    def wrong(self, value: Any, types: list[str], path: str) -> list[str]:
        """What is wrong with a value that is to be one of `types`; empty where nothing is."""
        closest: list[str] | None = None
        for one in types:
            found = self._wrong_as(value, one, path)
            if not found:
                return []
            if closest is None or len(found) < len(closest):
                closest = found
        return closest or [f"{path}: no type is declared"]

    def _wrong_as(self, value: Any, type_: str, path: str) -> list[str]:
        if type_.startswith(_ARRAY):
            if not isinstance(value, list):
                return [f"{path}: {type(value).__name__} is no {type_}"]
            inner = type_.removeprefix(_ARRAY)
            return [one for at, item in enumerate(value) for one in self._wrong_as(item, inner, f"{path}[{at}]")]
        match type_:
            case "Integer":
                fits = isinstance(value, int) and not isinstance(value, bool)
            case "Float":
                fits = isinstance(value, (int, float)) and not isinstance(value, bool)
            case "Boolean":
                fits = isinstance(value, bool)
            case "String":
                fits = isinstance(value, str)
            case _:
                return self._wrong_object(value, self.types[type_], path)
        return [] if fits else [f"{path}: {value!r:.60} is no {type_}"]

    def _wrong_object(self, value: Any, declared: Mapping[str, Any], path: str) -> list[str]:
        if "subtypes" in declared:
            return self.wrong(value, declared["subtypes"], path)
        if not isinstance(value, dict):
            return [f"{path}: {value!r:.60} is no {declared['name']}"]
        fields = {one["name"]: one for one in declared.get("fields", ())}
        found = [f"{path}.{name}: {declared['name']} has no such field" for name in value if name not in fields]
        for name, one in fields.items():
            if name in value:
                found += self.wrong(value[name], one["types"], f"{path}.{name}")
            elif one["required"]:
                found.append(f"{path}.{name}: {declared['name']} needs it")
        return found

    # ------------------------------------------------------------------ requests, answers, updates

    def wrong_request(self, method: str, given: Mapping[str, str], files: set[str]) -> list[str]:
        """Of a request as a form: texts by name, with JSON in them for objects and arrays, and the names of its files."""
        if method not in self.methods:
            return [f"{method}: there is no such method"]
        fields = {one["name"]: one for one in self.methods[method].get("fields", ())}
        found, used = [], set()
        for name, value in given.items():
            if name not in fields:
                found.append(f"{method}.{name}: there is no such parameter")
                continue
            decoded = _decoded(value, fields[name]["types"])
            used |= {one.removeprefix("attach://") for one in _texts(decoded) if one.startswith("attach://")}
            found += self.wrong(
                decoded, [one for one in fields[name]["types"] if one != "InputFile"], f"{method}.{name}"
            )
        for name in files - used:
            if "InputFile" not in fields.get(name, {"types": ()})["types"]:
                found.append(f"{method}.{name}: a file that nothing refers to")
        found += [f"{method}: the file {name} is not there" for name in used - files]
        found += [
            f"{method}.{name}: it is needed"
            for name, one in fields.items()
            if one["required"] and name not in given and name not in files
        ]
        return found

    def wrong_call(self, call: Mapping[str, Any]) -> list[str]:
        """Of a request that stands in a webhook's answer as an object."""
        method = str(call.get("method"))
        if method not in self.methods:
            return [f"{method}: there is no such method"]
        given = {name: value for name, value in call.items() if name != "method"}
        return self._wrong_object(given, {"name": method, **self.methods[method]}, method)

    def wrong_answer(self, method: str, status: int, answer: Any) -> list[str]:
        if not isinstance(answer, dict) or not isinstance(answer.get("ok"), bool):
            return [f"{method}: the answer does not say whether it is ok"]
        if answer["ok"]:
            strange = sorted(set(answer) - {"ok", "result", "description"})
            found = [f"{method}: an answer has no {name}" for name in strange]
            if status != 200:
                found.append(f"{method}: ok, with status {status}")
            return [*found, *self.wrong(answer.get("result"), self.methods[method]["returns"], f"{method}→")]
        found = [
            f"{method}: a refusal has no {name}"
            for name in sorted(set(answer) - {"ok", "error_code", "description", "parameters"})
        ]
        found += self.wrong(answer.get("error_code"), ["Integer"], f"{method}→error_code")
        found += self.wrong(answer.get("description"), ["String"], f"{method}→description")
        if "parameters" in answer:
            found += self.wrong(answer["parameters"], ["ResponseParameters"], f"{method}→parameters")
        return found if answer.get("error_code") == status else [*found, f"{method}: status {status} differs"]

    def wrong_update(self, update: Any) -> list[str]:
        found = self.wrong(update, ["Update"], "update")
        if not found and len(update) != 2:
            found.append("update: exactly one thing has happened")
        return found


def _decoded(value: str, types: list[str]) -> Any:
    """What a form's text stands for, by what may be there."""
    for one in types:
        if one in ("String", "InputFile"):
            continue
        if one == "Boolean":
            if value in _TRUTH:
                return _TRUTH[value]
            continue
        try:
            return json.loads(value)
        except ValueError:
            continue
    return value


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)


@dataclass
class Judge:
    """Passes requests on to the fake, if they are right, and its answers back, if they are."""

    specification: Specification
    target: str
    url: str = ""
    wrong: list[str] = field(default_factory=list)
    passed: set[str] = field(default_factory=set)
    """Methods of which a request and its answer were right."""
    refusals: set[int] = field(default_factory=set)
    """The codes of the refusals that were right in shape."""
    spoil: Any = None
    """`spoil(method, answer)` gives another answer: what a wrong fake would say."""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        method = request.match_info["method"]
        given, files = await _form(request, body)
        if problems := self.specification.wrong_request(method, given, files):
            self.wrong += problems
            return web.json_response({"ok": False, "error_code": 422, "description": problems[0]}, status=422)
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                request.method,
                f"{self.target}{request.rel_url}",
                data=body,
                headers={"Content-Type": request.headers.get("Content-Type", "")},
            ) as answered,
        ):
            status, answer = answered.status, await answered.json()
        if self.spoil is not None:
            answer = self.spoil(method, answer)
        if problems := self.specification.wrong_answer(method, status, answer):
            self.wrong += problems
            return web.json_response({"ok": False, "error_code": 500, "description": problems[0]}, status=500)
        if answer["ok"]:
            self.passed.add(method)
        else:
            self.refusals.add(answer["error_code"])
        return web.json_response(answer, status=status)

    async def file(self, request: web.Request) -> web.Response:
        async with aiohttp.ClientSession() as session, session.get(f"{self.target}{request.rel_url}") as answered:
            return web.Response(status=answered.status, body=await answered.read())


async def _form(request: web.Request, body: bytes) -> tuple[dict[str, str], set[str]]:
    """The texts and the names of the files of a request, read apart from the fake."""
    given, files = dict(request.query), set[str]()
    kind = request.content_type
    if kind == "application/x-www-form-urlencoded":
        return {**given, **{name: str(value) for name, value in (await request.post()).items()}}, files
    if kind == "multipart/form-data":
        head = f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode()
        for part in BytesParser(policy=policy.HTTP).parsebytes(head + body).iter_parts():
            disposition = part["Content-Disposition"].params
            if "filename" in disposition:
                files.add(disposition["name"])
            else:
                given[disposition["name"]] = (part.get_payload(decode=True) or b"").decode()
        return given, files
    if body:
        raise web.HTTPUnsupportedMediaType
    return given, files


@asynccontextmanager
async def judging(specification: Specification, target: str) -> AsyncIterator[Judge]:
    judge = Judge(specification, target)
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_route("*", "/bot{token}/{method}", judge.handle)
    app.router.add_get("/file/bot{token}/{path:.+}", judge.file)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    judge.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield judge
    finally:
        await runner.cleanup()
