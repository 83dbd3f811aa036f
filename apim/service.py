"""The configuration of one API Management service, as a gateway runs it."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from apim.source_map import SourceMap


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDocument:
    """A declared policy in the `rawxml` format.

    Attributes:
        xml: the text of the document.
        name: describes the resource that has the policy; error messages begin with it.
        source_map: its source locations, if it was rendered from templates.
    """

    xml: str
    name: str
    source_map: SourceMap | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedValue:
    """A value that policies use as `{{name}}`."""

    name: str
    value: str
    secret: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFragment:
    """A policy fragment, which `include-fragment` inserts into a policy."""

    id: str
    document: PolicyDocument


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method and URL template of an API."""

    id: str
    name: str
    method: str
    url_template: str
    policy: PolicyDocument | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """An API: operations under one path.

    Attributes:
        path: path below the gateway's root, without leading and trailing slash; "" is the root.
        service_url: base URL of the backend to which forward-request sends, unless a policy changes it.
    """

    id: str
    name: str
    path: str
    service_url: str | None = None
    operations: tuple[Operation, ...] = ()
    policy: PolicyDocument | None = None
    subscription_required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A product, to whose APIs one subscription can give access; `apis` are their ids."""

    id: str
    name: str
    apis: tuple[str, ...]
    policy: PolicyDocument | None = None
    subscription_required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A subscription.

    Attributes:
        key: the primary key.
        product: the id of the product that is its scope.
        api: the id of the API that is its scope; without product and API its scope is every API.
    """

    id: str
    name: str
    key: str
    secondary_key: str | None = None
    product: str | None = None
    api: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendEntity:
    """A backend entity, which set-backend-service selects by its id."""

    id: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedIdentity:
    """A managed identity of the service; `client_id` is None for the system-assigned one."""

    client_id: str | None
    principal_id: str


@dataclass(frozen=True, slots=True)
class PolicySettings:
    """The settings of a service that policies read when they are compiled, other than named values.

    Attributes:
        sku: the pricing tier.
        identities: its managed identities.
        backends: its backend entities.
    """

    sku: str
    identities: tuple[ManagedIdentity, ...]
    backends: tuple[BackendEntity, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One API Management service.

    Attributes:
        gateway_url: base URL for clients, without a path.
        sku: the pricing tier, such as "BasicV2".
        policy: the policy of the global scope; None for Azure's default policy, which forwards requests.
    """

    name: str
    gateway_url: str
    sku: str = "BasicV2"
    apis: tuple[Api, ...] = ()
    policy: PolicyDocument | None = None
    named_values: tuple[NamedValue, ...] = ()
    fragments: tuple[PolicyFragment, ...] = ()
    identities: tuple[ManagedIdentity, ...] = ()
    products: tuple[Product, ...] = ()
    subscriptions: tuple[Subscription, ...] = ()
    backends: tuple[BackendEntity, ...] = ()


def scoped_documents(service: Service) -> Iterator[tuple[PolicyDocument, str]]:
    """The policies of the scopes of a service, each with its scope."""
    if service.policy is not None:
        yield service.policy, "global"
    for product in service.products:
        if product.policy is not None:
            yield product.policy, "product"
    for api in service.apis:
        if api.policy is not None:
            yield api.policy, "api"
        for operation in api.operations:
            if operation.policy is not None:
                yield operation.policy, "operation"


def documents(service: Service) -> Iterator[PolicyDocument]:
    """All policy documents of a service."""
    yield from (document for document, _ in scoped_documents(service))
    yield from (fragment.document for fragment in service.fragments)
