"""An API of API Management with its operations and policies, as plain data."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation.

    Attributes:
        id: its id in API Management.
        title: its name in the portal and in logs.
        method: HTTP method.
        template: URL template below the API's path.
        policy: its rendered policy, or None when the API's policy handles it.
    """

    id: str
    title: str
    method: str
    template: str
    policy: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A product whose subscription keys give access to one API.

    Attributes:
        id: its id in API Management, and that of its subscription.
        title: its name in the portal.
        description: its description in the portal.
        api: id of the API.
        backend: name of the MCP server behind the API.
    """

    id: str
    title: str
    description: str
    api: str
    backend: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """One API that requires no subscription key: its policies authenticate callers.

    Attributes:
        id: its id in API Management.
        name: logical name of its resources.
        title: its name in the portal and in logs.
        description: its description in the portal.
        path: first segments of its URLs, without slashes; empty for the root.
        backend: name of the MCP server behind it, or None when its policies answer.
        policy: its rendered policy.
        operations: its operations.
    """

    id: str
    name: str
    title: str
    description: str
    path: str
    backend: str | None
    policy: str
    operations: Sequence[Operation]
