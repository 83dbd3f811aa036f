"""A service with its policies compiled, as a gateway runs it."""

import gc
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from apim.compiled_documents import LocatedExpression
from apim.compiler import SECTIONS, Catalogue
from apim.csharp import context as csharp
from apim.findings import Finding, PolicyError
from apim.nesting import nested, scopes
from apim.policies import POLICIES, UNSUPPORTED
from apim.readings import Readings
from apim.routing import Routes
from apim.run import url_of
from apim.service import Api, Operation, Product, Service
from apim.shown import Shown
from apim.source_locations import SourceLocations, at_source
from apim.statements import Action, Statement, in_order
from apim.subscriptions import Subscriptions


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The policies of all scopes of one operation, nested at `<base />`.

    Attributes:
        cors: the cors policies of the inbound section; None if there are none.
        inherited_cors: those of scopes that are broader than the operation.
    """

    inbound: Action
    backend: Action
    outbound: Action
    on_error: Action
    cors: Action | None
    inherited_cors: Action | None


class CompiledService:
    """A service with its policies compiled. It is immutable.

    Args:
        service: the declared service.
        counted: whether each source location of the C# counts the outcomes of its decisions.

    Raises:
        PolicyError: the policies have errors; it has all findings.

    Attributes:
        service: the declared service.
        warnings: findings that do not stop the policies from working.
        used_values: names of the named values that policies use.
        used_fragments: ids of the fragments that policies include.
        expressions: all expressions of the policies, with their source locations.
        statements: all policies, and the parts of policies that contain others such as `when`, with their
            source locations and whether they ever ran.
        routes: finds the operation of a request.
        subscriptions: checks subscription keys.
        default: the pipeline of requests that match no API.
        deployment: `context.Deployment`.
        shown: formats values of this service for traces and logs, without secrets.
        source_locations: the source locations of the policy documents.
    """

    def __init__(self, service: Service, *, counted: bool = False) -> None:
        with _collector_paused():
            self._compile(service, counted=counted)

    def _compile(self, service: Service, *, counted: bool) -> None:
        self.service = service
        catalogue = Catalogue(service, POLICIES, UNSUPPORTED, counted=counted)
        pipelines = _Pipelines(catalogue)
        self.default = pipelines.of(None, None)
        self._of_api = {api.id: pipelines.of(api, None) for api in service.apis}
        self._of_operation = {
            (api.id, operation.id): pipelines.of(api, operation)
            for api in service.apis
            for operation in api.operations
        }
        self._of_product = {
            (product.id, api.id, operation.id if operation else None): pipelines.of(api, operation, product)
            for product in service.products
            for api in service.apis
            if api.id in product.apis
            for operation in (None, *api.operations)
        }
        if catalogue.findings:
            raise PolicyError(at_source(catalogue.findings, service))
        self.warnings: tuple[Finding, ...] = tuple(at_source(catalogue.warnings, service))
        self.used_values = frozenset(catalogue.used_values)
        self.used_fragments = frozenset(catalogue.used_fragments)
        self.expressions: tuple[LocatedExpression, ...] = tuple(catalogue.expressions)
        self.statements: tuple[Statement, ...] = tuple(catalogue.statements)
        self._unqualified = tuple(catalogue.unqualified)
        self.routes = Routes(service.apis)
        self.subscriptions = Subscriptions(service)
        self._apis = {api.id: _context_api(api) for api in service.apis}
        self._operations = {
            (api.id, operation.id): csharp.Operation(
                id=operation.id,
                name=operation.name,
                method=operation.method,
                url_template=operation.url_template,
            )
            for api in service.apis
            for operation in api.operations
        }
        self.shown = Shown(
            (value.value for value in service.named_values if value.secret),
            catalogue.literals,
            _path_templates(service),
        )
        self.source_locations = SourceLocations(service)
        self._no_api = csharp.Api(id="", name="", path="")
        self.deployment = csharp.Deployment(service_name=service.name)

    def check(self, readings: Readings) -> None:
        """Checks that API Management would accept the policies under these readings.

        Raises:
            PolicyError: it would reject some.
        """
        if readings.system_net == "not-imported" and self._unqualified:
            raise PolicyError(at_source(self._unqualified, self.service))

    def pipeline(self, api: Api, operation: Operation | None, product: str | None = None) -> Pipeline:
        """The pipeline of an operation, for a call on a product's subscription or without one."""
        found = (
            self._of_product.get((product, api.id, operation.id if operation else None)) if product else None
        )
        if found is not None:
            return found
        return self._of_operation[api.id, operation.id] if operation else self._of_api[api.id]

    def context_api(self, api: Api | None) -> csharp.Api:
        """`context.Api`."""
        return self._apis[api.id] if api else self._no_api

    def context_operation(self, api: Api, operation: Operation) -> csharp.Operation:
        """`context.Operation`."""
        return self._operations[api.id, operation.id]


@contextmanager
def _collector_paused() -> Generator[None]:
    """Pauses the garbage collector: compiling creates many objects and almost no garbage."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class _Pipelines:
    """Nests the documents of the scopes."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def of(self, api: Api | None, operation: Operation | None, product: Product | None = None) -> Pipeline:
        """The pipeline of an operation; without one, of requests before their operation is known."""
        documents = scopes(self._catalogue.service, api, operation, product)
        chain = [self._catalogue.compile(policy, scope) for policy, scope in documents]
        sections = {section: list(nested(chain, section)) for section in SECTIONS}
        cors = [statement for statement in sections["inbound"] if statement.element == "cors"]
        inherited = [statement for statement in cors if statement.scope != "operation"]
        return Pipeline(
            in_order(sections["inbound"]),
            in_order(sections["backend"]),
            in_order(sections["outbound"]),
            in_order(sections["on-error"]),
            in_order(cors) if cors else None,
            in_order(inherited) if inherited else None,
        )


def _path_templates(service: Service) -> Iterator[str]:
    """The declared parts of request paths, which are not secret."""
    for api in service.apis:
        yield api.path
        if api.service_url:
            yield urlsplit(api.service_url).path
        for operation in api.operations:
            yield operation.url_template


def _context_api(api: Api) -> csharp.Api:
    url = url_of(api.service_url, "/", "", {}) if api.service_url else None
    return csharp.Api(id=api.id, name=api.name, path=api.path, service_url=url)
