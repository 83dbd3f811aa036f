"""A request to the REST API, in the form in which handlers receive it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from twin.jira.errors import bad_request
from twin.jira.serializer import Serializer
from twin.jira.store import Site

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request.

    Attributes:
        site: the site.
        serializer: converts records to JSON.
        path: the path parameters.
        query: the query parameters.
        body: the JSON object in the body; empty if the request has no body.
    """

    site: Site
    serializer: Serializer
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Mapping[str, Any]

    def number(self, name: str, default: int) -> int:
        """An integer parameter from the query or from the body; negative values become 0.

        Raises:
            JiraError: 400, if the value is not a number.
        """
        value = self.query.get(name, self.body.get(name, default))
        try:
            return max(0, int(value))
        except (TypeError, ValueError):
            raise bad_request(f"{name} must be a number, not {value!r}") from None

    def identifier(self, name: str) -> int:
        """A path parameter as a number; if it is not a number, 0, which no record has as its id."""
        return int(self.path[name]) if self.path[name].isdigit() else 0

    def page(self, items: Sequence[Item], *, size: int = 50) -> tuple[Sequence[Item], dict[str, Any]]:
        """The requested page of a list, and the members of the response that describe the page."""
        start, count = self.number("startAt", 0), self.number("maxResults", size)
        selected = items[start : start + count]
        return selected, {"startAt": start, "maxResults": count, "total": len(items)}

    def values(self, items: Sequence[Any]) -> dict[str, Any]:
        """A page in the format of the agile API."""
        selected, page = self.page(items)
        last = page["startAt"] + len(selected) >= len(items)
        return {**page, "isLast": last, "values": list(selected)}

    def fields(self) -> list[str] | None:
        """The names of the requested fields; None for all."""
        wanted = self.query.get("fields", self.body.get("fields"))
        if wanted is None or wanted == "":
            return None
        return wanted.split(",") if isinstance(wanted, str) else [str(name) for name in wanted]
