"""The dependency graph of a stack's resources, from their registrations.

Pulumi creates a resource after everything that it depends on, and deletes it before. Both orders are edges of
one graph, so `A is created only after B` also means that `A is deleted before B`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from twin.stack import Declared, Stack


@dataclass(frozen=True, eq=False)
class Graph:
    """The dependencies of a stack: explicit ones, those of inputs, and parents.

    Attributes:
        stack: an evaluated stack, for an update or a preview.
    """

    stack: Stack

    def requires(self, resource: Declared) -> dict[str, Declared]:
        """Everything that exists before a resource is created, by URN."""
        return {required.urn: required for required in self._walk(resource)}

    def require(self, earlier: Declared) -> list[Declared]:
        """Everything that is created only after a resource."""
        return [resource for resource in self.stack.resources if earlier.urn in self.requires(resource)]

    def missing(self, later: Declared, earlier: Iterable[Declared]) -> list[str]:
        """The resources without which `later` may be created, although it should wait for them."""
        required = self.requires(later)
        return [
            f"{later} does not wait for {resource}" for resource in earlier if resource.urn not in required
        ]

    def path(self, later: Declared, earlier: Declared) -> str:
        """One chain of dependencies between two resources, for failure messages."""
        if later.urn == earlier.urn:
            return repr(later)
        for urn in _direct(later):
            dependency = self.stack.get(urn)
            if dependency is not None and (
                dependency.urn == earlier.urn or earlier.urn in self.requires(dependency)
            ):
                return f"{later} -> {self.path(dependency, earlier)}"
        return ""

    def _walk(self, resource: Declared) -> Iterator[Declared]:
        ahead, seen = list(_direct(resource)), set()
        while ahead:
            urn = ahead.pop()
            dependency = self.stack.get(urn)
            if urn not in seen and dependency is not None:
                seen.add(urn)
                ahead += _direct(dependency)
                yield dependency


def _direct(resource: Declared) -> frozenset[str]:
    of_inputs = frozenset().union(*resource.property_dependencies.values())
    return resource.dependencies | of_inputs | {resource.parent}
