"""The readings (docs/readings.md) in the engine: how each assumption about Azure changes what policies do."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from apim.failure import SendError
from apim.findings import PolicyError
from apim.gateway import Gateway
from apim.messages import InboundRequest
from apim.network import Reply
from apim.readings import Readings
from apim.rollout import in_effect
from apim.service import NamedValue, Operation
from tests.policies.engine.harness import Sent, harness_with, policies, reply, service

REQUEST = InboundRequest(method="GET", path="/api/items")
FAILED = policies(
    on_error="<return-response><set-body>@(context.LastError.Reason)</set-body></return-response>"
)


def respond_with(expression: str) -> str:
    """A policy that returns the value of an expression as the body."""
    return f"<return-response><set-body>@({expression})</set-body></return-response>"


@pytest.mark.parametrize(("reading", "value"), [("query=raw", "a%20b+c%2Fd"), ("query=decoded", "a b c/d")])
@pytest.mark.parametrize("url", ["Url", "OriginalUrl"])
def test_the_query_has_raw_or_decoded_values_and_the_query_string_is_raw(
    url: str, reading: str, value: str
) -> None:
    shown = f'context.Request.{url}.Query["x"][0] + " " + context.Request.{url}.QueryString'
    answer = harness_with(policies(respond_with(shown)), reading=reading).send(query="x=a%20b+c%2Fd")
    assert answer.body.decode() == f"{value} ?x=a%20b+c%2Fd"


def test_a_raw_query_keeps_repeated_and_empty_parameters() -> None:
    shown = 'string.Join("|", context.Request.Url.Query.Select(x => x.Key + "=" + string.Join(",", x.Value)))'
    harness = harness_with(policies(respond_with(shown)), reading="query=raw")
    assert harness.send(query="x=1&&x=2&e=&f&%78=3").body == b"x=1,2|e=|f=|%78=3"


@pytest.mark.parametrize("reading", ["query=raw", "query=decoded"])
def test_the_value_of_a_changed_parameter_is_raw_or_decoded(reading: str) -> None:
    change = '<set-query-parameter name="q" exists-action="override"><value>a b</value></set-query-parameter>'
    harness = harness_with(
        policies(change + respond_with('context.Request.Url.Query["q"][0]')), reading=reading
    )
    assert harness.send(query="q=1").body == (b"a%20b" if reading == "query=raw" else b"a b")


UNQUALIFIED = policies(respond_with('WebUtility.HtmlEncode("<")'))


def test_a_type_of_system_net_needs_its_namespace_unless_it_is_imported() -> None:
    with pytest.raises(PolicyError) as refused:
        harness_with(UNQUALIFIED, reading="system-net=not-imported")
    (finding,) = refused.value.findings
    assert finding.message == "`WebUtility` is not known without its namespace: write System.Net.WebUtility"
    assert UNQUALIFIED[finding.column - 1 :].startswith("WebUtility")
    assert harness_with(UNQUALIFIED, reading="system-net=imported").send().body == b"&lt;"
    qualified = policies(respond_with('System.Net.WebUtility.HtmlEncode("<")'))
    assert harness_with(qualified, reading="system-net=not-imported").send().body == b"&lt;"


HEADERS = 'string.Join(",", context.{}.Headers.Select(header => header.Key.ToLowerInvariant()))'


@pytest.mark.parametrize(
    ("reading", "names"),
    [("hop-by-hop=visible", "host,te,connection,x-own"), ("hop-by-hop=removed", "host")],
)
def test_headers_of_the_connection_are_visible_or_removed_from_requests(reading: str, names: str) -> None:
    harness = harness_with(policies(respond_with(HEADERS.format("Request"))), reading=reading)
    assert harness.send(TE="trailers", Connection="x-own, te", X_Own="1").body.decode() == names


@pytest.mark.parametrize(
    ("reading", "names"), [("hop-by-hop=visible", "connection,x-out"), ("hop-by-hop=removed", "x-out")]
)
def test_headers_of_the_connection_are_visible_or_removed_from_responses(reading: str, names: str) -> None:
    show = f'<set-header name="Seen"><value>@({HEADERS.format("Response")})</value></set-header>'
    harness = harness_with(policies(outbound=show), reading=reading)
    harness.network.answer = lambda _sent: reply(200, "", Connection="keep-alive", X_Out="1")
    answer = harness.send()
    assert answer.header("Seen") == names
    assert answer.header("Connection") is None


@pytest.mark.parametrize(
    ("reading", "keep_alive"), [("hop-by-hop=visible", "timeout=5"), ("hop-by-hop=removed", None)]
)
def test_the_engine_removes_headers_of_the_connection_or_leaves_them_to_the_network(
    reading: str, keep_alive: str | None
) -> None:
    """The network removes those that remain: see test_network.py."""
    harness = harness_with(reading=reading)
    harness.send(Connection="x-own", X_Own="1", Keep_Alive="timeout=5", X_Other="2")
    (sent,) = harness.network.sent
    assert (sent.header("X-Other"), sent.header("Keep-Alive")) == ("2", keep_alive)


CHANGE = '<set-header name="@("{}")" exists-action="{}"><value>x</value></set-header>'
CONNECTION_HEADERS = ("Connection", "content-length", "Keep-Alive", "TRANSFER-ENCODING")


@pytest.mark.parametrize("action", ["delete", "override", "append", "skip"])
@pytest.mark.parametrize("name", CONNECTION_HEADERS)
def test_a_header_of_the_connection_cannot_be_changed_under_a_computed_name(name: str, action: str) -> None:
    document = policies(
        CHANGE.format(name, action),
        on_error=respond_with('context.LastError.Reason + " " + context.LastError.Source'),
    )
    harness = harness_with(document, reading="hop-by-hop=visible")
    assert harness.send().body == b"HeaderNotModifiable set-header"
    assert harness.network.sent == []


def test_changing_a_header_of_the_connection_results_in_500_without_on_error() -> None:
    harness = harness_with(
        policies(outbound=CHANGE.format("Connection", "delete")), reading="hop-by-hop=visible"
    )
    assert harness.send().status == 500


@pytest.mark.parametrize("name", CONNECTION_HEADERS)
def test_deleting_a_header_of_the_connection_that_was_removed_has_no_effect(name: str) -> None:
    assert (
        harness_with(policies(CHANGE.format(name, "delete")), reading="hop-by-hop=removed").send().status
        == 200
    )


@pytest.mark.parametrize("name", CONNECTION_HEADERS)
@pytest.mark.parametrize("reading", ["hop-by-hop=visible", "hop-by-hop=removed"])
def test_a_policy_with_the_literal_name_of_a_header_of_the_connection_is_refused_when_it_is_loaded(
    name: str, reading: str
) -> None:
    with pytest.raises(PolicyError, match="cannot be set or deleted"):
        harness_with(policies(f'<set-header name="{name}" exists-action="delete" />'), reading=reading)


def test_a_request_that_takes_too_long_results_in_504_under_the_limit() -> None:
    harness = harness_with(reading="duration-limit=30s")
    harness.gateway.longest_request = 0.02

    async def never(_sent: Sent) -> Reply:
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    harness.network.answer = never
    answer = harness.send()
    assert (answer.status, answer.json()["message"]) == (504, "The request took longer than 0.02 seconds.")


class Stream(Reply):
    """A backend's stream: a first chunk, then nothing until it is closed."""

    def __init__(self) -> None:
        super().__init__(status=200, reason="OK", headers=[])
        self.closed = False

    async def chunks(self) -> AsyncIterator[bytes]:
        yield b"first"
        await asyncio.get_running_loop().create_future()

    def whole(self) -> bytes | None:
        return None

    def close(self) -> None:
        self.closed = True


