"""The MCP registry: its pages, its entries, searches, and cross-origin requests."""

import json
from typing import Any
from urllib.parse import urlencode

import jsonschema
import pytest

from gateway import policy
from gateway.registry_api import SCHEMA, namespace
from tests.policies.engine.harness import Harness, Response, harness_with
from tests.policies.oauth.flow import GATEWAY, ManualClock, service_with
from twin.gateway_plan import plan_stack

ALL = {"backends": '["functions", "slack", "jira", "github"]', "local": "true", "sku": "Developer"}
NAMES = [f"example.gateway/{name}" for name in ("functions", "github", "jira", "slack")]

CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type",
    "Content-Type": "application/json",
}
"""The headers of every response of the registry."""

# The part of the official schema of server.json, 2025-12-11, for servers with only remotes:
# https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json
SERVER: dict[str, Any] = {
    "type": "object",
    "required": ["name", "description", "version"],
    "properties": {
        "$schema": {"const": SCHEMA},
        "name": {
            "type": "string",
            "minLength": 3,
            "maxLength": 200,
            "pattern": "^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+$",
        },
        "title": {"type": "string", "minLength": 1, "maxLength": 100},
        "description": {"type": "string", "minLength": 1, "maxLength": 100},
        "version": {"type": "string", "maxLength": 255, "pattern": r"^\d+\.\d+\.\d+"},
        "remotes": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["type", "url"],
                "properties": {
                    "type": {"enum": ["streamable-http", "sse"]},
                    "url": {"type": "string", "pattern": r"^https?://[^\s]+$"},
                    "headers": {"type": "array", "items": {"type": "object", "required": ["name"]}},
                },
                "additionalProperties": False,
            },
        },
    },
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def harness() -> Harness:
    """A gateway with all servers. Its tier accepts long queries, so that the policy must refuse them."""
    config = {**ALL, "localUrl": "http://localhost:8000", "entraAuthority": "http://localhost:8002"}
    return Harness(service_with(**config), ManualClock())


def listed(harness: Harness, **query: str) -> dict[str, Any]:
    answer = harness.send("GET", "/v0.1/servers", urlencode(query))
    assert answer.status == 200
    return answer.json()


def names(page: dict[str, Any]) -> list[str]:
    return [entry["server"]["name"] for entry in page["servers"]]


def headers(answer: Response) -> dict[str, str]:
    """All headers except the body's length."""
    return {name: value for name, value in answer.headers if name != "Content-Length"}


def entry_at(harness: Harness, path: str) -> Response:
    return harness.send("GET", f"/v0.1/servers/{path}")


def test_every_server_of_the_stack_has_an_entry(harness: Harness) -> None:
    page = listed(harness)

    assert names(page) == NAMES
    assert page["metadata"] == {"count": 4}
    for entry in page["servers"]:
        jsonschema.validate(entry["server"], SERVER)
        status = entry["_meta"]["io.modelcontextprotocol.registry/official"]
        assert status == {"status": "active", "isLatest": True}


def test_an_entry_has_the_urls_at_the_gateway_and_the_version_of_the_image(harness: Harness) -> None:
    slack = entry_at(harness, "example.gateway%2Fslack/versions/latest").json()["server"]

    assert slack["version"] == "1.3.0"
    assert slack["remotes"] == [
        {"type": "streamable-http", "url": f"{GATEWAY}/slack-mcp"},
        {"type": "sse", "url": f"{GATEWAY}/slack-mcp/sse"},
    ]


def test_the_registry_contains_no_secret_and_no_url_of_a_backend(harness: Harness) -> None:
    text = json.dumps(listed(harness))

    for secret in ("xoxb", "audience", ".example/sse", "azurecontainerapps", "SLACK_MCP", "password"):
        assert secret not in text


@pytest.mark.parametrize("slash", ["%2F", "%2f", "/"])
@pytest.mark.parametrize("version", ["1.0.0", "latest"])
def test_a_version_of_a_server_is_found(harness: Harness, slash: str, version: str) -> None:
    answer = entry_at(harness, f"example.gateway{slash}functions/versions/{version}")

    assert answer.status == 200
    assert answer.json() == listed(harness)["servers"][0]


