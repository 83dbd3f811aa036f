"""Variants of a path with other cases, encodings, separators and segments.

It is not documented how Azure's frontend normalizes a path before the policies run. So each variant is sent
unchanged, and after each normalization that a frontend may apply. In every case, the path that the policies
check is the path that they forward.
"""

import json
import re
from collections.abc import Callable
from urllib.parse import unquote

import pytest

from apim import gateway as engine
from tests.attacks.harm import assert_harmless
from tests.policies.access.callers import harness_with
from tests.policies.access.test_tools import RULES, call, token_of
from tests.policies.engine.harness import Response
from tests.policies.oauth.flow import GATEWAY, Flow

NORMALIZATIONS: dict[str, Callable[[str], str]] = {
    "unchanged": lambda path: path,
    "decoded": unquote,
    "decoded twice": lambda path: unquote(unquote(path)),
    "encoded slashes decoded": lambda path: re.sub("%2f", "/", path, flags=re.IGNORECASE),
    "slashes merged": lambda path: re.sub("/+", "/", path),
    "backslashes replaced": lambda path: re.sub(r"%5c|\\", "/", path, flags=re.IGNORECASE),
    "path parameters removed": lambda path: re.sub(";[^/]*", "", path),
    "cut at NUL": lambda path: path.partition("%00")[0],
    "in lower case": str.lower,
}
SUFFIXES = [
    "/",
    "//",
    "/.",
    "/..",
    "/%2e",
    "/%2e%2e",
    "/%252e%252e",
    "/../mcp",
    "/..%2fmcp",
    "/%2e%2e/mcp",
    "/%2e%2e%2fregister",
    "/..;/register",
    "/..%5cregister",
    "\\..\\register",
    "%2f",
    "%2fsse",
    "%252fsse",
    "%5c",
    ";x=1",
    ";/sse",
    "/;x",
    "%00",
    "%00/sse",
    "%0d%0aX-A:%20b",
    "%0a",
    "%09",
    "%20",
    "%7f",
    "%ff",
    "%c0%af",
    "%c3%bc",
    "%",
    "%zz",
    "%u002f",
    "#x",
    "%23x",
    "%3fx=1",
    "%3f",
    ":443",
    "@evil.example",
]
PREFIXES = [
    "/mcp",
    "/MCP",
    "/%6dcp",
    "/%4D%43%50",
    "//mcp",
    "/./mcp",
    "/x/../mcp",
    "/%2e/mcp",
    "/x/%2E%2E/mcp",
]
PREFIXES += [
    "//evil.example/mcp",
    "/\\evil.example/mcp",
    "/http://evil.example/mcp",
    "/%256dcp",
    "/.well-known/../mcp",
]
TARGETS = [
    *PREFIXES,
    *(f"/mcp{suffix}" for suffix in SUFFIXES),
    *(f"/mcp/message{suffix}" for suffix in SUFFIXES),
]
ALLOWED_URLS = {
    "https://functions.example/runtime/webhooks/mcp",
    "https://functions.example/runtime/webhooks/mcp/message",
    "https://functions.example/runtime/webhooks/mcp/sse",
}
"""The URLs of the MCP server to which the gateway may forward a call."""


@pytest.fixture(scope="module")
def served() -> tuple[Flow, str]:
    """A gateway with rules for the tools of its MCP server, and a token that may call `read`, not `write`."""
    flow = Flow.at(harness_with(**RULES))
    return flow, token_of(flow)


@pytest.fixture(params=[False, True], ids=["dot segments resolved", "dot segments kept"])
def keeps_dots(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param:
        monkeypatch.setattr(engine, "without_dot_segments", lambda path: path)


@pytest.mark.usefixtures("keeps_dots")
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_f4_no_variant_of_a_path_bypasses_a_check_or_reaches_another_path(
    served: tuple[Flow, str], normalization: str
) -> None:
    flow, token = served
    for path in dict.fromkeys(NORMALIZATIONS[normalization](target) for target in TARGETS):
        for tool in ("write", "read"):
            flow.harness.gateway.services.counters.clear()
            flow.harness.network.sent.clear()
            answer = post(flow, path, tool, token)
            assert_harmless(answer)
            reached = [sent.url for sent in flow.harness.network.sent if "functions.example" in sent.url]
            assert set(reached) <= (ALLOWED_URLS if tool == "read" else set()), path
            assert bool(reached) == (answer.status == 200), path
        refused = post(flow, path, "read", "not a token")
        assert_harmless(refused)
        for url in re.findall('resource_metadata="([^"]*)"', refused.header("WWW-Authenticate") or ""):
            assert url.removeprefix(f"{GATEWAY}/.well-known/oauth-protected-resource") in RESOURCES, path


RESOURCES = {"/mcp", "/mcp/", "/mcp/sse", "/mcp/sse/"}
"""The paths that have protected resource metadata."""


def post(flow: Flow, path: str, tool: str, token: str) -> Response:
    body = json.dumps(call(tool)).encode()
    headers = {"Content_Type": "application/json", "Authorization": f"Bearer {token}"}
    return flow.harness.send("POST", path, body=body, **headers)


ENDPOINTS = {
    "GET": [
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-authorization-server",
        "/authorize",
        "/consent",
        "/oauth-callback",
    ],
    "POST": ["/register", "/token", "/revoke", "/consent"],
}


@pytest.mark.usefixtures("keeps_dots")
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_e8_no_variant_of_an_endpoints_path_causes_a_server_error_or_reaches_the_mcp_server(
    served: tuple[Flow, str], normalization: str
) -> None:
    flow, _ = served
    flow.harness.network.sent.clear()
    documents = dict(flow.store.documents)
    for method, paths in ENDPOINTS.items():
        for path in paths:
            first, rest = path[1], path[2:]
            variants = [f"{path}{suffix}" for suffix in SUFFIXES]
            variants += [
                f"/%{ord(first):02x}{rest}",
                f"/x/..{path}",
                f"/{path}",
                path.upper(),
                f"/mcp/..{path}",
            ]
            for target in variants:
                flow.harness.gateway.services.counters.clear()
                answer = flow.harness.send(method, NORMALIZATIONS[normalization](target), body=b"")
                assert_harmless(answer)
                assert answer.status in (200, 302, 400, 401, 403, 404, 405, 415), target
    assert not any("functions.example" in sent.url for sent in flow.harness.network.sent)
    assert flow.store.documents == documents
