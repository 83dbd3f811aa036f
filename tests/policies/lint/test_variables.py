"""Documents declare the context variables that they need and set, and the declarations are correct."""

from dataclasses import replace

import pytest

from apim.findings import Finding
from apim.lint import ServiceFacts, check
from apim.lint.variables import declares
from apim.service import Api, ManagedIdentity, Operation, PolicyDocument, PolicyFragment, Service, documents
from tests.program.variants import UP, Case
from twin.azure.cloud import Cloud
from twin.translation.gateway import service as declared_service

SET = '<set-variable name="{}" value="x" />'
READ = '<set-method>@((string)context.Variables["{}"])</set-method>'
OPTIONAL = '<set-method>@(context.Variables.GetValueOrDefault<string>("{}", "GET"))</set-method>'


def findings(declaration: str, inbound: str, fragment: str | None = None) -> list[Finding]:
    xml = (
        f"<!-- {declaration} -->\n<policies><inbound><base />\n{inbound}\n</inbound>"
        "<backend><base /></backend><outbound><base /></outbound><on-error><base /></on-error></policies>"
    )
    operation = Operation(id="o", name="o", method="POST", url_template="/")
    document = PolicyDocument(xml=xml, name="policy.xml")
    api = Api(id="api", name="api", path="", policy=document, operations=(operation,))
    identity = ManagedIdentity(client_id=None, principal_id="p")
    service = Service(name="s", gateway_url="https://g.example", apis=(api,), identities=(identity,))
    if fragment is not None:
        content = PolicyDocument(xml=fragment, name="f.xml")
        service = replace(service, fragments=(PolicyFragment(id="f", document=content),))
    return check(service, ServiceFacts(streams=False, protected=False))


def messages(declaration: str, inbound: str, fragment: str | None = None) -> list[str]:
    reported = findings(declaration, inbound, fragment)
    assert {finding.code for finding in reported} <= {"variables"}
    return [finding.message for finding in reported]


INCLUDE = '<include-fragment fragment-id="f" />'


@pytest.mark.parametrize(
    ("declaration", "inbound", "expected"),
    [
        ("Needs: none. Sets: a.", SET.format("a") + READ.format("a"), []),
        ("Needs: none. Sets: a,\n  b.", SET.format("a") + SET.format("b"), []),
        ("Needs: none. Sets: none.", SET.format("a"), ["the document sets a: add it to Sets"]),
        ("Needs: none. Sets: a, b.", SET.format("a"), ["the document does not set b: remove it from Sets"]),
        ("Needs: none. Sets: none.", OPTIONAL.format("a"), ["the document reads a: add it to Needs"]),
        ("Needs: a. Sets: none.", OPTIONAL.format("a"), []),
        (
            "Needs: a, b. Sets: none.",
            OPTIONAL.format("a"),
            ["the document does not need b: remove it from Needs"],
        ),
        (
            "Needs: a. Sets: none.",
            READ.format("a"),
            ["the document needs a, which no document of the operation sets"],
        ),
        ("A remark about Needs: and Sets:", READ.format("a"), []),
    ],
)
def test_a_declaration_is_compared_with_the_document(
    declaration: str, inbound: str, expected: list[str]
) -> None:
    assert messages(declaration, inbound) == expected


SEND = (
    '<send-request mode="new" response-variable-name="a"><set-url>https://x.example</set-url>'
    "<set-method>GET</set-method></send-request>"
)


@pytest.mark.parametrize(
    "policy",
    [
        SEND,
        '<cache-lookup-value key="k" variable-name="a" default-value="" />',
        '<authentication-managed-identity resource="r" output-token-variable-name="a" />',
    ],
)
def test_a_variable_that_another_policy_than_set_variable_sets_must_be_declared(policy: str) -> None:
    assert messages("Needs: none. Sets: a.", policy) == []
    assert messages("Needs: none. Sets: none.", policy) == ["the document sets a: add it to Sets"]


def test_a_fragment_uses_variables_of_the_document_and_sets_variables_for_it() -> None:
    fragment = "<!-- Needs: a. Sets: b. --><fragment>" + READ.format("a") + SET.format("b") + "</fragment>"
    assert messages("Needs: b. Sets: a.", SET.format("a") + INCLUDE + READ.format("b"), fragment) == []
    (finding,) = findings("Needs: b. Sets: none.", INCLUDE + READ.format("b"), fragment)
    assert (finding.document, finding.message) == (
        "f.xml",
        "the document needs a, which no document of the operation sets",
    )


@pytest.mark.parametrize("case", UP, ids=str)
def test_every_policy_of_the_project_that_uses_variables_declares_them(case: Case) -> None:
    undeclared = [
        document.name
        for document in documents(declared_service(case.stack, Cloud()))
        if ("context.Variables" in document.xml or "<set-variable" in document.xml)
        and not declares(document.xml)
    ]
    assert undeclared == []
