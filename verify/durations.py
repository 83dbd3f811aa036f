"""Checks of long requests: event streams that stay open, and calls whose response takes a long time."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import httpx2

from verify.check import Check, SkippedError, require
from verify.session import Observation, Session
from verify.sign_in import token_for
from verify.target import Expectation, Server
from verify.tools import tool_check_id

SECTION = "Long requests"
_NO_READ_TIMEOUT = httpx2.Timeout(30, connect=10, read=None)
_LIMIT = 30.0
"""Seconds after which requests end if API Management has the limit that reading R4 describes."""
_TOLERANCE = 3.0
_FIRST_EVENT = 20.0
_CHUNK = b" " * 512
_PAUSE = 0.25
_INITIALIZE = (
    b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18",'
    b'"capabilities":{},"clientInfo":{"name":"gateway-verification","version":"1"}}}'
)


@dataclass(frozen=True, slots=True)
class LongRequest:
    """The duration of one request.

    Attributes:
        server: the MCP server to which it was sent.
        seconds: the duration.
        problem: the reason why the request ended early; empty if it did not.
    """

    server: Server
    seconds: float
    problem: str = ""


def checks(expected: Expectation) -> Iterable[Check]:
    """The checks of this section, in the order of the report."""
    yield Check(
        id="stream",
        section=SECTION,
        title="Event streams stay open",
        run=_streams,
        remedy="See reading R4 in docs/readings.md. A proxy between client and server closes streams.",
        after=_tool_checks(expected, "sse"),
    )
    yield Check(
        id="slow-call",
        section=SECTION,
        title="A slow call receives a response",
        run=_slow_calls,
        remedy="See reading R4 in docs/readings.md. A proxy between client and server closes requests.",
        after=_tool_checks(expected, "http"),
    )


def _tool_checks(expected: Expectation, transport: Literal["http", "sse"]) -> tuple[str, ...]:
    return tuple(
        tool_check_id(server, transport)
        for server in expected.servers
        if (server.streamable_http if transport == "http" else server.event_streams)
    )


async def _streams(session: Session) -> str:
    servers = _usable(session, "sse")
    requests = await asyncio.gather(
        *(_keep_stream_open(session, server, session.durations.stream) for server in servers)
    )
    observe(session, requests, "stream")
    return _details(requests)


async def _slow_calls(session: Session) -> str:
    servers = _usable(session, "http")
    requests = await asyncio.gather(
        *(_send_slowly(session, server, session.durations.call) for server in servers)
    )
    observe(session, requests, "slow call")
    return _details(requests)


def _usable(session: Session, transport: Literal["http", "sse"]) -> tuple[Server, ...]:
    """The servers on which a tool call over a transport succeeded.

    Raises:
        SkippedError: there is no such server.
    """
    usable = tuple(
        server for server in session.target.expected.servers if (server.name, transport) in session.called
    )
    if not usable:
        raise SkippedError("No tool call over this transport succeeded.")
    return usable


def _details(requests: Iterable[LongRequest]) -> str:
    problems = [
        f"{request.server.title}: ended after {request.seconds:.1f} s, {request.problem}"
        for request in requests
        if request.problem
    ]
    return require(
        problems, ", ".join(f"{request.server.title} {request.seconds:.0f} s" for request in requests)
    )


async def _keep_stream_open(session: Session, server: Server, seconds: float) -> LongRequest:
    """Reads an event stream for some seconds, counted from its first event."""
    url = f"{session.url}{server.at(server.event_streams[0])}"
    headers = {**token_for(session, server).headers, "Accept": "text/event-stream"}
    now = asyncio.get_running_loop().time
    start, began = now(), False
    try:
        async with (
            session.client(timeout=_NO_READ_TIMEOUT) as client,
            client.stream("GET", url, headers=headers) as answer,
        ):
            if answer.status_code != 200:  # noqa: PLR2004 -- HTTP: OK
                return LongRequest(server, now() - start, f"HTTP {answer.status_code}")
            chunks = answer.aiter_raw()
            await asyncio.wait_for(anext(chunks), _FIRST_EVENT)
            began = True
            async with asyncio.timeout(seconds):
                async for _ in chunks:
                    pass
            return LongRequest(server, now() - start, "the stream was closed")
    except StopAsyncIteration:
        return LongRequest(server, now() - start, "the stream was closed")
    except TimeoutError:
        return LongRequest(server, now() - start, "" if began else "the stream sent no event")
    except httpx2.HTTPError as error:
        return LongRequest(server, now() - start, type(error).__name__)


async def _send_slowly(session: Session, server: Server, seconds: float) -> LongRequest:
    """Sends a request so slowly that its response begins only after some seconds."""
    url = f"{session.url}{server.at('/')}"
    steps = max(1, round(seconds / _PAUSE))
    headers = {
        **token_for(session, server).headers,
        "Accept": "application/json, text/event-stream",
        "Content-Type": "application/json",
        "Content-Length": str(steps * len(_CHUNK) + len(_INITIALIZE)),
    }

    async def body() -> AsyncGenerator[bytes]:
        # JSON may begin with spaces. Kestrel, for example, ends requests with less than 240 bytes per second.
        for _ in range(steps):
            yield _CHUNK
            await asyncio.sleep(_PAUSE)
        yield _INITIALIZE

    now = asyncio.get_running_loop().time
    start = now()
    try:
        async with session.client() as client:
            answer = await client.post(url, headers=headers, content=body())
            lasted = now() - start
            await _end_session(client, url, answer, headers)
    except httpx2.HTTPError as error:
        return LongRequest(server, now() - start, type(error).__name__)
    return LongRequest(server, lasted, "" if answer.status_code == 200 else f"HTTP {answer.status_code}")  # noqa: PLR2004 -- HTTP: OK


async def _end_session(
    client: httpx2.AsyncClient, url: str, answer: httpx2.Response, headers: Mapping[str, str]
) -> None:
    """Ends the MCP session that a stateful server has started."""
    if session_id := answer.headers.get("mcp-session-id"):
        await client.delete(
            url, headers={"Authorization": headers["Authorization"], "Mcp-Session-Id": session_id}
        )


def observe(session: Session, requests: Iterable[LongRequest], kind: str) -> None:
    """Records an observation about R4: whether a request may last longer than 30 seconds.

    Args:
        session: stores the observation.
        requests: the requests.
        kind: the kind of requests, as a noun.
    """
    longest = max((request.seconds for request in requests if not request.problem), default=0.0)
    cut = [request for request in requests if request.problem and abs(request.seconds - _LIMIT) <= _TOLERANCE]
    if cut:
        session.observations["R4"] = Observation("30s", f"a {kind} ended after {cut[0].seconds:.1f} s")
    elif longest > _LIMIT + _TOLERANCE:
        evidence = f"a {kind} lasted {longest:.0f} s"
        earlier = session.observations.get("R4")
        if earlier is None:
            session.observations["R4"] = Observation("none", evidence)
        elif earlier.option == "none":
            session.observations["R4"] = Observation("none", f"{earlier.evidence}, {evidence}")
