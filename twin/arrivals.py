"""The recorded requests to a stand-in for an external service, without secrets."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_KEPT = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One request.

    Attributes:
        method: HTTP method.
        path: path without the query.
        header_names: names of the headers in lower case, in the order of the request.
        scheme: scheme of the Authorization header (`Basic`, `Bearer`); None without the header.
        status: status of the response.
        unknown: whether the stand-in does not implement this path.
    """

    method: str
    path: str
    header_names: tuple[str, ...]
    scheme: str | None
    status: int
    unknown: bool


class Arrivals:
    """The latest 1,000 requests."""

    def __init__(self) -> None:
        self._kept: deque[Arrival] = deque(maxlen=_KEPT)

    def add(self, arrival: Arrival) -> None:
        """Adds a request."""
        self._kept.append(arrival)

    def clear(self) -> None:
        """Deletes all recorded requests."""
        self._kept.clear()

    def all(self) -> tuple[Arrival, ...]:
        """The recorded requests, oldest first."""
        return tuple(self._kept)

    def unknown(self) -> tuple[str, ...]:
        """The requested paths that are not implemented, as `METHOD path`, without duplicates."""
        return tuple(
            dict.fromkeys(f"{arrival.method} {arrival.path}" for arrival in self._kept if arrival.unknown)
        )


class RecordArrivals:
    """ASGI middleware that records every request.

    Args:
        app: the application; it sets `request.state.unknown = True` for a path that it does not implement.
        arrivals: receives the records.
    """

    def __init__(self, app: ASGIApp, arrivals: Arrivals) -> None:
        self._app = app
        self._arrivals = arrivals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles an ASGI connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        status = 500

        async def record_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, record_status)
        finally:
            headers = Headers(scope=scope)
            self._arrivals.add(
                Arrival(
                    method=scope["method"],
                    path=scope["path"],
                    header_names=tuple(headers.keys()),
                    scheme=_scheme(headers.getlist("authorization")),
                    status=status,
                    unknown=bool(state.get("unknown")),
                )
            )


def _scheme(values: Iterable[str]) -> str | None:
    """The first word of each value with several words; a single word may be a credential."""
    schemes = [value.partition(" ")[0] if " " in value else "(none)" for value in values]
    return ", ".join(schemes) or None
