"""The committed dev stack with all its servers; Slack's and Jira's use test workspaces.

The stack has one more server: the tests run in a copy of the project in which the steps of
docs/adding-a-backend.md were followed.
"""

import asyncio
import base64
import hashlib
import json
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import anyio
import httpx
import pytest
from mcp_types import TextContent

from tests.e2e import legacy
from tests.e2e.client import Client, parameters_of
from tests.e2e.conftest import ROOT, RunningTwin, started_twin
from tests.e2e.deployment import Deployment
from tests.e2e.legacy import LegacySession
from tests.e2e.person import Person
from tests.e2e.sdk import Memory, connected

PAGE = ROOT / "docs" / "adding-a-backend.md"
DEPLOYMENT = """
  remote-mcp-gateway:slackBotToken:
    secure: AAABADQXFlU0mxbTgNyl39UfVg4DdCoL
  remote-mcp-gateway:jiraUrl: https://example.atlassian.net
  remote-mcp-gateway:jiraUsername: you@example.com
  remote-mcp-gateway:jiraApiToken:
    secure: AAABADQXFlU0mxbTgNyl39UfVg4DdCoL
encryptionsalt: v1:5Ko0cB0XSVQ=:v1:Gq1bL7C3dGBnrfDR:9Zlh0IHEN4l7cL7OmJg7Xg==
"""
"""The values that the commands in docs/deployment.md add to the stack's file."""
OVERRIDES = {"openRequests": "300"}
"""A test opens 200 sessions of one user."""
VERSIONS_PAGE = ROOT / "docs" / "protocol-versions.md"
SERVER_NAMES = ("functions", "slack", "jira", "everything", "recorder")
SCOPES = "functions slack.read slack.write jira.read jira.write"
PATHS = ["slack-mcp", "slack-mcp/sse", "jira-mcp", "jira-mcp/sse"]


def block(language: str) -> str:
    """The first code block of the page in a language, without the indentation of its list."""
    blocks = re.finditer(r"^ *```(\w*)\n(.*?)^ *```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    return textwrap.dedent(next(match[2] for match in blocks if match[1] == language))


RECORDER = """
import hashlib, json, os
from http.server import BaseHTTPRequestHandler, HTTPServer

class Recorder(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        secret = hashlib.sha256(os.environ["RECORDER_TOKEN"].encode()).hexdigest()
        body = json.dumps({"authorization": self.headers.get("Authorization"), "secret": secret}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

HTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Recorder).serve_forever()
"""
"""A server that returns the credential that the gateway sends to it, and the hash of its own secret."""

CANARY = "canary-recorder-token"

RECORDER_ENTRY = f"""
  - name: recorder
    image: ghcr.io/example/recorder:1.0.0
    port: 8080
    secrets:
      RECORDER_TOKEN: recorderToken
    local:
      command: {sys.executable} recorder.py
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project, whose stack's file has the container of the page and the recorder."""
    copy = tmp_path_factory.mktemp("project")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    for name in listed.split("\0"):
        if (ROOT / name).is_file() and not name.startswith(("tests/", "docs/")):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    for folder in [each for each in copy.rglob("*") if each.is_dir()]:
        compiled = ROOT / folder.relative_to(copy) / "__pycache__"
        if compiled.is_dir():
            # Without the temporary files of other workers, which may compile modules at the same time.
            shutil.copytree(compiled, folder / "__pycache__", ignore=shutil.ignore_patterns("*.pyc.*"))
    for name in (".venv", ".venv-mcp-atlassian", "node_modules"):
        (copy / name).symlink_to((ROOT / name).resolve())
    (copy / "recorder.py").write_text(RECORDER)
    entries = block("yaml").rstrip("\n") + RECORDER_ENTRY
    stack = copy / "Pulumi.dev.yaml"
    declared = stack.read_text().rstrip("\n") + "\n"
    stack.write_text(declared + textwrap.indent(entries, "  ") + DEPLOYMENT)
    return copy


@pytest.fixture(scope="module")
def running_twin(project: Path) -> Iterator[RunningTwin]:
    """Replaces the twin that the other tests share, which has one server.

    Its state folder is relative, like the default.
    """
    secrets = project / "secrets.env"
    secrets.touch(mode=0o600)
    secrets.write_text(f"recorderToken={CANARY}\n")
    with started_twin(Path("state"), OVERRIDES, project=project, secrets_file=Path(secrets.name)) as twin:
        yield twin


async def use(
    url: str, person: Person, *calls: tuple[str, dict[str, object]], memory: Memory | None = None
) -> list[str]:
    """Signs in, calls tools and returns their results."""
    async with connected(url, person, memory=memory) as client:
        results = []
        for name, arguments in calls:
            result = await client.call_tool(name, arguments)
            (content,) = result.content
            assert isinstance(content, TextContent)
            assert not result.is_error, content.text
            results.append(content.text)
        return results


async def tools(url: str, person: Person) -> set[str]:
    async with connected(url, person) as client:
        return {tool.name for tool in (await client.list_tools()).tools}


def token(twin: RunningTwin, person: Person, path: str) -> tuple[Client, str]:
    client = twin.client(path=path)
    assert client.register().status_code == 201
    code = parameters_of(person.sign_in(client.authorize_url(scope=SCOPES)))["code"]
    return client, client.redeem(code).json()["access_token"]


def test_a_server_that_is_added_as_documented_can_be_used(twin: RunningTwin, ada: Person) -> None:
    name, url = block("").split()
    outputs = twin.control.get("/stack").json()["outputs"]
    for key in name.split("."):
        outputs = outputs[key]
    assert outputs == url.replace(":8000", f":{twin.port}")
    (result,) = anyio.run(use, outputs, ada, ("echo", {"message": "five minutes"}))
    assert "five minutes" in result


def restart(twin: RunningTwin, project: Path, name: str) -> subprocess.CompletedProcess[str]:
    port = twin.gateway.rpartition(":")[2]
    command = [sys.executable, "-m", "twin", "restart", name, f"--port={port}"]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=90, check=False)


