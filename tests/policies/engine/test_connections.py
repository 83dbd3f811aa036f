"""Connections to backends: reuse, closed connections, and the retry of a request."""

import asyncio
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from apim.failure import SendError
from apim.http.network import HttpNetwork
from tests.policies.engine.sockets import within

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Peer(asyncio.Protocol):
    """The backend's side of one connection; a test decides how it handles a request."""

    def __init__(self, answer: Callable[["Peer"], object]) -> None:
        self._answer = answer
        self.requests: list[bytes] = []
        self.lost = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.lost.set()

    def data_received(self, data: bytes) -> None:
        self.requests.append(data)
        self._answer(self)


def succeed(peer: Peer) -> None:
    peer.transport.write(OK)


@asynccontextmanager
async def backend(answer: Callable[[Peer], object]) -> AsyncGenerator[tuple[HttpNetwork, str, list[Peer]]]:
    """A network, the URL of a backend, and the backend's connections in the order of their arrival."""
    peers: list[Peer] = []

    def connect() -> Peer:
        peers.append(Peer(answer))
        return peers[-1]

    server = await asyncio.get_running_loop().create_server(connect, "127.0.0.1", 0)
    network = HttpNetwork()
    try:
        yield network, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", peers
    finally:
        await network.close()
        server.close()
        for peer in peers:
            await within(peer.lost.wait())


async def exchange(
    network: HttpNetwork, url: str, method: str, body: bytes | AsyncIterator[bytes] | None = None
) -> int:
    reply = await network.send(method, url, headers=[], body=body)
    assert b"".join([chunk async for chunk in reply.chunks()]) == b"ok"
    return reply.status


async def pieces() -> AsyncIterator[bytes]:
    yield b"body"


def repeated_request(method: str, body: bytes | AsyncIterator[bytes] | None) -> tuple[int | None, list[int]]:
    """Sends GET and then this request, at whose arrival the backend closes the reused connection.

    Returns the status of the second response, or None if the request failed, and the number of requests on
    each connection.
    """
    seen: list[int] = []

    def close_at_the_second_request(peer: Peer) -> None:
        seen.append(id(peer))
        if len(seen) == 2:
            peer.transport.close()
        else:
            succeed(peer)

    async def scenario() -> tuple[int | None, list[int]]:
        async with backend(close_at_the_second_request) as (network, url, peers):
            await exchange(network, url, "GET")
            try:
                status = await exchange(network, url, method, body)
            except SendError:
                status = None
            return status, [seen.count(id(peer)) for peer in peers]

    return asyncio.run(scenario())


@pytest.mark.parametrize(("method", "body"), [("GET", None), ("PUT", b"body"), ("POST", None), ("POST", b"")])
def test_a_request_that_may_be_repeated_is_sent_again(method: str, body: bytes | None) -> None:
    assert repeated_request(method, body) == (200, [2, 1])


@pytest.mark.parametrize(("method", "streamed"), [("POST", False), ("PATCH", False), ("PUT", True)])
def test_a_request_that_may_have_had_an_effect_is_not_sent_again(method: str, streamed: bool) -> None:
    assert repeated_request(method, pieces() if streamed else b"body") == (None, [2])


def test_a_request_is_not_repeated_after_a_new_connection_was_closed() -> None:
    async def scenario() -> int:
        async with backend(lambda peer: peer.transport.close()) as (network, url, peers):
            with pytest.raises(SendError):
                await exchange(network, url, "GET")
            return len(peers)

    assert asyncio.run(scenario()) == 1


def test_a_request_is_not_repeated_after_an_incomplete_response() -> None:
    def answer_incompletely(peer: Peer) -> None:
        if len(peer.requests) == 1:
            succeed(peer)
        else:
            peer.transport.write(OK[:20])
            peer.transport.close()

    async def scenario() -> int:
        async with backend(answer_incompletely) as (network, url, peers):
            await exchange(network, url, "GET")
            with pytest.raises(SendError):
                await exchange(network, url, "GET")
            return len(peers)

    assert asyncio.run(scenario()) == 1


def test_a_post_request_does_not_use_a_connection_that_the_server_has_closed() -> None:
    async def scenario() -> tuple[int, int]:
        async with backend(succeed) as (network, url, peers):
            await exchange(network, url, "GET")
            # The gateway's socket has received the end, but the event loop has not read it yet.
            peers[0].transport.get_extra_info("socket").shutdown(socket.SHUT_WR)
            return await exchange(network, url, "POST", b"body"), len(peers)

    assert asyncio.run(scenario()) == (200, 2)


def test_a_connection_is_used_for_many_requests() -> None:
    async def scenario() -> list[int]:
        async with backend(succeed) as (network, url, peers):
            for _ in range(3):
                await exchange(network, url, "POST", b"body")
            return [len(peer.requests) for peer in peers]

    assert asyncio.run(scenario()) == [3]


def test_a_connection_is_closed_if_its_response_is_not_read() -> None:
    async def scenario() -> None:
        async with backend(lambda peer: peer.transport.write(OK[:-1])) as (network, url, peers):
            (await network.send("GET", url, headers=[])).close()
            await within(peers[0].lost.wait())

    asyncio.run(scenario())


@pytest.mark.parametrize("header", [("A", "b\r\nC: d"), ("A\n", "b"), ("A", "b\0")])
def test_a_header_with_a_line_break_is_not_sent(header: tuple[str, str]) -> None:
    async def scenario() -> list[bytes]:
        async with backend(succeed) as (network, url, peers):
            with pytest.raises(SendError, match="line break"):
                await network.send("GET", url, headers=[header])
            return [request for peer in peers for request in peer.requests]

    assert asyncio.run(scenario()) == []


def test_interim_responses_are_skipped() -> None:
    async def scenario() -> int:
        early = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
        async with backend(lambda peer: peer.transport.write(early + OK)) as (network, url, _):
            return await exchange(network, url, "GET")

    assert asyncio.run(scenario()) == 200


EVIL = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"


def test_unsolicited_data_of_a_server_is_discarded() -> None:
    """The data arrived with the previous response: the next request uses another connection."""

    async def scenario() -> int:
        async with backend(lambda peer: peer.transport.write(OK + EVIL)) as (network, url, peers):
            await exchange(network, url, "GET")
            await exchange(network, url, "GET")
            return len(peers)

    assert asyncio.run(scenario()) == 2


def test_data_that_arrives_between_requests_is_discarded() -> None:
    async def scenario() -> int:
        async with backend(succeed) as (network, url, peers):
            await exchange(network, url, "GET")
            peers[0].transport.write(EVIL)
            await exchange(network, url, "GET")
            return len(peers)

    assert asyncio.run(scenario()) == 2
