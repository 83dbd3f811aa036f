"""Container Apps as processes behind the built-in authentication that the stack declares."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path

import anyio
import httpx
import pytest

from apim.readings import Readings
from tests.children import free_port
from tests.stacks import FUNCTIONS_ONLY
from tests.tokens import ISSUER, TestIssuer
from twin import process
from twin.azure.cloud import Cloud
from twin.builtin_auth import BuiltInAuth
from twin.clock import Clock
from twin.containers import Container, command_of
from twin.gateway_plan import LOCAL
from twin.notices import Notice, Notify
from twin.plan import Options, Plan, create_plan
from twin.ports import LOOPBACK, Address
from twin.process import is_listening
from twin.server_process import CannotRunError, State
from twin.shared_readings import SharedReadings
from twin.stack import PROJECT, StackError, evaluate
from twin.state import StateFolder
from twin.translation.container_app import ContainerApp, container_apps

linux = pytest.mark.skipif(
    sys.platform != "linux", reason="other systems have one address on the loopback interface"
)
GATEWAY = "11111111-1111-1111-1111-111111111111"
SERVER = r"""
import http.server, json, os, select, sys, threading
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
        if self.path == "/gone" and not gone.wait(60):
            return self.send_error(408)
        if self.path == "/headers":
            return self.show({name.lower(): value for name, value in self.headers.items()})
        if self.path == "/process":
            return self.show({"folder": os.getcwd(), "environment": dict(os.environ)})
        if self.path == "/refuse":
            return self.reply(int(os.environ["STATUS"]), os.environ["REFUSAL"])
        if self.path == "/broken-refusal":
            self.close_connection = True
            self.send_response(int(os.environ["STATUS"]))
            self.send_header("Content-Length", "100")
            self.end_headers()
            return self.wfile.write(b"Forbidden")
        if self.path == "/exit":
            print("out of memory", flush=True)
            os._exit(3)
        self.reply(200, os.environ.get("GREETING", "") + self.path)
    def show(self, value):
        self.reply(200, json.dumps(value))
    def reply(self, status, text):
        self.send_response(status)
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
http.server.ThreadingHTTPServer((os.environ["HOST"], int(sys.argv[1])), Handler).serve_forever()
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
        azure_name="echo-http",
        backend="echo",
        host="echohttppublic.example",
        image="example.com/echo:1",
        command=(),
        args=(),
        env={"GREETING": "hello "},
        auth=auth,
        local_command=(sys.executable, "-c", SERVER, "{port}"),
    )


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    with StateFolder(tmp_path_factory.mktemp("plan") / "state") as state:
        return create_plan(Options(config=FUNCTIONS_ONLY, state=state.path), state)


@asynccontextmanager
async def running(
    app: ContainerApp,
    folder: Path,
    notify: Notify = print,
    pause: float = 60,
    readings: SharedReadings | None = None,
) -> AsyncGenerator[tuple[Container, httpx.AsyncClient]]:
    container = Container(
        app,
        port=free_port(),
        folder=folder,
        clock=Clock(),
        notify=notify,
        pause=pause,
        readings=readings,
    )
    try:
        await container.open()
        await container.start()
        await container.process.wait_for_start()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{container.port}", timeout=60) as client:
            yield container, client
    finally:
        await container.stop()


def token(issuer: TestIssuer, **changes: object) -> dict[str, str]:
    now = int(Clock().now())
    claims = {"iss": ISSUER, "aud": "app", "oid": GATEWAY, "nbf": now, "exp": now + 600}
    return {"Authorization": f"Bearer {issuer.sign(claims | changes)}"}


def address_of(container: Container) -> Address:
    """The address at which the process of a container listens."""
    target = container.process.target()
    assert isinstance(target, Address)
    return target


def test_only_the_gateways_identity_is_admitted(app, issuer, tmp_path) -> None:
    async def check() -> None:
        async with running(app, tmp_path) as (container, client):
            assert container.process.state is State.READY
            assert (await client.get("/mcp")).status_code == 401
            user = token(issuer, aud="https://gateway.example/mcp")
            assert (await client.get("/mcp", headers=user)).status_code == 401
            another = token(issuer, oid="22222222-2222-2222-2222-222222222222")
            assert (await client.get("/mcp", headers=another)).status_code == 403
            answer = await client.get("/mcp?a=%2f", headers=token(issuer))
            assert answer.status_code == 200
            assert answer.text == "hello /mcp?a=%2f"
            posted = await client.post("/mcp", content=b"x" * 300_000, headers=token(issuer))
            assert posted.content == b"x" * 300_000

    anyio.run(check)


