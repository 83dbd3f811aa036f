"""Each rule finds its violation: it is tested with a record that violates it and one that does not."""

from collections.abc import Callable, Mapping

import pytest

from tests.engine import invariants
from tests.engine.record import Call, Kind
from tests.engine.timeline import Timeline

GROUP = "/subscriptions/s/resourceGroups/g/providers"
CONTAINER = f"{GROUP}/Microsoft.App/containerApps/notes"
ROUTE = f"{GROUP}/Microsoft.App/managedEnvironments/servers/httpRouteConfigs/public"
SITE = f"{GROUP}/Microsoft.Web/sites/functions"
API = f"{GROUP}/Microsoft.ApiManagement/service/a/apis/notes"
OPERATION = f"{API}/operations/post"

TYPES = {
    CONTAINER: "app:ContainerApp",
    f"{CONTAINER}/authConfigs/current": "app:ContainerAppsAuthConfig",
    ROUTE: "app:HttpRouteConfig",
    SITE: "web:WebApp",
    f"{SITE}/config/authsettingsV2": "web:WebAppAuthSettingsV2",
    API: "apimanagement:Api",
    f"{API}/policies/policy": "apimanagement:ApiPolicy",
    OPERATION: "apimanagement:ApiOperation",
    f"{OPERATION}/policies/policy": "apimanagement:ApiOperationPolicy",
}
OPEN = {"configuration": {"ingress": {"external": True}}}
CLOSED = {"configuration": {"ingress": {"external": False}}}
TO_NOTES = {"properties": {"rules": [{"targets": [{"containerApp": "notes"}]}]}}
FORWARDS = {"serviceUrl": "https://notes.example.azurecontainerapps.io"}

AUTH, POLICY, OWN = (
    f"{CONTAINER}/authConfigs/current",
    f"{API}/policies/policy",
    f"{OPERATION}/policies/policy",
)
SITE_AUTH = f"{SITE}/config/authsettingsV2"


