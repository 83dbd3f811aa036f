"""The local Functions host as a process, over HTTP: both transports, and built-in authentication."""

import json
import secrets
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import httpx
import httpx2
import pytest
from mcp.client import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import TextContent

from apim.readings import Readings
from tests.children import free_port, running
from tests.storage import storage_account
from tests.tokens import ISSUER, TestIssuer
from twin.blob_client import create_containers
from twin.builtin_auth import BuiltInAuth
from twin.clock import Clock
from twin.functions.child import functions_process
from twin.functions.client_state import ClientState
from twin.ports import LOOPBACK, Address
from twin.shared_readings import SharedReadings

APP = Path(__file__).parent.parent.parent / "functions_app"
GATEWAY = "11111111-1111-1111-1111-111111111111"
BOTH = {"Accept": "application/json, text/event-stream"}


def initialize(version="2025-06-18"):
    """The first message of a client, with a protocol version."""
    client = {"name": "test", "version": "1"}
    params = {"protocolVersion": version, "capabilities": {}, "clientInfo": client}
    return {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}


INITIALIZE = initialize()


class Host:
    """A running host, and requests to it with the token of the gateway."""

    def __init__(self, origin, issuer, clock, readings, session_key):
        self.session_key = session_key
        self._readings = readings
        self.url = f"{origin}/runtime/webhooks/mcp"
        self.origin = origin
        self._issuer = issuer
        self._clock = clock

    def headers(self, **claims):
        """The headers of the gateway; `claims` replaces claims of its token."""
        now = int(self._clock.now())
        token = self._issuer.sign({"iss": ISSUER, "aud": "app", "oid": GATEWAY, "exp": now + 600} | claims)
        return {"Authorization": f"Bearer {token}"}

    def advance(self, seconds):
        self._clock.advance(seconds)

    @contextmanager
    def reading(self, **options):
        """The host under other readings."""
        self._readings.choose(replace(Readings.default(), **options))
        try:
            yield
        finally:
            self._readings.choose(Readings.default())

    def post(self, message, path="", **headers):
        return httpx.post(self.url + path, json=message, headers=self.headers() | BOTH | headers, timeout=30)


@pytest.fixture(scope="module")
def host(serve, tmp_path_factory):
    folder = tmp_path_factory.mktemp("host")
    issuer, clock = TestIssuer(), Clock(folder / "clock")
    port, key = free_port(), secrets.token_bytes(32)
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
            address=Address(LOOPBACK, port),
            settings={
                "SNIPPETS_STORAGE": account.connection_string,
                "SNIPPETS_CONTAINER": "notes",
                "SNIPPETS_LOCAL_CALLER": "developer",
                "WEBSITE_AUTH_ENCRYPTION_KEY": key.hex(),
            },
            auth=auth,
            clock=folder / "clock",
            readings=folder / "readings",
        )
        with running(child):
            readings = SharedReadings(folder / "readings")
            yield Host(f"http://127.0.0.1:{port}", issuer, clock, readings, key)


async def use_all_tools(client):
    """Calls each tool and returns the results."""
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


def use_tools_over(host, transport, mode, seen=None):
    """Connects the official client, uses all tools, and checks their results.

    The negotiated protocol version is appended to `seen`.
    """

    async def talk():
        if transport == "sse":
            async with Client(sse_client(f"{host.url}/sse", headers=host.headers()), mode=mode) as client:
                return await use_all_tools(client)
        async with (
            httpx2.AsyncClient(headers=host.headers(), timeout=30) as http,
            Client(streamable_http_client(host.url, http_client=http), mode=mode) as client,
        ):
            if seen is not None:
                seen.append(client.protocol_version)
            return await use_all_tools(client)

    names, (hello, saved, read, unknown, big) = anyio.run(talk)
    assert names == ["hello_mcp", "get_snippet", "save_snippet", "delete_snippet"]
    assert hello == (False, "Hello I am MCPTool!")
    assert saved[0] is False
    assert "'uber'" in saved[1]
    assert read == (False, "Größe\r\n")
    assert unknown[0] is True
    assert "unknown" in unknown[1]
    assert big[0] is True
    assert "2,000,000" in big[1]


@pytest.mark.parametrize("mode", ["legacy", "auto"])
@pytest.mark.parametrize("transport", ["http", "sse"])
def test_the_official_client_uses_every_tool(host, transport, mode):
    use_tools_over(host, transport, mode)


@pytest.mark.parametrize("option", ["ignored", "refused"])
def test_a_client_of_2026_07_28_falls_back_to_the_newest_version_of_the_extension(host, option):
    versions = []
    with host.reading(functions_modern_protocol=option):
        use_tools_over(host, "http", "auto", versions)
    assert versions == ["2025-06-18"]


