"""Policies that change requests and responses."""

import pytest

from tests.policies.engine.harness import Sent, harness, policies, reply


def header(action: str, *values: str, name: str = "X") -> str:
    content = "".join(f"<value>{value}</value>" for value in values)
    return f'<set-header name="{name}" exists-action="{action}">{content}</set-header>'


@pytest.mark.parametrize(
    ("policy", "there", "absent"),
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
def test_set_header_applies_exists_action(policy: str, there: str | None, absent: str | None) -> None:
    made = harness(policies(policy))
    made.ask(x="old")
    made.ask()
    assert [sent.header("X") for sent in made.wire.sent] == [there, absent]


def test_values_of_headers_that_are_not_lists_are_sent_separately() -> None:
    made = harness(policies("", "", header("append", "a=1", "b=2", name="Set-Cookie")))
    made.wire.answer = lambda _sent: reply(Set_Cookie="c=3")
    assert [value for name, value in made.ask().headers if name == "Set-Cookie"] == ["c=3", "a=1", "b=2"]


def test_a_line_break_never_becomes_a_header() -> None:
    made = harness(policies('<set-header name="X"><value>@("a\\r\\nSet-Cookie: b=1")</value></set-header>'))
    assert made.ask().status == 500
    assert made.wire.sent == []


def test_set_body_replaces_the_request() -> None:
    made = harness(policies('<set-body>@(context.Request.Body.As<string>() + "!")</set-body>'))
    made.ask("POST", body=b"hello")
    assert made.wire.sent[0].body == b"hello!"


def test_a_body_that_was_read_without_preserve_content_is_not_forwarded() -> None:
    lost, kept = (
        harness(policies(f'<set-variable name="a" value="@(context.Request.Body.As<string>({how}))" />'))
        for how in ("", "preserveContent: true")
    )
    lost.ask("POST", body=b"hello")
    kept.ask("POST", body=b"hello")
    assert (lost.wire.sent[0].body, kept.wire.sent[0].body) == (b"", b"hello")


def test_a_request_without_a_body_has_none() -> None:
    made = harness(
        policies(
            '<set-header name="X"><value>@(context.Request.Body == null ? "none" : "some")</value>'
            "</set-header>"
        )
    )
    made.ask()
    made.ask("POST", body=b"x")
    assert [sent.header("X") for sent in made.wire.sent] == ["none", "some"]


def test_a_streamed_body_is_read_only_when_an_expression_needs_it() -> None:
    async def body():
        yield b"hel"
        yield b"lo"

    made = harness(
        policies(
            '<choose><when condition="@(context.Request.Body.As<string>(true) == "hello")">'
            "<set-method>PUT</set-method></when></choose>"
        )
    )
    made.ask("POST", body=body())
    assert (made.wire.sent[0].method, made.wire.sent[0].body) == ("PUT", b"hello")
    passed = harness()
    passed.ask("POST", body=body())
    assert passed.wire.sent[0].body == b"hello"


def test_a_body_of_more_than_two_mebibytes_cannot_be_buffered() -> None:
    async def body():
        for _ in range(3):
            yield b"x" * 1024 * 1024

    made = harness(policies("<set-body>@(context.Request.Body.As<string>())</set-body>"))
    assert made.ask("POST", body=body()).status == 413
    passed = harness()
    assert passed.ask("POST", body=body()).status == 200


def test_set_body_replaces_the_response_and_its_length() -> None:
    made = harness(
        policies(
            "", "", '<set-body>@(context.Response.Body.As<string>().ToUpperInvariant() + "!")</set-body>'
        )
    )
    made.wire.answer = lambda _sent: reply(200, "yes", Content_Length="3")
    answer = made.ask()
    assert (answer.body, answer.header("Content-Length")) == (b"YES!", "4")


def test_set_status_changes_the_answer() -> None:
    answer = harness(policies("", "", '<set-status code="202" reason="Later" />')).ask()
    assert (answer.status, answer.reason, answer.body) == (202, "Later", b"from the backend")


def test_find_and_replace_changes_the_body() -> None:
    made = harness(
        policies('<find-and-replace from="cat" to="dog" />', "", '<find-and-replace from="the" to="a" />')
    )
    assert made.ask("POST", body=b"cats").body == b"from a backend"
    assert made.wire.sent[0].body == b"dogs"


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
    made = harness(policies(f'<rewrite-uri template="{template}" {extra} />'))
    made.ask(query=query)
    assert made.wire.sent[0].url == "https://backend.example" + expected


def test_set_query_parameter_applies_exists_action() -> None:
    def parameter(name: str, action: str, *values: str) -> str:
        content = "".join(f"<value>{value}</value>" for value in values)
        return f'<set-query-parameter name="{name}" exists-action="{action}">{content}</set-query-parameter>'

    made = harness(
        policies(
            parameter("a", "override", "x y")
            + parameter("b", "skip", "no")
            + parameter("c", "append", "3")
            + parameter("d", "delete")
        )
    )
    made.ask(query="a=1&b=2&c=1&d=4")
    assert made.wire.sent[0].url == "https://backend.example/thing?b=2&c=1&a=x%20y&c=3"


def test_set_backend_service_sends_the_request_elsewhere() -> None:
    made = harness(policies('<set-backend-service base-url="@("https://new.example/" + "v2")" />'))
    made.ask(query="a=1")
    named = harness(policies('<set-backend-service backend-id="other" />'))
    named.ask()
    assert made.wire.sent[0].url == "https://new.example/v2/thing?a=1"
    assert named.wire.sent[0].url == "https://other.example/base/thing"


def test_the_clients_host_is_not_passed_on_unless_a_policy_sets_it() -> None:
    made = harness()
    made.ask()
    other = harness(policies(header("override", "virtual.example", name="Host")))
    other.ask()
    assert (made.wire.sent[0].header("Host"), other.wire.sent[0].header("Host")) == (None, "virtual.example")


def test_redirects_are_passed_to_the_client_unless_the_policy_follows_them() -> None:
    def answer(sent: Sent) -> object:
        return reply(302, Location="/end") if sent.url.endswith("/thing") else reply(200, "end")

    made, follows = harness(), harness(policies("", '<forward-request follow-redirects="true" />'))
    for one in (made, follows):
        one.wire.answer = answer  # ty: ignore[invalid-assignment]
    assert (made.ask().status, follows.ask().body) == (302, b"end")
    assert follows.wire.sent[1].url == "https://backend.example/end"


def test_the_timeout_is_that_of_the_policy() -> None:
    made = harness(policies("", '<forward-request timeout="7" />'))
    made.ask()
    default = harness()
    default.ask()
    assert (made.wire.sent[0].timeout, default.wire.sent[0].timeout) == (7, 300)
