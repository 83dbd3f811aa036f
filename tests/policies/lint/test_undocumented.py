"""Policies that rely on undocumented behaviour of Azure are found; the documented equivalents are not."""

from dataclasses import replace

import pytest

from apim.findings import Finding
from apim.lint import ServiceFacts, check
from apim.service import Api, ManagedIdentity, Operation, PolicyDocument, PolicyFragment, Service

SEND = (
    '<send-request mode="new" response-variable-name="{}" ignore-error="{}">'
    "<set-url>https://x.example</set-url><set-method>GET</set-method></send-request>"
)


def policy(inbound: str, outbound: str = "") -> str:
    return (
        f"<policies><inbound><base />\n{inbound}\n</inbound><backend><base /></backend>"
        f"<outbound><base />\n{outbound}\n</outbound><on-error><base /></on-error></policies>"
    )


def findings(xml: str, fragment: str | None = None) -> list[Finding]:
    document = PolicyDocument(xml=xml, name="policy.xml")
    operation = Operation(id="o", name="o", method="POST", url_template="/")
    api = Api(id="api", name="api", path="", policy=document, operations=(operation,))
    identity = ManagedIdentity(client_id=None, principal_id="p")
    service = Service(name="s", gateway_url="https://g.example", apis=(api,), identities=(identity,))
    if fragment is not None:
        content = PolicyDocument(xml=f"<fragment>{fragment}</fragment>", name="f.xml")
        service = replace(service, fragments=(PolicyFragment(id="f", document=content),))
    return check(service, ServiceFacts(streams=False, protected=False))


def rules_with_findings(inbound: str, outbound: str = "") -> list[str]:
    return [finding.code for finding in findings(policy(inbound, outbound))]


def variable(value: str) -> list[str]:
    return rules_with_findings(f'<set-variable name="v" value="{value}" />')


# The values of a query (R1)


@pytest.mark.parametrize(
    "value",
    [
        '@(context.Request.Url.Query["a"][0])',
        '@(context.Request.OriginalUrl.Query["a"][0])',
        '@(context.Request.Url.Query.GetValueOrDefault("a", ""))',
        '@(context.Request.Url.Query.ContainsKey("a"))',
        '@{ string[] a; return context.Request.Url.Query.TryGetValue("a", out a) ? a[0] : ""; }',
        '@{ var s = ""; foreach (var one in context.Request.Url.Query) { s += one.Key; } return s; }',
        "@(context.Request.Url.Query.Count)",
        '@{ var query = context.Request.Url.Query; return query["a"][0]; }',
        '@{ var url = context.Request.Url; return url.Query["a"][0]; }',
        '@{ var request = context.Request; return (request.OriginalUrl).Query["a"][0]; }',
    ],
)
def test_every_read_of_a_query_value_is_found(value: str) -> None:
    assert variable(value) == ["undecoded-query"]


def test_a_read_of_the_raw_query_string_has_no_finding() -> None:
    assert variable("@(context.Request.OriginalUrl.QueryString)") == []
    (finding,) = findings(policy('<set-variable name="v" value="@(context.Request.Url.Query.Count)" />'))
    assert "read OriginalUrl.QueryString and decode it" in finding.message
    assert (finding.document, finding.line) == ("policy.xml", 2)


# Types without their namespaces (R2)


def test_an_unqualified_type_of_a_namespace_that_may_not_be_imported_is_found() -> None:
    assert variable('@(WebUtility.UrlDecode("a"))') == ["unqualified-type"]
    assert variable('@(System.Net.WebUtility.UrlDecode("a"))') == []


# Headers of the connection (R3)

UNLISTED = (
    '<set-variable name="names" value="@(context.{}.Headers.Select(header => header.Key.ToLowerInvariant())'
    '.Except(new string[] {{ {} }}).ToArray())" />'
)
LISTED = (
    '"connection", "content-length", "expect", "keep-alive", "te", "trailer", "transfer-encoding", '
    '"proxy-authenticate", "proxy-authentication-info", "proxy-authorization", "proxy-connection", "upgrade"'
)
DELETED = "".join(
    f'<set-header name="@(((string[])context.Variables["names"]).ElementAtOrDefault({index}) ?? "x-none")"'
    ' exists-action="delete" />'
    for index in range(20)
)


