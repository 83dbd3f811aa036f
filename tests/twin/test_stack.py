"""Running a Pulumi program in process."""

import asyncio
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.program.graph import Graph
from twin.azure.cloud import Cloud
from twin.azure.identifiers import Seed
from twin.stack import UNKNOWN, Stack, StackError, evaluate

PROJECT_FILE = """
name: sample
runtime: python
config:
  size: {type: integer, default: 32}
  names: {type: array, default: [a, b]}
  azure-native:location: {value: westeurope}
"""

PROGRAM = """
import pulumi
import pulumi_random as random
from pulumi_azure_native import apimanagement, managedidentity, resources

config = pulumi.Config()


class Parts(pulumi.ComponentResource):
    def __init__(self, name, opts=None):
        super().__init__("sample:index:Parts", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.group = resources.ResourceGroup("group", opts=child)
        self.identity = managedidentity.UserAssignedIdentity(
            "identity", resource_group_name=self.group.name, opts=child
        )
        self.key = random.RandomBytes(
            "key", length=config.require_int("size"), opts=pulumi.ResourceOptions(parent=self, protect=True)
        )
        self.value = apimanagement.NamedValue(
            "value",
            resource_group_name=self.group.name,
            service_name="service",
            named_value_id="key",
            display_name="key",
            secret=True,
            value=self.key.base64,
            opts=child,
        )
        self.register_outputs({"identity": self.identity.principal_id})


parts = Parts("parts")
later = resources.ResourceGroup("later", opts=pulumi.ResourceOptions(depends_on=[parts]))
pulumi.export("principal", parts.identity.principal_id)
pulumi.export("key", parts.key.base64)
pulumi.export("names", config.require_object("names"))
pulumi.export("comment", config.get("comment"))
"""

