"""The gateway between raw sockets: early answers, bytes that are not ASCII, connections that break."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import pytest
import uvloop

from apim.gateway import Gateway
from apim.network import Network, Upstream
from apim.server import HttpServer
from tests.policies.engine.stage import Tokens, policies, service
from tests.raw_http import (
    Answer,
    Script,
    answer_of,
    answering,
    ask,
    connection,
    head_of,
    raw_backend,
    request_of,
    reset,
)
from twin.clock import Clock

STREAMING = policies("", '<forward-request buffer-response="false" />')
BUFFERED = policies("", "<forward-request />")


@asynccontextmanager
async def gateway(script: Script, policy: str = STREAMING) -> AsyncGenerator[int]:
    """A gateway in front of a raw backend; gives its port."""
    async with raw_backend(script) as backend:
        network = Network(
            {"backend.example": Upstream(service="backend", base_url=f"http://127.0.0.1:{backend}")}
        )
        server = HttpServer(Gateway(service(policy), network=network, identity=Tokens(), clock=Clock()))
        port = await server.start(0)
        try:
            yield port
        finally:
            await server.stop()
            await network.close()


@pytest.fixture(
    autouse=True, params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
)
def each_loop(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """`asyncio.run` uses Python's event loop, and then the one that `twin up` uses."""
    monkeypatch.setattr(asyncio, "new_event_loop", request.param)
    monkeypatch.setattr(asyncio.events, "new_event_loop", request.param)


def asked(script: Script, request: bytes, *, policy: str = STREAMING, method: str = "GET") -> Answer:
    """What a client gets for one request."""

    async def go() -> Answer:
        async with gateway(script, policy) as port:
            return await ask(port, request, method=method)

    return asyncio.run(go())


def post(length: int, *headers: bytes) -> bytes:
    lines = [
        b"POST /api/thing HTTP/1.1",
        b"Host: gateway",
        b"Content-Length: %d" % length,
        *headers,
        b"",
        b"",
    ]
    return b"\r\n".join(lines)


GET = b"GET /api/thing HTTP/1.1\r\nHost: gateway\r\n\r\n"
TOO_LARGE = b"HTTP/1.1 413 Too Large\r\nContent-Length: 9\r\nConnection: close\r\n\r\ntoo large"


async def answer_at_once_and_reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Closes while the request's body is still coming, so the kernel resets the connection."""
    await head_of(reader)
    writer.write(TOO_LARGE)
    await writer.drain()
    writer.close()


async def answer_at_once_and_go_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Reads the rest of the body in small pieces."""
    await head_of(reader)
    writer.write(TOO_LARGE)
    while await reader.read(4096):
        pass


@pytest.mark.parametrize("script", [answer_at_once_and_reset, answer_at_once_and_go_on])
@pytest.mark.parametrize("chunked", [False, True])
def test_an_answer_that_comes_before_the_body_has_been_sent_is_never_lost(
    script: Script, chunked: bool
) -> None:
    body = b"x" * 4_000_000
    framed = (
        b"POST /api/thing HTTP/1.1\r\nHost: gateway\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        if chunked
        else post(len(body)) + body
    )

    async def go() -> list[tuple[int, bytes]]:
        async with gateway(script) as port:
            answers = [await ask(port, framed) for _ in range(25)]
        return [(answer.status, answer.body) for answer in answers]

    assert asyncio.run(go()) == [(413, b"too large")] * 25


NOT_ASCII = "größe ✓".encode() + b" \xe9\xff\x80"


def test_bytes_of_headers_pass_unchanged_both_ways() -> None:
    got: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.append(await head_of(reader))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Back: " + NOT_ASCII + b"\r\n\r\n")

    answer = asked(script, b"GET /api/thing HTTP/1.1\r\nHost: gateway\r\nX-Out: " + NOT_ASCII + b"\r\n\r\n")
    assert answer.values("x-back") == [NOT_ASCII]
    assert b"X-Out: " + NOT_ASCII + b"\r\n" in got[0]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [(b"", None), (b"Date: Tue, 01 Jan 2030 00:00:00 GMT\r\n", b"Tue, 01 Jan 2030 00:00:00 GMT")],
)
def test_there_is_one_date_and_it_is_the_backends_if_it_has_one(sent: bytes, kept: bytes | None) -> None:
    answer = asked(answering(b"HTTP/1.1 200 OK\r\n" + sent + b"Content-Length: 2\r\n\r\nok"), GET)
    (date,) = answer.values("date")
    assert kept is None or date == kept


@pytest.mark.parametrize("policy", [STREAMING, BUFFERED])
def test_no_content_type_is_invented(policy: str) -> None:
    answer = asked(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), GET, policy=policy)
    assert (answer.body, answer.values("content-type")) == (b"ok", [])


BREAKS = {
    "in a body of known length": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegin",
    "in a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nbegin",
    "between chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbegin\r\n",
    "in the size of a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbegin\r\n1",
}


def fin(writer: asyncio.StreamWriter) -> None:
    writer.close()


def malformed(writer: asyncio.StreamWriter) -> None:
    writer.write(b"xyz\r\n")


def breaking(sent: bytes, end: Callable[[asyncio.StreamWriter], None]) -> Answer:
    """What a client gets of an answer that begins with these bytes, arrives there, and then ends so."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(sent)
        await arrived.wait()
        end(writer)

    async def go() -> Answer:
        async with gateway(script) as port, connection(port) as (reader, writer):
            writer.write(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            first = await asyncio.wait_for(reader.readuntil(b"begin"), 10)
            arrived.set()
            whole = asyncio.StreamReader()
            whole.feed_data(first)
            with contextlib.suppress(ConnectionError):
                whole.feed_data(await asyncio.wait_for(reader.read(), 10))
            whole.feed_eof()
            return await answer_of(whole)

    arrived = asyncio.Event()
    return asyncio.run(go())


@pytest.mark.parametrize("end", [fin, reset])
@pytest.mark.parametrize("sent", BREAKS.values(), ids=BREAKS)
def test_an_answer_that_breaks_off_breaks_off_for_the_client_too(
    sent: bytes, end: Callable[[asyncio.StreamWriter], None], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        answer = breaking(sent, end)
    assert answer.status == 200
    assert not answer.complete
    assert [record for record in caplog.records if record.exc_info or record.levelno >= logging.WARNING] == []


def test_an_answer_that_goes_on_as_no_http_breaks_off_for_the_client() -> None:
    answer = breaking(BREAKS["between chunks"], malformed)
    assert (answer.status, answer.body, answer.complete) == (200, b"begin", False)


def test_a_reset_in_a_body_that_ends_with_the_connection_is_a_break_too() -> None:
    until_end = b"HTTP/1.1 200 OK\r\n\r\nbegin"
    assert breaking(until_end, fin).complete
    assert not breaking(until_end, reset).complete


def test_large_headers_of_a_backend_pass() -> None:
    head = b"".join(b"X-%d: %b\r\n" % (number, b"v" * 200) for number in range(200))
    large = b"X-Large: " + b"v" * 30_000 + b"\r\n"
    answer = asked(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + head + large + b"\r\n"), GET)
    assert answer.status == 200
    assert answer.values("x-large") == [b"v" * 30_000]
    assert answer.values("x-199") == [b"v" * 200]
