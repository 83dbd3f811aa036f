"""The cost of the policies without a network: processor time of one request, and of loading all of them.

`python -m benchmarks.policies [--requests 2000] [--profile]`. It runs the dev stack's policies with an access
token that is encrypted with their key, and with a backend and a store that answer immediately, all in this
process.
"""

import argparse
import asyncio
import base64
import cProfile
import gc
import hashlib
import json
import pstats
import time
from collections.abc import Awaitable, Callable
from statistics import median
from typing import Any

from joserfc import jwe
from joserfc.jwk import OctKey

from apim.gateway import Gateway
from apim.messages import InboundRequest
from apim.network import Network, Reply
from apim.service import Service
from benchmarks.progress import machine, say, show
from configuration import tool_lock
from twin.azure.cloud import Cloud
from twin.clock import Clock
from twin.gateway_plan import LOCAL
from twin.stack import evaluate
from twin.translation import gateway

_ORIGIN = "http://localhost:8000"
_ALGORITHMS = ["dir", "A256CBC-HS512"]
_BATCHES = 10
_JSON = [("Content-Type", "application/json")]
_PATHS = {"functions": "/mcp", "jira": "/jira-mcp"}
_SCOPES = {"functions": "functions", "jira": "jira.read"}
_PING = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
_MESSAGES = {
    "a message to a server with rules for tools": _PING,
    "a tools/call there": b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"jira_search"}}',
    "a tools/list there, 63 tools": b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}',
}
_USER = "6f9619ff-8b86-d011-b42d-00cf4fc964ff"
_CLIENT = "c-0123456789abcdef"
_GRANT = json.dumps(
    {
        "status": "redeemed",
        "sub": _USER,
        "clientDocumentId": base64.urlsafe_b64encode(hashlib.sha256(_CLIENT.encode()).digest())
        .rstrip(b"=")
        .decode(),
    }
).encode()


class _Backends(Network):
    """Answers immediately: a grant that was redeemed, or a tool's result.

    Attributes:
        answer: of the MCP server.
    """

    answer = b'{"jsonrpc":"2.0","id":1,"result":{}}'

    def service_of(self, url: str) -> str:
        return url

    async def send(self, method: str, url: str, **_request: Any) -> Reply:
        del method
        content = _GRANT if "/docs/" in url else self.answer
        return Reply(status=200, reason="OK", headers=list(_JSON), content=content)


class _Identity:
    """Gives a token that does not expire."""

    async def token(self, *, resource: str, client_id: str | None) -> str:
        del resource, client_id
        return "eyJhbGciOiJub25lIn0.eyJleHAiOjk5OTk5OTk5OTl9."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--profile", action="store_true", help="also print a profile")
    arguments = parser.parse_args()
    before = machine()
    say("evaluating the stack")
    cloud = Cloud(gateway_url=_ORIGIN)
    settings = {**LOCAL, "localUrl": _ORIGIN, "callsPerMinute": "100000", "badTokensPerMinute": "100000"}
    service = gateway.service(evaluate(settings, cloud=cloud), cloud)
    say("loading policies")
    gc.collect()  # The evaluation leaves many objects, which must not be collected during the measurement.
    start = time.process_time()
    backends = _Backends()
    engine = Gateway(service, network=backends, identity=_Identity(), clock=Clock())
    load = time.process_time() - start
    requests = {
        "an authorized tools/call": _request(service, "valid"),
        "the same with an invalid token": _request(service, "invalid"),
        "no token": _request(service, None),
    }
    rows = [
        asyncio.run(_row(engine, name, request, arguments.requests)) for name, request in requests.items()
    ]
    backends.answer = _jira_tools()
    for name, message in _MESSAGES.items():
        request = _request(service, "valid", "jira", message)
        rows.append(asyncio.run(_row(engine, name, request, arguments.requests // 10)))
    columns = ("", "status", "median", "least")
    show("CPU of the policies of one request, in milliseconds", columns, rows, before)
    expressions = len({id(placed.expression) for placed in engine.expressions})
    size = f"{len(engine.statements):,} statements, {expressions:,} different expressions"
    show("Loading the policies of the dev stack", ("", "CPU ms"), [(size, f"{load * 1000:.0f}")])
    if arguments.profile:
        profile = cProfile.Profile()
        asyncio.run(_profiled(profile, engine, requests["an authorized tools/call"]))
        pstats.Stats(profile).sort_stats("tottime").print_stats(40)


def _jira_tools() -> bytes:
    """The list of Jira's tools, with schemas of the usual size."""
    schema = {f"field_{number}": {"type": "string", "description": "x" * 90} for number in range(6)}
    tools = [
        {
            "name": name,
            "description": tool.description,
            "inputSchema": {"type": "object", "properties": schema},
        }
        for name, tool in tool_lock.load()["jira"].items()
    ]
    return json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"tools": tools}}).encode()


def _request(
    service: Service, token: str | None, server: str = "functions", message: bytes = _PING
) -> InboundRequest:
    headers = [
        ("Host", "localhost:8000"),
        ("Accept", "application/json, text/event-stream"),
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(message))),
        ("User-Agent", "benchmark"),
        ("MCP-Protocol-Version", "2025-06-18"),
        ("Accept-Encoding", "gzip"),
    ]
    if token is not None:
        encrypted = _token(service, server)
        # One character of the ciphertext differs, so only the check of the MAC detects it.
        wrong = encrypted[:200] + ("A" if encrypted[200] != "A" else "B") + encrypted[201:]
        headers.append(("Authorization", "Bearer " + (encrypted if token == "valid" else wrong)))
    return InboundRequest(
        method="POST",
        path=_PATHS[server],
        headers=tuple(headers),
        body=message,
        host="localhost:8000",
    )


def _token(service: Service, server: str) -> str:
    """An access token as the token policy encrypts it."""
    key = next(value.value for value in service.named_values if value.name == "token-key-v1")
    now = int(time.time())
    claims = {
        "iss": _ORIGIN,
        "aud": _ORIGIN + _PATHS[server],
        "sub": _USER,
        "tid": "cf1e0c0e-6f2c-4d5a-9d0d-8a3b6f6a1e11",
        "client_id": _CLIENT,
        "scope": _SCOPES[server],
        "gid": "g" * 22,
        "jti": "j" * 22,
        "iat": now,
        "exp": now + 3600,
    }
    header = {"alg": "dir", "enc": "A256CBC-HS512", "kid": "1"}
    secret = OctKey.import_key(base64.b64decode(key))
    return jwe.encrypt_compact(header, json.dumps(claims).encode(), secret, algorithms=_ALGORITHMS)


async def _row(engine: Gateway, name: str, request: InboundRequest, count: int) -> tuple[str, ...]:
    say(name)
    answer = await engine.handle(request)
    await _repeat(engine.handle, request, 100)
    batches = []
    for _ in range(_BATCHES):
        start = time.process_time()
        await _repeat(engine.handle, request, count // _BATCHES)
        batches.append((time.process_time() - start) / (count // _BATCHES) * 1000)
    return name, str(answer.status), f"{median(batches):.3f}", f"{min(batches):.3f}"


async def _repeat(handle: Callable[[InboundRequest], Awaitable[object]], request: Any, count: int) -> None:
    for _ in range(count):
        await handle(request)


async def _profiled(profile: cProfile.Profile, engine: Gateway, request: InboundRequest) -> None:
    # Each run has its own event loop, because objects of the first loop cannot be used in a later one.
    with profile:
        await _repeat(engine.handle, request, 500)


if __name__ == "__main__":
    main()
