"""Runs the Pulumi program in this process for the CLI, as the Automation API does with an inline program.

The Automation API's own host leaves an event loop and tasks behind when a program fails, which is what many
of these tests are about; this one closes them.
"""

import asyncio
import gc
import runpy
import sys
import traceback
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pulumi
from pulumi.runtime import reset_options, run_in_stack, set_all_config
from pulumi.runtime.proto import LanguageRuntimeServicer, language_pb2, language_pb2_grpc, plugin_pb2

from twin import version_aliases


@contextmanager
def serve(root: Path) -> Generator[str]:
    """Serves the program of a folder, and gives the value of the CLI's option `--client`."""
    server = grpc.server(ThreadPoolExecutor(max_workers=4))
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(LanguageHost(root), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(grace=None).wait()


class LanguageHost(LanguageRuntimeServicer):
    """The methods of which the CLI makes use. Their names are those of the remote procedures.

    Args:
        root: folder of the program.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Has no version."""
        return plugin_pb2.PluginInfo()

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
            root_directory=str(self._root),
        )
        set_all_config(dict(request.config), list(request.configSecretKeys))
        before = gc.get_threshold()
        gc.set_threshold(20_000, 20, 50)
        loop = asyncio.SelectorEventLoop()
        loop.set_default_executor(ThreadPoolExecutor(max_workers=32))
        asyncio.set_event_loop(loop)
        result = language_pb2.RunResponse()
        try:
            loop.run_until_complete(run_in_stack(self._program))
        except pulumi.RunError as error:
            pulumi.log.error(str(error))
            result.bail = True
        except grpc.RpcError:
            # The engine has failed and gone; it has said why.
            result.bail = True
        except Exception:  # noqa: BLE001 -- the engine shows it, as it does with every program
            pulumi.log.error(traceback.format_exc())
            result.bail = True
        finally:
            _close(loop)
            gc.set_threshold(*before)
        return result

    def _program(self) -> None:
        root = str(self._root)
        if root not in sys.path:
            sys.path.insert(0, root)
        # As in every evaluation by the tests: no resource has been deployed under another version's name.
        version_aliases.drop_version_aliases()
        runpy.run_path(f"{root}/__main__.py", run_name="__main__")


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
