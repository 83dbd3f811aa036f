"""Unusual requests: repeated headers and parameters, other hosts, unusual characters, large bodies."""

import asyncio
import copy
import json
import re
from urllib.parse import quote, urlencode

import pytest

from apim.messages import InboundRequest
from tests.attacks.harm import assert_harmless
from tests.e2e.client import CALLBACK
from tests.policies.engine.harness import Response
from tests.policies.oauth.flow import FORM, GATEWAY, VERIFIER, Flow

Headers = list[tuple[str, str]]
MCP_SERVER = "functions.example"


@pytest.fixture
def flow() -> Flow:
    return Flow.new()


def send(
    flow: Flow,
    method: str,
    path: str,
    headers: Headers,
    body: bytes = b"",
    *,
    query: str = "",
    host: str = "",
) -> Response:
    """Sends a request with these header lines, in addition to Host and Content-Length."""
    request = InboundRequest(
        method=method,
        path=path,
        query=query,
        headers=(("Host", host or "gateway.example"), *headers, ("Content-Length", str(len(body)))),
        body=body,
        ip_address="203.0.113.7",
        host=host or "gateway.example",
    )
    return asyncio.run(flow.harness.handle(request))


def reached_the_server(flow: Flow) -> bool:
    return any(MCP_SERVER in sent.url for sent in flow.harness.network.sent)


# Repeated headers


def test_e1_two_authorization_headers_are_answered_like_a_missing_token(flow: Flow) -> None:
    token = flow.token()
    for lines in (
        [f"Bearer {token}", f"Bearer {token}"],
        [f"Bearer {token}", "Bearer x"],
        ["Basic eDp5", f"Bearer {token}"],
        [f"Bearer {token}, Bearer {token}"],
    ):
        answer = send(flow, "POST", "/mcp", [("Authorization", line) for line in lines], b"{}")
        assert answer.status == 401
    assert not reached_the_server(flow)


@pytest.mark.parametrize("first", ["Basic eDo=", "Bearer x"])
def test_d2_a_token_request_with_two_authorization_headers_is_refused(flow: Flow, first: str) -> None:
    form = urlencode({"grant_type": "authorization_code", "code": flow.code(), "client_id": flow.client_id})
    lines = [("Content-Type", FORM), ("Authorization", first), ("Authorization", "Basic eDo=")]
    answer = send(flow, "POST", "/token", lines, form.encode())
    assert (answer.status, answer.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize(
    "content_types", [["text/plain", FORM], [FORM, "text/plain"], [f"{FORM}, text/plain"]], ids=str
)
def test_d2_a_revocation_request_with_two_content_types_is_refused(
    flow: Flow, content_types: list[str]
) -> None:
    form = f"token={flow.refresh_token()}&client_id={flow.client_id}".encode()
    headers = [("Content-Type", content_type) for content_type in content_types]
    answer = send(flow, "POST", "/revoke", headers, form)
    assert (answer.status, answer.json()["error"]) == (400, "invalid_request")
    assert_harmless(answer)
    assert flow.store.one("grants")["status"] == "redeemed"


def test_c5_of_several_cookies_with_the_same_name_the_first_is_used(flow: Flow) -> None:
    """Browsers send the cookie with the more specific path first (RFC 6265, section 5.4)."""
    page = flow.page()
    ((name, value),) = flow.cookies.items()
    form = _form_of(page)
    headers = [("Content-Type", FORM), ("Origin", GATEWAY)]
    for lines in ([f"{name}=x", f"{name}={value}"], [f"x=1, {name}={value}"], [f"x{name}={value}"]):
        answer = send(flow, "POST", "/consent", headers + [("Cookie", line) for line in lines], form)
        assert answer.status == 403
    answer = send(
        flow, "POST", "/consent", [*headers, ("Cookie", "x=1"), ("Cookie", f"{name}={value}")], form
    )
    assert answer.status == 303


def test_c5_a_consent_needs_a_single_origin_equal_to_the_gateways(flow: Flow) -> None:
    page = flow.page()
    cookie = ("Cookie", "; ".join(f"{name}={value}" for name, value in flow.cookies.items()))
    for origins in (
        [GATEWAY, "https://evil.example"],
        [GATEWAY, GATEWAY],
        [f"{GATEWAY}.evil.example"],
        ["null"],
        [],
    ):
        lines = [("Content-Type", FORM), cookie, *(("Origin", origin) for origin in origins)]
        assert send(flow, "POST", "/consent", lines, _form_of(page)).status == 403


def _form_of(page: Response) -> bytes:
    matches = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page.body.decode()))
    return urlencode(matches | {"decision": "allow", "confirm": "yes"}).encode()


# Hosts and forwarding headers

