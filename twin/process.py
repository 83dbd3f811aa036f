"""Child processes of the twin, which always end when it ends."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_log = logging.getLogger(__name__)

_GRACE = 1.5
"""Seconds between SIGTERM and SIGKILL."""
_LINE_LIMIT = 1024 * 1024
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "TEMP", "SYSTEMROOT", "VIRTUAL_ENV")

# 1 is PR_SET_PDEATHSIG. If the parent ended before the call took effect, the child exits too.
_DIE_WITH_PARENT = """
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
        summary: the name of the process and the error, without its output, which may contain secrets.
        last_lines: the last lines of its output; None if it was not started.

    Attributes:
        summary: the summary.
        last_lines: the last lines of its output.
    """

    def __init__(self, summary: str, last_lines: Sequence[str] | None = None) -> None:
        super().__init__(summary if last_lines is None else summary + printed(last_lines))
        self.summary = summary
        self.last_lines = tuple(last_lines or ())


def printed(lines: Sequence[str]) -> str:
    """The last lines of a program's output, as the end of a message."""
    return ". Its last lines:\n  " + "\n  ".join(lines) if lines else ". It printed nothing."


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildProcess:
    """The description of a child process.

    Attributes:
        name: its name in logs and errors.
        argv: path of the program, and its arguments; no secrets, because all users can read them.
        env: all its environment variables; `base_environment()` has those that most programs need.
        cwd: its working directory.
        ready: checks once whether it is ready; it may raise `OSError` if not.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    ready: Callable[[], Awaitable[bool]]


def base_environment() -> dict[str, str]:
    """The environment variables that children inherit: paths and locale, no settings, no secrets."""
    return {name: os.environ[name] for name in _INHERITED if name in os.environ}


async def listening(port: int) -> bool:
    """Whether something accepts connections at a port of 127.0.0.1: the simplest `ready`."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()
    return True


async def answers(port: int, path: str) -> bool:
    """Whether a GET request to a port of 127.0.0.1 is answered with 200: a `ready` for HTTP servers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        return (await reader.readline()).startswith(b"HTTP/1.1 200")
    finally:
        writer.close()


class RunningProcess:
    """A started child. It has its own process group, so that `stop` also ends its children."""

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
        """Starts a child and returns when it is ready.

        Its output is logged line by line by the logger `twin.process.<name>`.

        Args:
            child: the process to start.
            timeout: seconds within which it must be ready.

        Raises:
            ProcessError: it could not be started, has ended, or was not ready in time. It is stopped.
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
        """Its process id, which is also the id of its process group."""
        return self._process.pid

    def last_lines(self) -> tuple[str, ...]:
        """The last lines of its output, at most twenty."""
        return tuple(self._last_lines)

    async def wait(self) -> int:
        """Waits until it ends and returns its exit status, negative if a signal ended it."""
        return await self._process.wait()

    async def stop(self) -> None:
        """Ends its process group with SIGTERM, then SIGKILL."""
        _signal_group(self.pid, signal.SIGTERM)
        try:
            async with asyncio.timeout(_GRACE):
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
        await asyncio.wait([self._output], timeout=_GRACE)
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
    """The command line for `argv`. On Linux the kernel kills the process when this process ends.

    Therefore children end even after `kill -9` of the twin. On other systems it is `argv` itself.
    """
    if sys.platform != "linux":
        return argv
    # A separate program instead of `preexec_fn`, which is not safe in a process with threads.
    return (sys.executable, "-I", "-S", "-c", _DIE_WITH_PARENT, str(os.getpid()), *argv)
