"""Resource ids of Azure Resource Manager and the properties that Azure computes, one entry for each type.

Source: https://learn.microsoft.com/azure/templates/ (types and paths); the names of the properties are those
of `pulumi_azure_native`'s outputs, in camel case.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from twin.azure import flex_consumption
from twin.azure.identifiers import Seed

_PLACEHOLDER = r"\{(\w+)(?:=(\w+))?\}"


class RejectedError(pulumi.RunError):
    """Azure Resource Manager would reject the resource; the message is Azure's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """The subscription in which all resources are created.

    Attributes:
        id: GUID of the subscription.
        tenant: GUID of the Entra tenant.
        seed: the source of all generated values.
        gateway_url: the address that API Management reports; None for `https://<name>.azure-api.net`.
    """

    id: str
    tenant: str
    seed: Seed
    gateway_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A resource with its name and id, whose properties are being computed."""

    id: str
    name: str
    inputs: Mapping[str, Any]
    subscription: Subscription

    def guid(self, purpose: str) -> str:
        """A GUID that is specific to this resource and purpose."""
        return self.subscription.seed.guid(f"{self.id.lower()}#{purpose}")

    def identity(self) -> dict[str, Any] | None:
        """The managed identities as Azure reports them: system-assigned, and a map of user-assigned ones."""
        declared = self.inputs.get("identity")
        if not isinstance(declared, dict):
            return None
        reported: dict[str, Any] = {"type": declared.get("type"), "tenantId": self.subscription.tenant}
        if "SystemAssigned" in str(declared.get("type")):
            reported["principalId"] = self.guid("principal")
        assigned = declared.get("userAssignedIdentities") or []
        if assigned:
            reported["userAssignedIdentities"] = {
                identity: {
                    "principalId": user_assigned(self.subscription.seed, identity).principal_id,
                    "clientId": user_assigned(self.subscription.seed, identity).client_id,
                }
                for identity in assigned
            }
        return reported


@dataclass(frozen=True, slots=True, kw_only=True)
class UserAssigned:
    """The ids of a user-assigned identity."""

    client_id: str
    principal_id: str


def user_assigned(seed: Seed, resource_id: str) -> UserAssigned:
    """The ids of the user-assigned identity with this resource id."""
    key = resource_id.lower()
    return UserAssigned(client_id=seed.guid(f"{key}#client"), principal_id=seed.guid(f"{key}#principal"))


def create(
    subscription: Subscription, type_: str, name: str, inputs: Mapping[str, Any], urn: str
) -> tuple[str, dict[str, Any]]:
    """Computes the id and outputs of an `azure-native` resource.

    For a type without an entry, the id is derived from the name of the type, and the outputs are the
    resource's name, type and inputs.

    Raises:
        RejectedError: Azure would reject the resource.
    """
    path, entry = _path(type_, inputs)
    if entry and entry.rejection and (message := entry.rejection(inputs)):
        raise RejectedError(f"Azure would reject {name}: {message}")
    own_name, identifier = _identify(subscription, path, name, inputs, urn)
    resource = Resource(id=identifier, name=own_name, inputs=inputs, subscription=subscription)
    computed: dict[str, Any] = {"name": own_name, "type": arm_type(identifier)}
    if (identity := resource.identity()) is not None:
        computed["identity"] = identity
    if entry and entry.computed:
        computed.update(entry.computed(resource))
    hidden = entry.hidden(inputs) if entry and entry.hidden else ()
    return identifier, {
        key: value for key, value in {**inputs, **computed}.items() if key not in hidden and value is not None
    }


def read(subscription: Subscription, type_: str, identifier: str, assigned: Sequence[str]) -> dict[str, Any]:
    """Computes the outputs of an `azure-native` resource that the stack refers to but does not create.

    Args:
        subscription: the subscription of the stack.
        type_: type token.
        identifier: id of the resource.
        assigned: ids of its user-assigned identities, if its type can have any.
    """
    _, entry = _path(type_, {})
    inputs: dict[str, Any] = {"location": "westeurope"}
    if assigned and type_.endswith(":ApiManagementService"):
        inputs["identity"] = {"type": "UserAssigned", "userAssignedIdentities": list(assigned)}
    resource = Resource(
        id=identifier, name=identifier.rpartition("/")[2], inputs=inputs, subscription=subscription
    )
    computed = entry.computed(resource) if entry and entry.computed else {}
    outputs = {
        "name": resource.name,
        "type": arm_type(identifier),
        "location": inputs["location"],
        "identity": resource.identity(),
        **computed,
    }
    return {key: value for key, value in outputs.items() if value is not None}