@pytest.mark.parametrize("name", ["TE", "trailer", "Upgrade", "Expect", "Proxy-Authorization"])
def test_a_header_of_the_connection_that_a_policy_names_is_found(name: str) -> None:
    assert rules_with_findings(f'<set-header name="{name}" exists-action="delete" />') == [
        "connection-header"
    ]
    assert rules_with_findings(f'<set-header name="X-{name}" exists-action="delete" />') == []


@pytest.mark.parametrize("message", ["Request", "Response"])
def test_a_header_of_the_connection_that_a_policy_computes_is_found(message: str) -> None:
    unsafe, safe = (UNLISTED.format(message, names) + DELETED for names in ('"host"', LISTED))
    sections = ("", unsafe) if message == "Response" else (unsafe, "")
    assert set(rules_with_findings(*sections)) == {"connection-header"}
    assert rules_with_findings(*(section.replace(unsafe, safe) for section in sections)) == []


def test_a_computed_name_that_may_be_one_header_of_the_connection_is_found() -> None:
    without_te = UNLISTED.format("Request", LISTED.replace('"te", ', ""))
    (code,) = set(rules_with_findings(without_te + DELETED))
    assert code == "connection-header"


def test_a_name_that_is_computed_in_one_expression_is_found() -> None:
    name = '@(context.Request.Headers.Keys.First(key => key.StartsWith("con", StringComparison.Ordinal)))'
    assert rules_with_findings(f'<set-header name="{name}" exists-action="delete" />') == [
        "connection-header"
    ]


# Times of a token (R5)

IDENTITY = (
    '<validate-jwt header-name="Authorization" output-token-variable-name="jwt">'
    '<openid-config url="https://i.example/c" /></validate-jwt>'
)


@pytest.mark.parametrize(
    "value",
    [
        '@(((Jwt)context.Variables["jwt"]).Claims["exp"][0])',
        '@(((Jwt)context.Variables["jwt"]).Claims.GetValueOrDefault("exp", ""))',
        '@(((Jwt)context.Variables["jwt"]).Claims.ContainsKey("exp"))',
        '@{ var claims = ((Jwt)context.Variables["jwt"]).Claims; return claims["exp"][0]; }',
        '@{ var token = (Jwt)context.Variables["jwt"]; return (token.Claims)["nbf"][0]; }',
    ],
)
def test_a_read_of_a_time_claim_is_found(value: str) -> None:
    codes = rules_with_findings(f'{IDENTITY}<set-variable name="v" value="{value}" />')
    assert codes == ["time-claim"]


@pytest.mark.parametrize(
    "value",
    [
        '@(((Jwt)context.Variables["jwt"]).ExpirationTime.Value)',
        '@(((Jwt)context.Variables["jwt"]).Claims["oid"][0])',
        '@((long)((JObject)context.Variables["claims"])["exp"])',
        '@{ var claims = (JObject)context.Variables["claims"]; return (long)claims["exp"]; }',
    ],
)
def test_a_time_property_or_a_time_of_another_object_has_no_finding(value: str) -> None:
    assert rules_with_findings(f'{IDENTITY}<set-variable name="v" value="{value}" />') == []


# The cache (R6)


def test_a_value_that_is_removed_from_the_cache_is_found() -> None:
    assert rules_with_findings('<cache-remove-value key="k" />') == ["cache-remove-value"]
    assert rules_with_findings('<cache-store-value key="k" value="none" duration="30" />') == []


# Variables that may be null (R7)


