"""A stack with a path prefix, in an API Management service with APIs of other owners."""

import functools
import re
from dataclasses import replace
from typing import Any

import pytest

from apim.service import Api, Operation, Service, documents
from tests.existing import EXISTING
from tests.policies.engine.harness import Harness, document, policies
from tests.policies.oauth.flow import GATEWAY, Flow, ManualClock, handle_of, parameters_of, service_with
from tests.stacks import FUNCTIONS_ONLY
from twin.gateway_plan import plan_stack

PREFIX = "ai/servers"
"""Its last segment, `servers`, is also in the paths of the registry."""
ISSUER = f"{GATEWAY}/{PREFIX}"
ADOPTED = {
    "sku": "StandardV2",
    "pathPrefix": PREFIX,
    **{setting: EXISTING[setting] for setting in ("existingApiManagement", "existingIdentity")},
}
SERVER = "/.well-known/oauth-authorization-server"
OPENID = "/.well-known/openid-configuration"
RESOURCE = "/.well-known/oauth-protected-resource"

OTHERS = ("", "ai", "mcp", ".well-known/oauth-protected-resource", ".well-known/openid-configuration")
"""Paths of other owners' APIs, each of which answers all requests below its path."""


def of_another_owner(path: str) -> Api:
    """An API that returns its own path in the header `Owner` of every response."""
    header = f'<set-header name="Owner"><value>{path or "root"}</value></set-header>'
    answer = f"<return-response>{header}</return-response>"
    return Api(
        id=f"other-{OTHERS.index(path)}",
        name="Another team's",
        path=path,
        operations=tuple(
            Operation(id=method, name=method, method=method, url_template="/*")
            for method in ("GET", "POST", "OPTIONS")
        ),
        policy=document(policies(answer)),
    )


def shared(service: Service) -> Service:
    """The service with APIs of other owners."""
    return replace(service, apis=(*map(of_another_owner, OTHERS), *service.apis))


@functools.cache
def harness(**config: str) -> Harness:
    """A gateway with the stack below the prefix and the APIs of other owners."""
    return Harness(shared(service_with(**{**ADOPTED, **config})), ManualClock())


@pytest.fixture
def flow() -> Flow:
    return Flow.at(harness(), f"/{PREFIX}")


@pytest.fixture
def one_audience() -> Flow:
    """A flow at a gateway whose tokens are valid for all servers."""
    return Flow.at(harness(audience="gateway"), f"/{PREFIX}")


def json_at(flow: Flow, path: str) -> Any:
    """The JSON document at a path, which no API of another owner may return."""
    answer = flow.harness.send("GET", path)
    assert answer.status == 200, (path, answer.body)
    assert answer.header("Owner") is None, path
    return answer.json()


@pytest.mark.parametrize("path", OTHERS)
def test_apis_of_other_owners_get_the_requests_below_their_paths(flow: Flow, path: str) -> None:
    for below in ("", "/", "/token", "/mcp-2", SERVER, RESOURCE if path else "/x"):
        answer = flow.harness.send("GET", f"/{path}".rstrip("/") + below)
        assert answer.header("Owner") == (path or "root")


@pytest.mark.parametrize("path", ["/authorize", "/token", "/register", "/message", "/v0.1/servers", SERVER])
def test_requests_at_the_root_of_the_host_reach_the_apis_of_other_owners(flow: Flow, path: str) -> None:
    for method in ("GET", "POST", "OPTIONS"):
        assert flow.harness.send(method, path, body=b"{}").header("Owner") == "root"


def test_e4a_no_message_path_is_published_at_the_root() -> None:
    assert not [
        operation.id
        for api in plan_stack({**FUNCTIONS_ONLY, **ADOPTED}).apis
        for operation in api.operations
        if operation.id.startswith(("root-", "preflight-root-"))
    ]


def test_a2_metadata_is_at_each_url_that_is_specified_for_an_issuer_with_a_path(flow: Flow) -> None:
    """RFC 8414, sections 3.1 and 5; OpenID Connect Discovery, section 4; MCP, authorization."""
    document = json_at(flow, f"/{PREFIX}{OPENID}")
    assert document["issuer"] == ISSUER
    assert {name: url for name, url in document.items() if name.endswith(("_endpoint", "_uri"))} == {
        "authorization_endpoint": f"{ISSUER}/authorize",
        "token_endpoint": f"{ISSUER}/token",
        "revocation_endpoint": f"{ISSUER}/revoke",
        "registration_endpoint": f"{ISSUER}/register",
        "jwks_uri": f"{ISSUER}/.well-known/jwks.json",
    }
    assert json_at(flow, f"{OPENID}/{PREFIX}") == document
    assert json_at(flow, f"{SERVER}/{PREFIX}").items() <= document.items()
    assert json_at(flow, f"/{PREFIX}/.well-known/jwks.json") == {"keys": []}


