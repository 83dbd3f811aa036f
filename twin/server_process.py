"""The process of an MCP server, which is monitored and restarted."""

import asyncio
import math
import random
import socket
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from enum import StrEnum

from twin.ingress import Ingress, Unavailable
from twin.notices import Notice, Notify
from twin.ports import LOOPBACK
from twin.process import ChildProcess, ProcessError, RunningProcess, printed

_START_TIMEOUT = 60.0
_PORTS = range(10_000, 12_000)
# Seconds, like the restarts of containers in Kubernetes, on which Container Apps run:
# https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy
_LONGEST_PAUSE = 300.0
_HEALTHY_AFTER = 600.0
_RETRY_AFTER = 2
"""Seconds after which a caller should retry while a server starts."""


class CannotRunError(Exception):
    """A server cannot run on this machine with its declaration; the message has the remedy."""


class State(StrEnum):
    """The state of a server."""

    STARTING = "starting"
    READY = "ready"
    WAITING = "waiting"
    """The process has ended and will be restarted after a pause."""
    FAILED = "failed"


class ServerProcess:
    """A process that listens on a port of 127.0.0.1, which is chosen at each start.

    A process that was ready and has ended is restarted, after increasing pauses. A process that was never
    ready is restarted only by `restart`.

    Args:
        name: its name in messages.
        command: returns the process to start for a port; it may raise `CannotRunError`.
        notify: called with notices for the user.
        pause: seconds before the first restart; each further pause is twice as long.

    Attributes:
        state: its state.
        problem: the reason why it is waiting or has failed, in one sentence without its output; otherwise
            empty.
    """

    def __init__(
        self, name: str, command: Callable[[int], ChildProcess], *, notify: Notify, pause: float = 1.0
    ) -> None:
        self.name = name
        self.state = State.STARTING
        self.problem = ""
        self._command = command
        self._notify = notify
        self._pause = pause
        self._settled = asyncio.Event()
        self._retry_at = 0.0
        self._port = 0
        self._running: RunningProcess | None = None
        self._last_lines: tuple[str, ...] = ()
        self._task: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Its process id; None if it is not running."""
        return self._running.pid if self._running is not None else None

    @property
    def failure(self) -> str:
        """The reason and the last lines of output, which may contain secrets: for the console only."""
        return self.problem + (printed(self._last_lines) if self._last_lines else "")

    def target(self) -> int | Unavailable:
        """The port of the process, or the reason why it accepts no requests."""
        match self.state:
            case State.READY:
                return self._port
            case State.STARTING:
                return Unavailable(f"{self.name} is starting. Try again in a few seconds.", _RETRY_AFTER)
            case State.WAITING:
                pause = max(math.ceil(self._retry_at - time.monotonic()), 0)
                return Unavailable(self.problem, pause + _RETRY_AFTER)
            case State.FAILED:
                return Unavailable(self.problem)

    def start(self) -> None:
        """Starts the process in the background."""
        self._begin()
        self._task = asyncio.create_task(self._run(), name=self.name)

    def fail(self, problem: str) -> None:
        """Sets the state to FAILED without starting the process."""
        self.state, self.problem = State.FAILED, problem
        self._settled.set()

    async def settle(self) -> None:
        """Waits until the process is ready or has failed."""
        await self._settled.wait()

    async def restart(self) -> None:
        """Restarts the process and waits until it is ready or has failed."""
        # Set first, so that no request is sent to a process that is ending.
        self._begin()
        await self.stop()
        self.start()
        await self.settle()

    async def stop(self) -> None:
        """Stops the process and its children."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        if self._running is not None:
            await self._running.stop()
            self._running = None

    async def _run(self) -> None:
        pause, was_ready = self._pause, False
        while True:
            began = time.monotonic()
            try:
                with _reserved_port() as self._port:
                    self._running = await RunningProcess.start(
                        self._command(self._port), timeout=_START_TIMEOUT
                    )
            except (ProcessError, CannotRunError) as error:
                self._running = None
                summary, self._last_lines = (
                    (error.summary, error.last_lines) if isinstance(error, ProcessError) else (str(error), ())
                )
                if not was_ready:
                    self.fail(summary)
                    remedy = f"Correct the cause, then run: python -m twin restart {self.name}"
                    self._notify(Notice(f"{error}\n{remedy}", warning=True))
                    return
                output = str(error).removeprefix(summary)
            else:
                was_ready, ready = True, time.monotonic()
                self.state = State.READY
                self._settled.set()
                self._notify(Notice(f"{self.name} is ready ({ready - began:.1f} s)."))
                summary = f"{self.name} ended with status {await self._running.wait()}"
                output = printed(self._running.last_lines())
                if time.monotonic() - ready > _HEALTHY_AFTER:
                    pause = self._pause
            self.state, self.problem = State.WAITING, f"{summary}. It will be restarted."
            self._retry_at = time.monotonic() + pause
            self._settled.set()
            self._notify(Notice(f"{summary}; it will be restarted in {pause:g} s{output}", warning=True))
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
            self._begin()

    def _begin(self) -> None:
        self.state, self.problem = State.STARTING, ""
        self._settled.clear()


class ServerBehindIngress:
    """An MCP server as a service of the twin: its process and its ingress.

    Attributes:
        process: its process.
        ingress: passes requests on to the process.
    """

    process: ServerProcess
    ingress: Ingress

    async def wait(self) -> str:
        """Never returns: the end of its process does not end the twin."""
        await asyncio.get_running_loop().create_future()
        return "ended"

    async def stop(self) -> None:
        """Stops the process and closes the ingress."""
        await asyncio.gather(self.process.stop(), self.ingress.stop())


@contextmanager
def _reserved_port() -> Generator[int]:
    """A free port for a server to listen on, below those that systems choose for outgoing connections.

    Until the server listens, a UDP socket on the same port number keeps other starts from choosing it.

    Raises:
        CannotRunError: every port of the range is in use.
    """
    for port in random.sample(_PORTS, len(_PORTS)):
        with socket.socket(type=socket.SOCK_DGRAM) as reservation, socket.socket() as probe:
            try:
                reservation.bind((LOOPBACK, port))
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            probe.close()
            yield port
            return
    raise CannotRunError(
        f"Every port from {_PORTS.start} to {_PORTS.stop - 1} is in use. Stop some programs."
    )
