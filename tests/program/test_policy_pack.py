"""The rules of the policy pack: each finds its violation, and the program complies with all of them."""

from typing import Any

import pytest

from policy_pack.rules import RULES
from tests.program.variants import UP, Case

STORAGE = "azure-native:storage:StorageAccount"
APP = "azure-native:app:ContainerApp"
VIOLATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "no-shared-keys": (STORAGE, {}),
    "tls-1-2": ("azure-native:cosmosdb/v20241115:DatabaseAccount", {"minimalTlsVersion": "Tls"}),
    "no-public-blobs": (STORAGE, {"allowBlobPublicAccess": True}),
    "no-logged-content": (
        "azure-native:apimanagement:Diagnostic",
        {"frontend": {"request": {"body": {"bytes": 1}}}},
    ),
    "principal-types": ("azure-native:authorization:RoleAssignment", {}),
    "no-plain-secrets": (APP, {"template": {"containers": [{"env": [{"name": "A_TOKEN", "value": "x"}]}]}}),
    "pinned-images": (APP, {"template": {"containers": [{"image": "ghcr.io/example/notes:1.0.0"}]}}),
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_each_rule_finds_its_violation_and_ignores_other_resources(rule: Any) -> None:
    type_, properties = VIOLATIONS[rule.name]
    assert list(rule.problems(type_, properties))
    assert not list(rule.problems("random:index:RandomString", properties))


def test_a_logged_header_in_a_template_is_a_violation() -> None:
    (rule,) = (rule for rule in RULES if rule.name == "no-logged-content")
    diagnostic = {
        "type": "Microsoft.ApiManagement/service/diagnostics",
        "properties": {"backend": {"response": {"headers": ["Authorization"]}}},
    }
    deployment = {"properties": {"template": {"resources": [diagnostic]}}}
    assert list(rule.problems("azure-native:resources:Deployment", deployment)) == [
        "Log neither headers nor bodies of backend.response: they contain tokens."
    ]


@pytest.mark.parametrize("case", UP, ids=str)
def test_the_program_complies_with_every_mandatory_rule(case: Case) -> None:
    problems = [
        (resource.name, problem)
        for rule in RULES
        if rule.mandatory
        for resource in case.stack.resources
        for problem in rule.problems(resource.type, resource.inputs)
    ]
    assert problems == []
