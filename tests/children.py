"""Child processes and ports for tests."""

import socket
from collections.abc import Generator
from contextlib import contextmanager

from anyio.from_thread import start_blocking_portal

from twin.process import ChildProcess, RunningProcess


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(child: ChildProcess) -> Generator[RunningProcess]:
    """A child process that is ready, for tests that have no event loop of their own."""
    with start_blocking_portal() as portal:
        process = portal.call(RunningProcess.start, child)
        try:
            yield process
        finally:
            portal.call(process.stop)
