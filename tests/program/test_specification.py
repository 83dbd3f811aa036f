"""The resources of the program are within the limits in the specifications of Azure's APIs."""

import inspect
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pulumi_azure_native
import pytest

from gateway.api_center import environment_name
from tests.program import schema, specification
from tests.program.test_agents import GROUP
from tests.program.variants import Case
from twin.stack import UNKNOWN, Declared, Stack, evaluate

TYPES = [token for token in specification.table() if token != "names"]


def declared(type_: str, inputs: Mapping[str, Any], identifier: str = "") -> Declared:
    """A resource with these inputs."""
    return Declared(
        urn=f"urn:pulumi:dev::test::azure-native:{type_}::x",
        type=f"azure-native:{type_}",
        name="x",
        custom=True,
        inputs=inputs,
        parent="",
        id=identifier,
    )


def problems(type_: str, inputs: Mapping[str, Any], identifier: str = "") -> list[str]:
    return list(specification.problems(declared(type_, inputs, identifier)))


@pytest.mark.parametrize("token", TYPES)
def test_the_limits_are_those_of_the_version_of_the_api_that_the_sdk_uses(token: str) -> None:
    module, _, name = token.partition(":")
    folder = Path(inspect.getfile(pulumi_azure_native)).parent / module
    (file,) = (file for file in folder.glob("*.py") if file.stem.replace("_", "") == name.lower())
    version = re.search(r"Uses Azure REST API version (\S+?)\.\s", file.read_text(encoding="utf-8"))
    assert version is not None
    assert specification.table()[token]["version"] == version[1]


def test_the_limits_of_each_kind_are_checked() -> None:
    within = {"displayName": "a", "value": "x" * 4096, "tags": ["a"] * 32}
    assert problems("apimanagement:NamedValue", within) == []
    assert problems("apimanagement:NamedValue", {**within, "value": UNKNOWN, "tags": None}) == []
    assert problems("apimanagement:NamedValue", {**within, "displayName": ""}) == [
        "displayName has 0 characters; the minimum is 1",
        "displayName is '', which does not match ^[A-Za-z0-9-._]+$",
    ]
    assert problems("apimanagement:NamedValue", {**within, "value": "x" * 4097}) == [
        "value has 4097 characters; the maximum is 4096"
    ]
    assert problems("apimanagement:NamedValue", {**within, "tags": ["a"] * 33}) == [
        "tags has 33 items; the maximum is 32"
    ]
    assert problems("apimanagement:Diagnostic", {"sampling": {"percentage": 101}}) == [
        "sampling.percentage has 101; the maximum is 100"
    ]


def test_limits_inside_lists_and_maps_are_checked() -> None:
    receivers = {"notification": {"to": ["a@b.example", "a"]}}
    (problem,) = problems("costmanagement:ScheduledActionByScope", receivers)
    assert problem.startswith("notification.to[1] is 'a', which does not match ^[A-Za-z0-9._%+-]+@")
    notifications = {"spent": {"contactEmails": ["a@b.example"] * 51}}
    assert problems("consumption:Budget", {"notifications": notifications}) == [
        "notifications[spent].contactEmails has 51 items; the maximum is 50"
    ]


def test_the_names_of_a_resource_and_of_its_parents_are_checked() -> None:
    group = "/subscriptions/s/resourceGroups/group"
    route = f"{group}/providers/Microsoft.App/managedEnvironments/apps/httpRouteConfigs/notespublic"
    assert list(specification.name_problems(route)) == []
    (problem,) = specification.name_problems(f"{route}-1")
    assert "httpRouteConfigs is 'notespublic-1', which does not match ^[a-z][a-z0-9]*$" in problem
    assert "of Microsoft.App/managedEnvironments is" in "".join(
        specification.name_problems(route.replace("/apps/", "/1apps/"))
    )
    assert "of Microsoft.Resources/resourceGroups is" in "".join(
        specification.name_problems(route.replace("/group/", "/a group/"))
    )
    role = "/providers/Microsoft.Authorization/roleAssignments/reader"
    assert list(specification.name_problems(route.replace("/apps/", "/1apps/") + role)) != []
    assert "of Microsoft.Authorization/roleAssignments is" in "".join(
        specification.name_problems(route + role)
    )


def test_a_type_without_limits_is_a_problem() -> None:
    assert problems("app:Job", {}) == ["specifications.toml has no entry for azure-native:app:Job"]
    assert list(
        specification.name_problems("/subscriptions/s/resourceGroups/g/providers/Microsoft.App/jobs/x")
    ) == ["specifications.toml has no name of the type Microsoft.App/jobs"]


_EXTREMES = {
    "publisherEmail": f"{'x' * 88}@example.com",
    "publisherName": "x" * 100,
    "tags": json.dumps({f"{number}{'t' * 126}": "v" * 256 for number in range(10, 25)}),
    "backends": '["functions", "github"]',
    "alertEmails": json.dumps([f"{number}{'x' * 86}@example.com" for number in range(10, 30)]),
    "monthlyBudget": "100000000",
    "costAnomalyAlert": "true",
    "foundryProject": f"{GROUP}/Microsoft.CognitiveServices/accounts/{'a' * 64}/projects/{'p' * 64}",
    "apiCenter": f"{GROUP}/Microsoft.ApiCenter/services/{'c' * 90}",
    "access": '{"functions": "users agents keys"}',
    "isolateEnvironments": "true",
    "requireDigests": "false",
    "containers": json.dumps(
        [
            {
                "name": "a" + "-b" * 9,
                "title": "T" * 60,
                "image": f"ghcr.io/example/notes:1.2.3-{'r' * 122}",
                "port": 8080,
                "path": "p" * 50,
                "transport": "separate",
                "paths": {"messages": f"/{'m' * 59}"},
                "sessionParameter": "s" * 40,
                "secrets": {f"A{'_B' * 31}C": "notesToken"},
                "access": "users agents keys",
            }
        ]
    ),
}
_EXTREME_SECRETS = {"redisConnection": "r" * 300, "githubToken": "x" * 255, "notesToken": "n"}


@pytest.fixture(scope="module")
def extreme() -> Stack:
    """A stack with the longest values that the settings accept."""
    return evaluate(_EXTREMES, _EXTREME_SECRETS)


def test_the_longest_values_that_the_settings_accept_are_within_the_limits(extreme: Stack) -> None:
    assert [problem for resource in extreme.resources for problem in schema.problems(resource)] == []


def test_the_environment_of_a_stack_in_an_api_center_has_a_permitted_name() -> None:
    assert environment_name("remote-mcp-gateway", "dev") == "remote-mcp-gateway-dev"
    names = {environment_name("p", stack) for stack in ("a.b", "a-b", "a_b", "x" * 100, "x" * 99)}
    assert len(names) == 5
    assert all(re.fullmatch(r"[A-Za-z0-9-]{3,60}", name) for name in names)


def test_a_variant_with_a_name_that_azure_rejects_is_found() -> None:
    route = Case("network", preview=False).stack.one("app:HttpRouteConfig")
    assert list(specification.problems(route)) == []
    assert list(specification.problems(replace(route, id=f"{route.id}-public"))) != []
