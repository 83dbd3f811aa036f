"""Policies that change requests and responses."""

import pytest

from tests.policies.engine.harness import Sent, harness_with, policies, reply


def header(action: str, *values: str, name: str = "X") -> str:
    content = "".join(f"<value>{value}</value>" for value in values)
    return f'<set-header name="{name}" exists-action="{action}">{content}</set-header>'


@pytest.mark.parametrize(
    ("policy", "if_present", "if_absent"),
    [
        (header("override", "new"), "new", "new"),
        (header("override", "a", "b"), "a,b", "a,b"),
        (header("skip", "new"), "old", "new"),
        (header("append", "new"), "old,new", "new"),
        (header("delete"), None, None),
        ('<set-header name="X"><value>new</value></set-header>', "new", "new"),
        ('<set-header name="@("x" + "")" exists-action="@("delete")" />', None, None),
    ],
)
def test_set_header_applies_exists_action(policy: str, if_present: str | None, if_absent: str | None) -> None:
    harness = harness_with(policies(policy))
    harness.send(x="old")
    harness.send()
    assert [sent.header("X") for sent in harness.network.sent] == [if_present, if_absent]


def test_each_value_of_set_cookie_is_sent_in_its_own_header_line() -> None:
    harness = harness_with(policies("", "", header("append", "a=1", "b=2", name="Set-Cookie")))
    harness.network.answer = lambda _sent: reply(Set_Cookie="c=3")
    assert [value for name, value in harness.send().headers if name == "Set-Cookie"] == ["c=3", "a=1", "b=2"]


def test_a_header_value_with_a_line_break_results_in_500() -> None:
    harness = harness_with(
        policies('<set-header name="X"><value>@("a\\r\\nSet-Cookie: b=1")</value></set-header>')
    )
    assert harness.send().status == 500
    assert harness.network.sent == []


def test_set_body_replaces_the_body_of_the_request() -> None:
    harness = harness_with(policies('<set-body>@(context.Request.Body.As<string>() + "!")</set-body>'))
    harness.send("POST", body=b"hello")
    assert harness.network.sent[0].body == b"hello!"


def test_a_body_that_was_read_without_preserve_content_is_not_forwarded() -> None:
    lost, kept = (
        harness_with(
            policies(f'<set-variable name="a" value="@(context.Request.Body.As<string>({argument}))" />')
        )
        for argument in ("", "preserveContent: true")
    )
    lost.send("POST", body=b"hello")
    kept.send("POST", body=b"hello")
    assert (lost.network.sent[0].body, kept.network.sent[0].body) == (b"", b"hello")


def test_the_body_of_a_request_without_a_body_is_null() -> None:
    harness = harness_with(
        policies(
            '<set-header name="X"><value>@(context.Request.Body == null ? "none" : "some")</value>'
            "</set-header>"
        )
    )
    harness.send()
    harness.send("POST", body=b"x")
    assert [sent.header("X") for sent in harness.network.sent] == ["none", "some"]


def test_a_streamed_body_reaches_the_backend_whether_or_not_an_expression_reads_it() -> None:
    async def body():
        yield b"hel"
        yield b"lo"

    harness = harness_with(
        policies(
            '<choose><when condition="@(context.Request.Body.As<string>(true) == "hello")">'
            "<set-method>PUT</set-method></when></choose>"
        )
    )
    harness.send("POST", body=body())
    assert (harness.network.sent[0].method, harness.network.sent[0].body) == ("PUT", b"hello")
    passed = harness_with()
    passed.send("POST", body=body())
    assert passed.network.sent[0].body == b"hello"


def test_a_body_of_more_than_two_mebibytes_cannot_be_buffered() -> None:
    async def body():
        for _ in range(3):
            yield b"x" * 1024 * 1024

    harness = harness_with(policies("<set-body>@(context.Request.Body.As<string>())</set-body>"))
    assert harness.send("POST", body=body()).status == 413
    passed = harness_with()
    assert passed.send("POST", body=body()).status == 200


