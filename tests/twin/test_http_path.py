"""The whole HTTP path of a call, between raw sockets: the gateway, a server's ingress, and both.

No response is lost or changed, regardless of the behaviour of client and server, and nothing is logged.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
import uvloop

from apim.gateway import Gateway
from apim.http.network import HttpNetwork, Upstream
from apim.http.server import HttpServer
from tests.policies.engine.harness import Tokens, policies, service
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
from twin.ingress import Ingress
from twin.ports import LOOPBACK, Address

STREAMING = policies("", '<forward-request buffer-response="false" />')
BUFFERED = policies("", "<forward-request />")
GET = b"GET /api/items HTTP/1.1\r\nHost: backend.example\r\n\r\n"
TOO_LARGE = b"HTTP/1.1 413 Too Large\r\nContent-Length: 9\r\nConnection: close\r\n\r\ntoo large"


class Path:
    """The hops between a client and a server: `gateway`, `ingress`, or both."""

    def __init__(self, name: str) -> None:
        self.name = name

    @asynccontextmanager
    async def to(self, script: Script, policy: str = STREAMING) -> AsyncGenerator[int]:
        """The path to a server that runs a script; yields the port of the first hop."""
        async with AsyncExitStack() as opened:
            port = await opened.enter_async_context(raw_backend(script))
            if "ingress" in self.name:
                port = await self._ingress(opened, port)
            if "gateway" in self.name:
                port = await self._gateway(opened, port, policy)
            yield port

    def ask(
        self, script: Script, request: bytes = GET, *, policy: str = STREAMING, method: str = "GET"
    ) -> Answer:
        """The response to one request."""

        async def scenario() -> Answer:
            async with self.to(script, policy) as port:
                return await ask(port, request, method=method)

        return asyncio.run(scenario())

    async def _ingress(self, opened: AsyncExitStack, target: int) -> int:
        ingress = Ingress(
            "echo", "backend.example", check=None, target=lambda: Address(LOOPBACK, target), notify=print
        )
        server = HttpServer(ingress, product=None)
        opened.push_async_callback(server.stop)
        return await server.start(0)

    async def _gateway(self, opened: AsyncExitStack, target: int, policy: str) -> int:
        upstream = Upstream(service="backend", base_url=f"http://127.0.0.1:{target}")
        network = HttpNetwork({"backend.example": upstream})
        opened.push_async_callback(network.close)
        server = HttpServer(Gateway(service(policy), network=network, identity=Tokens(), clock=Clock()))
        opened.push_async_callback(server.stop)
        return await server.start(0)


@pytest.fixture(params=["gateway", "ingress", "gateway and ingress"])
def path(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


@pytest.fixture(
    autouse=True, params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
)
def each_loop(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs each test with Python's event loop, and again with uvloop, which `twin up` uses."""
    monkeypatch.setattr(asyncio, "new_event_loop", request.param)
    monkeypatch.setattr(asyncio.events, "new_event_loop", request.param)


@pytest.fixture(autouse=True)
def no_errors_in_the_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fails a test that causes a log record with level ERROR or with a stack trace."""
    with caplog.at_level(logging.INFO):
        yield
    assert [record for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR] == []


async def answer_early_and_reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Responds and closes before the end of the request's body, so the kernel resets the connection."""
    await head_of(reader)
    writer.write(TOO_LARGE)
    await writer.drain()
    writer.close()


