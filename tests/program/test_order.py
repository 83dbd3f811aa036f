"""A server is never reachable without its built-in authentication, nor an operation without its policy.

Every rule is checked in every variant, for an update and for a preview. A resource that depends on another is
created after it and deleted before it.
"""

import re
from collections.abc import Mapping

import pytest

from tests.program.variants import CASES, UP, Case
from twin.gateway_plan import LOCAL
from twin.stack import UNKNOWN, Declared, Stack, evaluate

every_case = pytest.mark.parametrize("case", CASES, ids=str)

APIM = "azure-native:apimanagement:"
AUTH_TYPES = (
    "app:ContainerAppsAuthConfig",
    "web:WebAppAuthSettingsV2",
    "web:WebAppFtpAllowed",
    "web:WebAppScmAllowed",
)


def siblings(stack: Stack, resource: Declared, type_: str) -> list[Declared]:
    """The resources of a type in the same component."""
    return [sibling for sibling in stack.of_type(type_) if sibling.parent == resource.parent]


def one_sibling(stack: Stack, resource: Declared, type_: str) -> Declared:
    (sibling,) = siblings(stack, resource, type_)
    return sibling


def authentication_of(stack: Stack, app: Declared) -> list[Declared]:
    """The authentication settings that admit only the gateway to an app."""
    return [setting for type_ in AUTH_TYPES for setting in siblings(stack, app, type_)]


def servers(stack: Stack) -> Mapping[str, list[Declared]]:
    """The apps of each MCP server by its name."""
    by_server = {"functions": list(stack.of_type("web:WebApp"))}
    for app in stack.of_type("app:ContainerApp"):
        by_server.setdefault(app.inputs["tags"]["mcp-server"], []).append(app)
    return by_server


def operation_policy(stack: Stack, operation: Declared) -> Declared | None:
    policies = siblings(stack, operation, "apimanagement:ApiOperationPolicy")
    return next((policy for policy in policies if policy.name == f"{operation.name}-policy"), None)


@every_case
def test_only_resources_in_api_management_depend_on_it(case: Case) -> None:
    graph = case.graph
    service = case.stack.one("apimanagement:ApiManagementService")
    # The diagnostic setting of the service, the template with its logger, and the role assignments with which
    # its system-assigned identity reads keys from a vault that has a firewall.
    exceptions = re.compile(
        r"gateway-logs-apim|gateway-azure-monitor-deployment|gateway-keys-(token|consent)-key-v\d+-access"
    )
    dependents = [
        resource
        for resource in graph.dependents(service)
        if resource.custom and not exceptions.fullmatch(resource.name)
    ]
    assert len(dependents) > 30
    others = [graph.path(resource, service) for resource in dependents if not resource.type.startswith(APIM)]
    assert others == []


@every_case
def test_an_app_is_created_after_the_resources_that_its_authentication_needs(case: Case) -> None:
    graph = case.graph
    apps = [app for server_apps in servers(case.stack).values() for app in server_apps]
    assert apps
    for app in apps:
        before = graph.dependencies(app)
        settings = authentication_of(case.stack, app)
        assert settings
        for setting in settings:
            after_app = [
                resource
                for urn, resource in graph.dependencies(setting).items()
                if urn not in before and resource is not app
            ]
            assert after_app == [], f"{setting} waits for more than {app}"


@every_case
def test_a_container_app_is_public_only_through_a_route_that_depends_on_its_authentication(
    case: Case,
) -> None:
    graph = case.graph
    apps = case.stack.of_type("app:ContainerApp")
    for app in apps:
        assert app.inputs["configuration"]["ingress"]["external"] is False
        route = one_sibling(case.stack, app, "app:HttpRouteConfig")
        assert graph.missing(route, [app, *authentication_of(case.stack, app)]) == []
    assert len(case.stack.of_type("app:HttpRouteConfig")) == len(apps)


@pytest.mark.parametrize("case", UP, ids=str)
def test_a_server_can_derive_the_name_of_its_route_from_the_name_of_its_app(case: Case) -> None:
    for app in case.stack.of_type("app:ContainerApp"):
        name = one_sibling(case.stack, app, "app:HttpRouteConfig").inputs["httpRouteName"]
        assert name == f"{app.outputs['name'].replace('-', '')}public"
        # The pattern of the name, which has no hyphens, in the specification of the API; up to 63 characters.
        assert re.fullmatch(r"[a-z][a-z0-9]{2,62}", name, re.ASCII)


@every_case
def test_code_is_published_only_to_a_function_app_with_authentication(case: Case) -> None:
    graph = case.graph
    publication = case.stack.one("pulumi-python:dynamic/backends:Publication")
    settings = [setting for type_ in AUTH_TYPES[1:] for setting in case.stack.of_type(type_)]
    assert len(settings) == 3
    assert graph.missing(publication, settings) == []
    assert [
        resource.inputs["allow"] for type_ in AUTH_TYPES[2:] for resource in case.stack.of_type(type_)
    ] == [
        False,
        False,
    ]


@every_case
def test_the_gateway_sends_requests_only_to_servers_with_authentication(case: Case) -> None:
    graph = case.graph
    apis = {
        api.name.removesuffix("-api"): api
        for api in case.stack.of_type("apimanagement:Api")
        if "serviceUrl" in api.inputs
    }
    values = {value.inputs["displayName"]: value for value in case.stack.of_type("apimanagement:NamedValue")}
    by_server = servers(case.stack)
    assert apis.keys() == by_server.keys()
    for name, apps in by_server.items():
        settings = [setting for app in apps for setting in authentication_of(case.stack, app)]
        assert graph.missing(apis[name], settings) == []
    origins = {name: value for name, value in values.items() if name.endswith("-sse-url")}
    for name, value in origins.items():
        app = by_server[name.removesuffix("-sse-url")][-1]
        assert graph.missing(value, authentication_of(case.stack, app)) == []


