"""Finds the tools whose input schema the agent service rejects.

Microsoft documents one restriction: the service rejects a request with "Invalid tool schema" if the schema of
a tool "includes `anyOf` or `allOf`, or if a parameter accepts multiple types of values".
https://learn.microsoft.com/azure/foundry/agents/how-to/tools/model-context-protocol#common-questions-and-errors
According to an answer from Microsoft support, the same is true of `oneOf`.
https://learn.microsoft.com/answers/questions/5684372/schema-validation-of-mcp-server-tools-list-operati
"""

from collections.abc import Iterator, Mapping
from typing import Any

# The keywords of JSON Schema: those that combine schemas, those whose value maps names to schemas, and those
# whose value is one schema.
_COMBINING_KEYWORDS = ("anyOf", "allOf", "oneOf")
_SCHEMA_MAP_KEYWORDS = ("properties", "$defs", "definitions", "patternProperties", "dependentSchemas")
_SCHEMA_KEYWORDS = ("items", "additionalProperties", "contains", "propertyNames", "not", "if", "then", "else")


def problem(schema: Mapping[str, Any]) -> str | None:
    """The reason why the agent service rejects a tool's input schema; None if it accepts the schema."""
    return next(_problems(schema, ""), None)


def _problems(schema: object, path: str) -> Iterator[str]:
    if not isinstance(schema, Mapping):
        return
    subject = f"parameter {path}" if path else "the input schema"
    for keyword in _COMBINING_KEYWORDS:
        if keyword in schema:
            yield f"{subject} uses {keyword}"
    types = schema.get("type")
    if isinstance(types, list):
        yield f"{subject} has several types ({', '.join(map(str, types))})"
    for keyword in _SCHEMA_MAP_KEYWORDS:
        for name, inner in (schema.get(keyword) or {}).items():
            yield from _problems(inner, f"{path}.{name}" if path else str(name))
    for keyword in _SCHEMA_KEYWORDS:
        suffix = "[]" if keyword == "items" else ""
        yield from _problems(schema.get(keyword), f"{path}{suffix}")
    for inner in schema.get("prefixItems") or ():
        yield from _problems(inner, f"{path}[]")
