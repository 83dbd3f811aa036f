"""The routes of a server for each transport."""

from gateway.backend import Route


def streamable_http(upstream: str) -> tuple[Route, ...]:
    """Streamable HTTP: POST for messages, GET for the server's own messages, DELETE to end a session.

    All three are routed even if the server does not support them: its 405 shows that it has no sessions.

    Args:
        upstream: the path at the server.
    """
    return (
        Route(id="post", method="POST", template="/", upstream=upstream, streaming=True),
        Route(id="get", method="GET", template="/", upstream=upstream, streaming=True),
        Route(id="delete", method="DELETE", template="/", upstream=upstream, streaming=False),
    )


def legacy(
    *, sse: str, messages: str, below: str, session_parameter: str | None, origin: str | None = None
) -> tuple[Route, ...]:
    """HTTP+SSE: an event stream, and the path to which clients send messages.

    Args:
        sse: path of the event stream at the server.
        messages: path for messages at the server.
        below: path for messages below the backend's path at the gateway.
        session_parameter: the query parameter with the session of the stream.
        origin: named value with the server's origin, when it is not the backend's main server.
    """
    return (
        Route(id="sse", method="GET", template="/sse", upstream=sse, streaming=True, origin=origin),
        Route(
            id="message",
            method="POST",
            template=below,
            upstream=messages,
            streaming=False,
            origin=origin,
            session_parameter=session_parameter,
        ),
    )


def at_root(
    *, name: str, messages: str, origin: str, session_parameter: str | None, upstream: str | None = None
) -> Route:
    """A message path at the root of the host, to which some clients send messages.

    Args:
        name: name of the server.
        messages: the path, as clients resolve it.
        origin: named value with the server's origin.
        session_parameter: the query parameter with the session of the stream.
        upstream: path for messages at the server, if it differs.
    """
    return Route(
        id=f"{name}-message",
        method="POST",
        # API Management ignores case and a trailing slash: paths that differ only in these are the same.
        template=messages.rstrip("/").lower(),
        upstream=upstream or messages,
        streaming=False,
        origin=origin,
        session_parameter=session_parameter,
    )
