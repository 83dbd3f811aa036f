"""Snapshots of the declared resources: the whole dev stack, and the differences of other variants.

Update them with `make test ARGS=--snapshot-update`, and review the difference.
"""

import difflib
import itertools
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from tests.program.variants import VARIANTS, Case
from twin.azure.cloud import Cloud
from twin.stack import Declared, Stack

# These inputs are the same for every resource and are checked elsewhere, so they are omitted for readability.
_OMITTED = (
    "resourceGroupName",
    "serviceName",
    "location",
    "tags",
    "__provider",
    "digest",
    "timePeriod",
    "schedule",
)


class Page(SingleFileSnapshotExtension):
    """One text file for each snapshot."""

    _write_mode = WriteMode.TEXT
    file_extension = "txt"


@pytest.fixture
def page(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    return snapshot.use_extension(Page)


def test_the_dev_stack_declares_the_resources_of_its_snapshot(page: SnapshotAssertion) -> None:
    assert "\n".join(lines(Case("dev", preview=False).stack)) + "\n" == page


@pytest.mark.parametrize("variant", [variant for variant in VARIANTS if variant != "dev"])
def test_a_variant_changes_the_resources_of_its_snapshot(variant: str, page: SnapshotAssertion) -> None:
    before, after = (
        [
            f"{urn.rpartition('::')[2]}: {line}".rstrip()
            for urn, line in input_lines(Case(name, preview=False).stack)
        ]
        for name in ("dev", variant)
    )
    changed = [line for line in difflib.ndiff(before, after) if line[0] in "+-"]
    assert changed
    assert "\n".join(changed) + "\n" == page


def lines(stack: Stack) -> Iterator[str]:
    """One line for each resource and for each input, sorted by URN."""
    for urn, group in itertools.groupby(input_lines(stack), key=lambda fact: fact[0]):
        yield urn
        yield from (f"    {line}" for _, line in group if line)


def input_lines(stack: Stack) -> Iterator[tuple[str, str]]:
    """The URN and one line for each input of each resource; the first line of a resource is empty.

    Values that Azure would generate are replaced by the name of their resource.
    """
    names = _names(stack)
    for resource in sorted(stack.resources, key=lambda declared: declared.urn):
        urn = resource.urn.split("::", 2)[2]
        yield urn, ""
        for key in sorted(resource.inputs):
            if key not in _OMITTED:
                yield from ((urn, line) for line in _lines(resource, key, resource.inputs[key], names))


def _lines(resource: Declared, path: str, value: Any, names: Mapping[str, str]) -> Iterator[str]:
    if resource.is_secret(path):
        yield f"{path} = (secret)"
    elif resource.type.endswith(("Policy", "PolicyFragment")) and path == "value":
        yield f"{path} = (policy)"
    elif path == "serializedData" or path.endswith(".query"):
        yield f"{path} = (query)"
    elif isinstance(value, Mapping) and value:
        for key in sorted(value):
            yield from _lines(resource, f"{path}.{key}", value[key], names)
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from _lines(resource, f"{path}[{index}]", item, names)
    else:
        yield f"{_readable(path, names)} = {_readable(json.dumps(value), names)}"


def _names(stack: Stack) -> dict[str, str]:
    """For each value that Azure would generate, the name of its resource; the longest values first."""
    cloud = Cloud()
    names = {cloud.tenant: "<tenant>", cloud.subscription.id: "<subscription>"}
    for resource in stack.resources:
        if not resource.custom or resource.type.startswith("random:"):
            continue
        generated = {"id": resource.id} | {
            key: resource.outputs.get(key)
            for key in ("principalId", "clientId", "objectId", "instrumentationKey", "appId", "name")
            if key not in resource.inputs
        }
        for key, value in generated.items():
            # A name that the program chose is not generated.
            if isinstance(value, str) and value not in resource.inputs.values():
                names.setdefault(value, f"<{resource.name}.{key}>")
    for app in stack.of_type("app:ContainerApp"):
        names.setdefault(app.outputs["name"].replace("-", ""), f"<{app.name}.name without hyphens>")
    return dict(sorted(names.items(), key=lambda item: -len(item[0])))


def _readable(text: str, names: Mapping[str, str]) -> str:
    for value, name in names.items():
        text = text.replace(value, name)
    return text