HOSTS = [
    "evil.example",
    "gateway.example:444",
    "gateway.example.evil.example",
    "GATEWAY.EXAMPLE",
    "[::1]",
    "x@y",
]
FORWARDED = {
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "http",
    "X-Forwarded-For": "127.0.0.1",
    "X-Forwarded-Port": "1",
    "X-Forwarded-Prefix": "/evil",
    "X-Original-URL": "/mcp",
    "X-Rewrite-URL": "/mcp",
    "X-HTTP-Method-Override": "GET",
    "Forwarded": "for=127.0.0.1;host=evil.example;proto=http",
    "X-Original-Host": "evil.example",
    "X-Host": "evil.example",
    "CF-Connecting-IP": "127.0.0.1",
}
DOCUMENTS = [
    "/.well-known/oauth-protected-resource/mcp",
    "/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration",
]


@pytest.mark.parametrize("host", HOSTS)
def test_a3_no_host_changes_a_document_a_challenge_or_a_redirect(flow: Flow, host: str) -> None:
    for path in DOCUMENTS:
        assert send(flow, "GET", path, [], host=host).body == send(flow, "GET", path, []).body
    challenge = send(flow, "POST", "/mcp", [], b"{}", host=host).header("WWW-Authenticate")
    assert challenge == send(flow, "POST", "/mcp", [], b"{}").header("WWW-Authenticate")
    query = f"client_id={flow.client_id}&redirect_uri={quote(CALLBACK, safe='')}"
    answer = send(flow, "GET", "/authorize", [], query=query, host=host)
    assert "evil" not in (answer.header("Location") or "")


@pytest.mark.parametrize("name", FORWARDED)
def test_a3_no_forwarding_header_changes_anything_or_reaches_the_server(flow: Flow, name: str) -> None:
    line = (name, FORWARDED[name])
    for path in DOCUMENTS:
        assert send(flow, "GET", path, [line]).body == send(flow, "GET", path, []).body
    token = flow.token()
    flow.harness.network.sent.clear()
    assert send(flow, "POST", "/mcp", [line, ("Authorization", f"Bearer {token}")], b"{}").status == 200
    (sent,) = [request for request in flow.harness.network.sent if MCP_SERVER in request.url]
    assert sent.header(name) is None


def test_b4_a_forwarding_header_does_not_bypass_a_limit(flow: Flow) -> None:
    body = json.dumps({"redirect_uris": [CALLBACK]}).encode()
    flow.harness.gateway.services.counters.clear()
    statuses = [
        send(
            flow,
            "POST",
            "/register",
            [("Content-Type", "application/json"), ("X-Forwarded-For", f"198.51.100.{number}")],
            body,
        ).status
        for number in range(65)
    ]
    assert statuses == [201] * 60 + [429] * 5


# Repeated parameters

NOT_REPEATABLE = {
    "/authorize": [
        "client_id",
        "redirect_uri",
        "response_type",
        "code_challenge",
        "code_challenge_method",
        "scope",
    ],
    "/token": ["grant_type", "code", "redirect_uri", "client_id", "code_verifier", "refresh_token", "scope"],
    "/revoke": ["token", "client_id", "token_type_hint"],
}


@pytest.mark.parametrize(
    ("path", "name"), [(path, name) for path, names in NOT_REPEATABLE.items() for name in names]
)
def test_c2_d2_a_repeated_parameter_is_refused(flow: Flow, path: str, name: str) -> None:
    """Also if the second value is the same or empty, or if the second name is percent-encoded."""
    code = flow.code() if path == "/token" else ""
    parameters = {
        "/authorize": {
            "response_type": "code",
            "client_id": flow.client_id,
            "redirect_uri": CALLBACK,
            "code_challenge": "c" * 43,
            "code_challenge_method": "S256",
        },
        "/token": {
            "grant_type": "authorization_code",
            "code": code,
            "client_id": flow.client_id,
            "code_verifier": "v" * 43,
        },
        "/revoke": {"token": "x", "client_id": flow.client_id},
    }[path] | {name: "x"}
    escaped = f"%{ord(name[0]):02x}{name[1:]}"
    for second in (f"{name}=x", f"{name}=", f"{escaped}=x"):
        form = f"{urlencode(parameters)}&{second}"
        if path == "/authorize":
            answer = send(flow, "GET", path, [], query=form)
            assert answer.status == 400 or "error=invalid_request" in (answer.header("Location") or "")
        else:
            answer = send(flow, "POST", path, [("Content-Type", FORM)], form.encode())
            assert (answer.status, answer.json()["error"]) == (400, "invalid_request")


# Characters and sizes

UNUSUAL_VALUES = [
    "\x00",
    "\r\nSet-Cookie: a=b",
    "\u202e",
    "\ud800",
    "\U0001f600" * 100,
    "%0d%0aX: y",
    "{{gateway-url}}",
    "@(context.RequestId)",
    "<script>alert(1)</script>",
    "' OR 1=1 --",
    "../../docs/x",
    "x" * 100_000,
    "\ufeff",
]
PARAMETERS = {
    "/authorize": [
        "client_id",
        "redirect_uri",
        "state",
        "scope",
        "resource",
        "code_challenge",
        "response_type",
    ],
    "/consent": ["transaction"],
    "/oauth-callback": ["state", "code", "error"],
    "/token": [
        "grant_type",
        "code",
        "client_id",
        "code_verifier",
        "refresh_token",
        "redirect_uri",
        "resource",
    ],
    "/revoke": ["token", "client_id", "token_type_hint"],
}


