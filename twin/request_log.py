"""Records the requests to a stand-in for an external service, without secrets."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LIMIT = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedRequest:
    """One recorded request.

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


class RequestLog:
    """The latest 1,000 requests."""

    def __init__(self) -> None:
        self._requests: deque[LoggedRequest] = deque(maxlen=_LIMIT)

    def add(self, request: LoggedRequest) -> None:
        """Adds a request."""
        self._requests.append(request)

    def clear(self) -> None:
        """Deletes all recorded requests."""
        self._requests.clear()

    def requests(self) -> tuple[LoggedRequest, ...]:
        """The recorded requests, oldest first."""
        return tuple(self._requests)

    def unknown(self) -> tuple[str, ...]:
        """The requested paths that are not implemented, as `METHOD path`, without duplicates."""
        return tuple(
            dict.fromkeys(f"{request.method} {request.path}" for request in self._requests if request.unknown)
        )


class LogRequests:
    """ASGI middleware that records every request.

    Args:
        app: the application; it sets `request.state.unknown = True` for a path that it does not implement.
        request_log: receives the records.
    """

    def __init__(self, app: ASGIApp, request_log: RequestLog) -> None:
        self._app = app
        self._request_log = request_log

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
            self._request_log.add(
                LoggedRequest(
                    method=scope["method"],
                    path=scope["path"],
                    header_names=tuple(headers.keys()),
                    scheme=_scheme(headers.getlist("authorization")),
                    status=status,
                    unknown=bool(state.get("unknown")),
                )
            )


def _scheme(values: Iterable[str]) -> str | None:
    """The scheme of each value. For a value of one word, `(none)`, because the word may be a credential."""
    schemes = [value.partition(" ")[0] if " " in value else "(none)" for value in values]
    return ", ".join(schemes) or None
