"""Parsing of policy documents, which need not be well-formed XML; every error has a location."""

import pytest

from apim.findings import PolicyError
from apim.rawxml import parse
from tests.policies.engine.harness import harness_with, policies, service


def findings(operation: str, **parts: object) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        harness_with(operation, **parts)
    return [str(finding) for finding in caught.value.findings]


def test_csharp_in_attributes_needs_no_escapes() -> None:
    root = parse('<a b="@(x["k"] < 3 && y == "a>b")" c=\'d\' />', "test")
    assert root.attributes["b"].text == '@(x["k"] < 3 && y == "a>b")'
    assert root.attributes["b"].expression
    assert root.attributes["c"].text == "d"


def test_csharp_between_tags_needs_no_escapes() -> None:
    root = parse('<a>\n  @{ var t = "</a>"; return t; }\n</a>', "test")
    assert root.text is not None
    assert root.text.text == '@{ var t = "</a>"; return t; }'
    assert (root.text.line, root.text.column) == (2, 3)


def test_csharp_with_entities_is_decoded_with_a_warning() -> None:
    harness = harness_with(
        policies(
            '<set-header name="X"><value>@(&quot;a)&quot; + (1 &lt; 2 ? "b" : "c"))</value></set-header>'
        )
    )
    assert [warning.line for warning in harness.gateway.warnings] == [1]
    harness.send()
    assert harness.network.sent[0].header("X") == "a)b"


def test_entities_in_a_csharp_string_are_not_decoded() -> None:
    harness = harness_with(policies('<return-response><set-body>@("a &amp; b")</set-body></return-response>'))
    assert harness.send().body == b"a &amp; b"
    assert not harness.gateway.warnings


def test_entities_in_literals_are_resolved() -> None:
    harness = harness_with(
        policies("<return-response><set-body>&lt;b&gt; &amp; &#65;</set-body></return-response>")
    )
    assert harness.send().body == b"<b> & A"


def test_character_data_is_not_decoded() -> None:
    harness = harness_with(
        policies("<return-response><set-body><![CDATA[<p>&amp;</p>]]></set-body></return-response>")
    )
    assert harness.send().body == b"<p>&amp;</p>"


def test_character_data_can_contain_an_expression() -> None:
    harness = harness_with(
        policies('<return-response><set-body><![CDATA[@("<" + "p>")]]></set-body></return-response>')
    )
    assert harness.send().body == b"<p>"


def test_comments_are_not_policies() -> None:
    harness = harness_with(
        policies(
            "<!-- <return-response /> @( --><set-header name='A'><!-- x --><value>1</value></set-header>"
        )
    )
    assert harness.send().status == 200
    assert harness.network.sent[0].header("A") == "1"


@pytest.mark.parametrize(
    ("xml", "position", "message"),
    [
        ("<policies>\n  <inbound>\n</policies>", "3:1", "does not match <inbound> in line 2"),
        ("<policies>", "1:1", "is not closed"),
        ('<policies><inbound a="1" a="2" /></policies>', "1:26", "occurs twice"),
        ('<policies a="&nbsp;" />', "1:14", "write &amp;"),
        ('<policies a="<" />', "1:14", "write &lt;"),
        ("<policies /><policies />", "1:13", "after the end"),
        ("<policies><!-- ", "1:15", "comment is not closed"),
        ('<policies a="@(x) y" />', "1:19", "one whole expression"),
        ("<policies>Bearer @(x)</policies>", "1:18", "mixes text and an expression"),
        ("<policies>@(x) text</policies>", "1:15", "mixes text and an expression"),
        ('<policies a="@(x" />', "1:14", "is not closed"),
        ("<policies a=1 />", "1:13", "in quotes"),
    ],
)
def test_an_invalid_document_is_reported_with_the_position_of_the_error(
    xml: str, position: str, message: str
) -> None:
    with pytest.raises(PolicyError) as caught:
        parse(xml, "doc")
    (finding,) = caught.value.findings
    assert str(finding).startswith(f"doc:{position}: ")
    assert message in finding.message


def test_named_values_are_replaced_in_literals_and_csharp() -> None:
    harness = harness_with(
        policies('<set-header name="A"><value>{{one}}</value><value>@("{{two}}" + "!")</value></set-header>'),
        values={"one": "1&2", "two": "2"},
    )
    harness.send()
    assert harness.network.sent[0].header("A") == "1&2,2!"


def test_a_named_value_can_be_a_whole_expression() -> None:
    harness = harness_with(
        policies('<set-header name="A"><value>{{e}}</value></set-header>'), values={"e": '@("x" + "y")'}
    )
    harness.send()
    assert harness.network.sent[0].header("A") == "xy"


def test_an_undeclared_named_value_is_reported_with_its_position() -> None:
    (finding,) = findings(
        '<policies>\n<inbound><set-variable name="a" value="b{{none}}" /></inbound></policies>'
    )
    assert finding == "operation:2:41: the named value none is not declared"


def test_an_error_in_csharp_after_a_named_value_has_its_position_before_the_replacement() -> None:
    text = (
        "<policies><inbound>\n"
        '<set-variable name="a" value="@("{{long}}" + System.IO.File.ReadAllText("x"))" />\n'
        "</inbound></policies>"
    )
    (finding,) = findings(text, values={"long": "v" * 50})
    document, line, column, _ = finding.split(":", 3)
    assert (document, line) == ("operation", "2")
    assert 43 <= int(column) <= 75


def test_the_used_named_values_are_reported() -> None:
    harness = harness_with(
        policies('<set-variable name="a" value="{{one}}" />'), values={"one": "1", "two": "2"}
    )
    assert harness.gateway.used_values == {"one"}


def test_a_document_that_is_larger_than_azure_allows_is_rejected() -> None:
    huge = policies(f"<!-- {'x' * 256 * 1024} -->")
    assert "API Management accepts at most 262,144" in findings(huge)[0]
    assert "accepts at most 16,384" in findings(policies(f"<!-- {'x' * 17_000} -->"), sku="Consumption")[0]


def test_all_errors_are_reported_together() -> None:
    reported = findings(
        policies('<nonsense /><set-header nme="a" /><choose><when condition="maybe" /></choose>')
    )
    assert len(reported) == 4


def test_a_service_can_have_no_policies() -> None:
    assert harness_with().send().body == b"from the backend"
    assert service().policy is None