@every_case
def test_no_operation_exists_without_the_policy_of_its_api(case: Case) -> None:
    graph = case.graph
    operations = case.stack.of_type("apimanagement:ApiOperation")
    assert operations
    for operation in operations:
        policy = one_sibling(case.stack, operation, "apimanagement:ApiPolicy")
        api = one_sibling(case.stack, operation, "apimanagement:Api")
        assert graph.missing(operation, [policy]) == []
        assert graph.missing(policy, [api]) == []
        if own := operation_policy(case.stack, operation):
            assert graph.missing(own, [operation]) == []


@every_case
def test_no_two_resources_of_an_api_are_written_at_the_same_time(case: Case) -> None:
    graph = case.graph
    types = ("Api", "ApiPolicy", "ApiOperation", "ApiOperationPolicy")
    for api in case.stack.of_type("apimanagement:Api"):
        parts = [
            resource for type_ in types for resource in siblings(case.stack, api, f"apimanagement:{type_}")
        ]
        # Sorted in the order in which they may be written, each depends on all resources before it.
        chain = sorted(parts, key=lambda part: sum(other.urn in graph.dependencies(part) for other in parts))
        for position, part in enumerate(chain):
            assert graph.missing(part, chain[:position]) == []


@every_case
def test_policies_depend_on_the_named_values_and_fragments_that_they_mention(case: Case) -> None:
    graph, stack = case.graph, case.stack
    policies = [
        policy
        for type_ in ("Policy", "ApiPolicy", "ApiOperationPolicy", "PolicyFragment")
        for policy in stack.of_type(f"apimanagement:{type_}")
    ]
    values = {value.inputs["displayName"]: value for value in stack.of_type("apimanagement:NamedValue")}
    fragments = {
        fragment.inputs["id"]: fragment for fragment in stack.of_type("apimanagement:PolicyFragment")
    }
    assert len(policies) > 10
    for policy in policies:
        assert policy.inputs["format"] == "rawxml"
        named = set(re.findall(r"\{\{([\w.-]+)\}\}", policy.inputs["value"]))
        included = set(re.findall(r'fragment-id="([^"]+)"', policy.inputs["value"]))
        assert named <= values.keys(), f"{policy} mentions {named - values.keys()}"
        assert included <= fragments.keys(), f"{policy} includes {included - fragments.keys()}"
        needed = [*(values[name] for name in named), *(fragments[id_] for id_ in included)]
        assert graph.missing(policy, needed) == []


@every_case
def test_authentication_settings_are_deleted_with_their_apps(case: Case) -> None:
    """Deleting only the authentication settings would write their default, which opens the app."""
    settings = [setting for type_ in AUTH_TYPES for setting in case.stack.of_type(type_)]
    for setting in settings:
        apps = siblings(case.stack, setting, "web:WebApp") + siblings(case.stack, setting, "app:ContainerApp")
        assert [app.urn for app in apps] == [setting.deleted_with], setting


@every_case
def test_child_resources_of_api_management_and_cosmos_are_deleted_with_them(case: Case) -> None:
    for prefix, type_ in (
        (APIM, "apimanagement:ApiManagementService"),
        ("azure-native:cosmosdb:", "cosmosdb:DatabaseAccount"),
    ):
        owner = case.stack.one(type_)
        children = [
            resource
            for resource in case.stack.resources
            if resource.type.startswith(prefix) and resource is not owner
        ]
        assert children
        assert [child for child in children if child.deleted_with != owner.urn] == []


def protected(stack: Stack) -> set[str]:
    return {resource.type.rpartition(":")[2] for resource in stack.resources if resource.protect}


@every_case
def test_resources_with_state_are_protected(case: Case) -> None:
    """A changed region in the configuration would replace all of these resources."""
    assert protected(case.stack) == {
        "ResourceGroup",
        "ApiManagementService",
        "DatabaseAccount",
        "RandomBytes",
        # The URL that clients use.
        "RandomString",
        "Vault",
    }
    keys = case.stack.of_type("RandomBytes")
    assert [key for key in keys if not key.protect] == []


@pytest.mark.parametrize("config", [{"protect": "false"}, LOCAL])
def test_protection_can_be_turned_off(config: Mapping[str, str]) -> None:
    assert protected(evaluate({"backends": '["functions"]', **config}, preview=True)) == set()


@every_case
def test_the_gateways_url_is_derived_from_the_name_of_the_service(case: Case) -> None:
    stack = case.stack
    name = stack.one("apimanagement:ApiManagementService").inputs["serviceName"]
    url = stack.outputs["gatewayUrl"]
    if case.preview:
        assert name is url is UNKNOWN
    else:
        assert re.fullmatch(r"[a-z][a-z0-9-]{0,49}", name)
        assert url == f"https://{name}.azure-api.net"


def test_a_local_stack_with_a_gateway_in_azure_is_refused() -> None:
    with pytest.raises(Exception, match="has the setting local, but its gateway is https://apim-"):
        evaluate({"backends": '["functions"]', **LOCAL})