def path_inputs(type_: str, inputs: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """The inputs in the id of an `azure-native` resource, as pairs of name and default.

    They have the order of the id; the last one is the name of the resource.
    """
    return tuple(re.findall(_PLACEHOLDER, _path(type_, inputs)[0]))


def arm_type(identifier: str) -> str:
    """The resource type in an id, such as `Microsoft.ApiManagement/service/apis`."""
    provider = identifier.rpartition("/providers/")[2].split("/")
    if "/providers/" not in identifier:
        return "Microsoft.Resources/resourceGroups"
    return "/".join([provider[0], *provider[1::2]])


def _path(type_: str, inputs: Mapping[str, Any]) -> tuple[str, "_Entry | None"]:
    module, _, class_name = type_.removeprefix("azure-native:").partition(":")
    entry = _ENTRIES.get(f"{module.partition('/')[0]}:{class_name}")
    return (entry.path if entry else _default_path(module, class_name, inputs)), entry


def _identify(
    subscription: Subscription, path: str, name: str, inputs: Mapping[str, Any], urn: str
) -> tuple[str, str]:
    """The name and the id of a resource: fills the placeholders of a path, whose last one is the name."""
    placeholders = re.findall(_PLACEHOLDER, path)
    values = {key: str(inputs.get(key) or default) for key, default in placeholders}
    own, default = placeholders[-1]
    if not inputs.get(own) and not default:
        values[own] = (
            subscription.seed.guid(urn)
            if path.endswith(("roleAssignmentName}", "roleAssignmentId}"))
            else f"{name}{subscription.seed.hexadecimal(urn, 8)}"
        )
    filled = re.sub(r"\{(\w+)(?:=\w+)?\}", lambda match: values[match[1]], path)
    if filled.startswith("/"):
        return values[own], filled
    root = f"/subscriptions/{subscription.id}"
    if filled.startswith("resourceGroups/"):
        return values[own], f"{root}/{filled}"
    if group := inputs.get("resourceGroupName"):
        root += f"/resourceGroups/{group}"
    return values[own], f"{root}/providers/{filled}"


def _default_path(module: str, class_name: str, inputs: Mapping[str, Any]) -> str:
    own = class_name[0].lower() + class_name[1:]
    candidates = [f"{own}Name", "resourceName", "name", *(key for key in inputs if key.endswith("Name"))]
    name = next((key for key in candidates if key in inputs and key != "resourceGroupName"), f"{own}Name")
    return f"Microsoft.{module.capitalize()}/{own}s/{{{name}}}"


@dataclass(frozen=True, slots=True)
class _Entry:
    """The description of a resource type.

    Attributes:
        path: id below `.../providers/`, or a complete id, with the placeholders `{input}` and
            `{input=default}`; the last placeholder is the resource's name, generated if it is not set.
        computed: properties that Azure adds.
        hidden: inputs that Azure does not return.
        rejection: returns the error with which Azure rejects the inputs, or None.
    """

    path: str
    computed: Callable[[Resource], dict[str, Any]] | None = None
    hidden: Callable[[Mapping[str, Any]], tuple[str, ...]] | None = None
    rejection: Callable[[Mapping[str, Any]], str | None] | None = None


def _resource_group(resource: Resource) -> dict[str, Any]:
    return {"properties": {"provisioningState": "Succeeded"}, "name": resource.name}


def _identity(resource: Resource) -> dict[str, Any]:
    ids = user_assigned(resource.subscription.seed, resource.id)
    return {
        "clientId": ids.client_id,
        "principalId": ids.principal_id,
        "tenantId": resource.subscription.tenant,
    }


def _workspace(resource: Resource) -> dict[str, Any]:
    return {"customerId": resource.guid("customer"), "provisioningState": "Succeeded"}


def _insights(resource: Resource) -> dict[str, Any]:
    key, application = resource.guid("instrumentation-key"), resource.guid("application")
    region = resource.inputs.get("location") or "westeurope"
    return {
        "instrumentationKey": key,
        "appId": application,
        "applicationId": resource.name,
        "tenantId": resource.subscription.tenant,
        "connectionString": (
            f"InstrumentationKey={key};IngestionEndpoint=https://{region}-1.in.applicationinsights.azure.com/;"
            f"LiveEndpoint=https://{region}.livediagnostics.monitor.azure.com/;ApplicationId={application}"
        ),
    }


def _storage(resource: Resource) -> dict[str, Any]:
    services = ("blob", "queue", "table", "file", "dfs")
    endpoints = {service: f"https://{resource.name}.{service}.core.windows.net/" for service in services}
    return {"primaryEndpoints": endpoints, "provisioningState": "Succeeded"}


def _cosmos(resource: Resource) -> dict[str, Any]:
    return {"documentEndpoint": f"https://{resource.name}.documents.azure.com:443/"}


def _role_assignment(resource: Resource) -> dict[str, Any]:
    return {"scope": resource.inputs.get("scope")}


def _api_management(resource: Resource) -> dict[str, Any]:
    url = resource.subscription.gateway_url or f"https://{resource.name}.azure-api.net"
    region = resource.inputs.get("location") or "westeurope"
    return {
        "gatewayUrl": url,
        "gatewayRegionalUrl": f"https://{resource.name}-{region}-01.regional.azure-api.net",
        "managementApiUrl": f"https://{resource.name}.management.azure-api.net",
        "platformVersion": "stv2.1",
        "provisioningState": "Succeeded",
        "targetProvisioningState": "",
    }


def _api(resource: Resource) -> dict[str, Any]:
    return {"apiRevision": "1", "isCurrent": True, "isOnline": True, "provisioningState": "Succeeded"} | {
        key: resource.inputs[key] for key in ("apiRevision", "isCurrent") if key in resource.inputs
    }


def _hidden_when_secret(inputs: Mapping[str, Any]) -> tuple[str, ...]:
    return ("value",) if inputs.get("secret") else ()


def _vault(resource: Resource) -> dict[str, Any]:
    properties = {"enableRbacAuthorization": True, "publicNetworkAccess": "Enabled"}
    return {
        "properties": {
            **properties,
            **(resource.inputs.get("properties") or {}),
            "vaultUri": f"https://{resource.name}.vault.azure.net/",
            "provisioningState": "Succeeded",
        }
    }


def _vault_secret(resource: Resource) -> dict[str, Any]:
    """Azure Resource Manager never returns the value of a secret; a new value creates a new version."""
    properties = dict(resource.inputs.get("properties") or {})
    value = properties.pop("value", "")
    vault = resource.id.split("/")[-3]
    address = f"https://{vault}.vault.azure.net/secrets/{resource.name}"
    version = resource.subscription.seed.hexadecimal(f"{resource.id.lower()}#{value}", 32)
    return {
        "properties": {
            **properties,
            "secretUri": address,
            "secretUriWithVersion": f"{address}/{version}",
        }
    }


def _web_app(resource: Resource) -> dict[str, Any]:
    host = f"{resource.name}.azurewebsites.net"
    return {
        "defaultHostName": host,
        "hostNames": [host],
        "enabledHostNames": [host, f"{resource.name}.scm.azurewebsites.net"],
        "repositorySiteName": resource.name,
        "resourceGroup": resource.inputs.get("resourceGroupName"),
        "customDomainVerificationId": resource.subscription.seed.hexadecimal(resource.id, 64).upper(),
        "state": "Running",
    }


def _managed_environment(resource: Resource) -> dict[str, Any]:
    # An address in the default virtual network of the program. The twin sends no requests to it.
    return {"defaultDomain": _domain(resource, resource.id), "staticIp": "10.80.0.200"}


def _domain(resource: Resource, environment_id: str) -> str:
    """The domain of a Container Apps environment, derived from its id."""
    suffix = resource.subscription.seed.hexadecimal(environment_id.lower(), 8)
    return f"{environment_id.rpartition('/')[2]}-{suffix}.westeurope.azurecontainerapps.io"


def _http_route_config(resource: Resource) -> dict[str, Any]:
    domain = _domain(resource, resource.id.rpartition("/httpRouteConfigs/")[0])
    properties = resource.inputs.get("properties") or {}
    return {
        "properties": {
            **properties,
            "fqdn": f"{resource.name}.{domain}",
            "provisioningErrors": [],
            "provisioningState": "Succeeded",
        }
    }


def _container_app(resource: Resource) -> dict[str, Any]:
    environment = str(
        resource.inputs.get("managedEnvironmentId") or resource.inputs.get("environmentId") or ""
    )
    domain = _domain(resource, environment)
    configuration = dict(resource.inputs.get("configuration") or {})
    ingress = configuration.get("ingress")
    if isinstance(ingress, dict):
        host = f"{resource.name}{'' if ingress.get('external') else '.internal'}.{domain}"
        configuration["ingress"] = {**ingress, "fqdn": host}
    # Azure returns only the names of secrets.
    if isinstance(secrets := configuration.get("secrets"), list):
        configuration["secrets"] = [{"name": secret.get("name")} for secret in secrets]
    return {"configuration": configuration, "latestRevisionName": f"{resource.name}--0000001"}


def _client_certificate(inputs: Mapping[str, Any]) -> str | None:
    """The classic tiers accept only `true`, although the SDK sends `false` by default.

    https://github.com/pulumi/pulumi-azure-native/issues/1741
    """
    sku = (inputs.get("sku") or {}).get("name")
    if (
        sku in ("Developer", "Basic", "Standard", "Premium")
        and inputs.get("enableClientCertificate") is False
    ):
        return f"Setting EnableClientCertificate flag to false is not supported for {sku} SKU."
    return None


_APIM = "Microsoft.ApiManagement/service/{serviceName}"
_API_CENTER = "Microsoft.ApiCenter/services/{serviceName}/workspaces/{workspaceName}"
_COSMOS = "Microsoft.DocumentDB/databaseAccounts/{accountName}"
_STORAGE = "Microsoft.Storage/storageAccounts/{accountName}"
_SITE = "Microsoft.Web/sites/{name}"

_ENTRIES: dict[str, _Entry] = {
    "resources:ResourceGroup": _Entry("resourceGroups/{resourceGroupName}", _resource_group),
    "resources:Deployment": _Entry("Microsoft.Resources/deployments/{deploymentName}"),
    "managedidentity:UserAssignedIdentity": _Entry(
        "Microsoft.ManagedIdentity/userAssignedIdentities/{resourceName}", _identity
    ),
    "operationalinsights:Workspace": _Entry(
        "Microsoft.OperationalInsights/workspaces/{workspaceName}", _workspace
    ),
    "applicationinsights:Component": _Entry("Microsoft.Insights/components/{resourceName}", _insights),
    "applicationinsights:Workbook": _Entry("Microsoft.Insights/workbooks/{resourceName}"),
    "monitor:ScheduledQueryRule": _Entry("Microsoft.Insights/scheduledQueryRules/{ruleName}"),
    "monitor:MetricAlert": _Entry("Microsoft.Insights/metricAlerts/{ruleName}"),
    "monitor:ActionGroup": _Entry("Microsoft.Insights/actionGroups/{actionGroupName}"),
    "consumption:Budget": _Entry("{scope}/providers/Microsoft.Consumption/budgets/{budgetName}"),
    "costmanagement:ScheduledActionByScope": _Entry(
        "{scope}/providers/Microsoft.CostManagement/scheduledActions/{name}"
    ),
    "monitor:DiagnosticSetting": _Entry(
        "{resourceUri}/providers/Microsoft.Insights/diagnosticSettings/{name}"
    ),
    "authorization:RoleAssignment": _Entry(
        "{scope}/providers/Microsoft.Authorization/roleAssignments/{roleAssignmentName}",
        _role_assignment,
    ),
    "storage:StorageAccount": _Entry(_STORAGE, _storage),
    "storage:BlobContainer": _Entry(_STORAGE + "/blobServices/default/containers/{containerName}"),
    "storage:BlobServiceProperties": _Entry(_STORAGE + "/blobServices/{blobServicesName=default}"),
    "storage:ManagementPolicy": _Entry(_STORAGE + "/managementPolicies/{managementPolicyName=default}"),
    "cosmosdb:DatabaseAccount": _Entry(_COSMOS, _cosmos),
    "cosmosdb:SqlResourceSqlDatabase": _Entry(_COSMOS + "/sqlDatabases/{databaseName}"),
    "cosmosdb:SqlResourceSqlContainer": _Entry(
        _COSMOS + "/sqlDatabases/{databaseName}/containers/{containerName}"
    ),
    "cosmosdb:SqlResourceSqlRoleAssignment": _Entry(_COSMOS + "/sqlRoleAssignments/{roleAssignmentId}"),
    "cosmosdb:SqlResourceSqlRoleDefinition": _Entry(_COSMOS + "/sqlRoleDefinitions/{roleDefinitionId}"),
    "apimanagement:ApiManagementService": _Entry(_APIM, _api_management, rejection=_client_certificate),
    "apimanagement:Api": _Entry(_APIM + "/apis/{apiId}", _api),
    "apimanagement:ApiOperation": _Entry(_APIM + "/apis/{apiId}/operations/{operationId}"),
    "apimanagement:ApiOperationPolicy": _Entry(
        _APIM + "/apis/{apiId}/operations/{operationId}/policies/{policyId=policy}"
    ),
    "apimanagement:ApiPolicy": _Entry(_APIM + "/apis/{apiId}/policies/{policyId=policy}"),
    "apimanagement:ApiDiagnostic": _Entry(_APIM + "/apis/{apiId}/diagnostics/{diagnosticId}"),
    "apimanagement:Policy": _Entry(_APIM + "/policies/{policyId=policy}"),
    "apimanagement:PolicyFragment": _Entry(_APIM + "/policyFragments/{id}"),
    "apimanagement:NamedValue": _Entry(_APIM + "/namedValues/{namedValueId}", hidden=_hidden_when_secret),
    "apimanagement:Logger": _Entry(_APIM + "/loggers/{loggerId}"),
    "apimanagement:Diagnostic": _Entry(_APIM + "/diagnostics/{diagnosticId}"),
    "apimanagement:Backend": _Entry(_APIM + "/backends/{backendId}"),
    "apimanagement:Product": _Entry(_APIM + "/products/{productId}"),
    "apimanagement:ProductApi": _Entry(_APIM + "/products/{productId}/apis/{apiId}"),
    "apimanagement:ProductPolicy": _Entry(_APIM + "/products/{productId}/policies/{policyId=policy}"),
    "apimanagement:Cache": _Entry(_APIM + "/caches/{cacheId}"),
    "apimanagement:Subscription": _Entry(_APIM + "/subscriptions/{sid}"),
    "keyvault:Vault": _Entry("Microsoft.KeyVault/vaults/{vaultName}", _vault),
    "keyvault:Secret": _Entry("Microsoft.KeyVault/vaults/{vaultName}/secrets/{secretName}", _vault_secret),
    "web:AppServicePlan": _Entry("Microsoft.Web/serverfarms/{name}"),
    "web:WebApp": _Entry(_SITE, _web_app, rejection=flex_consumption.rejection),
    "web:WebAppApplicationSettings": _Entry(_SITE + "/config/{_=appsettings}"),
    "web:WebAppAuthSettingsV2": _Entry(_SITE + "/config/{_=authsettingsV2}"),
    "web:WebAppFtpAllowed": _Entry(_SITE + "/basicPublishingCredentialsPolicies/{_=ftp}"),
    "web:WebAppScmAllowed": _Entry(_SITE + "/basicPublishingCredentialsPolicies/{_=scm}"),
    "app:ManagedEnvironment": _Entry(
        "Microsoft.App/managedEnvironments/{environmentName}", _managed_environment
    ),
    "app:ContainerApp": _Entry("Microsoft.App/containerApps/{containerAppName}", _container_app),
    "app:ContainerAppsAuthConfig": _Entry(
        "Microsoft.App/containerApps/{containerAppName}/authConfigs/{authConfigName=current}"
    ),
    "app:HttpRouteConfig": _Entry(
        "Microsoft.App/managedEnvironments/{environmentName}/httpRouteConfigs/{httpRouteName}",
        _http_route_config,
    ),
    "apicenter:Environment": _Entry(_API_CENTER + "/environments/{environmentName}"),
    "apicenter:Api": _Entry(_API_CENTER + "/apis/{apiName}"),
    "apicenter:ApiVersion": _Entry(_API_CENTER + "/apis/{apiName}/versions/{versionName}"),
    "apicenter:ApiDefinition": _Entry(
        _API_CENTER + "/apis/{apiName}/versions/{versionName}/definitions/{definitionName}"
    ),
    "apicenter:Deployment": _Entry(_API_CENTER + "/apis/{apiName}/deployments/{deploymentName}"),
    "cognitiveservices:ProjectConnection": _Entry(
        "Microsoft.CognitiveServices/accounts/{accountName}/projects/{projectName}/connections/{connectionName}"
    ),
    "network:VirtualNetwork": _Entry("Microsoft.Network/virtualNetworks/{virtualNetworkName}"),
    "network:Subnet": _Entry("Microsoft.Network/virtualNetworks/{virtualNetworkName}/subnets/{subnetName}"),
    "network:NetworkSecurityGroup": _Entry(
        "Microsoft.Network/networkSecurityGroups/{networkSecurityGroupName}"
    ),
    "network:PrivateEndpoint": _Entry("Microsoft.Network/privateEndpoints/{privateEndpointName}"),
    "network:PrivateDnsZoneGroup": _Entry(
        "Microsoft.Network/privateEndpoints/{privateEndpointName}/privateDnsZoneGroups/{privateDnsZoneGroupName}"
    ),
    "privatedns:PrivateZone": _Entry("Microsoft.Network/privateDnsZones/{privateZoneName}"),
    "privatedns:PrivateRecordSet": _Entry(
        "Microsoft.Network/privateDnsZones/{privateZoneName}/{recordType}/{relativeRecordSetName}"
    ),
    "privatedns:VirtualNetworkLink": _Entry(
        "Microsoft.Network/privateDnsZones/{privateZoneName}/virtualNetworkLinks/{virtualNetworkLinkName}"
    ),
}
