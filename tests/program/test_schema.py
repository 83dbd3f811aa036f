"""The schema check finds each kind of mistake."""

from dataclasses import replace
from typing import Any

import pytest

from tests.program import schema
from tests.program.variants import Case
from twin.stack import UNKNOWN, Declared


def account(**changes: Any) -> Declared:
    """The storage account with some inputs changed; None removes an input."""
    declared = Case("dev", preview=False).stack.one("storage:StorageAccount")
    inputs = {**declared.inputs, **changes}
    return replace(declared, inputs={key: value for key, value in inputs.items() if value is not None})


def test_a_correct_resource_has_no_problem() -> None:
    assert schema.problems(account()) == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"minimumTlsVersoin": "TLS1_2"}, "minimumTlsVersoin is not an input"),
        ({"minimum_tls_version": "TLS1_2"}, "minimum_tls_version is not an input"),
        ({"minimumTlsVersion": "1.2"}, "minimumTlsVersion is '1.2', not one of"),
        ({"kind": None}, "kind is required"),
        ({"sku": {}}, "sku.name is required"),
        ({"sku": {"name": "Standard_LRS", "tier": "x"}}, "sku.tier is not an input"),
        ({"allowSharedKeyAccess": "false"}, "allowSharedKeyAccess is 'false', not of type bool"),
        ({"tags": ["a"]}, "tags is not a map"),
        ({"tags": {"a": 1}}, "tags[a] is 1, not of type str"),
        (
            {"networkRuleSet": {"defaultAction": "Deny", "ipRules": "x"}},
            "networkRuleSet.ipRules is not a list",
        ),
        ({"encryption": "on"}, "encryption is not an object"),
        ({"location": 3}, "location is 3, not of type str"),
    ],
)
def test_an_invalid_resource_is_found(changes: dict[str, Any], problem: str) -> None:
    (reported,) = schema.problems(account(**changes))
    assert problem in reported


def test_a_boolean_is_not_accepted_as_a_number() -> None:
    key = Case("dev", preview=False).stack.of_type("RandomBytes")[0]
    (problem,) = schema.problems(replace(key, inputs={"length": True}))
    assert "length is True, not of type int" in problem


def test_an_unknown_value_in_a_preview_is_not_an_error() -> None:
    assert schema.problems(account(resourceGroupName=UNKNOWN, sku=UNKNOWN)) == []


def test_an_unknown_resource_type_is_found() -> None:
    (problem,) = schema.problems(replace(account(), type="azure-native:storage:StorageAcount"))
    assert "no SDK has this type" in problem
