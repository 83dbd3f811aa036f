"""How the policies of an operation's scopes nest at `<base />`, for the engine and for the lint rules."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from apim.service import Api, Operation, PolicyDocument, Product, Service

DEFAULT_POLICY = PolicyDocument(
    xml="<policies><inbound /><backend><forward-request /></backend><outbound /><on-error /></policies>",
    name="Azure's default global policy",
)

Item = TypeVar("Item")


class Base:
    """A `<base />`: the policies of the next broader scope apply in its place."""


def scopes(
    service: Service, api: Api | None, operation: Operation | None, product: Product | None = None
) -> Iterator[tuple[PolicyDocument, str]]:
    """The documents that apply to an operation, each with its scope, the broadest first."""
    yield service.policy or DEFAULT_POLICY, "global"
    for resource, scope in ((product, "product"), (api, "api"), (operation, "operation")):
        if resource is not None and resource.policy is not None:
            yield resource.policy, scope


def nested(documents: Sequence[Mapping[str, Sequence[Item | Base]]], section: str) -> Iterator[Item]:
    """The policies of a section of nested documents, in the order in which they run.

    Args:
        documents: the sections of each document by name, the broadest scope first. In a document without the
            section, the section is `<base />`.
        section: name of the section.
    """
    if not documents:
        return
    *outer, innermost = documents
    for item in innermost.get(section, (Base(),)):
        if isinstance(item, Base):
            yield from nested(outer, section)
        else:
            yield item
