"""Runs the twin in the foreground of a terminal until Ctrl-C."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
import time
from collections import deque
from typing import NoReturn

import uvloop
from rich.console import Console

from twin import banner
from twin.plan import Options
from twin.ports import PortTakenError
from twin.stack import StackError
from twin.state import StateError, StateInUseError
from twin.supervisor import Running, TwinError, run

_EXPECTED = (PortTakenError, StateError, StateInUseError, StackError, TwinError)
_MAX_LINES = 15


def run_foreground(options: Options, *, started: float, verbose: bool) -> NoReturn:
    """Runs a twin until a signal or a failure ends it, then exits with status 0 or 1.

    Args:
        options: the options of the user.
        started: start time of the command on the monotonic clock.
        verbose: whether to print the log of the services.
    """
    recent = _RecentLines()
    console_handler = logging.StreamHandler()
    console_handler.setLevel(logging.INFO if verbose else logging.ERROR)
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        handlers=[console_handler, recent],
    )
    for name in ("azure", "asyncio", "httpx", "uvicorn"):
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(options, started))
    except _EXPECTED as error:
        log = "" if verbose or not isinstance(error, TwinError) else recent.text()
        _print(f"error: {error}{log}", file=2)
        _exit(1)
    _exit(0)


async def _run(options: Options, started: float) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    await run(
        options,
        stop=stop,
        announce=lambda running: _announce(running, started),
        notify=lambda notice: (
            _print(f"warning: {notice.text}", file=2) if notice.warning else _print(notice.text, file=1)
        ),
    )


def _announce(running: Running, started: float) -> None:
    gc.freeze()
    # A request creates few reference cycles. With Python's default threshold of 700 objects, garbage
    # collection took a tenth of the time of a request.
    gc.set_threshold(20_000, 20, 50)
    gc.enable()
    console = Console(highlight=False)
    with console.capture() as capture:
        banner.show(console, running, time.monotonic() - started)
    _print(capture.get().rstrip("\n"), file=1)


def _print(text: str, *, file: int) -> None:
    """Prints to a stream; a closed stream is ignored, so that it does not end the twin."""
    with contextlib.suppress(OSError, ValueError):
        stream = sys.stdout if file == 1 else sys.stderr
        print(text, file=stream, flush=True)


def _exit(status: int) -> NoReturn:
    """Exits the process immediately, without waiting for threads.

    After an interrupted start, a thread may still be evaluating the stack; its result is not needed.
    """
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    os._exit(status)


class _RecentLines(logging.Handler):
    """Keeps the last lines of the log for an error message."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: deque[str] = deque(maxlen=_MAX_LINES)

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(self.format(record))

    def text(self) -> str:
        """The end of an error message, with these lines; empty if there are none."""
        return "\nThe last lines of its log:\n  " + "\n  ".join(self._lines) if self._lines else ""
