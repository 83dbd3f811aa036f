"""The requests to the gateway, and its responses."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundRequest:
    """A request as a client sent it.

    Attributes:
        path: percent-encoded, as in the request line.
        query: percent-encoded, without "?".
        headers: as they arrived, repeated names included.
        body: the whole body, a stream of it, or None when the request has no body.
        host: the Host header or authority.
    """

    method: str
    path: str
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | AsyncIterator[bytes] | None = None
    ip_address: str = "127.0.0.1"
    scheme: str = "http"
    host: str = "localhost"


async def _nothing() -> None:
    return None


@dataclass(slots=True, kw_only=True)
class OutboundResponse:
    """A response of the gateway.

    Attributes:
        body: the whole body, or a stream that must be read to its end or closed.
        close: releases the resources of a stream (the backend's connection); it may be called repeatedly.
    """

    status: int
    reason: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes | AsyncIterator[bytes] = b""
    close: Callable[[], Awaitable[None]] = _nothing

    def header(self, name: str) -> str | None:
        """The values of a header, joined with ", "; None if it is absent."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return ", ".join(values) if values else None

    async def read(self) -> bytes:
        """Reads the whole body."""
        if isinstance(self.body, bytes):
            return self.body
        try:
            return b"".join([chunk async for chunk in self.body])
        finally:
            await self.close()


class PayloadTooLargeError(Exception):
    """A body that must be held in memory is larger than API Management allows.

    https://learn.microsoft.com/azure/api-management/service-limits
    """


LARGEST_BUFFERED = 2 * 1024 * 1024


async def buffered(body: AsyncIterator[bytes]) -> bytes:
    """Reads the whole content of a stream.

    Raises:
        PayloadTooLargeError: it is longer than `LARGEST_BUFFERED` bytes.
    """
    content = bytearray()
    async for chunk in body:
        content += chunk
        if len(content) > LARGEST_BUFFERED:
            raise PayloadTooLargeError
    return bytes(content)
