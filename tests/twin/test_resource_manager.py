"""The twin's Azure Resource Manager is read-only and returns no secret."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from apim.service import PolicyDocument, Service
from tests.program.variants import VARIANTS
from twin.azure.cloud import Cloud
from twin.resource_manager import ResourceManager
from twin.stack import Stack, evaluate
from twin.translation import gateway

SECRETS = {
    "slackBotToken": "xoxb-123456789012-abcdefghijkl",
    "jiraApiToken": "ATATT3xFfGF0-abcdefgh",
}
HEADERS = {"Authorization": "Bearer local"}


@pytest.fixture(scope="module")
def stack() -> Stack:
    config = {key: value for key, value in VARIANTS["servers"].items() if key not in SECRETS}
    return evaluate(config, SECRETS, cloud=Cloud())


@pytest.fixture(scope="module")
def service(stack: Stack) -> Service:
    return gateway.service(stack, Cloud())


def client_of(stack: Stack, service: Service) -> TestClient:
    return TestClient(Starlette(routes=ResourceManager(stack, lambda: service).routes()), headers=HEADERS)


@pytest.fixture
def get(stack: Stack, service: Service) -> Callable[..., dict[str, Any]]:
    client = client_of(stack, service)

    def get(path: str, **query: str) -> dict[str, Any]:
        answer = client.get(path, params={"api-version": "2024-05-01", **query})
        assert answer.status_code == 200, answer.text
        return answer.json()

    return get


def service_id(stack: Stack) -> str:
    return stack.one("apimanagement:ApiManagementService").id


def test_the_service_is_found_from_its_subscription(get: Callable[..., dict[str, Any]], stack: Stack) -> None:
    (subscription,) = get("/subscriptions")["value"]
    path = f"/subscriptions/{subscription['subscriptionId']}/providers/Microsoft.ApiManagement/service"
    (service,) = get(path)["value"]
    assert service["id"] == service_id(stack)
    assert service["properties"]["provisioningState"] == "Succeeded"
    assert service["identity"]["userAssignedIdentities"]


def test_returned_policies_are_those_of_the_running_gateway(stack: Stack, service: Service) -> None:
    edited = PolicyDocument(xml="<policies>\n    <inbound />\n</policies>", name="edited")
    client = client_of(stack, replace(service, policy=edited))
    answer = client.get(
        f"{service_id(stack)}/policies/policy", params={"api-version": "2024-05-01", "format": "rawxml"}
    )
    # As Azure stores it: tabs, and CR LF.
    assert answer.json()["properties"]["value"] == "<policies>\r\n\t<inbound />\r\n</policies>"


def test_the_policy_of_all_apis_is_the_one_that_azure_creates(
    get: Callable[..., dict[str, Any]], stack: Stack
) -> None:
    answer = get(f"{service_id(stack)}/policies/policy", format="rawxml")
    assert "<backend><forward-request /></backend>" in answer["properties"]["value"]


def test_collections_list_the_resources_one_level_below(
    get: Callable[..., dict[str, Any]], stack: Stack, service: Service
) -> None:
    listed = get(f"{service_id(stack)}/apis")["value"]
    assert [api["name"] for api in listed] == [api.id for api in service.apis]
    operations = get(f"{service_id(stack)}/apis/oauth/operations")["value"]
    assert "token" in {operation["name"] for operation in operations}
    group = service_id(stack).partition("/providers/")[0]
    containers = get(f"{group}/providers/Microsoft.App/containerApps")["value"]
    assert len(containers) == 4
    (environment,) = get(f"{group}/providers/Microsoft.App/managedEnvironments")["value"]
    routes = get(f"{environment['id']}/httpRouteConfigs")["value"]
    assert {route["properties"]["rules"][0]["targets"][0]["containerApp"] for route in routes} == {
        app["name"] for app in containers
    }
    domain = environment["properties"]["defaultDomain"]
    assert all(route["properties"]["fqdn"] == f"{route['name']}.{domain}" for route in routes)


def test_authentication_settings_can_be_read(get: Callable[..., dict[str, Any]], stack: Stack) -> None:
    for app, settings in [
        *((app, "authConfigs/current") for app in stack.of_type("app:ContainerApp")),
        *((app, "config/authsettingsV2") for app in stack.of_type("web:WebApp")),
    ]:
        assert get(f"{app.id}/{settings}")["properties"]["platform"]["enabled"] is True


def test_no_answer_contains_a_secret(
    get: Callable[..., dict[str, Any]], stack: Stack, service: Service
) -> None:
    group = service_id(stack).partition("/providers/")[0]
    responses = json.dumps(
        [
            get(f"{service_id(stack)}/namedValues"),
            get(f"{group}/providers/Microsoft.App/containerApps"),
            get(f"{group}/providers/Microsoft.Web/sites"),
            *(get(app.id) for app in stack.of_type("app:ContainerApp")),
        ]
    )
    keys = [value.value for value in service.named_values if value.secret]
    assert keys
    assert [secret for secret in (*SECRETS.values(), *keys) if secret in responses] == []
    assert "SNIPPETS_STORAGE" not in responses


@pytest.mark.parametrize("method", ["PUT", "POST", "PATCH", "DELETE"])
def test_the_resource_manager_is_read_only(stack: Stack, service: Service, method: str) -> None:
    answer = client_of(stack, service).request(
        method, f"{service_id(stack)}/policies/policy", params={"api-version": "2024-05-01"}
    )
    assert answer.status_code == 405


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/policies/policy", 400, "MissingApiVersionParameter"),
        ("/policies/policy?api-version=2024-05-01", 400, "ValidationError"),
        ("/apis/nothing?api-version=2024-05-01", 404, "ResourceNotFound"),
        ("/apis/oauth/policies/other?api-version=2024-05-01", 404, "ResourceNotFound"),
    ],
)
def test_requests_that_azure_would_reject_are_rejected(
    stack: Stack, service: Service, path: str, status: int, code: str
) -> None:
    answer = client_of(stack, service).get(f"{service_id(stack)}{path}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_a_request_without_a_token_is_refused(stack: Stack, service: Service) -> None:
    client = TestClient(Starlette(routes=ResourceManager(stack, lambda: service).routes()))
    assert client.get("/subscriptions", params={"api-version": "2022-12-01"}).status_code == 401
