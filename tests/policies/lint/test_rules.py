"""Further cases for the rules of the lint; `test_examples.py` has one example of each rule."""

from dataclasses import replace

import pytest

from apim.findings import Finding
from apim.lint import ServiceFacts, check
from apim.lint.streaming import Diagnostic
from apim.service import Api, NamedValue, Operation, PolicyDocument, PolicyFragment, Service

CHECK = '<validate-jwt header-name="Authorization"><openid-config url="https://i.example/c" /></validate-jwt>'
FORWARD = '<forward-request buffer-response="false" />'
HMAC = """@{
    string[] lines;
    if (!context.Request.Headers.TryGetValue("Authorization", out lines)) { return ""; }
    var parts = lines[0].Split('.');
    if (parts.Length != 2) { return ""; }
    var mac = new HMACSHA256(Convert.FromBase64String("AAAA")).ComputeHash(Encoding.UTF8.GetBytes(parts[0]));
    return Convert.ToBase64String(mac) == parts[1] ? parts[0] : "";
}"""
REFUSE = (
    '<choose><when condition="@((string)context.Variables["user"] == "")"><return-response>'
    '<set-status code="401" reason="Unauthorized" /></return-response></when></choose>'
)
PARSED = '@(context.Request.Headers.GetValueOrDefault("Authorization", "").AsJwt()?.Subject ?? "")'


def policy(inbound: str = "<base />", *, backend: str = FORWARD, outbound: str = "<base />") -> str:
    return (
        f"<policies>\n<inbound>\n{inbound}\n</inbound>\n<backend>\n{backend}\n</backend>\n"
        f"<outbound>\n{outbound}\n</outbound>\n<on-error>\n<base />\n</on-error>\n</policies>"
    )


def lint_findings(
    xml: str, *, sku: str = "BasicV2", facts: ServiceFacts | None = None, **more: object
) -> list[Finding]:
    operation = Operation(id="operation", name="operation", method="POST", url_template="/")
    document = PolicyDocument(xml=xml, name="policy.xml")
    api = Api(id="api", name="api", path="", policy=document, operations=(operation,))
    service = replace(Service(name="s", gateway_url="https://g.example", sku=sku, apis=(api,)), **more)
    return check(service, facts or ServiceFacts(streams=False, protected=False))


def locations(xml: str, sku: str = "BasicV2") -> list[tuple[str, int, int]]:
    """The rule, the line and the column of each finding."""
    return [(finding.code, finding.line, finding.column) for finding in lint_findings(xml, sku=sku)]


def variable(value: str) -> str:
    return policy(f'<base />\n<set-variable name="v" value="{value}" />')