async def continue_server(client: httpx.AsyncClient, issuer: TestIssuer) -> None:
    await client.post("/go-on", content=b"x", headers=token(issuer))


def test_an_event_arrives_before_the_next_one_is_sent(app, issuer, tmp_path) -> None:
    async def check() -> None:
        async with (
            running(app, tmp_path) as (_, client),
            client.stream("GET", "/events", headers=token(issuer)) as stream,
        ):
            pieces = stream.aiter_text()
            assert await anext(pieces) == "data: first\n\n"
            await continue_server(client, issuer)
            assert [piece async for piece in pieces] == ["data: second\n\n"]

    anyio.run(check)


def test_the_servers_stream_ends_when_the_caller_disconnects(app, issuer, tmp_path) -> None:
    async def check() -> None:
        async with running(app, tmp_path) as (_, client):
            async with client.stream("GET", "/events", headers=token(issuer)) as stream:
                await anext(stream.aiter_text())
            assert (await client.get("/gone", headers=token(issuer))).status_code == 200

    anyio.run(check)


def test_an_incomplete_stream_does_not_look_complete(app, issuer, tmp_path) -> None:
    async def check() -> None:
        async with (
            running(app, tmp_path) as (_, client),
            client.stream("GET", "/events?broken", headers=token(issuer)) as stream,
        ):
            pieces = stream.aiter_text()
            assert await anext(pieces) == "data: first\n\n"
            await continue_server(client, issuer)
            with pytest.raises(httpx.RemoteProtocolError):
                await anext(pieces)

    anyio.run(check)


def test_callers_get_503_with_retry_after_while_a_server_starts(app, issuer, tmp_path) -> None:
    async def check() -> None:
        notices: asyncio.Queue[Notice] = asyncio.Queue()
        container = Container(
            app, port=free_port(), folder=tmp_path, clock=Clock(), notify=notices.put_nowait
        )
        url = f"http://127.0.0.1:{container.port}/"
        try:
            await container.open()
            async with httpx.AsyncClient() as client:
                answer = await client.get(url, headers=token(issuer))
                assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
                assert answer.json() == {
                    "error": "temporarily_unavailable",
                    "error_description": "echo is starting. Try again in a few seconds.",
                }
                assert (await client.get(url)).status_code == 401
                await container.start()
                with anyio.fail_after(60):
                    ready = await notices.get()
                assert ready.text.startswith("echo is ready (")
                assert not ready.warning
                assert (await client.get(url, headers=token(issuer))).status_code == 200
        finally:
            await container.stop()

    anyio.run(check)


def test_a_server_that_does_not_start_is_reported_with_its_last_lines_and_the_remedy(
    app, issuer, tmp_path
) -> None:
    async def check() -> None:
        notices: asyncio.Queue[Notice] = asyncio.Queue()
        failing = replace(
            app, local_command=(sys.executable, "-c", "import sys; sys.exit('no key: hunter2')")
        )
        async with running(failing, tmp_path, notices.put_nowait) as (container, client):
            notice = notices.get_nowait()
            assert notice.warning
            assert "echo ended with status 1. Its last lines:\n  no key: hunter2\n" in notice.text
            assert "python -m twin restart echo" in notice.text
            assert container.process.state is State.FAILED
            answer = await client.get("/", headers=token(issuer))
            assert answer.status_code == 503
            assert "Retry-After" not in answer.headers
            assert answer.json()["error_description"] == "echo ended with status 1"

    anyio.run(check)


def test_a_crash_is_reported_with_the_last_lines_and_requests_get_503(app, issuer, tmp_path) -> None:
    async def check() -> None:
        notices: asyncio.Queue[Notice] = asyncio.Queue()
        async with running(app, tmp_path, notices.put_nowait) as (container, client):
            with anyio.fail_after(60):
                assert "ready" in (await notices.get()).text
                with suppress(httpx.HTTPError):
                    await client.get("/exit", headers=token(issuer))
                crash = await notices.get()
            assert crash.warning
            assert "echo ended with status 3; it will be restarted in 60 s" in crash.text
            assert "out of memory" in crash.text
            answer = await client.get("/", headers=token(issuer))
            assert answer.status_code == 503
            assert answer.json()["error_description"] == container.process.problem
            assert 2 < int(answer.headers["Retry-After"]) <= 62
            assert "out of memory" not in answer.text
            assert (await client.get("/")).status_code == 401

    anyio.run(check)


