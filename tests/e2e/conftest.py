"""A whole twin, started as a user starts it, which all tests of a worker share."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Iterator, Mapping, Sequence, Set
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import httpx
import pytest

from apim.readings import Readings
from tests import readings
from tests.children import free_port_block
from tests.commands import ROOT, Command
from tests.e2e.client import Client, parameters_of
from tests.e2e.deployment import Deployment
from tests.e2e.person import Person
from tests.stacks import FUNCTIONS_ONLY

CALLS_PER_MINUTE = 300
"""The limit of calls in the twin that the tests share; a stack's default is ten times as high."""


class _NoCookies(CookieJar):
    """A cookie jar that stores nothing: `Person` sends its own cookies."""

    def extract_cookies(self, response: object, request: object) -> None:
        """Leaves the headers unchanged."""


class RunningTwin:
    """A twin in a process of its own, and its control API."""

    def __init__(
        self,
        port: int,
        state: Path,
        config: Mapping[str, str],
        *,
        project: Path = ROOT,
        agents: bool = False,
        secrets_file: Path | None = None,
    ) -> None:
        self.gateway = f"http://localhost:{port}"
        self.entra = f"http://localhost:{port + 2}"
        self.control = httpx.Client(base_url=f"http://127.0.0.1:{port + 1}", timeout=30)
        self.http = httpx.Client(timeout=30, cookies=_NoCookies())
        self.port = port
        self.state = state
        self.log = (project / state).parent / "twin.log"
        arguments = [
            *("up", f"--port={port}", f"--state={state}"),
            *(f"--config={key}={value}" for key, value in config.items()),
            *(f"--reading={text}" for text in readings.texts()),
            *(["--agents"] if agents else []),
            *([f"--secrets-file={secrets_file}"] if secrets_file else []),
        ]
        self.log.write_text("")
        self.process = (
            Command("twin", *arguments, output=self.log)
            if project == ROOT
            else self._of_another_project(project, arguments)
        )

    def _of_another_project(self, project: Path, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
        with self.log.open("w") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "twin", *arguments],
                cwd=project,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_until_ready(self) -> None:
        """Waits until the twin is up and no MCP server is starting any more."""
        self._wait(frozenset({"ready", "waiting", "failed"}))

    def wait_until_up(self) -> None:
        """Waits until the twin is up, regardless of the state of its MCP servers."""
        self._wait(frozenset({"starting", "ready", "waiting", "failed"}))

    def _wait(self, states: Set[str]) -> None:
        deadline = time.monotonic() + 100
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"the twin ended: {self.log.read_text()[-4000:]}"
            with contextlib.suppress(httpx.HTTPError):
                servers = self.control.get("/servers").raise_for_status().json()["servers"]
                if all(server["state"] in states for server in servers):
                    return
            time.sleep(0.05)
        raise AssertionError(f"the twin is not ready: {self.log.read_text()[-4000:]}")

    def stop(self) -> int:
        self.control.close()
        self.http.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(timeout=60)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def fault(self, service: str, **fault: object) -> None:
        """Makes requests to a service fail. One failure of the store lasts for all attempts of a call."""
        if (
            service == "cosmos"
            and fault.get("times") == 1
            and (fault.get("status") == 503 or "error" in fault)
        ):
            fault["times"] = 3
        self.control.post("/faults", json={"service": service, **fault}).raise_for_status()

    def clear_cache(self) -> None:
        self.control.post("/cache/clear").raise_for_status()

    def use(self, readings: Readings) -> None:
        self.control.put("/readings", json=readings.as_dict()).raise_for_status()

    def advance_clock(self, seconds: float) -> None:
        self.control.post("/clock", json={"advance": seconds}).raise_for_status()

    def received(self, service: str) -> list[dict[str, Any]]:
        return (
            self.control.get("/received", params={"service": service}).raise_for_status().json()["received"]
        )

    def person(self, name: str = "Ada Lovelace") -> Person:
        return Person(name, (self.gateway, self.entra), self.http)

    def client(self, **chosen: str) -> Client:
        """A client that has not registered yet."""
        return Client(self.gateway, self.http, **chosen)


@contextlib.contextmanager
def started_twin(state: Path, config: Mapping[str, str], **options: Any) -> Generator[RunningTwin]:
    """A twin that is ready, on free ports; it is stopped at the end. `options` are those of `RunningTwin`."""
    twin = RunningTwin(free_port_block(), state, config, **options)
    try:
        twin.wait_until_ready()
        yield twin
    finally:
        twin.stop()


@pytest.fixture(scope="session")
def running_twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTwin]:
    config = FUNCTIONS_ONLY | {"callsPerMinute": str(CALLS_PER_MINUTE)}
    with started_twin(tmp_path_factory.mktemp("twin") / "state", config) as twin:
        yield twin


@pytest.fixture
def twin(running_twin: RunningTwin) -> RunningTwin:
    """The twin as it was when it started: no faults, an empty cache, the right time, no counted calls."""
    running_twin.control.post("/reset").raise_for_status()
    return running_twin


@pytest.fixture(scope="session")
def deployment(running_twin: RunningTwin) -> Deployment:
    """The keys and ids of the twin."""
    return Deployment.of(running_twin.gateway, running_twin.entra, running_twin.state)


@pytest.fixture
def ada(twin: RunningTwin) -> Person:
    return twin.person("Ada Lovelace")


@pytest.fixture
def client(twin: RunningTwin) -> Client:
    """A registered client."""
    client = twin.client()
    assert client.register().status_code == 201
    return client


@pytest.fixture
def code(client: Client, ada: Person) -> str:
    """An authorization code for `client`, from a new sign-in of Ada."""
    return parameters_of(ada.sign_in(client.authorize_url()))["code"]


@pytest.fixture
def token(client: Client, code: str) -> str:
    """An access token for `client`."""
    answer = client.redeem(code)
    assert answer.status_code == 200, answer.text
    return answer.json()["access_token"]
