"""How the gateway finds the API and the operation of a request."""

from dataclasses import replace

import pytest

from apim.routing import Routes, without_dot_segments
from apim.service import Api, Operation, Service
from tests.policies.engine.harness import Harness, document, policies


def operation(method: str, template: str) -> Operation:
    return Operation(id=f"{method} {template}", name="", method=method, url_template=template)


ROUTES = Routes(
    [
        Api(
            id="root",
            name="",
            path="",
            operations=(
                operation("GET", "/.well-known/oauth-protected-resource/mcp"),
                operation("GET", "/files/{name}"),
                operation("GET", "/files/readme"),
                operation("GET", "/files/{name}.json"),
                operation("GET", "/tree/*"),
                operation("GET", "/deep/{*rest}"),
                operation("GET", "/search?q={term}"),
                operation("GET", "/"),
            ),
        ),
        Api(id="mcp", name="", path="mcp", operations=(operation("POST", "/"), operation("GET", "/sse"))),
        Api(id="mcp-v2", name="", path="mcp/v2", operations=(operation("POST", "/"),)),
    ]
)


@pytest.mark.parametrize(
    ("method", "path", "api", "template"),
    [
        ("POST", "/mcp", "mcp", "POST /"),
        ("POST", "/mcp/", "mcp", "POST /"),
        ("POST", "/MCP", "mcp", "POST /"),
        ("GET", "/mcp/sse", "mcp", "GET /sse"),
        ("GET", "/mcp/sse/", "mcp", "GET /sse"),
        ("GET", "/mcp/%73se", "mcp", "GET /sse"),
        ("POST", "/mcp/v2", "mcp-v2", "POST /"),
        ("POST", "/mcp/v2x", "mcp", None),
        ("POST", "/mcpx", "root", None),
        ("GET", "/mcp", "mcp", None),
        ("HEAD", "/mcp/sse", "mcp", None),
        ("GET", "/mcp/sse/more", "mcp", None),
        ("GET", "/", "root", "GET /"),
        ("GET", "/files/readme", "root", "GET /files/readme"),
        ("GET", "/files/other", "root", "GET /files/{name}"),
        ("GET", "/files/a/b", "root", None),
        ("GET", "/tree", "root", "GET /tree/*"),
        ("GET", "/tree/a/b", "root", "GET /tree/*"),
        (
            "GET",
            "/.well-known/oauth-protected-resource/mcp",
            "root",
            "GET /.well-known/oauth-protected-resource/mcp",
        ),
        ("GET", "/.well-known/oauth-protected-resource/other", "root", None),
    ],
)
def test_the_longest_api_path_and_the_most_literal_template_are_selected(
    method: str, path: str, api: str, template: str | None
) -> None:
    match = ROUTES.match(method, path)
    assert match is not None
    assert (match.api.id, match.operation.id if match.operation else None) == (api, template)


def test_parameters_are_decoded() -> None:
    match = ROUTES.match("GET", "/files/a%2Fb%20c")
    assert match is not None
    assert match.parameters == {"name": "a/b c"}
    deep = ROUTES.match("GET", "/deep/a/b")
    assert deep is not None
    assert deep.parameters == {"rest": "a/b"}


def test_a_template_can_require_query_parameters() -> None:
    complete, incomplete = (ROUTES.match("GET", "/search", query) for query in ("q=a%20b&x=1", "x=1"))
    assert complete is not None
    assert incomplete is not None
    assert (complete.parameters, incomplete.operation) == ({"term": "a b"}, None)


@pytest.mark.parametrize(
    ("path", "resolved"),
    [
        ("/mcp/../register", "/register"),
        ("/mcp/%2e%2E/register", "/register"),
        ("/../../x", "/x"),
        ("/a/./b", "/a/b"),
        ("/a/b/..", "/a/"),
        ("/.well-known/x", "/.well-known/x"),
        ("/a/..b/c..", "/a/..b/c.."),
    ],
)
def test_dot_segments_are_resolved(path: str, resolved: str) -> None:
    assert without_dot_segments(path) == resolved


def gateway(**parts: object) -> Harness:
    apis = (Api(id="a", name="A", path="a", operations=(operation("GET", "/x"),), policy=parts.get("api")),)  # ty: ignore[invalid-argument-type]
    return Harness(
        Service(name="s", gateway_url="https://g.example", apis=apis, policy=parts.get("global_policy"))  # ty: ignore[invalid-argument-type]
    )


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/a/x"), ("GET", "/a/y"), ("GET", "/b"), ("HEAD", "/a/x")]
)
def test_a_request_without_operation_results_in_404_with_apims_message(method: str, path: str) -> None:
    answer = gateway().send(method, path)
    assert (answer.status, answer.body) == (404, b'{ "statusCode": 404, "message": "Resource not found" }')
    assert answer.header("Content-Type") == "application/json"


def test_an_api_can_answer_405_in_its_on_error() -> None:
    on_error = (
        '<choose><when condition="@(context.LastError.Reason == "OperationNotFound")">'
        '<return-response><set-status code="405" reason="Method Not Allowed" />'
        "</return-response></when></choose>"
    )
    harness = gateway(api=document(policies(on_error=on_error)))
    assert [harness.send("POST", path).status for path in ("/a/x", "/elsewhere")] == [405, 404]


def test_the_global_on_error_runs_for_requests_that_match_no_api() -> None:
    global_policy = (
        "<policies><inbound /><backend><forward-request /></backend><outbound /><on-error>"
        "<set-body>@(context.LastError.Source + context.Request.Url.Path)</set-body></on-error></policies>"
    )
    answer = gateway(global_policy=document(global_policy)).send("GET", "/nothing/here")
    assert (answer.status, answer.body) == (404, b"configuration/nothing/here")


def test_a_url_that_is_too_long_results_in_414() -> None:
    harness = gateway()
    assert harness.send("GET", "/a/" + "x" * 16_384).status == 414
    assert harness.send("GET", "/a/x", "q=" + "x" * 2_048).status == 414


def test_a_classic_tier_limits_only_the_length_of_the_url() -> None:
    harness = Harness(replace(gateway().gateway.service, sku="Developer"))
    assert harness.send("GET", "/a/x", "q=" + "x" * 2_048).status == 200
    assert harness.send("GET", "/a/x", "q=" + "x" * 16_384).status == 414
