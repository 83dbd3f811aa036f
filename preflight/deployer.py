"""Lists the prerequisites of a deployment for its deployer, a person or a pipeline."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gateway.backend import Backend
from settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Prerequisite:
    """A prerequisite of a deployment.

    Attributes:
        description: description for people.
        commands: the commands that fulfil the prerequisite, or show whether it is fulfilled.
    """

    description: str
    commands: tuple[str, ...]


def prerequisites(settings: Settings, backends: Sequence[Backend]) -> Iterator[Prerequisite]:
    """The prerequisites of a deployment of the stack, in the order in which they are needed."""
    yield Prerequisite(
        description="A sign-in to Azure, and the subscription to deploy to.",
        commands=("az login", "az account set --subscription <name or id>"),
    )
    yield Prerequisite(
        description="Resource providers that are registered in the subscription.",
        commands=tuple(
            f"az provider register --wait --namespace Microsoft.{name}"
            for name in _providers(settings, backends)
        ),
    )
    scope = "/subscriptions/<subscription>"
    if settings.existing.resource_group:
        scope += f"/resourceGroups/{settings.existing.resource_group}"
    roles = ["Contributor", "Role Based Access Control Administrator"]
    if settings.monitoring.cost_anomalies:
        roles.append("Cost Management Contributor")
    yield Prerequisite(
        description="Roles of the deployer. Contributor alone cannot assign roles to the managed identities.",
        commands=tuple(
            f'az role assignment create --assignee <deployer> --role "{role}" '
            f"--scope {'/subscriptions/<subscription>' if role.startswith('Cost') else scope}"
            for role in roles
        ),
    )
    if vault := settings.existing.key_vault:
        yield Prerequisite(
            description="Roles of the deployer on the existing Key Vault: to write and delete secrets, and "
            "to allow the stack's identities to read them. To delete secrets, the deployer also needs "
            "network access to the vault.",
            commands=tuple(
                f'az role assignment create --assignee <deployer> --role "{role}" --scope {vault}'
                for role in (
                    "Key Vault Contributor",
                    "Key Vault Secrets Officer",
                    "Role Based Access Control Administrator",
                )
            ),
        )
    if not settings.existing.application:
        yield Prerequisite(
            description="The right to register applications in Entra: the role Application Developer for a "
            "person, or the application permission Application.ReadWrite.OwnedBy of Microsoft Graph for a "
            "pipeline.",
            commands=(
                "az rest --url https://graph.microsoft.com/v1.0/me/memberOf/microsoft.graph.directoryRole",
            ),
        )
    if settings.assignment_required:
        yield Prerequisite(
            description="After the deployment: users and groups that are assigned to the gateway's "
            "application.",
            commands=(
                "az ad sp show --id $(pulumi stack output entraClientId) --query appRoleAssignmentRequired",
            ),
        )


def _providers(settings: Settings, backends: Sequence[Backend]) -> Sequence[str]:
    namespaces = {"ApiManagement", "App", "DocumentDB", "Insights", "KeyVault", "ManagedIdentity"}
    namespaces.add("OperationalInsights")
    if any(backend.name == "functions" for backend in backends):
        namespaces |= {"Storage", "Web"}
    if settings.network is not None:
        namespaces.add("Network")
    return sorted(namespaces)
