"""The order in which sections, scopes and policies run, also after a failure; subscriptions and traces."""

import json

import pytest

from apim.service import Subscription
from tests.policies.engine.harness import Sent, harness_with, policies, reply


def step(name: str) -> str:
    """A policy that adds its name to a header of the request."""
    return f'<set-header name="Trail" exists-action="append"><value>{name}</value></set-header>'


def in_backend(policies: str) -> str:
    """A policy that contains these policies, because the section backend allows only a single policy."""
    return f'<choose><when condition="@(true)">{policies}</when></choose>'


def scoped(name: str) -> str:
    """A document that adds a name to the header before and after the policies of the outer scope."""
    return (
        f"<policies><inbound>{step(name + '-before')}<base />{step(name + '-after')}</inbound>"
        "<backend><base /></backend><outbound><base /></outbound><on-error><base /></on-error></policies>"
    )


def test_base_runs_the_policies_of_the_next_outer_scope() -> None:
    harness = harness_with(
        scoped("operation"),
        api=scoped("api"),
        product=scoped("product"),
        global_policy=f"<policies><inbound>{step('global')}</inbound><backend><forward-request /></backend>"
        "</policies>",
        subscriptions=(Subscription(id="s", name="s", key="secret", product="gold"),),
    )
    harness.send(Ocp_Apim_Subscription_Key="secret")
    assert harness.network.sent[0].header("Trail") == ",".join(
        [
            "operation-before",
            "api-before",
            "product-before",
            "global",
            "product-after",
            "api-after",
            "operation-after",
        ]
    )


def test_policies_of_outer_scopes_do_not_run_without_base() -> None:
    harness = harness_with(
        f"<policies><inbound>{step('operation')}</inbound></policies>",
        api=f"<policies><inbound>{step('api')}</inbound></policies>",
    )
    harness.send()
    assert harness.network.sent[0].header("Trail") == "operation"


def test_a_missing_section_is_like_a_section_with_only_base() -> None:
    harness = harness_with("<policies><inbound /></policies>", api=policies(outbound=step("api")))
    assert harness.send().header("Trail") == "api"


def test_an_empty_backend_section_forwards_nothing() -> None:
    harness = harness_with("<policies><backend /></policies>")
    answer = harness.send()
    assert (answer.status, answer.body, harness.network.sent) == (200, b"", [])


def test_sections_run_in_order_and_change_request_then_response() -> None:
    harness = harness_with(
        policies(step("inbound"), in_backend(step("backend") + "<forward-request />"), step("outbound"))
    )
    answer = harness.send()
    assert harness.network.sent[0].header("Trail") == "inbound,backend"
    assert answer.header("Trail") == "outbound"


def test_return_response_ends_the_pipeline_immediately() -> None:
    harness = harness_with(
        policies(
            '<return-response><set-status code="204" reason="None" /></return-response>', "", step("out")
        )
    )
    answer = harness.send()
    assert (answer.status, answer.header("Trail"), harness.network.sent) == (204, None, [])


def test_return_response_is_200_without_a_body_by_default() -> None:
    answer = harness_with(policies("<return-response />")).send()
    assert (answer.status, answer.reason, answer.body, answer.header("Content-Length")) == (
        200,
        "OK",
        b"",
        "0",
    )


def test_return_response_can_return_the_response_of_send_request() -> None:
    harness = harness_with(
        policies(
            '<send-request response-variable-name="got"><set-url>https://else.example/</set-url><set-method>GET</set-method>'
            '</send-request><return-response response-variable-name="got">'
            '<set-header name="X"><value>1</value></set-header>'
            "</return-response>"
        )
    )
    harness.network.answer = lambda _sent: reply(418, "tea", Kind="green")
    answer = harness.send()
    assert (answer.status, answer.body, answer.header("Kind"), answer.header("X")) == (
        418,
        b"tea",
        "green",
        "1",
    )


def test_choose_runs_the_first_branch_whose_condition_is_true() -> None:
    def branch(name: str, condition: str) -> str:
        return f'<when condition="@({condition})">{step(name)}</when>'

    choose = "<choose>" + branch("a", "false") + branch("b", "true") + branch("c", "true")
    harness = harness_with(policies(choose + f"<otherwise>{step('d')}</otherwise></choose>"))
    harness.send()
    assert harness.network.sent[0].header("Trail") == "b"


def test_a_literal_variable_is_a_string_and_an_expression_keeps_its_type() -> None:
    harness = harness_with(
        policies(
            '<set-variable name="text" value="true" /><set-variable name="flag" value="@(true)" />'
            '<return-response><set-body>@((string)context.Variables["text"] '
            '+ " " + (bool)context.Variables["flag"])'
            "</set-body></return-response>"
        )
    )
    assert harness.send().body == b"true True"