@pytest.mark.parametrize("path", [f"{SERVER}/{PREFIX}", f"{OPENID}/{PREFIX}", f"{RESOURCE}/{PREFIX}/mcp"])
def test_a4_metadata_outside_of_the_prefix_answers_preflights(flow: Flow, path: str) -> None:
    answer = flow.harness.send("OPTIONS", path, Origin="https://page.example")
    assert (answer.status, answer.header("Access-Control-Allow-Origin")) == (204, "*")


@pytest.mark.parametrize("below", ["/mcp", "/mcp/", "/mcp/sse", "/mcp/sse/"])
def test_a1_each_mcp_path_has_its_document_and_its_challenge_points_there(flow: Flow, below: str) -> None:
    path = f"/{PREFIX}{below}"
    document = json_at(flow, f"{RESOURCE}{path}")
    assert document["resource"] == f"{GATEWAY}{path}"
    assert document["authorization_servers"] == [ISSUER]
    challenge = flow.harness.send("POST", path, body=b"{}").header("WWW-Authenticate") or ""
    assert f'resource_metadata="{GATEWAY}{RESOURCE}{path}"' in challenge


@pytest.mark.parametrize("below", ["", "/", "/x", "/mcp/x", "/MCP"])
def test_a1_paths_without_an_mcp_server_have_no_document(flow: Flow, below: str) -> None:
    assert flow.harness.send("GET", f"{RESOURCE}/{PREFIX}{below}").status == 404


def test_a1_the_challenge_of_a_message_path_names_the_event_stream(flow: Flow) -> None:
    answer = flow.harness.send("POST", f"/{PREFIX}/mcp/message", "azmcpcs=x", body=b"{}")
    assert f'{RESOURCE}/{PREFIX}/mcp/sse"' in (answer.header("WWW-Authenticate") or "")


def test_a_method_without_an_operation_is_refused_below_the_prefix(flow: Flow) -> None:
    token = flow.token()
    answer = flow.harness.send("PUT", f"/{PREFIX}/mcp", body=b"{}", Authorization=f"Bearer {token}")
    assert (answer.status, answer.header("Allow")) == (405, "DELETE, GET, POST, OPTIONS")


def test_a_user_signs_in_below_the_prefix(flow: Flow) -> None:
    to_consent = flow.authorize()
    assert (to_consent.header("Location") or "").startswith(f"{ISSUER}/consent?transaction=")
    page = flow.consent_page(handle_of(to_consent))
    assert f'<form method="post" action="/{PREFIX}/consent">' in page.body.decode()
    at_entra = flow.consent(page)
    assert parameters_of(at_entra.header("Location") or "")["redirect_uri"] == f"{ISSUER}/oauth-callback"
    back = parameters_of(flow.callback(at_entra).header("Location") or "")
    assert back["iss"] == ISSUER
    assert flow.entra_request["redirect_uri"] == f"{ISSUER}/oauth-callback"
    tokens = flow.redeem(back["code"]).json()
    claims = flow.claims_of(tokens["access_token"])
    assert (claims["iss"], claims["aud"]) == (ISSUER, f"{ISSUER}/mcp")
    assert flow.call(tokens["access_token"]).status == 200
    refreshed = flow.refresh(tokens["refresh_token"]).json()["access_token"]
    assert flow.call(refreshed).status == 200
    assert flow.revoke(refreshed).status == 200
    flow.harness.gateway.services.cache.clear()
    assert flow.call(refreshed).status == 401


def test_c5_cookies_have_the_name_prefix_host_and_the_path_of_the_root(flow: Flow) -> None:
    """Other hosts cannot set cookies with `__Host-`, which needs the path `/` (RFC 6265bis, 4.1.3.2)."""
    flow.at_entra()
    for line in (flow.page().header("Set-Cookie"), flow.at_entra().header("Set-Cookie")):
        assert re.match(r"__Host-\w+-[\w-]{12}=", line or "")
        assert "; Path=/; " in (line or "")
        assert "; Secure; HttpOnly; SameSite=Lax" in (line or "")


def test_c5_only_pages_of_the_gateways_origin_may_send_the_form(flow: Flow) -> None:
    page = flow.page()
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page.body.decode()))
    for origin in (ISSUER, f"{GATEWAY}.example", "null"):
        answer = flow.harness.send(
            "POST",
            f"/{PREFIX}/consent",
            body="&".join(
                f"{name}={value}" for name, value in {**fields, "decision": "allow"}.items()
            ).encode(),
            Content_Type="application/x-www-form-urlencoded",
            Cookie="; ".join(f"{name}={value}" for name, value in flow.cookies.items()),
            Origin=origin,
        )
        assert answer.status == 403