TRACE = '<base />\n<trace source="s"><message>{}</message></trace>'
VALID = {
    "an ordinal comparison": variable('@("a".StartsWith("b", StringComparison.Ordinal))'),
    "an invariant conversion": variable('@("A".ToLowerInvariant())'),
    "a comparison of strings": variable('@((string)context.Variables["s"] == "abc")'),
    "a backend section that forwards": policy(),
    "a backend section that returns a response": policy("<base />", backend="<return-response />"),
    "a harmless header": policy(
        TRACE.format('@(context.Request.Headers.GetValueOrDefault("User-Agent", ""))')
    ),
    "the presence of a token": policy(
        TRACE.format('@(context.Request.Headers.ContainsKey("Authorization").ToString())')
    ),
    "the length of a token": policy(
        TRACE.format('@(context.Request.Headers.GetValueOrDefault("Authorization", "").Length.ToString())')
    ),
    "a large document": policy(f"<base /><!-- {'x' * 200 * 1024} -->"),
    "a response of the gateway itself": policy(
        "<base />\n<return-response><set-body>x</set-body></return-response>"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", VALID)
def test_similar_valid_code_has_no_finding(name: str) -> None:
    assert lint_findings(VALID[name]) == []


@pytest.mark.parametrize(
    "value",
    [
        '@("a".ToLower())',
        '@(string.Compare("a", "b") == 0)',
        '@("a".IndexOf("b"))',
        '@("a".CompareTo("b"))',
        '@("a".Equals("b", StringComparison.CurrentCulture))',
        '@(new string[] { "b" }.OrderBy(x => x).First())',
        '@(new string[] { "b" }.OrderBy(x => x.Length).ThenByDescending(x => x).First())',
        '@(new string[] { "b" }.Max())',
        "@{ var l = new List<string>(); l.Sort(); return l.Count; }",
    ],
)
def test_every_culture_sensitive_call_is_found(value: str) -> None:
    assert [finding.code for finding in lint_findings(variable(value))] == ["culture-sensitive"]


def test_a_token_that_is_logged_through_variables_is_found() -> None:
    xml = policy(
        '<base />\n<set-variable name="a" value="@{ var t = context.Request.Headers.GetValueOrDefault('
        '"Authorization", ""); return t.Substring(7); }" />\n'
        '<set-variable name="b" value="@((string)context.Variables["a"] + "!")" />\n'
        '<trace source="s"><message>@((string)context.Variables["b"])</message></trace>'
    )
    assert locations(xml) == [("traced-secret", 6, 28)]


def test_a_body_that_is_written_to_logs_is_found() -> None:
    xml = policy(
        "<base />\n<send-one-way-request><set-url>https://log.example</set-url><set-method>POST</set-method>"
        "<set-body>@(context.Request.Body.As<string>(true))</set-body></send-one-way-request>"
    )
    assert [finding.code for finding in lint_findings(xml)] == ["traced-secret"]


@pytest.mark.parametrize(
    ("sku", "name", "code"),
    [
        ("Consumption", "rate-limit-by-key", "policy-unavailable"),
        ("BasicV2", "quota-by-key", "policy-unavailable"),
        ("Consumption", "llm-token-limit", "policy-unavailable"),
    ],
)
def test_a_policy_that_is_not_available_in_the_sku_is_found(sku: str, name: str, code: str) -> None:
    xml = policy(f'<base />\n<{name} calls="1" renewal-period="60" counter-key="k" />', backend="<base />")
    assert (code, 4, 1) in locations(xml, sku=sku)


def test_a_policy_that_is_available_in_the_sku_has_no_finding() -> None:
    xml = policy('<base />\n<rate-limit-by-key calls="1" renewal-period="60" counter-key="k" />')
    assert lint_findings(xml) == []


def test_the_consumption_tier_has_a_lower_limit_for_the_size_of_a_document() -> None:
    xml = policy(f"<base /><!-- {'x' * 17 * 1024} -->", backend="<base />")
    assert [finding.code for finding in lint_findings(xml, sku="Consumption")] == ["document-size"]


def test_unused_declarations_are_found() -> None:
    fragment = PolicyFragment(id="f", document=PolicyDocument(xml="<fragment />", name="f.xml"))
    values = (NamedValue(name="used", value="x"), NamedValue(name="unused", value="x"))
    findings = lint_findings(variable("{{used}}"), named_values=values, fragments=(fragment,))
    assert {(finding.code, finding.document) for finding in findings} == {
        ("unused-named-value", "named value unused"),
        ("unused-fragment", "f.xml"),
    }


def test_an_unused_version_of_a_used_value_has_no_finding() -> None:
    values = tuple(NamedValue(name=name, value="x") for name in ("key-v1", "key-v2", "other-v1", "key"))
    findings = lint_findings(variable("{{key-v1}}"), named_values=values)
    assert [finding.document for finding in findings] == ["named value key", "named value other-v1"]


STREAMS = ServiceFacts(streams=True, protected=False)


@pytest.mark.parametrize(
    "xml",
    [
        policy(backend="<forward-request />"),
        policy(backend='<forward-request buffer-response="true" />'),
        policy(outbound='<base />\n<find-and-replace from="a" to="b" />'),
        policy(outbound="<base />\n<set-body>x</set-body>"),
        policy(outbound='<base />\n<set-variable name="v" value="@(context.Response.Body.As<string>())" />'),
    ],
)
def test_policies_that_buffer_a_stream_are_found(xml: str) -> None:
    assert [finding.code for finding in lint_findings(xml, facts=STREAMS)] == ["buffered-stream"]
    assert lint_findings(xml) == []


def test_diagnostics_that_log_bodies_buffer_streams() -> None:
    logged = replace(STREAMS, diagnostics=(Diagnostic(name="d", body_bytes=512),))
    assert [finding.code for finding in lint_findings(policy(), facts=logged)] == ["buffered-stream"]
    unlogged = replace(STREAMS, diagnostics=(Diagnostic(name="d", body_bytes=0),))
    assert lint_findings(policy(), facts=unlogged) == []


PROTECTED = ServiceFacts(streams=False, protected=True)


@pytest.mark.parametrize(
    ("inbound", "code"),
    [
        ("<base />", "missing-token-check"),
        (f"<base />\n<!-- {CHECK} -->", "commented-token-check"),
        (
            f'<base />\n<set-variable name="user" value="{HMAC}" />\n<!-- {REFUSE} -->',
            "commented-token-check",
        ),
        (f'<base />\n<set-variable name="user" value="{HMAC}" />', "missing-token-check"),
        (f'<base />\n<set-variable name="user" value="{PARSED}" />\n{REFUSE}', "unverified-token"),
        (
            f'<base />\n<choose><when condition="@(context.Request.Method == "GET")">{CHECK}</when></choose>',
            "missing-token-check",
        ),
    ],
)
def test_a_missing_token_check_is_found(inbound: str, code: str) -> None:
    assert [finding.code for finding in lint_findings(policy(inbound), facts=PROTECTED)] == [code]


@pytest.mark.parametrize(
    "inbound",
    [
        f"<base />\n{CHECK}",
        f'<base />\n<set-variable name="user" value="{HMAC}" />\n{REFUSE}',
        f"<base />\n<!-- a note -->\n{CHECK}",
        (
            f'<base />\n<choose><when condition="@(context.Request.Method == "GET")">{CHECK}</when>'
            f"<otherwise>{CHECK}</otherwise></choose>"
        ),
    ],
)
def test_an_api_with_a_token_check_has_no_finding(inbound: str) -> None:
    assert lint_findings(policy(inbound), facts=PROTECTED) == []


def test_the_message_of_a_finding_says_how_to_fix_it() -> None:
    (finding,) = lint_findings(policy("<set-method>GET</set-method>"))
    assert "add <base />" in finding.message


@pytest.mark.parametrize(
    "value",
    [
        '@(context.Variables["a"] == context.Variables["b"])',
        '@(new string[] { "a" } == new string[] { "a" })',
        "@(new List<string>() != new List<string>())",
        '@(JObject.Parse("{}") == JObject.Parse("{}"))',
        '@(JObject.Parse("{}")["a"] == JObject.Parse("{}")["a"])',
    ],
)
def test_every_comparison_of_references_is_found(value: str) -> None:
    assert [finding.code for finding in lint_findings(variable(value))] == ["reference-comparison"]


@pytest.mark.parametrize(
    "value",
    [
        '@(JObject.Parse("{}")["a"] == null)',
        "@(new List<string> { 1.ToString() }.OrderBy(x => x.Length).First())",
    ],
)
def test_comparisons_by_value_have_no_finding(value: str) -> None:
    assert lint_findings(variable(value)) == []


_TOKEN = 'context.Request.Headers.GetValueOrDefault("Authorization", "")'


@pytest.mark.parametrize(
    "value",
    [
        '@{ var s = ""; foreach (var h in context.Request.Headers) { s += h.Value[0]; } return s; }',
        "@(context.Request.Headers.Values.First()[0])",
        "@(JsonConvert.SerializeObject(context.Request.Headers))",
        "@(context.Request.OriginalUrl.ToString())",
        '@("" + context.Request.Url)',
        "@(context.Request.Url.QueryString)",
        '@(string.Join(",", context.Variables.Select(v => v.Value)))',
        '@(context.Variables.GetValueOrDefault<string>("known"))',
        '@(context.Variables.GetValueOrDefault<string>("cached"))',
    ],
)
def test_every_secret_that_is_written_to_logs_is_found(value: str) -> None:
    before = (
        f'<base />\n<set-variable name="t" value="@({_TOKEN})" />\n'
        '<set-variable name="known" value="{{key}}" />\n'
        f'<cache-store-value key="k" value="@({_TOKEN})" duration="9" />\n'
        '<cache-lookup-value key="k" variable-name="cached" />\n'
    )
    xml = policy(before + f'<trace source="s"><message>{value}</message></trace>')
    secrets = (NamedValue(name="key", value="x", secret=True),)
    assert {(finding.code, finding.line) for finding in lint_findings(xml, named_values=secrets)} == {
        ("traced-secret", 8)
    }


def test_the_path_of_a_request_is_not_a_secret() -> None:
    xml = policy(TRACE.format("@(context.Request.OriginalUrl.Host + context.Request.Url.Path)"))
    assert lint_findings(xml) == []


def test_a_call_of_context_trace_with_a_token_is_found() -> None:
    assert locations(variable(f"@{{ var t = {_TOKEN}; context.Trace(t); return 1; }}")) == [
        ("traced-secret", 4, 31)
    ]
    assert locations(variable('@{ context.Trace("came"); return 1; }')) == []


def test_reading_the_body_of_a_response_in_a_local_variable_is_found() -> None:
    value = "@{ var r = context.Response; return r.Body.As<string>(true); }"
    xml = policy(outbound=f'<base />\n<set-variable name="v" value="{value}" />')
    assert [finding.code for finding in lint_findings(xml, facts=STREAMS)] == ["buffered-stream"]