THROW = '<set-variable name="x" value="@(int.Parse("x"))" id="parse" />'
REPORT = (
    '<set-header name="E"><value>@(string.Join("|", context.LastError.Source, context.LastError.Reason, '
    "context.LastError.Section, context.LastError.Scope, "
    "context.LastError.PolicyId, context.LastError.Path))</value>"
    "</set-header>"
)


def test_an_exception_results_in_500_without_its_message() -> None:
    answer = harness_with(policies(THROW)).send()
    content = answer.json()
    assert answer.status == 500
    assert (content["statusCode"], content["message"]) == (500, "Internal server error")
    assert set(content) == {"statusCode", "message", "activityId"}


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (
            policies(THROW, on_error=REPORT),
            "set-variable|ExpressionValueEvaluationFailure|inbound|operation|parse|",
        ),
        (
            policies("", "", THROW, REPORT),
            "set-variable|ExpressionValueEvaluationFailure|outbound|operation|parse|",
        ),
        (
            policies(f'<choose><when condition="@(true)">{THROW}</when></choose>', on_error=REPORT),
            "set-variable|ExpressionValueEvaluationFailure|inbound|operation|parse|choose[1]/when[1]",
        ),
    ],
)
def test_on_error_has_the_location_of_the_error(operation: str, expected: str) -> None:
    assert harness_with(operation).send().header("E") == expected


def test_on_error_can_return_another_response() -> None:
    harness = harness_with(
        policies(
            THROW,
            on_error='<return-response><set-status code="@(context.Response.StatusCode + 3)" '
            'reason="Sorry" />'
            "<set-body>oops</set-body></return-response>",
        )
    )
    answer = harness.send()
    assert (answer.status, answer.reason, answer.body) == (503, "Sorry", b"oops")


def test_an_exception_within_on_error_results_in_500() -> None:
    answer = harness_with(policies(THROW, on_error=THROW)).send()
    assert (answer.status, answer.json()["message"]) == (500, "Internal server error")


def test_an_unreachable_backend_is_reported_to_on_error() -> None:
    harness = harness_with(policies(on_error=REPORT))
    harness.network.fails()
    answer = harness.send()
    assert (answer.status, answer.header("E")) == (
        500,
        "forward-request|BackendConnectionFailure|backend|global||",
    )
    harness.network.fails(timed_out=True)
    assert harness.send().header("E") == "forward-request|Timeout|backend|global||"


def test_an_error_status_of_the_backend_is_passed_on_and_runs_on_error_only_if_the_policy_says_so() -> None:
    harness = harness_with(policies(on_error=REPORT))
    harness.network.answer = lambda _sent: reply(503, "busy")
    answer = harness.send()
    assert (answer.status, answer.body, answer.header("E")) == (503, b"busy", None)
    harness = harness_with(policies("", '<forward-request fail-on-error-status-code="true" />', "", REPORT))
    harness.network.answer = lambda _sent: reply(503, "busy")
    answer = harness.send()
    assert (answer.status, answer.body) == (503, b"busy")
    assert (answer.header("E") or "").startswith("forward-request|BackendErrorStatusCode|backend|operation")


def test_retry_repeats_its_statements_while_the_condition_holds() -> None:
    harness = harness_with(
        policies(
            "",
            '<retry condition="@(context.Response.StatusCode == 503)" count="3" interval="0">'
            '<forward-request buffer-request-body="true" /></retry>',
        )
    )
    answers = iter([503, 503, 200])
    harness.network.answer = lambda _sent: reply(next(answers))
    assert harness.send("POST", body=b"again").status == 200
    assert [sent.body for sent in harness.network.sent] == [b"again"] * 3


def test_retry_stops_after_its_count() -> None:
    harness = harness_with(
        policies("", '<retry condition="@(true)" count="2" interval="0"><forward-request /></retry>')
    )
    harness.network.answer = lambda _sent: reply(503)
    assert harness.send().status == 503
    assert len(harness.network.sent) == 3


def test_a_fragment_runs_where_it_is_included() -> None:
    harness = harness_with(
        policies(f"{step('a')}<include-fragment fragment-id='f' />{step('c')}"),
        fragments={"f": f"<fragment>{step('b')}</fragment>"},
    )
    harness.send()
    assert harness.network.sent[0].header("Trail") == "a,b,c"
    assert harness.gateway.used_fragments == {"f"}


def test_mock_response_returns_a_response_without_calling_the_backend() -> None:
    harness = harness_with(policies('<mock-response status-code="201" content-type="application/json" />'))
    answer = harness.send()
    assert (answer.status, answer.header("Content-Type"), answer.body, harness.network.sent) == (
        201,
        "application/json",
        b"",
        [],
    )


