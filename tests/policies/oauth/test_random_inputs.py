"""Random requests to MCP paths, and random responses of their servers (docs/authorization.md, E8).

`HYPOTHESIS_PROFILE=thorough` tries 10,000 inputs for each test.
"""

import functools
import json
import string
from dataclasses import dataclass

from hypothesis import example, given
from hypothesis import strategies as st

from apim.network import Reply
from tests.e2e.client import refusal_of
from tests.policies.engine.harness import Harness, Response
from tests.policies.oauth.flow import Flow, ManualClock, service_with
from tests.profile import many

INTERNAL = (b"functions.example", b"cosmos.example", b"Exception", b"Traceback", b"System.", b"{{")
PATHS = ("/mcp", "/mcp/", "/mcp/sse", "/mcp/message", "/message", "/MCP/Message/", "/mcp/%73se", "/mcp//sse")
SESSION = "0123456789abcdef"


@functools.cache
def signed_in() -> tuple[Flow, str]:
    """A gateway with limits that no test reaches, and a valid token."""
    limits = dict.fromkeys(("callsPerMinute", "badTokensPerMinute"), "100000")
    flow = Flow.at(Harness(service_with(**limits), ManualClock()))
    return flow, flow.token()


# The characters that HTTP servers accept: visible characters, spaces, tabs and bytes above ASCII.
values = st.text(st.sampled_from(string.printable[:95] + "\t\u00e9\u00ff"), max_size=60).map(str.strip)
sessions = st.sampled_from([SESSION, "", "a,b", "a b", "x" * 8192, "x" * 8193, "\u00e9"]) | values
versions = st.sampled_from(["2026-07-28", "2025-11-25", "2026-07-28,2025-03-26", "9999-99-99", ""]) | values
tokens = st.sampled_from(["good", "none", "Bearer", "Bearer ", "Basic Og==", "Bearer a..b.c.d"]) | values
headers = st.dictionaries(
    st.sampled_from(
        [
            "Accept",
            "Connection",
            "Content-Encoding",
            "Content-Type",
            "Cookie",
            "Expect",
            "Mcp-Method",
            "Mcp-Name",
            "Last-Event-ID",
            "Mcp-Param-X",
            "Origin",
            "TE",
            "Transfer-Encoding",
            "X-Forwarded-Host",
            "traceparent",
        ]
    ),
    values,
    max_size=5,
)
escapes = st.sampled_from(
    ["%", "%zz", "%00", "%0d%0a", "%E2%28", "%u0041", "%F0%9F%98%80", "+", "&", "=", ";", "azmcpcs"]
)
queries = st.lists(
    escapes
    | values
    | st.sampled_from([f"azmcpcs={SESSION}", "access_token=x", "sessionId=1", "azmcpcs=", "=x"]),
    max_size=6,
).map("".join)


@dataclass(frozen=True)
class RandomRequest:
    """A random request to an MCP path.

    Attributes:
        token: `good` for a valid access token, `none` for no Authorization header, or its value.
    """

    method: str
    path: str
    query: str
    token: str
    session: str | None
    version: str | None
    headers: dict[str, str]
    body: bytes

    def send(self) -> Response:
        flow, token = signed_in()
        headers = {name.replace("-", "_"): value for name, value in self.headers.items()}
        if self.token != "none":
            headers["Authorization"] = f"Bearer {token}" if self.token == "good" else self.token
        if self.session is not None:
            headers["Mcp_Session_Id"] = self.session
        if self.version is not None:
            headers["MCP_Protocol_Version"] = self.version
        flow.harness.network.sent.clear()
        return flow.harness.send(self.method, self.path, self.query, body=self.body, **headers)

    def reached(self) -> bool:
        """Whether the request was forwarded to the server."""
        flow, _ = signed_in()
        return any("functions.example" in sent.url for sent in flow.harness.network.sent)


requests = st.builds(
    RandomRequest,
    method=st.sampled_from(["GET", "POST", "DELETE", "OPTIONS", "HEAD", "PUT", "PATCH", "TRACE", "PROPFIND"]),
    path=st.sampled_from(PATHS) | values.map(lambda text: "/mcp/" + text.replace(" ", "").replace("?", "")),
    query=queries,
    token=tokens,
    session=st.none() | sessions,
    version=st.none() | versions,
    headers=headers,
    body=st.binary(max_size=40) | st.sampled_from([b"{}", b"[" * 2000, b'{"a":' * 500, b"null"]),
)
ROOT_MESSAGE = RandomRequest("POST", "/message", f"azmcpcs={SESSION}", "good", None, None, {}, b"{}")


@many
@given(requests)
@example(ROOT_MESSAGE)
def test_e8_no_request_results_in_a_server_error_or_an_internal_name(random_request: RandomRequest) -> None:
    flow, token = signed_in()
    flow.served = lambda: Reply(
        status=202, reason="", headers=[("Content-Type", "application/json")], content=b"{}"
    )
    answer = random_request.send()
    assert answer.status < 500
    shown = answer.body + repr(answer.headers).encode()
    assert not [name for name in INTERNAL if name in shown]
    assert token.encode() not in shown
    if random_request.token != "good":
        assert not random_request.reached()
    if answer.status in (400, 401, 405, 429, 431) and answer.header("Content-Type") == "application/json":
        assert refusal_of(answer.json())


bodies = st.binary(max_size=60) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["jsonrpc", "error", "code", "message", "id", "result"]), inner, max_size=4
        )
    ),
    max_leaves=8,
).map(lambda value: json.dumps(value).encode())
answers = st.builds(
    lambda status, headers, body: Reply(
        status=status, reason="functions.example", headers=headers, content=body
    ),
    st.integers(100, 599),
    st.lists(
        st.tuples(
            st.sampled_from(
                [
                    "Mcp-Session-Id",
                    "Content-Type",
                    "Retry-After",
                    "Allow",
                    "Content-Encoding",
                    "Location",
                    "Set-Cookie",
                    "WWW-Authenticate",
                    "Server",
                    "X-Own",
                    "Vary",
                    "Transfer-Encoding",
                    "Connection",
                ]
            ),
            sessions | st.sampled_from(["application/json", "text/html", "5", "https://functions.example"]),
        ),
        max_size=6,
    ),
    bodies,
)


@many
@given(answers)
def test_e8_no_response_of_a_server_causes_a_500_of_the_gateway(served: Reply) -> None:
    flow, _ = signed_in()
    flow.served = lambda: served
    answer = RandomRequest("POST", "/mcp", "", "good", None, None, {}, b"{}").send()
    forwarded = served.status if 200 <= served.status <= 299 or served.status >= 400 else None
    assert answer.status in {forwarded, 502}
    assert answer.reason != "functions.example"
    for name in ("Location", "Set-Cookie", "Server", "WWW-Authenticate", "X-Own"):
        assert answer.header(name) is None
    assert answer.header("X-Content-Type-Options") == "nosniff"
    if answer.status >= 500:
        assert "error" in answer.json()
