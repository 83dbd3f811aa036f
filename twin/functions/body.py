"""Reads the bodies of requests up to a limit."""

from starlette.requests import Request
from starlette.types import Message, Receive

MAX_BODY = 16 * 1024 * 1024
"""The largest body that is read, in bytes. The app can still reject a snippet of 2 MB itself."""


class BodyTooLargeError(Exception):
    """A body is longer than `MAX_BODY`."""


async def read_body(request: Request) -> bytes:
    """The whole body.

    Raises:
        BodyTooLargeError: the body is longer than `MAX_BODY`; it was not read completely.
        starlette.requests.ClientDisconnect: the client has disconnected.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > MAX_BODY:
        raise BodyTooLargeError
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise BodyTooLargeError
    return bytes(body)


def replay(body: bytes, receive: Receive) -> Receive:
    """An ASGI `receive` that first returns a body that was already read, then the messages of `receive`."""
    unread: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return unread.pop() if unread else await receive()

    return receive_again