def test_an_api_that_requires_a_subscription_accepts_only_a_valid_key() -> None:
    harness = harness_with(
        subscription_required=True, subscriptions=(Subscription(id="s", name="s", key="secret", api="api"),)
    )
    missing, wrong, right = (
        harness.send(),
        harness.send(Ocp_Apim_Subscription_Key="guess"),
        harness.send(Ocp_Apim_Subscription_Key="secret"),
    )
    assert (missing.status, missing.json()["message"][:50]) == (
        401,
        "Access denied due to missing subscription key. Mak",
    )
    assert (wrong.status, wrong.json()["message"][:48]) == (
        401,
        "Access denied due to invalid subscription key. M",
    )
    assert right.status == 200
    # API Management forwards the key: https://andrewilson.co.uk/post/2023/11/apim-subscription-key-header
    assert harness.network.sent[0].header("Ocp-Apim-Subscription-Key") == "secret"


def test_an_api_that_requires_no_key_rejects_a_wrong_one_and_a_valid_one_sets_the_product() -> None:
    seen = '@(context.Subscription == null ? "none" : context.Product.Id + " " + context.Subscription.Id)'
    harness = harness_with(
        policies(f'<set-header name="Seen"><value>{seen}</value></set-header>'),
        product=policies(),
        subscriptions=(Subscription(id="s", name="s", key="secret", product="gold"),),
    )
    assert [
        harness.send().status,
        harness.send(Ocp_Apim_Subscription_Key="guess").status,
        harness.send(Ocp_Apim_Subscription_Key="secret").status,
        harness.send(query="subscription-key=secret").status,
        harness.send(query="subscription-key=guess").status,
    ] == [200, 401, 200, 200, 401]
    assert [sent.header("Seen") for sent in harness.network.sent] == ["none", "gold s", "gold s"]


def test_traces_show_the_policies_that_ran_and_their_changes_while_tracing_is_on() -> None:
    harness = harness_with(
        policies(
            '<set-variable name="a" value="1" /><choose><when condition="@(true)">'
            '<set-header name="X"><value>y</value></set-header></when></choose>'
        )
    )
    harness.send()
    assert not harness.gateway.traces
    harness.gateway.tracing = True
    harness.send()
    (trace,) = harness.gateway.traces
    assert (trace.operation, trace.status) == ("api/get-items", 200)
    assert [
        (
            statement.element,
            statement.scope,
            statement.section,
            statement.path,
            statement.outcome,
            statement.changes,
        )
        for statement in trace.statements
    ] == [
        ("set-variable", "operation", "inbound", "", "done", ('variable a = "1"',)),
        ("choose", "operation", "inbound", "", "done", ('request header X = "y"',)),
        ("set-header", "operation", "inbound", "choose[1]/when[1]", "done", ('request header X = "y"',)),
        ("forward-request", "global", "backend", "", "done", ("status = 200",)),
    ]
    assert [(call.method, call.url, call.status) for call in trace.calls] == [
        ("GET", "https://backend.example/items", 200)
    ]


def test_traces_show_no_secrets() -> None:
    harness = harness_with(
        policies(
            '<set-variable name="a" value="pre {{key}} post" />'
            '<set-variable name="b" value="written here" />'
            '<set-header name="Authorization"><value>Basic abc</value></set-header>'
            '<trace source="s"><message>{{key}}</message></trace>'
        ),
        secrets={"key": "hush"},
    )
    harness.gateway.tracing = True
    harness.send(query="code=hush", Cookie="hush")
    (trace,) = harness.gateway.traces
    assert [change for statement in trace.statements for change in statement.changes] == [
        "variable a = text, 13 characters",
        'variable b = "written here"',
        "request header Authorization = text, 9 characters",
        "status = 200",
    ]
    assert trace.messages == ['"s": text, 4 characters']
    assert "hush" not in json.dumps(trace.data())


def test_request_and_response_are_forwarded_without_the_headers_of_the_connection() -> None:
    def echo(sent: Sent) -> object:
        return reply(201, sent.body[::-1], Content_Type="text/plain", Connection="close, X-Hop", X_Hop="1")

    harness = harness_with(reading="hop-by-hop=removed")
    harness.network.answer = echo  # ty: ignore[invalid-assignment]
    answer = harness.send("POST", query="q=%20a", body=b"abc", Accept="*/*", Connection="X-Drop", X_Drop="1")
    (sent,) = harness.network.sent
    assert (sent.method, sent.url, sent.body) == ("POST", "https://backend.example/items?q=%20a", b"abc")
    assert sent.headers == [("Accept", "*/*")]
    assert (answer.status, answer.body, answer.header("Content-Type")) == (201, b"cba", "text/plain")
    assert answer.header("X-Hop") is None
