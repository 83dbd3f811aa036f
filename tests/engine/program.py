"""Programs that the engine runs, each in its own process.

When a process ends, so do all its threads and tasks that wait for a failed engine. Processes are forked from
a server that has imported the SDKs but has never opened a gRPC channel, because gRPC does not work in a fork
of a process that has opened one.
"""

import asyncio
import gc
import multiprocessing
import os
import pickle
import runpy
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any

import grpc
import pulumi
from pulumi.runtime import reset_options, run_in_stack, set_all_config

import settings
from gateway import propagation
from twin import version_aliases

BAILED = 32
"""Exit code of a program whose error was logged, as in Pulumi's own language host."""

Program = Callable[[], None]
"""A function or record that can be pickled."""


@dataclass(frozen=True, slots=True)
class Project:
    """The program of a folder.

    Attributes:
        root: the folder.
    """

    root: Path

    def __call__(self) -> None:
        if str(self.root) not in sys.path:
            sys.path.insert(0, str(self.root))
        # As in every evaluation by the tests: no resource has been deployed under another version's name.
        version_aliases.drop_version_aliases()
        runpy.run_path(f"{self.root}/__main__.py", run_name="__main__")


@dataclass(frozen=True, slots=True)
class ProjectWithShortWaits(Project):
    """The same program, which waits only 10 ms before the first retry of a refused request."""

    def __call__(self) -> None:
        propagation.FIRST_WAIT = 0.01
        Project.__call__(self)


@dataclass(frozen=True, slots=True)
class SettingsReader:
    """A program that only reads its configuration.

    Attributes:
        file: where it pickles the `Settings`.
    """

    file: Path

    def __call__(self) -> None:
        self.file.write_bytes(pickle.dumps(settings.load()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request of the engine to run a program.

    Attributes:
        options: keyword arguments of `pulumi.runtime.reset_options`.
        configuration: the stack's, decrypted.
        secret_keys: the keys of secret values.
    """

    options: Mapping[str, Any]
    configuration: Mapping[str, str]
    secret_keys: tuple[str, ...]


def start(program: Program, request: Request) -> ForkServerProcess:
    """Starts the program; the exit code is 0, or `BAILED`."""
    process = _context().Process(target=_run, args=(program, request), daemon=True)
    process.start()
    return process


def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "tests.engine.preloaded"])
    return context


def _discard(*_arguments: object, **_options: object) -> None:
    """Ignores a message."""


def _run(program: Program, request: Request) -> None:
    gc.set_threshold(20_000, 20, 50)
    # Each of the SDK's debug messages, several for each resource, would wait for the engine.
    vars(pulumi.log)["debug"] = _discard
    reset_options(**request.options)
    set_all_config(dict(request.configuration), list(request.secret_keys))
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    code = 0
    try:
        loop.run_until_complete(run_in_stack(program))
    except Exception as error:  # noqa: BLE001 -- the engine shows it, as it does with every program
        code = BAILED
        if not isinstance(error, grpc.Call):
            pulumi.log.error(str(error) if isinstance(error, pulumi.RunError) else traceback.format_exc())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        # Ends threads that still wait for an answer of the engine.
        os._exit(code)
