"""Changes outside of Pulumi are repaired, lost state is imported, and a destroyed stack is deployed again.

docs/operations.md has the commands.
"""

import json
import sys

import pytest

from scripts.pulumi_cli import ROOT
from tests.engine import language_host
from tests.engine.conftest import Deploy
from tests.engine.deployment import Deployment
from tests.engine.invariants import AUTHENTICATION
from tests.engine.stacks import SMALL

PLUGIN = """#!{python}
import sys
import threading
from pathlib import Path

sys.path.insert(0, {root!r})
from tests.engine import language_host
from tests.engine.program import Project

with language_host.serve(Project(Path({root!r}))) as address:
    print(address.rpartition(":")[2], flush=True)
    threading.Event().wait()
"""
"""The plugin for Python, which `pulumi import` loads. Only released CLIs include it."""


@pytest.fixture(scope="module")
def stack(new_stack: Deploy) -> Deployment:
    """A deployed stack."""
    stack = new_stack(SMALL)
    first = stack.up()
    assert not first.failed, first.output
    return stack


@pytest.mark.parametrize("app", AUTHENTICATION)
def test_authentication_that_was_removed_outside_of_pulumi_is_restored(stack: Deployment, app: str) -> None:
    (resource,) = stack.azure.of_type(app)
    authentication = resource.id + AUTHENTICATION[app]
    stack.azure.remove(authentication)
    assert stack.refresh().names("delete") != []
    repaired = stack.up()
    assert not repaired.failed, repaired.output
    assert authentication.lower() in stack.azure.resources


def test_a_policy_that_was_edited_outside_of_pulumi_is_restored(stack: Deployment) -> None:
    edited = next(
        resource for resource in stack.azure.of_type("apimanagement:ApiPolicy") if "notes" in resource.id
    )
    stack.azure.change(edited.id, value="<policies />")
    before = stack.state()["resources"]
    shown = stack.pulumi("refresh", "--preview-only", "--diff")
    assert shown.returncode == 0, shown.stderr
    assert edited.urn.rpartition("::")[2] in shown.stdout
    assert stack.state()["resources"] == before
    assert [step.urn for step in stack.refresh().changes if step.op == "update"] == [edited.urn]
    assert [step.urn for step in stack.up().changes if step.op == "update"] == [edited.urn]
    assert stack.azure.resources[edited.id.lower()].inputs["value"] == edited.inputs["value"]


def test_an_api_that_was_deleted_outside_of_pulumi_is_published_again(stack: Deployment) -> None:
    api = next(resource for resource in stack.azure.of_type("apimanagement:Api") if "notes" in resource.id)
    below = [key for key in stack.azure.resources if key.startswith(f"{api.id.lower()}/")]
    assert below
    for key in (api.id, *below):
        stack.azure.remove(key)
    assert api.urn in {step.urn for step in stack.refresh().steps if step.op == "delete"}
    repaired = stack.up()
    assert not repaired.failed, repaired.output
    assert {api.id.lower(), *below} <= stack.azure.resources.keys()


def test_a_resource_that_is_missing_in_the_state_is_imported(stack: Deployment) -> None:
    lost = stack.azure.of_type("ScheduledQueryRule")[0]
    assert stack.pulumi("state", "delete", lost.urn, "--yes").returncode == 0
    with language_host.serve(stack.program) as client:
        own_host = ("--client", client, "--exec-kind", "auto.inline")
        assert stack.pulumi("preview", "--import-file", "import.json", *own_host).returncode == 0
    file = stack.folder / "import.json"
    wanted = json.loads(file.read_text(encoding="utf-8"))
    (entry,) = [resource for resource in wanted["resources"] if resource["id"] == "<PLACEHOLDER>"]
    assert entry["name"] == lost.urn.rpartition("::")[2]
    entry["id"] = lost.id
    file.write_text(json.dumps(wanted), encoding="utf-8")
    plugin = stack.folder / "plugins" / "pulumi-language-python"
    plugin.write_text(PLUGIN.format(python=sys.executable, root=str(ROOT)), encoding="utf-8")
    plugin.chmod(0o755)
    done = stack.pulumi(
        "import", "--file", "import.json", "--protect=false", "--generate-code=false", "--yes"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    # Azure does not store the provider's mark that it chose the name, so an import does not restore the mark.
    changes = stack.preview().changes
    assert {(step.op, step.urn, step.changed) for step in changes} <= {
        ("update", lost.urn, ("__createBeforeDelete",))
    }


def test_a_destroyed_stack_can_be_deployed_again(stack: Deployment) -> None:
    """API Management keeps the name of a deleted service for 48 hours."""
    (before,) = stack.azure.of_type("apimanagement:ApiManagementService")
    stack.unprotect()
    assert not stack.destroy().failed
    again = stack.up()
    assert not again.failed, again.output
    (after,) = stack.azure.of_type("apimanagement:ApiManagementService")
    assert after.id != before.id
