"""Container Apps as processes behind the lock that the stack declares."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import anyio
import httpx
import pytest

from tests.children import free_port
from tests.tokens import ISSUER, TestIssuer
from twin.azure.cloud import Cloud
from twin.azure.container_app import ContainerApp, container_apps
from twin.builtin_auth import BuiltInAuth
from twin.clock import Clock
from twin.containers import CannotRunError, Container, command_of
from twin.stack import evaluate

GATEWAY = "11111111-1111-1111-1111-111111111111"
SERVER = r"""
import http.server, os, select, sys, threading
go_on, gone = threading.Event(), threading.Event()
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
    def stream(self):
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.chunk(b"data: first\n\n")
        while not go_on.wait(0.01):
            if select.select([self.connection], [], [], 0)[0]:
                return gone.set()
        if not self.path.endswith("?broken"):
            self.chunk(b"data: second\n\n")
            self.chunk(b"")
    def do_GET(self):
        if self.path.startswith("/events"):
            return self.stream()
        if self.path == "/gone" and not gone.wait(10):
            return self.send_error(408)
        if self.path == "/exit":
            print("out of memory", flush=True)
            os._exit(3)
        text = os.environ.get("GREETING", "") + self.path + os.getcwd()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/go-on":
            go_on.set()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@pytest.fixture(scope="module")
def issuer() -> TestIssuer:
    return TestIssuer()


@pytest.fixture(scope="module")
def auth(serve, issuer: TestIssuer) -> Iterator[BuiltInAuth]:
    with serve(issuer.app) as keys:
        yield BuiltInAuth(
            issuer=ISSUER,
            jwks_url=f"{keys}/keys",
            audiences=frozenset({"app"}),
            identities=frozenset({GATEWAY}),
        )


@pytest.fixture
def app(auth: BuiltInAuth) -> ContainerApp:
    return ContainerApp(
        name="echo",
        backend="echo",
        host="echo.example",
        image="example.com/echo:1",
        command=(),
        args=(),
        env={"GREETING": "hello "},
        auth=auth,
        local_command=(sys.executable, "-c", SERVER, "{port}"),
    )


@asynccontextmanager
async def running(
    app: ContainerApp, folder: Path, tell: Callable[[str], object] = print, pause: float = 60
) -> AsyncGenerator[tuple[Container, httpx.AsyncClient]]:
    container = Container(app, port=free_port(), folder=folder, clock=Clock(), tell=tell, pause=pause)
    try:
        await container.start()
        await container.settle()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{container.port}", timeout=20) as client:
            yield container, client
    finally:
        await container.stop()


def token(issuer: TestIssuer, **changes: object) -> dict[str, str]:
    now = int(Clock().now())
    claims = {"iss": ISSUER, "aud": "app", "oid": GATEWAY, "nbf": now, "exp": now + 600}
    return {"Authorization": f"Bearer {issuer.sign(claims | changes)}"}


def test_the_gateways_identity_alone_comes_in(app, issuer, tmp_path) -> None:
    async def check() -> None:
        async with running(app, tmp_path / "echo") as (container, client):
            assert container.problem is None
            assert (await client.get("/mcp")).status_code == 401
            user = token(issuer, aud="https://gateway.example/mcp")
            assert (await client.get("/mcp", headers=user)).status_code == 401
            another = token(issuer, oid="22222222-2222-2222-2222-222222222222")
            assert (await client.get("/mcp", headers=another)).status_code == 403
            answer = await client.get("/mcp?a=%2f", headers=token(issuer))
            assert answer.status_code == 200
            assert answer.text == f"hello /mcp?a=%2f{tmp_path / 'echo'}"
            posted = await client.post("/mcp", content=b"x" * 300_000, headers=token(issuer))
            assert posted.content == b"x" * 300_000

    anyio.run(check)


async def go_on(client: httpx.AsyncClient, issuer: TestIssuer) -> None:
    await client.post("/go-on", content=b"x", headers=token(issuer))


def test_an_event_arrives_before_the_server_has_another(app, issuer, tmp_path) -> None:
    async def check() -> None:
        async with (
            running(app, tmp_path / "echo") as (_, client),
            client.stream("GET", "/events", headers=token(issuer)) as stream,
        ):
            pieces = stream.aiter_text()
            assert await anext(pieces) == "data: first\n\n"
            await go_on(client, issuer)
            assert [piece async for piece in pieces] == ["data: second\n\n"]

    anyio.run(check)