def test_a_later_extension_may_support_2026_07_28(host):
    versions = []
    with host.reading(functions_modern_protocol="supported"):
        use_tools_over(host, "http", "auto", versions)
        use_tools_over(host, "http", "legacy")
        use_tools_over(host, "sse", "auto")
        envelope = {"protocolVersion": "2026-07-28", "clientCapabilities": {}}
        meta = {f"io.modelcontextprotocol/{name}": value for name, value in envelope.items()}
        call = request("tools/call", name="hello_mcp", arguments={}, _meta=meta)
        headers = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call"}
        # The headers must be present and have the values of the body.
        for wrong in ({"Mcp-Name": "get_snippet"}, {"Mcp-Name": "hello_mcp", "Mcp-Method": "ping"}, {}):
            refused = host.post(call, **headers | wrong)
            assert (refused.status_code, refused.json()["error"]["code"]) == (400, -32020)
        assert host.post(call, **headers | {"Mcp-Name": "hello_mcp"}).status_code == 200
    assert versions == ["2026-07-28"]


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "2025-06-18"])
def test_the_versions_of_the_extension_are_accepted(host, version):
    response = host.post(initialize(version))
    assert response.headers["Content-Type"] == "text/event-stream"
    assert _event(response)["result"]["protocolVersion"] == version


@pytest.mark.parametrize("version", ["2025-11-25", "2026-07-28", "1999-01-01", ""])
def test_the_response_to_any_other_version_has_the_newest_version_of_the_extension(host, version):
    assert _event(host.post(initialize(version)))["result"]["protocolVersion"] == "2025-06-18"


def test_the_response_to_initialize_is_that_of_the_extension(host):
    response = host.post(INITIALIZE)
    assert response.headers["Cache-Control"] == "no-cache,no-store"
    assert response.headers["Content-Encoding"] == "identity"
    assert len(response.headers["Mcp-Session-Id"]) == 124
    result = _event(response)["result"]
    assert result.pop("instructions").startswith("Stores named text snippets,")
    assert result == {
        "protocolVersion": "2025-06-18",
        "capabilities": {"logging": {}, "prompts": {}, "resources": {}, "tools": {}},
        "serverInfo": {"name": "Snippets", "version": "1.0.0"},
    }


def request(method, **params):
    return {"jsonrpc": "2.0", "id": "a", "method": method, "params": params}


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        (request("ping"), {"result": {}}),
        (request("logging/setLevel", level="info"), {"result": {}}),
        (request("resources/list"), {"result": {"resources": []}}),
        (request("resources/templates/list"), {"result": {"resourceTemplates": []}}),
        (request("resources/subscribe", uri="a:b"), {"result": {}}),
        (request("prompts/list"), {"result": {"prompts": []}}),
        (
            request("tools/call", name="hello_mcp"),
            {"result": {"content": [{"type": "text", "text": "Hello I am MCPTool!"}]}},
        ),
        (request("tools/call", name="x"), {"error": {"code": -32602, "message": "Unknown tool: 'x'"}}),
        (request("tools/call"), {"error": {"code": -32603, "message": "An error occurred."}}),
        (
            request("tools/call", name="hello_mcp", arguments=[]),
            {"error": {"code": -32603, "message": "An error occurred."}},
        ),
        (
            request("logging/setLevel", level="loud"),
            {"error": {"code": -32603, "message": "An error occurred."}},
        ),
        (
            request("completion/complete"),
            {"error": {"code": -32601, "message": "Method 'completion/complete' is not available."}},
        ),
    ],
)
def test_responses_without_a_handshake_are_those_of_the_extension(host, message, answer):
    response = host.post(message)
    assert response.status_code == 200
    assert _event(response) == answer | {"id": "a", "jsonrpc": "2.0"}
    assert "Mcp-Session-Id" not in response.headers


MODERN = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "server/discover"}


def test_the_protocol_version_of_a_request_is_ignored(host):
    discover = host.post(request("server/discover"), **MODERN)
    assert discover.status_code == 200
    assert _event(discover)["error"] == {
        "code": -32601,
        "message": "Method 'server/discover' is not available.",
    }
    listing = host.post(request("tools/list"), **MODERN | {"Mcp-Method": "prompts/list"})
    assert len(_event(listing)["result"]["tools"]) == 4
    assert list(_event(listing)["result"]) == ["tools"]


def test_an_extension_may_reject_unknown_versions(host):
    with host.reading(functions_modern_protocol="refused"):
        for version in ("2026-07-28", "2025-11-25", "x"):
            refused = host.post(request("tools/list"), **{"MCP-Protocol-Version": version})
            assert refused.status_code == 400
            assert refused.headers["Content-Type"] == "application/json; charset=utf-8"
            message = f"Bad Request: The MCP-Protocol-Version header value '{version}' is not supported."
            error = {"code": -32000, "message": message}
            assert refused.json() == {"error": error, "id": "", "jsonrpc": "2.0"}
        assert host.post(request("tools/list"), **{"MCP-Protocol-Version": "2025-06-18"}).status_code == 200
        assert host.post(request("tools/list")).status_code == 200


