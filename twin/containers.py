"""Container Apps as processes: each behind the built-in authentication that the stack declares for it.

There is no container engine: what runs in place of an image comes from `twin.local_images`, or from the stack
itself (`local: {command: ...}` of an entry of `containers`).
"""

import asyncio
import logging
import os
import shutil
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import aiohttp
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from twin import node
from twin.azure.container_app import ContainerApp
from twin.builtin_auth import BuiltInAuthMiddleware, TokenCheck
from twin.clock import Clock
from twin.local_images import LocalCommand, LocalImageError, local_command
from twin.mcp_atlassian import EnvironmentSetupError
from twin.node import NodeError
from twin.ports import LOOPBACK
from twin.process import ChildProcess, ProcessError, RunningProcess, base_environment, listening
from twin.reverse_proxy import ReverseProxy
from twin.serving import AsgiServer

_log = logging.getLogger(__name__)

_START_TIMEOUT = 60.0
# Seconds. As Kubernetes restarts containers, on which Container Apps run:
# https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy
_LONGEST_PAUSE = 300.0
_HEALTHY_AFTER = 600.0
_NPM_SETTINGS = ("npm_config_", "http_proxy", "https_proxy", "no_proxy")


class CannotRunError(Exception):
    """Nobody knows how to run a container here; the message says what to add."""


class Container:
    """One Container App: its process, and the ingress that alone leads to it.

    A container that cannot run, or that has ended, leaves the rest of the twin alone: its ingress answers 503
    and says why. One that served and has ended is started again, after pauses that grow.

    Args:
        app: as declared.
        port: of the ingress on 127.0.0.1; the process has another, that the system chooses.
        folder: the process's working directory and home, its own.
        clock: by which tokens expire.
        tell: is called with a sentence for the user when it ends by itself.
        pause: seconds before it is first started again; each further pause is twice as long.

    Attributes:
        name: of the app.
        stand_in: which of the twin's stand-ins the process talks to; None for none.
    """

    def __init__(
        self,
        app: ContainerApp,
        *,
        port: int,
        folder: Path,
        clock: Clock,
        tell: Callable[[str], object],
        pause: float = 1.0,
    ) -> None:
        self.name = app.name
        self.app = app
        self.port = port
        self._tell = tell
        self._pause = pause
        self._problem: str | None = None
        self._settled = asyncio.Event()
        self._running: RunningProcess | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._process_port = _free_port()
        self._command: LocalCommand | None = None
        try:
            self._command = command_of(app, port=self._process_port, folder=folder)
        except (CannotRunError, LocalImageError, NodeError, EnvironmentSetupError) as error:
            self._fail(f"{app.name} cannot run here: {error}")
        self.stand_in = self._command.stand_in if self._command else None
        self._proxy = ReverseProxy(f"http://{LOOPBACK}:{self._process_port}")
        locked: ASGIApp = self._serve
        if app.auth is not None:
            locked = BuiltInAuthMiddleware(locked, check=TokenCheck(app.auth, clock=clock))
        self._server = AsgiServer(app.name, locked, port)

    @property
    def problem(self) -> str | None:
        """Why it does not run; None when it does, or still starts."""
        return self._problem

    @property
    def is_starting(self) -> bool:
        """Whether it is neither up nor given up."""
        return not self._settled.is_set()

    def use(self, environment: Mapping[str, str]) -> None:
        """Lays variables over the process's environment; has an effect before it is started."""
        if self._command is not None:
            self._command = replace(self._command, env={**self._command.env, **environment})

    async def start(self) -> None:
        """Opens the ingress and begins to start the process.

        Raises:
            OSError: the port is taken.
        """
        await self._server.start()
        if self._command is not None:
            self._tasks.append(asyncio.create_task(self._run(self._command), name=self.name))

    async def settle(self) -> None:
        """Returns when the process serves, or has failed to."""
        await self._settled.wait()

    async def wait(self) -> str:
        """Waits for the end of the ingress; the process's end is told and answered with 503."""
        return await self._server.wait()

    async def stop(self) -> None:
        """Ends both, and all that the process has started."""
        for task in self._tasks:
            task.cancel()
        stopping = [self._server.stop(), *self._tasks]
        if self._running is not None:
            stopping.append(self._running.stop())
        await asyncio.gather(*stopping, return_exceptions=True)
        await self._proxy.close()

    async def _run(self, command: LocalCommand) -> None:
        child = ChildProcess(
            name=self.name, argv=command.argv, env=command.env, cwd=command.folder, ready=command.ready
        )
        pause, served = self._pause, False
        while True:
            try:
                self._running = await RunningProcess.start(child, timeout=_START_TIMEOUT)
            except ProcessError as error:
                self._fail(str(error))
                self._tell(str(error))
                if not served:
                    return
            else:
                served, self._problem = True, None
                self._settled.set()
                since = time.monotonic()
                status = await self._running.wait()
                if time.monotonic() - since > _HEALTHY_AFTER:
                    pause = self._pause
                said = self._running.last_lines()
                self._fail(f"{self.name} ended with status {status}. It is started again.")
                self._tell(
                    f"{self.name} ended with status {status}; it is started again in {pause:g} s."
                    + ("\n  It said:\n  " + "\n  ".join(said) if said else " It said nothing.")
                )
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
            # Callers wait for a process that starts.
            self._settled.clear()

    def _fail(self, problem: str) -> None:
        self._problem = problem
        self._settled.set()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What stands behind the lock. Who comes while the process starts waits, as at a cold start."""
        await self._settled.wait()
        answering = False

        async def noted(message: Message) -> None:
            nonlocal answering
            answering = True
            await send(message)

        if self._problem is None:
            try:
                await self._proxy(scope, receive, noted)
            except (aiohttp.ClientError, OSError) as error:
                _log.info("%s does not answer: %s", self.name, type(error).__name__)
                if answering:
                    raise
            else:
                return
        # The log's last lines are for the console: they may hold what callers must not see.
        message = (self._problem or f"{self.name} does not answer").partition("; it said")[0]
        await JSONResponse({"error": message}, status_code=503)(scope, receive, send)


def command_of(app: ContainerApp, *, port: int, folder: Path) -> LocalCommand:
    """What runs in place of an app's container.

    Raises:
        CannotRunError: the stack does not say, and the image is not known.
        LocalImageError, NodeError, EnvironmentSetupError: see `twin.local_images`.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if app.local_command:
        return _own_command(app, port=port, folder=folder)
    known = local_command(app.image, app.command, app.args, app.env, port=port, folder=folder)
    if known is None:
        raise CannotRunError(
            f"the twin does not know the image {app.image}. Say what to run in its place, in the entry of "
            f"`containers`:\n    local:\n      command: npx <package> --port {{port}}"
        )
    return known


