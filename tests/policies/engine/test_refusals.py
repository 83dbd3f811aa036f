"""Policies that are invalid, or that the engine does not support, are refused when they are loaded."""

import importlib
import pkgutil

import pytest

from apim import policies as policies_package
from apim.findings import PolicyError
from apim.policies import DOCUMENTED, POLICIES
from apim.policy import Policy
from tests.policies.engine.harness import harness_with, policies


def refused(operation: str, **parts: object) -> str:
    with pytest.raises(PolicyError) as caught:
        harness_with(operation, **parts)
    return "\n".join(str(finding) for finding in caught.value.findings)


@pytest.mark.parametrize(
    ("inbound", "message"),
    [
        ("<set-heder />", "unknown policy set-heder"),
        ("<quota calls='1' />", "the twin does not support the policy quota"),
        (
            "<set-header nme='a' />",
            "<set-header> has no attribute nme; its attributes are name, exists-action",
        ),
        ("<set-header />", "<set-header> needs the attribute name"),
        (
            "<set-header name='a' exists-action='merge' />",
            "is 'merge'; allowed are override, skip, append, delete",
        ),
        (
            "<set-header name='a'><valu /></set-header>",
            "<valu> is not allowed in <set-header>; it may contain value",
        ),
        ("<set-header name='Content-Length' />", "Content-Length cannot be set"),
        ("<set-variable name='@(1)' value='x' />", "name of <set-variable> cannot be a policy expression"),
        ("<set-variable name='a' value='x'>y</set-variable>", "<set-variable> must not contain text"),
        ("<set-method />", "<set-method> is empty"),
        ("<forward-request />", "forward-request is not allowed in inbound, only in backend"),
        ("<choose />", "<choose> needs <when>"),
        (
            "<choose><when condition='@(true)'><base /></when></choose>",
            "<base /> is only allowed directly in a section",
        ),
        ("<choose><otherwise /><otherwise /></choose>", "<choose> may contain <otherwise> only 1 time(s)"),
        ("<set-body template='liquid'>x</set-body>", "the twin does not support Liquid templates"),
        ("<rate-limit-by-key calls='x' counter-key='k' renewal-period='9' />", "it must be a whole number"),
        ("<rate-limit-by-key calls='1' counter-key='k' renewal-period='301' />", "at most 300"),
        ("<set-backend-service />", "needs either base-url or backend-id"),
        ("<set-backend-service backend-id='none' />", "the backend none is not declared"),
        ("<include-fragment fragment-id='none' />", "the fragment none is not declared"),
        (
            "<authentication-managed-identity resource='r' client-id='other' />",
            "no identity with the client id other",
        ),
        ("<send-request response-variable-name='a' />", "needs <set-url> and <set-method>"),
        ("<validate-jwt header-name='Authorization' />", "needs <openid-config> or <issuer-signing-keys>"),
        (
            "<validate-jwt><openid-config url='https://x' /></validate-jwt>",
            "needs exactly one of header-name, query-parameter-name and token-value",
        ),
        (
            "<ip-filter action='allow'><address>999.1.1.1</address></ip-filter>",
            "'999.1.1.1' is not an IP address",
        ),
        ("<cors /><cors />", "cors is allowed only once in a section"),
        (
            "<emit-metric name='m'><dimension name='Colour' /></emit-metric>",
            "the dimension Colour needs a value",
        ),
        ("<set-status code='99' reason='x' />", "must be at least 100"),
        ("<set-variable name='a' value='@(nonsense)' />", "nonsense"),
    ],
)
def test_an_invalid_or_unsupported_policy_is_refused(inbound: str, message: str) -> None:
    assert message in refused(policies(inbound))


@pytest.mark.parametrize("section", ["backend", "outbound", "on-error"])
def test_a_policy_in_the_wrong_section_is_refused(section: str) -> None:
    text = f"<policies><{section}><check-header name='a' failed-check-httpcode='401' "
    text += f"failed-check-error-message='m' ignore-case='true' /></{section}></policies>"
    assert f"check-header is not allowed in {section}" in refused(text)


def test_every_policy_of_a_module_is_listed() -> None:
    defined = {
        policy.name: policy
        for module in pkgutil.iter_modules(policies_package.__path__, "apim.policies.")
        for policy in vars(importlib.import_module(module.name)).values()
        if isinstance(policy, Policy)
    }
    assert defined == POLICIES, "list the policy in POLICIES of apim/policies/__init__.py"


def test_every_supported_policy_is_documented_by_microsoft() -> None:
    unknown = POLICIES.keys() - DOCUMENTED
    assert not unknown, f"correct the name, or add it to DOCUMENTED in apim/policies/__init__.py: {unknown}"


def test_unknown_and_duplicate_sections_are_rejected() -> None:
    assert "<inbond> is not a section" in refused("<policies><inbond /></policies>")
    assert "occurs twice" in refused("<policies><inbound /><inbound /></policies>")
    assert "has no attribute x" in refused("<policies x='1' />")
    assert "<policies> expected" in refused("<fragment />")


@pytest.mark.parametrize(
    ("backend", "listed"),
    [
        ("<base /><set-variable name='a' value='b' />", "base, set-variable"),
        ("<set-variable name='a' value='b' /><forward-request />", "set-variable, forward-request"),
        ("<include-fragment fragment-id='two' />", "set-variable, set-variable"),
        ("<include-fragment fragment-id='one' /><base />", "set-variable, base"),
    ],
)
def test_more_than_one_policy_in_backend_is_rejected(backend: str, listed: str) -> None:
    policy = "<set-variable name='a' value='b' />"
    fragments = {"one": f"<fragment>{policy}</fragment>", "two": f"<fragment>{policy}{policy}</fragment>"}
    text = refused(policies(backend=backend), fragments=fragments)
    assert f"backend allows only one policy, and here are {listed}" in text
    assert "put all of them into one policy such as <choose>" in text


def test_a_single_policy_that_contains_others_is_accepted_in_backend() -> None:
    policy = "<set-variable name='a' value='b' />"
    choose = f"<choose><when condition='@(true)'>{policy}<forward-request /></when></choose>"
    for backend in ("<base />", "<!-- a comment --><forward-request />", choose):
        harness_with(policies(backend=backend))
    harness_with(
        policies(backend="<include-fragment fragment-id='one' />"),
        fragments={"one": f"<fragment>{policy}</fragment>"},
    )


def test_a_policy_that_is_not_available_in_the_sku_is_rejected() -> None:
    limit = policies("<rate-limit-by-key calls='1' counter-key='k' renewal-period='9' />")
    assert "not available in the SKU Consumption" in refused(limit, sku="Consumption")
    harness_with(limit, sku="BasicV2")


def test_a_fragment_cannot_include_a_fragment() -> None:
    text = refused(
        policies("<include-fragment fragment-id='a' />"),
        fragments={"a": "<fragment><include-fragment fragment-id='b' /></fragment>", "b": "<fragment />"},
    )
    assert "fragment a:1:11: a fragment cannot include a fragment" in text


def test_a_fragment_cannot_contain_base() -> None:
    text = refused(
        policies("<include-fragment fragment-id='a' />"), fragments={"a": "<fragment><base /></fragment>"}
    )
    assert "fragment a:1:11: <base /> is only allowed directly in a section" in text


def test_errors_inside_an_invalid_policy_are_reported_too() -> None:
    text = refused(policies("<choose><when><nonsense /></when></choose>"))
    assert "needs the attribute condition" in text
    assert "unknown policy nonsense" in text