async def answer_early_and_read_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Responds before the end of the request's body, and reads the rest of the body in small pieces."""
    await head_of(reader)
    writer.write(TOO_LARGE)
    while await reader.read(4096):
        pass


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers each request with its method, target and body."""
    while True:
        head, body = await request_of(reader)
        shown = b" ".join(head.split(b" ")[:2]).replace(b"/api", b"") + b" " + body
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(shown), shown))
        await writer.drain()


@pytest.mark.parametrize("script", [answer_early_and_reset, answer_early_and_read_on])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_response_before_the_end_of_the_request_body_is_not_lost(
    path: Path, script: Script, chunked: bool
) -> None:
    request = post(b"x" * 2_000_000, chunked=chunked)

    async def scenario() -> list[tuple[int, bytes]]:
        async with path.to(script) as port:
            answers = [await ask(port, request) for _ in range(20)]
        return [(answer.status, answer.body) for answer in answers]

    assert asyncio.run(scenario()) == [(413, b"too large")] * 20


def test_a_client_that_sends_everything_first_receives_an_early_response(path: Path) -> None:
    async def scenario() -> Answer:
        async with path.to(answer_early_and_reset) as port, connection(port) as (reader, writer):
            writer.write(post(b"x" * 4_000_000))
            await writer.drain()
            return await answer_of(reader)

    answer = asyncio.run(scenario())
    assert (answer.status, answer.body) == (413, b"too large")


NOT_ASCII = "größe ✓".encode() + b" \xe9\xff\x80"


def test_header_bytes_are_passed_on_unchanged_in_both_directions(path: Path) -> None:
    heads: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await head_of(reader))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Back: " + NOT_ASCII + b"\r\n\r\n")

    answer = path.ask(script, GET[:-2] + b"X-Out: " + NOT_ASCII + b"\r\n\r\n")
    assert answer.values("x-back") == [NOT_ASCII]
    assert b"X-Out: " + NOT_ASCII + b"\r\n" in heads[0]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [(b"", None), (b"Date: Tue, 01 Jan 2030 00:00:00 GMT\r\n", b"Tue, 01 Jan 2030 00:00:00 GMT")],
)
def test_a_response_has_one_date_header_which_is_the_servers_if_present(
    path: Path, sent: bytes, kept: bytes | None
) -> None:
    answer = path.ask(answering(b"HTTP/1.1 200 OK\r\n" + sent + b"Content-Length: 2\r\n\r\nok"))
    (date,) = answer.values("date")
    assert kept is None or date == kept


@pytest.mark.parametrize("policy", [STREAMING, BUFFERED])
def test_no_content_type_is_added(path: Path, policy: str) -> None:
    answer = path.ask(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), policy=policy)
    assert (answer.body, answer.values("content-type")) == (b"ok", [])


BREAKS = {
    "in a body of known length": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegin",
    "in a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nbegin",
    "between chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbegin\r\n",
    "in the size of a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbegin\r\n1",
}


def close_connection(writer: asyncio.StreamWriter) -> None:
    writer.close()


def malformed(writer: asyncio.StreamWriter) -> None:
    writer.write(b"xyz\r\n")


def answer_over_broken_connection(
    path: Path, sent: bytes, end: Callable[[asyncio.StreamWriter], None]
) -> Answer:
    """The response to a client if the server sends these bytes and then ends the connection in this way."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(sent)
        await arrived.wait()
        end(writer)

    async def scenario() -> Answer:
        async with path.to(script) as port, connection(port) as (reader, writer):
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
    return asyncio.run(scenario())


@pytest.mark.parametrize("end", [close_connection, reset])
@pytest.mark.parametrize("sent", BREAKS.values(), ids=BREAKS)
def test_an_incomplete_response_is_incomplete_for_the_client_too(
    path: Path, sent: bytes, end: Callable[[asyncio.StreamWriter], None], caplog: pytest.LogCaptureFixture
) -> None:
    answer = answer_over_broken_connection(path, sent, end)
    assert answer.status == 200
    assert not answer.complete
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_response_that_becomes_malformed_is_incomplete_for_the_client(path: Path) -> None:
    answer = answer_over_broken_connection(path, BREAKS["between chunks"], malformed)
    assert (answer.status, answer.body, answer.complete) == (200, b"begin", False)


def test_a_reset_in_a_body_delimited_by_the_connection_is_an_incomplete_response(path: Path) -> None:
    until_end = b"HTTP/1.1 200 OK\r\n\r\nbegin"
    assert answer_over_broken_connection(path, until_end, close_connection).complete
    assert not answer_over_broken_connection(path, until_end, reset).complete


def test_large_response_headers_are_passed_on(path: Path) -> None:
    head = b"".join(b"X-%d: %b\r\n" % (number, b"v" * 200) for number in range(200))
    large = b"X-Large: " + b"v" * 30_000 + b"\r\n"
    answer = path.ask(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + head + large + b"\r\n"))
    assert answer.status == 200
    assert answer.values("x-large") == [b"v" * 30_000]
    assert answer.values("x-199") == [b"v" * 200]


ANSWERS = {
    "plain": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: a\r\n\r\nok",
    "without a reason": b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",
    "with an unknown status": "HTTP/1.1 299 Größe\r\nContent-Length: 2\r\n\r\nok".encode(),
    "of HTTP/1.0": b"HTTP/1.0 200 OK\r\n\r\nuntil the end",
    "that ends with the connection": b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end",
    "after 100": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "after 103": b"HTTP/1.1 103 X\r\nLink: <x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "without a body": b"HTTP/1.1 204 No Content\r\nX-A: a\r\n\r\n",
    "not modified": b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n',
    "in chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n002;x=y\r\nok\r\n0\r\nX-T: 1\r\n\r\n",
    "with two cookies": b"HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 2\r\n\r\nok",
    "compressed": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok",
    "with a challenge": b'HTTP/1.1 401 X\r\nWWW-Authenticate: Basic realm="x"\r\nContent-Length: 2\r\n\r\nok',
    "with more than its length": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokMORE",
    "with an error": b"HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\nok",
}
FRAMING = {b"connection", b"transfer-encoding", b"content-length", b"date", b"server"}


@pytest.mark.parametrize("sent", ANSWERS.values(), ids=ANSWERS)
def test_a_response_is_the_same_as_a_direct_one(path: Path, sent: bytes) -> None:
    async def direct() -> Answer:
        async with raw_backend(answering(sent)) as port, connection(port) as (reader, writer):
            writer.write(GET)
            answer = await answer_of(reader)
            while answer.status < 200:
                answer = await answer_of(reader)
            return answer

    expected, answer = asyncio.run(direct()), path.ask(answering(sent))
    assert (answer.status, answer.body, answer.complete) == (expected.status, expected.body, True)
    for answered in (expected, answer):
        answered.headers[:] = [
            (name, value) for name, value in answered.headers if name.lower() not in FRAMING
        ]
    assert answer.headers == expected.headers


