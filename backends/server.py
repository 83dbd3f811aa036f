"""One process of an MCP server image: a Container App that accepts only the gateway's requests."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
import pulumi_random as random
from pulumi_azure_native import app

from backends import authentication
from backends.audience import Audience
from backends.environment import PROFILE, Environment
from backends.secrets import ServerSecrets, secret_name
from gateway.backend_context import BackendContext
from gateway.propagation import retries

_ROUTE_SUFFIX = "public"


def route_name(app_name: str) -> str:
    """The name of an app's public route, which is the first label of the app's public host name.

    It is not the app's name: whether an app and a route may share one is not documented. Names of routes have
    no hyphens. A server can derive its public host name from the variables of Container Apps in the same way.
    https://learn.microsoft.com/azure/templates/microsoft.app/managedenvironments/httprouteconfigs
    """
    return app_name.replace("-", "") + _ROUTE_SUFFIX


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ServerSpec:
    """One process of an MCP server, as plain data.

    Attributes:
        name: logical name of its Container App.
        image: reference of the image.
        port: port on which the process listens.
        command: replaces the image's entry point; empty for the image's own.
        arguments: replace the image's arguments; empty for the image's own.
        env: its environment variables.
        secrets: its secret environment variables.
        cpu: cores.
        memory: such as `0.5Gi`, two gibibytes per core.
        min_replicas: minimum number of replicas.
        max_replicas: maximum number of replicas.
        health: path that answers with 200 when the process is healthy; None to check only the port.
        local_command: command that the twin runs instead of the image; empty if the twin has a stand-in for
            it.
        origin: name of the named value with its origin, or None when no policy uses it.
    """

    name: str
    image: str
    port: int
    command: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    env: Mapping[str, str]
    secrets: Mapping[str, str] = field(repr=False)
    cpu: float = 0.25
    memory: str = "0.5Gi"
    min_replicas: int
    max_replicas: int
    health: str | None
    local_command: tuple[str, ...] = ()
    origin: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerArgs:
    """Arguments of `Server`.

    Attributes:
        context: resource group, telemetry and the identity that it admits.
        audience: the audience of tokens that it accepts.
        environment: the Container Apps environment in which it runs.
        backend: name of the MCP server that it is a part of.
        spec: the process.
        secrets: where its secrets are; None when it has none.
    """

    context: BackendContext
    audience: Audience
    environment: Environment
    backend: str
    spec: ServerSpec
    secrets: ServerSecrets | None


class Server(pulumi.ComponentResource):
    """A Container App with one container, and a public route to it.

    Built-in authentication can only be created for an existing app, and a container starts with its app. So
    that no request from the internet reaches an app without authentication, the app has no public URL of its
    own: its ingress is internal to the environment, and a public route of the environment is created after
    the authentication.
    https://learn.microsoft.com/azure/container-apps/rule-based-routing#routing-and-authorization-model

    Until then only apps in the same environment can reach it, which are servers of the same stack.

    Attributes:
        url: origin of its public route.
        authentication: its built-in authentication.
    """

    url: pulumi.Output[str]
    authentication: pulumi.Resource

    def __init__(self, name: str, args: ServerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mcp:backends:Server", name, None, opts)
        context, spec, secrets = args.context, args.spec, args.secrets
        container_app = app.ContainerApp(
            # Pulumi adds eight random characters; the name may have at most 32.
            name,
            app.ContainerAppArgs(
                resource_group_name=context.resource_group_name,
                location=args.environment.location,
                environment_id=args.environment.id,
                workload_profile_name=PROFILE,
                configuration=app.ConfigurationArgs(
                    # A stateful server must not run in two revisions except during a switch.
                    active_revisions_mode=app.ActiveRevisionsMode.SINGLE,
                    ingress=app.IngressArgs(
                        external=False,
                        allow_insecure=False,
                        target_port=spec.port,
                        transport=app.IngressTransportMethod.HTTP,
                    ),
                    secrets=_references(secrets) if secrets else None,
                    # Only the platform uses the identity, to read the secrets. The server gets no tokens.
                    # https://learn.microsoft.com/azure/container-apps/managed-identity#control-managed-identity-availability
                    identity_settings=[
                        app.IdentitySettingsArgs(
                            identity=secrets.identity_id, lifecycle=app.IdentitySettingsLifeCycle.NONE
                        )
                    ]
                    if secrets
                    else None,
                ),
                identity=app.ManagedServiceIdentityArgs(
                    type=app.ManagedServiceIdentityType.USER_ASSIGNED,
                    user_assigned_identities=[secrets.identity_id],
                )
                if secrets
                else None,
                template=app.TemplateArgs(
                    containers=[
                        app.ContainerArgs(
                            name="server",
                            image=spec.image,
                            command=list(spec.command) or None,
                            args=list(spec.arguments) or None,
                            env=self._environment(name, spec),
                            resources=app.ContainerResourcesArgs(cpu=spec.cpu, memory=spec.memory),
                            probes=_probes(spec.port, spec.health),
                        )
                    ],
                    scale=app.ScaleArgs(min_replicas=spec.min_replicas, max_replicas=spec.max_replicas),
                ),
                tags={**context.tags, **_tags(args)},
            ),
            # Everything that authentication needs must exist when the container starts.
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[
                    *authentication.requirements(context, args.audience),
                    *(secrets.ready if secrets else ()),
                ],
                hooks=retries(name) if secrets else None,
            ),
        )
        self.authentication = authentication.of_container_app(
            f"{name}-auth", container_app, context, args.audience, parent=self
        )
        route = app.HttpRouteConfig(
            f"{name}-route",
            app.HttpRouteConfigArgs(
                resource_group_name=args.environment.resource_group_name,
                environment_name=args.environment.name,
                http_route_name=container_app.name.apply(route_name),
                properties=app.HttpRouteConfigPropertiesArgs(
                    rules=[
                        app.HttpRouteRuleArgs(
                            routes=[app.HttpRouteArgs(match=app.HttpRouteMatchArgs(prefix="/"))],
                            targets=[app.HttpRouteTargetArgs(container_app=container_app.name)],
                        )
                    ]
                ),
            ),
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[self.authentication, *args.environment.ready]
            ),
        )
        # Not built from the environment's domain, which is unknown in the preview of its update.
        self.url = pulumi.Output.concat("https://", route.properties.fqdn)
        self.register_outputs({})

    def _environment(self, name: str, spec: ServerSpec) -> "list[app.EnvironmentVarArgs]":
        variables = [app.EnvironmentVarArgs(name=key, value=value) for key, value in spec.env.items()]
        if not spec.secrets:
            return variables
        # A new secret alone creates no new revision, and running replicas keep the old one. This value
        # changes with the secret and reveals nothing about it.
        # https://learn.microsoft.com/azure/container-apps/manage-secrets
        revision = random.RandomString(
            f"{name}-secrets",
            random.RandomStringArgs(
                length=8,
                upper=False,
                special=False,
                keepers={key: pulumi.Output.secret(value) for key, value in spec.secrets.items()},
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        return [
            *variables,
            *(
                app.EnvironmentVarArgs(name=variable, secret_ref=secret_name(variable))
                for variable in spec.secrets
            ),
            app.EnvironmentVarArgs(name="SECRETS_REVISION", value=revision.result),
        ]


def _references(secrets: ServerSecrets) -> "list[app.SecretArgs]":
    return [
        app.SecretArgs(name=secret_name(variable), key_vault_url=secret.uri, identity=secrets.identity_id)
        for variable, secret in secrets.stored.items()
    ]


def _tags(args: ServerArgs) -> Mapping[str, str]:
    tags = {"mcp-server": args.backend}
    # Only for the twin. Azure's schema has no field for it.
    if args.context.local and args.spec.local_command:
        tags["mcp-local-command"] = json.dumps(args.spec.local_command)
    return tags


def _probes(port: int, health: str | None) -> "list[app.ContainerAppProbeArgs]":
    """Probes: a minute to start, with a quarter of a core; then checks of the health path, or of the port."""

    def probe(
        kind: "app.Type", *, period: int, failures: int, path: str | None
    ) -> "app.ContainerAppProbeArgs":
        return app.ContainerAppProbeArgs(
            type=kind,
            period_seconds=period,
            failure_threshold=failures,
            timeout_seconds=5,
            http_get=app.ContainerAppProbeHttpGetArgs(port=port, path=path) if path else None,
            tcp_socket=None if path else app.ContainerAppProbeTcpSocketArgs(port=port),
        )

    return [
        probe(app.Type.STARTUP, period=6, failures=10, path=health),
        probe(app.Type.READINESS, period=10, failures=3, path=health),
        # A restart ends sessions, so a slow process gets more time than one that is starting.
        probe(app.Type.LIVENESS, period=30, failures=4, path=health),
    ]
