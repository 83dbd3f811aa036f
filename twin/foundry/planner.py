"""Chooses tools for a message by rules instead of a model.

A message has one or more requests, separated by line breaks, semicolons or "then". For each request, the tool
whose name has the most words in common with the request is chosen. Arguments are written as `name=value`;
strings in quotes become the remaining required arguments, in the order of the schema.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from twin.foundry.records import Tool

_REQUESTS = re.compile(r"\n|;|,?\s+then\s+", re.IGNORECASE)
_PAIR = re.compile(r"""\b(?P<name>\w+)\s*=\s*(?P<value>"[^"]*"|'[^']*'|[^\s,]+)""")
_QUOTED = re.compile(r""""([^"]*)"|'([^']*)'""")
_WORD = re.compile(r"[a-z0-9]+")
_EXACT_NAME, _SERVER, _WORD_OF_NAME, _ARGUMENT = 100, 3, 2, 2
_MIN_SCORE = 4
"""The lowest score with which a tool is chosen; one common word is not enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The tool that was chosen for a request.

    Attributes:
        tool: the tool.
        arguments: the arguments that were found in the request.
        missing: names of required arguments that were not found.
    """

    tool: Tool
    arguments: Mapping[str, Any]
    missing: tuple[str, ...] = ()


def plan(message: str, tools: Sequence[Tool]) -> list[Step]:
    """The tools for a message, in the order of its requests; a request that matches no tool is skipped."""
    requests = [request.strip() for request in _REQUESTS.split(message) if request.strip()]
    return [step for request in requests if (step := _plan(request, tools))]


def _plan(request: str, tools: Iterable[Tool]) -> Step | None:
    pairs = {match["name"]: match["value"].strip("\"'") for match in _PAIR.finditer(request)}
    rest = _PAIR.sub(" ", request)
    quoted = [double or single for double, single in _QUOTED.findall(rest)]
    text = _QUOTED.sub(" ", rest).lower()
    words = {_singular(word) for word in _WORD.findall(text)}
    ranked = sorted(
        ((_score(tool, text, words, pairs), tool) for tool in tools), key=lambda ranked_tool: -ranked_tool[0]
    )
    if not ranked or ranked[0][0] < _MIN_SCORE:
        return None
    tool = ranked[0][1]
    return _with_arguments(tool, pairs, quoted)


def _score(tool: Tool, text: str, words: set[str], pairs: Mapping[str, str]) -> float:
    exact = _EXACT_NAME if re.search(rf"(?<![\w-]){re.escape(tool.name.lower())}(?![\w-])", text) else 0
    parts = [_singular(part) for part in _WORD.findall(tool.name.lower())]
    matches = [part for part in dict.fromkeys(parts) if part in words]
    server = _SERVER if _singular(tool.server.lower()) in words else 0
    arguments = _ARGUMENT * len(pairs.keys() & tool.schema.get("properties", {}).keys())
    # If two tools match equally many words, the one with the shorter name is chosen.
    return exact + server + _WORD_OF_NAME * len(matches) + arguments - 0.1 * (len(parts) - len(matches))


def _with_arguments(tool: Tool, pairs: Mapping[str, str], quoted: list[str]) -> Step:
    properties: Mapping[str, Any] = tool.schema.get("properties", {})
    arguments = {name: _typed(value, properties[name]) for name, value in pairs.items() if name in properties}
    required = [name for name in tool.schema.get("required", ()) if name not in arguments]
    for name, value in zip(required, quoted, strict=False):
        arguments[name] = _typed(value, properties.get(name, {}))
    return Step(
        tool=tool, arguments=arguments, missing=tuple(name for name in required if name not in arguments)
    )


def _typed(value: str, schema: Mapping[str, Any]) -> Any:
    kind = schema.get("type")
    if kind == "integer" and re.fullmatch(r"-?\d+", value):
        return int(value)
    if kind == "number" and re.fullmatch(r"-?\d+(?:\.\d+)?", value):
        return float(value) if "." in value else int(value)
    if kind == "boolean":
        return value.lower() == "true"
    if kind == "array":
        return [word.strip() for word in value.split(",")]
    return value


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word  # noqa: PLR2004 -- a word such as `bus` is not a plural
