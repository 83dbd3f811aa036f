"""The supported subset of Cosmos DB's SQL; any other query is rejected with the reason.

    SELECT * FROM <alias> [WHERE <alias>.path <op> value [AND ...]]

`<op>` is `=`, `!=`, `<`, `<=`, `>` or `>=`; a value is a parameter (`@name`) or a JSON literal. A
comparison of values of different types is never true, as in Cosmos DB.
"""

import json
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from twin.cosmos.errors import CosmosError, bad_request

_SELECT = re.compile(
    r"SELECT\s+\*\s+FROM\s+(?P<alias>[A-Za-z_]\w*)(?:\s+WHERE\s+(?P<where>.+))?\Z",
    re.IGNORECASE | re.DOTALL,
)
_STEP = r"(?:\.[A-Za-z_]\w*|\[\"[^\"\\]*\"\]|\['[^'\\]*'\])"
_CONDITION = re.compile(
    rf"\s*(?P<alias>[A-Za-z_]\w*)(?P<path>{_STEP}+)\s*(?P<op><=|>=|!=|=|<|>)\s*"
    r"(?P<value>@\w+|\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)"
    r"\s*(?P<rest>.*)\Z",
    re.IGNORECASE | re.DOTALL,
)
_AND = re.compile(r"AND\b(?P<rest>.*)\Z", re.IGNORECASE | re.DOTALL)
_NAME = re.compile(r"\.(\w+)|\[\"([^\"]*)\"\]|\['([^']*)'\]")
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_ABSENT = object()


@dataclass(frozen=True, slots=True)
class _Condition:
    path: tuple[str, ...]
    compare: Callable[[Any, Any], bool]
    value: Any

    def matches(self, document: Mapping[str, Any]) -> bool:
        value: Any = document
        for name in self.path:
            value = value.get(name, _ABSENT) if isinstance(value, dict) else _ABSENT
        if _kind(value) != _kind(self.value):
            return False
        # Python cannot order None; in Cosmos DB, null is equal to null.
        return self.compare(0, 0) if value is None else self.compare(value, self.value)


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query."""

    conditions: tuple[_Condition, ...]

    def matches(self, document: Mapping[str, Any]) -> bool:
        """Whether the document matches the query."""
        return all(condition.matches(document) for condition in self.conditions)


def read_query(body: bytes) -> Query:
    """The query in a request's body, `{"query": ..., "parameters": [{"name", "value"}]}`.

    Raises:
        CosmosError: 400, if the body is not a query, or the query is not supported.
    """
    try:
        request = json.loads(body)
        text = request["query"]
        parameters = {parameter["name"]: parameter["value"] for parameter in request.get("parameters") or []}
    except (ValueError, TypeError, KeyError) as error:
        raise bad_request("The input content is invalid because it is not a query.") from error
    select = _SELECT.match(text.strip()) if isinstance(text, str) else None
    if select is None:
        raise _unsupported(text)
    conditions: list[_Condition] = []
    rest = select["where"]
    while rest is not None:
        condition, rest = _read_condition(rest, select["alias"], parameters)
        conditions.append(condition)
    return Query(tuple(conditions))


def _read_condition(text: str, alias: str, parameters: Mapping[str, Any]) -> tuple[_Condition, str | None]:
    match = _CONDITION.match(text)
    if match is None or match["alias"] != alias:
        raise _unsupported(text)
    path = tuple("".join(names) for names in _NAME.findall(match["path"]))
    condition = _Condition(path, _OPERATORS[match["op"]], _read_value(match["value"], parameters))
    if not match["rest"].strip():
        return condition, None
    further = _AND.match(match["rest"])
    if further is None:
        raise _unsupported(match["rest"])
    return condition, further["rest"]


def _read_value(text: str, parameters: Mapping[str, Any]) -> Any:
    if text.startswith("@"):
        if text not in parameters:
            raise bad_request(f"Syntax error: the parameter '{text}' has no value.")
        value = parameters[text]
        if isinstance(value, dict | list):
            raise _unsupported(text)
        return value
    if text.startswith("'"):
        text = '"' + text[1:-1].replace('"', '\\"').replace("\\'", "'") + '"'
    try:
        return json.loads(text if text.startswith('"') else text.lower())
    except ValueError as error:
        raise _unsupported(text) from error


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "null" if value is None else "other"


def _unsupported(text: object) -> CosmosError:
    return bad_request(
        f"The stand-in does not support {str(text)[:200]!r}. A supported query selects * from one alias "
        "and compares (= != < <= > >=) properties of the alias with values, joined by AND."
    )
