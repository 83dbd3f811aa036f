"""Verifying a running stack: every check passes on the twin, and each fault fails its own row."""

import json
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
from typer.testing import CliRunner

from apim.readings import question
from configuration.tool_lock import load
from tests.e2e.client import parameters_of
from tests.e2e.conftest import RunningTwin
from tests.e2e.verification import ONE_SERVER, SHORT, Change, ids, signs_in, target, verify
from verify import lock_tools
from verify.readings import readings
from verify.report import as_json, succeeded
from verify.target import Target

__all__ = ["target"]

TESTED_ELSEWHERE = {
    "gateway": "tests/e2e/test_verify_command.py",
    "audience": "tests/verify/test_tokens.py",
    "tool-lock:functions": "tests/verify/test_tool_lists.py",
}
"""Checks whose failures are tested in another file."""

pytestmark = pytest.mark.usefixtures("twin")


def test_every_check_passes_on_the_twin(twin: RunningTwin, target: Target) -> None:
    session, rows = verify(target, open_page=signs_in(twin))
    assert {row.check.id: row.outcome.details for row in rows if row.outcome.result == "failed"} == {}
    assert ids(rows, "skipped") == ONE_SERVER
    assert all(row.outcome.details for row in rows)
    broken = {
        id_ for _, failing, _ in (BROKEN | BROKEN_IN_AZURE | BROKEN_FOR_USERS).values() for id_ in failing
    }
    untested = {row.check.id for row in rows} - broken - TESTED_ELSEWHERE.keys()
    assert not untested, f"add a failure of these checks to this file: {untested}"
    report = as_json(target, rows, readings(session, rows))
    assert report["ok"] is True
    assert {reading["id"]: reading["observed"] for reading in report["readings"]}["R15"] == "works"


