"""The engine reads every attribute of a policy that it accepts; it accepts none that it ignores."""

import ast
from pathlib import Path

import pytest

from apim import policies

FOLDER = Path(policies.__file__).parent
NO_EFFECT = {
    ("cache_value", "caching-type"): "the engine has one cache, so both values mean the same",
    ("emit_metric", "namespace"): "metrics are recorded, not sent to Application Insights",
    ("forward_request", "http-version"): "HTTP/1.1 is valid for both values",
}
"""Attributes that make no difference in the engine, with the reason."""


def declared_and_used(source: str) -> tuple[set[str], set[str], set[str]]:
    """The supported attributes of a module, its other strings, and the policy modules that it imports."""
    tree = ast.parse(source)
    nodes = list(ast.walk(tree))
    calls = [
        node
        for node in nodes
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Attribute"
    ]
    declarations = {id(call.args[0]) for call in calls}
    supported = {
        ast.literal_eval(call.args[0])
        for call in calls
        if not any(keyword.arg == "unsupported" for keyword in call.keywords)
    }
    others = {
        node.value
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in declarations
    }
    sources = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    imported = {source.rpartition(".")[2] for source in sources if source.startswith("apim.policies.")}
    return supported, others, imported


def ignored(module: str) -> set[str]:
    """The supported attributes that neither this module nor the policy modules that it imports read."""
    supported, used, imported = declared_and_used((FOLDER / f"{module}.py").read_text(encoding="utf-8"))
    for other in imported:
        used |= declared_and_used((FOLDER / f"{other}.py").read_text(encoding="utf-8"))[1]
    return supported - used


@pytest.mark.parametrize("module", sorted(file.stem for file in FOLDER.glob("[!_]*.py")))
def test_a_policy_reads_every_attribute_that_it_accepts(module: str) -> None:
    unread = {name for name in ignored(module) if (module, name) not in NO_EFFECT}
    assert not unread, f"read {unread} in the policy's `compile`, or declare the attribute with `unsupported`"


def test_no_attribute_is_listed_as_without_effect_although_its_policy_reads_it() -> None:
    assert [(module, name) for module, name in NO_EFFECT if name not in ignored(module)] == []


def test_an_attribute_that_is_only_declared_is_found() -> None:
    source = (
        'Shape((Attribute("code"), Attribute("delay"), Attribute("index", unsupported="x")))\nread("code")\n'
    )
    supported, used, _ = declared_and_used(source)
    assert supported - used == {"delay"}