def test_a_server_is_restarted_with_the_current_command_in_the_stacks_file(
    twin: RunningTwin, ada: Person, project: Path
) -> None:
    stack = project / "Pulumi.dev.yaml"
    declared = stack.read_text()
    command = "local:\n        command: npx -y @modelcontextprotocol/server-everything streamableHttp"
    assert command in declared
    stack.write_text(declared.replace(command, "local:\n        command: no-such-program"))
    try:
        refused = restart(twin, project, "everything")
        assert refused.returncode == 1
        assert "Not restarted: everything-http cannot run" in refused.stderr
        assert "the program 'no-such-program'" in refused.stderr
    finally:
        stack.write_text(declared)
    restarted = restart(twin, project, "everything")
    assert (restarted.returncode, restarted.stdout) == (0, "everything-http is ready.\n")
    (result,) = anyio.run(use, f"{twin.gateway}/everything-mcp", ada, ("echo", {"message": "again"}))
    assert "again" in result
    assert re.search(r"everything-http is ready \(\d+\.\d s\)\.", twin.log.read_text())


def test_all_parts_of_a_backend_are_restarted_together(twin: RunningTwin, project: Path) -> None:
    restarted = restart(twin, project, "slack")
    assert restarted.stdout.splitlines() == ["slack-http is ready.", "slack-sse is ready."], restarted.stderr


def test_an_unknown_server_name_is_rejected_with_the_list_of_servers(
    twin: RunningTwin, project: Path
) -> None:
    refused = restart(twin, project, "jenkins")
    assert refused.returncode == 1
    assert "There is no server 'jenkins'. The servers are: functions, " in refused.stderr


VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
SERVERS = {
    "mcp": "Functions, extension 1.6.0",
    "slack-mcp": "Slack, slack-mcp-server 1.3.0",
    "jira-mcp": "Jira, mcp-atlassian 0.23.1",
    "everything-mcp": "server-everything 2026.8.31",
}


async def agreed_versions(url: str, token: str) -> list[str]:
    """The version that a server negotiates for each version in a client's `initialize`."""
    agreed = []
    async with aiohttp.ClientSession() as http:
        for version in VERSIONS:
            if url.endswith("/sse"):
                async with legacy.connected(http, url, token, version=version) as session:
                    agreed.append(session.version)
                continue
            headers = {"Authorization": f"Bearer {token}", "Accept": "application/json, text/event-stream"}
            params = legacy.initialize(version)
            message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
            async with http.post(url, json=message, headers=headers) as answer:
                assert answer.status == 200, await answer.text()
                (negotiated,) = re.findall(r'"protocolVersion":\s*"([\d-]+)"', await answer.text())
                agreed.append(negotiated)
    return agreed


async def version_in_mode(url: str, person: Person, mode: str, memory: Memory) -> str:
    """The version with which the Python SDK lists a server's tools, or its error."""
    try:
        async with connected(url, person, memory=memory, mode=mode) as client:
            await client.list_tools()
            return client.protocol_version
    except Exception:  # noqa: BLE001 -- any error means that the client fails
        return "fails"