def is_unreachable_error(answer: Answer) -> bool:
    """Whether a response of the ingress or the gateway reports an unreachable server."""
    return answer.status == 500 or (answer.status == 503 and b"temporarily_unavailable" in answer.body)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"\x00\x01garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-A: a\x00b\r\nContent-Length: 2\r\n\r\nok",
    ],
)
@pytest.mark.parametrize("end", [close_connection, reset])
def test_an_invalid_response_is_an_error_without_its_content(
    path: Path, sent: bytes, end: Callable[[asyncio.StreamWriter], None]
) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(sent)
        await writer.drain()
        end(writer)

    answer = path.ask(script)
    assert is_unreachable_error(answer)
    assert answer.complete
    assert b"garbage" not in answer.body
    assert b"colon" not in answer.body


def post(body: bytes, *, chunked: bool = False, close: bool = False) -> bytes:
    head = GET.replace(b"GET", b"POST")[:-2] + (b"Connection: close\r\n" if close else b"")
    if chunked:
        return head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    return head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


REQUESTS = {
    "one": GET,
    "one with a body": post(b"abc"),
    "several together": GET + post(b"abc") + GET + post(b"def", chunked=True),
    "chunks with extensions and trailers": GET.replace(b"GET", b"POST")[:-2]
    + b"Transfer-Encoding: chunked\r\n\r\n003;a=b\r\nabc\r\nA\r\n0123456789\r\n0\r\nX-T: 1\r\n\r\n",
    "with a proposal to upgrade": GET[:-2]
    + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n\r\n",
    "empty lines first": b"\r\n\r\n" + GET,
}


def bodies_of(path: Path, request: bytes, count: int, *, half_closed: bool, pieces: int) -> list[bytes]:
    """The bodies of the answers to requests that are sent in pieces."""

    async def scenario() -> list[bytes]:
        async with path.to(echo) as port, connection(port) as (reader, writer):
            for start in range(0, len(request), pieces):
                writer.write(request[start : start + pieces])
                await writer.drain()
            if half_closed:
                writer.write_eof()
            return [(await asyncio.wait_for(answer_of(reader), 10)).body for _ in range(count)]

    return asyncio.run(scenario())


@pytest.mark.parametrize("pieces", [1_000_000, 1], ids=["whole", "byte by byte"])
@pytest.mark.parametrize("half_closed", [False, True], ids=["open", "half-closed"])
@pytest.mark.parametrize("name", REQUESTS)
def test_pipelined_requests_are_answered_in_order(
    path: Path, name: str, half_closed: bool, pieces: int
) -> None:
    expected = {
        "one": [b"GET /items "],
        "one with a body": [b"POST /items abc"],
        "several together": [b"GET /items ", b"POST /items abc", b"GET /items ", b"POST /items def"],
        "chunks with extensions and trailers": [b"POST /items abc0123456789"],
        "with a proposal to upgrade": [b"GET /items "],
        "empty lines first": [b"GET /items "],
    }[name]
    answers = bodies_of(path, REQUESTS[name], len(expected), half_closed=half_closed, pieces=pieces)
    assert answers == expected


@pytest.mark.parametrize(
    "request_",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
        GET[:-2] + b"no colon\r\n\r\n",
        GET[:-2] + b"X-A : a\r\n\r\n",
        GET[:-2] + b"X-A: a\x00b\r\n\r\n",
        GET[:-2] + b"X-A: a\r\n b\r\n\r\n",
        GET[:-2] + b"Host: second\r\n\r\n",
        b"GET /api/items HTTP/1.1\r\n\r\n",
        GET[:-2] + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        GET[:-2] + b"Content-Length: -1\r\n\r\n",
        GET[:-2] + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        GET[:-2] + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        GET[:-2] + b"X-Large: " + b"a" * 70_000 + b"\r\n\r\n",
    ],
)
def test_malformed_http_results_in_400_and_never_reaches_the_server(path: Path, request_: bytes) -> None:
    reached: list[bytes] = []

    async def script(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        reached.append(await head_of(reader))

    answer = path.ask(script, request_)
    assert (answer.status, answer.complete) == (400, True)
    assert reached == []


def test_the_request_at_the_server_ends_when_the_client_disconnects_during_its_body(path: Path) -> None:
    async def script(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await head_of(reader)
        begun.set()
        while await reader.read(65_536):
            pass
        ended.set()

    async def scenario() -> None:
        async with path.to(script) as port:
            async with connection(port) as (_, writer):
                writer.write(post(b"x" * 1_000_000)[:200_000])
                await asyncio.wait_for(begun.wait(), 10)
            await asyncio.wait_for(ended.wait(), 10)

    begun, ended = asyncio.Event(), asyncio.Event()
    asyncio.run(scenario())
