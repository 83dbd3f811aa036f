"""Parses ids of Azure resources in settings."""

import re
from dataclasses import dataclass

_ID = re.compile(
    r"/subscriptions/(?P<subscription>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
    r"/resourceGroups/(?P<group>[\w().-]{1,90})"
    r"/providers/(?P<type>[A-Za-z]+\.[A-Za-z]+/[A-Za-z]+)/(?P<name>[\w().-]{1,260})(?P<below>(?:/[\w.-]+)*)",
    re.IGNORECASE | re.ASCII,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceId:
    """The id of a resource in a resource group.

    Attributes:
        subscription: GUID of the subscription, in lower case.
        group: name of the resource group.
        type: type of the resource, such as `Microsoft.ApiManagement/service`.
        name: name of the resource.
        below: types and names of child resources, such as `secrets`, `mcp`; empty if the id has none.
    """

    subscription: str
    group: str
    type: str
    name: str
    below: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "ResourceId | None":
        """Parses a resource id; None if the string is not a resource id."""
        match = _ID.fullmatch(text)
        if match is None:
            return None
        return cls(
            subscription=match["subscription"].lower(),
            group=match["group"],
            type=match["type"],
            name=match["name"],
            below=tuple(match["below"].split("/")[1:]),
        )

    def __str__(self) -> str:
        return "/".join([self._resource, *self.below])

    @property
    def parent(self) -> str:
        """The id of the resource without `below`."""
        return self._resource

    @property
    def _resource(self) -> str:
        group = f"/subscriptions/{self.subscription}/resourceGroups/{self.group}"
        return f"{group}/providers/{self.type}/{self.name}"

    def is_a(self, type_: str) -> bool:
        """Whether it is the id of a resource of a type, such as `Microsoft.KeyVault/vaults/secrets`."""
        return "/".join([self.type, *self.below[::2]]).lower() == type_.lower() and len(self.below) % 2 == 0
