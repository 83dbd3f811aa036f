"""Input at the gateway's port that is not valid HTTP."""

import asyncio
import logging

import pytest
from aiohttp import web

from tests.policies.engine.harness import service
from tests.policies.engine.sockets import serving

NOT_HTTP = (
    b"\x16\x03\x01\x02\x00\x01\r\n\r\n",
    b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
    b"GET / HTTP/9.9.9\r\n\r\n",
    b"POST /api/items HTTP/1.1\r\nHost: x\r\nContent-Length: secret\r\n\r\n",
)


async def _unused(_request: web.BaseRequest) -> web.StreamResponse:
    raise AssertionError


@pytest.mark.parametrize("sent", NOT_HTTP)
def test_malformed_http_results_in_400_without_a_message_of_the_library(sent: bytes, caplog) -> None:
    async def scenario() -> bytes:
        async with serving(service(), _unused) as at:
            port = int(at.url.rpartition(":")[2])
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent)
            answer = await reader.read()
            writer.close()
            return answer

    with caplog.at_level(logging.INFO):
        answer = asyncio.run(scenario())
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith((b"HTTP/1.1 400 Bad Request\r\n", b"HTTP/1.0 400 Bad Request\r\n"))
    assert b"Server: twin" in head
    assert body == b"Bad Request"
    shown = [record for record in caplog.records if record.levelno >= logging.WARNING or record.exc_info]
    assert shown == []
