"""Runs a stack: starts, monitors and stops all services."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from apim import coverage
from apim.failure import SendError
from apim.findings import PolicyError
from apim.gateway import Gateway
from apim.http.network import HttpNetwork
from twin import blobs, cosmos, daemon_thread, entra, hosted, plan
from twin.behaviour import Behaviour
from twin.blobs import BlobError
from twin.clock import Clock
from twin.containers import Container
from twin.control import AgentAccess, ControlContext, create_control
from twin.control_call import InvalidCallError
from twin.functions.child import functions_process
from twin.functions.service import FunctionsService, FunctionsStartError
from twin.identity import Identity, IdentityRefusedError
from twin.node import NodeError
from twin.notices import Notice, Notify
from twin.plan import Options, Plan
from twin.ports import Address
from twin.process import ChildProcess, ProcessError, RunningProcess
from twin.resource_manager import ResourceManager
from twin.rollout import Rollout
from twin.server_process import CannotRunError
from twin.servers import Servers
from twin.serving import AsgiServer, GatewayService
from twin.shared_readings import SharedReadings
from twin.stand_in import StandIn, StandInArgs
from twin.stand_ins import HOSTED_STAND_INS, STAND_INS, hosted_port, ports_of
from twin.state import StateFolder
from twin.translation.tenant import AGENTS, FUNCTIONS, GATEWAY

_log = logging.getLogger(__name__)

FUNCTIONS_APP = "functions_app"
"""The folder with the code of the Function App, relative to the folder of the project."""

_MAX_WAIT_FOR_CONTAINERS = 0.3
"""The number of seconds for which the start waits for containers; later ones are shown as starting."""


class TwinError(Exception):
    """The twin cannot start or cannot continue to run; the message has the reason."""


class Service(Protocol):
    """A service of the twin, which runs until it is stopped."""

    name: str

    async def start(self) -> None:
        """Starts the service; returns when it is ready."""
        ...

    async def wait(self) -> str:
        """Waits until the service fails; returns the reason."""
        ...

    async def stop(self) -> None:
        """Stops the service; has no effect if it is not running."""
        ...


class ChildService:
    """A service that runs in a separate process."""

    def __init__(self, child: ChildProcess) -> None:
        self.name = child.name
        self._child = child
        self._running: RunningProcess | None = None

    async def start(self) -> None:
        """Starts the process and waits until it is ready."""
        self._running = await RunningProcess.start(self._child)

    async def wait(self) -> str:
        """Waits until the process ends; returns the reason."""
        if self._running is None:
            return "was not started"
        return f"ended with status {await self._running.wait()}"

    async def stop(self) -> None:
        """Stops the process and its child processes."""
        if self._running is not None:
            await self._running.stop()


class BlobStorage(ChildService):
    """Azurite with the declared blob containers."""

    def __init__(self, planned: Plan, folder: Path) -> None:
        super().__init__(blobs.azurite(planned.blob_accounts.values(), folder=folder))
        self._containers = {
            account: [
                container.name for container in planned.blob_containers if container.account == account.name
            ]
            for account in planned.blob_accounts.values()
        }

    async def start(self) -> None:
        """Starts the process and creates the declared containers.

        Raises:
            BlobError: a container cannot be created.
        """
        await super().start()
        # Imported here, because other processes start while Azure's client library is imported.
        from twin import blob_client  # noqa: PLC0415 -- see above

        for account, names in self._containers.items():
            await blob_client.create_containers(account, names)

    async def delete_content(self) -> None:
        """Deletes all blobs, but not the containers."""
        from twin import blob_client  # noqa: PLC0415 -- see `start`

        for account, names in self._containers.items():
            await blob_client.delete_blobs(account, names)


class _Notices:
    """Prints notices on the console, but only after the banner. Until then it collects warnings.

    Other notices are dropped until then, because the banner shows which servers are ready.
    """

    def __init__(self, notify: Notify) -> None:
        self._notify = notify
        self._collected: list[Notice] | None = []

    def __call__(self, notice: Notice) -> None:
        """Handles a notice."""
        if self._collected is None:
            self._notify(notice)
        elif notice.warning:
            self._collected.append(notice)

    def print_notices(self) -> None:
        """Prints the collected warnings, and from now on every notice."""
        collected, self._collected = self._collected or [], None
        for notice in collected:
            self._notify(notice)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A running twin."""

    options: Options
    plan: Plan
    containers: tuple[Container, ...] = ()


