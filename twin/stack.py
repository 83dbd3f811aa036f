"""Runs the Pulumi program in this process, without Azure and the Pulumi CLI; returns the declared resources.

    stack = evaluate({"sku": "StandardV2"})
    stack.one("azure-native:apimanagement:ApiManagementService").inputs["sku"]

Each evaluation has its own thread, event loop and Pulumi settings, so that one process can evaluate many
stacks, also from inside a running event loop.
"""

import asyncio
import gc
import logging
import runpy
import sys
import traceback
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
from pulumi.runtime import set_all_config
from pulumi.runtime.mocks import MockEngine
from pulumi.runtime.proto import engine_pb2
from pulumi.runtime.settings import SETTINGS, reset_options
from pulumi.runtime.stack import run_in_stack

from configuration import stack_file
from configuration.reader import NOT_READ
from configuration.stack_file import Configuration, ConfigurationError
from twin import daemon_thread, source_positions, version_aliases
from twin.azure.cloud import Cloud
from twin.monitor import STACK_TYPE, UNKNOWN, Callbacks, Declared, Monitor, Provider

__all__ = ["PROJECT", "UNKNOWN", "Declared", "Stack", "StackError", "evaluate"]

PROJECT = Path(__file__).resolve().parent.parent
"""The folder of this project's `Pulumi.yaml`."""


class StackError(Exception):
    """The stack cannot be evaluated; the message describes the error in its configuration or program."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class Stack:
    """The resources and outputs that a program declares.

    Attributes:
        resources: resources in order of registration, without the stack.
        outputs: the stack's outputs.
        secret_outputs: names of the secret outputs.
        encrypted: names of the encrypted settings. They were not read, because only the Pulumi CLI can
            decrypt them.
        configuration: configuration of this project's stack; None for another program.
        warnings: the warnings that the program logged.
    """

    resources: tuple[Declared, ...]
    outputs: Mapping[str, Any]
    secret_outputs: frozenset[str] = frozenset()
    encrypted: tuple[str, ...] = ()
    configuration: Configuration | None = None
    warnings: tuple[str, ...] = ()
    _by_urn: dict[str, Declared] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_urn", {resource.urn: resource for resource in self.resources})

    def __repr__(self) -> str:
        return f"<Stack of {len(self.resources)} resources>"

    def of_type(self, type_: str) -> tuple[Declared, ...]:
        """All resources of a type: a type token, or its part after a colon, such as `apimanagement:Api`."""
        return tuple(
            resource
            for resource in self.resources
            if resource.type == type_ or resource.type.endswith(f":{type_}")
        )

    def one(self, type_: str, name: str | None = None) -> Declared:
        """The only resource with a type and, unless it is None, a logical name.

        Raises:
            LookupError: no resource or several resources match.
        """
        matching = [resource for resource in self.of_type(type_) if name in (None, resource.name)]
        if len(matching) != 1:
            names = ", ".join(resource.name for resource in self.of_type(type_)) or "none"
            raise LookupError(f"expected one {type_} {name or ''}; the stack declares: {names}")
        return matching[0]

    def get(self, urn: str) -> Declared | None:
        """The resource with this URN, or None."""
        return self._by_urn.get(urn)


def evaluate(
    config: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
    *,
    stack: str = "dev",
    preview: bool = False,
    root: Path = PROJECT,
    cloud: Provider | None = None,
) -> Stack:
    """Evaluates `__main__.py` of a Pulumi project.

    Args:
        config: values that override those of `Pulumi.<stack>.yaml`; keys of the project need no namespace.
        secrets: secret values that override those of `Pulumi.<stack>.yaml`.
        stack: the stack whose file is read.
        preview: True to leave Azure's outputs unknown, as in `pulumi preview`.
        root: folder of `Pulumi.yaml`.
        cloud: computes Azure's outputs; by default `Cloud()`, which computes the same values in every run.

    Raises:
        StackError: the configuration or the program is not valid.
    """
    try:
        settings = read_configuration(config, secrets, stack=stack, root=root)
    except ConfigurationError as error:
        raise StackError(str(error)) from None
    monitor = Monitor(cloud or Cloud(), preview=preview)
    engine = _Engine()
    daemon_thread.start(lambda: _run(root, settings, monitor, engine), "pulumi").result()
    root_resource = next(resource for resource in monitor.declared.values() if resource.type == STACK_TYPE)
    return Stack(
        resources=tuple(resource for resource in monitor.declared.values() if resource.type != STACK_TYPE),
        outputs=root_resource.outputs,
        secret_outputs=root_resource.secret_outputs,
        encrypted=settings.encrypted,
        configuration=settings if root == PROJECT else None,
        warnings=tuple(engine.warnings),
    )


def read_configuration(
    config: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
    *,
    stack: str = "dev",
    root: Path = PROJECT,
) -> Configuration:
    """Reads the configuration of a stack; arguments as for `evaluate`.

    A stack in the twin needs no secrets, so encrypted values are not read.

    Raises:
        ConfigurationError: the configuration cannot be read; the message has the reason.
    """
    local = (config or {}).get("local") == "true"
    return stack_file.load(root, stack, config, secrets, encrypted=NOT_READ if local else None)


def _run(root: Path, settings: Configuration, monitor: Monitor, engine: "_Engine") -> None:
    # Pulumi uses internals of this class of event loop.
    loop = asyncio.SelectorEventLoop()
    # Work that Pulumi sends to threads runs in this thread, so that registrations keep the program's order.
    loop.set_default_executor(_InlineExecutor())
    asyncio.set_event_loop(loop)
    try:
        source_positions.skip_source_positions()
        reset_options(
            project=settings.project,
            stack=settings.stack,
            organization="organization",
            root_directory=str(root),
            monitor_address=monitor,  # ty: ignore[invalid-argument-type]  Pulumi accepts an object instead of an address
            engine_address=engine,  # ty: ignore[invalid-argument-type]  likewise
            preview=monitor.preview,
        )
        SETTINGS.callbacks = Callbacks()
        set_all_config(dict(settings.values), sorted(settings.secret_keys))
        with _importable(root), _raised_gc_thresholds():
            loop.run_until_complete(run_in_stack(lambda: _run_program(root)))
    except pulumi.RunError as error:
        raise StackError(str(error)) from error
    except SystemExit as error:
        raise StackError(f"The program called sys.exit: {error.code}") from error
    except Exception as error:
        raise StackError(_error_message(error, root)) from error
    finally:
        _close(loop)
        reset_options()


def _run_program(root: Path) -> None:
    """Runs the program. It returns None, because Pulumi would try to await the namespace of the program."""
    version_aliases.drop_version_aliases()
    runpy.run_path(str(root / "__main__.py"), run_name="__main__")


@contextmanager
def _raised_gc_thresholds() -> Generator[None]:
    """Raises the GC thresholds, because an evaluation creates many objects and frees few of them."""
    before = gc.get_threshold()
    gc.set_threshold(max(before[0], 20_000), 20, 50)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _error_message(error: Exception, root: Path) -> str:
    """The message for an exception of the program, with the file and line of the project that raised it."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(root)
        and not {"twin", ".venv"} & set(Path(frame.filename).relative_to(root).parts)
    ]
    where = f" ({Path(frames[-1].filename).relative_to(root)}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{where}"


