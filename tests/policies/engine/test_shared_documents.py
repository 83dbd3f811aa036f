"""Services in a process share compiled documents, unless a declaration that a document uses differs."""

import dataclasses

import pytest

from apim.compiled import CompiledService
from apim.findings import PolicyError
from apim.service import BackendEntity, ManagedIdentity, Service
from tests.policies.engine.harness import Harness, harness_with, policies, service


def header(value: str) -> str:
    """A policy that sends a header with this value."""
    return f'<set-header name="Value"><value>{value}</value></set-header>'


def sent(service: Service) -> str | None:
    """The value of the header that the gateway of a service sends."""
    harness = Harness(service)
    harness.send()
    return harness.network.sent[0].header("Value")


def statements(service: Service) -> set[int]:
    """The identities of the compiled statements of a service."""
    return {id(statement) for statement in CompiledService(service).statements}


def test_services_with_the_same_documents_share_their_statements() -> None:
    declared = service(policies(header("@(1 + 1)")))
    assert statements(declared) == statements(dataclasses.replace(declared, name="other")) != set()


def test_the_contents_of_named_values_are_not_shared() -> None:
    document = policies(header('@("{{content}}")') + header("{{content}}-{{content}}"))
    for value in ("one", "two", "one", "three"):
        assert sent(service(document, secrets={"content": value})) == f"{value}-{value}"
    with pytest.raises(PolicyError, match="the named value content is not declared"):
        harness_with(document)


def test_the_contents_of_fragments_and_of_named_values_in_them_are_not_shared() -> None:
    def of(fragment: str, value: str) -> Service:
        return service(
            policies("<include-fragment fragment-id='f' />"),
            fragments={"f": f"<fragment>{header(fragment)}</fragment>"},
            values={"content": value},
        )

    declared = [of(fragment, value) for fragment in ("x-{{content}}", "y-{{content}}") for value in "ab"]
    assert [sent(each) for each in declared] == ["x-a", "x-b", "y-a", "y-b"]
    assert statements(of("{{content}}", "a")) == statements(of("{{content}}", "a"))


def test_a_document_whose_fragment_had_an_error_is_compiled_again() -> None:
    included = policies("<include-fragment fragment-id='f' />")
    fragment = {"f": f"<fragment>{header('{{content}}')}</fragment>"}
    for _ in range(2):
        with pytest.raises(PolicyError, match="the named value content is not declared"):
            harness_with(included, fragments=fragment)
    assert sent(service(included, fragments=fragment, values={"content": "now"})) == "now"


def test_the_errors_of_a_document_are_reported_for_every_service() -> None:
    for _ in range(2):
        with pytest.raises(PolicyError, match="unknown policy nothing"):
            harness_with(policies("<nothing />"))


def test_a_document_depends_on_the_tier_of_the_service() -> None:
    limit = policies('<rate-limit-by-key calls="1" renewal-period="60" counter-key="a" />')
    harness_with(limit, sku="BasicV2")
    with pytest.raises(PolicyError, match="rate-limit-by-key is not available in the SKU Consumption"):
        harness_with(limit, sku="Consumption")


def test_a_document_depends_on_the_backends_and_the_identities_of_the_service() -> None:
    declared = service(policies('<set-backend-service backend-id="b" />'))
    for url in ("https://one.example", "https://two.example"):
        harness = Harness(dataclasses.replace(declared, backends=(BackendEntity(id="b", url=url),)))
        harness.send()
        assert harness.network.sent[0].url.startswith(url)

    declared = service(policies('<authentication-managed-identity resource="https://r" client-id="c" />'))
    identity = ManagedIdentity(client_id="c", principal_id="p")
    assert statements(dataclasses.replace(declared, identities=(identity,))) != set()
    with pytest.raises(PolicyError, match="no identity with the client id c"):
        Harness(declared)


def test_a_service_has_the_statements_and_literals_of_its_own_documents_only() -> None:
    harness_with(policies(header("first")), api=policies(header("second")))
    compiled = CompiledService(service(policies(header("first"))))
    assert [statement.element for statement in compiled.statements] == ["forward-request", "set-header"]
    assert compiled.shown.value("first") == '"first"'
    assert compiled.shown.value("second") != '"second"'
