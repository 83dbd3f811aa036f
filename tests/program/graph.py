"""The dependency graph of a stack's resources, from their registrations.

Pulumi creates a resource after all resources that it depends on, and deletes it before them. So
`A depends on B` means both that A is created after B and that A is deleted before B.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from twin.stack import Declared, Stack


@dataclass(frozen=True, eq=False)
class Graph:
    """The dependencies of a stack's resources: explicit ones, those of their inputs, and their parents.

    Attributes:
        stack: an evaluated stack, for an update or a preview.
    """

    stack: Stack
    _dependencies: dict[str, dict[str, Declared]] = field(default_factory=dict, init=False)

    def dependencies(self, resource: Declared) -> dict[str, Declared]:
        """The resources that exist before a resource is created, by URN."""
        if resource.urn not in self._dependencies:
            self._dependencies[resource.urn] = {required.urn: required for required in self._walk(resource)}
        return self._dependencies[resource.urn]

    def dependents(self, resource: Declared) -> list[Declared]:
        """The resources that are created only after a resource."""
        return [later for later in self.stack.resources if resource.urn in self.dependencies(later)]

    def missing(self, later: Declared, earlier: Iterable[Declared]) -> list[str]:
        """A message for each resource of `earlier` on which `later` does not depend."""
        required = self.dependencies(later)
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
                dependency.urn == earlier.urn or earlier.urn in self.dependencies(dependency)
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