def test_a_server_that_crashed_is_restarted(app, issuer, tmp_path) -> None:
    async def check() -> None:
        notices: asyncio.Queue[Notice] = asyncio.Queue()
        async with running(app, tmp_path, notices.put_nowait, pause=0) as (_, client):
            with anyio.fail_after(60):
                assert "ready" in (await notices.get()).text
                for _ in range(2):
                    assert (await client.get("/exit", headers=token(issuer))).status_code == 503
                    assert "it will be restarted" in (await notices.get()).text
                    assert "is ready" in (await notices.get()).text
                    assert (await client.get("/", headers=token(issuer))).status_code == 200

    anyio.run(check)


def test_no_process_is_left_after_a_stop(app, tmp_path) -> None:
    async def check() -> int:
        async with running(app, tmp_path) as (container, _):
            pid = container.process.pid
            assert pid is not None
            os.kill(pid, 0)
        return pid

    pid = anyio.run(check)
    with pytest.raises(ProcessLookupError):
        os.killpg(pid, 0)


def test_an_unknown_image_results_in_503_with_the_setting_to_add(app, issuer, tmp_path) -> None:
    async def check() -> None:
        unknown = replace(app, local_command=())
        async with running(unknown, tmp_path) as (container, client):
            problem = container.process.problem
            assert "has no command for the image example.com/echo:1" in problem
            assert "local:" in problem
            answer = await client.get("/", headers=token(issuer))
            assert (answer.status_code, answer.json()["error_description"]) == (503, problem)

    anyio.run(check)


def test_a_program_that_does_not_exist_is_named(app, tmp_path) -> None:
    missing = replace(app, local_command=("no-such-program",))
    with pytest.raises(CannotRunError, match="the program 'no-such-program'"):
        command_of(missing, address=Address(LOOPBACK, 1), folder=tmp_path)


@pytest.mark.parametrize(("option", "passed"), [("passed", True), ("removed", False)])
def test_a_reading_decides_whether_the_process_receives_the_gateways_token(
    app, issuer, tmp_path, option: str, passed: bool
) -> None:
    async def check() -> None:
        readings = SharedReadings()
        readings.choose(Readings.parse([f"container-authorization={option}"]))
        async with running(app, tmp_path, readings=readings) as (_, client):
            answer = await client.get("/headers", headers=token(issuer))
        assert ("authorization" in answer.json()) is passed
        assert answer.json()["x-ms-client-principal-id"] == GATEWAY

    anyio.run(check)


def test_a_local_command_runs_in_the_projects_folder_with_the_documented_environment(
    app, issuer, tmp_path, monkeypatch
) -> None:
    async def check() -> None:
        async with running(app, tmp_path) as (container, client):
            shown = (await client.get("/process", headers=token(issuer))).json()
        assert shown["folder"] == str(PROJECT)
        environment = shown["environment"]
        assert environment["GREETING"] == "hello "
        assert environment["PORT"] == environment["CONTAINER_APP_PORT"] != str(container.port)
        assert environment["HOST"] == address_of(container).host
        name, suffix = environment["CONTAINER_APP_NAME"], environment["CONTAINER_APP_ENV_DNS_SUFFIX"]
        assert f"{name.replace('-', '')}public.{suffix}" == "echohttppublic.example"
        assert environment["HOME"] == os.environ["HOME"]
        assert "SECRET_OF_THE_SHELL" not in environment

    monkeypatch.setenv("SECRET_OF_THE_SHELL", "hunter2")
    anyio.run(check)


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (421, "Invalid Host header"),
        (
            403,
            '{"jsonrpc":"2.0","error":{"code":-32000,"message":"Invalid Host: echohttppublic.example"}}',
        ),
        (403, "Forbidden: host echohttppublic.example is not allowed"),
    ],
)
def test_a_rejection_because_of_the_host_name_is_explained_once(app, issuer, tmp_path, status, text) -> None:
    async def check() -> None:
        notices: asyncio.Queue[Notice] = asyncio.Queue()
        refusing = replace(app, env={"REFUSAL": text, "STATUS": str(status)})
        async with running(refusing, tmp_path, notices.put_nowait) as (_, client):
            assert "ready" in (await notices.get()).text
            for _ in range(2):
                answer = await client.get("/refuse", headers=token(issuer))
                assert (answer.status_code, answer.text) == (status, text)
            explanation = notices.get_nowait().text
            assert (
                f"echo rejected a request with status {status} because of its host name, "
                "echohttppublic.example" in explanation
            )
            assert "allowed_hosts" in explanation
            assert "python -m twin restart echo" in explanation
            assert notices.empty()

    anyio.run(check)


def documented(language: str) -> str:
    """The code block in docs/adding-a-backend.md that makes a server accept its host name."""
    page = (PROJECT / "docs" / "adding-a-backend.md").read_text()
    (block,) = re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)
    return block


