"""Container Apps as processes: each behind the ingress that the stack declares for it.

There is no container engine: what runs in place of an image comes from `twin.local_images`, or from the stack
itself (`local: {command: ...}` of an entry of `containers`).
"""

import asyncio
import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from backends.server import ROUTE_SUFFIX
from twin import node
from twin.azure.container_app import ContainerApp
from twin.builtin_auth import TokenCheck
from twin.clock import Clock
from twin.ingress import Ingress
from twin.local_images import local_command
from twin.mcp_atlassian import EnvironmentSetupError
from twin.node import NodeError
from twin.notices import Notify
from twin.plan import Plan
from twin.process import ChildProcess, base_environment, listening
from twin.server_process import CannotRunError, ServerProcess, State
from twin.shared_readings import SharedReadings
from twin.stand_in import LocalCommand, LocalImageError

_NPM_SETTINGS = ("npm_config_", "http_proxy", "https_proxy", "no_proxy")


class Container:
    """One Container App: its process, and the ingress that alone leads to it.

    A container that cannot run, or that has ended, does not affect the rest of the twin: its ingress answers
    503 with the reason.

    Args:
        app: as declared.
        port: of the ingress on 127.0.0.1.
        folder: known images use it as their working directory and home.
        clock: by which tokens expire.
        readings: how Azure behaves where that is not documented.
        notify: is called with what the user should know.
        pause: see `ServerProcess`.

    Attributes:
        name: of the app.
        backend: the MCP server that it is a part of.
        app: as declared, or as declared later (`restart`).
        port: of the ingress.
        process: runs in place of its image.
        stand_in: name of the service whose stand-in the process talks to; None for none.
    """

    def __init__(
        self,
        app: ContainerApp,
        *,
        port: int,
        folder: Path,
        clock: Clock,
        notify: Notify,
        readings: SharedReadings | None = None,
        pause: float = 1.0,
    ) -> None:
        self.name, self.backend = app.name, app.backend
        self.app = app
        self.port = port
        self.stand_in: str | None = None
        self._folder = folder
        self._overlay: Mapping[str, str] = {}
        self.process = ServerProcess(app.name, self._child, notify=notify, pause=pause)
        try:
            self.stand_in = self._command(app, 0).stand_in
        except CannotRunError as error:
            self.process.fail(str(error))
        self._ingress = Ingress(
            app.name,
            app.host,
            check=TokenCheck(app.auth, clock=clock) if app.auth is not None else None,
            target=self.process.target,
            passes_token=lambda: readings is None or readings.current.container_authorization == "passed",
            notify=notify,
        )

    def use(self, environment: Mapping[str, str]) -> None:
        """Adds variables to the process's environment; has an effect when it is started the next time."""
        self._overlay = environment

    async def open(self) -> None:
        """Opens the ingress, which answers 503 until the process is ready.

        Raises:
            OSError: the port is taken.
        """
        await self._ingress.start(self.port)

    async def start(self) -> None:
        """Begins to start the process, unless it cannot run."""
        if self.process.state is not State.FAILED:
            self.process.start()

    async def restart(self, plan: Plan) -> None:
        """Starts the process again, with its command and files as they are now; returns when it is settled.

        Args:
            plan: declares the app; a change of its ingress is ignored.

        Raises:
            CannotRunError: it cannot run as it is declared now; the old process continues to run.
        """
        app = next((each for each in plan.container_apps if each.name == self.name), None)
        if app is None:
            raise CannotRunError(f"the stack no longer declares {self.name}. Restart the twin")
        stand_in = self._command(app, 0).stand_in
        if stand_in is not None and stand_in != self.stand_in:
            raise CannotRunError(
                f"{self.name} now needs the stand-in for {stand_in}, which does not run. Restart the twin"
            )
        self.app = app
        await self.process.restart()

    async def wait(self) -> str:
        """Never returns: the end of its process does not end the twin."""
        await asyncio.get_running_loop().create_future()
        return "ended"

    async def stop(self) -> None:
        """Ends the process and closes the ingress."""
        await asyncio.gather(self.process.stop(), self._ingress.stop())

    def _child(self, port: int) -> ChildProcess:
        command = self._command(self.app, port)
        return ChildProcess(
            name=self.name, argv=command.argv, env=command.env, cwd=command.folder, ready=command.ready
        )

    def _command(self, app: ContainerApp, port: int) -> LocalCommand:
        """What runs, with the variables of `use`.

        Raises:
            CannotRunError: see there.
        """
        try:
            command = command_of(app, port=port, folder=self._folder)
        except (LocalImageError, NodeError, EnvironmentSetupError) as error:
            raise CannotRunError(f"{self.name} cannot run on this machine: {error}") from error
        env = {**_platform_variables(app, port), **command.env, **self._overlay}
        return replace(command, env=env)


def command_of(app: ContainerApp, *, port: int, folder: Path) -> LocalCommand:
    """What runs in place of an app's container.

    Raises:
        CannotRunError: the stack names no command and the image is not known, or the program does not exist.
        LocalImageError, NodeError, EnvironmentSetupError: see `twin.local_images`.
    """
    if app.local_command:
        return _own_command(app, port=port)
    known = local_command(app.image, app.command, app.args, app.env, port=port, folder=folder)
    if known is None:
        raise CannotRunError(
            f"{app.name} cannot run on this machine: the twin does not know the image {app.image}. Add "
            "the command that it runs instead to the entry of `containers`:\n    local:\n      command: npx "
            "<package> --port {port}"
        )
    return known


def _own_command(app: ContainerApp, *, port: int) -> LocalCommand:
    """The command that the stack names, without a shell; docs/adding-a-backend.md documents where it runs.

    Raises:
        CannotRunError: the program does not exist.
    """
    program, *arguments = (word.replace("{port}", str(port)) for word in app.local_command)
    inherited = base_environment() | {
        name: value for name, value in os.environ.items() if name.lower().startswith(_NPM_SETTINGS)
    }
    path = os.pathsep.join(
        [
            str(node.node().parent),
            str(node.ROOT / "node_modules" / ".bin"),
            inherited.get("PATH", ""),
        ]
    )
    env = inherited | {"PATH": path} | dict(app.env) | {"PORT": str(port)}
    if program == "npx":
        _, npm = node.npm()
        npx = str(Path(npm).with_name("npx-cli.js"))
        argv = (str(node.node()), npx, "--yes", "--prefix", str(node.ROOT), *arguments)
    else:
        found = shutil.which(str(node.ROOT / program) if os.sep in program else program, path=path)
        if found is None:
            raise CannotRunError(
                f"{app.name} cannot run on this machine: the program {program!r} of its `local` command "
                "does not exist. Install it, or correct the command"
            )
        argv = (found, *arguments)
    return LocalCommand(argv=argv, env=env, folder=node.ROOT, ready=partial(listening, port))


def _platform_variables(app: ContainerApp, port: int) -> dict[str, str]:
    """The variables that Container Apps gives to every container, as far as they mean something here.

    Source: https://learn.microsoft.com/azure/container-apps/environment-variables#built-in-environment-variables
    """
    name, _, suffix = app.host.partition(".")
    return {
        "CONTAINER_APP_NAME": name.removesuffix(ROUTE_SUFFIX),
        "CONTAINER_APP_ENV_DNS_SUFFIX": suffix,
        "CONTAINER_APP_PORT": str(port),
    }
