"""`python -m twin up` as a process: start, output, end."""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from apim import coverage
from tests import commands
from tests.children import free_port_block
from tests.commands import Command
from tests.stacks import FUNCTIONS_ONLY
from twin.clock import Clock
from twin.cosmos import SqliteStore
from twin.entra import SigningKeys
from twin.ports import Ports, PortTakenError
from twin.stack import PROJECT
from twin.state import StateError, StateFolder, StateInUseError

# Most tests do not depend on the servers behind the gateway.
_ONE_SERVER = [f"--config={key}={value}" for key, value in FUNCTIONS_ONLY.items()]

linux = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")


class Up:
    """One run of the command; `before` is Python code that it runs first."""

    def __init__(self, port: int, state: Path, *arguments: str, before: str = "") -> None:
        self.port = port
        self.state = state
        self.output = state.parent / f"output-{port}"
        self.output.write_text("")
        self.process: Command | subprocess.Popen[bytes] = self.start(
            "up", f"--port={port}", f"--state={state}", *_ONE_SERVER, *arguments, before=before
        )

    def start(self, *arguments: str, before: str) -> "Command | subprocess.Popen[bytes]":
        return Command(
            "twin", *arguments, output=self.output, env=environment_without_coverage(), before=before
        )

    def text(self) -> str:
        return self.output.read_text()

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.text()
            with suppress(httpx.HTTPError):
                up = httpx.get(f"http://127.0.0.1:{self.port + 1}/").status_code == 200
                if up and "Ctrl-C stops it." in self.text():
                    return
            time.sleep(0.05)
        raise AssertionError(self.text())

    def children(self) -> list[int]:
        """The processes that the command started."""
        return children_of(self.process.pid)

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=60)

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=60)


class UpInNewPython(Up):
    """The same command in a new process, which imports all modules itself."""

    def start(self, *arguments: str, before: str) -> subprocess.Popen[bytes]:
        assert not before
        with self.output.open("w") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "twin", *arguments],
                cwd=PROJECT,
                env=environment_without_coverage(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )


def environment_without_coverage() -> dict[str, str]:
    """The environment of a process that does not count which policies run."""
    return {name: value for name, value in os.environ.items() if name != coverage.FOLDER}


def children_of(pid: int) -> list[int]:
    """Processes that the threads of a process started, oldest first."""
    children: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        # A thread can end between the listing and the read.
        with suppress(FileNotFoundError, ProcessLookupError):
            children += map(int, (task / "children").read_text().split())
    return sorted(children, key=start_time)