STREAMED = policies("", '<forward-request buffer-response="false" />')


def test_a_stream_that_exceeds_the_limit_ends_and_its_backend_connection_is_closed() -> None:
    harness, stream = harness_with(STREAMED, reading="duration-limit=30s"), Stream()
    harness.gateway.longest_request = 0.02
    harness.network.answer = lambda _sent: stream

    async def read() -> bytes:
        answer = await harness.gateway.handle(REQUEST)
        assert not isinstance(answer.body, bytes)
        pieces = aiter(answer.body)
        first = await anext(pieces)
        with pytest.raises(SendError, match="took too long"):
            await anext(pieces)
        await answer.close()
        return first

    assert asyncio.run(read()) == b"first"
    assert stream.closed


def test_a_quick_request_is_not_affected_by_the_limit() -> None:
    harness = harness_with(reading="duration-limit=30s")
    assert harness.send().body == b"from the backend"


def jwt(**claims: Any) -> str:
    return (
        ".".join(
            base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({}, claims)
        )
        + ".c2ln"
    )


@pytest.mark.parametrize(
    ("reading", "has_exp"), [("claims-exp=absent", "False"), ("claims-exp=present", "True")]
)
def test_claims_may_contain_exp_and_expiration_time_is_always_set(reading: str, has_exp: str) -> None:
    token = 'context.Request.Headers["T"][0].AsJwt()'
    claims = f'{token}.Claims.ContainsKey("exp") + " " + {token}.Claims["sub"][0]'
    shown = f'{claims} + " " + {token}.ExpirationTime.Value.Year'
    answer = harness_with(policies(respond_with(shown)), reading=reading).send(
        T=jwt(exp=1700000000, sub="ada")
    )
    assert answer.body.decode() == f"{has_exp} ada 2023"