def test_streamable_http_may_fail_behind_built_in_authentication(host):
    with host.reading(functions_streamable_http="fails"):
        failed = host.post(INITIALIZE)
        assert (failed.status_code, failed.content) == (500, b"")
        use_tools_over(host, "sse", "legacy")
    assert host.post(INITIALIZE).status_code == 200


def test_a_session_id_is_returned_and_must_be_valid_but_is_not_required(host):
    session = host.post(INITIALIZE).headers["Mcp-Session-Id"]
    listing = request("tools/list")
    with_it = host.post(listing, **{"Mcp-Session-Id": session})
    assert len(_event(with_it)["result"]["tools"]) == 4
    assert len(_event(host.post(listing))["result"]["tools"]) == 4
    assert "Mcp-Session-Id" not in host.post(INITIALIZE, **{"Mcp-Session-Id": session}).headers
    assert len(_event(host.post(listing, **{"Mcp-Session-Id": ""}))["result"]["tools"]) == 4
    # The extension does not catch exceptions of its decryption.
    for unknown in (session[:-4] + "AAAA", "x", "not base64url!"):
        failed = host.post(listing, **{"Mcp-Session-Id": unknown})
        assert (failed.status_code, failed.content) == (500, b"")


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "OPTIONS", "HEAD"])
def test_only_post_is_allowed_on_streamable_http(host, method):
    answer = httpx.request(method, host.url, headers=host.headers() | BOTH)
    assert (answer.status_code, answer.content) == (405, b"")


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream", "text/html", "application/*"])
def test_a_client_must_accept_both_media_types(host, accept):
    refused = host.post(INITIALIZE, Accept=accept)
    assert refused.status_code == 406
    assert refused.json()["error"] == {
        "code": -32000,
        "message": "Not Acceptable: Client must accept both application/json and text/event-stream",
    }


@pytest.mark.parametrize(
    "accept", ["*/*", "application/*, text/*;q=0.1", "TEXT/event-stream,application/json"]
)
def test_wildcards_accept_both_media_types(host, accept):
    assert host.post(INITIALIZE, Accept=accept).status_code == 200


def test_notifications_and_responses_are_accepted_without_a_body(host):
    for message in (
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 1, "result": {}},
    ):
        accepted = host.post(message)
        assert (accepted.status_code, accepted.content) == (202, b"")
        assert "Content-Type" not in accepted.headers


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        "{}",
        "7",
        '{"jsonrpc": "1.0"}',
        '{"jsonrpc":"2.0","id":1}',
        "\udcff",
        "[" * 5000,
        '{"jsonrpc":"2.0","id":null,"method":"ping"}',
        '[{"jsonrpc":"2.0","id":1,"method":"ping"}]',
        '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}',
    ],
)
def test_a_body_that_is_not_a_message_fails_as_in_the_functions_host_without_details(host, body):
    failed = _post_text(host, body.encode(errors="surrogateescape"))
    assert (failed.status_code, failed.content) == (500, b"")


def test_a_body_of_another_content_type_fails(host):
    for content_type in ("text/plain", ""):
        failed = _post_text(host, json.dumps(INITIALIZE).encode(), content_type)
        assert (failed.status_code, failed.content) == (500, b"")
    assert (
        _post_text(host, json.dumps(INITIALIZE).encode(), "application/json; charset=utf-8").status_code
        == 200
    )


def test_the_value_null_is_not_a_message(host):
    refused = _post_text(host, b"null")
    assert refused.status_code == 400
    assert refused.json()["error"]["message"].startswith("Bad Request: The POST body did not contain")


def test_a_body_of_more_than_16_mib_is_rejected(host):
    assert _post_text(host, b" " * (17 * 1024 * 1024)).status_code == 413


def test_paths_below_the_endpoint_are_served(host):
    assert host.post(INITIALIZE, "/").status_code == 200
    assert host.post(INITIALIZE, "/other").status_code == 200


def test_the_endpoint_event_is_relative_to_the_path_and_comes_first(host):
    with _stream(host) as (response, events):
        assert response.headers["Content-Type"].startswith("text/event-stream")
        name, data = next(events)
    assert name == "endpoint"
    assert data.startswith("message?azmcpcs=")
    assert "/" not in data


def test_responses_to_messages_are_sent_on_the_stream(host):
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
    deadline = time.monotonic() + 60
    while (status := host.post(INITIALIZE, f"/{endpoint}").status_code) == 202:
        assert time.monotonic() < deadline, "the session continues although its stream was closed"
    assert status == 400


def test_messages_without_a_valid_session_are_rejected(host):
    refused = host.post(INITIALIZE, "/message")
    assert refused.status_code == 400
    assert refused.json() == (
        "Missing service context. Please connect to the /sse endpoint to initiate your session."
    )
    for state in ("", "invented", "A" * 120, "%F0%9F%8E%89"):
        failed = host.post(INITIALIZE, f"/message?azmcpcs={state}")
        assert (failed.status_code, failed.content) == (500, b"")
    assert host.post(INITIALIZE, "/sse").status_code == 405


def test_a_message_for_another_instance_is_accepted_and_discarded(host):
    elsewhere = ClientState(host.session_key).encrypt("0123456789abcdef")
    answer = host.post(INITIALIZE, f"/message?azmcpcs={elsewhere}")
    assert (answer.status_code, answer.text) == (202, "Accepted")


def test_a_malformed_message_does_not_end_the_session(host):
    with _stream(host) as (_, events):
        _, endpoint = next(events)
        assert host.post({"no": "message"}, f"/{endpoint}").status_code == 500
        assert host.post(INITIALIZE, f"/{endpoint}").status_code == 202
        assert json.loads(next(events)[1])["id"] == 1


def test_the_endpoint_event_contains_the_callers_key(host):
    with _stream(host, "?code=in-the-url", {"X-Functions-Key": "in-a-header"}) as (_, events):
        assert next(events)[1].endswith("&code=in-the-url")
    with _stream(host, "", {"X-Functions-Key": "in-a-header"}) as (_, events):
        assert next(events)[1].endswith("&code=in-a-header")


def test_many_parallel_streams_receive_only_their_own_responses(host):
    async def call(number, seen):
        # Forty clients share one process, on a machine that may be busy.
        stream = sse_client(f"{host.url}/sse", headers=host.headers(), timeout=60)
        async with Client(stream, mode="legacy") as client:
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
                tasks.start_soon(call, number, seen)
        return seen

    seen = anyio.run(all_of_them)
    assert len(seen) == 40
    assert all(name == text for name, text in seen)


@pytest.mark.parametrize(
    "path", ["", "/", "/sse", "/message", "/message?azmcpcs=x", "/other", "/../../../twin/ready/x"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_direct_call_without_a_token_gets_401_at_each_path(host, method, path):
    assert httpx.request(method, host.url + path).status_code == 401


def test_headers_of_60_kib_are_accepted_also_in_pieces(host):
    address = urlsplit(host.origin)
    with socket.create_connection((address.hostname, address.port), timeout=60) as connection:
        connection.sendall(b"POST /runtime/webhooks/mcp HTTP/1.1\r\nHost: app\r\nContent-Length: 0\r\n")
        for number in range(3):
            connection.sendall(b"X-Large-%d: %s\r\n" % (number, b"x" * 20_000))
            # A server with a lower limit would answer with 400 before the headers are complete.
            assert not select.select([connection], [], [], 0.1)[0]
        connection.sendall(b"\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 401 ")


def test_other_paths_of_the_app_need_a_token_too(host):
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


def test_the_readiness_path_needs_no_token_and_has_no_content(host):
    response = httpx.get(f"{host.origin}/twin/ready")
    assert (response.status_code, response.text) == (200, "ready")


def test_a_host_without_settings_for_authentication_does_not_start():
    command = [sys.executable, "-m", "twin.functions", "--port=1", f"--app={APP}"]
    done = subprocess.run(command, cwd=APP.parent, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "error: built-in authentication needs an issuer" in done.stderr


def test_an_app_without_authentication_in_the_stack_accepts_all_callers():
    port = free_port()
    with running(functions_process(app=APP, address=Address(LOOPBACK, port), settings={}, auth=None)):
        response = httpx.post(
            f"http://127.0.0.1:{port}/runtime/webhooks/mcp", json=INITIALIZE, headers=BOTH, timeout=30
        )
    assert response.status_code == 200


def _event(response):
    """The only message in a response that is an event stream."""
    (data,) = [
        line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: ")
    ]
    return json.loads(data)


def _post_text(host, body, content_type="application/json"):
    headers = host.headers() | BOTH | {"Content-Type": content_type}
    return httpx.post(host.url, content=body, headers=headers, timeout=30)


@contextmanager
def _stream(host, query="", headers=None):
    """An open event stream, and its events as pairs of name and data."""
    sent = host.headers() | (headers or {})
    with httpx.stream("GET", f"{host.url}/sse{query}", headers=sent, timeout=30) as response:
        yield response, _events(response.iter_lines())


def _events(lines: Iterator[str]) -> Iterator[tuple[str, str]]:
    name = ""
    for line in lines:
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield name, value
