"""Reading from Azure Resource Manager."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from azure.core.exceptions import ClientAuthenticationError

from verify.check import FailedError, SkippedError
from verify.resource_manager import AzureCredential, LocalCredential, ResourceManager
from verify.server_authentication import apps, authentication_problems, shared_audiences
from verify.service import checks as service_checks
from verify.session import Durations, Service, Session
from verify.target import Api, Azure, Expectation, Target

URL = "https://management.azure.com"
Answer = Callable[[httpx2.Request], httpx2.Response]


def read(answer: Answer, *, method: str = "list") -> Any:
    async def run() -> Any:
        async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as http:
            manager = ResourceManager(URL, LocalCredential(), http)
            return await getattr(manager, method)("/subscriptions/1/providers/Microsoft.Web/sites")

    return asyncio.run(run())


def test_all_pages_of_a_list_are_read() -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        assert request.headers["authorization"] == "Bearer local"
        if "page" in request.url.params:
            return httpx2.Response(200, json={"value": [{"name": "b"}]})
        assert request.url.params["api-version"] == "2023-12-01"
        return httpx2.Response(200, json={"value": [{"name": "a"}], "nextLink": f"{URL}/next?page=2"})

    assert [item["name"] for item in read(answer)] == ["a", "b"]


def test_the_token_is_never_sent_to_another_host() -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        assert request.url.host == "management.azure.com"
        return httpx2.Response(
            200, json={"value": [], "nextLink": "https://management.azure.com.evil.example/"}
        )

    with pytest.raises(FailedError, match="another host"):
        read(answer)


@pytest.mark.parametrize("status", [401, 403])
def test_unreadable_resources_are_skipped_with_the_required_role(status: int) -> None:
    with pytest.raises(SkippedError) as error:
        read(lambda _: httpx2.Response(status))
    assert "Reader" in error.value.remedy
    assert "az login" in error.value.remedy


def test_a_resource_that_does_not_exist_is_none() -> None:
    assert read(lambda _: httpx2.Response(404), method="get") is None
    assert read(lambda _: httpx2.Response(404)) == ()


def test_a_429_is_retried_after_its_retry_after() -> None:
    answers = iter(
        [httpx2.Response(429, headers={"retry-after": "0"}), httpx2.Response(200, json={"name": "a"})]
    )
    assert read(lambda _: next(answers), method="get") == {"name": "a"}


def test_an_error_of_azure_fails_the_check() -> None:
    with pytest.raises(FailedError, match="HTTP 500"):
        read(lambda _: httpx2.Response(500))


def test_the_error_without_a_sign_in_has_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoSignIn:
        def get_token(self, *_scopes: str) -> None:
            raise ClientAuthenticationError("DefaultAzureCredential failed to retrieve a token")

    monkeypatch.setattr("azure.identity.DefaultAzureCredential", NoSignIn)
    with pytest.raises(SkippedError) as error:
        asyncio.run(AzureCredential().token())
    assert "az login" in error.value.remedy


EXPECTED = Expectation(
    servers=(),
    audience="backend",
    require_resource=False,
    allowed_origins=(),
    local=False,
    apis={},
    documents={},
    named_values={},
)
SESSION = Session(
    target=Target(url="https://gateway", stack="dev", expected=EXPECTED, azure=Azure()),
    durations=Durations(),
    open_browser=None,
    service=Service(id="/subscriptions/1", identities=(("client", "principal"),), tenant="tenant"),
)

CENTRAL = Service(
    id="/subscriptions/1/resourceGroups/shared/providers/Microsoft.ApiManagement/service/central",
    identities=(),
    tenant="tenant",
)
"""A service of another owner."""


def authentication(**changed: Any) -> dict[str, Any]:
    """Authentication settings as the program declares them, with some members of its parts changed."""
    parts: dict[str, Any] = {
        "platform": {"enabled": True},
        "globalValidation": {"unauthenticatedClientAction": "Return401", "requireAuthentication": True},
        "registration": {"clientId": "app", "openIdIssuer": "https://login.microsoftonline.com/tenant/v2.0"},
        "validation": {"allowedAudiences": ["app"]},
        "policy": {"allowedApplications": ["client"], "allowedPrincipals": {"identities": ["principal"]}},
        "others": {},
    }
    for part, members in changed.items():
        parts[part] = parts[part] | members
    entra = {
        "enabled": True,
        "registration": parts["registration"],
        "validation": {**parts["validation"], "defaultAuthorizationPolicy": parts["policy"]},
    }
    return {
        "platform": parts["platform"],
        "globalValidation": parts["globalValidation"],
        "identityProviders": {"azureActiveDirectory": entra, **parts["others"]},
    }


def test_authentication_as_the_program_declares_it_has_no_problem() -> None:
    assert authentication_problems(authentication(), SESSION) == []
    # Azure reports a provider that is not configured as enabled.
    unconfigured = authentication(others={"facebook": {"enabled": True, "registration": {}}})
    assert authentication_problems(unconfigured, SESSION) == []


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"platform": {"enabled": False}}, "is off"),
        ({"globalValidation": {"unauthenticatedClientAction": "AllowAnonymous"}}, "AllowAnonymous"),
        ({"globalValidation": {"requireAuthentication": False}}, "not required"),
        ({"globalValidation": {"excludedPaths": ["/healthz"]}}, "excluded"),
        (
            {"registration": {"openIdIssuer": "https://login.microsoftonline.com/other/v2.0"}},
            "another issuer",
        ),
        ({"validation": {"allowedAudiences": []}}, "0 audiences"),
        ({"validation": {"allowedAudiences": ["app", "other"]}}, "2 audiences"),
        ({"policy": {"allowedPrincipals": {"identities": []}}}, "every identity"),
        ({"policy": {"allowedPrincipals": {"identities": ["principal", "other"]}}}, "not the gateway's"),
        ({"policy": {"allowedPrincipals": {"identities": ["principal"], "groups": ["g"]}}}, "groups"),
        ({"policy": {"allowedApplications": ["client", "other"]}}, "application"),
        ({"others": {"gitHub": {"enabled": True, "registration": {"clientId": "x"}}}}, "gitHub"),
    ],
)
def test_each_weaker_authentication_is_a_problem(changed: dict[str, Any], problem: str) -> None:
    problems = authentication_problems(authentication(**changed), SESSION)
    assert any(problem in reported for reported in problems), problems


def test_an_audience_of_two_servers_is_a_problem() -> None:
    assert shared_audiences({"a": {"slack"}, "b": {"jira"}}) == []
    assert shared_audiences({"a": {"slack", "jira"}}) == [
        "jira and slack accept tokens for the same audience"
    ]


def test_an_app_without_authentication_is_a_problem() -> None:
    assert authentication_problems({}, SESSION) == ["built-in authentication is off"]


_GROUP = "/subscriptions/1/providers"
_ENVIRONMENT = f"{_GROUP}/Microsoft.App/managedEnvironments/e"
_COLLECTIONS: dict[str, list[dict[str, Any]]] = {
    f"{_GROUP}/Microsoft.App/containerApps": [
        {
            "id": "own",
            "name": "own",
            "properties": {"configuration": {"ingress": {"external": True, "fqdn": "own.example"}}},
        },
        {
            "id": "routed",
            "name": "routed",
            "properties": {
                "configuration": {"ingress": {"external": False, "fqdn": "routed.internal.example"}}
            },
        },
        {"id": "hidden", "name": "hidden", "properties": {}},
    ],
    f"{_GROUP}/Microsoft.App/managedEnvironments": [{"id": _ENVIRONMENT}],
    f"{_ENVIRONMENT}/httpRouteConfigs": [
        {"properties": {"fqdn": "route.example", "rules": [{"targets": [{"containerApp": "routed"}]}]}}
    ],
}


@pytest.mark.parametrize("shared", [True, False])
def test_foreign_apis_policies_and_fragments_are_reported_only_in_the_stacks_own_service(
    shared: bool,
) -> None:
    """An existing service has APIs of other teams; the verification must not ask its user to delete them."""
    own = {
        "apis": ["oauth"],
        "policyFragments": ["audit"],
        "apis/oauth/policies/policy": "<policies />",
        "policyFragments/audit": "<fragment />",
    }
    others = {
        "apis": ["payments"],
        "policyFragments": ["logging"],
        "apis/payments/policies/policy": "<policies><inbound /></policies>",
        "policies/policy": "<policies><inbound><cors /></inbound></policies>",
        "policyFragments/logging": "<fragment><base /></fragment>",
    }
    requested = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        path = request.url.path.partition("/service/central/")[2]
        requested.append(path)
        if path in ("apis", "policyFragments"):
            value = [{"name": name, "properties": {"path": ""}} for name in (*own[path], *others[path])]
            return httpx2.Response(200, json={"value": value})
        text = {**own, **others}.get(path)
        return httpx2.Response(200 if text else 404, json={"properties": {"value": text}})

    expected = replace(
        EXPECTED,
        shared=shared,
        apis={"oauth": Api(path="", operations={})},
        documents={path: text for path, text in own.items() if isinstance(text, str)},
    )
    session = replace(SESSION, target=replace(SESSION.target, expected=expected), service=CENTRAL)

    async def failed() -> set[str]:
        async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as http:
            failing = set()
            for check in service_checks(ResourceManager(URL, LocalCredential(), http)):
                if check.id in ("operations", "policies", "fragments"):
                    try:
                        await check.run(session)
                    except FailedError:
                        failing.add(check.id)
            return failing

    assert asyncio.run(failed()) == (set() if shared else {"operations", "policies", "fragments"})
    if shared:
        assert {path.split("/")[1] for path in requested if "/" in path} == {"oauth", "audit"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            (
                "<!--\r\n  A <comment> of Azure.\r\n-->\r\n<policies><inbound></inbound>\r\n"
                "<backend><forward-request /></backend><outbound></outbound></policies>"
            ),
            "",
        ),
        (
            "<policies><inbound /><backend><forward-request /></backend><outbound /><on-error /></policies>",
            "",
        ),
        (None, ""),
        (
            "<policies><outbound><find-and-replace from='a' to='b' /></outbound></policies>",
            "find-and-replace",
        ),
        ("<policies><backend><retry /></backend></policies>", "retry"),
        ("<policies>", "cannot be read"),
    ],
    ids=["created by Azure", "another spelling", "absent", "in outbound", "in backend", "not XML"],
)
def test_the_policy_of_all_apis_may_only_forward(text: str | None, problem: str) -> None:
    """The document's text differs between services, so only the policies in it are compared."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/service/central/apis"):
            return httpx2.Response(200, json={"value": []})
        return httpx2.Response(200 if text else 404, json={"properties": {"value": text}})

    session = replace(SESSION, target=replace(SESSION.target, expected=EXPECTED), service=CENTRAL)

    async def report() -> str:
        async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as http:
            manager = ResourceManager(URL, LocalCredential(), http)
            (policies,) = (check for check in service_checks(manager) if check.id == "policies")
            try:
                await policies.run(session)
            except FailedError as error:
                return str(error)
            return ""

    reported = asyncio.run(report())
    assert problem in reported
    assert bool(reported) == bool(problem)