def test_a_caller_that_goes_away_ends_the_servers_stream(app, issuer, tmp_path) -> None:
    async def check() -> None:
        async with running(app, tmp_path / "echo") as (_, client):
            async with client.stream("GET", "/events", headers=token(issuer)) as stream:
                await anext(stream.aiter_text())
            assert (await client.get("/gone", headers=token(issuer))).status_code == 200

    anyio.run(check)


def test_a_stream_that_breaks_off_does_not_look_finished(app, issuer, tmp_path) -> None:
    async def check() -> None:
        async with (
            running(app, tmp_path / "echo") as (_, client),
            client.stream("GET", "/events?broken", headers=token(issuer)) as stream,
        ):
            pieces = stream.aiter_text()
            assert await anext(pieces) == "data: first\n\n"
            await go_on(client, issuer)
            with pytest.raises(httpx.RemoteProtocolError):
                await anext(pieces)

    anyio.run(check)


def test_a_crash_is_told_with_what_it_said_and_answered_with_503(app, issuer, tmp_path) -> None:
    async def check() -> None:
        told: asyncio.Queue[str] = asyncio.Queue()
        async with running(app, tmp_path / "echo", told.put_nowait) as (container, client):
            with anyio.fail_after(20):
                with suppress(httpx.HTTPError):
                    await client.get("/exit", headers=token(issuer))
                said = await told.get()
            assert "echo ended with status 3" in said
            assert "out of memory" in said
            answer = await client.get("/", headers=token(issuer))
            assert (answer.status_code, answer.json()) == (503, {"error": container.problem})
            assert "out of memory" not in answer.text
            assert (await client.get("/")).status_code == 401

    anyio.run(check)


def test_a_server_that_crashed_is_started_again(app, issuer, tmp_path) -> None:
    async def check() -> None:
        told: asyncio.Queue[str] = asyncio.Queue()
        async with running(app, tmp_path / "echo", told.put_nowait, pause=0) as (container, client):
            with anyio.fail_after(30):
                for _ in range(2):
                    assert (await client.get("/exit", headers=token(issuer))).status_code == 503
                    assert "it is started again" in await told.get()
                    # Callers wait for a process that starts, and hear 503 only until it does.
                    while (await client.get("/", headers=token(issuer))).status_code == 503:
                        assert container.problem is None or "started again" in container.problem

    anyio.run(check)


def test_a_stop_leaves_no_process(app, tmp_path) -> None:
    async def check() -> int:
        async with running(app, tmp_path / "echo") as (container, _):
            assert container._running is not None
            pid = container._running.pid
            os.kill(pid, 0)
        return pid

    pid = anyio.run(check)
    with pytest.raises(ProcessLookupError):
        os.killpg(pid, 0)


def test_an_image_that_nobody_knows_is_503_with_what_to_add(app, issuer, tmp_path) -> None:
    async def check() -> None:
        unknown = replace(app, local_command=())
        async with running(unknown, tmp_path / "echo") as (container, client):
            assert container.problem is not None
            assert "does not know the image example.com/echo:1" in container.problem
            assert "local:" in container.problem
            answer = await client.get("/", headers=token(issuer))
            assert (answer.status_code, answer.json()["error"]) == (503, container.problem)

    anyio.run(check)


def test_a_program_that_is_not_there_is_named(app, tmp_path) -> None:
    missing = replace(app, local_command=("no-such-program",))
    with pytest.raises(CannotRunError, match="no program 'no-such-program'"):
        command_of(missing, port=1, folder=tmp_path)


def test_the_stack_says_what_runs_and_who_comes_in() -> None:
    local = {
        "local": "true",
        "entraAuthority": "http://localhost:1",
        "backends": '["functions", "slack"]',
    }
    stack = evaluate(local, cloud=Cloud(gateway_url="http://localhost:8000"))
    apps = {app.name: app for app in container_apps(stack)}
    assert set(apps) == {"slack-http", "slack-sse"}
    http = apps["slack-http"]
    assert http.backend == "slack"
    assert http.args == ("--transport", "http")
    assert http.env["SLACK_MCP_XOXB_TOKEN"] == "xoxb-twin"
    assert http.host.startswith(stack.one("app:ContainerApp", "slack-http").outputs["name"])
    assert http.auth is not None
    assert len(http.auth.identities) == 1
    assert "xoxb" not in repr(http)