def test_a_token_that_cannot_be_read_has_no_claims_under_either_reading() -> None:
    document = policies(
        respond_with('"none".AsJwt().Claims.Count'), on_error=respond_with("context.LastError.Message")
    )
    for reading in ("claims-exp=absent", "claims-exp=present"):
        assert b"Object reference not set" in harness_with(document, reading=reading).send().body


REMOVE = '<cache-remove-value key="k" {}/>'
STORE = '<cache-store-value key="k" value="v" duration="60" />'


@pytest.mark.parametrize(
    ("reading", "content", "status"),
    [
        ("cache-remove=error", REMOVE.format(""), 500),
        ("cache-remove=error", STORE + REMOVE.format(""), 200),
        ("cache-remove=error", REMOVE.format('fail-on-cache-removal-error="false" '), 200),
        ("cache-remove=error", REMOVE.format('fail-on-cache-removal-error="true" '), 500),
        ("cache-remove=no-op", REMOVE.format(""), 200),
    ],
)
def test_removing_a_value_that_is_not_cached_fails_or_has_no_effect(
    reading: str, content: str, status: int
) -> None:
    harness = harness_with(policies(content), reading=reading)
    assert harness.send().status == status
    assert len(harness.gateway.services.cache) == 0


@pytest.mark.parametrize(
    ("reading", "answer"),
    [("null-variable=error", b"ExpressionValueEvaluationFailure"), ("null-variable=stored", b"True")],
)
def test_setting_a_variable_to_null_is_an_error_or_stores_null(reading: str, answer: bytes) -> None:
    null = '<set-variable name="n" value="@((string)null)" />'
    document = policies(
        null + respond_with('context.Variables["n"] == null'),
        on_error=respond_with("context.LastError.Reason"),
    )
    assert harness_with(document, reading=reading).send().body == answer


SEND = (
    '<send-request mode="new" response-variable-name="r" ignore-error="true"><set-url>https://else.example/</set-url>'
    "<set-method>GET</set-method></send-request>"
)
STATUS_OF_R = (
    'context.Variables.ContainsKey("r") ? (context.Variables["r"] == null ? "null" : '
    '((IResponse)context.Variables["r"]).StatusCode.ToString()) : "unset"'
)


@pytest.mark.parametrize(
    ("reading", "without_a_value", "after_a_response"),
    [("failed-send-request=unset", b"unset", b"200"), ("failed-send-request=null", b"null", b"null")],
)
def test_a_failed_call_does_not_change_its_variable_or_sets_it_to_null(
    reading: str, without_a_value: bytes, after_a_response: bytes
) -> None:
    harness = harness_with(policies(SEND + respond_with(STATUS_OF_R)), reading=reading)
    harness.network.fails()
    assert harness.send().body == without_a_value
    twice = harness_with(policies(SEND + SEND + respond_with(STATUS_OF_R)), reading=reading)
    answers = iter([reply(200, ""), None])

    def answer(_sent: Sent) -> Reply:
        answer = next(answers)
        if answer is None:
            raise SendError("refused")
        return answer

    twice.network.answer = answer
    assert twice.send().body == after_a_response


