"""Runs the process of an MCP server, and restarts it when it ends."""

import asyncio
import contextlib
import math
import random
import secrets
import socket
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from enum import StrEnum

from twin.ingress import Ingress, Unavailable
from twin.notices import Notice, Notify
from twin.ports import LOOPBACK, Address
from twin.process import (
    ChildProcess,
    ProcessError,
    RunningProcess,
    format_last_lines,
    is_listening,
)

_START_TIMEOUT = 60.0
# Below the ports that Linux uses for outgoing connections.
_PORTS = range(10_000, 32_768)
_ATTEMPTS = 100
# In seconds. They are those of Kubernetes, on which Container Apps run:
# https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy
_MAX_PAUSE = 300.0
_RESET_PAUSE_AFTER = 600.0
_RETRY_AFTER = 2
"""The number of seconds after which a caller should retry while a server starts."""


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
    """The process of a server. Its address is chosen at random at each start.

    The process accepts every request, because the ingress authenticates callers. A web page in a browser on
    this machine could send requests to a port of 127.0.0.1: through a host name that resolves to this address
    (DNS rebinding), or because the server allows every origin. On Linux, 127.0.0.0/8 has 16 million
    addresses, and a page cannot try all of them. Other systems have only 127.0.0.1.

    A process that was ready and has ended is restarted, after increasing pauses. A process that was never
    ready is restarted only by `restart`.

    Args:
        name: name of the server in messages.
        command: returns the process to start for an address; it may raise `CannotRunError`.
        notify: called with notices for the user.
        pause: number of seconds before the first restart; each further pause is twice as long.

    Attributes:
        state: the state of the server.
        problem: if it is waiting or has failed, the reason in one sentence, without output of the process;
            otherwise empty.
    """

    def __init__(
        self, name: str, command: Callable[[Address], ChildProcess], *, notify: Notify, pause: float = 1.0
    ) -> None:
        self.name = name
        self.state = State.STARTING
        self.problem = ""
        self._command = command
        self._notify = notify
        self._pause = pause
        self._start_ended = asyncio.Event()
        self._retry_at = 0.0
        self._address = Address(LOOPBACK, 0)
        self._running: RunningProcess | None = None
        self._last_lines: tuple[str, ...] = ()
        self._task: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The process id; None if the process is not running."""
        return self._running.pid if self._running is not None else None

    @property
    def failure(self) -> str:
        """The problem and the last lines of output. Only for the console: the output may contain secrets."""
        return self.problem + (format_last_lines(self._last_lines) if self._last_lines else "")

    def target(self) -> Address | Unavailable:
        """The address of the process, or the reason why it accepts no requests."""
        match self.state:
            case State.READY:
                return self._address
            case State.STARTING:
                return Unavailable(f"{self.name} is starting. Try again in a few seconds.", _RETRY_AFTER)
            case State.WAITING:
                pause = max(math.ceil(self._retry_at - time.monotonic()), 0)
                return Unavailable(self.problem, pause + _RETRY_AFTER)
            case State.FAILED:
                return Unavailable(self.problem)

    def start(self) -> None:
        """Starts the process in the background."""
        self._set_starting()
        self._task = asyncio.create_task(self._run(), name=self.name)

    def fail(self, problem: str) -> None:
        """Sets the state to FAILED without starting the process."""
        self.state, self.problem = State.FAILED, problem
        self._start_ended.set()

    async def wait_for_start(self) -> None:
        """Waits until the process is ready or has failed."""
        await self._start_ended.wait()

    async def restart(self) -> None:
        """Restarts the process and waits until it is ready or has failed."""
        # The state is set first, so that no request is sent to the process that is being stopped.
        self._set_starting()
        await self.stop()
        self.start()
        await self.wait_for_start()

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
                with _reserved_address() as address:
                    self._running = await RunningProcess.start(self._command(address), timeout=_START_TIMEOUT)
                self._address = await self._listening_address(address)
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
                self._start_ended.set()
                self._notify(Notice(f"{self.name} is ready ({ready - began:.1f} s)."))
                summary = f"{self.name} ended with status {await self._running.wait()}"
                output = format_last_lines(self._running.last_lines())
                if time.monotonic() - ready > _RESET_PAUSE_AFTER:
                    pause = self._pause
            self.state, self.problem = State.WAITING, f"{summary}. It will be restarted."
            self._retry_at = time.monotonic() + pause
            self._start_ended.set()
            self._notify(Notice(f"{summary}; it will be restarted in {pause:g} s{output}", warning=True))
            await asyncio.sleep(pause)
            pause = min(2 * pause, _MAX_PAUSE)
            self._set_starting()

    async def _listening_address(self, address: Address) -> Address:
        """The address at which the process listens. Prints a notice if it does not listen at `address` only.

        Args:
            address: the address that the process was given in the variable HOST.
        """
        if address.host == LOOPBACK:
            return address
        loopback = Address(LOOPBACK, address.port)
        at_address, at_loopback = [
            result is True
            for result in await asyncio.gather(
                is_listening(address), is_listening(loopback), return_exceptions=True
            )
        ]
        if not at_loopback:
            return address
        problem = (
            "listens on every network interface, so other machines can send requests to it"
            if at_address
            else "listens on 127.0.0.1, so a web page in a browser on this machine can send requests to it"
        )
        self._notify(
            Notice(
                f"{self.name} {problem}. Make it listen only at the address in the variable HOST; {{host}} "
                "in its `local` command is replaced by this address.",
                warning=True,
            )
        )
        return address if at_address else loopback

    def _set_starting(self) -> None:
        self.state, self.problem = State.STARTING, ""
        self._start_ended.clear()


class ServerBehindIngress:
    """An MCP server as a service of the twin: its process and its ingress.

    Attributes:
        process: the process of the server.
        ingress: passes requests to the process.
    """

    process: ServerProcess
    ingress: Ingress

    async def wait(self) -> str:
        """Never returns, because the end of the process does not end the twin."""
        await asyncio.get_running_loop().create_future()
        return "ended"

    async def stop(self) -> None:
        """Stops the process and closes the ingress."""
        await asyncio.gather(self.process.stop(), self.ingress.stop())


@contextmanager
def _reserved_address() -> Generator[Address]:
    """An address at which a server can listen.

    The port is also free on 127.0.0.1, for servers that cannot listen on another address. Inside the context,
    UDP sockets with the same port number prevent other starts from choosing the port.

    Raises:
        CannotRunError: every port that was tried is in use.
    """
    host = _random_loopback()
    for port in random.sample(_PORTS, _ATTEMPTS):
        with contextlib.ExitStack() as stack:
            try:
                for bound in {host, LOOPBACK}:
                    stack.enter_context(socket.socket(type=socket.SOCK_DGRAM)).bind((bound, port))
                    with socket.socket() as probe:
                        probe.bind((bound, port))
            except OSError:
                continue
            yield Address(host, port)
            return
    raise CannotRunError(
        f"{_ATTEMPTS} ports between {_PORTS.start} and {_PORTS.stop - 1} were tried, and all are in use. "
        "Stop some programs."
    )


def _random_loopback() -> str:
    """An address of the loopback interface that cannot be guessed, if the system has several."""
    if sys.platform != "linux":
        return LOOPBACK
    second, third, fourth = (secrets.randbelow(254) + 1 for _ in range(3))
    return f"127.{second}.{third}.{fourth}"
