"""Checks names and inputs of declared resources against the limits in the specifications of Azure's APIs.

The SDKs do not contain these limits. azure-native and Azure reject whatever exceeds them.
"""

import functools
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from twin.azure import arm
from twin.stack import UNKNOWN, Declared

_TABLE = Path(__file__).with_name("specifications.toml")
_PREFIX = "azure-native:"

Limits = Mapping[str, Any]
"""The keys `pattern`, `min` and `max`."""


@functools.cache
def table() -> Mapping[str, Mapping[str, Any]]:
    """The file of limits: `names` by type of resource, and for each type token its `version` and `inputs`."""
    return tomllib.loads(_TABLE.read_text(encoding="utf-8"))


def problems(resource: Declared) -> Iterator[str]:
    """The names and inputs of a resource that Azure would reject."""
    if not resource.type.startswith(_PREFIX):
        return
    entry = table().get(resource.type.removeprefix(_PREFIX))
    if entry is None:
        yield f"{_TABLE.name} has no entry for {resource.type}"
        return
    for path, limits in entry.get("inputs", {}).items():
        for where, value in _values(resource.inputs, path.split("."), ""):
            yield from _exceeded(value, limits, where)
    if resource.id.startswith("/"):
        yield from name_problems(resource.id)


def name_problems(identifier: str) -> Iterator[str]:
    """The names in a resource's id that Azure would reject: its own, and those of its parents."""
    for parent in _parents(identifier):
        type_, name = arm.arm_type(parent), parent.rpartition("/")[2]
        limits = table()["names"].get(type_)
        if limits is None:
            yield f"{_TABLE.name} has no name of the type {type_}"
        else:
            yield from _exceeded(name, limits, f"the name of {type_}")


def _parents(identifier: str) -> Iterator[str]:
    """The ids that an id contains, without their scopes, from the resource group to the resource itself."""
    scope, *providers = identifier.split("/providers/")
    if "/resourceGroups/" in scope:
        yield scope
    for provider in providers:
        namespace, *rest = provider.split("/")
        for end in range(2, len(rest) + 1, 2):
            yield "/providers/" + "/".join([namespace, *rest[:end]])


def _values(value: Any, path: list[str], where: str) -> Iterator[tuple[str, Any]]:
    """The values at a path such as `rules[].weight` or `notifications.*.threshold`."""
    if value is UNKNOWN or value is None:
        return
    if not path:
        yield where, value
        return
    step, rest = path[0], path[1:]
    if step == "*":
        for key, item in value.items():
            yield from _values(item, rest, f"{where}[{key}]")
        return
    name = step.removesuffix("[]")
    inner, inside = value.get(name), f"{where}.{name}".lstrip(".")
    if name == step:
        yield from _values(inner, rest, inside)
    elif isinstance(inner, list):
        for index, item in enumerate(inner):
            yield from _values(item, rest, f"{inside}[{index}]")


def _exceeded(value: Any, limits: Limits, where: str) -> Iterator[str]:
    if isinstance(value, int | float):
        size, unit = value, ""
    else:
        size, unit = len(value), " characters" if isinstance(value, str) else " items"
    if "min" in limits and size < limits["min"]:
        yield f"{where} has {size}{unit}; the minimum is {limits['min']}"
    if "max" in limits and size > limits["max"]:
        yield f"{where} has {size}{unit}; the maximum is {limits['max']}"
    if "pattern" in limits and not re.search(limits["pattern"], value, re.ASCII):
        yield f"{where} is {value!r}, which does not match {limits['pattern']}"