@pytest.mark.parametrize(
    ("reading", "value"),
    [("failed-managed-identity=unset", b"unset"), ("failed-managed-identity=null", b"null")],
)
def test_a_failed_token_request_does_not_change_its_variable_or_sets_it_to_null(
    reading: str, value: bytes
) -> None:
    identity = '<authentication-managed-identity resource="https://x" output-token-variable-name="t" {}/>'
    shown = (
        'context.Variables.ContainsKey("t") ? (context.Variables["t"] == null ? "null" : "token") : "unset"'
    )
    harness = harness_with(
        policies(identity.format('ignore-error="true" ') + respond_with(shown)), reading=reading
    )
    harness.tokens.broken = True
    assert harness.send().body == value
    harness.tokens.broken = False
    assert harness.send().body == b"token"
    not_ignoring = harness_with(policies(identity.format("")), reading=reading)
    not_ignoring.tokens.broken = True
    assert not_ignoring.send().status == 500


CORS = (
    "<cors><allowed-origins><origin>*</origin></allowed-origins>"
    "<allowed-headers><header>*</header></allowed-headers></cors>"
)


@pytest.mark.parametrize(
    ("reading", "origin"), [("cors-return-response=not-added", None), ("cors-return-response=added", "*")]
)
def test_responses_of_return_response_may_have_cors_headers(reading: str, origin: str | None) -> None:
    answered = harness_with(policies(CORS + respond_with('"done"')), reading=reading).send(
        Origin="https://app.example"
    )
    assert answered.header("Access-Control-Allow-Origin") == origin
    forwarded = harness_with(policies(CORS), reading=reading).send(Origin="https://app.example")
    assert forwarded.header("Access-Control-Allow-Origin") == "*"
    failed = harness_with(policies(CORS + respond_with('int.Parse("x")')), reading=reading)
    assert failed.send(Origin="https://app.example").header("Access-Control-Allow-Origin") == "*"


@pytest.mark.parametrize(("reading", "wildcard"), [("preflight=not-found", 404), ("preflight=answered", 200)])
def test_a_preflight_for_a_wildcard_operation_is_answered_or_404(reading: str, wildcard: int) -> None:
    preflight = {"Origin": "https://app.example", "Access_Control_Request_Method": "POST"}

    def status(template: str, *, at_api: bool) -> int:
        """The status if the policy cors is at the API, or at its only operation."""
        operation = Operation(
            id="o",
            name="o",
            method="POST",
            url_template=template,
            policy=None if at_api else service(policies(CORS)).apis[0].operations[0].policy,
        )
        harness = harness_with(
            operations=(operation,), reading=reading, api=policies(CORS) if at_api else None
        )
        return harness.send("OPTIONS", "/api/items/x", **preflight).status  # ty: ignore[invalid-argument-type]

    assert status("/*", at_api=False) == wildcard
    assert status("/items/{*rest}", at_api=False) == wildcard
    assert status("/items/{id}", at_api=False) == 200
    assert status("/*", at_api=True) == 200


def test_changed_named_values_and_policies_take_effect_together_or_one_before_the_other() -> None:
    before = {"changed": "1", "removed": "r"}
    old = service(policies(respond_with('"old {{changed}} {{removed}}"')), values=before)
    new = service(
        policies(respond_with('"new {{changed}} {{added}}"')), values={"changed": "2", "added": "a"}
    )
    harness = harness_with(policies(respond_with('"old {{changed}} {{removed}}"')), values=before)
    assert harness.send().body == b"old 1 r"
    for order, answer in (
        ("values-first", b"old 2 r"),
        ("policies-first", b"new 1 a"),
        ("together", b"new 2 a"),
    ):
        harness.gateway.load(in_effect(old, new, Readings.parse([f"named-value-order={order}"])))
        assert harness.send().body == answer
    assert NamedValue(name="removed", value="r") not in harness.gateway.service.named_values


def test_an_invalid_service_is_not_loaded_and_state_is_kept() -> None:
    harness = harness_with(policies(STORE + respond_with('"first"')))
    harness.send()
    wrong = service(policies("<no-such-policy />"))
    with pytest.raises(PolicyError):
        harness.gateway.load(wrong)
    assert harness.send().body == b"first"
    harness.gateway.load(
        service(
            policies(
                '<cache-lookup-value key="k" variable-name="v" />' + respond_with('context.Variables["v"]')
            )
        )
    )
    assert harness.send().body == b"v"


