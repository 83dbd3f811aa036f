"""The policy pack in Pulumi's engine: a stack of this project passes, and a deliberate mistake stops it."""

import json
import os
import re
from dataclasses import dataclass

import pulumi
import pytest
from pulumi.runtime import register_stack_transformation

from scripts import pulumi_cli
from tests.engine.conftest import Deploy
from tests.engine.deployment import POLICY_SDK, Deployment
from tests.engine.program import Project
from tests.engine.stacks import CANARIES, NOTES, StackSettings

PACK = pulumi_cli.ROOT / "policy_pack"
SETTINGS = StackSettings(
    values={"backends": json.dumps(["functions"]), "containers": json.dumps([NOTES])},
    secrets={"notesToken": CANARIES["notesToken"]},
)


@dataclass(frozen=True, slots=True)
class ProjectWithSharedKeys(Project):
    """The program with one mistake: the storage account can be accessed with its keys."""

    def __call__(self) -> None:
        register_stack_transformation(_allow_shared_keys)
        Project.__call__(self)


def _allow_shared_keys(
    args: pulumi.ResourceTransformationArgs,
) -> pulumi.ResourceTransformationResult | None:
    if not args.type_.endswith(":StorageAccount"):
        return None
    return pulumi.ResourceTransformationResult({**args.props, "allow_shared_key_access": True}, args.opts)


@pytest.fixture(scope="module")
def stack(new_stack: Deploy) -> Deployment:
    """A stack with a resource of each kind that the rules check. Its image has a tag and no digest."""
    if not (POLICY_SDK / "pulumi_policy").is_dir():
        reason = "needs Pulumi's SDK for policy packs: run `make test-engine`"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    return new_stack(SETTINGS)


def test_a_stack_of_this_project_passes_and_an_image_without_a_digest_is_a_warning(stack: Deployment) -> None:
    preview = stack.preview(stack.policy_pack)
    assert not preview.failed, preview.output
    assert "mcp-gateway" in preview.output
    assert f"Pin {NOTES['image']} by its digest" in preview.output


def test_a_mistake_stops_the_preview_and_the_deployment(stack: Deployment) -> None:
    stack.program = ProjectWithSharedKeys(pulumi_cli.ROOT)
    for run in (stack.preview(stack.policy_pack), stack.up(stack.policy_pack)):
        assert run.failed
        assert "[mandatory]" in run.output
        assert "no-shared-keys" in run.output
        assert "Set allowSharedKeyAccess to false" in run.output
    assert stack.azure.of_type("storage:StorageAccount") == ()


def test_the_tests_use_the_version_that_the_pack_requires() -> None:
    required, installed = (
        re.findall(r"^pulumi-policy==\S+", file.read_text(encoding="utf-8"), re.MULTILINE)
        for file in (PACK / "requirements.txt", pulumi_cli.ROOT / "tools" / "policy" / "requirements.txt")
    )
    assert required == installed != []
