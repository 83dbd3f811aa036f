"""Child processes of the twin, which always end when the twin ends."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from twin.ports import Address

_log = logging.getLogger(__name__)

_GRACE_PERIOD = 1.5
"""Seconds between SIGTERM and SIGKILL."""
_LINE_LIMIT = 1024 * 1024
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "TEMP", "SYSTEMROOT", "VIRTUAL_ENV")

# 1 is PR_SET_PDEATHSIG: the kernel kills the child when its parent ends. If the parent has ended before this
# call, the child exits itself.
_EXIT_WITH_PARENT = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
try:
    os.execv(sys.argv[2], sys.argv[2:])
except OSError as error:
    sys.exit(f"cannot start {sys.argv[2]}: {error.strerror}")
"""


class ProcessError(Exception):
    """A child process did not start.

    Args:
        summary: the name of the process and the error, without output of the process, which may contain
            secrets.
        last_lines: the last lines of its output; None if the process was not started.

    Attributes:
        summary: the summary.
        last_lines: the last lines of its output; empty if there is none.
    """

    def __init__(self, summary: str, last_lines: Sequence[str] | None = None) -> None:
        super().__init__(summary if last_lines is None else summary + format_last_lines(last_lines))
        self.summary = summary
        self.last_lines = tuple(last_lines or ())


def format_last_lines(lines: Sequence[str]) -> str:
    """The end of an error message, with the last lines of a program's output."""
    return ". Its last lines:\n  " + "\n  ".join(lines) if lines else ". It printed nothing."


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildProcess:
    """The description of a child process.

    Attributes:
        name: name of the process in logs and errors.
        argv: path of the program, and its arguments; no secrets, because all users can read them.
        env: all environment variables of the process; `base_environment()` has those that most programs need.
        cwd: working directory of the process.
        ready: checks once whether the process is ready; it may raise `OSError` if it is not.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    ready: Callable[[], Awaitable[bool]]


def base_environment() -> dict[str, str]:
    """The environment variables that child processes inherit: paths and locale, no settings, no secrets."""
    return {name: os.environ[name] for name in _INHERITED if name in os.environ}


async def is_listening(address: Address) -> bool:
    """Whether a server accepts connections; a check for `ChildProcess.ready`.

    Raises:
        OSError: it does not.
    """
    _, writer = await asyncio.open_connection(address.host, address.port)
    writer.close()
    return True


async def is_responding(address: Address, path: str) -> bool:
    """Whether a GET request returns status 200; a check for `ChildProcess.ready`.

    Raises:
        OSError: no server accepts connections.
    """
    reader, writer = await asyncio.open_connection(address.host, address.port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        return (await reader.readline()).startswith(b"HTTP/1.1 200")
    finally:
        writer.close()


class RunningProcess:
    """A started child process. It has its own process group, so that `stop` also ends its child processes."""

    def __init__(
        self,
        child: ChildProcess,
        process: asyncio.subprocess.Process,
        output: asyncio.Task[None],
        last_lines: list[str],
    ) -> None:
        self.child = child
        self._process = process
        self._output = output
        self._last_lines = last_lines

    @classmethod
    async def start(cls, child: ChildProcess, *, timeout: float = 30.0) -> "RunningProcess":  # noqa: ASYNC109 -- it ends the child
        """Starts a child process and returns when it is ready.

        The logger `twin.process.<name>` logs its output line by line.

        Args:
            child: the process to start.
            timeout: number of seconds within which the process must be ready.

        Raises:
            ProcessError: the process could not be started, has ended, or was not ready in time. It is no
                longer running.
        """
        try:
            process = await asyncio.create_subprocess_exec(
                *_command(child.argv),
                env=dict(child.env),
                cwd=child.cwd,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
                limit=_LINE_LIMIT,
            )
        except OSError as error:
            raise ProcessError(
                f"{child.name} cannot be started: {child.argv[0]}: {error.strerror}"
            ) from error
        last_lines: list[str] = []
        output = asyncio.create_task(_log_output(child.name, process, last_lines))
        running = cls(child, process, output, last_lines)
        try:
            await running._await_ready(timeout, last_lines)
        except BaseException:
            await running.stop()
            raise
        return running

    @property
    def pid(self) -> int:
        """The process id, which is also the id of the process group."""
        return self._process.pid

    def last_lines(self) -> tuple[str, ...]:
        """The last lines of the output, at most twenty."""
        return tuple(self._last_lines)

    async def wait(self) -> int:
        """Waits until the process ends; returns its exit status, which is negative if a signal ended it."""
        return await self._process.wait()

    async def stop(self) -> None:
        """Ends the process group with SIGTERM, and after a grace period with SIGKILL."""
        _signal_group(self.pid, signal.SIGTERM)
        try:
            async with asyncio.timeout(_GRACE_PERIOD):
                await self._process.wait()
        except TimeoutError:
            _log.warning("%s did not end after SIGTERM", self.child.name)
        finally:
            # Sent even if the process has ended, because a program that it started may still be running.
            _signal_group(self.pid, signal.SIGKILL)
            await self._process.wait()
            await asyncio.wait([self._output], timeout=0.2)
            self._output.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._output

    async def _await_ready(self, timeout: float, last_lines: list[str]) -> None:  # noqa: ASYNC109 -- see `start`
        ended = asyncio.create_task(self._process.wait())
        try:
            async with asyncio.timeout(timeout):
                while not ended.done():
                    if await self._is_ready():
                        return
                    # A short interval, because a check is cheap and some servers start within 0.05 s.
                    await asyncio.wait([ended], timeout=0.02)
        except TimeoutError:
            raise ProcessError(f"{self.child.name} was not ready within {timeout:g} s", last_lines) from None
        finally:
            ended.cancel()
        await asyncio.wait([self._output], timeout=_GRACE_PERIOD)
        raise ProcessError(f"{self.child.name} ended with status {self._process.returncode}", last_lines)

    async def _is_ready(self) -> bool:
        try:
            return await self.child.ready()
        except OSError:
            return False


async def _log_output(name: str, process: asyncio.subprocess.Process, last_lines: list[str]) -> None:
    """Logs the output of a child, and keeps the last lines for an error message."""
    logger = _log.getChild(name)
    if process.stdout is None:
        return
    while True:
        try:
            line = await process.stdout.readline()
        except ValueError:  # a line that is too long, which the reader has dropped
            continue
        if not line:
            return
        text = line.decode(errors="replace").rstrip()
        logger.info("%s", text)
        last_lines.append(text)
        del last_lines[:-20]


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _command(argv: tuple[str, ...]) -> tuple[str, ...]:
    """The command line that runs `argv`. On Linux, the kernel kills the process when this process ends.

    Child processes therefore end even after `kill -9` of the twin. On other systems, this is `argv` itself.
    """
    if sys.platform != "linux":
        return argv
    # A separate program instead of `preexec_fn`, which is not safe in a process with threads.
    return (sys.executable, "-I", "-S", "-c", _EXIT_WITH_PARENT, str(os.getpid()), *argv)