def _close(loop: asyncio.AbstractEventLoop) -> None:
    """Cancels the tasks of a failed program without logging them, because its error is already reported."""
    loop.set_exception_handler(lambda _loop, _context: None)
    pending = asyncio.all_tasks(loop)
    for task in pending:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_asyncgens())
    asyncio.set_event_loop(None)
    loop.close()


@contextmanager
def _importable(root: Path) -> Generator[None]:
    """Makes the modules of a project importable for its program, as in `pulumi up`.

    Modules of other projects are removed afterwards, so that the next project can use the same names.
    """
    before = set(sys.modules)
    sys.path.insert(0, str(root))
    try:
        yield
    finally:
        sys.path.remove(str(root))
        if root != PROJECT:
            for name in set(sys.modules) - before:
                file = getattr(sys.modules[name], "__file__", None)
                if file and Path(file).is_relative_to(root):
                    del sys.modules[name]


class _InlineExecutor(ThreadPoolExecutor):
    """Runs each function immediately, in the caller's thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 -- raised where the future is awaited
            future.set_exception(error)
        return future


class _Engine(MockEngine):
    """Records the program's warnings; its errors are raised as exceptions."""

    def __init__(self) -> None:
        super().__init__(logging.getLogger("twin.stack"))
        self.warnings: list[str] = []

    def Log(self, request: Any) -> None:  # noqa: N802 - the name of the remote procedure
        if request.severity == engine_pb2.WARNING:
            self.warnings.append(request.message)
