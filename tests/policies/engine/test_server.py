"""The gateway with sockets: streams, closed connections, and limits."""

import asyncio
from io import BytesIO

import aiohttp
import pytest
from aiohttp import web

from tests.policies.engine.harness import policies, service
from tests.policies.engine.sockets import serving, within

STREAMING = policies("", '<forward-request buffer-response="false" />')


async def echo(request: web.BaseRequest) -> web.StreamResponse:
    body = await request.content.read(-1)
    shown = " ".join(f"{name}={value}" for name, value in request.headers.items() if name != "Content-Length")
    return web.Response(body=f"{request.method} {request.raw_path} {len(body)} {shown}".encode())


class Stream:
    """A backend that sends what a test puts into its queue."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.opened = asyncio.Event()
        self.closed = asyncio.Event()
        self.broken = False

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        self.opened.set()
        try:
            while (event := await self.events.get()) is not None:
                await response.write(event)
        finally:
            self.closed.set()
        if self.broken and request.transport is not None:
            request.transport.abort()
        return response


def test_requests_and_responses_are_forwarded() -> None:
    async def scenario() -> None:
        async with serving(service(), echo) as sockets:
            async with sockets.client.post(
                sockets.url + "/api/items?q=%25", data=b"12345", headers={"A": "b"}
            ) as answer:
                text = await answer.text()
                assert answer.status == 200
                assert answer.headers["Server"] == "twin"
            assert text.startswith("POST /items?q=%25 5 Host=backend.example ")
            assert " A=b" in text

    asyncio.run(scenario())


def test_an_expression_can_list_the_names_of_headers() -> None:
    async def scenario() -> None:
        keys = '@(string.Join(" ", context.{}.Headers.Keys))'
        names = f'<set-header name="Names"><value>{keys}</value></set-header>'
        policy = policies(names.format("Request"), "", names.format("Response"))
        async with (
            serving(service(policy), echo) as sockets,
            sockets.client.get(sockets.url + "/api/items", headers={"X-One": "1"}) as answer,
        ):
            assert "X-One" in await answer.text()
            assert "Content-Type" in answer.headers["Names"].split()

    asyncio.run(scenario())


def test_the_first_event_arrives_before_the_second_is_sent() -> None:
    async def scenario() -> None:
        stream = Stream()
        async with (
            serving(service(STREAMING), stream.handle) as sockets,
            sockets.client.get(sockets.url + "/api/items") as answer,
        ):
            for event in (b"data: 1\n\n", b"data: 2\n\n"):
                stream.events.put_nowait(event)
                assert await within(answer.content.readany()) == event
            stream.events.put_nowait(None)
            assert await within(answer.content.read()) == b""

    asyncio.run(scenario())


def test_the_headers_arrive_before_any_event() -> None:
    async def scenario() -> None:
        stream = Stream()
        async with serving(service(STREAMING), stream.handle) as sockets:
            answer = await within(sockets.client.get(sockets.url + "/api/items"))
            assert isinstance(answer, aiohttp.ClientResponse)
            assert answer.headers["Content-Type"] == "text/event-stream"
            answer.close()

    asyncio.run(scenario())


def test_small_events_are_buffered_up_to_eight_kibibytes() -> None:
    async def scenario() -> None:
        stream = Stream()
        async with (
            serving(service(), stream.handle) as sockets,
            sockets.client.get(sockets.url + "/api/items") as answer,
        ):
            stream.events.put_nowait(b"data: 1\n\n")
            with pytest.raises(TimeoutError):
                await within(answer.content.readany(), 0.2)
            stream.events.put_nowait(b"x" * 8192)
            assert len(await within(answer.content.readany())) >= 8192  # ty: ignore[invalid-argument-type]
            stream.events.put_nowait(None)

    asyncio.run(scenario())


def test_the_backends_stream_is_closed_when_the_client_disconnects() -> None:
    async def scenario() -> None:
        stream = Stream()
        async with serving(service(STREAMING), stream.handle) as sockets:
            answer = await sockets.client.get(sockets.url + "/api/items")
            await within(stream.opened.wait())
            answer.close()
            await within(stream.closed.wait())

    asyncio.run(scenario())


def test_the_request_is_cancelled_when_the_client_disconnects_before_the_response() -> None:
    started, ended = asyncio.Event(), asyncio.Event()

    async def slow(_request: web.BaseRequest) -> web.StreamResponse:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return web.Response()

    async def scenario() -> None:
        async with serving(service(), slow) as sockets:
            request = asyncio.ensure_future(sockets.client.get(sockets.url + "/api/items"))
            await within(started.wait())
            request.cancel()
            await asyncio.gather(request, return_exceptions=True)
            await within(ended.wait())

    asyncio.run(scenario())


def test_the_clients_stream_ends_with_an_error_when_the_backends_stream_breaks() -> None:
    async def scenario() -> None:
        stream = Stream()
        stream.broken = True
        async with (
            serving(service(STREAMING), stream.handle) as sockets,
            sockets.client.get(sockets.url + "/api/items") as answer,
        ):
            stream.events.put_nowait(b"data: 1\n\n")
            assert await within(answer.content.readany()) == b"data: 1\n\n"
            stream.events.put_nowait(None)
            with pytest.raises(aiohttp.ClientError):
                await within(answer.content.read())

    asyncio.run(scenario())


def test_a_large_body_is_streamed_to_the_backend() -> None:
    async def scenario() -> None:
        async with (
            serving(service(), echo) as sockets,
            sockets.client.post(sockets.url + "/api/items", data=BytesIO(b"x" * 5_000_000)) as answer,
        ):
            assert (await answer.text()).startswith("POST /items 5000000 ")

    asyncio.run(scenario())


def test_a_large_body_that_a_policy_reads_results_in_413() -> None:
    async def scenario() -> None:
        policy = policies('<find-and-replace from="a" to="b" />')
        async with (
            serving(service(policy), echo) as sockets,
            sockets.client.post(sockets.url + "/api/items", data=BytesIO(b"x" * 3_000_000)) as answer,
        ):
            assert answer.status == 413

    asyncio.run(scenario())


def test_compressed_responses_are_forwarded_unchanged() -> None:
    async def zipped(_request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=b"\x1f\x8b not really", headers={"Content-Encoding": "gzip"})

    async def scenario() -> None:
        async with (
            serving(service(), zipped) as sockets,
            sockets.client.get(sockets.url + "/api/items") as answer,
        ):
            assert answer.headers["Content-Encoding"] == "gzip"
            assert await answer.read() == b"\x1f\x8b not really"

    asyncio.run(scenario())


def test_a_head_request_does_not_match_a_get_operation() -> None:
    async def scenario() -> None:
        async with (
            serving(service(), echo) as sockets,
            sockets.client.head(sockets.url + "/api/items") as answer,
        ):
            assert answer.status == 404

    asyncio.run(scenario())


def test_many_parallel_streams_receive_all_events() -> None:
    count = 200

    async def count_up(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for number in range(5):
            await response.write(f"data: {number}\n\n".encode())
            await asyncio.sleep(0)
        return response

    async def scenario() -> None:
        async with serving(service(STREAMING), count_up) as sockets:

            async def read() -> bytes:
                async with sockets.client.get(sockets.url + "/api/items") as answer:
                    return await answer.read()

            whole = b"".join(f"data: {number}\n\n".encode() for number in range(5))
            assert await asyncio.gather(*(read() for _ in range(count))) == [whole] * count

    asyncio.run(scenario())