@pytest.mark.parametrize("path", [*SERVERS, "mcp/sse", "slack-mcp/sse", "jira-mcp/sse"])
def test_the_table_of_protocol_versions_matches_the_negotiated_versions(
    twin: RunningTwin, ada: Person, path: str
) -> None:
    _, access = token(twin, ada, path.removesuffix("/sse"))
    memory = Memory()
    url = f"{twin.gateway}/{path}"
    cells = [
        SERVERS[path.removesuffix("/sse")],
        "HTTP+SSE" if path.endswith("/sse") else "streamable HTTP",
        *anyio.run(agreed_versions, url, access),
        anyio.run(version_in_mode, url, ada, "auto", memory),
        anyio.run(version_in_mode, url, ada, "2026-07-28", memory),
    ]
    assert f"| {' | '.join(cells)} |" in VERSIONS_PAGE.read_text().splitlines()


def test_the_gateway_passes_2026_07_28_to_a_server_that_supports_it(twin: RunningTwin, ada: Person) -> None:
    twin.control.put("/readings", json={"functions-modern-protocol": "supported"}).raise_for_status()
    memory = Memory()
    url = f"{twin.gateway}/mcp"
    assert anyio.run(version_in_mode, url, ada, "auto", memory) == "2026-07-28"
    assert anyio.run(version_in_mode, url, ada, "2026-07-28", memory) == "2026-07-28"


def test_secrets_that_were_encrypted_for_a_deployment_are_not_needed(twin: RunningTwin) -> None:
    log = twin.log.read_text()
    assert "slackBotToken, jiraApiToken: encrypted in the stack's file, so not read and not needed" in log
    assert "--secret slackBotToken --secret jiraApiToken" in log


def test_the_command_for_the_inspector_names_the_first_server(twin: RunningTwin) -> None:
    assert f"--server-url {twin.gateway}/mcp\n" in twin.log.read_text()


@pytest.mark.parametrize("path", PATHS)
def test_a_client_that_has_only_the_url_lists_the_tools(twin: RunningTwin, ada: Person, path: str) -> None:
    listed_tools = anyio.run(tools, f"{twin.gateway}/{path}", ada)
    assert {"conversations_add_message" if "slack" in path else "jira_create_issue"} <= listed_tools


@pytest.mark.parametrize("path", ["slack-mcp", "slack-mcp/sse"])
def test_a_posted_message_is_in_the_channel(twin: RunningTwin, ada: Person, path: str) -> None:
    text = f"all calm on {path}"
    _, history = anyio.run(
        use,
        f"{twin.gateway}/{path}",
        ada,
        ("conversations_add_message", {"channel_id": "#buoys", "text": text}),
        ("conversations_history", {"channel_id": "#buoys", "limit": "50"}),
    )
    assert text in history


@pytest.mark.parametrize("path", ["jira-mcp", "jira-mcp/sse"])
def test_a_created_issue_is_found(twin: RunningTwin, ada: Person, path: str) -> None:
    summary = f"Paint by way of {path.replace('/', ' ')}"
    created, issues = anyio.run(
        use,
        f"{twin.gateway}/{path}",
        ada,
        ("jira_create_issue", {"project_key": "BUOY", "summary": summary, "issue_type": "Task"}),
        ("jira_search", {"jql": f'project = BUOY AND summary ~ "{summary}"'}),
    )
    assert json.loads(created)["issue"]["key"] in [issue["key"] for issue in json.loads(issues)["issues"]]


def test_a_token_of_one_server_is_not_valid_for_others(twin: RunningTwin, ada: Person) -> None:
    _, for_slack = token(twin, ada, "slack-mcp")
    for path in ("mcp", "jira-mcp", "jira-mcp/sse"):
        answer = httpx.get(f"{twin.gateway}/{path}", headers={"Authorization": f"Bearer {for_slack}"})
        assert answer.status_code == 401


def apps(twin: RunningTwin) -> dict[str, str]:
    """The local URL of each app, by its host name in Azure."""
    hosts = twin.control.get("/hosts").json()
    return {
        host: url
        for host, url in hosts.items()
        if host.endswith((".azurecontainerapps.io", ".azurewebsites.net"))
    }


