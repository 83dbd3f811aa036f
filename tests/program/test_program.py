"""The declared resources in every variant of the configuration, for `pulumi up` and `pulumi preview`."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from tests.program import schema
from tests.program.template import deployed_diagnostic
from tests.program.variants import CASES, UP, VARIANTS, Case
from tests.program.variants import SECRETS as STACK_SECRETS
from tests.stacks import FUNCTIONS_ONLY
from twin.azure.cloud import Cloud
from twin.control import describe
from twin.gateway_plan import LOCAL
from twin.stack import UNKNOWN, Declared, Stack, evaluate

_ENTRY = {"image": "ghcr.io/example/notes:1.2.3", "port": 8080}

every_case = pytest.mark.parametrize("case", CASES, ids=str)
every_update = pytest.mark.parametrize("case", UP, ids=str)


def custom(stack: Stack) -> list[Declared]:
    return [resource for resource in stack.resources if resource.custom]


def strings(value: Any) -> list[str]:
    """All strings in a value."""
    if isinstance(value, Mapping):
        return [text for item in value.values() for text in strings(item)]
    if isinstance(value, list):
        return [text for item in value for text in strings(item)]
    return [value] if isinstance(value, str) else []


@every_case
def test_every_resource_fits_the_schema_of_its_type(case: Case) -> None:
    assert [problem for resource in case.stack.resources for problem in schema.problems(resource)] == []


@every_case
def test_no_two_resources_share_a_urn_or_a_logical_name_of_a_type(case: Case) -> None:
    stack = case.stack
    assert [
        urn for urn, count in Counter(resource.urn for resource in stack.resources).items() if count > 1
    ] == []
    names = Counter((resource.type, resource.name) for resource in stack.resources)
    assert [name for name, count in names.items() if count > 1] == []


@every_update
def test_no_two_resources_have_the_same_id_in_azure(case: Case) -> None:
    ids = Counter(resource.id.lower() for resource in custom(case.stack) if resource.id.startswith("/"))
    assert [identifier for identifier, count in ids.items() if count > 1] == []


@every_case
def test_every_resource_belongs_to_a_component(case: Case) -> None:
    for resource in custom(case.stack):
        parent = case.stack.get(resource.parent)
        assert parent is not None, f"{resource} is a child of the stack itself"
        assert not parent.custom


@every_case
def test_every_component_registers_its_outputs(case: Case) -> None:
    components = [resource for resource in case.stack.resources if not resource.custom]
    assert components
    assert [component for component in components if not component.registered] == []


@every_case
def test_components_have_type_tokens_of_the_project(case: Case) -> None:
    tokens = {resource.type for resource in case.stack.resources if not resource.custom}
    assert [
        token for token in tokens if not re.fullmatch(r"mcp:(gateway|backends):[A-Z][A-Za-z]+", token)
    ] == []


@every_update
def test_no_resource_contains_a_secret_in_clear_text(case: Case) -> None:
    secrets = [
        value
        for key in case.stack.of_type("RandomBytes")
        for value in (key.outputs["base64"], key.outputs["hex"])
    ]
    assert secrets
    secrets += [value for key, value in VARIANTS[case.variant].items() if key in STACK_SECRETS]
    shown = json.dumps([describe(resource) for resource in case.stack.resources])
    assert [secret for secret in secrets if secret in shown] == []


@every_update
def test_outputs_reveal_neither_a_secret_nor_a_backend(case: Case) -> None:
    stack = case.stack
    shown = strings(stack.outputs)
    hosts = [
        stack.one("web:WebApp").outputs["defaultHostName"],
        ".documents.azure.com",
        ".blob.core.windows.net",
        ".azurecontainerapps.io",
    ]
    keys = [key.outputs["base64"] for key in stack.of_type("RandomBytes")]
    assert [text for text in shown for hidden in (*hosts, *keys) if hidden in text] == []


@every_case
def test_the_outputs_are_those_that_users_need(case: Case) -> None:
    assert case.stack.outputs.keys() == {
        "gatewayUrl",
        "mcpEndpoints",
        "serviceApiEndpoints",
        "oauthMetadataUrl",
        "functionAppName",
        "resourceGroup",
        "apimName",
        "entraClientId",
        "agentSettings",
        *(["subscriptionKeys"] if case.variant == "callers" else []),
    }


@every_update
def test_every_backend_has_the_urls_of_its_transports(case: Case) -> None:
    gateway = case.stack.outputs["gatewayUrl"]

    def both(path: str) -> dict[str, str]:
        return {"streamableHttp": f"{gateway}/{path}", "sse": f"{gateway}/{path}/sse"}

    further = {
        "servers": {
            "slack": both("slack-mcp"),
            "jira": both("jira-mcp"),
            "github": {"streamableHttp": "https://api.githubcopilot.com/mcp/"},
        },
        "containers": {
            "notes": {"streamableHttp": f"{gateway}/notes-mcp"},
            "legacy": {"sse": f"{gateway}/legacy-mcp/sse"},
            "everything": both("everything-mcp"),
        },
        "network": {"notes": {"streamableHttp": f"{gateway}/notes-mcp"}},
    }.get(case.variant, {})
    assert case.stack.outputs["mcpEndpoints"] == {"functions": both("mcp")} | further


def test_the_list_of_endpoints_is_that_of_the_reference_system() -> None:
    stack = Case("servers", preview=False).stack
    gateway = stack.outputs["gatewayUrl"]
    assert stack.outputs["serviceApiEndpoints"] == [
        f"{gateway}/{path}/sse" for path in ("mcp", "slack-mcp", "jira-mcp")
    ]


@every_update
def test_cosmos_admits_only_the_gateways_identity_to_one_database_and_has_no_keys(case: Case) -> None:
    stack = case.stack
    account = stack.one("cosmosdb:DatabaseAccount")
    role = stack.one("cosmosdb:SqlResourceSqlRoleAssignment")
    gateway = stack.one("managedidentity:UserAssignedIdentity", "gateway-service-identity")
    assert role.inputs["principalId"] == gateway.outputs["principalId"]
    assert role.inputs["scope"] == f"{account.id}/dbs/oauth"
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", role.inputs["roleAssignmentId"])
    assert account.inputs["disableLocalAuth"] is True
    assert {"name": "EnableServerless"} in account.inputs["capabilities"]


@every_case
def test_every_container_of_the_store_is_partitioned_by_id_and_its_records_can_expire(case: Case) -> None:
    containers = {
        resource.inputs["containerName"]: resource.inputs["resource"]
        for resource in case.stack.of_type("cosmosdb:SqlResourceSqlContainer")
    }
    assert containers.keys() == {"clients", "transactions", "consents", "grants", "sessions"}
    for resource in containers.values():
        assert resource["partitionKey"]["paths"] == ["/id"]
        assert resource["defaultTtl"] == -1


@every_case
def test_old_versions_of_tls_are_disabled(case: Case) -> None:
    stack = case.stack
    assert stack.one("storage:StorageAccount").inputs["minimumTlsVersion"] == "TLS1_2"
    assert stack.one("storage:StorageAccount").inputs["enableHttpsTrafficOnly"] is True
    assert stack.one("cosmosdb:DatabaseAccount").inputs["minimalTlsVersion"] == "Tls12"
    app = stack.one("web:WebApp").inputs
    assert app["httpsOnly"] is True
    assert app["siteConfig"]["minTlsVersion"] == "1.2"
    assert app["siteConfig"]["scmMinTlsVersion"] == "1.2"
    assert {tuple(api.inputs["protocols"]) for api in stack.of_type("apimanagement:Api")} == {("https",)}


@every_case
def test_storage_has_no_public_blobs_and_no_shared_keys(case: Case) -> None:
    account = case.stack.one("storage:StorageAccount").inputs
    assert account["allowBlobPublicAccess"] is False
    assert account["allowSharedKeyAccess"] is False
    containers = case.stack.of_type("storage:BlobContainer")
    assert {container.inputs["containerName"] for container in containers} == {"deployments", "snippets"}
    assert {container.inputs["publicAccess"] for container in containers} == {"None"}


@every_case
def test_the_function_app_has_no_key_and_no_connection_string_of_a_store(case: Case) -> None:
    declared = case.stack.one("web:WebApp").inputs["siteConfig"]["appSettings"]
    settings = {pair["name"]: pair["value"] for pair in declared}
    assert not settings.keys() & {"AzureWebJobsStorage", "SNIPPETS_STORAGE", "FUNCTIONS_WORKER_RUNTIME"}
    assert [name for name, value in settings.items() if value is not UNKNOWN and "AccountKey" in value] == []


@every_update
def test_the_function_app_admits_only_the_gateways_identity(case: Case) -> None:
    stack = case.stack
    auth = stack.one("web:WebAppAuthSettingsV2").inputs
    gateway = stack.one("managedidentity:UserAssignedIdentity", "gateway-service-identity").outputs
    application = stack.one("Application", "functions-audience-application").outputs["clientId"]
    assert auth["name"] == stack.one("web:WebApp").outputs["name"]
    assert auth["platform"]["enabled"] is True
    assert auth["globalValidation"]["requireAuthentication"] is True
    assert auth["globalValidation"]["unauthenticatedClientAction"] == "Return401"
    assert "excludedPaths" not in auth["globalValidation"]
    entra = auth["identityProviders"]["azureActiveDirectory"]
    assert entra["validation"]["allowedAudiences"] == [application]
    policy = entra["validation"]["defaultAuthorizationPolicy"]
    assert policy["allowedPrincipals"]["identities"] == [gateway["principalId"]]
    assert policy.get("allowedApplications") in (None, [gateway["clientId"]])


WITH_CONTAINERS = pytest.mark.parametrize(
    "case", [case for case in CASES if case.variant in ("servers", "containers")], ids=str
)
UP_WITH_CONTAINERS = pytest.mark.parametrize(
    "case", [case for case in UP if case.variant in ("servers", "containers")], ids=str
)


def container_apps(stack: Stack) -> dict[str, Mapping[str, Any]]:
    return {app.name: app.inputs for app in stack.of_type("app:ContainerApp")}


@UP_WITH_CONTAINERS
def test_every_container_app_admits_only_the_gateways_identity(case: Case) -> None:
    stack = case.stack
    settings = {
        resource.inputs["containerAppName"]: resource
        for resource in stack.of_type("app:ContainerAppsAuthConfig")
    }
    gateway = stack.one("managedidentity:UserAssignedIdentity", "gateway-service-identity").outputs
    apps = stack.of_type("app:ContainerApp")
    assert apps
    assert settings.keys() == {app.outputs["name"] for app in apps}
    for app in apps:
        authentication = settings[app.outputs["name"]]
        backend = app.inputs["tags"]["mcp-server"]
        application = stack.one("Application", f"{backend}-audience-application").outputs["clientId"]
        assert authentication.inputs["authConfigName"] == "current"
        assert authentication.inputs["platform"]["enabled"] is True
        assert authentication.inputs["globalValidation"] == {"unauthenticatedClientAction": "Return401"}
        assert authentication.inputs["httpSettings"]["requireHttps"] is True
        providers = authentication.inputs["identityProviders"]
        assert providers.keys() == {"azureActiveDirectory"}
        validation = providers["azureActiveDirectory"]["validation"]
        assert validation["allowedAudiences"] == [application]
        policy = validation["defaultAuthorizationPolicy"]
        assert policy["allowedPrincipals"] == {"identities": [gateway["principalId"]]}
        assert policy["allowedApplications"] == [gateway["clientId"]]


@WITH_CONTAINERS
def test_containers_are_not_public_and_allow_neither_http_nor_additional_ports(case: Case) -> None:
    for name, inputs in container_apps(case.stack).items():
        ingress = inputs["configuration"]["ingress"]
        assert ingress["external"] is False, name
        assert ingress["allowInsecure"] is False, name
        assert not ingress.get("additionalPortMappings"), name


@UP_WITH_CONTAINERS
def test_only_servers_without_sessions_may_have_several_replicas(case: Case) -> None:
    scale = {
        name: (inputs["template"]["scale"]["minReplicas"], inputs["template"]["scale"]["maxReplicas"])
        for name, inputs in container_apps(case.stack).items()
    }
    assert (
        scale
        == {
            "servers": {"slack-http": (1, 1), "slack-sse": (1, 1), "jira-http": (1, 5), "jira-sse": (1, 1)},
            "containers": {"notes-http": (1, 1), "legacy-sse": (1, 1), "everything-both": (0, 1)},
        }[case.variant]
    )


@UP_WITH_CONTAINERS
def test_containers_have_the_smallest_size_unless_their_entry_sets_another(case: Case) -> None:
    sizes = {
        name: (resources["cpu"], resources["memory"])
        for name, inputs in container_apps(case.stack).items()
        for resources in [inputs["template"]["containers"][0]["resources"]]
    }
    assert {name for name, size in sizes.items() if size != (0.25, "0.5Gi")} <= {"notes-http"}
    assert sizes.get("notes-http", (0.5, "1Gi")) == (0.5, "1Gi")


@UP_WITH_CONTAINERS
def test_images_have_the_tag_and_the_digest_of_the_settings(case: Case) -> None:
    images = {
        name: inputs["template"]["containers"][0]["image"]
        for name, inputs in container_apps(case.stack).items()
    }
    if case.variant == "servers":
        slack = f"ghcr.io/korotovsky/slack-mcp-server:v1.3.0@sha256:{'5' * 64}"
        jira = "ghcr.io/sooperset/mcp-atlassian:0.23.1"
        assert images == {"slack-http": slack, "slack-sse": slack, "jira-http": jira, "jira-sse": jira}
    else:
        assert set(images.values()) == {"ghcr.io/example/notes:1.2.3"}


def test_jiras_server_never_uses_the_gateways_token_as_its_own() -> None:
    apps = container_apps(Case("servers", preview=False).stack)
    for name in ("jira-http", "jira-sse"):
        pairs = apps[name]["template"]["containers"][0]["env"]
        env = {pair["name"]: pair.get("value") for pair in pairs}
        assert (env["IGNORE_HEADER_AUTH"], env["ALLOW_GLOBAL_CRED_FALLBACK"]) == ("true", "true")


@pytest.mark.parametrize(("variant", "environments"), [("dev", 0), ("servers", 1), ("containers", 3)])
def test_containers_share_an_environment_unless_they_are_isolated(variant: str, environments: int) -> None:
    stack = Case(variant, preview=False).stack
    declared = stack.of_type("app:ManagedEnvironment")
    assert len(declared) == environments
    used = {inputs["environmentId"] for inputs in container_apps(stack).values()}
    assert used == {environment.id for environment in declared}
    workspace = stack.one("operationalinsights:Workspace").id
    logs = stack.of_type("monitor:DiagnosticSetting")
    logged = {log.inputs["resourceUri"]: log.inputs["workspaceId"] for log in logs}
    assert {environment: logged[environment] for environment in used} == dict.fromkeys(used, workspace)


def test_message_paths_at_the_root_are_operations_of_the_authorization_servers_api() -> None:
    def at_root(variant: str) -> set[tuple[str, str]]:
        return {
            (resource.inputs["method"], resource.inputs["urlTemplate"])
            for resource in Case(variant, preview=False).stack.of_type("apimanagement:ApiOperation")
            if resource.inputs["apiId"] == "oauth" and "message" in resource.inputs["urlTemplate"]
        }

    assert at_root("dev") == {("POST", "/message"), ("OPTIONS", "/message")}
    assert at_root("servers") == {("POST", "/message"), ("OPTIONS", "/message")}
    assert at_root("containers") == at_root("dev") | {("POST", "/messages"), ("OPTIONS", "/messages")}


@every_update
def test_fragments_are_smaller_than_both_documented_limits(case: Case) -> None:
    # The limit is 32 KB in some pages of API Management's documentation, and 512 KB in newer pages.
    sizes = {
        fragment.name: len(fragment.inputs["value"].encode())
        for fragment in case.stack.of_type("apimanagement:PolicyFragment")
    }
    assert len(sizes) == (9 if case.variant in {"servers", "callers"} else 8)
    assert {name for name, size in sizes.items() if size > 32_000} == set()


def test_f1_agents_and_members_are_assigned_the_roles_that_the_program_declares() -> None:
    stack = Case("callers", preview=False).stack
    registration = stack.one("azuread:index/application:Application", "gateway-application-registration")
    roles = {role["id"]: role for role in registration.inputs["appRoles"]}
    group = "97000000-0000-4000-8000-000000001843"
    assert {role["value"]: role["allowedMemberTypes"] for role in roles.values()} == {
        "functions": ["Application"],
        "functions.write": ["Application"],
        "SnippetKeeper": ["User", "Application"],
        f"group.{group}": ["User"],
    }
    assert registration.inputs["optionalClaims"] == {"accessTokens": [{"name": "idtyp"}]}
    principal = next(
        resource
        for resource in stack.of_type("ServicePrincipal")
        if resource.name == "gateway-application-principal"
    )
    assignments = stack.of_type("AppRoleAssignment")
    assert {assignment.inputs["resourceObjectId"] for assignment in assignments} == {
        principal.outputs["objectId"]
    }
    demo, ada = "aaaaaaaa-0000-4000-8000-000000000001", "ada00000-0000-4000-8000-000000001815"
    assigned = {
        (roles[assignment.inputs["appRoleId"]]["value"], assignment.inputs["principalObjectId"])
        for assignment in assignments
    }
    assert assigned == {
        ("functions", demo),
        ("functions.write", demo),
        ("SnippetKeeper", demo),
        ("SnippetKeeper", ada),
        (f"group.{group}", group),
    }


def test_f2_a_subscription_key_is_a_secret_output_of_a_product_with_one_api() -> None:
    stack = Case("callers", preview=False).stack
    product, link = stack.one("apimanagement:Product"), stack.one("apimanagement:ProductApi")
    subscription = stack.one("apimanagement:Subscription")
    assert (product.inputs["subscriptionRequired"], product.inputs["state"]) == (True, "notPublished")
    assert (link.inputs["productId"], link.inputs["apiId"]) == ("functions-keys", "functions-mcp")
    assert subscription.inputs["scope"] == product.id
    assert "subscriptionKeys" in stack.secret_outputs
    assert stack.outputs["subscriptionKeys"] == {"functions": subscription.inputs["primaryKey"]}
    assert len(subscription.inputs["primaryKey"]) == 64


def test_every_additional_server_declares_the_same_resources() -> None:
    def types(count: int) -> Counter[str]:
        entries = [{**_ENTRY, "name": f"server-{number}"} for number in range(count)]
        stack = evaluate({**FUNCTIONS_ONLY, "containers": json.dumps(entries)})
        return Counter(resource.type.rpartition(":")[2] for resource in stack.resources)

    assert types(4) - types(2) == {
        "Server": 2,
        "Audience": 2,
        "Application": 2,
        "ServicePrincipal": 2,
        "NamedValue": 2,
        "ContainerApp": 2,
        "ContainerAppsAuthConfig": 2,
        "HttpRouteConfig": 2,
        "PublishedApi": 2,
        "Api": 2,
        "ApiPolicy": 2,
        # POST, GET, DELETE and the preflight.
        "ApiOperation": 8,
    }


def test_a_local_command_is_declared_for_the_twin_only() -> None:
    entry = {**_ENTRY, "name": "notes", "local": {"command": "npx notes --port {port}"}}
    config = {**FUNCTIONS_ONLY, "containers": json.dumps([entry])}
    local_cloud = Cloud(gateway_url="http://localhost:8000")

    (azure,) = evaluate(config).of_type("app:ContainerApp")
    (twin,) = evaluate({**config, **LOCAL}, cloud=local_cloud).of_type("app:ContainerApp")
    assert "mcp-local-command" not in azure.inputs["tags"]
    assert json.loads(twin.inputs["tags"]["mcp-local-command"]) == ["npx", "notes", "--port", "{port}"]


@every_update
def test_entra_trusts_the_gateways_identity_in_place_of_a_secret(case: Case) -> None:
    stack = case.stack
    credential = stack.one("ApplicationFederatedIdentityCredential").inputs
    identity = stack.one("managedidentity:UserAssignedIdentity", "gateway-service-identity").outputs
    assert credential["audiences"] == ["api://AzureADTokenExchange"]
    assert credential["subject"] == identity["principalId"]
    assert credential["issuer"].endswith(f"/{identity['tenantId']}/v2.0")
    assert stack.of_type("ApplicationPassword") == ()
    application = stack.one("Application", "gateway-application-registration")
    assert application.inputs["web"]["redirectUris"] == [f"{stack.outputs['gatewayUrl']}/oauth-callback"]
    assert application.inputs["signInAudience"] == "AzureADMyOrg"
    principals = {resource.inputs["clientId"] for resource in stack.of_type("ServicePrincipal")}
    assert application.outputs["clientId"] in principals


@every_update
def test_every_server_has_an_audience_that_no_other_server_accepts(case: Case) -> None:
    stack = case.stack
    values = {
        resource.inputs["displayName"]: resource.inputs["value"]
        for resource in stack.of_type("apimanagement:NamedValue")
        if not resource.inputs["secret"]
    }
    audiences = {name: value for name, value in values.items() if name.endswith("-audience")}
    apis = [api for api in stack.of_type("apimanagement:Api") if "serviceUrl" in api.inputs]
    assert len(audiences) == len(set(audiences.values())) == len(apis)
    assert values["entra-client"] not in audiences.values()
    principals = {resource.inputs["clientId"] for resource in stack.of_type("ServicePrincipal")}
    assert principals == {values["entra-client"], *audiences.values()}
    for name, audience in audiences.items():
        application = stack.one("Application", f"{name}-application")
        assert application.outputs["clientId"] == audience
        assert application.inputs.keys() <= {
            "displayName",
            "signInAudience",
            "api",
            "fallbackPublicClientEnabled",
        }
        assert application.inputs["api"] == {"requestedAccessTokenVersion": 2}


@every_case
def test_logs_contain_no_body_no_header_and_no_query(case: Case) -> None:
    declared = (
        *case.stack.of_type("apimanagement:Diagnostic"),
        *case.stack.of_type("apimanagement:ApiDiagnostic"),
    )
    assert declared
    containers = json.loads(VARIANTS[case.variant].get("containers", "[]"))
    # `azmcpcs` is the parameter of the MCP extension of Azure Functions.
    sessions = {
        "azmcpcs",
        *(entry["sessionParameter"] for entry in containers if "sessionParameter" in entry),
    }
    for diagnostic in (*(one.inputs for one in declared), deployed_diagnostic(case.stack)):
        for side in ("frontend", "backend"):
            for message in ("request", "response"):
                logged = diagnostic[side][message]
                assert logged["body"]["bytes"] == 0
                assert not logged.get("headers")
                hidden = logged["dataMasking"]["queryParams"]
                for name in ("*", "code", "state", "transaction", "access_token", "subscription-key"):
                    assert {"mode": "Hide", "value": name} in hidden
                masked = {parameter["value"] for parameter in hidden if parameter["mode"] == "Hide"}
                assert sessions <= masked


@every_case
def test_every_operation_has_a_policy_or_its_api_checks_tokens(case: Case) -> None:
    stack = case.stack
    with_policy = {
        (policy.inputs["apiId"], policy.inputs["operationId"])
        for policy in stack.of_type("apimanagement:ApiOperationPolicy")
    }
    if case.preview:
        assert with_policy
        return
    checked = {
        policy.inputs["apiId"]
        for policy in stack.of_type("apimanagement:ApiPolicy")
        if '<include-fragment fragment-id="mcp-token" />' in policy.inputs["value"]
    }
    servers = {
        api.outputs["name"] for api in stack.of_type("apimanagement:Api") if "serviceUrl" in api.inputs
    }
    assert checked == servers
    without = [
        operation.outputs["name"]
        for operation in stack.of_type("apimanagement:ApiOperation")
        if (operation.inputs["apiId"], operation.outputs["name"]) not in with_policy
        and operation.inputs["apiId"] not in checked
    ]
    assert without == []


@every_case
def test_resources_have_the_stacks_tags(case: Case) -> None:
    for resource in custom(case.stack):
        if "tags" in resource.inputs:
            assert resource.inputs["tags"]["project"] == "remote-mcp-gateway", resource
            assert resource.inputs["tags"]["stack"] == "dev", resource
    assert sum("tags" in resource.inputs for resource in custom(case.stack)) > 5


def test_with_one_audience_the_gateway_serves_protected_resource_metadata_at_its_root() -> None:
    def operations(variant: str) -> set[str]:
        stack = Case(variant, preview=False).stack
        return {operation.inputs["urlTemplate"] for operation in stack.of_type("apimanagement:ApiOperation")}

    root = "/.well-known/oauth-protected-resource"
    assert root in operations("one-audience")
    assert root not in operations("dev")


def test_all_variants_are_different_stacks() -> None:
    seen = {
        json.dumps([describe(resource) for resource in case.stack.resources], sort_keys=True) for case in UP
    }
    assert len(seen) == len(UP)


@every_update
def test_f5_only_assigned_users_sign_in_where_the_stack_requires_it(case: Case) -> None:
    """Entra refuses all other users: https://learn.microsoft.com/entra/identity-platform/howto-restrict-your-app-to-a-set-of-users"""
    required = VARIANTS[case.variant].get("assignmentRequired") == "true"
    principal = case.stack.one("ServicePrincipal", "gateway-application-principal")
    assert principal.inputs["appRoleAssignmentRequired"] is required


def test_f2_a_rotation_keeps_the_previous_key_valid_and_a_rotation_after_a_leak_does_not() -> None:
    """As in the runbook, a rotation adds 1 to the version, and a rotation after a leak adds 2."""

    def keys(version: str) -> tuple[str, str | None, set[str]]:
        stack = evaluate(
            {**FUNCTIONS_ONLY, "access": '{"functions": "keys"}', "subscriptionKeyVersion": version}
        )
        inputs = stack.one("apimanagement:Subscription").inputs
        names = {key.name for key in stack.of_type("index/randomBytes:RandomBytes") if "keys-key" in key.name}
        assert stack.outputs["subscriptionKeys"] == {"functions": inputs["primaryKey"]}
        return inputs["primaryKey"], inputs.get("secondaryKey"), names

    first, secondary, names = keys("1")
    assert (secondary, names) == (None, {"functions-keys-key"})
    second, previous, more = keys("2")
    assert previous == first != second
    assert more == names | {"functions-keys-key-v2"}
    fourth, third, _ = keys("4")
    assert len({first, second, third, fourth}) == 4
