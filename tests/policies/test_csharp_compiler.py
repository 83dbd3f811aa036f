"""A real C# compiler accepts every expression of every deployed policy."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from apim import rawxml
from apim.service import PolicyDocument, Service, documents
from apim.source_locations import SourceLocations
from gateway import policy
from tests.policies.compiler import mono
from tests.stacks import FUNCTIONS_ONLY
from twin.gateway_plan import LOCAL, plan_stack

pytestmark = pytest.mark.usefixtures("compiler")

ROOT = Path(__file__).resolve().parents[2]
_LEGACY = {"port": 8080, "transport": "sse", "sessionParameter": "id", "paths": {"messages": "/message"}}
VARIANTS = {
    "one server": FUNCTIONS_ONLY,
    "one audience, keys rotated": {
        **FUNCTIONS_ONLY,
        "audience": "gateway",
        "requireResource": "true",
        "keyVersion": "2",
        "allowedOrigins": '["https://app.example"]',
    },
    "two servers that take messages at one address": {
        **FUNCTIONS_ONLY,
        "containers": json.dumps(
            [{**_LEGACY, "name": name, "image": f"ghcr.io/example/{name}:1"} for name in ("notes", "tasks")]
        ),
    },
    "the dev stack in the twin": LOCAL,
}


def expressions(service: Service) -> Iterator[mono.Expression]:
    """Every expression of every policy document."""
    for document in documents(service):
        elements = [rawxml.parse(document.xml, document.name)]
        while elements:
            element = elements.pop()
            elements.extend(element.children)
            for value in [*element.attributes.values(), *([element.text] if element.text else [])]:
                if value.expression:
                    yield mono.Expression(value.text, document.name, value.line)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_expression_compiles(variant: str, tmp_path: Path) -> None:
    service = plan_stack(VARIANTS[variant]).service()
    compiled = list(expressions(service))
    assert len(compiled) > 300
    locations = SourceLocations(service)
    assert [at_source(error, locations) for error in mono.compile_all(compiled, tmp_path)] == []


def at_source(error: str, locations: SourceLocations) -> str:
    """The compiler's error with the template's line instead of the rendered document's."""
    match = re.match(r"(?P<name>[^(]+)\((?P<line>\d+)", error)
    written = locations.find(match["name"], int(match["line"]), 1) if match else None
    if match is None or written is None:
        return error
    return f"{written.file}({written.line}{error[match.end() :]}"


def test_an_error_of_the_compiler_names_the_template_and_its_line() -> None:
    text = policy.render("oauth/api.xml.j2", root_messages=())
    line = next(n for n, source_line in enumerate(text.split("\n"), 1) if "<policies>" in source_line)
    document = PolicyDocument(xml=text, name="api", source_map=text.source_map)
    service = Service(name="apim", gateway_url="https://gateway", policy=document)
    error = at_source(f"api({line},5): error CS1525: wrong", SourceLocations(service))
    written = (ROOT / "policies/oauth/api.xml.j2").read_text().split("\n")
    expected = next(n for n, source_line in enumerate(written, 1) if "<policies>" in source_line)
    assert error == f"policies/oauth/api.xml.j2({expected},5): error CS1525: wrong"


@pytest.mark.parametrize(
    "text",
    [
        "@(1 + )",
        "@((string)context.Request.Metod)",
        '@(context.Variables["x"].Length)',
        "@{ return undefined; }",
        "@{ int x = 1; }",
        '@(WebUtility.UrlDecode("a"))',
    ],
)
def test_the_compiler_reports_an_invalid_expression(text: str, tmp_path: Path) -> None:
    errors = mono.compile_all([mono.Expression(text, "document.xml", 7)], tmp_path)
    assert errors
    assert "document.xml(7" in errors[0]
