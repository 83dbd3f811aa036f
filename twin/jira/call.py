"""One request to the REST API, as its handlers see it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from twin.jira.errors import bad_request
from twin.jira.shapes import Shapes
from twin.jira.store import Site

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What was asked.

    Attributes:
        site: what it is about.
        shapes: writes answers.
        path: the parameters of the route.
        query: the URL's parameters.
        body: the JSON object that was sent, or an empty one.
    """

    site: Site
    shapes: Shapes
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Mapping[str, Any]

    def number(self, name: str, default: int) -> int:
        """A whole number of the query or of the body.

        Raises:
            JiraError: 400, the value is not a number.
        """
        value = self.query.get(name, self.body.get(name, default))
        try:
            return max(0, int(value))
        except (TypeError, ValueError):
            raise bad_request(f"{name} has to be a number, not {value!r}") from None

    def identifier(self, name: str) -> int:
        """A parameter of the route as a number; 0, which is no identifier, when it is not a number."""
        return int(self.path[name]) if self.path[name].isdigit() else 0

    def page(self, items: Sequence[Item], *, size: int = 50) -> tuple[Sequence[Item], dict[str, Any]]:
        """The requested part of a list, and the members of an answer that describe the part."""
        start, count = self.number("startAt", 0), self.number("maxResults", size)
        found = items[start : start + count]
        return found, {"startAt": start, "maxResults": count, "total": len(items)}

    def values(self, items: Sequence[Any]) -> dict[str, Any]:
        """A page in the manner of the agile API."""
        found, page = self.page(items)
        last = page["startAt"] + len(found) >= len(items)
        return {**page, "isLast": last, "values": list(found)}

    def fields(self) -> list[str] | None:
        """The names of the fields that were asked for; None for all."""
        wanted = self.query.get("fields", self.body.get("fields"))
        if wanted is None or wanted == "":
            return None
        return wanted.split(",") if isinstance(wanted, str) else [str(each) for each in wanted]
