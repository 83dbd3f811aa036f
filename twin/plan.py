"""Plans the local services of a twin for the resources that a stack declares."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from apim.http.network import Upstream
from apim.readings import Readings
from apim.service import Service
from twin.agent_config import agent_config
from twin.azure.cloud import Cloud
from twin.blobs import BlobAccount, account_key
from twin.connection import Connection
from twin.cosmos.account import CosmosAccount
from twin.entra.directory import Directory, ManagedIdentity
from twin.ports import LOOPBACK, Ports
from twin.stack import PROJECT, Stack, evaluate
from twin.stand_ins import hosted_secrets, hosted_settings, hosted_tokens
from twin.state import StateFolder
from twin.translation import container_app, database, foundry, function_app, gateway, tenant
from twin.translation.container_app import ContainerApp
from twin.translation.function_app import BlobContainer, FunctionApp

IDENTITY_ENDPOINT = "http://identity/twin/managed-identity/token"
"""The endpoint for tokens of the gateway's managed identities; the network maps its host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options that the user has chosen.

    Attributes:
        port: port of the gateway; the other services use the following ports.
        stack: name of the stack.
        state: the state folder.
        config: configuration values that override those of the stack.
        secrets: secret configuration values that override those of the stack.
        readings: the behaviour of the twin where Azure's is not documented.
        admit_agents: whether the project's own servers admit agents, regardless of the stack.
        root: folder of the Pulumi project.
    """

    port: int = 8000
    stack: str = "dev"
    state: Path = Path(".twin")
    config: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    readings: Readings = field(default_factory=Readings.default)
    admit_agents: bool = False
    root: Path = PROJECT

    @property
    def ports(self) -> Ports:
        """The ports of the twin's services."""
        return Ports(self.port)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The configuration of all services.

    Attributes:
        stack: the evaluated stack.
        overrides: the settings that the twin changed; no secrets.
        service: the service that the gateway runs.
        directory: the directory of the Entra tenant.
        admit_agents: whether the project's own servers admit agents, regardless of the stack.
        cosmos: the Cosmos DB account; None if the stack declares none.
        function_app: the Function App; None if the stack declares none.
        container_apps: the Container Apps, in the order of their ports.
        agent_identity: the identity of the twin's agents.
        connections: the connections of the Foundry project.
        tokens: the tokens that stand-ins for hosted services accept, by service; secrets.
        session_key: the key that encrypts the Function App's session ids, so that sessions survive a restart;
            a secret.
        blob_accounts: the storage accounts, by the host name of their blob service in Azure.
        blob_containers: the blob containers in these accounts.
        hosts: the local service for each host name in Azure.
    """

    stack: Stack
    overrides: Mapping[str, str]
    service: Service
    directory: Directory
    cosmos: CosmosAccount | None
    function_app: FunctionApp | None
    container_apps: tuple[ContainerApp, ...] = ()
    agent_identity: ManagedIdentity
    connections: tuple[Connection, ...] = ()
    tokens: Mapping[str, str] = field(repr=False)
    session_key: str = field(repr=False)
    blob_accounts: Mapping[str, BlobAccount]
    blob_containers: tuple[BlobContainer, ...]
    hosts: Mapping[str, Upstream]


def create_plan(options: Options, state: StateFolder) -> Plan:
    """Evaluates the stack and creates the plan.

    Raises:
        StackError: the stack's configuration, program or resources are not valid for the twin.
    """
    ports = options.ports
    stack, cloud, overrides = _evaluate(options, state)
    cosmos = database.cosmos_account(stack, f"http://localhost:{ports.cosmos}")
    app = function_app.function_app(stack)
    containers = container_app.container_apps(stack)
    return Plan(
        stack=stack,
        overrides=overrides,
        service=gateway.service(stack, cloud),
        directory=tenant.directory(stack, cloud, _authority(ports)),
        cosmos=cosmos,
        function_app=app,
        container_apps=containers,
        agent_identity=tenant.agent_identity(cloud.seed),
        connections=foundry.connections(stack),
        tokens=hosted_tokens(cloud.seed),
        session_key=cloud.seed.hexadecimal("functions#sessions", 64),
        blob_accounts=_blob_accounts(stack, state, ports),
        blob_containers=function_app.blob_containers(stack),
        hosts=_hosts(ports, cosmos, app, containers),
    )


def changed_service(options: Options, state: StateFolder, config: Mapping[str, str]) -> Service:
    """The API Management service that the stack declares with other settings; no running service is changed.

    Raises:
        StackError: see `create_plan`.
    """
    changed = replace(options, config={**options.config, **config})
    stack, cloud, _ = _evaluate(changed, state)
    return gateway.service(stack, cloud)


def _evaluate(options: Options, state: StateFolder) -> tuple[Stack, Cloud, dict[str, str]]:
    ports = options.ports
    gateway_url = f"http://localhost:{ports.gateway}"
    cloud = Cloud(seed=state.seed(), gateway_url=gateway_url)
    authority = _authority(ports)
    config = {
        **hosted_settings(ports, cloud.subscription.id),
        **options.config,
        "local": "true",
        "localUrl": gateway_url,
        "entraAuthority": authority,
    }
    secrets = {**hosted_secrets(hosted_tokens(cloud.seed)), **options.secrets}
    if options.root == PROJECT:
        config |= agent_config(config, secrets, stack=options.stack, admit=options.admit_agents, cloud=cloud)
    stack = evaluate(config, secrets, stack=options.stack, root=options.root, cloud=cloud)
    return stack, cloud, config


def _authority(ports: Ports) -> str:
    return f"http://localhost:{ports.entra}"


def _blob_accounts(stack: Stack, state: StateFolder, ports: Ports) -> dict[str, BlobAccount]:
    names = [account.outputs["name"] for account in stack.of_type("storage:StorageAccount")]
    return {
        f"{name}.blob.core.windows.net": BlobAccount(
            name=name, key=account_key(state.blob_keys, name), port=ports.blobs
        )
        for name in names
    }


def _hosts(
    ports: Ports,
    cosmos: CosmosAccount | None,
    app: FunctionApp | None,
    containers: tuple[ContainerApp, ...],
) -> dict[str, Upstream]:
    """The local services to which the gateway's network sends requests for host names in Azure."""
    entra = f"http://{LOOPBACK}:{ports.entra}"
    hosts = {
        f"localhost:{ports.entra}": Upstream(service="entra", base_url=entra),
        "identity": Upstream(service="identity", base_url=entra),
    }
    if cosmos is not None:
        hosts[f"{cosmos.name}.documents.azure.com"] = Upstream(
            service="cosmos", base_url=f"http://{LOOPBACK}:{ports.cosmos}"
        )
    if app is not None:
        hosts[app.host] = Upstream(service="functions", base_url=f"http://{LOOPBACK}:{ports.functions}")
    for index, container in enumerate(containers):
        hosts[container.host] = Upstream(
            service=container.backend, base_url=f"http://{LOOPBACK}:{ports.container(index)}"
        )
    return hosts
