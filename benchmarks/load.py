"""A load generator with little overhead: HTTP/1.1 over open connections, one request at a time on each."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Target:
    """The request that is sent repeatedly."""

    name: str
    url: str
    headers: dict[str, str]
    body: bytes = b""
    method: str = "POST"

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or 80

    def request(self) -> bytes:
        """The request as it is sent."""
        parts = urlsplit(self.url)
        headers = {"Host": parts.netloc, **self.headers}
        if self.body:
            headers["Content-Length"] = str(len(self.body))
        lines = [f"{self.method} {parts.path} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items()), "", ""]
        return "\r\n".join(lines).encode() + self.body


@dataclass(slots=True)
class Latencies:
    """The measurements of a run: the duration of each request and of the whole run, in seconds."""

    seconds: list[float] = field(default_factory=list)
    elapsed: float = 0.0

    def percentile(self, percent: float) -> float:
        """In milliseconds."""
        ordered = sorted(self.seconds)
        return ordered[min(int(len(ordered) * percent / 100), len(ordered) - 1)] * 1000

    @property
    def per_second(self) -> float:
        """Requests a second."""
        return len(self.seconds) / self.elapsed


class WrongAnswerError(Exception):
    """A server did not answer as expected, so the measurement is not valid."""


class Connection(asyncio.Protocol):
    """One connection; `exchange` sends a request and waits for the whole response."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._expected_length = -1
        self._done: asyncio.Future[bytes] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_exception(WrongAnswerError(f"the connection was closed: {exc}"))

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self._expected_length < 0:
            end = self._received.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self._received[:end]).lower()
            length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
            self._expected_length = end + 4 + int(length) if length else 0
        if self._expected_length and len(self._received) < self._expected_length:
            return
        if not self._expected_length and not self._received.endswith(b"0\r\n\r\n"):
            return
        answer, self._received, self._expected_length = bytes(self._received), bytearray(), -1
        if self._done is not None and not self._done.done():
            self._done.set_result(answer)

    async def exchange(self, request: bytes) -> bytes:
        """The response, head and body."""
        assert self._transport is not None
        self._done = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._done

    def close(self) -> None:
        """Closes the connection."""
        if self._transport is not None:
            self._transport.close()


async def run(target: Target, *, concurrency: int, seconds: float) -> Latencies:
    """Sends requests over `concurrency` connections for `seconds`.

    Raises:
        WrongAnswerError: a response was not 200, or not from the tool.
    """
    loop = asyncio.get_running_loop()
    request, latencies = target.request(), Latencies()
    connections = [(await loop.create_connection(Connection, *target.address))[1] for _ in range(concurrency)]
    start = time.perf_counter()
    end = start + seconds

    async def keep_on(connection: Connection) -> None:
        while (before := time.perf_counter()) < end:
            answer = await connection.exchange(request)
            latencies.seconds.append(time.perf_counter() - before)
            if not answer.startswith(b"HTTP/1.1 200 ") or b"hello" not in answer:
                raise WrongAnswerError(f"{target.name} answered: {answer[:2000].decode(errors='replace')}")

    try:
        async with asyncio.TaskGroup() as tasks:
            for connection in connections:
                tasks.create_task(keep_on(connection))
    except* WrongAnswerError as errors:
        raise errors.exceptions[0] from None
    finally:
        for connection in connections:
            connection.close()
    latencies.elapsed = time.perf_counter() - start
    return latencies
