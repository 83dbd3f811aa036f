"""A server that starts slowly, seen through the gateway and on the console."""

import json
import time
from collections.abc import Iterator

import pytest

from tests.children import free_port_block
from tests.e2e.client import parameters_of
from tests.e2e.conftest import RunningTwin
from tests.stacks import FUNCTIONS_ONLY

SLOW = {
    "name": "slow",
    "image": "example.com/slow:1.0",
    "port": 8080,
    "local": {"command": "sleep 60"},
}


@pytest.fixture(scope="module")
def running_twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTwin]:
    """A twin with a server that does not become ready."""
    config = FUNCTIONS_ONLY | {"containers": json.dumps([SLOW])}
    twin = RunningTwin(free_port_block(), tmp_path_factory.mktemp("twin") / "state", config)
    try:
        twin.wait_until_up()
        yield twin
    finally:
        twin.stop()


def test_the_gateway_returns_503_with_retry_after_while_a_server_starts(twin: RunningTwin) -> None:
    client = twin.client(path="slow-mcp")
    assert client.register().status_code == 201
    code = parameters_of(twin.person().sign_in(client.authorize_url()))["code"]
    token = client.redeem(code).json()["access_token"]
    answer = client.call(token, "initialize")
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.json()["error"]["data"] == {"error": "temporarily_unavailable"}
    assert client.call(None).status_code == 401
    states = {server["name"]: server["state"] for server in twin.control.get("/servers").json()["servers"]}
    assert states == {"functions": "ready", "slow-http": "starting"}
    notice = "slow-http: requests are answered with 503 until it is ready"
    deadline = time.monotonic() + 30
    while notice not in twin.log.read_text():
        assert time.monotonic() < deadline, twin.log.read_text()
        time.sleep(0.05)