PYTHON_SERVER = """
import sys
from mcp.server.mcpserver import MCPServer
security = None
{remedy}
served = {{"host": "127.0.0.1", "port": int(sys.argv[1]), "transport_security": security}}
MCPServer("notes").run(transport="streamable-http", **served)
"""
NODE_SERVER = """
import { createMcpExpressApp } from "@modelcontextprotocol/sdk/server/express.js";
%s
app.post("/mcp", (_, response) => response.json({ answered: true }));
app.listen(Number(process.argv[2]), "127.0.0.1");
"""


@pytest.mark.parametrize("remedy", [False, True], ids=["default", "with the documented remedy"])
@pytest.mark.parametrize("language", ["python", "js"])
def test_servers_of_the_sdks_reject_their_host_name_until_it_is_added_as_documented(
    app, issuer, tmp_path, language: str, remedy: bool
) -> None:
    if language == "python":
        program = PYTHON_SERVER.format(remedy=documented("python") if remedy else "")
        command = (sys.executable, "-c", program, "{port}")
    else:
        (tmp_path / "node_modules").symlink_to(PROJECT / "node_modules")
        file = tmp_path / "server.mjs"
        file.write_text(NODE_SERVER % (documented("js") if remedy else "const app = createMcpExpressApp();"))
        command = ("node", str(file), "{port}")

    async def check() -> None:
        notices: asyncio.Queue[Notice] = asyncio.Queue()
        server = replace(app, local_command=command)
        async with running(server, tmp_path, notices.put_nowait) as (_, client):
            assert "listens on 127.0.0.1" in (await notices.get()).text
            assert "is ready" in (await notices.get()).text
            headers = token(issuer) | {"Host": app.host, "Accept": "application/json, text/event-stream"}
            message = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
            answer = await client.post("/mcp", json=message, headers=headers)
            assert (answer.status_code in {403, 421}) is not remedy
            assert notices.empty() is remedy

    anyio.run(check)


@linux
def test_a_web_page_cannot_reach_a_server_because_its_address_is_random(app, tmp_path) -> None:
    async def addresses() -> list[Address]:
        found = []
        for _ in range(2):
            async with running(app, tmp_path) as (container, _client):
                found.append(address := address_of(container))
                assert await is_listening(address)
                with pytest.raises(ConnectionRefusedError):
                    await is_listening(Address(LOOPBACK, address.port))
        return found

    first, second = anyio.run(addresses)
    assert first.host != second.host
    assert ip_address(first.host) in ip_network("127.0.0.0/8")


@linux
@pytest.mark.parametrize(
    ("host", "problem"),
    [("127.0.0.1", "listens on 127.0.0.1"), ("0.0.0.0", "listens on every network interface")],
)
def test_a_server_that_ignores_host_works_with_a_warning(
    app, issuer, tmp_path, host: str, problem: str
) -> None:
    async def check() -> None:
        notices: asyncio.Queue[Notice] = asyncio.Queue()
        program = SERVER.replace('os.environ["HOST"]', repr(host))
        server = replace(app, local_command=(sys.executable, "-c", program, "{port}"))
        async with running(server, tmp_path, notices.put_nowait) as (_, client):
            warning = await notices.get()
            assert warning.warning
            assert problem in warning.text
            assert "HOST" in warning.text
            assert "ready" in (await notices.get()).text
            assert (await client.get("/x", headers=token(issuer))).text == "hello /x"

    anyio.run(check)


def test_a_command_receives_its_address_as_arguments(app, issuer, tmp_path) -> None:
    async def check() -> None:
        program = SERVER.replace('os.environ["HOST"]', "sys.argv[2]")
        server = replace(app, local_command=(sys.executable, "-c", program, "{port}", "{host}"))
        async with running(server, tmp_path) as (_, client):
            assert (await client.get("/x", headers=token(issuer))).status_code == 200

    anyio.run(check)


def test_other_errors_are_not_explained(app, issuer, tmp_path) -> None:
    async def check() -> None:
        notices: asyncio.Queue[Notice] = asyncio.Queue()
        refusing = replace(app, env={"REFUSAL": "Forbidden", "STATUS": "403"})
        async with running(refusing, tmp_path, notices.put_nowait) as (_, client):
            assert "ready" in (await notices.get()).text
            assert (await client.get("/refuse", headers=token(issuer))).text == "Forbidden"
            assert notices.empty()

    anyio.run(check)


