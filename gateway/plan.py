"""The plan of a gateway: APIs, operations, rendered policies, fragments and names of named values.

    plan = plan_gateway(settings, registry.describe(settings), registry.hosted(settings))
    plan.check()

A plan is plain data that is computed from the stack's settings before any resource exists. Values that are
known only after the deployment (host names, ids, keys) reach the policies through named values; a plan
contains only the names of the named values.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pulumi

from apim import lint
from apim import service as engine
from apim.findings import Finding
from apim.lint.streaming import Diagnostic
from apim.named_values import mentioned
from gateway import policy
from gateway.api import Api, Operation, Product
from gateway.backend import Backend, Hosted
from gateway.mcp_api import plan_mcp_api, plan_product
from gateway.oauth_api import plan_oauth_apis
from gateway.registry_api import NAMESPACE, plan_registry_api
from gateway.roles import RolePlan, plan_roles
from settings import Settings

_INCLUDE = re.compile(r'<include-fragment\s+fragment-id="([^"]+)"')

# Placeholders for values that are known only after the deployment: a value that is valid as a number and as a
# string, and a value with the length of the keys.
_PLACEHOLDER = "1"
_KEY_PLACEHOLDER = f"{'A' * 86}=="

_FRAGMENTS = (
    "audit",
    "mcp-caller",
    "mcp-token",
    "mcp-request",
    "mcp-answer",
    "mcp-binding",
    "mcp-failure",
    "mcp-no-operation",
)


class PoliciesError(pulumi.RunError):
    """The policies have errors. Pulumi shows only the message, without a stack trace.

    Attributes:
        findings: all findings, including warnings.
    """

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        lines = "\n".join(f"  {_line(finding)}" for finding in findings if not lint.is_warning(finding))
        super().__init__(f"The policies have errors; nothing was created:\n{lines}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """A policy fragment, which the policies of MCP servers include.

    Attributes:
        id: its id in API Management; also the name of its template below `policies/fragments`.
        policy: its rendered text.
    """

    id: str
    policy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedValue:
    """A value that policies mention as `{{name}}` and that the deployment provides.

    Attributes:
        name: its name and id in API Management.
        secret: whether API Management stores it encrypted.
        backend: name of the MCP server that it belongs to, or None for the gateway's own.
    """

    name: str
    secret: bool = False
    backend: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The plan of one stack's gateway.

    Attributes:
        sku: tier of API Management.
        backends: the MCP servers behind the gateway.
        apis: the APIs with their operations.
        fragments: the fragments that policies include.
        named_values: the named values that policies mention.
        roles: the app roles of the gateway's application and their assignments.
        products: the products whose subscription keys give access to MCP servers.
        logged_body_bytes: number of bytes of a body that the service logs.
    """

    sku: str
    backends: tuple[Backend, ...]
    apis: tuple[Api, ...]
    fragments: tuple[Fragment, ...]
    named_values: tuple[PlannedValue, ...]
    roles: RolePlan
    products: tuple[Product, ...] = ()
    # A logged body is buffered, which would delay event streams.
    logged_body_bytes: int = 0

    @property
    def session_parameters(self) -> tuple[str, ...]:
        """The query parameters in which clients of the legacy transport send the ids of their sessions."""
        routes = [route for backend in self.backends for route in (*backend.routes, *backend.root_messages)]
        return tuple(sorted({route.session_parameter for route in routes if route.session_parameter}))

    def findings(self) -> list[Finding]:
        """All findings about the policies, including warnings."""
        facts = lint.ServiceFacts(
            unknown=frozenset(value.name for value in self.named_values),
            diagnostics=(Diagnostic(name="applicationinsights", body_bytes=self.logged_body_bytes),),
        )
        return lint.check_once(self.service(), facts)

    def check(self) -> None:
        """Checks the policies, before anything is created. Warnings are logged.

        Raises:
            PoliciesError: policies have errors.
        """
        findings = self.findings()
        for finding in filter(lint.is_warning, findings):
            pulumi.log.warn(_line(finding))
        if not all(map(lint.is_warning, findings)):
            raise PoliciesError(findings)

    def service(
        self, values: Mapping[str, str] | None = None, urls: Mapping[str, str] | None = None
    ) -> engine.Service:
        """The plan as a service of the policy engine.

        Args:
            values: named values by name; a placeholder replaces each missing one.
            urls: origins of the MCP servers by name; a placeholder replaces each missing one.
        """
        values, urls = values or {}, urls or {}
        return engine.Service(
            name="plan",
            gateway_url=values.get("gateway-url", "https://gateway"),
            sku=self.sku,
            apis=tuple(_engine_api(api, urls) for api in self.apis),
            named_values=tuple(
                engine.NamedValue(
                    name=value.name,
                    value=values.get(value.name, _KEY_PLACEHOLDER if value.secret else _PLACEHOLDER),
                    secret=value.secret,
                )
                for value in self.named_values
            ),
            fragments=tuple(
                engine.PolicyFragment(
                    id=fragment.id,
                    document=_document(fragment.policy, f"fragment {fragment.id}"),
                )
                for fragment in self.fragments
            ),
            products=tuple(
                engine.Product(id=product.id, name=product.title, apis=(product.api,))
                for product in self.products
            ),
            identities=(
                engine.ManagedIdentity(
                    client_id=values.get("gateway-identity", _PLACEHOLDER), principal_id=_PLACEHOLDER
                ),
                engine.ManagedIdentity(client_id=None, principal_id=_PLACEHOLDER),
            ),
        )


