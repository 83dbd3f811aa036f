"""Runs the Pulumi program for the CLI, which calls this language host instead of starting its own."""

import platform
import sys
import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from typing import Any

import grpc
from pulumi.runtime.proto import LanguageRuntimeServicer, language_pb2, language_pb2_grpc, plugin_pb2

from tests.engine import program
from tests.engine.program import Program


@contextmanager
def serve(served: Program) -> Generator[str]:
    """Serves a program, and yields the value of the CLI's option `--client`."""
    server = grpc.server(ThreadPoolExecutor(max_workers=4))
    host = LanguageHost(served)
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        host.end()
        server.stop(grace=None).wait()


class LanguageHost(LanguageRuntimeServicer):
    """The methods that the CLI calls. Their names are those of the remote procedures.

    Args:
        served: the program to run.
    """

    def __init__(self, served: Program) -> None:
        self._served = served
        self._running = set[BaseProcess]()
        self._lock = threading.Lock()
        self._ended = False

    def end(self) -> None:
        """Kills running programs, as the CLI does; a program may wait for an engine that has failed."""
        with self._lock:
            self._ended = True
            running = list(self._running)
        for process in running:
            process.kill()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Returns the plugin's description, without a version."""
        return plugin_pb2.PluginInfo()

    def About(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Returns the version of Python."""
        return language_pb2.AboutResponse(executable=sys.executable, version=platform.python_version())

    def GetRequiredPackages(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Returns no packages, because the providers are attached."""
        return language_pb2.GetRequiredPackagesResponse()

    def Run(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Runs the program to its end; `bail` means that its error was logged."""
        requested = program.Request(
            options={
                "project": request.project,
                "stack": request.stack,
                "organization": request.organization or "organization",
                "monitor_address": request.monitor_address,
                "engine_address": request.args[0] if request.args else "",
                "parallel": request.parallel,
                "preview": request.dryRun,
            },
            configuration=dict(request.config),
            secret_keys=tuple(request.configSecretKeys),
        )
        with self._lock:
            if self._ended:
                return language_pb2.RunResponse(bail=True)
            process = program.start(self._served, requested)
            self._running.add(process)
        process.join()
        with self._lock:
            self._running.discard(process)
        if process.exitcode in (0, program.BAILED):
            return language_pb2.RunResponse(bail=process.exitcode != 0)
        return language_pb2.RunResponse(error=f"the program ended with code {process.exitcode}")
