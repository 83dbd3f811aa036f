"""Each rule of the lint reports its example, and no rule reports anything in a similar valid document."""

import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest

from apim import lint
from apim.findings import Finding
from apim.lint import ServiceFacts, all_rules, check
from apim.lint.rules import REMEDIES, with_remedy
from apim.service import Api, ManagedIdentity, NamedValue, Operation, PolicyDocument, PolicyFragment, Service


def policy(inbound: str, *, backend: str = "<base />") -> str:
    """A document whose inbound section begins in line 3."""
    return (
        f"<policies>\n<inbound>\n{inbound}\n</inbound>\n<backend>\n{backend}\n</backend>\n"
        "<outbound>\n<base />\n</outbound>\n<on-error>\n<base />\n</on-error>\n</policies>"
    )


def after_base(inbound: str) -> str:
    """A document with a policy in line 4."""
    return policy(f"<base />\n{inbound}")


def variable(value: str) -> str:
    return after_base(f'<set-variable name="v" value="{value}" />')


def condition(value: str) -> str:
    return after_base(f'<choose><when condition="@({value})"><set-method>GET</set-method></when></choose>')


def trace(value: str) -> str:
    return after_base(f'<trace source="s"><message>@({value})</message></trace>')


def send(variable_name: str) -> str:
    return (
        f'<send-request mode="new" response-variable-name="{variable_name}" ignore-error="true">'
        "<set-url>https://x.example</set-url><set-method>GET</set-method></send-request>"
    )


def using(response: str) -> str:
    """A document that sends a request and compares an expression for its response with null."""
    read = condition(f"{response} == null")
    return read.replace("<base />\n", f"<base />{send('r')}\n", 1)


def declared(declaration: str) -> str:
    """A document that sets the variable `v` and declares its variables with this comment."""
    return f"<!-- {declaration} -->\n{variable('x')}"


