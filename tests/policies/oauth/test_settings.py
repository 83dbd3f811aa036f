"""The effect of settings on the policies, for stacks that the twin does not run by default.

The policies are rendered as for Azure and run in this process; the store contains a single client.
"""

import functools
import json

import pytest

from apim.network import Reply
from tests.e2e.client import CALLBACK, challenge_of, parameters_of
from tests.policies.engine.harness import Harness, Response, Sent, reply
from tests.policies.oauth.flow import GATEWAY, service_with

CLIENT = {
    "id": "x",
    "_ts": 0,
    "_etag": "1",
    "ttl": 1,
    "name": "=Test client",
    "redirectUris": [CALLBACK],
    "grantTypes": ["authorization_code"],
    "registration": "dynamic",
}


@functools.cache
def harness_with(**config: str) -> Harness:
    """The gateway of a stack with these settings."""
    harness = Harness(service_with(**config))
    harness.network.answer = _store
    return harness


def _store(sent: Sent) -> Reply:
    return reply(200, json.dumps(CLIENT)) if sent.method == "GET" else reply(201, "{}")


def authorize(harness: Harness, **more: str) -> Response:
    parameters = {
        "response_type": "code",
        "client_id": "x",
        "redirect_uri": CALLBACK,
        "code_challenge": challenge_of("v" * 43),
        "code_challenge_method": "S256",
        **more,
    }
    query = "&".join(f"{name}={value}" for name, value in parameters.items())
    return harness.send("GET", "/authorize", query)


def outcome(answer: Response) -> str:
    """The error that the client receives, or "consent" if the browser is sent to the consent page."""
    location = answer.header("Location") or ""
    return "consent" if location.startswith(f"{GATEWAY}/consent?") else parameters_of(location)["error"]


def test_require_resource_refuses_requests_without_a_resource() -> None:
    requiring = harness_with(requireResource="true")
    assert outcome(authorize(requiring)) == "invalid_target"
    assert outcome(authorize(requiring, resource=f"{GATEWAY}/mcp")) == "consent"
    assert outcome(authorize(harness_with())) == "consent"


def test_the_whole_gateway_can_be_the_resource_only_if_one_token_is_valid_for_every_server() -> None:
    for resource in (GATEWAY, f"{GATEWAY}/"):
        assert outcome(authorize(harness_with(requireResource="true"), resource=resource)) == "invalid_target"
        whole = harness_with(audience="gateway", requireResource="true")
        assert outcome(authorize(whole, resource=resource)) == "consent"


def test_a1_the_whole_gateway_has_metadata_if_one_token_is_valid_for_every_server() -> None:
    harness = harness_with(audience="gateway")
    for path in ("", "/", "/mcp", "/mcp/", "/mcp/sse"):
        answer = harness.send("GET", f"/.well-known/oauth-protected-resource{path}")
        assert answer.json()["resource"] == GATEWAY + path
    assert harness_with().send("GET", "/.well-known/oauth-protected-resource").status == 404


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (GATEWAY, 401),
        ("https://tools.example.com", 401),
        ("https://tools.example.com:8443", 403),
        ("http://tools.example.com", 403),
        ("https://evil.example", 403),
        ("http://localhost:6274", 403),
        ("http://127.0.0.1:6274", 403),
        ("null", 403),
    ],
)
def test_in_azure_only_allowed_origins_reach_the_token_check(origin: str, status: int) -> None:
    harness = harness_with(allowedOrigins='["https://tools.example.com"]')
    assert harness.send("POST", "/mcp", body=b"{}", Origin=origin).status == status


def test_in_azure_every_server_requires_authentication() -> None:
    for method, path in (("POST", "/mcp"), ("GET", "/mcp/sse"), ("POST", "/mcp/message")):
        assert harness_with().send(method, path).status == 401
