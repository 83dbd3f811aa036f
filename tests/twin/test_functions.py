"""The local Functions host as a process, over HTTP: both transports, and the lock in front of it."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import httpx
import httpx2
import pytest
from mcp.client import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import TextContent

from tests.children import free_port, running
from tests.storage import storage_account
from tests.tokens import ISSUER, TestIssuer
from twin.blobs import create_containers
from twin.builtin_auth import BuiltInAuth
from twin.clock import Clock
from twin.functions.child import functions_process

APP = Path(__file__).parent.parent.parent / "functions_app"
GATEWAY = "11111111-1111-1111-1111-111111111111"
BOTH = {"Accept": "application/json, text/event-stream"}


def initialize(version="2025-06-18"):
    """The first message of a client of a version."""
    client = {"name": "test", "version": "1"}
    params = {"protocolVersion": version, "capabilities": {}, "clientInfo": client}
    return {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}


INITIALIZE = initialize()


class Host:
    """The host as its callers see it."""

    def __init__(self, origin, issuer, clock):
        self.url = f"{origin}/runtime/webhooks/mcp"
        self.origin = origin
        self._issuer = issuer
        self._clock = clock

    def headers(self, **claims):
        """Those of the gateway, unless claims say otherwise."""
        now = int(self._clock.now())
        token = self._issuer.sign({"iss": ISSUER, "aud": "app", "oid": GATEWAY, "exp": now + 600} | claims)
        return {"Authorization": f"Bearer {token}"}

    def advance(self, seconds):
        self._clock.advance(seconds)

    def post(self, message, path="", **headers):
        return httpx.post(self.url + path, json=message, headers=self.headers() | BOTH | headers, timeout=30)


@pytest.fixture(scope="module")
def host(serve, tmp_path_factory):
    folder = tmp_path_factory.mktemp("host")
    issuer, clock = TestIssuer(), Clock(folder / "clock")
    port = free_port()
    with storage_account(folder) as account, serve(issuer.app) as keys:
        anyio.run(create_containers, account, ["notes"])
        auth = BuiltInAuth(
            issuer=ISSUER,
            jwks_url=f"{keys}/keys",
            audiences=frozenset({"app"}),
            identities=frozenset({GATEWAY}),
        )
        child = functions_process(
            app=APP,
            port=port,
            settings={"SNIPPETS_STORAGE": account.connection_string, "SNIPPETS_CONTAINER": "notes"},
            auth=auth,
            clock=folder / "clock",
        )
        with running(child):
            yield Host(f"http://127.0.0.1:{port}", issuer, clock)


async def use_all_tools(client):
    """Calls each tool and gives what they answer."""
    names = [tool.name for tool in (await client.list_tools()).tools]
    answers = []
    for tool, arguments in (
        ("hello_mcp", {}),
        ("save_snippet", {"snippetname": "uber", "snippet": "Größe\r\n"}),
        ("get_snippet", {"snippetname": "uber"}),
        ("get_snippet", {"snippetname": "unknown"}),
        ("save_snippet", {"snippetname": "big", "snippet": "x" * 2_000_000}),
    ):
        result = await client.call_tool(tool, arguments)
        answers.append((bool(result.is_error), result.content[0].text))
    return names, answers


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
@pytest.mark.parametrize("transport", ["http", "sse"])
def test_the_official_client_uses_every_tool(host, transport, mode):
    async def talk():
        if transport == "sse":
            async with Client(sse_client(f"{host.url}/sse", headers=host.headers()), mode=mode) as client:
                return await use_all_tools(client)
        async with (
            httpx2.AsyncClient(headers=host.headers(), timeout=30) as http,
            Client(streamable_http_client(host.url, http_client=http), mode=mode) as client,
        ):
            return await use_all_tools(client)

    names, (hello, saved, read, unknown, big) = anyio.run(talk)
    assert names == ["hello_mcp", "get_snippet", "save_snippet"]
    assert hello == (False, "Hello I am MCPTool!")
    assert saved[0] is False
    assert "'uber'" in saved[1]
    assert read == (False, "Größe\r\n")
    assert unknown[0] is True
    assert "unknown" in unknown[1]
    assert big[0] is True
    assert "2,000,000" in big[1]


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])
def test_every_version_with_a_handshake_is_agreed_to(host, version):
    response = host.post(initialize(version))
    assert response.headers["Content-Type"].startswith("text/event-stream")
    assert _event(response)["result"]["protocolVersion"] == version
    assert _event(response)["result"]["serverInfo"]["name"] == "Snippets"


def test_a_session_id_is_given_and_has_to_be_genuine_but_is_not_needed(host):
    session = host.post(INITIALIZE).headers["Mcp-Session-Id"]
    listing = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
    with_it = host.post(listing, **{"Mcp-Session-Id": session})
    assert len(_event(with_it)["result"]["tools"]) == 3
    assert len(_event(host.post(listing))["result"]["tools"]) == 3
    invented = host.post(listing, **{"Mcp-Session-Id": session[:-4] + "AAAA"})
    assert invented.status_code == 400
    assert invented.json()["error"]["message"] == "Invalid client state."


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "OPTIONS", "HEAD"])
def test_only_post_is_allowed_on_streamable_http(host, method):
    assert httpx.request(method, host.url, headers=host.headers() | BOTH).status_code == 405


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream", "text/html"])
def test_a_client_must_accept_both_kinds_of_answers(host, accept):
    assert host.post(INITIALIZE, Accept=accept).status_code == 406


@pytest.mark.parametrize(
    "body", ["", "{", "[]", "{}", "7", '{"jsonrpc": "1.0"}', '{"jsonrpc":"2.0","id":1}', "\udcff", "[" * 5000]
)
def test_a_body_that_is_no_message_is_a_bad_request_without_details(host, body):
    headers = host.headers() | BOTH | {"Content-Type": "application/json"}
    response = httpx.post(host.url, content=body.encode(errors="surrogateescape"), headers=headers)
    assert response.status_code == 400
    assert response.json()["error"]["message"].startswith("Bad Request: ")
    assert "pydantic" not in response.text


def test_a_body_without_end_is_refused(host):
    headers = host.headers() | BOTH | {"Content-Type": "application/json"}
    response = httpx.post(host.url, content=b" " * (17 * 1024 * 1024), headers=headers, timeout=30)
    assert response.status_code == 413


def test_the_endpoint_event_is_relative_to_the_path_and_comes_first(host):
    with _stream(host) as (response, events):
        assert response.headers["Content-Type"].startswith("text/event-stream")
        name, data = next(events)
    assert name == "endpoint"
    assert data.startswith("message?azmcpcs=")
    assert "/" not in data


def test_messages_are_accepted_and_answered_over_the_stream(host):
    with _stream(host) as (_, events):
        _, endpoint = next(events)
        accepted = host.post(INITIALIZE, f"/{endpoint}")
        assert (accepted.status_code, accepted.text) == (202, "Accepted")
        name, data = next(events)
    assert name == "message"
    assert json.loads(data)["result"]["protocolVersion"] == "2025-06-18"


def test_a_session_ends_with_its_stream(host):
    with _stream(host) as (_, events):
        _, endpoint = next(events)
    deadline = time.monotonic() + 10
    while (status := host.post(INITIALIZE, f"/{endpoint}").status_code) == 202:
        assert time.monotonic() < deadline, "the session lives on although its stream was closed"
    assert status == 400


def test_messages_without_a_genuine_session_are_refused(host):
    for query in ("", "?azmcpcs=", "?azmcpcs=invented", "?azmcpcs=" + "A" * 80, "?azmcpcs=%F0%9F%8E%89"):
        response = host.post(INITIALIZE, f"/message{query}")
        assert response.status_code == 400
        assert "Please connect to the /sse endpoint" in response.json()
    assert httpx.get(f"{host.url}/message", headers=host.headers()).status_code == 405
    assert host.post(INITIALIZE, "/sse").status_code == 405


def test_a_malformed_message_does_not_end_the_session(host):
    with _stream(host) as (_, events):
        _, endpoint = next(events)
        assert host.post({"no": "message"}, f"/{endpoint}").status_code == 400
        assert host.post(INITIALIZE, f"/{endpoint}").status_code == 202
        assert json.loads(next(events)[1])["id"] == 1


def test_many_streams_at_once_get_their_own_answers_and_no_others(host):
    async def one(number, seen):
        async with Client(sse_client(f"{host.url}/sse", headers=host.headers()), mode="legacy") as client:
            name = f"stream-{number}"
            await client.call_tool("save_snippet", {"snippetname": name, "snippet": name})
            result = await client.call_tool("get_snippet", {"snippetname": name})
            (content,) = result.content
            assert isinstance(content, TextContent)
            seen.append((name, content.text))

    async def all_of_them():
        seen: list[tuple[str, str]] = []
        async with anyio.create_task_group() as tasks:
            for number in range(40):
                tasks.start_soon(one, number, seen)
        return seen

    seen = anyio.run(all_of_them)
    assert len(seen) == 40
    assert all(name == text for name, text in seen)


@pytest.mark.parametrize(
    "path", ["", "/", "/sse", "/message", "/message?azmcpcs=x", "/other", "/../../../twin/ready/x"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_direct_call_without_a_token_is_401_everywhere(host, method, path):
    assert httpx.request(method, host.url + path).status_code == 401


def test_the_rest_of_the_app_is_locked_too(host):
    for path in ("/", "/admin/host/status", "/api/hello_mcp", "/runtime/webhooks/", "/twin/ready/", "/twin"):
        assert httpx.get(host.origin + path).status_code == 401
        assert httpx.get(host.origin + path, headers=host.headers()).status_code == 404


def test_a_users_token_and_another_identitys_token_are_refused(host):
    user = host.headers(aud="somewhere-else", oid="user")
    user_of_the_application = host.headers(oid="user", scp="access", preferred_username="ada@example.test")
    other_identity = host.headers(oid="22222222-2222-2222-2222-222222222222")
    for headers, status in ((user, 401), (user_of_the_application, 403), (other_identity, 403)):
        assert httpx.post(host.url, json=INITIALIZE, headers=headers | BOTH).status_code == status
        assert httpx.get(f"{host.url}/sse", headers=headers).status_code == status


def test_tokens_expire_by_the_clock_that_the_processes_share(host):
    headers = host.headers() | BOTH
    assert httpx.post(host.url, json=INITIALIZE, headers=headers).status_code == 200
    host.advance(601)
    assert httpx.post(host.url, json=INITIALIZE, headers=headers).status_code == 401


def test_readiness_needs_no_token_and_tells_nothing_else(host):
    response = httpx.get(f"{host.origin}/twin/ready")
    assert (response.status_code, response.text) == (200, "ready")


def test_a_host_without_settings_for_its_lock_does_not_start():
    command = [sys.executable, "-m", "twin.functions", "--port=1", f"--app={APP}"]
    done = subprocess.run(command, cwd=APP.parent, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "error: built-in authentication needs an issuer" in done.stderr


def test_a_stack_that_does_not_lock_its_app_gets_an_open_one():
    port = free_port()
    with running(functions_process(app=APP, port=port, settings={}, auth=None)):
        response = httpx.post(
            f"http://127.0.0.1:{port}/runtime/webhooks/mcp", json=INITIALIZE, headers=BOTH, timeout=30
        )
    assert response.status_code == 200


def _event(response):
    """The one message in an answer that is an event stream."""
    (data,) = [
        line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: ")
    ]
    return json.loads(data)


@contextmanager
def _stream(host):
    """An open event stream, and its events as pairs of name and data."""
    with httpx.stream("GET", f"{host.url}/sse", headers=host.headers(), timeout=30) as response:
        yield response, _events(response.iter_lines())


def _events(lines: Iterator[str]) -> Iterator[tuple[str, str]]:
    name = ""
    for line in lines:
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield name, value
