"""The servers of a benchmark: processes that are stopped at its end."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from pathlib import Path

from benchmarks.progress import say

ROOT = Path(__file__).resolve().parents[1]
FASTMCP = "4.1.2"
_TICKS = os.sysconf("SC_CLK_TCK")
_LONGEST_START = 120.0


class Server:
    """A running process that serves on a port.

    Args:
        process: the leader of its process group.
        port: the port on 127.0.0.1.
    """

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.port = port
        self._process = process

    @property
    def cpu(self) -> float:
        """Seconds of processor time that it has used (Linux; 0 elsewhere)."""
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / _TICKS
        return 0.0

    @property
    def memory(self) -> int:
        """Bytes that it occupies (Linux; 0 elsewhere)."""
        with contextlib.suppress(OSError):
            return int(Path(f"/proc/{self._pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        return 0

    @property
    def _pid(self) -> int:
        """The process that serves: uv starts Python as a child process."""
        with contextlib.suppress(OSError, IndexError):
            pid = self._process.pid
            if Path(f"/proc/{pid}/comm").read_text().strip() == "uv":
                # Any thread of uv may have started it.
                children = [file.read_text() for file in Path(f"/proc/{pid}/task").glob("*/children")]
                return int(" ".join(children).split()[0])
        return self._process.pid


@contextlib.contextmanager
def server(name: str, command: Sequence[str], port: int, *, ready: int | None = None) -> Generator[Server]:
    """Starts a process and waits until something listens on its port (or on `ready`).

    Raises:
        SystemExit: it did not start; its output was printed before.
    """
    say(f"starting {name}")
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        deadline = time.monotonic() + _LONGEST_START
        while not _listens(ready or port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{name} did not start: {' '.join(command)}")
            time.sleep(0.05)
        yield Server(process, port)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def null_backend(port: int) -> contextlib.AbstractContextManager[Server]:
    """The null backend."""
    return server("the null backend", _module("null_backend", "--port", str(port)), port)


def passthrough(port: int, backend: int, key: str) -> contextlib.AbstractContextManager[Server]:
    """The bare proxy."""
    options = ("--port", str(port), "--backend", f"http://127.0.0.1:{backend}/mcp", "--key", key)
    return server("the passthrough", _module("passthrough", *options), port)


def bare_gateway(port: int, backend: int, key: str) -> contextlib.AbstractContextManager[Server]:
    """The twin's gateway with a policy that does the work of the passthrough."""
    options = ("--port", str(port), "--backend", f"http://127.0.0.1:{backend}/mcp", "--key", key)
    return server("the bare gateway", _module("bare_gateway", *options), port)


def fastmcp(port: int, backend: int, key: str, uv: str) -> contextlib.AbstractContextManager[Server]:
    """FastMCP's proxy, in an environment that uv creates."""
    script = str(ROOT / "benchmarks" / "fastmcp_proxy.py")
    environment = (uv, "run", "--quiet", "--no-project", "--with", f"fastmcp=={FASTMCP}", "python", script)
    options = ("--port", str(port), "--backend", f"http://127.0.0.1:{backend}/mcp", "--key", key)
    return server("FastMCP's proxy", [*environment, *options], port)


def twin(port: int, backend: int, state: Path) -> contextlib.AbstractContextManager[Server]:
    """The twin of the dev stack in front of the null backend; its control API starts last."""
    options = ("--port", str(port), "--backend", str(backend), "--state", str(state))
    return server("the twin", _module("twin_gateway", *options), port, ready=port + 1)


def free_ports(count: int) -> int:
    """The first of `count` consecutive free ports."""
    for first in range(21000 + os.getpid() % 300 * 30, 32000, count):
        if not any(_listens(port) for port in range(first, first + count)):
            return first
    raise SystemExit("No free ports between 21000 and 32000.")


def _module(name: str, *options: str) -> list[str]:
    return [sys.executable, "-m", f"benchmarks.{name}", *options]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
