"""Event streams, and the limit for open requests of a caller (docs/authorization.md, E4)."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from apim.messages import InboundRequest, OutboundResponse
from apim.network import Reply
from apim.readings import Readings
from tests.e2e.client import refusal_of
from tests.policies.engine.harness import Harness
from tests.policies.oauth.flow import Flow, ManualClock, service_with

LIMIT = 2


class Stream(Reply):
    """A response whose body stays open until it is closed."""

    def __init__(self, status: int = 200, content_type: str = "text/event-stream") -> None:
        super().__init__(status=status, reason="", headers=[("Content-Type", content_type)])
        self.closed = asyncio.Event()
        self.was_read = False

    async def chunks(self) -> AsyncIterator[bytes]:
        self.was_read = True
        yield b"data: {}\n\n"
        await self.closed.wait()

    def whole(self) -> bytes | None:
        return None

    def close(self) -> None:
        self.closed.set()


def under(reading: str) -> tuple[Flow, str]:
    """A flow at a stack in which a caller may have two open requests, and an access token."""
    harness = Harness(service_with(openRequests=str(LIMIT)), ManualClock(), Readings.parse([reading]))
    flow = Flow.at(harness)
    return flow, flow.token()


async def open_stream(flow: Flow, token: str) -> OutboundResponse:
    """Sends a request for an event stream, and returns the response without reading its body."""
    headers = (("Host", "gateway.example"), ("Authorization", f"Bearer {token}"))
    return await flow.harness.gateway.handle(
        InboundRequest(
            method="GET",
            path="/mcp/sse",
            query="",
            headers=headers,
            body=None,
            ip_address="203.0.113.7",
            host="gateway.example",
        )
    )


@pytest.mark.parametrize("reading", ["limit-concurrency=until-head", "limit-concurrency=until-end"])
def test_e4_the_open_streams_of_a_caller_at_a_server_are_limited(reading: str) -> None:
    """If open streams do not count (R17), the limit does not apply to them."""
    flow, token = under(reading)

    async def scenario() -> tuple[list[int], OutboundResponse, int]:
        flow.served = Stream
        streams = [await open_stream(flow, token) for _ in range(LIMIT)]
        another = await open_stream(flow, token)
        statuses = [answer.status for answer in streams]
        for answer in streams:
            await answer.close()
        after = await open_stream(flow, token)
        await after.close()
        return statuses, another, after.status

    statuses, another, after = asyncio.run(scenario())
    assert (statuses, after) == ([200] * LIMIT, 200)
    assert another.status == (429 if reading.endswith("until-end") else 200)


def test_e4_a_refused_stream_has_a_reason_and_retry_after() -> None:
    flow, token = under("limit-concurrency=until-end")

    async def scenario() -> OutboundResponse:
        flow.served = Stream
        streams = [await open_stream(flow, token) for _ in range(LIMIT)]
        refused = await open_stream(flow, token)
        for answer in streams:
            await answer.close()
        return refused

    refused = asyncio.run(scenario())
    assert refused.status == 429
    assert dict(refused.headers)["Retry-After"] == "5"


def test_e4_streams_are_limited_for_each_user_separately() -> None:
    flow, token = under("limit-concurrency=until-end")
    flow.tampered = {"oid": "66666666-6666-4666-8666-666666666666"}
    other = flow.token()

    async def scenario() -> list[int]:
        flow.served = Stream
        answers = [await open_stream(flow, sent) for sent in (token, token, other, token)]
        for answer in answers:
            await answer.close()
        return [answer.status for answer in answers]

    assert asyncio.run(scenario()) == [200, 200, 200, 429]


@pytest.mark.parametrize("reading", ["hop-by-hop=visible", "limit-concurrency=until-end"])
def test_e4_an_event_is_forwarded_before_the_stream_ends(reading: str) -> None:
    flow, token = under(reading)

    async def scenario() -> bytes:
        flow.served = Stream
        answer = await open_stream(flow, token)
        assert not isinstance(answer.body, bytes)
        first = await asyncio.wait_for(anext(aiter(answer.body)), 5)
        await answer.close()
        return first

    assert asyncio.run(scenario()) == b"data: {}\n\n"


@pytest.mark.parametrize("status", [200, 202, 400, 404])
def test_e4_no_policy_reads_a_successful_response(status: int) -> None:
    flow, token = under("limit-concurrency=until-head")
    stream = Stream(status, "application/json")

    async def scenario() -> bool:
        flow.served = lambda: stream
        answer = await asyncio.wait_for(open_stream(flow, token), 5)
        was_read = stream.was_read
        await answer.close()
        return was_read

    assert not asyncio.run(scenario())


def test_e4_an_open_stream_continues_after_its_grant_ends() -> None:
    """API Management cannot end an open stream, but every new request is refused."""
    flow, token = under("limit-concurrency=until-end")

    async def scenario() -> tuple[bytes, int]:
        flow.served = Stream
        answer = await open_stream(flow, token)
        flow.store.one("grants")["status"] = "revoked"
        flow.harness.clock.advance(31)
        assert not isinstance(answer.body, bytes)
        first = await asyncio.wait_for(anext(aiter(answer.body)), 5)
        again = await open_stream(flow, token)
        await answer.close()
        return first, again.status

    assert asyncio.run(scenario()) == (b"data: {}\n\n", 401)


def test_e4_a_call_beyond_the_limit_is_refused_with_a_json_rpc_error() -> None:
    flow, token = under("limit-concurrency=until-end")
    flow.harness.gateway.services.concurrency[f"functions|{flow.claims_of(token)['sub']}"] = LIMIT
    answer = flow.call(token)
    assert (answer.status, refusal_of(answer.json())) == (429, "too_many_requests")
