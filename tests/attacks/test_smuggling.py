"""Messages whose end two servers may find at different positions (RFC 9112, section 11.2).

Each message is sent as raw bytes. The HTTP server in these tests is the twin's; Azure's server may refuse or
accept other forms. The policies do not depend on that: they forward to fixed paths (`test_targets.py`) and
pass on only listed headers.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest

from apim.http.server import HttpServer
from tests.attacks.harm import INTERNAL
from tests.policies.engine.harness import Sent
from tests.policies.oauth.flow import Flow
from tests.raw_http import connection

MCP_SERVER = "functions.example"

Shape = Callable[[bytes], bytes]
"""Creates a message from the head of a valid call."""


@pytest.fixture(scope="module")
def flow() -> Flow:
    return Flow.new()


@pytest.fixture(scope="module")
def head(flow: Flow) -> bytes:
    """The start line and the headers of a valid call, without a length and without the empty line."""
    return (
        b"POST /mcp HTTP/1.1\r\nHost: gateway.example\r\nContent-Type: application/json\r\n"
        b"Authorization: Bearer " + flow.token().encode() + b"\r\n"
    )


@dataclass(frozen=True)
class Exchange:
    """The data that a client received on a connection until the gateway closed it.

    Attributes:
        statuses: the status of each response, in order.
        answers: all received bytes.
        forwarded: the requests that the gateway sent to the MCP server.
    """

    statuses: list[int]
    answers: bytes
    forwarded: list[Sent]


def exchanges(flow: Flow, sent: Mapping[str, bytes]) -> dict[str, Exchange]:
    """Sends each message on a new connection, one after the other."""

    async def scenario() -> dict[str, Exchange]:
        server = HttpServer(flow.harness.gateway)
        try:
            port = await server.start(0)
            return {name: await _exchange(flow, port, text) for name, text in sent.items()}
        finally:
            await server.stop()

    return asyncio.run(scenario())


async def _exchange(flow: Flow, port: int, sent: bytes) -> Exchange:
    flow.harness.network.sent.clear()
    flow.harness.gateway.services.counters.clear()
    async with connection(port) as (reader, writer):
        writer.write(sent)
        answers = await asyncio.wait_for(reader.read(), 10)
    statuses = [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", answers)]
    return Exchange(
        statuses, answers, [request for request in flow.harness.network.sent if MCP_SERVER in request.url]
    )


REFUSED: dict[str, Shape] = {
    "line feeds end the lines": lambda head: head.replace(b"\r\n", b"\n") + b"Content-Length: 2\n\n{}",
    "a line feed ends one line": lambda head: head + b"X-A: a\nX-B: b\r\nContent-Length: 2\r\n\r\n{}",
    "a line feed hides a coding": lambda head: (
        head + b"X-A: a\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}"
    ),
    "line feeds end the head": lambda head: head + b"Content-Length: 0\n\n",
    "a carriage return hides a length": lambda head: (
        head + b"X-A: a\rContent-Length: 99\r\nContent-Length: 2\r\n\r\n{}"
    ),
    "a folded line": lambda head: head + b"X-A: a\r\n b\r\nContent-Length: 2\r\n\r\n{}",
    "a folded length": lambda head: head + b"Content-Length:\r\n 2\r\n\r\n{}",
    "a folded coding": lambda head: head + b"Transfer-Encoding:\r\n\tchunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "a space before the colon of a length": lambda head: head + b"Content-Length : 2\r\n\r\n{}",
    "a space before the colon of a coding": lambda head: (
        head + b"Transfer-Encoding : chunked\r\nContent-Length: 2\r\n\r\n{}"
    ),
    "a length and a coding": lambda head: (
        head + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
    "a coding and a length": lambda head: (
        head + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"
    ),
    "two lengths": lambda head: head + b"Content-Length: 2\r\nContent-Length: 0\r\n\r\n{}",
    "the same length twice": lambda head: head + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "a list of lengths": lambda head: head + b"Content-Length: 2, 2\r\n\r\n{}",
    "a length with a sign": lambda head: head + b"Content-Length: +2\r\n\r\n{}",
    "a negative length": lambda head: head + b"Content-Length: -2\r\n\r\n{}",
    "a hexadecimal length": lambda head: head + b"Content-Length: 0x2\r\n\r\n{}",
    "a length with an underscore": lambda head: head + b"Content-Length: 0_2\r\n\r\n{}",
    "an empty length": lambda head: head + b"Content-Length:\r\n\r\n{}",
    "a length above 64 bits": lambda head: head + b"Content-Length: 99999999999999999999999\r\n\r\n{}",
    "a length in Arabic digits": lambda head: head + b"Content-Length: \xd9\xa2\r\n\r\n{}",
    "the coding identity": lambda head: head + b"Transfer-Encoding: identity\r\n\r\n",
    "an unknown coding": lambda head: head + b"Transfer-Encoding: xchunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "a coding before chunked": lambda head: (
        head + b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    ),
    "a coding after chunked": lambda head: (
        head + b"Transfer-Encoding: chunked, gzip\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    ),
    "two codings chunked": lambda head: (
        head + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    ),
    "a vertical tab in the coding": lambda head: (
        head + b"Transfer-Encoding: \x0bchunked\r\nContent-Length: 2\r\n\r\n{}"
    ),
    "a coding in HTTP/1.0": lambda head: (
        head.replace(b"HTTP/1.1", b"HTTP/1.0")
        + b"Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    ),
    "a chunk that ends with a line feed": lambda head: chunked(head, b"2\n{}\n0\n\n"),
    "a line feed in an extension": lambda head: chunked(head, b"2;a\nb\r\n{}\r\n0\r\n\r\n"),
    "a chunk size with a sign": lambda head: chunked(head, b"+2\r\n{}\r\n0\r\n\r\n"),
    "a negative chunk size": lambda head: chunked(head, b"-2\r\n{}\r\n0\r\n\r\n"),
    "a chunk size with a prefix": lambda head: chunked(head, b"0x2\r\n{}\r\n0\r\n\r\n"),
    "a chunk size with an underscore": lambda head: chunked(head, b"0_2\r\n{}\r\n0\r\n\r\n"),
    "a chunk size with a space": lambda head: chunked(head, b"2 \r\n{}\r\n0\r\n\r\n"),
    "a chunk size that overflows": lambda head: chunked(head, b"fffffffffffffff02\r\n{}\r\n0\r\n\r\n"),
    "a chunk longer than its size": lambda head: chunked(head, b"2\r\n{}xx0\r\n\r\n"),
    "a length among the trailers": lambda head: chunked(head, b"2\r\n{}\r\n0\r\nContent-Length: 9\r\n\r\n"),
    "two hosts": lambda head: head + b"Host: evil.example\r\nContent-Length: 2\r\n\r\n{}",
    "a NUL in a header": lambda head: head + b"X-A: a\x00b\r\nContent-Length: 2\r\n\r\n{}",
    "a header without a name": lambda head: head + b": a\r\nContent-Length: 2\r\n\r\n{}",
    "version HTTP/2.0": lambda head: head.replace(b"HTTP/1.1", b"HTTP/2.0") + b"Content-Length: 2\r\n\r\n{}",
    "version HTTP/1.2": lambda head: head.replace(b"HTTP/1.1", b"HTTP/1.2") + b"Content-Length: 2\r\n\r\n{}",
    "a tab in the request line": lambda head: (
        head.replace(b"POST /mcp", b"POST\t/mcp") + b"Content-Length: 2\r\n\r\n{}"
    ),
    "a method with a control character": lambda head: b"\x00" + head + b"Content-Length: 2\r\n\r\n{}",
    "host and port as target": lambda head: (
        head.replace(b"/mcp", b"gateway.example:443") + b"Content-Length: 2\r\n\r\n{}"
    ),
    "an asterisk as target": lambda head: head.replace(b"/mcp", b"*") + b"Content-Length: 2\r\n\r\n{}",
    "a target without a slash": lambda head: head.replace(b"/mcp", b"mcp") + b"Content-Length: 2\r\n\r\n{}",
    "a NUL in the target": lambda head: head.replace(b"/mcp", b"/mcp\x00") + b"Content-Length: 2\r\n\r\n{}",
    "a control character in the target": lambda head: (
        head.replace(b"/mcp", b"/mcp?a=\x01") + b"Content-Length: 2\r\n\r\n{}"
    ),
    "a byte above ASCII in the target": lambda head: (
        head.replace(b"/mcp", b"/mcp\xe2\x84\xaa") + b"Content-Length: 2\r\n\r\n{}"
    ),
    "a target without a host": lambda head: (
        head.replace(b"/mcp", b"http:///mcp") + b"Content-Length: 2\r\n\r\n{}"
    ),
}


def chunked(head: bytes, body: bytes) -> bytes:
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + body


def smuggled(head: bytes) -> bytes:
    """A second request, which would be answered and forwarded if the first one ended before it."""
    return head + b"Content-Length: 9\r\n\r\nsmuggled!"


@pytest.fixture(scope="module")
def refused(flow: Flow, head: bytes) -> dict[str, Exchange]:
    return exchanges(flow, {name: shape(head) + smuggled(head) for name, shape in REFUSED.items()})


@pytest.mark.parametrize("shape", REFUSED)
def test_e8_an_ambiguous_message_is_refused_and_its_connection_is_closed(
    refused: dict[str, Exchange], shape: str
) -> None:
    exchange = refused[shape]
    assert exchange.statuses == [400]
    assert exchange.forwarded == []
    assert not INTERNAL.search(exchange.answers)


ACCEPTED: dict[str, Shape] = {
    "a length": lambda head: head + b"Content-Length: 2\r\n\r\n{}",
    "chunks": lambda head: chunked(head, b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"),
    "a tab before the coding": lambda head: head + b"Transfer-Encoding:\tchunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "the coding in capitals": lambda head: head + b"transfer-encoding: CHUNKED\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "chunk extensions": lambda head: chunked(head, b'2;a=b;c="POST / HTTP/1.1"\r\n{}\r\n0;d\r\n\r\n'),
    "trailers": lambda head: chunked(
        head, b"2\r\n{}\r\n0\r\nX-Mcp-Gateway-Subject: victim\r\nX-T: 1\r\n\r\n"
    ),
    "a token among the trailers": lambda head: chunked(
        head, b"2\r\n{}\r\n0\r\nX-T: 1\r\nAuthorization: Bearer victim\r\n\r\n"
    ),
    "a request to upgrade to WebSocket": lambda head: (
        head + b"Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\n{}"
    ),
    "an absolute target of another host": lambda head: (
        head.replace(b"/mcp", b"http://evil.example/mcp") + b"Content-Length: 2\r\n\r\n{}"
    ),
    "an Expect header": lambda head: head + b"Expect: 200-ok\r\nContent-Length: 2\r\n\r\n{}",
    "empty lines first": lambda head: b"\r\n\r\n" + head + b"Content-Length: 2\r\n\r\n{}",
}


@pytest.fixture(scope="module")
def accepted(flow: Flow, head: bytes) -> dict[str, Exchange]:
    last = b"GET /.well-known/oauth-authorization-server HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    return exchanges(flow, {name: shape(head) + last for name, shape in ACCEPTED.items()})


@pytest.mark.parametrize("shape", ACCEPTED)
def test_e3_an_unusual_but_valid_message_is_forwarded_once_and_ends_at_the_right_byte(
    accepted: dict[str, Exchange], head: bytes, shape: str
) -> None:
    """A second message follows on the same connection. After a chunked body the server closes the
    connection instead of answering it, because the following bytes may be trailers."""
    exchange = accepted[shape]
    in_chunks = b"chunked" in ACCEPTED[shape](head).lower()
    assert exchange.statuses == ([200] if in_chunks else [200, 200])
    (sent,) = exchange.forwarded
    assert (sent.method, sent.url) == ("POST", f"https://{MCP_SERVER}/runtime/webhooks/mcp")
    assert sent.body == b"{}"
    assert sent.header("X-T") is None
    assert "victim" not in repr(sent.headers)
    assert b"evil.example" not in exchange.answers
    assert not INTERNAL.search(exchange.answers)


def test_e3_the_body_of_a_get_request_is_not_a_second_request(flow: Flow, head: bytes) -> None:
    inner = smuggled(head)
    request = head.replace(b"POST", b"GET") + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(inner)
    (exchange,) = exchanges(flow, {"GET with a body": request + inner}).values()
    assert exchange.statuses == [200]
    assert [(sent.method, sent.body) for sent in exchange.forwarded] == [("GET", inner)]


def test_a3_an_absolute_target_changes_no_document_and_no_challenge(flow: Flow) -> None:
    for method, path in ((b"GET", b"/.well-known/oauth-protected-resource/mcp"), (b"POST", b"/mcp")):
        requests = {
            origin.decode(): b"%b %b%b HTTP/1.1\r\nHost: gateway.example\r\nConnection: close\r\n\r\n"
            % (method, origin, path)
            for origin in (b"", b"http://evil.example", b"https://evil.example:444", b"HTTP://x@evil.example")
        }
        answers = [_without_date(exchange.answers) for exchange in exchanges(flow, requests).values()]
        assert answers[0]
        assert answers == answers[:1] * len(requests)
        assert b"evil" not in answers[0]


def _without_date(answer: bytes) -> bytes:
    return re.sub(rb"\r\nDate: [^\r]*", b"", answer)
