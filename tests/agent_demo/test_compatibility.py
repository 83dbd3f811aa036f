"""Whether the agent service accepts a tool with a certain input schema, and the reason if it does not."""

from typing import Any

import pytest

from agent_demo.compatibility import problem
from twin.foundry.errors import FoundryError
from twin.foundry.records import Tool
from twin.foundry.schemas import require_supported

TEXT = {"type": "string"}
GOOD: dict[str, dict[str, Any]] = {
    "nothing": {"type": "object", "properties": {}},
    "plain": {"type": "object", "properties": {"name": TEXT, "count": {"type": "integer", "minimum": 1}}},
    "nested": {"type": "object", "properties": {"list": {"type": "array", "items": {"type": "object"}}}},
    "enumeration": {
        "type": "object",
        "properties": {"state": {"type": "string", "enum": ["open"]}},
    },
    "parameter-called-anyOf": {"type": "object", "properties": {"anyOf": TEXT, "type": TEXT}},
}
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "any-of": (
        {"properties": {"user": {"anyOf": [TEXT, {"type": "null"}]}}},
        "parameter user uses anyOf",
    ),
    "all-of": ({"allOf": [{"required": ["a"]}]}, "the input schema uses allOf"),
    "one-of": ({"properties": {"to": {"oneOf": [TEXT]}}}, "parameter to uses oneOf"),
    "several-types": (
        {"properties": {"value": {"type": ["string", "null"]}}},
        "parameter value has several types (string, null)",
    ),
    "in-a-list": (
        {"properties": {"fields": {"type": "array", "items": {"anyOf": [TEXT]}}}},
        "parameter fields[] uses anyOf",
    ),
    "deep": (
        {"properties": {"a": {"properties": {"b": {"type": ["string", "number"]}}}}},
        "parameter a.b has several types (string, number)",
    ),
    "in-a-definition": (
        {"properties": {}, "$defs": {"Field": {"properties": {"value": {"anyOf": [TEXT]}}}}},
        "parameter Field.value uses anyOf",
    ),
    "other-properties": ({"additionalProperties": {"anyOf": [TEXT]}}, "the input schema uses anyOf"),
}


def accepts(schema: dict[str, Any]) -> bool:
    """Whether the stand-in for the agent service accepts a tool with this schema."""
    try:
        require_supported(Tool(server="s", name="t", description="", schema=schema, annotations={}))
    except FoundryError as error:
        return error.message != "Invalid tool schema for: s.t"
    return True


@pytest.mark.parametrize("schema", GOOD.values(), ids=GOOD)
def test_a_schema_that_the_service_accepts_has_no_problem(schema: dict[str, Any]) -> None:
    assert problem(schema) is None


@pytest.mark.parametrize(("schema", "why"), BAD.values(), ids=BAD)
def test_a_problem_contains_the_path_in_a_schema_that_the_service_refuses(
    schema: dict[str, Any], why: str
) -> None:
    assert problem(schema) == why
    assert not accepts(schema)


@pytest.mark.parametrize("name", [name for name in GOOD if name != "parameter-called-anyOf"])
def test_the_stand_in_accepts_the_schemas_that_the_check_accepts(name: str) -> None:
    assert accepts(GOOD[name])
