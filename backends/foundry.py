"""Declares the connections in the Foundry project whose agents use the stack's MCP servers."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import cognitiveservices

from gateway.backend import Hosted
from settings import FoundryProject

_CATALOG_ENTRY = (
    "azureml://location/eastus/apiCenter/connectors-registry-prod-bl/type/tools/objectId/github/version/1"
)
"""GitHub's server in the catalog of Foundry's tools, which is in this region only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundryArgs:
    """Arguments of `Foundry`.

    Attributes:
        project: the existing project.
        hosted: servers of other organisations, which agents reach through connections.
    """

    project: FoundryProject
    hosted: Sequence[Hosted]


class Foundry(pulumi.ComponentResource):
    """Connections of a Foundry project.

    A connection contains the credentials with which Foundry calls a server, so that neither definitions of
    agents nor requests contain them.
    """

    def __init__(self, name: str, args: FoundryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mcp:backends:Foundry", name, None, opts)
        project = args.project
        for server in args.hosted:
            if server.connection is None:
                continue
            cognitiveservices.ProjectConnection(
                f"{name}-{server.connection}",
                cognitiveservices.ProjectConnectionArgs(
                    resource_group_name=project.resource_group,
                    account_name=project.account,
                    project_name=project.name,
                    connection_name=server.connection,
                    properties=_user_sign_in(server) if project.github_users else _token(server, project),
                ),
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({})


def _token(server: Hosted, project: FoundryProject) -> "cognitiveservices.CustomKeysConnectionPropertiesArgs":
    """A connection with one token, with which all users act."""
    return cognitiveservices.CustomKeysConnectionPropertiesArgs(
        auth_type="CustomKeys",
        category=cognitiveservices.ConnectionCategory.CUSTOM_KEYS,
        target=server.url,
        is_shared_to_all=True,
        credentials=cognitiveservices.CustomKeysArgs(
            keys=pulumi.Output.secret({"Authorization": f"Bearer {project.github_token}"})
        ),
    )


def _user_sign_in(server: Hosted) -> "cognitiveservices.OAuth2AuthTypeConnectionPropertiesArgs":
    """A connection with which each user signs in at GitHub.

    It uses the OAuth app that Microsoft manages for GitHub's server in its catalog of tools. The SDK does not
    list the category; the properties are those that Microsoft's own tool sets.
    https://github.com/microsoft/GitHub-Copilot-for-Azure, foundry-tool-catalog.md
    """
    return cognitiveservices.OAuth2AuthTypeConnectionPropertiesArgs(
        auth_type="OAuth2",
        category="RemoteTool",
        target=server.url,
        is_shared_to_all=True,
        credentials=cognitiveservices.ConnectionOAuth2Args(),
        metadata={"type": "catalog_MCP", "toolEntityId": _CATALOG_ENTRY},
    )
