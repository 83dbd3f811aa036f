"""The network through which the engine sends requests, and the replies."""

from collections.abc import AsyncIterator
from typing import Protocol

Headers = list[tuple[str, str]]
Body = bytes | AsyncIterator[bytes] | None


class ReplyBody(Protocol):
    """The body of a response, which arrives while it is read."""

    def chunks(self) -> AsyncIterator[bytes]:
        """The body, piece by piece, as it arrives.

        Raises:
            SendError: the connection was lost.
        """
        ...

    def whole(self) -> bytes | None:
        """The body if all of it has arrived already, otherwise None; it can be read only once."""
        ...

    def close(self) -> None:
        """Ends the exchange."""
        ...


class Reply:
    """A response whose body may not have arrived yet. It must be read to its end or closed.

    Args:
        status: HTTP status code.
        reason: the status line's text.
        headers: as they arrived, including hop-by-hop headers.
        body: the body while it arrives.
        content: the whole body, if `body` is None.
    """

    __slots__ = ("_body", "_content", "headers", "reason", "status")

    def __init__(
        self,
        *,
        status: int,
        reason: str,
        headers: Headers,
        body: ReplyBody | None = None,
        content: bytes = b"",
    ) -> None:
        self.status = status
        self.reason = reason
        self.headers = headers
        self._body = body
        self._content = content

    def chunks(self) -> AsyncIterator[bytes]:
        """The body, piece by piece, as it arrives.

        Raises:
            SendError: the connection was lost.
        """
        return _one_chunk(self._content) if self._body is None else self._body.chunks()

    def whole(self) -> bytes | None:
        """The body if all of it has arrived already, otherwise None; it can be read only once."""
        return self._content if self._body is None else self._body.whole()

    def close(self) -> None:
        """Ends the exchange; closes the connection if the body has not been read to its end."""
        if self._body is not None:
            self._body.close()


class Network(Protocol):
    """Sends the requests of policies."""

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Headers,
        body: Body = None,
        timeout: float = 300.0,  # noqa: ASYNC109 -- as the policies' attribute; it ends with the response's headers
    ) -> Reply:
        """Sends a request and waits for the headers of the response.

        Args:
            method: HTTP method.
            url: absolute, percent-encoded.
            headers: hop-by-hop headers are dropped; Host is taken from the URL unless it is given.
            body: None for a request without a body.
            timeout: seconds within which the headers of the response must arrive.

        Raises:
            SendError: there was no response.
        """
        ...

    def service_of(self, url: str) -> str:
        """The name that a trace shows for the receiver of a request to this URL."""
        ...


async def _one_chunk(content: bytes) -> AsyncIterator[bytes]:
    if content:
        yield content
