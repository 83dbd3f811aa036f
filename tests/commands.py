"""Python commands that tests start: `python -m MODULE`, without the imports of a new process.

A command is forked from a server process that has imported `tests.preloaded`. It has its own session,
arguments, environment, folder and output, like any process. Tests that check how Python itself starts a
command run `sys.executable` instead.
"""

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from multiprocessing.context import ForkServerContext
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class Command:
    """A running command, with the methods of `subprocess.Popen` that tests use.

    Args:
        module: the module, as for `python -m`.
        arguments: the arguments of the command.
        output: the file for its output.
        errors: the file for its error output; None for the same as `output`.
        env: its environment; None for that of this process.
        before: Python code that the command runs first.
    """

    def __init__(
        self,
        module: str,
        *arguments: str,
        output: Path,
        errors: Path | None = None,
        env: Mapping[str, str] | None = None,
        before: str = "",
    ) -> None:
        environment = dict(os.environ if env is None else env)
        self._process = _context().Process(
            target=_run, args=(module, arguments, output, errors, environment, before), daemon=True
        )
        self._process.start()

    @property
    def pid(self) -> int:
        """Its process id, which is also its session's id."""
        pid = self._process.pid
        assert pid is not None
        return pid

    def poll(self) -> int | None:
        """Its exit status; negative for a signal, None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Waits for its end and returns the exit status.

        Raises:
            subprocess.TimeoutExpired: it has not ended in time.
        """
        self._process.join(timeout)
        status = self._process.exitcode
        if status is None:
            raise subprocess.TimeoutExpired(str(self._process), timeout or 0)
        return status

    def send_signal(self, number: signal.Signals) -> None:
        """Sends a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)


def run(
    module: str, *arguments: str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end, in the project's folder, and returns its status and output."""
    with tempfile.TemporaryDirectory() as folder:
        output, errors = Path(folder) / "output", Path(folder) / "errors"
        status = Command(module, *arguments, output=output, errors=errors, env=env).wait(timeout=90)
        return subprocess.CompletedProcess(
            (module, *arguments), status, output.read_text(), errors.read_text()
        )


def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.preloaded", __name__])
    return context


def _run(
    module: str,
    arguments: tuple[str, ...],
    output: Path,
    errors: Path | None,
    environment: dict[str, str],
    before: str,
) -> None:
    os.setsid()
    os.chdir(ROOT)
    os.environ.clear()
    os.environ.update(environment)
    for descriptor, file in ((1, output), (2, errors or output)):
        opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(opened, descriptor)
        os.close(opened)
    sys.argv = [module, *arguments]
    exec(before, {})
    runpy.run_module(module, run_name="__main__", alter_sys=True)
