"""A real C# compiler agrees with every expression of every policy that is deployed."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.policies.compiler import mono
from tests.stacks import FUNCTIONS_ONLY
from twin.apim import rawxml
from twin.azure.cloud import Cloud
from twin.stack import Stack, evaluate

VARIANTS = {
    "the dev stack": {},
    "one audience, keys rotated": {
        "audience": "gateway",
        "requireResource": "true",
        "keyVersion": "2",
        "allowedOrigins": '["https://app.example"]',
    },
    "the local twin": {"local": "true", "entraAuthority": "http://localhost:8002"},
}


@pytest.fixture(scope="module", autouse=True)
def _compiler() -> None:
    if not mono.available():
        if os.environ.get("CI"):
            pytest.fail("CI needs mono-mcs and libnewtonsoft-json5.0-cil: .ci/run installs them")
        pytest.skip("needs Debian's mono-mcs and libnewtonsoft-json5.0-cil")


def expressions(stack: Stack) -> Iterator[mono.Expression]:
    """Every expression of every policy document."""
    for resource in stack.resources:
        if resource.type.startswith("azure-native:apimanagement:") and resource.type.endswith("Policy"):
            elements = [rawxml.parse(resource.inputs["value"], resource.name)]
            while elements:
                element = elements.pop()
                elements.extend(element.children)
                for value in [*element.attributes.values(), *([element.text] if element.text else [])]:
                    if value.expression:
                        yield mono.Expression(value.text, resource.name, value.line)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_expression_compiles(variant: str, tmp_path: Path) -> None:
    config = VARIANTS[variant]
    cloud = Cloud(gateway_url="http://localhost:8000") if "local" in config else None
    found = list(expressions(evaluate({**FUNCTIONS_ONLY, **config}, cloud=cloud)))
    assert len(found) > 300
    assert mono.compile_all(found, tmp_path) == []


@pytest.mark.parametrize(
    "text",
    [
        "@(1 + )",
        "@((string)context.Request.Metod)",
        '@(context.Variables["x"].Length)',
        "@{ return undefined; }",
        "@{ int x = 1; }",
    ],
)
def test_the_compiler_would_notice(text: str, tmp_path: Path) -> None:
    errors = mono.compile_all([mono.Expression(text, "document.xml", 7)], tmp_path)
    assert errors
    assert "document.xml(7" in errors[0]