def start_time(pid: int) -> int:
    """The start time of a process. Its id does not show the order, because the kernel reuses low numbers."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except (FileNotFoundError, ProcessLookupError):
        return sys.maxsize


@contextmanager
def up(port: int, state: Path, *arguments: str, kind: type[Up] = Up, before: str = "") -> Generator[Up]:
    run = kind(port, state, *arguments, before=before)
    try:
        yield run
    finally:
        run.kill()


@pytest.fixture
def port() -> int:
    return free_port_block()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A process that has ended and whose parent has not noticed yet is not alive.
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()


class SharedTwin:
    """One twin for several tests, in one state folder; it is started again after a test has stopped it."""

    def __init__(self, port: int, state: Path) -> None:
        self._port, self._state = port, state
        self._run: Up | None = None

    def running(self) -> Up:
        """The twin, which is ready."""
        if self._run is None or self._run.process.poll() is not None:
            kind = UpInNewPython if self._run is None else Up
            self._run = kind(self._port, self._state, "--reading=unit-clocks=apart", "--reading=R12=proxy")
            self._run.wait_until_ready()
        return self._run

    def kill(self) -> None:
        """Ends it, if it runs."""
        if self._run is not None:
            self._run.kill()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Generator[SharedTwin]:
    twin = SharedTwin(free_port_block(), tmp_path_factory.mktemp("shared") / "state")
    yield twin
    twin.kill()


@linux
def test_up_prints_the_urls_of_all_services_and_serves_them(shared: SharedTwin) -> None:
    run = shared.running()
    port, state = run.port, run.state
    gateway = f"http://localhost:{port}"
    metadata = httpx.get(f"{gateway}/.well-known/oauth-authorization-server").json()
    assert metadata["issuer"] == gateway
    assert httpx.post(f"{gateway}/mcp", json={}).status_code == 401
    output = run.text()
    assert f"{gateway}/mcp/sse" in output
    assert "Ada Lovelace" in output
    assert f"--transport http --server-url {gateway}/mcp\n" in output
    assert f"http://localhost:{port + 1}" in output
    assert re.search(r"ready in \d+\.\d s", output)
    assert re.findall(r"reading +(\S+)", output) == ["client-address=proxy", "unit-clocks=apart"]
    chosen = httpx.get(f"http://127.0.0.1:{port + 1}/").json()["readings"]
    assert chosen == {"client-address": "proxy", "unit-clocks": "apart"}
    assert (state.stat().st_mode & 0o777) == 0o700
    open_to_others = [file for file in state.iterdir() if file.is_file() and file.stat().st_mode & 0o077]
    assert open_to_others == []


@linux
def test_the_functions_server_is_restarted_when_it_ends(shared: SharedTwin) -> None:
    run = shared.running()
    _, functions = run.children()
    os.kill(functions, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while "functions is ready" not in run.text() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert "functions ended with status -9; it will be restarted in 1 s" in run.text()
    assert httpx.post(f"http://localhost:{run.port + 5}/runtime/webhooks/mcp").status_code == 401
    assert run.process.poll() is None


@linux
def test_a_restart_has_the_same_tenant_and_keys_and_no_process_is_left(
    shared: SharedTwin,
) -> None:
    def outputs_and_statuses(run: Up) -> tuple[dict[str, Any], set[int]]:
        outputs = httpx.get(f"http://127.0.0.1:{run.port + 1}/stack").json()["outputs"]
        registration = {"redirect_uris": ["http://127.0.0.1/callback"], "client_name": "Test"}
        client = httpx.post(f"http://localhost:{run.port}/register", json=registration)
        assert client.status_code == 201, client.text
        clients.append(client.json()["client_id"])
        url = f"http://localhost:{run.port}/authorize"
        return outputs, {httpx.get(url, params=request(client)).status_code for client in clients}

    def request(client_id: str) -> dict[str, str]:
        return {
            "client_id": client_id,
            "redirect_uri": "http://127.0.0.1/callback",
            "response_type": "code",
            "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
            "code_challenge_method": "S256",
        }

    clients: list[str] = []
    run = shared.running()
    first, children = outputs_and_statuses(run), run.children()
    assert len(children) == 2
    assert run.end(signal.SIGTERM) == 0
    assert [pid for pid in children if alive(pid)] == []
    again = shared.running()
    assert again.process.pid != run.process.pid
    second = outputs_and_statuses(again)
    assert first == second
    assert first[1] <= {200, 302, 303}


@linux
def test_the_twin_ends_with_a_message_when_a_service_fails(shared: SharedTwin) -> None:
    run = shared.running()
    first, second = run.children()
    os.kill(first, signal.SIGKILL)
    assert run.process.wait(timeout=60) == 1
    assert "error: blobs ended with status -9, so the twin stops." in run.text()
    assert "Traceback" not in run.text()
    assert not alive(second)


def test_a_platform_without_slacks_server_is_reported_once_with_a_command_that_works(
    port: int, state: Path
) -> None:
    on_another_platform = "import platform; platform.machine = lambda: 'riscv64'"
    with up(port, state, '--config=backends=["functions","slack"]', before=on_another_platform) as run:
        run.wait_until_ready()
        output = run.text()
        assert "slack-http, slack-sse cannot run on this machine" in output
        assert output.count("Slack's server") == 1
        assert run.end() == 0
    words = shlex.split(next(line for line in output.splitlines() if "-m twin up" in line))
    # The printed command has the configuration of `_ONE_SERVER`, without Slack.
    assert [word for word in words[words.index("up") + 1 :] if word != "--config"] == [
        f.removeprefix("--config=") for f in _ONE_SERVER
    ]


def test_the_error_of_a_restart_without_a_twin_has_the_start_command(port: int) -> None:
    refused = commands.run("twin", "restart", "functions", f"--port={port}")
    assert refused.returncode == 1
    assert f"No twin is running on port {port}. Start it with `make up`" in refused.stderr


def test_a_second_twin_fails_with_the_ports_in_use_and_a_remedy(port: int, state: Path) -> None:
    with socket.create_server(("127.0.0.1", port + 3)), up(port, state) as run:
        assert run.process.wait(timeout=60) == 1
        assert f"Port {port + 3} (Cosmos DB) is taken" in run.text()
        assert "make up PORT=9000" in run.text()
        assert "Traceback" not in run.text()
    assert not state.exists()


def test_a_state_folder_that_is_in_use_is_refused(port: int, state: Path) -> None:
    with StateFolder(state), up(port, state) as run:
        assert run.process.wait(timeout=60) == 1
        assert f"Another twin is using {state}" in run.text()
        assert "Traceback" not in run.text()


@pytest.mark.parametrize("path", ["/etc/passwd", "/etc/passwd/below", "/proc/x", "/dev/null"])
def test_an_unusable_state_folder_is_rejected_with_a_remedy(path: str) -> None:
    with pytest.raises(StateError, match=r"cannot be used: (?s:.*)--state \.twin/other"):
        StateFolder(Path(path)).__enter__()


def test_a_folder_with_other_files_is_not_used(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "letters").touch()
    with pytest.raises(StateError, match="such as 'letters'"):
        StateFolder(tmp_path).__enter__()
    assert tmp_path.stat().st_mode & 0o777 == 0o755
    assert [entry.name for entry in tmp_path.iterdir()] == ["letters"]


@pytest.mark.parametrize(
    ("name", "read"),
    [("entra-keys.json", SigningKeys), ("cosmos.sqlite", lambda file: SqliteStore(file, Clock()))],
)
def test_a_damaged_file_is_named_with_the_command_to_continue_without_it(
    name: str, read: Callable[[Path], object], tmp_path: Path
) -> None:
    file = tmp_path / "it's here" / name
    with StateFolder(file.parent) as state:
        file.write_bytes(b"\x9a\xff" * 100)
        with pytest.raises(StateError) as error, state.explain_errors(file, "its content"):
            read(file)
    assert f"{str(file)!r} cannot be read" in str(error.value)
    command = shlex.split(str(error.value).splitlines()[-1])
    assert command == ["mv", str(file), f"{file}.damaged"]


def test_a_state_folder_can_contain_folders_of_twins_on_other_ports(tmp_path: Path) -> None:
    with StateFolder(tmp_path / "9000"), StateFolder(tmp_path):
        pass


def test_wrong_configuration_is_reported_with_the_message_of_the_setting(port: int, state: Path) -> None:
    with up(port, state, "--config=sku=Gold") as run:
        assert run.process.wait(timeout=60) == 1
        assert "sku: 'Gold' is not one of BasicV2" in run.text()
        assert "Traceback" not in run.text()


def test_an_unknown_reading_is_rejected_with_the_list_of_readings(port: int, state: Path) -> None:
    with up(port, state, "--reading=colour=red") as run:
        assert run.process.wait(timeout=60) == 1
        assert "error: --reading: There is no reading 'colour'. Readings: query=" in run.text()


@linux
@pytest.mark.parametrize(
    ("after", "number"),
    [
        ("imports", signal.SIGINT),
        ("imports", signal.SIGTERM),
        # From here on one handler handles both signals.
        ("evaluation", signal.SIGTERM),
        ("processes", signal.SIGINT),
    ],
)
def test_the_twin_can_be_stopped_while_it_starts(
    port: int, state: Path, number: signal.Signals, after: str
) -> None:
    with up(port, state, kind=UpInNewPython if after == "imports" else Up) as run:
        deadline = time.monotonic() + 60
        while not has_reached[after](run) and time.monotonic() < deadline:
            assert run.process.poll() is None, run.text()
            time.sleep(0.01)
        assert run.end(number) == 0
        assert "Traceback" not in run.text()


def handles_sigterm(run: Up) -> bool:
    """Whether the command has begun to run; before, Python has no handler for SIGTERM."""
    status = Path(f"/proc/{run.process.pid}/status").read_text()
    caught = re.search(r"^SigCgt:\t([0-9a-f]+)$", status, re.MULTILINE)
    return bool(caught and int(caught[1], 16) >> (signal.SIGTERM - 1) & 1)


has_reached = {
    "imports": handles_sigterm,
    "evaluation": lambda run: (run.state / "seed").exists(),
    "processes": lambda run: len(run.children()) == 2,
}


@linux
def test_the_twin_runs_without_standard_streams(port: int, state: Path) -> None:
    up = f'"{sys.executable}" -m twin up --port={port} --state="{state}" {shlex.join(_ONE_SERVER)}'
    command = f"exec {up} <&- >&- 2>&-"
    process = subprocess.Popen(["/bin/sh", "-c", command], cwd=PROJECT, start_new_session=True)
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            with suppress(httpx.HTTPError):
                if httpx.get(f"http://127.0.0.1:{port + 1}/").status_code == 200:
                    break
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


@linux
def test_children_are_found_while_threads_end() -> None:
    child = subprocess.Popen(["/bin/sleep", "60"])
    stop = threading.Event()

    def start_threads() -> None:
        while not stop.is_set():
            short = threading.Thread(target=lambda: None)
            short.start()
            short.join()

    starting = threading.Thread(target=start_threads)
    starting.start()
    try:
        for _ in range(300):
            assert child.pid in children_of(os.getpid())
    finally:
        stop.set()
        starting.join()
        child.kill()
        child.wait()


def test_every_port_in_use_is_named(port: int) -> None:
    message = rf"Ports {port} \(gateway\), {port + 1} \(control API\) are taken"
    with (
        socket.create_server(("127.0.0.1", port)),
        socket.create_server(("127.0.0.1", port + 1)),
        pytest.raises(PortTakenError, match=message),
    ):
        Ports(port).require_free()
    Ports(port).require_free()


def test_a_state_folder_is_locked_while_it_is_used(state: Path) -> None:
    with StateFolder(state) as first, pytest.raises(StateInUseError, match="--state"):
        StateFolder(state).__enter__()
    with StateFolder(state) as again:
        assert again.seed() == first.seed()
