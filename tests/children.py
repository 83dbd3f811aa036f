"""Child processes and ports for tests."""

import atexit
import os
import socket
from collections.abc import Generator
from contextlib import ExitStack, contextmanager

from anyio.from_thread import start_blocking_portal

from twin.process import ChildProcess, RunningProcess


def free_port() -> int:
    """Reserve a port of 127.0.0.1 at which no process listens, as `free_port_block` does."""
    return _reserve(range(12000, 20000), 1)


def free_port_block(size: int = 20) -> int:
    """Reserve consecutive free ports below those that outgoing connections get.

    A process that is started on the block needs a moment until it listens. So that no other test process
    takes the same block in that moment, this process keeps a UDP socket at the first port until it ends.

    Returns:
        The first port of the block.
    """
    return _reserve(range(20000, 32000), size)


def _reserve(ports: range, size: int) -> int:
    """Reserve the first free block of ports, in an order that differs from process to process."""
    blocks = range(ports.start, ports.stop, size)
    first = os.getpid() % len(blocks)
    for base in [*blocks[first:], *blocks[:first]]:
        reservation = socket.socket(type=socket.SOCK_DGRAM)
        try:
            reservation.bind(("127.0.0.1", base))
            with ExitStack() as listeners:
                for port in range(base, base + size):
                    listeners.enter_context(socket.socket()).bind(("127.0.0.1", port))
        except OSError:
            reservation.close()
        else:
            atexit.register(reservation.close)
            return base
    raise AssertionError(f"No {size} free ports in a row between {ports.start} and {ports.stop}.")


@contextmanager
def running(child: ChildProcess) -> Generator[RunningProcess]:
    """A child process that is ready, for tests that have no event loop of their own."""
    with start_blocking_portal() as portal:
        process = portal.call(RunningProcess.start, child)
        try:
            yield process
        finally:
            portal.call(process.stop)