def test_the_versions_of_a_server_are_listed(harness: Harness) -> None:
    answer = entry_at(harness, "example.gateway%2Fjira/versions")

    assert names(answer.json()) == ["example.gateway/jira"]


@pytest.mark.parametrize(
    "path",
    [
        "example.gateway%2Fnone/versions",
        "example.gateway%2Fslack",
        "example.gateway%2Fslack/versions/9.9.9",
        "other.gateway%2Fslack/versions/latest",
        "slack/versions/latest",
        "%",
    ],
)
def test_a_path_without_a_server_or_version_results_in_404(harness: Harness, path: str) -> None:
    answer = entry_at(harness, path)

    assert (answer.status, answer.json()) == (404, {"error": "Server not found"})
    assert headers(answer) == CORS | {"Cache-Control": "no-store"}


def test_the_cursor_of_a_page_leads_to_the_next_page(harness: Harness) -> None:
    seen, cursor = [], ""
    for _ in NAMES:
        page = listed(harness, limit="1", cursor=cursor)
        seen += names(page)
        cursor = page["metadata"].get("nextCursor", "")

    assert seen == NAMES
    assert cursor == ""


def test_a_page_has_30_servers_unless_the_client_requests_up_to_100() -> None:
    names_of_many = [f"example.gateway/server-{number:03}" for number in range(101)]
    entries = [{"server": {"name": name, "version": "1.0.0"}} for name in names_of_many]
    audit_record = policy.render("fragments/audit.xml.j2")
    rendered = policy.render("registry/servers.xml.j2", servers=json.dumps(entries))
    harness = harness_with(rendered, fragments={"audit": audit_record}, values={"gateway-url": GATEWAY})
    for query, count in (("", 30), ("limit=100", 100)):
        page = harness.send("GET", "/api/items", query).json()
        assert names(page) == names_of_many[:count]
        assert page["metadata"] == {"count": count, "nextCursor": names_of_many[count - 1]}


@pytest.mark.parametrize("limit", ["0", "101", "-1", "all", ""])
def test_an_invalid_limit_is_refused(harness: Harness, limit: str) -> None:
    answer = harness.send("GET", "/v0.1/servers", f"limit={limit}")

    assert (answer.status, answer.json()) == (400, {"error": "limit must be a number from 1 to 100."})


def test_a_query_that_is_too_long_is_refused(harness: Harness) -> None:
    answer = harness.send("GET", "/v0.1/servers", f"search={'x' * 2048}")

    assert answer.status == 400


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"search": "SLACK"}, NAMES[3:]),
        ({"search": "nothing"}, []),
        ({"version": "latest"}, NAMES),
        ({"version": "1.3.0"}, NAMES[3:]),
        ({"updated_since": "2025-08-07T13:15:04.280Z", "include_deleted": "true"}, NAMES),
    ],
)
def test_the_list_can_be_searched(harness: Harness, query: dict[str, str], expected: list[str]) -> None:
    assert names(listed(harness, **query)) == expected


@pytest.mark.parametrize("path", ["/v0.1/servers", "/v0.1/servers/example.gateway%2Fslack/versions/latest"])
def test_pages_of_any_origin_may_read_the_registry(harness: Harness, path: str) -> None:
    answer = harness.send("GET", path, Origin="https://app.example")
    assert headers(answer) == CORS | {"Cache-Control": "public, max-age=300"}
    preflight = harness.send(
        "OPTIONS", path, Origin="https://app.example", Access_Control_Request_Method="GET"
    )
    assert preflight.status == 204
    assert preflight.header("Access-Control-Allow-Origin") == "*"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_the_registry_cannot_be_written(harness: Harness, method: str) -> None:
    assert harness.send(method, "/v0.1/servers", body=b"{}").status in {404, 405}


def test_a_stack_can_switch_the_registry_off() -> None:
    plan = plan_stack({"backends": '["functions"]', "registry": "false"})

    assert "registry" not in {api.id for api in plan.apis}
    assert "registry-namespace" not in {value.name for value in plan.named_values}


def test_the_namespace_is_the_gateways_host_name_with_its_labels_in_reverse_order() -> None:
    assert namespace("https://apim-x.azure-api.net") == "net.azure-api.apim-x"
    assert namespace("http://localhost:8000") == "localhost"