def test_b2_no_redirect_uri_is_on_the_shared_origin(flow: Flow) -> None:
    """APIs of other owners on this origin could read the code."""
    for uri in (f"{GATEWAY}/callback", f"{ISSUER}/callback"):
        assert flow.register(redirect_uris=[uri]).json()["error"] == "invalid_redirect_uri"


def test_a_stack_with_the_prefix_and_a_stack_without_it_refuse_each_others_tokens(flow: Flow) -> None:
    """The stacks in this test have the same keys, but their issuers and audiences differ."""
    root = Flow.new()
    outside = root.token()
    flow.store.documents |= root.store.documents
    assert flow.call(outside).status == 401
    inside = flow.token()
    root = Flow.new()
    root.store.documents |= flow.store.documents
    assert root.call(inside).status == 401


@pytest.mark.parametrize(
    "resource",
    [f"{GATEWAY}/mcp", f"{GATEWAY}/ai", f"{ISSUER}/x", f"{GATEWAY}/AI/servers/mcp", f"{ISSUER}mcp"],
)
def test_c2_resources_outside_of_the_prefix_are_refused(flow: Flow, resource: str) -> None:
    answer = flow.authorize(resource=resource)
    assert parameters_of(answer.header("Location") or "")["error"] == "invalid_target"


@pytest.mark.parametrize("resource", [None, GATEWAY, f"{GATEWAY}/", ISSUER, f"{ISSUER}/"])
def test_c2_no_resource_the_origin_and_the_issuer_mean_the_whole_gateway(
    flow: Flow, resource: str | None
) -> None:
    flow.authorize(resource=resource)
    assert {document["resource"] for document in flow.store.of("transactions")} == {ISSUER}


def test_the_audience_of_a_token_for_all_servers_is_the_issuer(one_audience: Flow) -> None:
    assert json_at(one_audience, f"{RESOURCE}/{PREFIX}")["resource"] == ISSUER
    assert json_at(one_audience, f"{RESOURCE}/{PREFIX}/")["resource"] == f"{ISSUER}/"
    assert (
        one_audience.harness.send("GET", RESOURCE).header("Owner") == ".well-known/oauth-protected-resource"
    )
    token = one_audience.token()
    assert one_audience.claims_of(token)["aud"] == ISSUER
    assert one_audience.call(token).status == 200


def test_f7_audit_records_name_the_path_of_the_server_and_all_servers_by_a_star(
    flow: Flow, one_audience: Flow
) -> None:
    for signed_in, server in ((flow, f"{PREFIX}/mcp"), (one_audience, "*")):
        telemetry = signed_in.harness.gateway.services.telemetry
        telemetry.clear()
        signed_in.token()
        assert {
            trace.properties["server"] for trace in telemetry if trace.properties["event"] == "token"
        } == {server}


def test_the_registry_is_below_the_prefix(flow: Flow) -> None:
    (entry,) = json_at(flow, f"/{PREFIX}/v0.1/servers")["servers"]
    assert [remote["url"] for remote in entry["server"]["remotes"]] == [f"{ISSUER}/mcp", f"{ISSUER}/mcp/sse"]
    name = entry["server"]["name"].replace("/", "%2F")
    assert json_at(flow, f"/{PREFIX}/v0.1/servers/{name}/versions/latest") == entry
    assert json_at(flow, f"//{PREFIX}/v0.1/servers/{name}/versions")["servers"] == [entry]


def test_only_listed_policies_use_the_origin_without_the_prefix() -> None:
    """Other URLs without the prefix belong to other owners."""
    uses = {
        match.group(0)
        for document in documents(service_with(**ADOPTED))
        for match in re.finditer(r"[^\n]{0,60}\{\{gateway-url\}\}(?!/ai/servers\b).{0,45}", document.xml)
    }
    listed = (
        "StartsWith(",
        "Substring(",
        "Regex.Match(",
        'GetValueOrDefault("Origin", "")',
        'new string[] { "", "{{gateway-url}}", ',
        '("origin", "") == "" ? "{{gateway-url}}"',
        '{{gateway-url}}/.well-known/oauth-protected-resource" + ',
        '.Replace("{{gateway-url}}", "")',
        '["resource"] = "{{gateway-url}}" + path',
        '{ "{{gateway-url}}", "" },',
    )
    assert uses
    assert [text for text in uses if not any(allowed in text for allowed in listed)] == []
