"""Discovery (RFC 8414, RFC 9728)."""

import httpx
import pytest

from tests.e2e.conftest import RunningTwin

BROWSER_APP = "http://localhost:6274"


@pytest.mark.parametrize("path", ["mcp", "mcp/", "mcp/sse", "mcp/sse/"])
def test_a1_each_mcp_path_names_its_resource_and_authorization_server(twin: RunningTwin, path: str) -> None:
    answer = httpx.get(f"{twin.gateway}/.well-known/oauth-protected-resource/{path}")
    assert answer.status_code == 200
    assert answer.json() == {
        "resource": f"{twin.gateway}/{path}",
        "resource_name": "Functions",
        "authorization_servers": [twin.gateway],
        "scopes_supported": ["functions"],
        "bearer_methods_supported": ["header"],
    }


@pytest.mark.parametrize("path", ["", "/nothing", "/mcp/message", "/mcp/message/x", "/MCP", "/mcp//"])
def test_a1_no_other_path_has_resource_metadata(twin: RunningTwin, path: str) -> None:
    assert httpx.get(f"{twin.gateway}/.well-known/oauth-protected-resource{path}").status_code == 404


def expected_metadata(gateway: str) -> dict[str, object]:
    return {
        "issuer": gateway,
        "authorization_endpoint": f"{gateway}/authorize",
        "token_endpoint": f"{gateway}/token",
        "revocation_endpoint": f"{gateway}/revoke",
        "registration_endpoint": f"{gateway}/register",
        "scopes_supported": ["functions", "offline_access"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_methods_supported": ["none"],
        "revocation_endpoint_auth_methods_supported": ["none"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        "client_id_metadata_document_supported": True,
    }


def test_a2_the_metadata_of_the_authorization_server_has_exactly_the_supported_features(
    twin: RunningTwin,
) -> None:
    answer = httpx.get(f"{twin.gateway}/.well-known/oauth-authorization-server")
    assert answer.json() == expected_metadata(twin.gateway)


def test_a2_the_openid_configuration_has_what_openid_connect_requires(twin: RunningTwin) -> None:
    answer = httpx.get(f"{twin.gateway}/.well-known/openid-configuration").json()
    assert answer == expected_metadata(twin.gateway) | {
        "jwks_uri": f"{twin.gateway}/.well-known/jwks.json",
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }
    keys = httpx.get(answer["jwks_uri"])
    assert (keys.json(), keys.headers["access-control-allow-origin"]) == ({"keys": []}, "*")


@pytest.mark.parametrize("name", ["oauth-authorization-server", "openid-configuration"])
def test_a2_metadata_below_another_path_is_not_found(twin: RunningTwin, name: str) -> None:
    """Strict clients compare the issuer with the URL, and the issuer has no path."""
    for path in (f"/.well-known/{name}/mcp", f"/.well-known/{name}/x"):
        assert httpx.get(f"{twin.gateway}{path}").status_code == 404


def test_a3_documents_ignore_forwarding_headers(twin: RunningTwin) -> None:
    plain = httpx.get(f"{twin.gateway}/.well-known/oauth-authorization-server").json()
    forged = httpx.get(
        f"{twin.gateway}/.well-known/oauth-authorization-server",
        headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"},
    ).json()
    assert forged == plain


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/.well-known/oauth-authorization-server", "GET"),
        ("/.well-known/openid-configuration", "GET"),
        ("/.well-known/jwks.json", "GET"),
        ("/.well-known/oauth-protected-resource/mcp", "GET"),
        ("/register", "POST"),
        ("/token", "POST"),
        ("/revoke", "POST"),
        ("/mcp", "POST"),
        ("/mcp/sse", "GET"),
        ("/mcp/message", "POST"),
    ],
)
def test_a4_browser_clients_may_call_metadata_oauth_and_mcp_endpoints(
    twin: RunningTwin, path: str, method: str
) -> None:
    answer = httpx.options(
        f"{twin.gateway}{path}",
        headers={
            "Origin": BROWSER_APP,
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": "authorization,content-type,mcp-protocol-version",
        },
    )
    assert answer.status_code in (200, 204)
    assert answer.headers["access-control-allow-origin"] in ("*", BROWSER_APP)
    assert "access-control-allow-credentials" not in answer.headers or (
        answer.headers["access-control-allow-credentials"] == "false"
    )


@pytest.mark.parametrize(
    ("path", "method"),
    [("/authorize", "GET"), ("/consent", "GET"), ("/consent", "POST"), ("/oauth-callback", "GET")],
)
def test_a4_pages_have_no_cors_headers_for_other_origins(twin: RunningTwin, path: str, method: str) -> None:
    preflight = httpx.options(
        f"{twin.gateway}{path}", headers={"Origin": BROWSER_APP, "Access-Control-Request-Method": method}
    )
    plain = httpx.request(method, f"{twin.gateway}{path}", headers={"Origin": BROWSER_APP})
    for answer in (preflight, plain):
        assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_a_preflight_of_a_foreign_site_is_refused_at_an_mcp_path(twin: RunningTwin) -> None:
    answer = httpx.options(
        f"{twin.gateway}/mcp",
        headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"},
    )
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers
