"""Scopes: which are granted, how the consent page describes them, and which servers they give access to."""

import functools
import json
import re
from typing import Any

import pytest

from tests.policies.engine.harness import Harness, Response
from tests.policies.oauth.flow import GATEWAY, RESOURCE, Flow, handle_of, service_with
from twin.clock import Clock

NOTES = {
    "name": "notes",
    "image": "ghcr.io/example/notes:1.0.0",
    "port": 8080,
    "scopes": ["notes.read", "notes.write"],
}


@functools.cache
def _harness(audience: str) -> Harness:
    return Harness(service_with(containers=json.dumps([NOTES]), audience=audience), Clock())


@pytest.fixture
def flow() -> Flow:
    """A flow at a stack with a server that has one scope and a server that has two."""
    return Flow.at(_harness("backend"))


def granted(flow: Flow, **changed: str | None) -> str:
    """The scope of the transaction that an authorization request creates."""
    flow.authorize(**changed)
    return list(flow.store.of("transactions"))[-1]["scope"]


def document(harness: Harness, path: str) -> dict[str, Any]:
    """A metadata document of the gateway."""
    return harness.send("GET", f"/.well-known/{path}").json()


def permissions(page: Response) -> list[str]:
    """The items of the list of permissions."""
    (items,) = re.findall(r"<dt>It may</dt><dd><ul>(.*?)</ul>", page.body.decode())
    return re.findall("<li>(.*?)</li>", items)


@pytest.mark.parametrize(
    ("requested", "expected"),
    [
        ("notes.read", "notes.read"),
        ("notes.write", "notes.write"),
        ("notes.write notes.read", "notes.write notes.read"),
        ("notes.read notes.read", "notes.read"),
        ("Notes.write", "notes.read"),
        (None, "notes.read"),
        ("", "notes.read"),
        ("mcp.read mcp.write", "notes.read"),
        ("openid profile notes.write", "notes.write"),
        ("functions", "notes.read"),
        ("offline_access", "notes.read offline_access"),
        ("openid offline_access notes.write", "notes.write offline_access"),
    ],
)
def test_c2_unknown_scopes_are_ignored_and_the_default_scope_is_granted_if_none_remains(
    flow: Flow, requested: str | None, expected: str
) -> None:
    assert granted(flow, scope=requested, resource=f"{GATEWAY}/notes-mcp") == expected


def test_c2_a_request_for_the_whole_gateway_has_the_scopes_of_every_server(flow: Flow) -> None:
    assert granted(flow, scope="notes.write", resource=None) == "notes.write"
    assert granted(flow, scope="x", resource=None) == "functions notes.read"
    assert granted(flow, scope="notes.write functions", resource=None) == "notes.write functions"


def test_a2a_offline_access_is_granted_only_to_a_client_with_refresh_tokens(flow: Flow) -> None:
    flow.register(grant_types=["authorization_code"])
    assert granted(flow, scope="functions offline_access") == "functions"
    assert [document["refresh"] for document in flow.store.of("transactions")] == [False]


def test_c4_the_consent_page_describes_the_granted_scopes(flow: Flow) -> None:
    notes = f"{GATEWAY}/notes-mcp"
    for requested, resource, expected in (
        ("functions", f"{GATEWAY}/mcp", ["Use Functions", "Keep you signed in"]),
        ("functions offline_access", f"{GATEWAY}/mcp", ["Use Functions", "Keep you signed in"]),
        ("notes.write", notes, ["notes.write at Notes", "Keep you signed in"]),
        ("x", None, ["Use Functions", "notes.read at Notes", "Keep you signed in"]),
    ):
        page = flow.consent_page(handle_of(flow.authorize(scope=requested, resource=resource)))
        assert permissions(page) == expected
    flow.register(grant_types=["authorization_code"])
    assert permissions(flow.page()) == ["Use Functions"]


