"""The routes of a server by the transport that it speaks."""

from gateway.backend import Route


def streamable_http(upstream: str) -> tuple[Route, ...]:
    """Streamable HTTP: messages by POST, the server's own by GET, the end of a session by DELETE.

    All three are routed whatever the server does with them: its own 405 says that it keeps no session.

    Args:
        upstream: the one path at the server.
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
        below: the same below the backend's path at the gateway.
        session_parameter: the query parameter with the stream's session.
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
    """A message path at the root of the host, where some clients send messages.

    Args:
        name: the server's.
        messages: the path, as clients find it.
        origin: named value with the server's origin.
        session_parameter: the query parameter with the stream's session.
        upstream: path for messages at the server, when it is another one.
    """
    return Route(
        id=f"{name}-message",
        method="POST",
        # API Management looks neither at case nor at a last slash: paths that differ in these are one.
        template=messages.rstrip("/").lower(),
        upstream=upstream or messages,
        streaming=False,
        origin=origin,
        session_parameter=session_parameter,
    )