def test_apps_in_another_group_than_the_service_are_found_by_their_tags() -> None:
    """Other stacks have apps in the same subscription, and possibly in the same environment."""
    tags = {"project": "gateways", "stack": "dev"}
    kinds = {
        "containerApps": {"own": tags, "other-stack": tags | {"stack": "prod"}, "untagged": None},
        "sites": {"site": tags | {"owner": "platform"}, "other-project": tags | {"project": "x"}},
    }

    def answer(request: httpx2.Request) -> httpx2.Response:
        assert request.url.path.startswith("/subscriptions/1/providers/")
        tags_by_id = kinds.get(request.url.path.rpartition("/")[2], {})
        properties = {"defaultHostName": "site.example"}
        value = [
            {"id": id_, "name": id_, "tags": tags_by_id[id_], "properties": properties} for id_ in tags_by_id
        ]
        return httpx2.Response(200, json={"value": value})

    expected = replace(EXPECTED, tags=tags)
    session = replace(SESSION, target=replace(SESSION.target, expected=expected), service=CENTRAL)

    async def names() -> set[str]:
        async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as http:
            manager = ResourceManager(URL, LocalCredential(), http)
            return {app.name for app in await apps(manager, session)}

    assert asyncio.run(names()) == {"own", "site"}


def test_an_app_is_called_at_each_of_its_public_host_names() -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, json={"value": _COLLECTIONS.get(request.url.path, [])})

    async def hosts() -> dict[str, tuple[str, ...]]:
        async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as http:
            manager = ResourceManager(URL, LocalCredential(), http)
            return {app.name: app.hosts for app in await apps(manager, SESSION)}

    assert asyncio.run(hosts()) == {"own": ("own.example",), "routed": ("route.example",), "hidden": ()}