def plan_gateway(settings: Settings, backends: Sequence[Backend], hosted: Sequence[Hosted]) -> Plan:
    """Plans the gateway of a stack.

    Args:
        settings: the stack's settings.
        backends: the MCP servers behind the gateway.
        hosted: MCP servers of other organisations, which the registry lists too.
    """
    return Plan(
        sku=settings.sku,
        backends=tuple(backends),
        apis=(
            *plan_oauth_apis(settings, backends),
            *(plan_mcp_api(settings, backend) for backend in backends),
            *((plan_registry_api(settings, backends, hosted),) if settings.registry else ()),
        ),
        fragments=tuple(
            Fragment(
                id=id_,
                policy=policy.render(
                    f"fragments/{id_}.xml.j2", prefix=settings.path_prefix, settings=settings
                ),
            )
            for id_ in _fragments(backends)
        ),
        roles=plan_roles(settings, backends),
        products=tuple(plan_product(backend) for backend in backends if backend.admits_keys),
        named_values=(
            *(
                PlannedValue(name=name)
                for name in (
                    "gateway-url",
                    "entra-authority",
                    "entra-tenant",
                    "entra-client",
                    "gateway-identity",
                    "cosmos-url",
                    *((NAMESPACE,) if settings.registry else ()),
                )
            ),
            *(
                PlannedValue(name=key_name(purpose, version), secret=True)
                for purpose in ("token", "consent")
                for version in declared_key_versions(settings.key_version)
            ),
            *(
                PlannedValue(name=name, backend=backend.name)
                for backend in backends
                for name in backend.named_values
            ),
        ),
    )


def _fragments(backends: Sequence[Backend]) -> Iterator[str]:
    """The ids of the fragments that the policies of these MCP servers include."""
    yield from _FRAGMENTS
    if any(backend.admits_agents for backend in backends):
        yield "mcp-agent"


def declared_key_versions(version: int) -> range:
    """The key versions for which named values are declared.

    They are those that the policies of this, the previous and the next version accept
    (`Settings.accepted_key_versions`).
    """
    return range(max(1, version - 2), version + 3)


def key_name(purpose: str, version: int) -> str:
    """Name of the named value with the key of a version."""
    return f"{purpose}-key-v{version}"


def mentioned_named_values(text: str) -> frozenset[str]:
    """The names of the named values that a policy mentions."""
    return mentioned(text)


def included_fragments(text: str) -> frozenset[str]:
    """The ids of the fragments that a policy includes."""
    return frozenset(_INCLUDE.findall(text))


def _engine_api(api: Api, urls: Mapping[str, str]) -> engine.Api:
    return engine.Api(
        id=api.id,
        name=api.title,
        path=api.path,
        service_url=urls.get(api.backend, "https://backend") if api.backend else None,
        operations=tuple(_engine_operation(api, operation) for operation in api.operations),
        policy=_document(api.policy, f"API {api.id}"),
    )


def _engine_operation(api: Api, operation: Operation) -> engine.Operation:
    document = f"API {api.id}, operation {operation.id}"
    return engine.Operation(
        id=operation.id,
        name=operation.title,
        method=operation.method,
        url_template=operation.template,
        policy=_document(operation.policy, document) if operation.policy else None,
    )


def _document(text: str, name: str) -> engine.PolicyDocument:
    source_map = text.source_map if isinstance(text, policy.RenderedPolicy) else None
    return engine.PolicyDocument(xml=text, name=name, source_map=source_map)


def _line(finding: Finding) -> str:
    location = f"{finding.document}:{finding.line}:{finding.column}"
    return f"{location}: {finding.code}: {finding.message}"