async def run(
    options: Options,
    *,
    stop: asyncio.Event,
    announce: Callable[[Running], None],
    notify: Notify = lambda notice: _log.warning("%s", notice.text),
) -> None:
    """Runs a twin until it is stopped.

    Args:
        options: the options of the user.
        stop: set to stop the twin; this also works while it starts.
        announce: called once, when all services are ready.
        notify: called with notices about later events, for example that a server is ready or has ended.

    Raises:
        TwinError: the twin could not start, or a service failed. All services are stopped.
        PortTakenError: a port is in use.
        StateError, StateInUseError: the state folder cannot be used.
        StackError: the stack cannot be evaluated.
    """
    serving = asyncio.create_task(_serve(options, announce, _Notices(notify)))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        serving.cancel()
        await asyncio.wait({serving, stopping})
    if not serving.cancelled() and (error := serving.exception()) is not None:
        raise error


async def _serve(options: Options, announce: Callable[[Running], None], notices: _Notices) -> None:
    options.ports.require_free()
    async with AsyncExitStack() as cleanup:
        state = cleanup.enter_context(StateFolder(options.state))
        planned = await asyncio.wrap_future(
            daemon_thread.start(lambda: plan.create_plan(options, state), "plan")
        )
        builder = _Builder(options, state, planned, cleanup, notices)
        options.ports.require_free(builder.additional_ports())
        services: list[Service] = []
        cleanup.push_async_callback(_stop, services)
        gateway = await _start(builder, services)
        containers_started = asyncio.create_task(_wait_for_containers(builder.containers))
        # The control API is started last, so that all services are running when it accepts connections.
        control = builder.control(gateway)
        services.append(control)
        await control.start()
        await containers_started
        announce(Running(options=options, plan=planned, containers=builder.containers))
        notices.print_notices()
        name, reason = await _wait_for_failure(services)
        raise TwinError(f"{name} {reason}, so the twin stops.")


async def _start(builder: "_Builder", services: list[Service]) -> Gateway:
    """Starts all services and adds them to `services`, which the caller stops.

    Most services start in parallel. The gateway starts when the services that it calls are ready. The
    processes of container apps start last, because they would slow down the other services; until then their
    ingresses return 503.
    """
    try:
        for container in builder.containers:
            services.append(container)
            await container.open()
        async with asyncio.TaskGroup() as starting:
            for child in builder.children():
                services.append(child)
                starting.create_task(child.start(), name=child.name)
            for stand_in in (*builder.stand_ins.values(), *builder.hosted.values()):
                services.append(stand_in)
                await stand_in.start()
            # The policies are compiled while the processes start.
            gateway = await asyncio.wrap_future(daemon_thread.start(builder.gateway, "policies"))
            for server in builder.servers():
                services.append(server)
                starting.create_task(server.start(), name=server.name)
        gateway_service = GatewayService(gateway, builder.ports.gateway)
        services.append(gateway_service)
        await gateway_service.start()
        for container in builder.containers:
            await container.start()
    except* (ProcessError, NodeError, OSError, FunctionsStartError, BlobError) as errors:
        raise TwinError(str(errors.exceptions[0])) from errors
    except* PolicyError as errors:
        raise TwinError(f"API Management would reject these policies:\n{errors.exceptions[0]}") from errors
    return gateway


async def _wait_for_containers(containers: Sequence[Container]) -> None:
    """Waits, for a limited time, until each container is ready or has failed."""
    if containers:
        starts = [asyncio.create_task(container.process.wait_for_start()) for container in containers]
        await asyncio.wait(starts, timeout=_MAX_WAIT_FOR_CONTAINERS)
        for task in starts:
            task.cancel()


async def _stop(services: Sequence[Service]) -> None:
    """Stops all services in parallel."""
    results = await asyncio.gather(*(service.stop() for service in services), return_exceptions=True)
    for service, result in zip(services, results, strict=True):
        if isinstance(result, Exception):
            _log.warning("%s did not stop: %s", service.name, result)


async def _wait_for_failure(services: Sequence[Service]) -> tuple[str, str]:
    """Waits until one of the services fails; returns its name and the reason."""
    waiting = {asyncio.create_task(service.wait()): service for service in services}
    try:
        ended, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        first = ended.pop()
        return waiting[first].name, first.result()
    finally:
        for task in waiting:
            task.cancel()


