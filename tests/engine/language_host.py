"""Runs the Pulumi program in this process for the CLI, as the Automation API does with an inline program.

The Automation API's own host leaves an event loop and tasks behind when a program fails, which is what many
of these tests are about; this one closes them.
"""

import asyncio
import contextlib
import gc
import platform
import runpy
import sys
import threading
import traceback
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pulumi
from pulumi.runtime import reset_options, run_in_stack, set_all_config
from pulumi.runtime.proto import LanguageRuntimeServicer, language_pb2, language_pb2_grpc, plugin_pb2

from twin import version_aliases

Program = Callable[[], None]


def project(root: Path) -> Program:
    """The program of a folder."""

    def program() -> None:
        if str(root) not in sys.path:
            sys.path.insert(0, str(root))
        # As in every evaluation by the tests: no resource has been deployed under another version's name.
        version_aliases.drop_version_aliases()
        runpy.run_path(f"{root}/__main__.py", run_name="__main__")

    return program


@contextmanager
def serve(program: Program) -> Generator[str]:
    """Serves a program, and gives the value of the CLI's option `--client`."""
    server = grpc.server(ThreadPoolExecutor(max_workers=4))
    host = LanguageHost(program)
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        host.end()
        server.stop(grace=None).wait()


class LanguageHost(LanguageRuntimeServicer):
    """The methods of which the CLI makes use. Their names are those of the remote procedures.

    Args:
        program: what to run.
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting = False
        self._ended = threading.Event()
        self._ended.set()

    def end(self) -> None:
        """Ends a program that still waits for an engine that has failed; the CLI would end its process."""
        with contextlib.suppress(RuntimeError):  # the loop has been closed since
            if (loop := self._loop) is not None:
                loop.call_soon_threadsafe(self._stop, loop)
        assert self._ended.wait(30), "the program does not end"

    def _stop(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._waiting:
            loop.stop()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Has no version."""
        return plugin_pb2.PluginInfo()

    def About(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Says which Python it is."""
        return language_pb2.AboutResponse(executable=sys.executable, version=platform.python_version())

    def GetRequiredPackages(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Requires none: providers are attached."""
        return language_pb2.GetRequiredPackagesResponse()

    def Run(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Runs the program to its end; `bail` says that its error was logged."""
        reset_options(
            project=request.project,
            stack=request.stack,
            organization=request.organization or "organization",
            monitor_address=request.monitor_address,
            engine_address=request.args[0] if request.args else "",
            parallel=request.parallel,
            preview=request.dryRun,
        )
        set_all_config(dict(request.config), list(request.configSecretKeys))
        before = gc.get_threshold()
        gc.set_threshold(20_000, 20, 50)
        self._ended.clear()
        self._loop = loop = asyncio.SelectorEventLoop()
        loop.set_default_executor(ThreadPoolExecutor(max_workers=32))
        asyncio.set_event_loop(loop)
        result = language_pb2.RunResponse()
        self._waiting = True
        try:
            loop.run_until_complete(run_in_stack(self._program))
        except Exception as error:  # noqa: BLE001 -- the engine shows it, as it does with every program
            if not _is_end_of_engine(error):
                pulumi.log.error(str(error) if isinstance(error, pulumi.RunError) else traceback.format_exc())
            result.bail = True
        finally:
            self._waiting = False
            _close(loop)
            gc.set_threshold(*before)
            self._ended.set()
        return result


def _is_end_of_engine(error: Exception) -> bool:
    """Whether a program failed because the engine did, which has said why."""
    if isinstance(error, grpc.Call):
        return error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
    return isinstance(error, RuntimeError) and "loop stopped before Future completed" in str(error)


def _close(loop: asyncio.AbstractEventLoop) -> None:
    """Ends what a failed program left behind. A task that goes on although cancelled is cancelled again."""
    loop.set_exception_handler(lambda _loop, _context: None)
    for _attempt in range(10):
        pending = asyncio.all_tasks(loop)
        if not pending:
            break
        for task in pending:
            task.cancel()
        loop.run_until_complete(asyncio.wait(pending, timeout=1))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(loop.shutdown_default_executor())
    asyncio.set_event_loop(None)
    loop.close()
