"""The rules that hold at every instant of every deployment, as functions from a timeline to violations.

Each violation is a sentence: the unprotected resource, and the events between which it was unprotected.
"""

from collections import Counter
from collections.abc import Iterator

from tests.engine.record import Call
from tests.engine.timeline import Interval, Timeline, Version

AUTHENTICATION = {"app:ContainerApp": "/authConfigs/current", "web:WebApp": "/config/authsettingsV2"}
"""The resource below an app that enables its authentication, by the type of the app."""


def violations(timeline: Timeline) -> list[str]:
    """All violations of a rule at any instant."""
    return [
        *apps_without_authentication(timeline),
        *code_without_authentication(timeline),
        *apis_before_authentication(timeline),
        *operations_without_policy(timeline),
        *keys_generated_again(timeline),
    ]


def apps_without_authentication(timeline: Timeline) -> list[str]:
    """A container that may be reachable from the internet has its authentication.

    A container serves requests as soon as its app exists. It is reachable through an external ingress, and
    through any route of its environment to it.
    """
    return [
        f"{app.name} is reachable through {way} without authentication from {timeline.describe(gap.start)} "
        f"to {timeline.describe(gap.end)}"
        for app in timeline.versions("app:ContainerApp")
        for way, reachable in _public(timeline, app)
        for gap in reachable.without(authenticated(timeline, app))
    ]


def code_without_authentication(timeline: Timeline) -> list[str]:
    """A Function App that may have code has its authentication. Without code it serves no requests."""
    problems = []
    for app in timeline.versions("web:WebApp"):
        uploads = [call for call in _uploads(timeline, app) if app.possible.start < call.began]
        if uploads:
            serving = Interval(max(uploads[0].began, app.possible.start), app.possible.end)
            problems += [
                f"{app.name} has code and no authentication from {timeline.describe(gap.start)} "
                f"to {timeline.describe(gap.end)}"
                for gap in serving.without(authenticated(timeline, app))
            ]
    return problems


def operations_without_policy(timeline: Timeline) -> list[str]:
    """An operation has its API's policy and its own policy, if one is declared and its API forwards requests.

    Without a policy API Management forwards every request to the API's service URL.
    """
    problems = []
    for operation in timeline.versions("apimanagement:ApiOperation"):
        api = operation.id.rpartition("/operations/")[0]
        gaps = [("its API's policy", gap) for gap in _gaps(timeline, operation, f"{api}/policies/policy")]
        own = f"{operation.id}/policies/policy"
        if timeline.certain(own) and any(
            _forwards(version) for version in timeline.versions("apimanagement:Api") if version.id == api
        ):
            gaps += [("its own policy", gap) for gap in _gaps(timeline, operation, own)]
        problems += [
            f"{operation.name} does not have {missing} from {timeline.describe(gap.start)} "
            f"to {timeline.describe(gap.end)}"
            for missing, gap in gaps
        ]
    return problems


def apis_before_authentication(timeline: Timeline) -> list[str]:
    """An API that forwards to an app exists only while the app has its authentication."""
    return [
        f"{api.name} forwards to {app.name} without authentication from {timeline.describe(gap.start)} "
        f"to {timeline.describe(gap.end)}"
        for api in timeline.versions("apimanagement:Api")
        for app in timeline.versions(*AUTHENTICATION)
        if f"//{app.id.rpartition('/')[2]}." in str(api.inputs.get("serviceUrl") or "")
        for gap in api.possible.common(app.possible).without(authenticated(timeline, app))
    ]


def keys_generated_again(timeline: Timeline) -> list[str]:
    """A key is generated once: another key would invalidate every session and every registration."""
    generated = Counter(
        call.name
        for call in timeline.calls
        if call.is_of("RandomBytes") and call.kind == "create" and call.changed_azure
    )
    problems = [f"{name} was generated {count} times" for name, count in generated.items() if count > 1]
    # A vault that is replaced has the same keys at other addresses.
    values: dict[tuple[str, str], set[str]] = {}
    for value in timeline.versions("apimanagement:NamedValue"):
        if value.inputs.get("secret"):
            reference = value.inputs.get("keyVault") or {}
            content = reference.get("secretIdentifier") or value.inputs.get("value")
            vault = str(content).partition("/secrets/")[0] if reference else ""
            values.setdefault((value.name, vault), set()).add(str(content))
    return problems + [
        f"the secret in {name} changed" for (name, _), contents in values.items() if len(contents) > 1
    ]


def authenticated(timeline: Timeline, app: Version) -> tuple[Interval, ...]:
    """The intervals in which an app certainly has its authentication."""
    (suffix,) = (suffix for type_, suffix in AUTHENTICATION.items() if app.type.endswith(f":{type_}"))
    return timeline.certain(app.id + suffix)


def _public(timeline: Timeline, app: Version) -> Iterator[tuple[str, Interval]]:
    """How and when a container may be reachable from the internet."""
    ingress = (app.inputs.get("configuration") or {}).get("ingress") or {}
    if ingress.get("external"):
        yield "its ingress", app.possible
    for route in timeline.versions("app:HttpRouteConfig"):
        if app.id.rpartition("/")[2] in _targets(route) and (both := app.possible.common(route.possible)):
            yield route.name, both


def _targets(route: Version) -> set[str]:
    """The names of the apps that are targets of a route."""
    rules = (route.inputs.get("properties") or {}).get("rules") or []
    return {target["containerApp"] for rule in rules for target in rule.get("targets") or []}


def _forwards(api: Version) -> bool:
    return bool(api.inputs.get("serviceUrl"))


def _gaps(timeline: Timeline, operation: Version, policy: str) -> Iterator[Interval]:
    return operation.possible.without(timeline.certain(policy))


def _uploads(timeline: Timeline, app: Version) -> list[Call]:
    return [call for call in timeline.calls if call.kind == "upload" and call.id.lower() == app.id.lower()]