def apps_that_admit(twin: RunningTwin, authorization: str) -> set[str]:
    """The servers whose apps accept a credential. An app's host name begins with the name of its server."""
    accepting = {
        host
        for host, url in apps(twin).items()
        if httpx.post(f"{url}/mcp", headers={"Authorization": authorization}, json={}).status_code
        not in (401, 403)
    }
    return {next(name for name in SERVER_NAMES if host.startswith(name)) for host in accepting}


def recording(twin: RunningTwin, person: Person) -> tuple[str, dict[str, str]]:
    """A user's token for the recorder, and the response of the recorder."""
    _, own = token(twin, person, "recorder-mcp")
    answer = httpx.post(
        f"{twin.gateway}/recorder-mcp", headers={"Authorization": f"Bearer {own}"}, json={}, timeout=30
    )
    return own, answer.json()


def recorded(twin: RunningTwin, person: Person) -> str:
    """The credential that the gateway sends to the recorder for a user's call."""
    own, answer = recording(twin, person)
    sent = answer["authorization"]
    assert sent.startswith("Bearer ")
    assert sent != f"Bearer {own}"
    return sent


def test_a_secret_reaches_its_server_and_is_neither_shown_nor_stored(
    twin: RunningTwin, ada: Person, project: Path
) -> None:
    own, answer = recording(twin, ada)
    assert answer["secret"] == hashlib.sha256(CANARY.encode()).hexdigest()
    folder = project / twin.state
    places = {str(file.relative_to(project)): file for file in folder.rglob("*") if file.is_file()}
    texts = {name: file.read_bytes() for name, file in places.items()}
    texts["console"] = twin.log.read_bytes()
    for call in (
        "/",
        "/stack",
        "/settings",
        "/servers",
        "/audit",
        "/audit/view",
        "/received?service=recorder",
    ):
        texts[call] = twin.control.get(call).content
    shown = [CANARY, base64.b64encode(CANARY.encode()).decode().rstrip("="), own, answer["authorization"]]
    # The control API returns what servers receive for tests; it listens on the loopback interface only.
    received = {"/received?service=recorder"}
    leaks = {
        name
        for name, content in texts.items()
        for value in (shown[:2] if name in received else shown)
        if value.encode() in content
    }
    assert leaks == set()
    assert b"recorder" in texts["console"]
    assert b"recorder" in texts["/stack"]


def test_only_the_owner_can_read_the_twins_state(twin: RunningTwin, project: Path) -> None:
    """`seed`, from which all keys are derived, and Entra's signing keys are in clear text in this folder."""
    folder = project / twin.state
    assert (folder.stat().st_mode & 0o777) == 0o700
    for name in ("seed", "entra-keys.json", "cosmos.sqlite"):
        assert ((folder / name).stat().st_mode & 0o777) == 0o600, name


def test_a_token_that_the_gateway_sends_to_one_server_is_refused_by_all_other_servers(
    twin: RunningTwin, ada: Person
) -> None:
    assert len(apps(twin)) == 7
    assert apps_that_admit(twin, recorded(twin, ada)) == {"recorder"}


@pytest.mark.parametrize("server", SERVER_NAMES)
def test_a_server_admits_the_gateways_identity_only_with_a_token_for_that_server(
    twin: RunningTwin, ada: Person, project: Path, server: str
) -> None:
    """Entra's signature and the gateway's identity are right in each token; only the audience differs."""
    sent = recorded(twin, ada).removeprefix("Bearer ")
    claims = json.loads(base64.urlsafe_b64decode(sent.split(".")[1] + "=="))
    entra = Deployment.of(twin.gateway, twin.entra, project / twin.state)
    values = {
        resource["inputs"]["displayName"]: resource["inputs"].get("value")
        for resource in twin.control.get("/stack").json()["resources"]
        if resource["type"].endswith(":NamedValue")
    }
    audience = values[f"{server}-audience"]
    assert apps_that_admit(twin, f"Bearer {entra.signed_by_entra({**claims, 'aud': audience})}") == {server}
    gateways_own = entra.signed_by_entra({**claims, "aud": values["entra-client"]})
    assert apps_that_admit(twin, f"Bearer {gateways_own}") == set()


