"""SelectToken's paths, and a token's own path. Filters are refused."""

import re
from functools import lru_cache
from typing import Any

from twin.apim.csharp.errors import DotNetException, UnsupportedError, argument_null
from twin.apim.csharp.json_values import JArray, JObject, JProperty, JToken

_STEP = re.compile(
    r"\.\.(?P<deep>\w[\w-]*|\*)|\.?\[(?P<index>\d+)\]|\.?\['(?P<quoted>[^'\\]*)'\]|\.?\[(?P<all>\*)\]"
    r"|\.?(?P<name>[^.\[\]'\"?()@\s*,:]+)|\.(?P<any>\*)"
)
_PLAIN = re.compile(r"[^ '.\[\]()\"/\r\n\t:=,]+$")


@lru_cache(maxsize=256)
def steps(path: str) -> tuple[tuple[str, str], ...]:
    """The steps of a path: their kinds with what they name.

    Raises:
        UnsupportedError: a path that is not made of names, indexes and wildcards.
    """
    rest = path.removeprefix("$")
    found: list[tuple[str, str]] = []
    position = 0
    while position < len(rest):
        match = _STEP.match(rest, position)
        if match is None or (position == 0 and path.startswith("$") and rest[0] not in ".["):
            raise UnsupportedError(f"the JSON path {path}")
        found.append((match.lastgroup or "", match[match.lastgroup or 0]))
        position = match.end()
    return tuple(found)


def select(token: JToken, path: str | None) -> list[JToken]:
    """All tokens at a path."""
    if path is None:
        raise argument_null("path")
    current = [token]
    for kind, name in steps(path):
        current = [found for one in current for found in _step(one, kind, name)]
    return current


def _step(token: JToken, kind: str, name: str) -> list[JToken]:
    match kind:
        case "name" | "quoted":
            found = token.get(name) if isinstance(token, JObject) else None
            return [] if found is None else [found]
        case "index":
            is_there = isinstance(token, JArray) and int(name) < len(token.items)
            return [token.items[int(name)]] if isinstance(token, JArray) and is_there else []
        case "all" | "any":
            return _values(token)
    everything = descendants(token)
    if name == "*":
        return [one for one in everything[1:] if not isinstance(one, JProperty)]
    return [one.value for one in everything if isinstance(one, JProperty) and one.name == name]


def _values(token: JToken) -> list[JToken]:
    return [child.value if isinstance(child, JProperty) else child for child in token.children()]


def descendants(token: JToken) -> list[JToken]:
    """The token and all below it, in document order."""
    found = [token]
    for child in token.children():
        found.extend(descendants(child))
    return found


def select_one(token: JToken, path: str | None, error: Any = False) -> JToken | None:
    """SelectToken."""
    found = select(token, path)
    if len(found) > 1:
        raise DotNetException("JsonException", "Path returned multiple tokens.")
    if not found and error:
        raise DotNetException("JsonException", f"Path '{path}' does not exist.")
    return found[0] if found else None


def check_path(path: Any, *_rest: Any) -> None:
    """Refuses a constant path that the twin does not know."""
    if isinstance(path, str):
        steps(path)


def path_of(token: JToken) -> str:
    """JToken.Path."""
    pieces: list[str] = []
    current: JToken | None = token
    while current is not None and current.parent is not None:
        parent = current.parent
        if isinstance(current, JProperty):
            pieces.append(current.name if _PLAIN.match(current.name) else f"['{current.name}']")
        elif isinstance(parent, JArray):
            index = next(i for i, item in enumerate(parent.items) if item is current)
            pieces.append(f"[{index}]")
        current = parent
    text = ""
    for piece in reversed(pieces):
        text += piece if piece.startswith("[") or not text else "." + piece
    return text
