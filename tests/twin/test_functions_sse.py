"""The HTTP+SSE transport of the local Functions host, with functions of the test."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import azure.functions as func
import httpx
import pytest

from twin.functions.app import FunctionsApp
from twin.functions.client_state import ClientState
from twin.functions.extension import ExtensionServer
from twin.functions.settings import HostSettings
from twin.functions.sse import SseTransport

CLIENT = {"name": "test", "version": "1", "title": "Test", "websiteUrl": "https://example.com"}


@pytest.fixture
def url(serve):
    """An app whose only tool returns the context of its call; pings are sent without delay."""
    app = func.FunctionApp()

    @app.mcp_tool_trigger(arg_name="context", tool_name="context", description="Shows its context.")
    def show(context: str) -> str:
        return context

    server = ExtensionServer(FunctionsApp.of(app, HostSettings()))
    with serve(SseTransport(server, ClientState(), ping_interval=0.01)) as base_url:
        yield base_url


@contextmanager
def stream(url, **headers):
    """The events of a stream, as pairs of name and parsed data."""
    with httpx.stream("GET", f"{url}/sse", headers=headers, timeout=30) as response:
        yield _events(response.iter_lines())


def _events(lines: Iterator[str]):
    for line in lines:
        if line.startswith("data: message?"):
            yield line.removeprefix("data: ")
        elif line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


def answer_to(events, identifier):
    return next(event for event in events if event.get("id") == identifier and "method" not in event)


def test_a_function_receives_the_headers_of_the_stream_and_the_clients_name(url):
    with stream(url, Opened="the stream") as events:
        endpoint = next(events)
        initialize = {"protocolVersion": "2025-06-18", "clientInfo": CLIENT}
        for identifier, method, params in (
            ("i", "initialize", initialize),
            ("c", "tools/call", {"name": "context", "arguments": {"a": None}}),
        ):
            message = {"jsonrpc": "2.0", "id": identifier, "method": method, "params": params}
            assert httpx.post(f"{url}/{endpoint}", json=message, headers={"Opened": "no"}).is_success
            answer = answer_to(events, identifier)
    context = json.loads(answer["result"]["content"][0]["text"])
    assert context["arguments"] == {"a": None}
    assert context["clientinfo"] == {"name": "test", "version": "1", "title": "Test"}
    assert context["transport"]["name"] == "http-sse"
    assert context["transport"]["properties"]["headers"]["opened"] == "the stream"
    assert "sessionid" not in context


def test_the_server_sends_the_next_ping_after_a_response(url):
    with stream(url) as events:
        endpoint = next(events)
        for number in (1, 2, 3):
            ping = next(events)
            assert ping == {"method": "ping", "id": number, "jsonrpc": "2.0"}
            pong = {"jsonrpc": "2.0", "id": number, "result": {}}
            assert httpx.post(f"{url}/{endpoint}", json=pong).text == "Accepted"
