"""Many event streams at the same time: lost events, latency, and memory of a stream.

`python -m benchmarks.streams [--streams 1000] [--seconds 15]`. Client, gateway and backend are separate
processes. The backend sends one event a second on each stream, with the time at which it was sent.
"""

import argparse
import asyncio
import contextlib
import re
import resource
import secrets
import tempfile
import time
from pathlib import Path
from typing import cast

import jwt
import uvloop

from benchmarks import servers
from benchmarks.load import Latencies, Target, WrongAnswerError
from benchmarks.passthrough import AUDIENCE, ISSUER
from benchmarks.progress import machine, say, show
from benchmarks.sign_in import access_token

_EVENT = re.compile(rb"data: (\d+) (\d+)\r\n\r\n")
_HEADERS = {"Accept": "text/event-stream", "MCP-Protocol-Version": "2025-06-18"}
_OPENED_AT_ONCE = 50
_LONGEST_WAIT = 60.0


class _Stream(asyncio.Protocol):
    """One stream: records the number and the latency of each event."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._waiting = b""
        self.opened = asyncio.get_running_loop().create_future()
        self.numbers: list[int] = []
        self.seconds: list[float] = []
        self.broken = False
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(self._request)

    def connection_lost(self, exc: Exception | None) -> None:
        self.broken = True
        if not self.opened.done():
            self.opened.set_exception(WrongAnswerError(f"the connection was closed: {exc}"))

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        self._waiting += data
        if not self.opened.done():
            head, end, rest = self._waiting.partition(b"\r\n\r\n")
            if not end:
                return
            if not head.startswith(b"HTTP/1.1 200 "):
                self.opened.set_exception(WrongAnswerError(self._waiting[:2000].decode(errors="replace")))
                return
            self._waiting = rest
            self.opened.set_result(None)
        last = 0
        for event in _EVENT.finditer(self._waiting):
            self.numbers.append(int(event[1]))
            self.seconds.append((now - int(event[2])) / 1e9)
            last = event.end()
        self._waiting = self._waiting[last:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=15.0, help="how long all streams are open")
    arguments = parser.parse_args()
    _allow_files(arguments.streams * 3 + 500)
    before = machine()
    first = servers.free_ports(10)
    key = secrets.token_hex(32)
    with contextlib.ExitStack() as stack:
        state = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "state"
        backend = stack.enter_context(servers.null_backend(first))
        bare = stack.enter_context(servers.passthrough(first + 1, first, key))
        twin = stack.enter_context(servers.twin(first + 3, first, state))
        say("signing in")
        encrypted = access_token(f"http://localhost:{first + 3}", f"http://localhost:{first + 5}")
        signed = jwt.encode(
            {"iss": ISSUER, "aud": AUDIENCE, "sub": "benchmark", "exp": time.time() + 86_400}, key, "HS256"
        )
        rows = [
            uvloop.run(_measure(name, server, token, arguments.streams, arguments.seconds))
            for name, server, token in (
                ("direct", backend, signed),
                ("passthrough", bare, signed),
                ("twin", twin, encrypted),
            )
        ]
    show(
        f"{arguments.streams:,} event streams, one event a second on each",
        ("", "events", "lost", "broken", "KiB each", "p50 ms", "p95 ms", "p99 ms", "opened in s", "CPU %"),
        rows,
        f"{before}. KiB and CPU: of the server to which the client connects, while all streams are open.",
    )


async def _measure(
    name: str, server: servers.Server, token: str, count: int, seconds: float
) -> tuple[str, ...]:
    target = Target(
        name=name,
        url=f"http://localhost:{server.port}/mcp",
        headers={**_HEADERS, "Authorization": f"Bearer {token}"},
        method="GET",
    )
    # With the first streams the server loads and allocates objects that all later streams share.
    await _closed(await _open(target, 50))
    await asyncio.sleep(1.0)
    say(f"{name}: opening {count:,} streams")
    memory, start = server.memory, time.monotonic()
    streams = await _open(target, count)
    opened = time.monotonic() - start
    say(f"{name}: listening for {seconds:g} s")
    await asyncio.sleep(1.0)
    for stream in streams:
        stream.seconds.clear()
    cpu = server.cpu
    await asyncio.sleep(seconds)
    busy = (server.cpu - cpu) / seconds * 100
    grown = (server.memory - memory) / count / 1024
    latencies = Latencies([second for stream in streams for second in stream.seconds], seconds)
    # All numbers from the first to the last that was received must have arrived in order.
    lost = sum(_lost(stream.numbers) for stream in streams)
    broken = sum(stream.broken for stream in streams)
    silent = sum(not stream.numbers for stream in streams)
    await _closed(streams)
    return (
        name,
        f"{len(latencies.seconds):,}",
        str(lost + silent),
        str(broken),
        f"{grown:.1f}",
        *(f"{latencies.percentile(percent):.2f}" for percent in (50, 95, 99)),
        f"{opened:.1f}",
        f"{busy:.0f}",
    )


async def _open(target: Target, count: int) -> list[_Stream]:
    loop = asyncio.get_running_loop()
    request = target.request()
    streams: list[_Stream] = []
    for start in range(0, count, _OPENED_AT_ONCE):
        batch = range(start, min(start + _OPENED_AT_ONCE, count))
        connections = [await loop.create_connection(lambda: _Stream(request), *target.address) for _ in batch]
        streams += [stream for _, stream in connections]
        async with asyncio.timeout(_LONGEST_WAIT):
            await asyncio.gather(*(stream.opened for _, stream in connections))
    return streams


async def _closed(streams: list[_Stream]) -> None:
    for stream in streams:
        if stream.transport is not None:
            stream.transport.close()
    await asyncio.sleep(0.5)


def _lost(numbers: list[int]) -> int:
    return len(set(range(1, max(numbers, default=0) + 1)) - set(numbers)) + (numbers != sorted(numbers))


def _allow_files(count: int) -> None:
    """Raises the limit of open files, which the three processes inherit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count <= hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
    elif hard < count:
        raise SystemExit(f"{count} open files are needed; this user may have {hard} (ulimit -Hn).")


if __name__ == "__main__":
    main()
