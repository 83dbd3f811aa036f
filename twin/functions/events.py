"""Event streams (text/event-stream), as the MCP extension writes them."""

from collections.abc import Mapping

from starlette.types import Message

EVENT_STREAM_HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache,no-store",
    "Content-Encoding": "identity",
}


def start(headers: Mapping[str, str]) -> Message:
    """The ASGI message that starts a stream."""
    encoded = [(name.lower().encode("ascii"), value.encode("ascii")) for name, value in headers.items()]
    return {"type": "http.response.start", "status": 200, "headers": encoded}


def event(name: str, data: str) -> bytes:
    """One event, with a `data` line for each line of `data`."""
    lines = data.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "".join([f"event: {name}\n", *(f"data: {line}\n" for line in lines), "\n"]).encode()
