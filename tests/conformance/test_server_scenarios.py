"""The server scenarios of the official conformance suite, directly and through the gateway: no difference.

https://github.com/modelcontextprotocol/conformance. docs/testing.md has the results as a table.
"""

import asyncio
import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path

import pytest
from aiohttp import ClientSession, ClientTimeout, TCPConnector, web

from tests.children import free_port, free_port_block
from tests.e2e.client import parameters_of
from tests.e2e.conftest import ROOT, RunningTwin
from twin.node import NodeError, environment, node, package_version, script

VERSIONS = ("2025-06-18", "2025-11-25", "2026-07-28")
COMMAND = f"{sys.executable} -m tests.conformance.server"
ENTRY = {
    "name": "suite",
    "image": "ghcr.io/example/suite:1.0.0",
    "port": 8080,
    "local": {"command": COMMAND},
}
CONNECTION = {"connection", "content-length", "host", "keep-alive", "transfer-encoding"}

Results = dict[str, list[tuple[str, str]]]
"""The checks of each scenario, with their status."""


@pytest.fixture(scope="module")
def suite() -> Path:
    """The suite's program."""
    try:
        return script("@modelcontextprotocol/conformance", "dist/index.js")
    except NodeError as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def direct() -> Iterator[str]:
    """The URL of the server itself."""
    port = free_port()
    process = subprocess.Popen(COMMAND.split(), cwd=ROOT, env={**os.environ, "PORT": str(port)})
    try:
        _wait_for(port)
        yield f"http://localhost:{port}/mcp"
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def through_the_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a proxy that adds an access token, because the suite cannot sign in with these scenarios."""
    config = {"backends": '["functions"]', "containers": json.dumps([ENTRY]), "callsPerMinute": "100000"}
    twin = RunningTwin(free_port_block(), tmp_path_factory.mktemp("twin") / "state", config)
    try:
        twin.wait_until_ready()
        client = twin.client(path="suite-mcp")
        assert client.register().status_code == 201
        code = parameters_of(twin.person().sign_in(client.authorize_url(scope=None)))["code"]
        with _adding(client.redeem(code).json()["access_token"], client.resource) as url:
            yield url
    finally:
        twin.stop()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("localhost", port), timeout=1):
            return
        time.sleep(0.05)
    raise AssertionError(f"nothing listens on port {port}")


@contextlib.contextmanager
def _adding(token: str, target: str) -> Generator[str]:
    """A proxy to `target` that adds the token to each request."""
    port, loop, started, ended = free_port(), asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def serve() -> None:
        # A kept connection may be closed at the moment when it is used again, and POST is not repeated.
        connector = TCPConnector(force_close=True)
        timeout = ClientTimeout(total=None)
        async with ClientSession(connector=connector, timeout=timeout, auto_decompress=False) as http:

            async def forward(request: web.Request) -> web.StreamResponse:
                headers = [*_end_to_end(request.headers.items()), ("Authorization", f"Bearer {token}")]
                body = await request.read()
                async with http.request(request.method, target, headers=headers, data=body or None) as reply:
                    answer = web.StreamResponse(
                        status=reply.status, headers=_end_to_end(reply.headers.items())
                    )
                    await answer.prepare(request)
                    async for part in reply.content.iter_any():
                        await answer.write(part)
                    await answer.write_eof()
                    return answer

            app = web.Application(client_max_size=2**24)
            app.router.add_route("*", "/{path:.*}", forward)
            runner = web.AppRunner(app, handler_cancellation=True)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", port).start()
            started.set()
            await ended.wait()
            await runner.cleanup()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert started.wait(10)
        yield f"http://localhost:{port}/mcp"
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(10)
        loop.close()


def _end_to_end(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers if name.lower() not in CONNECTION]


def run(suite: Path, url: str, version: str, folder: Path) -> Results:
    """Runs the scenarios of a version against a server."""
    done = subprocess.run(
        [str(node()), str(suite), "server", "--url", url, "--spec-version", version, "-o", str(folder)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    found: Results = {}
    for file in sorted(folder.glob("*/checks.json")):
        scenario = re.sub(r"-\d{4}-\d\d-\d\dT.*", "", file.parent.name)
        found[scenario] = [(check["id"], check["status"]) for check in json.loads(file.read_text())]
    assert found, done.stdout + done.stderr
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_the_suite_finds_no_difference_between_the_server_and_the_gateway(
    suite: Path, direct: str, through_the_gateway: str, tmp_path: Path, version: str
) -> None:
    at_server = run(suite, direct, version, tmp_path / "direct")
    at_gateway = run(suite, through_the_gateway, version, tmp_path / "gateway")
    assert at_gateway == at_server
    statuses = [status for checks in at_gateway.values() for _, status in checks if status != "INFO"]
    passed = statuses.count("SUCCESS")
    row = f"| {version} | {len(at_gateway)} | {passed} | {len(statuses) - passed} | none |"
    assert row in (ROOT / "docs" / "testing.md").read_text()


def test_the_page_names_the_version_of_the_suite() -> None:
    version = package_version("@modelcontextprotocol/conformance")
    assert f"`@modelcontextprotocol/conformance` {version}" in (ROOT / "docs" / "testing.md").read_text()