class History:
    """A record of calls, which are made one after the other or in parallel."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._instant = 0

    def then(
        self,
        kind: Kind,
        identifier: str,
        inputs: Mapping[str, object] | None = None,
        *,
        error: str = "",
        removed: tuple[str, ...] = (),
    ) -> "History":
        """Adds a call that begins after all earlier calls have ended."""
        self.calls.append(_call(kind, identifier, self._next(), inputs or {}, error=error, removed=removed))
        self.calls[-1].ended = self._next()
        return self

    def together(self, kind: Kind, *identifiers: str) -> "History":
        """Adds calls that are in progress at the same time."""
        begun = [_call(kind, identifier, self._next(), {}) for identifier in identifiers]
        for call in begun:
            call.ended = self._next()
        self.calls += begun
        return self

    def violations(self, rule: Callable[[Timeline], list[str]] = invariants.violations) -> list[str]:
        return rule(Timeline(self.calls))

    def _next(self) -> int:
        self._instant += 1
        return self._instant


def _call(
    kind: Kind,
    identifier: str,
    began: int,
    inputs: Mapping[str, object],
    *,
    error: str = "",
    removed: tuple[str, ...] = (),
) -> Call:
    name = "/".join(identifier.split("/")[-2:])
    return Call(
        kind=kind,
        preview=False,
        urn=f"urn:pulumi:dev::p::mcp:a:B$azure-native:{TYPES[identifier]}::{name}",
        id=identifier,
        began=began,
        inputs=inputs,
        error=error,
        removed=removed or ((identifier,) if kind == "delete" else ()),
    )


def test_a_container_that_is_open_before_its_authentication_is_found() -> None:
    history = History().then("create", CONTAINER, OPEN).then("create", AUTH)
    (violations,) = history.violations()
    assert (
        "reachable through its ingress without authentication from create containerApps/notes began"
        in violations
    )


def test_a_container_that_opens_after_its_authentication_is_accepted() -> None:
    history = History().then("create", CONTAINER, CLOSED).then("create", AUTH).then("update", CONTAINER, OPEN)
    assert history.violations() == []


def test_a_container_that_opens_while_its_authentication_is_created_is_found() -> None:
    history = History().then("create", CONTAINER, CLOSED)
    history.together("create", AUTH, API)
    history.calls[-1] = _call("update", CONTAINER, history.calls[-1].began, OPEN)
    history.calls[-1].ended = history.calls[-2].ended + 1
    assert len(history.violations()) == 1


def test_a_route_to_a_container_without_authentication_is_found() -> None:
    history = History().then("create", CONTAINER, CLOSED).then("create", ROUTE, TO_NOTES).then("create", AUTH)
    (violations,) = history.violations()
    assert "reachable through httpRouteConfigs/public without authentication" in violations


def test_a_route_to_a_container_with_authentication_is_accepted() -> None:
    history = History().then("create", CONTAINER, CLOSED).then("create", AUTH).then("create", ROUTE, TO_NOTES)
    assert history.then("delete", ROUTE).then("delete", AUTH).then("delete", CONTAINER).violations() == []


def test_authentication_that_is_deleted_before_the_route_is_found() -> None:
    history = History().then("create", CONTAINER, CLOSED).then("create", AUTH).then("create", ROUTE, TO_NOTES)
    assert len(history.then("delete", AUTH).then("delete", ROUTE).violations()) == 1


def test_authentication_that_was_refused_protects_nothing() -> None:
    history = History().then("create", CONTAINER, CLOSED).then("create", AUTH, error="409")
    history.then("update", CONTAINER, OPEN)
    (violations,) = history.violations()
    assert violations.endswith("to the record ended")


def test_authentication_that_is_deleted_before_its_app_is_found() -> None:
    history = History().then("create", CONTAINER, CLOSED).then("create", AUTH).then("update", CONTAINER, OPEN)
    history.then("delete", AUTH).then("delete", CONTAINER)
    (violations,) = history.violations()
    assert "from delete authConfigs/current began" in violations


def test_authentication_that_is_deleted_together_with_its_app_is_accepted() -> None:
    history = History().then("create", CONTAINER, CLOSED).then("create", AUTH).then("update", CONTAINER, OPEN)
    assert history.then("delete", CONTAINER, removed=(CONTAINER, AUTH)).violations() == []


def test_code_that_is_uploaded_before_the_authentication_is_found() -> None:
    assert (
        len(History().then("create", SITE).then("upload", SITE).then("create", SITE_AUTH).violations()) == 1
    )
    assert History().then("create", SITE).then("create", SITE_AUTH).then("upload", SITE).violations() == []


def test_an_operation_before_its_apis_policy_is_found() -> None:
    history = History().then("create", API, FORWARDS)
    assert len(history.together("create", OPERATION, POLICY).violations()) == 1


@pytest.mark.parametrize("last", ["delete", "create"])
def test_an_operation_after_its_apis_policy_is_accepted(last: Kind) -> None:
    history = History().then("create", API, FORWARDS).then("create", POLICY).then("create", OPERATION)
    if last == "delete":
        history.then("delete", OPERATION).then("delete", POLICY).then("delete", API)
    assert history.violations() == []


def test_a_policy_that_is_deleted_before_its_operation_is_found() -> None:
    history = History().then("create", API, FORWARDS).then("create", POLICY).then("create", OPERATION)
    assert len(history.then("delete", POLICY).then("delete", OPERATION).violations()) == 1


def test_an_updated_policy_leaves_no_gap() -> None:
    history = History().then("create", API, FORWARDS).then("create", POLICY).then("create", OPERATION)
    assert history.then("update", POLICY, {"value": "<policies />"}).violations() == []


def test_an_operation_without_its_own_policy_is_found_if_the_api_forwards_requests() -> None:
    history = History().then("create", API, FORWARDS).then("create", POLICY).then("create", OPERATION)
    assert len(history.then("create", OWN).violations()) == 1


def test_an_operation_without_its_own_policy_is_accepted_if_the_api_forwards_nothing() -> None:
    history = History().then("create", API).then("create", POLICY).then("create", OPERATION)
    assert history.then("create", OWN).violations() == []


def test_an_api_that_forwards_to_an_app_without_authentication_is_found() -> None:
    history = History().then("create", CONTAINER, CLOSED).then("create", API, FORWARDS)
    assert len(history.violations(invariants.apis_before_authentication)) == 1
    history = History().then("create", CONTAINER, CLOSED).then("create", AUTH).then("create", API, FORWARDS)
    assert history.violations(invariants.apis_before_authentication) == []


def test_a_key_that_is_generated_again_is_found() -> None:
    history = History()
    for instant in (1, 3):
        urn = "urn:pulumi:dev::p::random:index/randomBytes:RandomBytes::key"
        history.calls.append(
            Call(kind="create", preview=False, urn=urn, id="none", began=instant, ended=instant + 1)
        )
    assert history.violations() == ["key was generated 2 times"]


def test_a_secret_that_changes_in_a_named_value_is_found() -> None:
    identifier = f"{GROUP}/Microsoft.ApiManagement/service/a/namedValues/token-key"
    TYPES[identifier] = "apimanagement:NamedValue"
    history = History().then("create", identifier, {"secret": True, "value": "one"})
    assert history.violations() == []
    assert len(history.then("update", identifier, {"secret": True, "value": "two"}).violations()) == 1


def test_a_named_value_that_refers_to_another_secret_of_its_vault_is_found() -> None:
    identifier = f"{GROUP}/Microsoft.ApiManagement/service/a/namedValues/token-key"
    TYPES[identifier] = "apimanagement:NamedValue"

    def reference_to(address: str) -> Mapping[str, object]:
        return {"secret": True, "keyVault": {"secretIdentifier": address}}

    history = History().then("create", identifier, reference_to("https://one/secrets/key/1"))
    assert history.then("update", identifier, reference_to("https://two/secrets/key/1")).violations() == []
    assert (
        len(history.then("update", identifier, reference_to("https://two/secrets/key/2")).violations()) == 1
    )