def test_a_session_of_slack_belongs_to_its_user(twin: RunningTwin, ada: Person) -> None:
    """Slack's server accepts any well-formed session id: only the gateway separates sessions."""
    client, of_ada = token(twin, ada, "slack-mcp")
    initialize = {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    }
    initialized = client.http.post(
        client.resource,
        json={"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": initialize},
        headers={"Authorization": f"Bearer {of_ada}", "Accept": "application/json, text/event-stream"},
    )
    session = {"Mcp-Session-Id": initialized.headers["mcp-session-id"]}
    assert client.call(of_ada, headers=session).status_code == 200
    _, of_grace = token(twin, twin.person("Grace Hopper"), "slack-mcp")
    assert client.call(of_grace, headers=session).status_code == 404
    unknown_session = {"Mcp-Session-Id": "mcp-session-00000000-0000-4000-8000-000000000000"}
    assert client.call(of_ada, headers=unknown_session).status_code == 404


def test_servers_accept_requests_only_from_the_gateway(twin: RunningTwin, ada: Person) -> None:
    _, of_ada = token(twin, ada, "jira-mcp")
    urls = apps(twin).values()
    assert len(urls) == 7
    with httpx.Client() as http:
        for url in urls:
            for headers in ({}, {"Authorization": f"Bearer {of_ada}"}, {"Authorization": "Bearer x"}):
                for path in ("/mcp", "/sse", "/healthz", "/"):
                    assert http.get(f"{url}{path}", headers=headers).status_code == 401, f"{url}{path}"


@pytest.mark.parametrize(
    ("path", "tool", "arguments", "expected"),
    [
        ("mcp", "save_snippet", {"snippetname": "s{}", "snippet": "text {}"}, "Snippet 's{}' saved"),
        ("slack-mcp", "conversations_add_message", {"channel_id": "#buoys", "text": "reading {}"}, "posted"),
    ],
)
def test_two_hundred_parallel_sessions_receive_their_own_responses(
    twin: RunningTwin, ada: Person, path: str, tool: str, arguments: dict[str, str], expected: str
) -> None:
    """All sessions are open before the first calls; each receives one response to each request."""
    _, of_ada = token(twin, ada, path)

    async def all_sessions() -> list[LegacySession]:
        all_open = asyncio.Barrier(200)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as http:

            async def open_session(number: int) -> LegacySession:
                async with legacy.connected(http, f"{twin.gateway}/{path}/sse", of_ada) as session:
                    await all_open.wait()
                    filled = {name: value.format(number) for name, value in arguments.items()}
                    result = await session.ask(
                        "tools/call", {"name": tool, "arguments": filled}, number=number + 1
                    )
                    assert not result.get("isError"), result
                    assert expected.format(number) in result["content"][0]["text"]
                    return session

            return await asyncio.gather(*(open_session(number) for number in range(200)))

    for number, session in enumerate(anyio.run(all_sessions)):
        answers = [message["id"] for message in session.received if "id" in message]
        assert answers == [0, number + 1]


def test_jira_receives_only_the_credential_of_its_server(twin: RunningTwin, ada: Person) -> None:
    """With its defaults the server would pass on any bearer token, including the gateway's."""
    anyio.run(use, f"{twin.gateway}/jira-mcp", ada, ("jira_get_issue", {"issue_key": "BUOY-1"}))
    requests = twin.control.get("/stand-in-requests", params={"service": "jira"}).json()["requests"]
    assert {request["scheme"] for request in requests} == {"Basic"}
    names = {name for request in requests for name in request["header_names"]}
    assert [name for name in names if name.startswith(("x-ms-", "mcp-"))] == []


def test_parallel_clients_of_jira_receive_their_own_responses(twin: RunningTwin, ada: Person) -> None:
    """The clients use the SDK; ten different issues are read by twenty of them."""

    async def all_calls() -> list[str]:
        memory = Memory()
        url = f"{twin.gateway}/jira-mcp/sse"
        await use(url, ada, memory=memory)
        user = Person("user", (), twin.http)

        async def call(number: int) -> str:
            (result,) = await use(
                url, user, ("jira_get_issue", {"issue_key": f"BUOY-{number % 10 + 1}"}), memory=memory
            )
            return json.loads(result)["key"]

        return await asyncio.gather(*(call(number) for number in range(20)))

    assert anyio.run(all_calls) == [f"BUOY-{number % 10 + 1}" for number in range(20)]


def test_the_verification_passes_for_a_stack_with_all_servers(twin: RunningTwin, project: Path) -> None:
    overrides = [word for key, value in OVERRIDES.items() for word in ("--config", f"{key}={value}")]
    done = subprocess.run(
        [sys.executable, "-m", "verify", twin.gateway, "--no-sign-in", "--json", *overrides],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    report = json.loads(done.stdout)
    assert [row for row in report["checks"] if row["result"] == "failed"] == []
    assert done.returncode == 0, done.stderr
