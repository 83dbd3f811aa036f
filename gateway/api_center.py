"""Lists a stack's MCP servers in an Azure API Center, the catalogue of an organisation's APIs.

The entries are created from the same records as those of the registry. API Center also serves them to
clients as an MCP registry.
https://learn.microsoft.com/azure/api-center/register-discover-mcp-server
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_azure_native import apicenter

from gateway.backend import Backend, Hosted
from gateway.registry_api import entries
from settings import ApiCenter

_WORKSPACE = "default"
"""The only workspace that an API Center has."""

_ID_PREFIX = f"/workspaces/{_WORKSPACE}"
"""The beginning of the ids with which API Center refers to its own resources."""

# The limits of API Center for names and titles. The name of an API contains that of the environment.
_MAX_NAME_LENGTH = 90
_MAX_ENVIRONMENT_LENGTH = 60
_MAX_TITLE_LENGTH = 50


def environment_name(project: str, stack: str) -> str:
    """The name of a stack's environment, of letters, digits and hyphens.

    Names of stacks may be longer and contain other characters. Different stacks have different names.
    """
    name = f"{project}-{stack}"
    permitted = re.sub(r"[^A-Za-z0-9-]", "-", name)
    if permitted == name and len(name) <= _MAX_ENVIRONMENT_LENGTH:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{permitted[: _MAX_ENVIRONMENT_LENGTH - len(digest) - 1]}-{digest}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiCenterEntriesArgs:
    """Arguments of `ApiCenterEntries`.

    Attributes:
        center: the existing API Center.
        environment: name of the environment of the entries.
        gateway_url: origin of the gateway.
        backends: the MCP servers behind it.
        hosted: MCP servers of other organisations.
    """

    center: ApiCenter
    environment: str
    gateway_url: pulumi.Output[str]
    backends: Sequence[Backend]
    hosted: Sequence[Hosted]


class ApiCenterEntries(pulumi.ComponentResource):
    """An entry for each MCP server: an API of kind `mcp` with a version, a definition and a deployment."""

    def __init__(
        self, name: str, args: ApiCenterEntriesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("mcp:gateway:ApiCenterEntries", name, None, opts)
        self._center = args.center
        self._gateway_url = args.gateway_url
        self._child = pulumi.ResourceOptions(parent=self)
        self._environment = apicenter.Environment(
            f"{name}-environment",
            apicenter.EnvironmentArgs(
                resource_group_name=args.center.resource_group,
                service_name=args.center.name,
                workspace_name=_WORKSPACE,
                environment_name=args.environment,
                title=args.environment[:_MAX_TITLE_LENGTH],
                kind=apicenter.EnvironmentKind.PRODUCTION,
                server=apicenter.EnvironmentServerArgs(
                    type=apicenter.EnvironmentServerType.AZURE_AP_I_MANAGEMENT
                ),
            ),
            opts=self._child,
        )
        for entry in entries(args.backends, args.hosted):
            self._declare(name, args.environment, entry["server"])
        self.register_outputs({})

    def _declare(self, name: str, environment: str, server: Mapping[str, Any]) -> None:
        short_name = server["name"].rpartition("/")[2]
        api_name = f"{environment}-{short_name}"
        api = apicenter.Api(
            f"{name}-{short_name}",
            apicenter.ApiArgs(
                resource_group_name=self._center.resource_group,
                service_name=self._center.name,
                workspace_name=_WORKSPACE,
                api_name=api_name,
                title=server["title"][:_MAX_TITLE_LENGTH],
                summary=server["description"],
                # Not in the enumeration of this API version; API Center accepts other values.
                kind="mcp",
            ),
            opts=self._child,
        )
        version = apicenter.ApiVersion(
            f"{name}-{short_name}-version",
            apicenter.ApiVersionArgs(
                resource_group_name=self._center.resource_group,
                service_name=self._center.name,
                workspace_name=_WORKSPACE,
                api_name=api.name,
                version_name=server["version"].replace(".", "-")[:_MAX_NAME_LENGTH],
                title=server["version"][:_MAX_TITLE_LENGTH],
                lifecycle_stage=apicenter.LifecycleStage.PRODUCTION,
            ),
            opts=self._child,
        )
        for remote in server["remotes"]:
            self._deploy(f"{name}-{short_name}", api, version, remote)

    def _deploy(
        self, name: str, api: "apicenter.Api", version: "apicenter.ApiVersion", remote: Mapping[str, str]
    ) -> None:
        """The definition and the deployment of one transport."""
        transport, url = remote["type"], remote["url"]
        definition = apicenter.ApiDefinition(
            f"{name}-{transport}-definition",
            apicenter.ApiDefinitionArgs(
                resource_group_name=self._center.resource_group,
                service_name=self._center.name,
                workspace_name=_WORKSPACE,
                api_name=api.name,
                version_name=version.name,
                definition_name=transport,
                title=transport,
            ),
            opts=self._child,
        )
        apicenter.Deployment(
            f"{name}-{transport}",
            apicenter.DeploymentArgs(
                resource_group_name=self._center.resource_group,
                service_name=self._center.name,
                workspace_name=_WORKSPACE,
                api_name=api.name,
                deployment_name=transport,
                title=transport,
                definition_id=pulumi.Output.concat(
                    _ID_PREFIX,
                    "/apis/",
                    api.name,
                    "/versions/",
                    version.name,
                    "/definitions/",
                    definition.name,
                ),
                environment_id=pulumi.Output.concat(_ID_PREFIX, "/environments/", self._environment.name),
                server=apicenter.DeploymentServerArgs(
                    runtime_uri=[
                        self._gateway_url.apply(lambda origin: url.replace("{{gateway-url}}", origin))
                    ]
                ),
                state=apicenter.DeploymentState.ACTIVE,
            ),
            opts=self._child,
        )
