"""The settings of existing resources that a stack uses instead of creating its own.

The stack reads these resources, but does not change or delete them. The resources that it creates in them
(APIs, apps, routes, role assignments) belong to the stack and are deleted with it.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from configuration.reader import Reader
from configuration.resource_id import ResourceId
from configuration.setting import Text, TextMap

_EXAMPLE = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/platform/providers"
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)


def _group_problem(value: str) -> str | None:
    if re.fullmatch(r"[\w().-]{0,89}[\w()-]", value):
        return None
    return f"'{value}' is not the name of a resource group."


def _id_of(key: str, described: str, type_: str, command: str, *, note: str = "") -> Text:
    """A setting whose value is the id of a resource of one type."""

    def problem(value: str) -> str | None:
        parsed = ResourceId.parse(value)
        if parsed is None or not parsed.is_a(type_):
            return f"'{value}' is not the id of a resource of type {type_}."
        return None

    return Text(
        key=key,
        description=f"Resource id of {described}.{f' {note}' if note else ''}",
        limits=f"`{command}` prints it.",
        default="",
        example=f"{_EXAMPLE}/{type_}/shared",
        problem=problem,
    )


RESOURCE_GROUP = Text(
    key="existingResourceGroup",
    description=(
        "Name of an existing resource group for everything that the stack creates. The stack does not change "
        "or delete the group. Without it the stack creates one."
    ),
    limits="`az group list` lists them.",
    default="",
    example="platform",
    problem=_group_problem,
)
API_MANAGEMENT = _id_of(
    "existingApiManagement",
    "an existing API Management service in the stack's subscription and region",
    "Microsoft.ApiManagement/service",
    "az apim show --name <name> --resource-group <group> --query id --output tsv",
    note=(
        "The stack publishes its APIs there and changes nothing else: the global policy, other APIs, "
        "products and service-wide diagnostics are not changed. Set `sku` to the tier of the service. It "
        "needs existingIdentity."
    ),
)
IDENTITY = _id_of(
    "existingIdentity",
    "the user-assigned identity with which an existing API Management service calls other services",
    "Microsoft.ManagedIdentity/userAssignedIdentities",
    "az identity show --name <name> --resource-group <group> --query id --output tsv",
    note=(
        "It must already be assigned to the service, because the stack does not change the service; the "
        "stack assigns the identity its roles."
    ),
)
WORKSPACE = _id_of(
    "existingWorkspace",
    "an existing Log Analytics workspace in any subscription of the tenant",
    "Microsoft.OperationalInsights/workspaces",
    "az monitor log-analytics workspace show --workspace-name <name> --resource-group <group> --query id "
    "--output tsv",
    note="Logs are sent there; its owner sets its retention and its daily cap.",
)
APPLICATION_INSIGHTS = _id_of(
    "existingApplicationInsights",
    "an existing Application Insights component in any subscription of the tenant",
    "Microsoft.Insights/components",
    "az monitor app-insights component show --app <name> --resource-group <group> --query id --output tsv",
    note="Traces are sent there. The stack assigns the role Monitoring Metrics Publisher on it.",
)
ENVIRONMENT = _id_of(
    "existingEnvironment",
    "an existing Container Apps environment in the stack's subscription",
    "Microsoft.App/managedEnvironments",
    "az containerapp env show --name <name> --resource-group <group> --query id --output tsv",
    note=(
        "All containers of the stack run there, in its region. Other apps in it can reach them without the "
        "gateway, so you must trust them equally."
    ),
)
KEY_VAULT = _id_of(
    "existingKeyVault",
    "an existing Key Vault in the stack's subscription with role-based access control",
    "Microsoft.KeyVault/vaults",
    "az keyvault show --name <name> --query id --output tsv",
    note=(
        "The stack writes its own secrets to it, lets its identities read these and no others, and deletes "
        "them when it is destroyed. It does not change the vault."
    ),
)
APPLICATION = Text(
    key="existingApplication",
    description=(
        "Client id of the Entra application with which users sign in, when another team registered it. The "
        "output `entraRegistration` has the redirect URI and the federated credential that it needs."
    ),
    limits="A GUID. `az ad app list --display-name <name> --query [].appId` prints it.",
    default="",
    example="00000000-0000-0000-0000-000000000000",
    problem=lambda value: None if _GUID.fullmatch(value) else f"'{value}' is not a client id.",
)
AUDIENCES = TextMap(
    key="existingAudiences",
    description=(
        "Client ids of the Entra applications of the MCP servers, when another team registered them. Each "
        "needs version 2 tokens and a service principal, and nothing else."
    ),
    limits="The name of an MCP server of the stack and a GUID, which must be different for each server.",
    example="functions 00000000-0000-0000-0000-000000000000",
)

SETTINGS = (
    RESOURCE_GROUP,
    API_MANAGEMENT,
    IDENTITY,
    WORKSPACE,
    APPLICATION_INSIGHTS,
    ENVIRONMENT,
    KEY_VAULT,
    APPLICATION,
    AUDIENCES,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Existing:
    """The existing resources that a stack uses; None or empty for resources that the stack creates.

    Attributes:
        resource_group: name of the resource group.
        api_management: the API Management service.
        identity: the identity with which that service calls other services.
        workspace: the Log Analytics workspace.
        application_insights: the Application Insights component.
        environment: the Container Apps environment.
        key_vault: the Key Vault.
        application: client id of the application with which users sign in.
        audiences: client ids of the servers' applications, by the name of the server.
    """

    resource_group: str = ""
    api_management: ResourceId | None = None
    identity: ResourceId | None = None
    workspace: ResourceId | None = None
    application_insights: ResourceId | None = None
    environment: ResourceId | None = None
    key_vault: ResourceId | None = None
    application: str = ""
    audiences: Mapping[str, str] = field(default_factory=dict)


def read(reader: Reader, servers: Collection[str]) -> Existing:
    """Reads and checks the settings.

    Args:
        reader: collects the problems.
        servers: names of the MCP servers behind the gateway.
    """
    existing = Existing(
        resource_group=RESOURCE_GROUP.read(reader),
        api_management=ResourceId.parse(API_MANAGEMENT.read(reader)),
        identity=ResourceId.parse(IDENTITY.read(reader)),
        workspace=ResourceId.parse(WORKSPACE.read(reader)),
        application_insights=ResourceId.parse(APPLICATION_INSIGHTS.read(reader)),
        environment=ResourceId.parse(ENVIRONMENT.read(reader)),
        key_vault=ResourceId.parse(KEY_VAULT.read(reader)),
        application=APPLICATION.read(reader).lower(),
        audiences=_audiences(reader, servers),
    )
    if existing.api_management and not reader.peek(IDENTITY.key):
        IDENTITY.reject(reader, "Required with existingApiManagement, but not set.")
    if existing.identity and not reader.peek(API_MANAGEMENT.key):
        wrong = (
            "Requires existingApiManagement, which is not set; the stack's own service has its own identity."
        )
        IDENTITY.reject(reader, wrong, f"pulumi config rm {IDENTITY.key}")
    if existing.environment and reader.peek("isolateEnvironments").lower() == "true":
        wrong = "Must not be set with isolateEnvironments, which needs an environment for each MCP server."
        ENVIRONMENT.reject(reader, wrong, "pulumi config rm isolateEnvironments")
    return existing


def _audiences(reader: Reader, servers: Collection[str]) -> Mapping[str, str]:
    audiences = {name: value.lower() for name, value in AUDIENCES.read(reader).items()}
    for name, value in audiences.items():
        key = f"{AUDIENCES.key}.{name}"
        remedy = AUDIENCES.command_without(name)
        if name not in servers:
            wrong = f"'{name}' is not one of {', '.join(servers) or '(none)'}."
            reader.reject(key, wrong, AUDIENCES.reason, remedy)
        elif not _GUID.fullmatch(value):
            reader.reject(key, f"'{value}' is not a client id.", AUDIENCES.reason, remedy)
        elif list(audiences.values()).count(value) > 1:
            wrong = f"'{value}' is listed twice: a token for one server would be valid at the other."
            reader.reject(key, wrong, AUDIENCES.reason, remedy)
    return audiences