def test_set_body_replaces_the_body_of_the_response_and_its_content_length() -> None:
    harness = harness_with(
        policies(
            "", "", '<set-body>@(context.Response.Body.As<string>().ToUpperInvariant() + "!")</set-body>'
        )
    )
    harness.network.answer = lambda _sent: reply(200, "yes", Content_Length="3")
    answer = harness.send()
    assert (answer.body, answer.header("Content-Length")) == (b"YES!", "4")


def test_set_status_changes_the_status_of_the_response() -> None:
    answer = harness_with(policies("", "", '<set-status code="202" reason="Later" />')).send()
    assert (answer.status, answer.reason, answer.body) == (202, "Later", b"from the backend")


def test_find_and_replace_changes_the_body() -> None:
    harness = harness_with(
        policies('<find-and-replace from="cat" to="dog" />', "", '<find-and-replace from="the" to="a" />')
    )
    assert harness.send("POST", body=b"cats").body == b"from a backend"
    assert harness.network.sent[0].body == b"dogs"


@pytest.mark.parametrize(
    ("template", "extra", "query", "expected"),
    [
        ("/up", "", "", "/up"),
        ("/up", "", "a=1&b=%20", "/up?a=1&b=%20"),
        ("/up", 'copy-unmatched-params="false"', "a=1", "/up"),
        ("/up?fixed=1", "", "a=1", "/up?fixed=1&a=1"),
        ("/runtime/webhooks/mcp/sse", "", "", "/runtime/webhooks/mcp/sse"),
    ],
)
def test_rewrite_uri_sets_path_and_query(template: str, extra: str, query: str, expected: str) -> None:
    harness = harness_with(policies(f'<rewrite-uri template="{template}" {extra} />'))
    harness.send(query=query)
    assert harness.network.sent[0].url == "https://backend.example" + expected


def test_set_query_parameter_applies_exists_action() -> None:
    def parameter(name: str, action: str, *values: str) -> str:
        content = "".join(f"<value>{value}</value>" for value in values)
        return f'<set-query-parameter name="{name}" exists-action="{action}">{content}</set-query-parameter>'

    harness = harness_with(
        policies(
            parameter("a", "override", "x y")
            + parameter("b", "skip", "no")
            + parameter("c", "append", "3")
            + parameter("d", "delete")
        )
    )
    harness.send(query="a=1&b=2&c=1&d=4")
    assert harness.network.sent[0].url == "https://backend.example/items?b=2&c=1&a=x%20y&c=3"


def test_set_backend_service_sends_the_request_elsewhere() -> None:
    harness = harness_with(policies('<set-backend-service base-url="@("https://new.example/" + "v2")" />'))
    harness.send(query="a=1")
    named = harness_with(policies('<set-backend-service backend-id="other" />'))
    named.send()
    assert harness.network.sent[0].url == "https://new.example/v2/items?a=1"
    assert named.network.sent[0].url == "https://other.example/base/items"


def test_the_backend_receives_its_own_host_unless_a_policy_sets_another() -> None:
    harness = harness_with()
    harness.send()
    other = harness_with(policies(header("override", "virtual.example", name="Host")))
    other.send()
    assert (harness.network.sent[0].header("Host"), other.network.sent[0].header("Host")) == (
        None,
        "virtual.example",
    )


def test_redirects_are_passed_to_the_client_unless_the_policy_follows_them() -> None:
    def answer(sent: Sent) -> object:
        return reply(302, Location="/end") if sent.url.endswith("/items") else reply(200, "end")

    passing, following = (
        harness_with(),
        harness_with(policies("", '<forward-request follow-redirects="true" />')),
    )
    for harness in (passing, following):
        harness.network.answer = answer  # ty: ignore[invalid-assignment]
    assert (passing.send().status, following.send().body) == (302, b"end")
    assert following.network.sent[1].url == "https://backend.example/end"


def test_forward_request_uses_the_timeout_of_the_policy() -> None:
    harness = harness_with(policies("", '<forward-request timeout="7" />'))
    harness.send()
    default = harness_with()
    default.send()
    assert (harness.network.sent[0].timeout, default.network.sent[0].timeout) == (7, 300)
