"""Operations without a policy of their own, which exist for a short time while a stack is deployed."""

from dataclasses import replace

import pytest

from apim.service import Api, Service
from tests.policies.engine.harness import Harness
from tests.policies.oauth.flow import service_with


def _without_operation_policies(api: Api) -> Api:
    return replace(api, operations=tuple(replace(operation, policy=None) for operation in api.operations))


@pytest.fixture(scope="module")
def half_deployed() -> Harness:
    """A gateway whose APIs have their policies, and whose operations do not."""
    service: Service = service_with()
    return Harness(replace(service, apis=tuple(map(_without_operation_policies, service.apis))))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/.well-known/oauth-authorization-server"),
        ("POST", "/register"),
        ("GET", "/authorize"),
        ("GET", "/consent"),
        ("POST", "/consent"),
        ("GET", "/oauth-callback"),
        ("POST", "/token"),
        ("GET", "/.well-known/oauth-protected-resource/mcp"),
    ],
)
def test_an_endpoint_without_its_policy_returns_503_and_forwards_nothing(
    half_deployed: Harness, method: str, path: str
) -> None:
    answer = half_deployed.send(method, path)
    assert (answer.status, answer.json()["error"]) == (503, "temporarily_unavailable")
    assert answer.header("Retry-After") is not None
    assert half_deployed.network.sent == []


def test_a_half_deployed_gateway_calls_servers_only_with_a_token(half_deployed: Harness) -> None:
    assert half_deployed.send("POST", "/mcp", body=b"{}").status == 401
    assert half_deployed.network.sent == []
