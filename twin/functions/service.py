"""Runs the Functions host as a service of the twin: its process and its ingress."""

from collections.abc import Callable

from twin.ingress import Ingress
from twin.notices import Notify
from twin.plan import Plan
from twin.ports import Address
from twin.process import ChildProcess
from twin.server_process import ServerBehindIngress, ServerProcess, State


class FunctionsStartError(Exception):
    """The Functions host did not start; the message has the reason."""


class FunctionsService(ServerBehindIngress):
    """The Functions host behind an ingress. The host checks the tokens of its callers itself.

    Args:
        child: returns the process for a plan and an address.
        plan: the plan with the Function App.
        host: host name of the app in Azure.
        port: port of the ingress on 127.0.0.1.
        notify: called with notices for the user.
    """

    name = "functions"
    backend = "functions"

    def __init__(
        self,
        child: Callable[[Plan, Address], ChildProcess],
        *,
        plan: Plan,
        host: str,
        port: int,
        notify: Notify,
    ) -> None:
        self.port = port
        self._plan = plan
        self.process = ServerProcess(self.name, lambda address: child(self._plan, address), notify=notify)
        self.ingress = Ingress(self.name, host, check=None, target=self.process.target, notify=notify)

    async def start(self) -> None:
        """Opens the ingress and waits until the process is ready.

        Raises:
            OSError: the port is taken.
            FunctionsStartError: the process did not start.
        """
        await self.ingress.start(self.port)
        self.process.start()
        await self.process.wait_for_start()
        if self.process.state is not State.READY:
            raise FunctionsStartError(self.process.failure)

    async def restart(self, plan: Plan) -> None:
        """Restarts the process with the app's current files and settings."""
        self._plan = plan
        await self.process.restart()