UNPROTECTED = ServiceFacts(streams=False, protected=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A wrong and a valid document of an API, and the service that contains the API.

    Attributes:
        wrong: a document in which the rule reports the only finding.
        at: line and column of the finding.
        valid: a similar document without any finding.
        facts: facts about the service that its documents do not contain.
        service: further fields of the service.
        document: the name of the document with the finding, if it is not the API's document.
    """

    wrong: str
    at: tuple[int, int]
    valid: str
    facts: ServiceFacts = UNPROTECTED
    service: Mapping[str, object] = field(default_factory=dict)
    document: str = "policy.xml"

    def findings(self, xml: str) -> list[Finding]:
        """The findings of all rules if the API has this document."""
        operation = Operation(id="o", name="o", method="POST", url_template="/")
        document = PolicyDocument(xml=xml, name="policy.xml")
        api = Api(id="api", name="api", path="", policy=document, operations=(operation,))
        identity = ManagedIdentity(client_id=None, principal_id="p")
        service = Service(name="s", gateway_url="https://g.example", apis=(api,), identities=(identity,))
        return check(replace(service, **self.service), self.facts)


PROTECTED = ServiceFacts(streams=False, protected=True)
AUTHORIZATION = 'context.Request.Headers.GetValueOrDefault("Authorization", "")'
JWT = (
    '<validate-jwt header-name="Authorization" output-token-variable-name="jwt">'
    '<openid-config url="https://i.example/c" /></validate-jwt>'
)
PARSED = (
    f'<set-variable name="user" value="@({AUTHORIZATION}.AsJwt()?.Subject ?? "")" />'
    '<choose><when condition="@((string)context.Variables["user"] == "")"><return-response>'
    '<set-status code="401" reason="Unauthorized" /></return-response></when></choose>'
)
VALUE = {"named_values": (NamedValue(name="key", value="x"),)}
FRAGMENT = {
    "fragments": (
        PolicyFragment(id="f", document=PolicyDocument(xml="<fragment><!-- --></fragment>", name="f.xml")),
    )
}

EXAMPLES: dict[str, Example] = {
    "undeclared-named-value": Example(wrong=variable("{{nope}}"), at=(4, 31), valid=variable("nope")),
    "unused-named-value": Example(
        wrong=variable("key"),
        at=(1, 1),
        valid=variable("{{key}}"),
        service=VALUE,
        document="named value key",
    ),
    "undeclared-fragment": Example(
        wrong=after_base('<include-fragment fragment-id="nope" />'),
        at=(4, 32),
        valid=after_base("<!-- nope -->"),
    ),
    "unused-fragment": Example(
        wrong=variable("f"),
        at=(1, 1),
        valid=after_base('<include-fragment fragment-id="f" />'),
        service=FRAGMENT,
        document="f.xml",
    ),
    "invalid-policy": Example(
        wrong=after_base("<set-method verb='GET'>GET</set-method>"),
        at=(4, 19),
        valid=after_base("<set-method>GET</set-method>"),
    ),
    "unknown-policy": Example(
        wrong=after_base("<no-such-policy />"), at=(4, 1), valid=after_base("<set-method>GET</set-method>")
    ),
    "unsupported-policy": Example(
        wrong=after_base('<jsonp callback-parameter-name="c" />'),
        at=(4, 1),
        valid=after_base("<set-method>GET</set-method>"),
    ),
    "policy-unavailable": Example(
        wrong=after_base('<rate-limit-by-key calls="1" renewal-period="60" counter-key="k" />'),
        at=(4, 1),
        valid=after_base("<set-method>GET</set-method>"),
        service={"sku": "Consumption"},
    ),
    "document-size": Example(
        wrong=after_base(f"<!-- {'x' * 256 * 1024} -->"),
        at=(1, 1),
        valid=after_base(f"<!-- {'x' * 200 * 1024} -->"),
    ),
    "csharp": Example(wrong=variable('@("a" - 1)'), at=(4, 37), valid=variable("@(2 - 1)")),
    "member-not-allowed": Example(
        wrong=variable('@(System.IO.File.ReadAllText("x"))'),
        at=(4, 33),
        valid=variable('@(System.Text.Encoding.UTF8.GetBytes("x").Length)'),
    ),
    "reference-comparison": Example(
        wrong=condition('context.Variables["s"] == "abc"'),
        at=(4, 51),
        valid=condition('(string)context.Variables["s"] == "abc"'),
    ),
    "encoded-csharp": Example(wrong=variable("@(&quot;a&quot;)"), at=(4, 31), valid=variable('@("a")')),
    "buffered-stream": Example(
        wrong=policy("<base />", backend='<forward-request buffer-response="true" />'),
        at=(6, 35),
        valid=policy("<base />", backend='<forward-request buffer-response="false" />'),
        facts=ServiceFacts(streams=True, protected=False),
    ),
    "missing-token-check": Example(
        wrong=policy("<base />"), at=(2, 1), valid=after_base(JWT), facts=PROTECTED
    ),
    "unverified-token": Example(
        wrong=after_base(PARSED), at=(2, 1), valid=after_base(JWT + PARSED), facts=PROTECTED
    ),
    "commented-token-check": Example(
        wrong=after_base(f"<!-- {JWT} -->"), at=(4, 5), valid=after_base(JWT), facts=PROTECTED
    ),
    "missing-base": Example(
        wrong=policy("<set-method>GET</set-method>"),
        at=(2, 1),
        valid=after_base("<set-method>GET</set-method>"),
    ),
    "culture-sensitive": Example(
        wrong=variable('@("a".StartsWith("b"))'),
        at=(4, 37),
        valid=variable('@("a".StartsWith("b", StringComparison.Ordinal))'),
    ),
    "traced-secret": Example(
        wrong=trace(AUTHORIZATION), at=(4, 28), valid=trace(f"{AUTHORIZATION}.Length.ToString()")
    ),
    "undecoded-query": Example(
        wrong=variable('@(context.Request.Url.Query["a"][0])'),
        at=(4, 53),
        valid=variable("@(context.Request.OriginalUrl.QueryString)"),
    ),
    "unqualified-type": Example(
        wrong=variable('@(WebUtility.UrlDecode("a"))'),
        at=(4, 33),
        valid=variable('@(System.Net.WebUtility.UrlDecode("a"))'),
    ),
    "time-claim": Example(
        wrong=after_base(
            f'{JWT}\n<set-variable name="v" value="@(((Jwt)context.Variables["jwt"]).Claims["exp"][0])" />'
        ),
        at=(5, 71),
        valid=after_base(
            f'{JWT}\n<set-variable name="v" value="@(((Jwt)context.Variables["jwt"]).Claims["oid"][0])" />'
        ),
    ),
    "cache-remove-value": Example(
        wrong=after_base('<cache-remove-value key="k" />'),
        at=(4, 1),
        valid=after_base('<cache-store-value key="k" value="none" duration="30" />'),
    ),
    "null-variable": Example(
        wrong=variable('@((string)JObject.Parse("{}")["a"])'),
        at=(4, 31),
        valid=variable('@((string)JObject.Parse("{}")["a"] ?? "")'),
    ),
    "response-variable": Example(
        wrong=using('context.Variables["r"]'),
        at=(4, 45),
        valid=using('context.Variables.GetValueOrDefault<IResponse>("r")'),
    ),
    "shared-response-variable": Example(
        wrong=after_base(send("a") + "\n" + send("a")),
        at=(5, 50),
        valid=after_base(send("a") + "\n" + send("b")),
    ),
    "variables": Example(
        wrong=declared("Needs: none. Sets: none."), at=(1, 5), valid=declared("Needs: none. Sets: v.")
    ),
    "connection-header": Example(
        wrong=after_base('<set-header name="TE" exists-action="delete" />'),
        at=(4, 19),
        valid=after_base('<set-header name="X-TE" exists-action="delete" />'),
    ),
}
"""The example of each rule, by the rule's name."""


def test_every_module_with_a_rule_is_in_the_list_of_all_rules() -> None:
    checks = {
        name: getattr(importlib.import_module(f"apim.lint.{name}"), "check", None)
        for _, name, _ in pkgutil.iter_modules(lint.__path__)
    }
    modules = {
        name for name, check in checks.items() if check and "subject" in inspect.signature(check).parameters
    }
    assert {"culture", "streaming", "unused"} <= modules
    forgotten = {name for name in modules if not hasattr(all_rules, name)}
    assert not forgotten, f"import {forgotten} in apim/lint/all_rules.py and call its `check` there"


def test_every_rule_has_an_example() -> None:
    """Add a new rule to `REMEDIES` and its example to `EXAMPLES`."""
    assert EXAMPLES.keys() == REMEDIES.keys()


@pytest.mark.parametrize("rule", EXAMPLES)
def test_a_rule_reports_its_example_at_the_right_location(rule: str) -> None:
    example = EXAMPLES[rule]
    locations = [
        (finding.code, finding.document, finding.line, finding.column)
        for finding in example.findings(example.wrong)
    ]
    assert locations == [(rule, example.document, *example.at)]


@pytest.mark.parametrize("rule", EXAMPLES)
def test_no_rule_reports_a_similar_valid_document(rule: str) -> None:
    example = EXAMPLES[rule]
    assert example.findings(example.valid) == []


def test_a_finding_of_a_rule_without_a_remedy_is_an_error_that_names_the_file() -> None:
    finding = Finding(document="policy.xml", line=1, column=1, message="it is wrong", code="no-such-rule")
    with pytest.raises(LookupError, match=r"'no-such-rule' is not in REMEDIES: add .* apim/lint/rules.py"):
        with_remedy(finding)