@pytest.mark.parametrize(
    ("path", "name"), [(path, name) for path, names in PARAMETERS.items() for name in names]
)
def test_e8_unusual_values_of_a_parameter_are_harmless(flow: Flow, path: str, name: str) -> None:
    others = {
        "/authorize": {"client_id": flow.client_id, "redirect_uri": CALLBACK, "response_type": "code"},
        "/token": {"grant_type": "authorization_code", "client_id": flow.client_id, "code": "x"},
        "/revoke": {"token": "x", "client_id": "x"},
    }.get(path, {})
    for value in UNUSUAL_VALUES:
        flow.harness.gateway.services.counters.clear()
        form = urlencode(others | {name: value}, errors="surrogatepass")
        if path in ("/token", "/revoke"):
            answer = send(flow, "POST", path, [("Content-Type", FORM)], form.encode())
        else:
            answer = send(flow, "GET", path, [], query=form)
        assert_harmless(answer)
        assert b"<script>" not in answer.body
        location = answer.header("Location") or ""
        assert location.startswith((CALLBACK, f"{GATEWAY}/consent?")) or not location


@pytest.mark.parametrize("size", [16_384, 16_385, 1_000_000])
def test_b4_d2_a_body_of_more_than_16_kb_is_refused_and_changes_nothing_in_the_store(
    flow: Flow, size: int
) -> None:
    """The only difference between the accepted and the refused requests is the size."""
    small = size == 16_384
    parameters = {
        "grant_type": "authorization_code",
        "code": flow.code(),
        "client_id": flow.client_id,
        "code_verifier": VERIFIER,
        "x": "",
    }
    documents = copy.deepcopy(flow.store.documents)
    metadata = json.dumps({"redirect_uris": [CALLBACK], "x": ""})
    body = metadata[:-2].encode() + b"x" * (size - len(metadata)) + b'"}'
    answer = send(flow, "POST", "/register", [("Content-Type", "application/json")], body)
    assert answer.status == (201 if small else 413)
    form = urlencode(parameters).ljust(size, "x").encode()
    assert send(flow, "POST", "/token", [("Content-Type", FORM)], form).status == (200 if small else 400)
    assert (flow.store.documents == documents) == (not small)


@pytest.mark.parametrize(
    "body",
    [b"[" * 16_000, b'{"a":' * 3_000, b'{"redirect_uris":' + b"[" * 8_000],
    ids=["arrays", "objects", "arrays in redirect_uris"],
)
def test_b4_deeply_nested_json_is_refused(flow: Flow, body: bytes) -> None:
    answer = send(flow, "POST", "/register", [("Content-Type", "application/json")], body)
    assert (answer.status, answer.json()["error"]) == (400, "invalid_client_metadata")


# Too many requests

PAGES = {
    ("GET", "/authorize"): "client_id=x",
    ("GET", "/consent"): "transaction=x",
    ("POST", "/consent"): "",
    ("GET", "/oauth-callback"): "state=x",
}


@pytest.mark.parametrize(("method", "path"), PAGES)
def test_b4_too_many_page_requests_are_answered_with_a_page_and_retry_after(
    flow: Flow, method: str, path: str
) -> None:
    flow.harness.gateway.services.counters.clear()
    answers = [send(flow, method, path, [], query=PAGES[method, path]) for _ in range(61)]
    assert {answer.status for answer in answers[:60]} <= {400, 403}
    last = answers[-1]
    assert (last.status, last.header("Content-Type")) == (429, "text/html; charset=utf-8")
    assert b"<h1>Too many sign-ins at once</h1>" in last.body
    assert 1 <= int(last.header("Retry-After") or "") <= 60
    assert last.header("Cache-Control") == "no-store"


@pytest.mark.parametrize("path", ["/token", "/revoke"])
def test_e7_too_many_token_requests_are_answered_with_an_oauth_error(flow: Flow, path: str) -> None:
    flow.harness.gateway.services.counters.clear()
    answers = [send(flow, "POST", path, [("Content-Type", FORM)], b"x=1") for _ in range(601)]
    assert {answer.status for answer in answers[:600]} == {400}
    last = answers[-1]
    assert (last.status, last.json()["error"]) == (429, "temporarily_unavailable")
    assert last.json()["error_description"] == "Too many requests in a minute. Try again later."
    assert 1 <= int(last.header("Retry-After") or "") <= 60
    assert (last.header("Access-Control-Allow-Origin"), last.header("Cache-Control")) == ("*", "no-store")
