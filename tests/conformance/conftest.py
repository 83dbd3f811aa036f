"""The targets of the suites: an MCP server, and a twin with that server behind its gateway."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.children import free_port
from tests.conformance.proxy import proxy_with_token
from tests.e2e.client import parameters_of
from tests.e2e.conftest import ROOT, RunningTwin, started_twin

COMMAND = f"{sys.executable} -m tests.conformance.server"
ENTRY = {
    "name": "suite",
    "image": "ghcr.io/example/suite:1.0.0",
    "port": 8080,
    "local": {"command": COMMAND},
}


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTwin]:
    """A twin with the server as `/suite-mcp`, and the project's own functions as `/mcp`."""
    config = {"backends": '["functions"]', "containers": json.dumps([ENTRY]), "callsPerMinute": "100000"}
    with started_twin(tmp_path_factory.mktemp("twin") / "state", config) as twin:
        yield twin


@pytest.fixture(scope="session")
def token(twin: RunningTwin) -> str:
    """An access token for the server behind the gateway."""
    client = twin.client(path="suite-mcp")
    assert client.register().status_code == 201
    code = parameters_of(twin.person().sign_in(client.authorize_url(scope=None)))["code"]
    return client.redeem(code).json()["access_token"]


@pytest.fixture(scope="session")
def through_the_gateway(twin: RunningTwin, token: str) -> Iterator[str]:
    """The URL of a proxy that adds an access token, because the suite cannot sign in for server scenarios."""
    with proxy_with_token(token, f"{twin.gateway}/suite-mcp") as url:
        yield url


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context()
    page = context.new_page()
    page.set_default_timeout(30_000)
    yield page
    context.close()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("localhost", port), timeout=1):
            return
        time.sleep(0.05)
    raise AssertionError(f"nothing listens on port {port}")