Project = Callable[..., Path]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Creates a project with a program."""

    def make(program: str = PROGRAM, *, dev: str = "{}") -> Path:
        (tmp_path / "Pulumi.yaml").write_text(PROJECT_FILE)
        (tmp_path / "Pulumi.dev.yaml").write_text(f"config: {dev}")
        (tmp_path / "__main__.py").write_text(program)
        return tmp_path

    return make


def guid(text: object) -> bool:
    return isinstance(text, str) and bool(re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text))


def test_resources_have_parents_ids_and_computed_outputs(project: Project) -> None:
    stack = evaluate(root=project())
    parts = stack.one("sample:index:Parts")
    group = stack.one("resources:ResourceGroup", "group")
    identity = stack.one("managedidentity:UserAssignedIdentity")
    assert identity.parent == parts.urn
    assert identity.urn == (
        "urn:pulumi:dev::sample::sample:index:Parts$azure-native:managedidentity:UserAssignedIdentity::identity"
    )
    assert re.fullmatch(r"/subscriptions/[0-9a-f-]{36}/resourceGroups/group[0-9a-f]{8}", group.id)
    assert identity.id == (
        f"{group.id}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{identity.outputs['name']}"
    )
    assert guid(identity.outputs["principalId"])
    assert guid(identity.outputs["clientId"])
    assert identity.inputs["resourceGroupName"] == group.outputs["name"]
    assert stack.outputs["principal"] == identity.outputs["principalId"] == parts.outputs["identity"]


def test_secrets_stay_secret_in_inputs_and_outputs(project: Project) -> None:
    stack = evaluate(root=project())
    value = stack.one("apimanagement:NamedValue")
    assert value.is_secret("value")
    assert not value.is_secret("displayName")
    assert "value" not in value.outputs
    assert stack.secret_outputs == {"key"}
    key = stack.outputs["key"]
    assert value.inputs["value"] == key
    assert key not in repr(stack)
    assert key not in repr(stack.resources)


def test_resource_options_are_kept(project: Project) -> None:
    stack = evaluate(root=project())
    assert stack.one("RandomBytes").protect
    assert not stack.one("apimanagement:NamedValue").protect
    assert set(stack.one("RandomBytes").additional_secret_outputs) == {"base64", "hex"}


def test_a_dependency_on_a_component_includes_its_children(project: Project) -> None:
    stack = evaluate(root=project())
    later, value = stack.one("resources:ResourceGroup", "later"), stack.one("apimanagement:NamedValue")
    key = stack.one("RandomBytes")
    graph = Graph(stack)
    assert graph.missing(later, [value, key]) == []
    assert graph.missing(key, [later]) == [f"{key} does not wait for {later}"]
    path = graph.path(later, key).split(" -> ")
    assert (path[0], path[-1]) == (str(later), str(key))
    assert later in graph.dependents(key)


def test_computed_outputs_are_unknown_in_a_preview(project: Project) -> None:
    stack = evaluate(root=project(), preview=True)
    assert stack.one("apimanagement:NamedValue").inputs["value"] is UNKNOWN
    assert stack.one("managedidentity:UserAssignedIdentity").inputs["resourceGroupName"] is UNKNOWN
    assert stack.outputs["principal"] is UNKNOWN
    assert stack.one("RandomBytes").inputs["length"] == 32
    assert {resource.id for resource in stack.resources} == {""}


def test_configuration_of_the_caller_overrides_the_stacks_and_the_projects(project: Project) -> None:
    root = project(dev="{'sample:size': 16, 'sample:comment': from the file}")
    assert evaluate(root=root).one("RandomBytes").inputs["length"] == 16
    assert evaluate({"size": "8"}, root=root).one("RandomBytes").inputs["length"] == 8
    assert evaluate(root=root).outputs["comment"] == "from the file"
    assert evaluate(root=root).outputs["names"] == ["a", "b"]


def test_a_secret_setting_reaches_the_program_as_a_secret(project: Project) -> None:
    program = "import pulumi\npulumi.export('token', pulumi.Config().require_secret('token'))"
    stack = evaluate(secrets={"token": "xoxb"}, root=project(program))
    assert stack.outputs == {"token": "xoxb"}
    assert stack.secret_outputs == {"token"}


def test_evaluations_are_independent_of_each_other(project: Project) -> None:
    root = project()
    first = evaluate({"comment": "x"}, root=root)
    second = evaluate(root=root)
    assert first.outputs["comment"] == "x"
    assert "comment" not in second.outputs
    assert [resource.urn for resource in first.resources] == [resource.urn for resource in second.resources]
    assert str(root) not in sys.path


def test_a_failed_evaluation_does_not_affect_later_ones(project: Project) -> None:
    root = project()
    with pytest.raises(StackError):
        evaluate({"size": "many"}, root=root)
    assert "comment" not in evaluate(root=root).outputs


def test_a_program_can_be_evaluated_inside_a_running_loop(project: Project) -> None:
    root = project()

    async def evaluate_in_the_loop() -> Stack:
        return evaluate(root=root)

    assert asyncio.run(evaluate_in_the_loop()).outputs["names"] == ["a", "b"]


def test_generated_values_depend_on_the_seed_only(project: Project) -> None:
    root = project()

    def outputs(seed: bytes) -> list[object]:
        stack = evaluate(root=root, cloud=Cloud(seed=Seed(seed)))
        return [(resource.id, resource.outputs) for resource in stack.resources]

    assert outputs(b"one") == outputs(b"one")
    key = evaluate(root=root, cloud=Cloud(seed=Seed(b"one"))).outputs["key"]
    assert key != evaluate(root=root, cloud=Cloud(seed=Seed(b"two"))).outputs["key"]


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("import pulumi\npulumi.Config().require('nothing')", "nothing"),
        ("import pulumi\nraise pulumi.RunError('set this')", "^set this$"),
        ("1 / 0", r"^ZeroDivisionError: division by zero \(__main__.py, line 1\)$"),
        (
            "import pulumi\npulumi.Output.from_input(1).apply(lambda n: n / 0)",
            r"^ZeroDivisionError: division by zero \(__main__.py, line 2\)$",
        ),
        ("import sys\nsys.exit('no')", "no"),
        (
            "import pulumi_random as r\nr.RandomUuid('a')\nr.RandomUuid('a')",
            "^Two resources of type random:index/randomUuid:RandomUuid are named 'a'",
        ),
        (
            "import pulumi_random as r\nr.RandomPet('a')",
            "a: the twin does not support random:index/randomPet:RandomPet",
        ),
        (
            "from pulumi_azure_native import storage\nstorage.list_storage_account_keys('a', 'b')",
            "calls azure-native:storage:listStorageAccountKeys",
        ),
        (
            "from pulumi_azure_native import storage\nstorage.StorageAccount.get('a', 'b')",
            "The local twin does not support existing resources of type azure-native:storage:StorageAccount",
        ),
        (
            "import pulumi_random as r\nr.RandomUuid.get('a', 'b')",
            "The local twin does not support existing resources of type random:index/randomUuid:RandomUuid",
        ),
    ],
)
def test_the_error_of_a_failed_program_contains_its_message(
    project: Project, program: str, message: str
) -> None:
    with pytest.raises(StackError, match=message):
        evaluate(root=project(program))


def test_an_unknown_stack_is_an_error_that_lists_the_stacks(project: Project) -> None:
    with pytest.raises(StackError, match=r"no Pulumi.prod.yaml .* Stacks that exist: dev"):
        evaluate(root=project(), stack="prod")


def test_an_encrypted_value_must_be_overridden(project: Project) -> None:
    root = project(dev="{'sample:comment': {secure: 'v1:abc'}}")
    with pytest.raises(StackError, match="--secret comment"):
        evaluate(root=root)
    assert evaluate(secrets={"comment": "x"}, root=root).secret_outputs == {"key"}


def test_the_twin_does_not_read_encrypted_values(project: Project) -> None:
    root = project(dev="{'sample:comment': {secure: 'v1:abc'}}")
    stack = evaluate({"local": "true"}, root=root)
    assert stack.encrypted == ("comment",)
    assert evaluate({"local": "true"}, {"comment": "x"}, root=root).encrypted == ()


def test_warnings_of_the_program_are_kept(project: Project) -> None:
    stack = evaluate(root=project("import pulumi\npulumi.log.warn('look here')"))
    assert stack.warnings == ("look here",)


def test_the_error_of_a_missing_resource_lists_the_existing_ones(project: Project) -> None:
    with pytest.raises(LookupError, match="declares: group, later"):
        evaluate(root=project()).one("resources:ResourceGroup")
