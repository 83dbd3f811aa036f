"""Policies that call other services: send-request and managed identities."""

from tests.policies.engine.harness import IDENTITY, harness_with, policies, reply


def send(attributes: str = "", content: str = "", method: str = "GET") -> str:
    return (
        f'<send-request response-variable-name="r" {attributes}><set-url>https://else.example/a?b=1</set-url>'
        f"<set-method>{method}</set-method>{content}</send-request>"
    )


SHOW = (
    '<return-response><set-body>@(context.Variables["r"] == null ? "null" : '
    '((IResponse)context.Variables["r"]).StatusCode + " " + '
    '((IResponse)context.Variables["r"]).Body.As<string>())'
    "</set-body></return-response>"
)


def test_send_request_stores_the_response_in_a_variable() -> None:
    harness = harness_with(
        policies(send('mode="new" timeout="5"', "<set-body>data</set-body>", "POST") + SHOW)
    )
    harness.network.answer = lambda _sent: reply(404, "nothing")
    assert harness.send("GET", Cookie="a=1").body == b"404 nothing"
    (sent,) = harness.network.sent
    assert (sent.method, sent.url, sent.body, sent.timeout) == (
        "POST",
        "https://else.example/a?b=1",
        b"data",
        5,
    )
    assert sent.headers == []


def test_a_send_request_in_mode_copy_has_the_headers_and_the_body_of_the_request() -> None:
    harness = harness_with(
        policies(
            '<send-request mode="copy" response-variable-name="r"><set-url>https://else.example/</set-url></send-request>'
        )
    )
    harness.send("POST", body=b"data", Accept="text/plain")
    copy, forwarded = harness.network.sent
    assert (copy.method, copy.body, copy.headers) == ("POST", b"data", [("Accept", "text/plain")])
    assert forwarded.body == b"data"


def test_an_ignored_failure_of_send_request_sets_the_variable_to_null_under_one_reading() -> None:
    harness = harness_with(policies(send('ignore-error="true"') + SHOW), reading="failed-send-request=null")
    harness.network.fails()
    assert harness.send().body == b"null"


def test_a_failure_of_send_request_that_is_not_ignored_runs_on_error() -> None:
    harness = harness_with(
        policies(
            send(),
            on_error=(
                "<return-response><set-body>@(context.LastError.Source + context.LastError.Reason)"
                "</set-body></return-response>"
            ),
        )
    )
    harness.network.fails(timed_out=True)
    assert harness.send().body == b"send-requestTimeout"


def test_send_request_can_authenticate_with_a_managed_identity() -> None:
    harness = harness_with(policies(send(content='<authentication-managed-identity resource="https://x" />')))
    harness.send()
    assert harness.network.sent[0].header("Authorization") == "Bearer token-for-https://x"
    assert harness.network.sent[1].header("Authorization") is None


def test_a_one_way_request_is_sent_and_its_failure_is_ignored() -> None:
    harness = harness_with(
        policies(
            "<send-one-way-request><set-url>https://else.example/</set-url><set-method>POST</set-method>"
            "<set-body>note</set-body></send-one-way-request>"
        )
    )
    assert harness.send().status == 200
    assert sorted(sent.url for sent in harness.network.sent) == [
        "https://backend.example/items",
        "https://else.example/",
    ]


def test_send_request_with_an_invalid_url_is_an_error() -> None:
    harness = harness_with(policies(send().replace("https://else.example/a?b=1", "nonsense")))
    assert harness.send().status == 500
    assert harness.network.sent == []


def test_a_managed_identity_authenticates_to_the_backend() -> None:
    harness = harness_with(
        policies(f'<authentication-managed-identity resource="aud" client-id="{IDENTITY}" />')
    )
    harness.send(Authorization="Bearer of-the-client")
    harness.send()
    assert [sent.header("Authorization") for sent in harness.network.sent] == ["Bearer token-for-aud"] * 2
    assert harness.tokens.requests == [("aud", IDENTITY)]


def test_identity_tokens_are_requested_again_when_they_expire() -> None:
    harness = harness_with(policies('<authentication-managed-identity resource="aud" />'))
    harness.send()
    harness.clock.advance(301)
    harness.send()
    assert harness.tokens.requests == [("aud", None)] * 2


def test_an_identity_token_can_be_stored_in_a_variable() -> None:
    harness = harness_with(
        policies(
            '<authentication-managed-identity resource="aud" output-token-variable-name="t" />'
            '<set-header name="X"><value>@((string)context.Variables["t"])</value></set-header>'
        )
    )
    harness.send()
    assert (harness.network.sent[0].header("X"), harness.network.sent[0].header("Authorization")) == (
        "token-for-aud",
        None,
    )


def test_a_request_fails_without_an_identity_token_unless_the_policy_ignores_errors() -> None:
    reporting, ignoring = (
        harness_with(policies(f'<authentication-managed-identity resource="aud" ignore-error="{ignore}" />'))
        for ignore in ("false", "true")
    )
    reporting.tokens.broken = ignoring.tokens.broken = True
    assert (reporting.send().status, ignoring.send().status) == (500, 200)
    assert ignoring.network.sent[0].header("Authorization") is None
