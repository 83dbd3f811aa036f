"""Child processes of the twin: started, watched, and never left behind."""

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

# 1 is PR_SET_PDEATHSIG. The parent may have ended before it took effect; then the child ends too.
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
        summary: which, and how it failed.
        last_lines: of its output; None when it was not even started.

    Attributes:
        summary: the same; it holds nothing of the output, in which secrets may be.
        last_lines: the same.
    """

    def __init__(self, summary: str, last_lines: Sequence[str] | None = None) -> None:
        super().__init__(summary if last_lines is None else summary + printed(last_lines))
        self.summary = summary
        self.last_lines = tuple(last_lines or ())


def printed(lines: Sequence[str]) -> str:
    """The end of a message: the last lines that a program printed."""
    return ". Its last lines:\n  " + "\n  ".join(lines) if lines else ". It printed nothing."


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildProcess:
    """What to run.

    Attributes:
        name: how logs and errors call it.
        argv: the program, by path, and its arguments. No secrets: every user of the machine can read them.
        env: its whole environment; `base_environment()` is what most programs need of ours.
        cwd: its working directory.
        ready: checks once whether it serves; it may raise `OSError` if not.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    ready: Callable[[], Awaitable[bool]]


def base_environment() -> dict[str, str]:
    """The part of our own environment that a child may see: paths and locale, no settings, no secrets."""
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
    """A child that has started. Each leads a process group of its own, so its children end with it."""

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
    async def start(cls, child: ChildProcess, *, timeout: float = 30.0) -> "RunningProcess":  # noqa: ASYNC109
        """Starts a child and returns when it is ready.

        What it prints goes line by line to the logger `twin.process.<name>`.

        Args:
            child: what to run.
            timeout: seconds that it may take to become ready.

        Raises:
            ProcessError: it could not be started, ended, or was not ready in time. It does not run any more.
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
        """Its process id, which is its process group's too."""
        return self._process.pid

    def last_lines(self) -> tuple[str, ...]:
        """The last lines that it has printed, twenty at most."""
        return tuple(self._last_lines)

    async def wait(self) -> int:
        """Waits until it ends and gives its exit status, negative if a signal ended it."""
        return await self._process.wait()

    async def stop(self) -> None:
        """Ends it and all of its group: SIGTERM, then SIGKILL. Harmless when it has ended."""
        _signal_group(self.pid, signal.SIGTERM)
        try:
            async with asyncio.timeout(_GRACE):
                await self._process.wait()
        except TimeoutError:
            _log.warning("%s did not end after SIGTERM", self.child.name)
        finally:
            # Also when it has ended: a program that it started may still run.
            _signal_group(self.pid, signal.SIGKILL)
            await self._process.wait()
            await asyncio.wait([self._output], timeout=0.2)
            self._output.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._output

    async def _await_ready(self, timeout: float, last_lines: list[str]) -> None:  # noqa: ASYNC109
        ended = asyncio.create_task(self._process.wait())
        try:
            async with asyncio.timeout(timeout):
                while not ended.done():
                    if await self._is_ready():
                        return
                    # A look at a socket is cheap; starting takes from 0.05 s (Go) to seconds (Python).
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
    """Passes on what a child prints, and keeps the last lines for an error message."""
    logger = _log.getChild(name)
    if process.stdout is None:
        return
    while True:
        try:
            line = await process.stdout.readline()
        except ValueError:  # a line over the limit; the reader has dropped it
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
    """A command line that, on Linux, asks to be killed when this process ends, and then becomes `argv`.

    So not even `kill -9` of the twin leaves a child behind. Elsewhere it is `argv` itself.
    """
    if sys.platform != "linux":
        return argv
    # A step of its own rather than `preexec_fn`, which is not safe in a process with threads.
    return (sys.executable, "-I", "-S", "-c", _DIE_WITH_PARENT, str(os.getpid()), *argv)
