"""Child processes and ports for tests."""

import os
import socket
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress

from anyio.from_thread import start_blocking_portal

from twin.process import ChildProcess, RunningProcess


def free_port() -> int:
    """A port of 127.0.0.1 at which no process listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def free_port_block(size: int = 20) -> int:
    """The first of so many free ports in a row, below those that outgoing connections get."""
    for base in range(20000 + os.getpid() % 400 * 20, 32000, size):
        with ExitStack() as held, suppress(OSError):
            for port in range(base, base + size):
                held.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return base
    raise AssertionError("no free ports")


@contextmanager
def running(child: ChildProcess) -> Generator[RunningProcess]:
    """A child process that is ready, for tests that have no event loop of their own."""
    with start_blocking_portal() as portal:
        process = portal.call(RunningProcess.start, child)
        try:
            yield process
        finally:
            portal.call(process.stop)
