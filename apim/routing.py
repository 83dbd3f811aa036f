"""Routing: finds the operation of a request.

The API with the longest matching path is chosen, then among its operations the one whose template has the
most literal segments. A trailing slash and letter case are ignored. HEAD does not match GET. Without a
matching operation the response is 404, also for a wrong method: API Management does not send 405.
https://learn.microsoft.com/azure/api-management/api-management-howto-add-operations
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

from apim.service import Api, Operation

_PARAMETER = re.compile(r"\{(\*?)([^{}]+)\}")


@dataclass(frozen=True, slots=True)
class Route:
    """An operation with its compiled URL template.

    Attributes:
        pattern: matches paths.
        names: the template parameters in the path, in the order of the pattern's groups.
        query: for each query parameter of the template its name, its value or template parameter, and whether
            it is a template parameter.
        rank: orders routes; the lowest that matches is chosen.
    """

    api: Api
    operation: Operation
    pattern: re.Pattern[str]
    names: tuple[str, ...]
    query: tuple[tuple[str, str, bool], ...]
    rank: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Match:
    """The result of routing.

    Attributes:
        operation: None when the API has no operation for this request.
        parameters: values of the template parameters, percent-decoded.
        rest: the request's path below the API's, percent-encoded, with its first slash.
    """

    api: Api
    operation: Operation | None
    parameters: dict[str, str]
    rest: str


class Routes:
    """All operations of a service."""

    def __init__(self, apis: Iterable[Api]) -> None:
        self._apis = sorted(
            ((_segments(api.path.strip("/")), api) for api in apis),
            key=lambda entry: len(entry[0]),
            reverse=True,
        )
        self._routes = {
            api.id: sorted(map(_route_of(api), api.operations), key=lambda r: r.rank) for _, api in self._apis
        }

    def match(self, method: str, path: str, query: str = "") -> Match | None:
        """The API and operation of a request; None if no API matches.

        Args:
            method: HTTP method.
            path: percent-encoded, without dot segments.
            query: percent-encoded, without "?".
        """
        encoded = [segment for segment in path.split("/") if segment]
        decoded = [unquote(segment) for segment in encoded]
        folded = [segment.casefold() for segment in decoded]
        for prefix, api in self._apis:
            if folded[: len(prefix)] == prefix:
                rest = "/" + "/".join(encoded[len(prefix) :])
                if path.endswith("/") and rest != "/":
                    rest += "/"
                return self._operation(api, method, rest, query)
        return None

    def _operation(self, api: Api, method: str, rest: str, query: str) -> Match:
        subject = rest.rstrip("/") or "/"
        values: dict[str, str] | None = None
        for route in self._routes[api.id]:
            if route.operation.method.upper() != method:
                continue
            found = route.pattern.fullmatch(subject)
            if found is None:
                continue
            parameters = {
                name: unquote(value or "") for name, value in zip(route.names, found.groups(), strict=True)
            }
            if route.query:
                if values is None:
                    values = dict(parse_qsl(query, keep_blank_values=True))
                if not all(
                    name in values and (free or values[name] == value) for name, value, free in route.query
                ):
                    continue
                parameters |= {value: values[name] for name, value, free in route.query if free}
            return Match(api, route.operation, parameters, rest)
        return Match(api, None, {}, rest)


def without_dot_segments(path: str) -> str:
    """Removes the segments "." and ".." of a path, also encoded ones (RFC 3986, section 5.2.4)."""
    if "." not in path and "%2" not in path:
        return path
    segments: list[str] = []
    parts = path.split("/")
    for index, part in enumerate(parts):
        plain = part.replace("%2e", ".").replace("%2E", ".")
        last = index == len(parts) - 1
        if plain == "..":
            if len(segments) > 1:
                segments.pop()
            if last:
                segments.append("")
        elif plain == ".":
            if last:
                segments.append("")
        else:
            segments.append(part)
    return "/".join(segments) or "/"


def _segments(path: str) -> list[str]:
    return [unquote(segment).casefold() for segment in path.split("/") if segment]


def _route_of(api: Api):  # noqa: ANN202 -- Operation -> Route
    return lambda operation: _route(api, operation)


def _route(api: Api, operation: Operation) -> Route:
    template, _, query = operation.url_template.partition("?")
    template = "/" + template.strip("/")
    names: list[str] = []
    pattern: list[str] = []
    rank: list[int] = []
    for segment in template.split("/")[1:]:
        if segment == "*":
            pattern.append(r"(?:/.*)?")
            rank.append(2)
            continue
        star = re.fullmatch(r"\{\*([^{}]+)\}", segment)
        if star:
            names.append(star[1])
            pattern.append(r"(?:/(.*))?")
            rank.append(2)
            continue
        rank.append(1 if _PARAMETER.search(segment) else 0)
        pattern.append("/" + _segment_pattern(segment, names))
    demands = []
    for name, value in parse_qsl(query, keep_blank_values=True):
        free = _PARAMETER.fullmatch(value)
        demands.append((name, free[2], True) if free else (name, value, False))
    return Route(
        api,
        operation,
        re.compile("".join(pattern), re.IGNORECASE),
        tuple(names),
        tuple(demands),
        (*rank, -len(demands)) if rank else (0,),
    )


def _segment_pattern(segment: str, names: list[str]) -> str:
    pattern, position = [], 0
    for parameter in _PARAMETER.finditer(segment):
        pattern += [_literal(segment[position : parameter.start()]), "([^/]+?)"]
        names.append(parameter[2])
        position = parameter.end()
    return "".join([*pattern, _literal(segment[position:])])


def _literal(text: str) -> str:
    """A pattern for a string that may be percent-encoded."""
    encoded = (f"(?:{re.escape(char)}|{''.join(f'%{byte:02x}' for byte in char.encode())})" for char in text)
    return "".join(encoded)