@pytest.mark.parametrize(
    "value",
    [
        "@((string)null)",
        '@(context.Request.Method == "GET" ? "a" : null)',
        '@((string)JObject.Parse("{}")["a"])',
        '@(JObject.Parse("{}")["a"])',
        '@(JObject.Parse("{}")["a"] as JArray)',
        '@(context.Request.Headers.GetValueOrDefault("a"))',
        '@(context.Request.Headers.GetValueOrDefault("a", "").AsJwt())',
        '@(context.Request.Headers.GetValueOrDefault("a", "").AsJwt()?.Subject)',
        "@(new string[0].FirstOrDefault())",
        '@((context.Request.Method == "GET" ? null : "a") ?? null)',
        "@{ return null; }",
        '@{ string a = null; if (context.Request.Method == "GET") { a = "b"; } return a; }',
        '@{ try { return (string)JObject.Parse("{}")["a"]; } catch (Exception) { return ""; } }',
        '@{ switch (context.Request.Method) { case "GET": return "a"; default: return null; } }',
    ],
)
def test_every_value_that_may_be_null_is_found(value: str) -> None:
    assert variable(value) == ["null-variable"]


@pytest.mark.parametrize(
    "value",
    [
        '@((string)JObject.Parse("{}")["a"] ?? "")',
        "@(new JObject())",
        '@((bool)context.Variables["x"] ? "a" : "b")',
        '@((string)context.Variables["x"])',
        "@(\"a.b\".Split('.')[0])",
        '@(context.Request.Headers.GetValueOrDefault("a", ""))',
        '@((long)JObject.Parse("{}")["a"])',
        '@(JObject.Parse("{}")["a"] == null)',
        '@(new string[] { "a" }.Any(one => { return one == null; }))',
        '@{ var a = JObject.Parse("{}")["a"]; return a == null ? "" : (string)a; }',
        '@{ var known = new Dictionary<string, string> { { "a", "b" } }; return known["a"]; }',
    ],
)
def test_a_value_that_is_never_null_has_no_finding(value: str) -> None:
    assert [code for code in variable(value) if code == "null-variable"] == []


# Variables of calls that failed (R8)

READ = '<choose><when condition="@({})"><set-method>GET</set-method></when></choose>'


@pytest.mark.parametrize(
    "condition",
    [
        'context.Variables["answer"] == null',
        '((IResponse)context.Variables["answer"]).StatusCode == 200',
        'context.Variables.ContainsKey("answer") && context.Variables["answer"] != null',
    ],
)
def test_a_response_that_may_not_exist_must_be_read_with_a_default(condition: str) -> None:
    assert set(rules_with_findings(SEND.format("answer", "true") + READ.format(condition))) == {
        "response-variable"
    }
    assert rules_with_findings(SEND.format("answer", "false") + READ.format(condition)) == []
    read = 'context.Variables.GetValueOrDefault<IResponse>("answer") == null'
    assert rules_with_findings(SEND.format("answer", "true") + READ.format(read)) == []


def test_a_token_that_may_not_exist_must_be_read_with_a_default() -> None:
    assertion = (
        '<authentication-managed-identity resource="r" output-token-variable-name="t" ignore-error="true" />'
    )
    assert rules_with_findings(assertion + READ.format('(string)context.Variables["t"] == ""')) == [
        "response-variable"
    ]
    assert (
        rules_with_findings(
            assertion + READ.format('context.Variables.GetValueOrDefault<string>("t", "") == ""')
        )
        == []
    )


def test_two_calls_must_not_share_a_variable() -> None:
    first, second = SEND.format("a", "true"), SEND.format("b", "true")
    assert rules_with_findings(first + second) == []
    assert rules_with_findings(first + first) == ["shared-response-variable"]
    assert rules_with_findings(first, first) == ["shared-response-variable"]
    assert rules_with_findings(SEND.format("a", "false") * 2) == []


def test_a_call_in_a_fragment_must_not_share_a_variable_with_another() -> None:
    xml = policy('<include-fragment fragment-id="f" />' + SEND.format("a", "true"))
    assert [finding.code for finding in findings(xml, SEND.format("a", "true"))] == [
        "shared-response-variable"
    ]
    assert findings(xml, SEND.format("b", "true")) == []
