"""Checks declared resources against the types in the providers' SDKs.

Pulumi's mocks accept all inputs. An SDK contains the class of each type token, the required inputs of each
resource, and the type of every input, including nested inputs. Inputs have the names that the engine uses.
The SDKs contain no limits of names and values; `specification` checks these.
"""

import ast
import collections.abc
import enum
import functools
import importlib
import inspect
import json
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Union, get_args, get_origin

from pulumi._types import input_type_py_to_pulumi_names, input_type_types, is_input_type

from tests.program import specification
from twin.stack import UNKNOWN, Declared

PACKAGES = ("pulumi_azure_native", "pulumi_azuread", "pulumi_random")

# Not resources of a provider: components, and code that runs at deployment.
_WITHOUT_SCHEMA = ("mcp:", "pulumi-python:dynamic")


# Values that the SDK does not list. azure-native sends every string to Azure, which accepts these: users of
# azurerm deploy the tier (https://github.com/hashicorp/terraform-provider-azurerm/issues/31652), and
# Microsoft registers MCP servers with the kind
# (https://learn.microsoft.com/azure/api-center/register-discover-mcp-server).
_UNLISTED = {"sku.name": ("PremiumV2",), "kind": ("mcp",)}


def problems(resource: Declared) -> list[str]:
    """The problems of a resource's inputs; each line begins with the path of the input."""
    if resource.external or resource.type.startswith(_WITHOUT_SCHEMA):
        return []
    arguments = _arguments_class(resource.type)
    if arguments is None:
        return [f"{resource.type}: no SDK has this type"]
    found = (*_check_object(resource.inputs, arguments, ""), *specification.problems(resource))
    return [f"{resource.name}: {problem}" for problem in found]


@functools.cache
def classes() -> Mapping[str, tuple[str, str]]:
    """The module and the name of the class of each type token."""
    table = {}
    for package in PACKAGES:
        for entry in _registrations(package):
            for token, name in entry["classes"].items():
                table[token] = (entry["fqn"], name)
    return table


def _registrations(package: str) -> list[dict[str, Any]]:
    """The table that a package passes to Pulumi when it is imported, read from its source."""
    source = Path(inspect.getfile(importlib.import_module(package))).read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "register"
        ):
            (text,) = (keyword.value for keyword in node.keywords if keyword.arg == "resource_modules")
            return json.loads(ast.literal_eval(text))
    raise AssertionError(f"{package} registers no resources")


@functools.cache
def _arguments_class(token: str) -> type | None:
    if token not in classes():
        return None
    module, name = classes()[token]
    # If a nested object has the resource's name, such as a subnet in a network, `InitArgs` is the resource.
    imported = importlib.import_module(module)
    return getattr(imported, f"{name}InitArgs", None) or getattr(imported, f"{name}Args")


def _check_object(values: Mapping[str, Any], arguments: type, path: str) -> Iterator[str]:
    hints = input_type_types(arguments)
    for name in sorted(_required(arguments)):
        if values.get(name) is None:
            yield f"{path}{name} is required"
    for name, value in values.items():
        if name not in hints:
            yield f"{path}{name} is not an input of {arguments.__name__}"
        elif value is not None:
            yield from _check_value(value, hints[name], f"{path}{name}")


@functools.cache
def _required(arguments: type) -> frozenset[str]:
    """The inputs that have no default, by the names that the engine uses."""
    names = input_type_py_to_pulumi_names(arguments)
    parameters = list(inspect.signature(arguments.__init__).parameters.values())[1:]
    return frozenset(
        names[parameter.name] for parameter in parameters if parameter.default is inspect.Parameter.empty
    )


def _check_value(value: Any, hint: Any, path: str) -> Iterator[str]:
    if value is UNKNOWN or hint is Any:
        return
    choices = _choices(hint)
    enums = [choice for choice in choices if isinstance(choice, type) and issubclass(choice, enum.Enum)]
    if enums:
        allowed = [member.value for enumeration in enums for member in enumeration]
        if value not in allowed and value not in _UNLISTED.get(path, ()):
            yield f"{path} is {value!r}, not one of {allowed}"
        return
    problems = [list(_check_plain(value, choice, path)) for choice in choices]
    if problems and all(problems):
        yield from min(problems, key=len)


def _choices(hint: Any) -> list[Any]:
    """The types that the engine may receive, without Pulumi's wrappers such as `Output`."""
    if get_origin(hint) in (Union, types.UnionType):
        return [choice for argument in get_args(hint) for choice in _choices(argument)]
    wrapped = getattr(get_origin(hint) or hint, "__name__", "") in ("Awaitable", "Output", "NoneType")
    return [] if wrapped else [hint]


def _check_plain(value: Any, hint: Any, path: str) -> Iterator[str]:
    origin = get_origin(hint)
    if isinstance(hint, type) and is_input_type(hint):
        if isinstance(value, Mapping):
            yield from _check_object(value, hint, f"{path}.")
        else:
            yield f"{path} is not an object"
    elif origin in (list, collections.abc.Sequence):
        yield from _check_list(value, get_args(hint)[0], path)
    elif origin in (dict, collections.abc.Mapping):
        yield from _check_map(value, get_args(hint)[1], path)
    elif hint in (str, bool, int, float):
        yield from _check_scalar(value, hint, path)
    elif hint is not Any:
        raise AssertionError(f"{path}: a kind of type that this check does not support: {hint}")


def _check_list(value: Any, item_hint: Any, path: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{path} is not a list"
        return
    for index, item in enumerate(value):
        yield from _check_value(item, item_hint, f"{path}[{index}]")


def _check_map(value: Any, item_hint: Any, path: str) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield f"{path} is not a map"
        return
    for key, item in value.items():
        yield from _check_value(item, item_hint, f"{path}[{key}]")


def _check_scalar(value: Any, hint: type, path: str) -> Iterator[str]:
    accepted = (int, float) if hint is float else hint
    if not isinstance(value, accepted) or (hint is not bool and isinstance(value, bool)):
        yield f"{path} is {value!r}, not of type {hint.__name__}"
