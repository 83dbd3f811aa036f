"""The objects that policy expressions see as `context`.

Source: https://learn.microsoft.com/azure/api-management/api-management-policy-expressions#ContextVariables
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar
from uuid import UUID, uuid4

from apim.csharp.dotnet.types import ClrType, clr


class Headers:
    """HTTP headers: case-insensitive names with one or more values each, in order of arrival."""

    __slots__ = ("_values",)

    def __init__(self, pairs: Mapping[str, list[str]] | None = None) -> None:
        self._values: dict[str, tuple[str, list[str]]] = {}
        for name, values in (pairs or {}).items():
            self._values[name.lower()] = (name, list(values))

    def get(self, name: str) -> list[str] | None:
        """The values of a header; None if it is absent."""
        entry = self._values.get(name.lower())
        return entry[1] if entry else None

    def set(self, name: str, values: list[str]) -> None:
        """Replaces a header's values."""
        self._values[name.lower()] = (name, list(values))

    def add(self, name: str, value: str) -> None:
        """Appends a value."""
        self._values.setdefault(name.lower(), (name, []))[1].append(value)

    def delete(self, name: str) -> None:
        """Removes a header, if it exists."""
        self._values.pop(name.lower(), None)

    def items(self) -> Iterator[tuple[str, list[str]]]:
        """The names as they were sent, with their values."""
        return iter(self._values.values())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._values

    def __len__(self) -> int:
        return len(self._values)

    def copy(self) -> "Headers":
        """An independent copy."""
        clone = Headers()
        clone._values = {key: (name, list(values)) for key, (name, values) in self._values.items()}
        return clone


@dataclass(slots=True)
class Body:
    """A message body in memory; a read without `preserveContent` consumes it."""

    clr_type: ClassVar[ClrType] = clr("IMessageBody")
    content: bytes
    consumed: bool = False


@dataclass(slots=True, kw_only=True)
class Url:
    """The parts of an absolute URL; `query` contains names and values as `IUrl.Query` returns them."""

    clr_type: ClassVar[ClrType] = clr("IUrl")
    scheme: str
    host: str
    port: int
    path: str
    query_string: str = ""
    query: dict[str, list[str]] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Request:
    """`context.Request`."""

    clr_type: ClassVar[ClrType] = clr("IRequest")
    method: str
    url: Url
    original_url: Url
    headers: Headers
    body: Body | None = None
    ip_address: str = "127.0.0.1"
    matched_parameters: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Response:
    """`context.Response`, and the value of a variable that send-request sets."""

    clr_type: ClassVar[ClrType] = clr("IResponse")
    status_code: int
    status_reason: str = ""
    headers: Headers = field(default_factory=Headers)
    body: Body | None = None


@dataclass(slots=True, kw_only=True)
class LastError:
    """`context.LastError` in the on-error section."""

    clr_type: ClassVar[ClrType] = clr("ILastError")
    source: str
    reason: str
    message: str
    scope: str = ""
    section: str = ""
    path: str = ""
    policy_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """`context.Api`."""

    clr_type: ClassVar[ClrType] = clr("IApi")
    id: str
    name: str
    path: str
    service_url: Url | None = None
    revision: str = "1"
    version: str | None = None
    is_current_revision: bool = True
    protocols: tuple[str, ...] = ("https",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """`context.Operation`."""

    clr_type: ClassVar[ClrType] = clr("IOperation")
    id: str
    name: str
    method: str
    url_template: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """`context.Deployment`."""

    clr_type: ClassVar[ClrType] = clr("IDeployment")
    service_name: str
    region: str = "local"
    gateway_id: str = "managed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group of users."""

    clr_type: ClassVar[ClrType] = clr("IGroup")
    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """`context.Product`."""

    clr_type: ClassVar[ClrType] = clr("IProduct")
    id: str
    name: str
    approval_required: bool = False
    subscription_required: bool = True
    subscription_limit: int | None = None
    groups: tuple[Group, ...] = ()
    apis: tuple[Api, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """`context.Subscription`; times in POSIX seconds."""

    clr_type: ClassVar[ClrType] = clr("ISubscription")
    id: str
    name: str
    key: str
    primary_key: str = ""
    secondary_key: str = ""
    created: float = 0.0
    start: float | None = None
    end: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserIdentity:
    """The identity of a user at an identity provider."""

    clr_type: ClassVar[ClrType] = clr("IUserIdentity")
    id: str
    provider: str


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """`context.User`; the time in POSIX seconds."""

    clr_type: ClassVar[ClrType] = clr("IUser")
    id: str
    email: str = ""
    first_name: str = ""
    last_name: str = ""
    note: str = ""
    registered: float = 0.0
    groups: tuple[Group, ...] = ()
    identities: tuple[UserIdentity, ...] = ()


@dataclass(slots=True, kw_only=True)
class Context:
    """The object `context` of expressions.

    Attributes:
        now: returns the current time in POSIX seconds.
        timestamp: when the request arrived, in POSIX seconds.
        tracing: whether the request is traced.
        trace: receives the messages of `context.Trace`.
        watch: evaluates an expression and records its value, if the request is traced; otherwise None.
        fixed_headers: names, in lower case, of the headers that policies must not change.
        hidden_claims: names of the claims of a token that `Jwt.Claims` does not contain.
    """

    clr_type: ClassVar[ClrType] = clr("IProxyRequestContext")
    request: Request
    response: Response | None
    variables: dict[str, object]
    api: Api
    operation: Operation | None
    deployment: Deployment
    now: Callable[[], float]
    timestamp: float
    request_id: UUID = field(default_factory=uuid4)
    last_error: LastError | None = None
    tracing: bool = False
    trace: Callable[[str], None] = lambda _message: None
    watch: Callable[..., object] | None = None
    product: Product | None = None
    subscription: Subscription | None = None
    user: User | None = None
    fixed_headers: frozenset[str] = frozenset()
    hidden_claims: frozenset[str] = frozenset()