def test_the_verification_deletes_its_snippet_and_ends_its_sign_in(twin: RunningTwin, target: Target) -> None:
    session, rows = verify(target, open_page=signs_in(twin))
    (name,) = [row.outcome.details for row in rows if row.check.id == "snippet"]
    (sign_in,) = session.sign_ins.values()
    answer = httpx.post(f"{twin.gateway}/mcp", headers=sign_in.headers, json={})
    assert answer.status_code == 401
    again = twin.client()
    again.register()
    code = parameters_of(twin.person().sign_in(again.authorize_url()))["code"]
    token = again.redeem(code).json()["access_token"]
    call = {"name": "get_snippet", "arguments": {"snippetname": name}}
    response = again.http.post(
        again.resource,
        json={"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call},
        headers={"Authorization": f"Bearer {token}", "Accept": "application/json, text/event-stream"},
    )
    assert "You have no snippet named" in response.text


# Failures.


def json_at(path: str, **changed: Any) -> Change:
    """Changes members of the JSON object at a path."""

    def change(request: httpx2.Request, answer: httpx2.Response) -> httpx2.Response:
        wanted = request.url.path == path and answer.status_code in {200, 201} and request.method != "OPTIONS"
        return _with_json(answer, lambda document: document | changed) if wanted else answer

    return change


def _with_json(answer: httpx2.Response, alter: Callable[[Any], Any]) -> httpx2.Response:
    """The response with other JSON; its content is read only when it is needed."""

    stream = answer.stream
    assert isinstance(stream, httpx2.AsyncByteStream)

    class Altered(httpx2.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            content = b"".join([chunk async for chunk in stream])
            yield json.dumps(alter(json.loads(content))).encode()

        async def aclose(self) -> None:
            await stream.aclose()

    headers = [(name, value) for name, value in answer.headers.raw if name.lower() not in _FRAMING]
    return httpx2.Response(answer.status_code, headers=headers, stream=Altered())


_FRAMING = {b"content-length", b"transfer-encoding", b"content-encoding"}


def status_at(
    method: str, path: str, status: int, *, when: Callable[[httpx2.Request], bool] = lambda _: True
) -> Change:
    """Replaces the status of responses, and removes their headers."""

    def change(request: httpx2.Request, answer: httpx2.Response) -> httpx2.Response:
        if (request.method, request.url.path) == (method, path) and when(request):
            return httpx2.Response(status, stream=answer.stream)
        return answer

    return change


def headers_at(method: str, path: str, **changed: str | None) -> Change:
    """Changes or removes headers of responses."""

    def change(request: httpx2.Request, answer: httpx2.Response) -> httpx2.Response:
        if (request.method, request.url.path) == (method, path):
            for name, value in changed.items():
                answer.headers.pop(name.replace("_", "-"), None)
                if value is not None:
                    answer.headers[name.replace("_", "-")] = value
        return answer

    return change


def resource(suffix: str, alter: Callable[[Any], Any]) -> Change:
    """Changes Azure Resource Manager's response for a path with this suffix."""

    def change(request: httpx2.Request, answer: httpx2.Response) -> httpx2.Response:
        of_azure = request.url.path.startswith("/subscriptions")
        return _with_json(answer, alter) if of_azure and request.url.path.endswith(suffix) else answer

    return change


def absent(suffix: str) -> Change:
    """Azure Resource Manager returns 404 for a path with this suffix."""

    def change(request: httpx2.Request, answer: httpx2.Response) -> httpx2.Response:
        of_azure = request.url.path.startswith("/subscriptions")
        if of_azure and request.url.path.endswith(suffix):
            return httpx2.Response(404, stream=answer.stream)
        return answer

    return change


def value_of(text: Callable[[str], str]) -> Callable[[Any], Any]:
    return lambda document: {
        **document,
        "properties": {**document["properties"], "value": text(document["properties"]["value"])},
    }


def properties(**changed: Any) -> Callable[[Any], Any]:
    return lambda document: {**document, "properties": {**document["properties"], **changed}}


def listed(alter: Callable[[list[Any]], list[Any]]) -> Callable[[Any], Any]:
    return lambda document: {**document, "value": alter(document["value"])}


def other_identity(document: Any) -> Any:
    text = json.dumps(document)
    return json.loads(re.sub(r'("identities": \[")[^"]+', r"\1another-identity", text))


def open_server(request: httpx2.Request, answer: httpx2.Response) -> httpx2.Response:
    """Lets the Function App accept requests without a token at one of its paths."""
    at_server = request.url.port not in (None, 80) and request.url.path == "/admin/host/status"
    return httpx2.Response(200, stream=answer.stream) if at_server else answer


TOKEN_POLICY = "/apis/oauth/operations/token/policies/policy"
BROKEN: dict[str, tuple[Change, set[str], str]] = {
    "issuer with a trailing slash": (
        json_at("/.well-known/oauth-authorization-server", issuer="https://gateway/"),
        {"authorization-server-metadata"},
        "without a trailing slash",
    ),
    "OpenID configuration missing": (
        status_at("GET", "/.well-known/openid-configuration", 404),
        {"authorization-server-metadata"},
        "pulumi up",
    ),
    "plain PKCE advertised": (
        json_at("/.well-known/openid-configuration", code_challenge_methods_supported=["S256", "plain"]),
        {"authorization-server-metadata"},
        "pulumi up",
    ),
    "resource of another host": (
        json_at("/.well-known/oauth-protected-resource/mcp/sse", resource="https://other.example/mcp"),
        {"protected-resource-metadata"},
        "gateway-url",
    ),
    "challenge without metadata": (
        headers_at("DELETE", "/mcp", www_authenticate="Bearer"),
        {"challenge"},
        "mcp-token",
    ),
    "challenge to another document": (
        headers_at("GET", "/mcp/sse", www_authenticate='Bearer resource_metadata="https://other.example"'),
        {"challenge"},
        "mcp-token",
    ),
    "HEAD served without a token": (status_at("HEAD", "/mcp", 200), {"challenge"}, "mcp-token"),
    "foreign origin admitted": (
        status_at("GET", "/mcp", 200, when=lambda request: "origin" in request.headers),
        {"foreign-origin"},
        "allowedOrigins",
    ),
    "no preflight at the token endpoint": (status_at("OPTIONS", "/token", 404), {"cors"}, "R9 and R10"),
    "no CORS header on metadata": (
        headers_at("GET", "/.well-known/oauth-protected-resource/mcp", access_control_allow_origin=None),
        {"cors"},
        "R9 and R10",
    ),
    "Authorization not allowed by a preflight": (
        headers_at("OPTIONS", "/mcp/message", access_control_allow_headers="*"),
        {"cors"},
        "R9 and R10",
    ),
    "CORS header on the consent page": (
        headers_at("GET", "/consent", access_control_allow_origin="*"),
        {"no-cors"},
        "cors policy",
    ),
    "unregistered redirect URI accepted": (
        status_at(
            "GET",
            "/authorize",
            302,
            when=lambda request: request.url.params.get("redirect_uri", "").endswith("more=1"),
        ),
        {"redirect-uri"},
        "compare redirect URIs",
    ),
    "secret for a public client": (
        json_at("/register", client_secret="s3cret"),
        {"registration"},
        "registerPerMinute",
    ),
}
BROKEN_IN_AZURE: dict[str, tuple[Change, set[str], str]] = {
    "policy edited": (
        resource(TOKEN_POLICY, value_of(lambda text: text.replace("invalid_grant", "invalid_grants"))),
        {"policies"},
        "pulumi refresh",
    ),
    "policy missing": (absent(TOKEN_POLICY), {"policies"}, "pulumi refresh"),
    "base element removed from the policy of an API": (
        resource(
            "/apis/functions-mcp/policies/policy",
            value_of(lambda text: text.replace("<base />", "", 1)),
        ),
        {"policies"},
        "pulumi refresh",
    ),
    "text of a fragment changed": (
        resource("/policyFragments/mcp-token", value_of(lambda text: text.replace("redeemed", "issued"))),
        {"fragments"},
        "minutes to register",
    ),
    "API that is not part of the stack": (
        resource(
            "/apis",
            listed(lambda apis: [*apis, {"name": "echo-api", "properties": {"path": "echo"}}]),
        ),
        {"operations"},
        "az apim api delete --api-id echo-api --service-name apim-",
    ),
    "operation added": (
        resource(
            "/apis/functions-mcp/operations",
            listed(
                lambda operations: [
                    *operations,
                    {"name": "all", "properties": {"method": "GET", "urlTemplate": "/*"}},
                ]
            ),
        ),
        {"operations"},
        "pulumi refresh",
    ),
    "operation missing": (
        resource(
            "/apis/oauth/operations",
            listed(
                lambda operations: [operation for operation in operations if operation["name"] != "token"]
            ),
        ),
        # The policy of a missing operation is also missing.
        {"operations", "policies"},
        "pulumi refresh",
    ),
    "named value missing": (
        resource("/namedValues", listed(lambda values: values[1:])),
        {"named-values"},
        "pulumi refresh",
    ),
    "authentication removed": (
        resource("/config/authsettingsV2", properties(platform={"enabled": False})),
        {"authentication"},
        "stop the app",
    ),
    "app without authentication": (
        absent("/config/authsettingsV2"),
        {"authentication"},
        "stop the app",
    ),
    "authentication that admits another identity": (
        resource("/config/authsettingsV2", other_identity),
        {"authentication"},
        "stop the app",
    ),
    "authentication that allows anonymous requests": (
        resource(
            "/config/authsettingsV2",
            properties(globalValidation={"unauthenticatedClientAction": "AllowAnonymous"}),
        ),
        {"authentication"},
        "stop the app",
    ),
    "publishing by password": (
        resource("/basicPublishingCredentialsPolicies/scm", properties(allow=True)),
        {"authentication"},
        "stop the app",
    ),
    "server without authentication": (open_server, {"direct-calls"}, "open to the internet"),
    "service not found": (
        resource("/providers/Microsoft.ApiManagement/service", listed(lambda _: [])),
        {"service"},
        "--resource-group",
    ),
    "service that is being updated": (
        resource(
            "/providers/Microsoft.ApiManagement/service",
            listed(lambda services: [properties(provisioningState="Updating")(services[0])]),
        ),
        {"service"},
        "pulumi up",
    ),
}


@pytest.mark.parametrize("fault", BROKEN | BROKEN_IN_AZURE)
def test_each_failure_is_reported_in_its_own_row(target: Target, fault: str) -> None:
    change, rows_that_fail, remedy = (BROKEN | BROKEN_IN_AZURE)[fault]
    # Checks of the gateway do not call Azure, and vice versa.
    azure = fault in BROKEN_IN_AZURE
    _, rows = verify(target, change=change, sections=lambda section: (section == "Azure") == azure)
    failed = {row.check.id: row for row in rows if row.outcome.result == "failed"}
    assert failed.keys() == rows_that_fail, {name: row.outcome.details for name, row in failed.items()}
    assert not succeeded(rows)
    assert any(remedy in row.outcome.remedy for row in failed.values()), failed


def first_redemption_returns(status: int) -> Change:
    """Answers the first redemption of a code, which has a wrong verifier, with a status."""
    seen = []

    def change(request: httpx2.Request, answer: httpx2.Response) -> httpx2.Response:
        if request.url.path == "/token" and request.method == "POST":
            seen.append(request)
            if len(seen) == 1:
                return httpx2.Response(status, stream=answer.stream)
        return answer

    return change


def replay_returns(status: int) -> Change:
    """Answers the third token request, which replays the code, with a status."""
    seen = []

    def change(request: httpx2.Request, answer: httpx2.Response) -> httpx2.Response:
        if request.url.path == "/token" and request.method == "POST":
            seen.append(request)
            if len(seen) > 2:
                return httpx2.Response(status, stream=answer.stream)
        return answer

    return change


def stream_ends_early() -> Change:
    """Ends the stream of the `stream` check early; the earlier stream of the tool call is unchanged."""
    seen = []

    class ShortStream(httpx2.AsyncByteStream):
        def __init__(self, stream: Any) -> None:
            self._stream = stream

        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield await anext(aiter(self._stream))

        async def aclose(self) -> None:
            await self._stream.aclose()

    def change(request: httpx2.Request, answer: httpx2.Response) -> httpx2.Response:
        if request.url.path == "/mcp/sse" and request.method == "GET" and answer.status_code == 200:
            seen.append(request)
            if len(seen) > 1:
                return httpx2.Response(200, headers=answer.headers, stream=ShortStream(answer.stream))
        return answer

    return change


def slow_call_ends_early(request: httpx2.Request, answer: httpx2.Response) -> httpx2.Response:
    """Aborts a long request."""
    if request.url.path == "/mcp" and int(request.headers.get("content-length", 0)) > 512:
        raise httpx2.RemoteProtocolError("Server disconnected without sending a response.", request=request)
    return answer


def with_token(request: httpx2.Request) -> bool:
    return "authorization" in request.headers and "access_token" not in request.url.params


def is_call_of(tool: str, request: httpx2.Request) -> bool:
    """Whether a request to the MCP path calls a tool; a long body is a stream and is not read."""
    short = 0 < int(request.headers.get("content-length", 0)) < 512
    return request.url.path == "/mcp" and short and f'"{tool}"'.encode() in request.content


BROKEN_FOR_USERS: dict[str, tuple[Change, set[str], str]] = {
    "token in the query accepted": (
        status_at("POST", "/mcp", 200, when=lambda request: "access_token" in request.url.params),
        {"bad-tokens"},
        "mcp-token",
    ),
    "scheme Bearer without a token accepted": (
        status_at("POST", "/mcp", 200, when=lambda request: request.headers.get("authorization") == "Bearer"),
        {"bad-tokens"},
        "mcp-token",
    ),
    "streamable HTTP fails": (
        lambda request, answer: (
            httpx2.Response(502, stream=answer.stream)
            if request.url.path == "/mcp" and with_token(request) and answer.status_code == 200
            else answer
        ),
        {"tool:functions:http"},
        "R15",
    ),
    "event streams fail": (
        lambda request, answer: (
            httpx2.Response(503, stream=answer.stream)
            if request.url.path == "/mcp/sse" and with_token(request) and answer.status_code == 200
            else answer
        ),
        {"tool:functions:sse"},
        "log stream",
    ),
    "snippets cannot be saved": (
        lambda request, answer: (
            httpx2.Response(502, stream=answer.stream) if is_call_of("save_snippet", request) else answer
        ),
        {"snippet"},
        "Storage Blob Data Owner",
    ),
    "event streams end early": (stream_ends_early(), {"stream"}, "R4"),
    "slow calls end early": (slow_call_ends_early, {"slow-call"}, "R4"),
    "code redeemed without its verifier": (first_redemption_returns(200), {"sign-in:functions"}, "verifier"),
    "used code redeemed": (replay_returns(200), {"used-code"}, "used twice"),
    "token endpoint fails": (status_at("POST", "/token", 500), {"sign-in:functions"}, "Application Insights"),
    "token response can be cached": (
        headers_at("POST", "/token", cache_control="public"),
        {"sign-in:functions"},
        "select Allow",
    ),
}


@pytest.mark.parametrize("fault", BROKEN_FOR_USERS)
def test_each_failure_for_users_is_reported_in_its_own_row(
    twin: RunningTwin, target: Target, fault: str
) -> None:
    change, rows_that_fail, remedy = BROKEN_FOR_USERS[fault]
    _, rows = verify(target, change=change, open_page=signs_in(twin))
    failed = {row.check.id: row for row in rows if row.outcome.result == "failed"}
    assert failed.keys() == rows_that_fail, {name: row.outcome.details for name, row in failed.items()}
    assert any(remedy in row.outcome.remedy for row in failed.values()), failed


def test_a_single_change_fails_a_single_row_of_the_whole_report(target: Target) -> None:
    for fault, broken in (
        ("issuer with a trailing slash", BROKEN),
        ("authentication removed", BROKEN_IN_AZURE),
    ):
        change, rows_that_fail, _ = broken[fault]
        _, rows = verify(target, change=change)
        assert ids(rows, "failed") == rows_that_fail


def test_a_token_that_is_valid_after_its_sign_in_ended_is_found(twin: RunningTwin, target: Target) -> None:
    requests = []

    def change(request: httpx2.Request, answer: httpx2.Response) -> httpx2.Response:
        if request.url.path == "/token" and request.method == "POST":
            requests.append(request)
        replayed = request.url.path == "/mcp" and "authorization" in request.headers and len(requests) > 2
        return httpx2.Response(200, stream=answer.stream) if replayed else answer

    _, rows = verify(target, change=change, open_page=signs_in(twin))
    assert ids(rows, "failed") == {"used-code"}


@pytest.mark.parametrize(
    ("chosen", "observed", "failed"),
    [
        ({}, {"R3": "visible", "R14": "ignored", "R15": "works"}, set()),
        (
            {"R3": "removed", "R14": "refused"},
            {"R3": "removed", "R14": "refused", "R15": "works"},
            set(),
        ),
        ({"R14": "supported"}, {"R3": "visible", "R14": "supported", "R15": "works"}, set()),
        ({"R15": "fails"}, {"R15": "fails"}, {"tool:functions:http"}),
    ],
)
def test_observed_readings_are_reported_in_the_words_of_their_table(
    twin: RunningTwin, target: Target, chosen: dict[str, str], observed: dict[str, str], failed: set[str]
) -> None:
    twin.control.put("/readings", json=chosen).raise_for_status()
    session, rows = verify(target, open_page=signs_in(twin))
    assert ids(rows, "failed") == failed
    reported = {
        reading["id"]: reading for reading in as_json(target, rows, readings(session, rows))["readings"]
    }
    # Requests of less than 30 seconds cannot show a limit of 30, so R4 is not among them.
    assert {name: reading["observed"] for name, reading in reported.items()} == observed
    for name, option in observed.items():
        assert reported[name]["meaning"] == question(name).option(option).meaning


def test_the_client_waits_for_a_server_that_is_starting(twin: RunningTwin, target: Target) -> None:
    twin.fault("functions", status=503, times=2)
    _, rows = verify(target, open_page=signs_in(twin), durations=replace(SHORT, start=20))
    assert ids(rows, "failed") == set()


def test_a_user_who_signs_in_locks_the_tools_of_a_server_that_admits_no_agents(
    twin: RunningTwin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages: list[str] = []

    def open_page(page: str) -> bool:
        pages.append(page)
        signs_in(twin)("", page)
        return True

    monkeypatch.setattr(lock_tools.webbrowser, "open", open_page)
    file = tmp_path / "tools.lock.json"
    arguments = [twin.gateway, "--server", "functions", "--file", str(file)]
    result = CliRunner().invoke(lock_tools.app, arguments)
    assert (result.exit_code, len(pages)) == (0, 1), result.output
    assert load(file) == {"functions": load()["functions"]}
    refused = CliRunner().invoke(lock_tools.app, [*arguments, "--agent"])
    assert (refused.exit_code, "Run without --agent" in refused.output) == (1, True)
