"""Origins that policies name: of servers that are not the one behind a whole API."""

from collections.abc import Mapping

import pulumi

from backends.backend import Backend
from gateway.api import Host
from gateway.named_values import NamedValues, NamedValuesArgs


def declare(name: str, host: Host, backends: tuple[Backend, ...]) -> Mapping[str, pulumi.Resource]:
    """Declares a named value for each further origin of the backends, and gives them by their names."""
    origins = {key: origin for backend in backends for key, origin in backend.origins.items()}
    if not origins:
        return {}
    values = NamedValues(
        name,
        NamedValuesArgs(
            resource_group_name=host.resource_group_name,
            service_name=host.service_name,
            plain=origins,
            secret={},
        ),
    )
    return dict(zip(origins, values.declared, strict=True))