def test_f4_a_sign_in_for_the_whole_gateway_gives_access_only_to_the_servers_of_its_scopes(
    flow: Flow,
) -> None:
    """Also with a token that is narrowed to one server after such a sign-in (RFC 8707, section 2.2)."""
    tokens = flow.redeem(code_for(flow, scope="notes.write", resource=None), resource=None).json()
    functions = flow.refresh(tokens["refresh_token"], resource=f"{GATEWAY}/mcp").json()
    for token in (tokens["access_token"], functions["access_token"]):
        for path, query in (("/mcp", ""), ("/message", "azmcpcs=0123456789abcdef")):
            authorization = {"Authorization": f"Bearer {token}"}
            answer = flow.harness.send("POST", path, query, body=b"{}", **authorization)
            assert (answer.status, answer.json()["error"]["data"]) == (403, {"error": "insufficient_scope"})
            challenge = answer.header("WWW-Authenticate") or ""
            assert 'error="insufficient_scope"' in challenge
            assert 'scope="notes.write functions"' in challenge
    notes = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert flow.harness.send("POST", "/notes-mcp", body=b"{}", **notes).status == 200
    both = flow.redeem(code_for(flow, scope="notes.write functions", resource=None), resource=None).json()
    assert flow.call(both["access_token"]).status == 200
    narrowed = flow.refresh(both["refresh_token"], scope="notes.write").json()
    assert flow.call(narrowed["access_token"]).status == 403


def test_d2_after_a_sign_in_for_one_server_a_token_for_another_server_is_refused(flow: Flow) -> None:
    """Neither the code nor the refresh token can be redeemed for the other server."""
    notes = f"{GATEWAY}/notes-mcp"
    for resource, other in ((RESOURCE, notes), (notes, RESOURCE)):
        code = code_for(flow, scope=None, resource=resource)
        refused = flow.redeem(code, resource=other)
        assert (refused.status, refused.json()["error"]) == (400, "invalid_target")
        tokens = flow.redeem(code, resource=resource).json()
        refused = flow.refresh(tokens["refresh_token"], resource=other)
        assert (refused.status, refused.json()["error"]) == (400, "invalid_target")


def code_for(flow: Flow, **changed: str | None) -> str:
    """The code of a sign-in with these parameters."""
    handle = handle_of(flow.authorize(**changed))
    end = flow.callback(flow.consent(flow.consent_page(handle))).header("Location") or ""
    return re.findall("code=([^&]*)", end)[0]


def test_c4_the_consent_page_shows_a_scope_without_a_description_by_its_name(flow: Flow) -> None:
    """A deployment may remove a scope while a sign-in is in progress."""
    handle = handle_of(flow.authorize())
    flow.store.one("transactions")["scope"] = "functions removed&scope"
    page = flow.consent_page(handle)
    assert permissions(page) == ["Use Functions", "removed&amp;scope", "Keep you signed in"]


def test_a2a_only_the_metadata_of_the_authorization_server_lists_offline_access(
    flow: Flow,
) -> None:
    for name in ("oauth-authorization-server", "openid-configuration"):
        assert document(flow.harness, name)["scopes_supported"] == [
            "functions",
            "notes.read",
            "notes.write",
            "offline_access",
        ]
    for path, scopes in (("mcp", ["functions"]), ("notes-mcp", ["notes.read", "notes.write"])):
        assert document(flow.harness, f"oauth-protected-resource/{path}")["scopes_supported"] == scopes
        challenge = flow.harness.send("POST", f"/{path}", body=b"{}").header("WWW-Authenticate") or ""
        assert re.findall('scope="(.*?)"', challenge) == [" ".join(scopes)]


def test_a2a_the_metadata_of_the_whole_gateway_lists_the_scopes_of_every_server() -> None:
    metadata = document(_harness("gateway"), "oauth-protected-resource")
    assert metadata["scopes_supported"] == ["functions", "notes.read", "notes.write"]


def test_c2_the_token_response_names_the_granted_scope(flow: Flow) -> None:
    code = code_for(flow, scope="nothing that is known offline_access")
    assert flow.redeem(code).json()["scope"] == "functions offline_access"
