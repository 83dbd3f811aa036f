"""Evaluated resources keep the aliases that a program gives them, and no others."""

from pathlib import Path
from typing import Any

import pytest

from tests.stacks import FUNCTIONS_ONLY
from twin.monitor import Monitor
from twin.stack import evaluate

_PROGRAM = """
import pulumi
from pulumi_azure_native import resources

resources.ResourceGroup("group", opts=pulumi.ResourceOptions(aliases=[pulumi.Alias(name="before")]))
"""


@pytest.fixture
def aliases(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """The aliases of each registered resource, by logical name."""
    aliases: dict[str, list[str]] = {}
    register = Monitor.RegisterResource

    def noted(self: Monitor, request: Any) -> Any:
        aliases[request.name] = [
            *request.aliasURNs,
            *(alias.urn or alias.spec.name or alias.spec.type for alias in request.aliases),
        ]
        return register(self, request)

    monkeypatch.setattr(Monitor, "RegisterResource", noted)
    return aliases


def test_resources_have_no_aliases_for_other_api_versions(aliases: dict[str, list[str]]) -> None:
    evaluate(FUNCTIONS_ONLY)
    assert len(aliases) > 50
    # The remaining aliases are other names of a type.
    assert [
        alias for aliases_of_resource in aliases.values() for alias in aliases_of_resource if "/v" in alias
    ] == []
    assert max(map(len, aliases.values())) == 1


def test_a_resource_that_was_renamed_is_still_found(aliases: dict[str, list[str]], tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: renamed\nruntime: python\n")
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {}\n")
    (tmp_path / "__main__.py").write_text(_PROGRAM)
    evaluate(root=tmp_path)
    (alias,) = aliases["group"]
    assert alias.rpartition("::")[2] == "before"
