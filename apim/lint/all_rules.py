"""Applies every rule to a service."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from apim.findings import Finding
from apim.lint import (
    availability,
    connection_headers,
    culture,
    null_variables,
    references,
    response_variables,
    scopes,
    streaming,
    token_check,
    tracing,
    undocumented,
    unused,
    variables,
)
from apim.lint.rules import with_remedy
from apim.lint.streaming import Diagnostic
from apim.lint.subject import Subject, compiled
from apim.service import Api, Operation, Service
from apim.source_locations import at_source

_OF_SERVICES = (
    availability,
    connection_headers,
    culture,
    null_variables,
    references,
    response_variables,
    scopes,
    undocumented,
    variables,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceFacts:
    """Facts that the rules need and that the service does not contain.

    Attributes:
        unknown: names of the named values whose content is not known yet.
        diagnostics: the parts of messages that are logged.
        streams: whether operations stream responses; None if only those with a backend do.
        protected: whether operations need a token; None if only those with a backend do.
        whole: whether the service is complete. Unused declarations are reported only for a complete service.
    """

    unknown: frozenset[str] = frozenset()
    diagnostics: tuple[Diagnostic, ...] = ()
    streams: bool | None = None
    protected: bool | None = None
    whole: bool = True


def check(service: Service, facts: ServiceFacts | None = None) -> list[Finding]:
    """All findings about the policies of a service, without duplicates, in order."""
    return at_source(_found(service, facts or ServiceFacts()), service)


@lru_cache(maxsize=64)
def _found(service: Service, about: ServiceFacts) -> tuple[Finding, ...]:
    """The findings, with their positions in the documents.

    They are cached, because stacks with different resources often have the same policies, and a preview is
    followed by an update. Source maps are not compared, because they do not change the findings.
    """
    subject = compiled(service, about.unknown)
    found = {*map(_coded, subject.catalogue.findings), *subject.catalogue.warnings}
    for rule in _OF_SERVICES:
        found.update(rule.check(subject))
    if about.whole:
        found.update(unused.check(subject))
    for api in service.apis:
        for chain, operations in _by_chain(subject, api):
            found.update(_of_operations(subject, about, api, chain, operations))
    return tuple(map(with_remedy, found))


def _by_chain(subject: Subject, api: Api) -> Iterable[tuple[list[str], list[Operation | None]]]:
    """The operations of an API, grouped by the documents that apply to them."""
    groups: dict[tuple[str, ...], list[Operation | None]] = {}
    for operation in api.operations or (None,):
        groups.setdefault(tuple(subject.chain(api, operation)), []).append(operation)
    return ((list(chain), operations) for chain, operations in groups.items())


def _of_operations(
    subject: Subject, about: ServiceFacts, api: Api, chain: list[str], operations: list[Operation | None]
) -> Iterator[Finding]:
    yield from tracing.check(subject, chain)
    yield from response_variables.check_operation(subject, chain)
    yield from variables.check_operation(subject, chain)
    forwards = _leads_to_a_backend(subject, chain, api)
    if forwards if about.streams is None else about.streams:
        yield from streaming.check(subject, chain, about.diagnostics)
    if forwards if about.protected is None else about.protected:
        for operation in operations:
            yield from token_check.check(subject, chain, api, operation)


def _leads_to_a_backend(subject: Subject, chain: list[str], api: Api) -> bool:
    """Whether requests can reach a backend; otherwise the policies create all responses."""
    if api.service_url:
        return True
    return any(
        policy.element.name == "set-backend-service"
        for section in ("inbound", "backend")
        for policy in subject.all_parts(chain, section)
    )


_MEMBER = re.compile(r"(has no member|not on the list of|no supported `.*` of .* accepts)")


def _coded(finding: Finding) -> Finding:
    """The finding, with the code `member-not-allowed` if the C# uses a type or member that is not allowed."""
    if finding.code == "csharp" and _MEMBER.search(finding.message):
        return replace(finding, code="member-not-allowed")
    return finding