@pytest.mark.parametrize(
    ("reading", "seen"),
    [("client-address=client", b"203.0.113.7 "), ("client-address=proxy", b"10.0.0.4 203.0.113.7")],
)
def test_the_ip_address_is_that_of_the_client_or_of_the_proxy(reading: str, seen: bytes) -> None:
    shown = (
        'context.Request.IpAddress + " " + context.Request.Headers.GetValueOrDefault("X-Forwarded-For", "")'
    )
    assert harness_with(policies(respond_with(shown)), reading=reading).send(ip="203.0.113.7").body == seen


def test_clients_behind_a_proxy_share_its_rate_limit() -> None:
    limit = '<rate-limit-by-key calls="1" renewal-period="60" counter-key="@(context.Request.IpAddress)" />'
    for reading, second in (("client-address=client", 200), ("client-address=proxy", 429)):
        harness = harness_with(policies(limit), reading=reading)
        assert [harness.send(ip="203.0.113.7").status, harness.send(ip="203.0.113.8").status] == [200, second]


def test_the_clocks_of_two_units_may_differ() -> None:
    shown = 'context.Timestamp.Ticks + " " + DateTime.UtcNow.Ticks'

    def times(reading: str) -> list[tuple[int, int]]:
        harness = harness_with(policies(respond_with(shown)), reading=reading)
        harness.gateway.services = replace(harness.gateway.services, clock=_FixedClock())
        answers = []
        for _ in range(4):
            received, now = harness.send().body.split()
            answers.append((int(received), int(now)))
        return answers

    assert len(set(times("unit-clocks=equal"))) == 1
    ahead, behind, third, fourth = times("unit-clocks=apart")
    assert ahead[0] - behind[0] == ahead[1] - behind[1] == 500_000
    assert (third, fourth) == (ahead, behind)


class _FixedClock:
    def now(self) -> float:
        return 1_700_000_000.0


@pytest.mark.parametrize(
    ("reading", "second"), [("limit-concurrency=until-head", 200), ("limit-concurrency=until-end", 429)]
)
def test_an_open_stream_counts_until_its_head_or_until_its_end(reading: str, second: int) -> None:
    limited = f'<limit-concurrency key="k" max-count="1">{STREAM_BACKEND}</limit-concurrency>'
    harness = harness_with(policies("", limited), reading=reading)
    harness.network.answer = lambda _sent: Stream()

    async def scenario() -> list[int]:
        first = await harness.gateway.handle(REQUEST)
        during = await harness.gateway.handle(REQUEST)
        await during.close()
        await first.close()
        after = await harness.gateway.handle(REQUEST)
        await after.close()
        return [first.status, during.status, after.status]

    assert asyncio.run(scenario()) == [200, second, 200]
    assert harness.gateway.services.concurrency == {}


STREAM_BACKEND = '<forward-request buffer-response="false" />'


def test_readings_can_be_changed_while_the_gateway_runs() -> None:
    harness = harness_with(policies(respond_with('context.Request.Url.Query["x"][0]')), reading="query=raw")
    assert harness.send(query="x=%41").body == b"%41"
    harness.gateway.use(Readings.parse(["query=decoded"]))
    assert harness.send(query="x=%41").body == b"A"
    assert harness.gateway.readings.query == "decoded"


def test_readings_under_which_the_policies_are_invalid_are_rejected() -> None:
    harness = harness_with(UNQUALIFIED, reading="system-net=imported")
    with pytest.raises(PolicyError):
        harness.gateway.use(replace(harness.gateway.readings, system_net="not-imported"))
    assert harness.gateway.readings.system_net == "imported"
    assert harness.send().body == b"&lt;"


def test_a_gateway_uses_the_readings_that_it_is_created_with() -> None:
    harness = harness_with()
    assert harness.gateway.readings == Readings.default()
    gateway = Gateway(
        harness.gateway.service,
        network=harness.network,
        identity=harness.tokens,
        clock=harness.clock,
        readings=Readings.strict(),
    )
    assert gateway.readings == Readings.strict()
