"""Files are fetched from their provider's hosts alone, and never from inside the house."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from channels.contract import AuthFailed, Rejected, Retryable
from channels.egress import allowed, fetch

HOSTS = ("files.example", ".cdn.example")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.mark.parametrize(
    ("url", "ok"),
    [
        ("https://files.example/a", True),
        ("https://files.example:443/a", True),
        ("https://FILES.example./a", True),
        ("https://a.cdn.example/x", True),
        ("https://a.b.cdn.example/x", True),
        ("https://cdn.example/x", False),  # the suffix stands for names below it
        ("https://evilcdn.example/x", False),
        ("https://files.example.evil.example/x", False),
        ("http://files.example/a", False),
        ("https://files.example:8443/a", False),
        ("https://user:password@files.example/a", False),
        ("https://files.example@evil.example/a", False),
        ("https://evil.example/?files.example", False),
        ("https://127.0.0.1/a", False),
        ("file:///etc/passwd", False),
        ("https://[::1/a", False),
        ("", False),
    ],
)
def test_only_the_providers_own_hosts_are_allowed(url: str, ok: bool) -> None:
    assert allowed(url, HOSTS) is ok


def test_what_an_admin_has_configured_is_trusted_to_the_letter() -> None:
    assert allowed("http://127.0.0.1:8081/a", (), ("http://127.0.0.1:8081",))
    assert not allowed("http://127.0.0.1:8082/a", (), ("http://127.0.0.1:8081",))
    assert not allowed("https://127.0.0.1:8081/a", (), ("http://127.0.0.1:8081",))
    assert not allowed("http://user@127.0.0.1:8081/a", (), ("http://127.0.0.1:8081",))


@asynccontextmanager
async def _server(handler: Handler) -> AsyncIterator[str]:
    application = web.Application()
    application.router.add_get("/{path:.*}", handler)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def _all(url: str, trusted: str = "", *, limit: int = 1000, **more: object) -> bytes:
    pieces = fetch(url, hosts=HOSTS, trusted=(trusted,) if trusted else (), limit=limit, **more)  # type: ignore[arg-type]
    return b"".join([piece async for piece in pieces])


async def test_a_file_is_fetched_with_its_credentials() -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(body=request.headers["authorization"].encode())

    async with _server(handler) as origin:
        assert await _all(f"{origin}/a", origin, headers={"Authorization": "Bearer x"}) == b"Bearer x"


async def test_credentials_do_not_follow_a_redirect_to_another_origin() -> None:
    async def other(request: web.Request) -> web.Response:
        return web.Response(body=str(request.headers.get("authorization")).encode())

    async with _server(other) as elsewhere:

        async def handler(_request: web.Request) -> web.Response:
            return web.Response(status=302, headers={"Location": f"{elsewhere}/b"})

        async with _server(handler) as origin:
            pieces = fetch(
                f"{origin}/a", hosts=(), trusted=(origin, elsewhere), limit=100, headers={"Authorization": "Bearer x"}
            )
            assert b"".join([piece async for piece in pieces]) == b"None"


@pytest.mark.parametrize(
    "location", ["https://evil.example/", "http://127.0.0.1:1/", "file:///etc/passwd", "//evil.example/x"]
)
async def test_a_redirect_elsewhere_is_not_followed(location: str) -> None:
    async def handler(_request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": location})

    async with _server(handler) as origin:
        with pytest.raises(Rejected) as raised:
            await _all(f"{origin}/a", origin)
    assert raised.value.code == "media_host_refused"


async def test_redirects_that_never_end_are_given_up() -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": request.path + "a"})

    async with _server(handler) as origin:
        with pytest.raises(Rejected) as raised:
            await _all(f"{origin}/a", origin)
    assert raised.value.code == "media_host_refused"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "169.254.169.254",
        "192.168.1.1",
        "::1",
        "fd00::1",
        "::ffff:10.0.0.1",
        "0.0.0.0",
        "224.0.0.1",
    ],
)
async def test_a_name_that_leads_into_the_house_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As DNS rebinding would have it: the name is the provider's, the address is ours."""

    async def resolve(_self: object, host: str, port: int = 0, family: int = 0) -> list[dict[str, object]]:
        return [{"hostname": host, "host": address, "port": port, "family": family, "proto": 0, "flags": 0}]

    monkeypatch.setattr("aiohttp.ThreadedResolver.resolve", resolve)
    with pytest.raises(Rejected) as raised:
        await _all("https://files.example/a")
    assert raised.value.code == "media_host_refused"
    assert address not in str(raised.value)


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_file_that_is_too_large_is_left(chunked: bool) -> None:
    sent = 0

    async def handler(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        answer = web.StreamResponse(headers={} if chunked else {"Content-Length": str(200 * 2**20)})
        await answer.prepare(request)
        try:
            for _ in range(3200):
                await answer.write(bytes(65536))
                sent += 65536
        except ConnectionError:
            pass
        return answer

    async with _server(handler) as origin:
        with pytest.raises(Rejected) as raised:
            await _all(f"{origin}/a", origin, limit=1_000_000)
    assert raised.value.code == "media_too_large"
    assert sent < 50 * 2**20, "the rest was never taken"


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (401, AuthFailed, "auth_failed"), (403, AuthFailed, "auth_failed"), (404, Rejected, "media_gone"),
        (410, Rejected, "media_gone"), (418, Rejected, "media_refused"), (429, Retryable, "retryable"),
        (503, Retryable, "retryable"),
    ],
)  # fmt: skip
async def test_answers_become_the_right_errors(status: int, error: type[Exception], code: str) -> None:
    async def handler(_request: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Retry-After": "7"})

    async with _server(handler) as origin:
        with pytest.raises(error) as raised:
            await _all(f"{origin}/a", origin)
    assert getattr(raised.value, "code", None) == code
    if isinstance(raised.value, Retryable):
        assert raised.value.after == 7


async def test_a_server_that_is_away_is_tried_again() -> None:
    with pytest.raises(Retryable):
        await _all("http://127.0.0.1:1/a", "http://127.0.0.1:1")
