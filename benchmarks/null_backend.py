"""An MCP server that does almost nothing, so that a benchmark measures the proxy in front of it.

`python -m benchmarks.null_backend --port PORT`. POST answers each JSON-RPC request with a constant; GET is an
event stream with one event a second, whose data is its number and the time when it was written, in monotonic
nanoseconds. It does not authorize its callers.
"""

import argparse
import asyncio
import json
import random
import time
from typing import cast

import uvloop

_TOOL = {
    "name": "echo",
    "description": "Returns a constant.",
    "inputSchema": {"type": "object", "properties": {}},
}
_RESULTS = {
    "initialize": {
        "protocolVersion": "2025-06-18",
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "null", "version": "1"},
    },
    "tools/list": {"tools": [_TOOL]},
    "tools/call": {"content": [{"type": "text", "text": "hello"}]},
}
_STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
PERIOD = 1.0


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self._waiting = bytearray()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._number = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        self._waiting += data
        while (end := self._waiting.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._waiting[:end]).lower()
            if b"transfer-encoding: chunked" in head:
                last = self._waiting.find(b"0\r\n\r\n", end + 4)
                if last < 0:
                    return
                body, rest = _joined(bytes(self._waiting[end + 4 : last])), last + 5
            else:
                length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0] or b"0")
                rest = end + 4 + length
                if len(self._waiting) < rest:
                    return
                body = bytes(self._waiting[end + 4 : rest])
            del self._waiting[:rest]
            self._answer(head[: head.index(b" ")], body)

    def _answer(self, method: bytes, body: bytes) -> None:
        assert self._transport is not None
        if method == b"get":
            self._transport.write(_STREAM)
            # Spread over the period, like the streams of different users.
            self._timer = asyncio.get_running_loop().call_later(random.random() * PERIOD, self._event)
            return
        request = json.loads(body) if body else {}
        if "id" not in request:
            self._transport.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
            return
        result = _RESULTS.get(request["method"], {})
        content = json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}).encode()
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
            % (len(content), content)
        )

    def _event(self) -> None:
        assert self._transport is not None
        self._number += 1
        event = b"event: message\r\ndata: %d %d\r\n\r\n" % (self._number, time.monotonic_ns())
        self._transport.write(b"%x\r\n%s\r\n" % (len(event), event))
        self._timer = asyncio.get_running_loop().call_later(PERIOD, self._event)


def _joined(chunked: bytes) -> bytes:
    body = b""
    while chunked:
        size, _, rest = chunked.partition(b"\r\n")
        length = int(size.partition(b";")[0], 16)
        body, chunked = body + rest[:length], rest[length + 2 :]
    return body


async def _serve(port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Connection, "127.0.0.1", port, backlog=2048)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    uvloop.run(_serve(parser.parse_args().port))


if __name__ == "__main__":
    main()
