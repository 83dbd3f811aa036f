"""Runs the Pulumi program in this process for the CLI, as the Automation API does with an inline program.

The Automation API's own host leaves an event loop and tasks behind when a program fails, which is what many
of these tests are about; this one closes them.
"""

import asyncio
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
        self._ended = threading.Event()
        self._ended.set()

    def end(self) -> None:
        """Ends a program that still waits for an engine that has failed; the CLI would end its process."""
        loop = self._loop
        if loop is not None and not self._ended.is_set():
            loop.call_soon_threadsafe(lambda: [task.cancel() for task in asyncio.all_tasks(loop)])
        assert self._ended.wait(30), "the program does not end"

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
        loop = asyncio.SelectorEventLoop()
        loop.set_default_executor(ThreadPoolExecutor(max_workers=32))
        asyncio.set_event_loop(loop)
        self._loop = loop
        self._ended.clear()
        result = language_pb2.RunResponse()
        try:
            loop.run_until_complete(run_in_stack(self._program))
        except pulumi.RunError as error:
            pulumi.log.error(str(error))
            result.bail = True
        except (grpc.RpcError, asyncio.CancelledError):
            # The engine has failed and gone; it has said why.
            result.bail = True
        except Exception:  # noqa: BLE001 -- the engine shows it, as it does with every program
            pulumi.log.error(traceback.format_exc())
            result.bail = True
        finally:
            _close(loop)
            gc.set_threshold(*before)
            self._ended.set()
        return result


def _close(loop: asyncio.AbstractEventLoop) -> None:
    """Ends what a failed program left behind."""
    loop.set_exception_handler(lambda _loop, _context: None)
    pending = asyncio.all_tasks(loop)
    for task in pending:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(loop.shutdown_default_executor())
    asyncio.set_event_loop(None)
    loop.close()
