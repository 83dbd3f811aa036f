"""What a gateway is configured with: the state of one API Management service, and nothing else."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from apim.source_map import SourceMap


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDocument:
    """A policy as it was declared, in the `rawxml` format.

    Attributes:
        xml: its text.
        name: what it is the policy of; error messages begin with it.
        source_map: where its text was written, if it was rendered from templates.
    """

    xml: str
    name: str
    source_map: SourceMap | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedValue:
    """A value that policies mention as `{{name}}`."""

    name: str
    value: str
    secret: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFragment:
    """A piece of policy that `include-fragment` puts in place."""

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
    """Operations under one path.

    Attributes:
        path: below the gateway's root, without slashes at its ends; "" is the root.
        service_url: where forward-request sends to unless a policy says otherwise.
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
    """APIs that a subscription opens together."""

    id: str
    name: str
    apis: tuple[str, ...]
    policy: PolicyDocument | None = None
    subscription_required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A key and what it opens: a product, one API, or (neither named) every API."""

    id: str
    name: str
    key: str
    product: str | None = None
    api: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendEntity:
    """A backend that set-backend-service can name."""

    id: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedIdentity:
    """An identity of the service; a `client_id` of None is the system-assigned one."""

    client_id: str | None
    principal_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One API Management service.

    Attributes:
        gateway_url: what clients call it, without a path.
        sku: "BasicV2" and so on.
        policy: of the global scope; None is Azure's default, which forwards.
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


def documents(service: Service) -> Iterator[PolicyDocument]:
    """All policy documents of a service."""
    policies = [service.policy, *(product.policy for product in service.products)]
    for api in service.apis:
        policies += [api.policy, *(operation.policy for operation in api.operations)]
    yield from (policy for policy in policies if policy is not None)
    yield from (fragment.document for fragment in service.fragments)