def _own_command(app: ContainerApp, *, port: int, folder: Path) -> LocalCommand:
    """The command that the stack itself names; it runs as its user would run it, without a shell."""
    program, *arguments = (word.replace("{port}", str(port)) for word in app.local_command)
    inherited = base_environment() | {
        name: value for name, value in os.environ.items() if name.lower().startswith(_NPM_SETTINGS)
    }
    path = os.pathsep.join(
        [str(node.node().parent), str(node.ROOT / "node_modules" / ".bin"), inherited.get("PATH", "")]
    )
    env = inherited | {"PATH": path} | dict(app.env) | {"PORT": str(port)}
    if program == "npx":
        _, npm = node.npm()
        npx = str(Path(npm).with_name("npx-cli.js"))
        argv = (str(node.node()), npx, "--yes", "--prefix", str(node.ROOT), *arguments)
    else:
        # A path is one from the project's folder, not from the process's own.
        found = shutil.which(str(node.ROOT / program) if os.sep in program else program, path=path)
        if found is None:
            raise CannotRunError(
                f"there is no program {program!r}, which its `local` command names. Install it, or correct "
                "the command"
            )
        argv = (found, *arguments)
    return LocalCommand(argv=argv, env=env, folder=folder, stand_in=None, ready=partial(listening, port))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return probe.getsockname()[1]