class _Builder:
    """Creates the services of a plan, but does not start them."""

    def __init__(
        self,
        options: Options,
        state: StateFolder,
        planned: Plan,
        cleanup: AsyncExitStack,
        notify: Notify,
    ) -> None:
        self._options = options
        self.ports = options.ports
        self._state = state
        self._plan = planned
        self._cleanup = cleanup
        with state.explain_errors(state.clock, "the offset of the clock"):
            self._clock = Clock(state.clock)
        # A change of the clock in the previous run must not affect this run.
        self._clock.reset()
        self._readings = SharedReadings(state.readings)
        self._readings.choose(options.readings)
        with state.explain_errors(state.entra_keys, "the keys that sign Entra's tokens"):
            self._keys = entra.SigningKeys(state.entra_keys)
        self._tenant = entra.create_app(planned.directory, self._clock, self._keys)
        with state.explain_errors(state.documents, "registrations and sign-ins"):
            self._store = cosmos.SqliteStore(state.documents, self._clock)
        cleanup.callback(self._store.close)
        self._network = HttpNetwork(planned.hosts)
        cleanup.push_async_callback(self._network.close)
        self.containers = tuple(
            Container(
                app,
                port=self.ports.container(index),
                folder=state.containers / app.name,
                clock=self._clock,
                readings=self._readings,
                notify=notify,
            )
            for index, app in enumerate(planned.container_apps)
        )
        self.stand_ins = self._stand_ins()
        self.hosted = hosted.create_hosted(
            planned,
            self.ports,
            self._clock,
            self._keys,
            Identity(self._network, self._tenant.state.identity_headers[AGENTS]),
        )
        self._storage = BlobStorage(planned, state.blobs) if planned.blob_accounts else None
        self._function_servers = (
            ()
            if planned.function_app is None
            else (
                FunctionsService(
                    self._functions,
                    plan=planned,
                    host=planned.function_app.host,
                    port=self.ports.functions,
                    notify=notify,
                ),
            )
        )

    def additional_ports(self) -> dict[str, int]:
        """The ports that this stack needs in addition to those that every twin uses, by purpose."""
        ports = {container.name: container.port for container in self.containers}
        for registration in STAND_INS:
            if registration.service in self.stand_ins:
                ports |= ports_of(registration, self.ports)
        for registration in HOSTED_STAND_INS:
            if registration.service in self.hosted:
                ports[f"{registration.title}'s stand-in"] = hosted_port(registration, self.ports)
        return ports

    def _stand_ins(self) -> dict[str, StandIn]:
        """The stand-ins for containers without real credentials, by service."""
        created: dict[str, StandIn] = {}
        for registration in STAND_INS:
            users = [container for container in self.containers if container.stand_in == registration.service]
            if not users:
                continue
            ports = tuple(ports_of(registration, self.ports).values())
            args = StandInArgs(ports=ports, folder=self._state.containers, clock=self._clock)
            stand_in = created[registration.service] = registration.create(args)
            for container in users:
                container.set_environment(stand_in.environment())
        return created

    def children(self) -> list[Service]:
        """The services in separate processes."""
        storage = () if self._storage is None else (self._storage,)
        return [*storage, *self._function_servers]

    def gateway(self) -> Gateway:
        """Creates the gateway and compiles its policies."""
        secret = self._tenant.state.identity_headers[GATEWAY]
        counting = coverage.recorder()
        gateway = Gateway(
            self._plan.service,
            network=self._network,
            identity=Identity(self._network, secret),
            clock=self._clock,
            readings=self._options.readings,
            counted=counting is not None,
        )
        if counting is not None:
            counting.watch(gateway)
            self._cleanup.callback(counting.save)
        return gateway

    def servers(self) -> list[Service]:
        """The services in this process that do not need the gateway."""
        planned, ports = self._plan, self.ports
        servers: list[Service] = [AsgiServer("Entra", self._tenant, ports.entra)]
        if planned.cosmos is not None:
            verifier = entra.TokenVerifier(planned.directory, self._clock, self._keys)
            account = cosmos.create_app(planned.cosmos, self._store, self._clock, verifier)
            servers.append(AsgiServer("Cosmos DB", account, ports.cosmos))
        return servers

    def control(self, gateway: Gateway) -> Service:
        """The control API, which uses all other services."""
        counting = coverage.recorder()
        rollout = Rollout(
            gateway,
            self._readings,
            lambda config: plan.changed_service(self._options, self._state, config),
            (lambda: counting.watch(gateway)) if counting is not None else (lambda: None),
        )
        context = ControlContext(
            cache=gateway.services.cache,
            gateway=gateway,
            behaviour=Behaviour(
                gateway=gateway, readings=self._readings, initial=self._options.readings, rollout=rollout
            ),
            gateway_state=(gateway.services.counters, gateway.services.tokens, gateway.services.keys),
            request_logs={
                service: stand_in.request_log
                for service, stand_in in {**self.stand_ins, **self.hosted}.items()
            },
            telemetry=gateway.services.telemetry,
            network=self._network,
            clock=self._clock,
            accounts=self._tenant.state.accounts,
            keys=self._keys,
            agents=self._agents(),
            servers=Servers([*self._function_servers, *self.containers], self._read_plan),
            stack=self._plan.stack,
            overrides=self._plan.overrides,
            delete_state=self._delete_state,
            resource_manager=ResourceManager(self._plan.stack, lambda: gateway.service),
            identity=self._gateway_token,
            agent=AgentAccess(
                environment={
                    "IDENTITY_ENDPOINT": f"{self._plan.directory.base_url}/twin/managed-identity/token",
                    "IDENTITY_HEADER": self._tenant.state.identity_headers[AGENTS],
                },
                tokens=self._plan.tokens,
            ),
        )
        return AsgiServer("the control API", create_control(context), self.ports.control)

    def _agents(self) -> tuple[Mapping[str, str], ...]:
        """The credentials with which each agent requests tokens, as application or as managed identity."""
        directory = self._plan.directory
        return tuple(
            {
                "principalId": agent.principal_id,
                "clientId": agent.client_id,
                "clientSecret": agent.client_secret,
                "tokenUrl": f"{directory.authority}/oauth2/v2.0/token",
                "identityEndpoint": f"{directory.base_url}/twin/managed-identity/token",
                "identityHeader": self._tenant.state.identity_headers[agent.host],
            }
            for agent in directory.agents
        )

    async def _gateway_token(self, resource: str) -> str:
        """A token of the gateway's user-assigned identity.

        Raises:
            InvalidCallError: no token was issued.
        """
        identity = Identity(self._network, self._tenant.state.identity_headers[GATEWAY])
        client_id = next(
            (identity.client_id for identity in self._plan.service.identities if identity.client_id), None
        )
        try:
            return await identity.token(resource=resource, client_id=client_id)
        except (IdentityRefusedError, SendError) as error:
            raise InvalidCallError(f"The identity has no token for {resource}: {error}") from error

    async def _delete_state(self) -> None:
        """Deletes documents and blobs, and resets the stand-ins."""
        for stand_in in (*self.stand_ins.values(), *self.hosted.values()):
            stand_in.reset()
        self._store.clear()
        if self._storage is not None:
            await self._storage.delete_content()

    async def _read_plan(self) -> Plan:
        """Evaluates the stack from its current files and creates its plan.

        Raises:
            StackError: the stack cannot be evaluated.
        """
        return await asyncio.wrap_future(
            daemon_thread.start(lambda: plan.create_plan(self._options, self._state), "plan")
        )

    def _functions(self, planned: Plan, address: Address) -> ChildProcess:
        app = planned.function_app
        if app is None:
            raise CannotRunError("the stack no longer declares a Function App. Restart the twin")
        settings = blobs.local_settings(app.settings, planned.blob_accounts)
        settings |= {
            "WEBSITE_SITE_NAME": app.name,
            "WEBSITE_HOSTNAME": app.host,
            "WEBSITE_AUTH_ENCRYPTION_KEY": planned.session_key,
            "IDENTITY_ENDPOINT": f"{planned.directory.base_url}/twin/managed-identity/token",
            "IDENTITY_HEADER": self._tenant.state.identity_headers[FUNCTIONS],
        }
        return functions_process(
            app=self._options.root / FUNCTIONS_APP,
            address=address,
            settings=settings,
            auth=app.auth,
            clock=self._state.clock,
            readings=self._state.readings,
        )
