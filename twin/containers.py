"""Runs Container Apps as processes, each behind the ingress that the stack declares for it.

There is no container engine: the command that replaces an image comes from `twin.local_images` or from
the stack (`local: {command: ...}` of an entry in `containers`).
"""

import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from twin import node
from twin.builtin_auth import TokenCheck
from twin.clock import Clock
from twin.ingress import Ingress
from twin.local_images import local_command
from twin.mcp_atlassian import EnvironmentSetupError
from twin.node import NodeError
from twin.notices import Notify
from twin.plan import Plan
from twin.ports import LOOPBACK, Address
from twin.process import ChildProcess, base_environment, is_listening
from twin.server_process import CannotRunError, ServerBehindIngress, ServerProcess, State
from twin.shared_readings import SharedReadings
from twin.stand_in import LocalCommand, LocalImageError
from twin.translation.container_app import ContainerApp

_NO_ADDRESS = Address(LOOPBACK, 0)
"""The address in a command that is created but not started."""
_NPM_SETTINGS = ("npm_config_", "http_proxy", "https_proxy", "no_proxy")


class Container(ServerBehindIngress):
    """One Container App: its process and its ingress.

    A container that cannot run, or that has ended, does not affect the rest of the twin: its ingress returns
    503 with the reason.

    Args:
        app: the declared app.
        port: port of the ingress on 127.0.0.1.
        folder: working directory and home directory of the programs in known images.
        clock: the clock for the expiry of tokens.
        readings: the assumed behaviour of Azure where it is not documented.
        notify: called with notices for the user.
        pause: see `ServerProcess`.

    Attributes:
        name: name of the app.
        backend: name of the MCP server to which the app belongs.
        app: the declared app; `restart` may replace it.
        port: port of the ingress.
        process: the process that runs instead of the image.
        stand_in: name of the service whose stand-in the process uses; None if it uses none.
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
            self.stand_in = self._command(app, _NO_ADDRESS).stand_in
        except CannotRunError as error:
            self.process.fail(str(error))
        self.ingress = Ingress(
            app.name,
            app.host,
            check=TokenCheck(app.auth, clock=clock) if app.auth is not None else None,
            target=self.process.target,
            passes_token=lambda: readings is None or readings.current.container_authorization == "passed",
            notify=notify,
        )

    def set_environment(self, environment: Mapping[str, str]) -> None:
        """Sets additional environment variables, which the process has from its next start on."""
        self._overlay = environment

    async def open(self) -> None:
        """Opens the ingress, which returns 503 until the process is ready.

        Raises:
            OSError: the port is taken.
        """
        await self.ingress.start(self.port)

    async def start(self) -> None:
        """Starts the process in the background, unless it cannot run."""
        if self.process.state is not State.FAILED:
            self.process.start()

    async def restart(self, plan: Plan) -> None:
        """Restarts the process with its current command and files; returns when it is ready or has failed.

        Args:
            plan: the plan with the app; a change of its ingress is ignored.

        Raises:
            CannotRunError: the app cannot run with its current declaration; the old process continues to run.
        """
        app = next((app for app in plan.container_apps if app.name == self.name), None)
        if app is None:
            raise CannotRunError(f"the stack no longer declares {self.name}. Restart the twin")
        stand_in = self._command(app, _NO_ADDRESS).stand_in
        if stand_in is not None and stand_in != self.stand_in:
            raise CannotRunError(
                f"{self.name} now needs the stand-in for {stand_in}, which is not running. Restart the twin"
            )
        self.app = app
        await self.process.restart()

    def _child(self, address: Address) -> ChildProcess:
        command = self._command(self.app, address)
        return ChildProcess(
            name=self.name, argv=command.argv, env=command.env, cwd=command.folder, ready=command.ready
        )

    def _command(self, app: ContainerApp, address: Address) -> LocalCommand:
        """The command, with the environment variables of `set_environment`.

        Raises:
            CannotRunError: the app cannot run on this machine.
        """
        try:
            command = command_of(app, address=address, folder=self._folder)
        except (LocalImageError, NodeError, EnvironmentSetupError) as error:
            raise CannotRunError(f"{self.name} cannot run on this machine: {error}") from error
        env = {**_platform_variables(app, address.port), **command.env, **self._overlay}
        return replace(command, env=env)


def command_of(app: ContainerApp, *, address: Address, folder: Path) -> LocalCommand:
    """The command that runs instead of an app's container.

    Raises:
        CannotRunError: neither the stack nor the twin has a command for the image, or the program does not
            exist.
        LocalImageError, NodeError, EnvironmentSetupError: see `twin.local_images`.
    """
    if app.local_command:
        return _own_command(app, address)
    known = local_command(app.image, app.command, app.args, app.env, address=address, folder=folder)
    if known is None:
        raise CannotRunError(
            f"{app.name} cannot run on this machine: the twin has no command for the image {app.image}. "
            "Add the command to run instead to the entry of `containers`:\n    local:\n      command: "
            "npx <package> --host {host} --port {port}\nIf it is a preset of the program, set "
            "`local_command` of its container."
        )
    return known


def _own_command(app: ContainerApp, address: Address) -> LocalCommand:
    """The command in the stack's configuration. It runs without a shell; see docs/adding-a-backend.md.

    Raises:
        CannotRunError: the program does not exist.
    """
    program, *arguments = (
        word.replace("{host}", address.host).replace("{port}", str(address.port))
        for word in app.local_command
    )
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
    env = inherited | {"PATH": path} | dict(app.env) | {"HOST": address.host, "PORT": str(address.port)}
    if program == "npx":
        _, npm = node.npm()
        npx = str(Path(npm).with_name("npx-cli.js"))
        argv = (str(node.node()), npx, "--yes", "--prefix", str(node.ROOT), *arguments)
    else:
        executable = shutil.which(str(node.ROOT / program) if os.sep in program else program, path=path)
        if executable is None:
            raise CannotRunError(
                f"{app.name} cannot run on this machine: the program {program!r} of its `local` command "
                "does not exist. Install it, or correct the command"
            )
        argv = (executable, *arguments)
    return LocalCommand(argv=argv, env=env, folder=node.ROOT, ready=partial(_is_reachable, address))


async def _is_reachable(address: Address) -> bool:
    """Whether a server listens at its address, or at 127.0.0.1 because it ignores the variable HOST.

    Raises:
        OSError: it listens at neither.
    """
    try:
        return await is_listening(address)
    except OSError:
        return await is_listening(Address(LOOPBACK, address.port))


def _platform_variables(app: ContainerApp, port: int) -> dict[str, str]:
    """The environment variables that Container Apps sets for every container, if they apply locally.

    Source:
        https://learn.microsoft.com/azure/container-apps/environment-variables#built-in-environment-variables
    """
    return {
        "CONTAINER_APP_NAME": app.azure_name,
        "CONTAINER_APP_ENV_DNS_SUFFIX": app.host.partition(".")[2],
        "CONTAINER_APP_PORT": str(port),
    }