@pytest.mark.parametrize("status", ["403", "421"])
def test_an_incomplete_error_response_results_in_503(app, issuer, tmp_path, status: str) -> None:
    async def check() -> None:
        async with running(replace(app, env={"STATUS": status}), tmp_path) as (_, client):
            answer = await client.get("/broken-refusal", headers=token(issuer))
            assert answer.status_code == 503
            assert answer.json()["error_description"] == "echo did not send a valid response."
            assert answer.headers["Retry-After"] == "1"

    anyio.run(check)


def test_callers_wait_while_a_server_is_restarted(app, issuer, tmp_path, plan, monkeypatch) -> None:
    # A server that closes its port at SIGTERM, and ends when the test creates a file.
    slow = SERVER.replace(
        'http.server.ThreadingHTTPServer((os.environ["HOST"], int(sys.argv[1])), Handler).serve_forever()',
        """
import pathlib, signal, time
server = http.server.ThreadingHTTPServer((os.environ["HOST"], int(sys.argv[1])), Handler)
def end():
    while not pathlib.Path(sys.argv[2]).exists():
        time.sleep(0.01)
    os._exit(0)
signal.signal(signal.SIGTERM, lambda *_: server.server_close())
threading.Thread(target=end).start()
threading.Thread(target=server.serve_forever).start()
""",
    )
    may_end = tmp_path / "may-end"
    monkeypatch.setattr(process, "_GRACE_PERIOD", 60)

    async def check() -> None:
        server = replace(app, local_command=(sys.executable, "-c", slow, "{port}", str(may_end)))
        async with running(server, tmp_path) as (container, client):
            first = container.process.pid
            restart = asyncio.create_task(container.restart(replace(plan, container_apps=(app,))))
            answers = [await client.get("/", headers=token(issuer)) for _ in range(5)]
            assert container.process.pid == first
            descriptions = {answer.json()["error_description"] for answer in answers}
            assert descriptions == {"echo is starting. Try again in a few seconds."}
            may_end.touch()
            with anyio.fail_after(60):
                await restart
            assert (await client.get("/", headers=token(issuer))).text == "hello /"

    anyio.run(check)


def test_a_restart_uses_the_current_files_and_command(app, issuer, tmp_path, plan) -> None:
    async def check() -> None:
        file = tmp_path / "server.py"
        file.write_text(SERVER)
        first = replace(app, local_command=(sys.executable, str(file), "{port}"))
        async with running(first, tmp_path) as (container, client):
            assert (await client.get("/", headers=token(issuer))).text == "hello /"
            file.write_text(SERVER.replace("+ self.path", '+ "changed "'))
            await container.restart(replace(plan, container_apps=(first,)))
            assert (await client.get("/", headers=token(issuer))).text == "hello changed "
            second = replace(app, env={"GREETING": "good morning "})
            await container.restart(replace(plan, container_apps=(second,)))
            assert (await client.get("/", headers=token(issuer))).text == "good morning /"
            broken = replace(app, local_command=("no-such-program",))
            with pytest.raises(CannotRunError, match="the program 'no-such-program'"):
                await container.restart(replace(plan, container_apps=(broken,)))
            with pytest.raises(CannotRunError, match="no longer declares echo"):
                await container.restart(replace(plan, container_apps=()))
            assert (await client.get("/", headers=token(issuer))).text == "good morning /"

    anyio.run(check)


def test_the_stack_declares_images_and_admitted_callers() -> None:
    config = {**LOCAL, "backends": '["functions", "slack"]'}
    stack = evaluate(config, cloud=Cloud(gateway_url="http://localhost:8000"))
    apps = {app.name: app for app in container_apps(stack)}
    assert set(apps) == {"slack-http", "slack-sse"}
    http = apps["slack-http"]
    assert http.backend == "slack"
    assert http.args == ("--transport", "http")
    assert http.env["SLACK_MCP_XOXB_TOKEN"] == "xoxb-twin"
    assert http.host.startswith(stack.one("app:HttpRouteConfig", "slack-http-route").outputs["name"] + ".")
    assert http.auth is not None
    assert len(http.auth.identities) == 1
    assert "xoxb" not in repr(http)


def test_an_app_without_a_route_is_not_public() -> None:
    stack = evaluate(
        {**LOCAL, "backends": '["functions", "slack"]'}, cloud=Cloud(gateway_url="http://localhost:8000")
    )
    route = stack.one("app:HttpRouteConfig", "slack-http-route")
    rest = tuple(resource for resource in stack.resources if resource is not route)
    assert [app.name for app in container_apps(replace(stack, resources=rest))] == ["slack-sse"]

    without_rule = replace(route, inputs={**route.inputs, "properties": {"rules": []}})
    with pytest.raises(StackError, match="must have one rule that routes all paths below / to one app"):
        container_apps(replace(stack, resources=(*rest, without_rule)))
